package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
	"keepc/runtime/router"
)

// A wireKey identifies a VRRP socket: there is one for each interface and carrier, however many instances share it.
type wireKey struct {
	iface   string
	carrier kernel.Carrier
	virtual bool // the interface was made by use_vmac
}

// carrier is what the advertisements of an instance are carried in.
func carrier(ipv6, ah bool) kernel.Carrier {
	switch {
	case ipv6:
		return kernel.IPv6
	case ah:
		return kernel.AH
	}
	return kernel.IPv4
}

// A wireNeed is what a wire must be.
type wireNeed struct {
	index int     // of the interface: a recreated interface with the same name needs a new socket
	base  string  // the interface that the instances name
	vrids []uint8 // those to be heard, sorted
	// On a virtual interface: its own MAC address. What a peer with the same address sends arrives only there;
	// everything else also arrives on the interface below and is heard there. Otherwise zero.
	from [6]byte
	// The multicast groups that it receives, sorted.
	groups []netip.Addr
	room   int // size of the receive buffer in bytes, if the file sets it
}

// needed lists the wires that configurations want on the existing interfaces.
func needed(links map[string]kernel.Link, configs ...*ir.Config) map[wireKey]wireNeed {
	need := map[wireKey]wireNeed{}
	for _, cfg := range configs {
		for _, v := range cfg.Instances {
			l, ok := links[v.Interface]
			if !ok {
				continue
			}
			own := carrier(v.IPv6(), v.Auth.Type == ir.AuthAH)
			carriers := []kernel.Carrier{own}
			if own == kernel.AH { // a peer that does not sign is heard and reported
				carriers = append(carriers, kernel.IPv4)
			}
			virtual, made := links[v.Link]
			for _, c := range carriers {
				k := wireKey{v.Interface, c, false}
				need[k] = need[k].hearing(l, v, &cfg.Global)
				if made {
					k = wireKey{v.Link, c, true}
					need[k] = need[k].hearing(virtual, v, &cfg.Global)
				}
			}
		}
	}
	return need
}

// hearing adds the need of one more instance.
func (n wireNeed) hearing(l kernel.Link, v *ir.VRRPInstance, g *ir.Global) wireNeed {
	n.index, n.base = l.Index, v.Interface
	if l.Name == v.Link {
		n.from = l.HWAddr
	}
	n.room += room(v, g, l.MTU)
	if g.LogUnknownVRIDs {
		n.vrids = everyVRID()
	} else if i, found := slices.BinarySearch(n.vrids, v.VRID); !found {
		n.vrids = slices.Insert(n.vrids, i, v.VRID)
	}
	if g := v.Group(); g.IsValid() {
		if i, found := slices.BinarySearchFunc(n.groups, g, netip.Addr.Compare); !found {
			n.groups = slices.Insert(n.groups, i, g)
		}
	}
	return n
}

// everyVRID is what a wire hears if strangers are logged.
func everyVRID() (all []uint8) {
	for id := 1; id <= 255; id++ {
		all = append(all, uint8(id))
	}
	return all
}

// room is what an instance adds to the receive buffer of its wire: kernel_rx_buf_size, or vrrp_rx_bufs_policy; 0: not
// set.
func room(v *ir.VRRPInstance, g *ir.Global, mtu int) int {
	const header, address = 20 + 8, 4
	size := 0
	switch policy := g.RxBufsPolicy; {
	case v.KernelRxBufSize > 0:
		return int(v.KernelRxBufSize)
	case policy == "MTU":
		size = mtu
	case policy == "ADVERT" && v.IPv6():
		size = 2*header + 4*address*len(v.Addresses)
	case policy == "ADVERT":
		size = header + address*len(v.Addresses)
	case policy != "":
		bytes, err := strconv.Atoi(policy)
		if err != nil {
			return 0
		}
		return bytes
	}
	return size * int(g.RxBufsMultiplier)
}

// wires are the open VRRP sockets, as the router loop has them. It sends on them; an opener opens and closes them.
type wires struct {
	opener  *opener
	changes <-chan wireChanged
	needs   map[wireKey]wireNeed
	opened  map[wireKey]wireChanged
	failed  map[sender]error // why advertisements are not sent, as reported
}

type sender struct {
	iface    string
	src, dst netip.Addr
}

func newWires(o *opener) *wires {
	return &wires{opener: o, changes: o.changes, opened: map[wireKey]wireChanged{}, failed: map[sender]error{}}
}

// need sets which wires there should be. Those that are no longer needed are not used from now on. The channel
// receives the result of the first attempt to open the rest.
func (w *wires) need(needs map[wireKey]wireNeed) <-chan error {
	w.needs = needs
	for k, o := range w.opened {
		if needs[k].index != o.index {
			delete(w.opened, k)
		}
	}
	return w.opener.need(needs)
}

// drops reports whether need would stop using a wire.
func (w *wires) drops(needs map[wireKey]wireNeed) bool {
	for k, o := range w.opened {
		if needs[k].index != o.index {
			return true
		}
	}
	return false
}

// change takes a wire that was opened.
func (w *wires) change(c wireChanged) {
	if w.needs[c.wireKey].index == c.index {
		w.opened[c.wireKey] = c
	}
}

// listen makes the next hear ask every wire, rung or not.
func (w *wires) listen() {
	for _, o := range w.opened {
		o.ear.waits.Store(true)
	}
}

// hear takes the packets that wait, up to a maximum from each wire, and returns the wires that no longer hear
// anything: the opener must replace them.
func (w *wires) hear(limit int, take func(kernel.Packet)) (dead []wireChanged) {
	for k, o := range w.opened {
		if !o.ear.waits.Swap(false) {
			continue
		}
		base := w.needs[k].base
		more, err := o.wire.Receive(limit, func(p kernel.Packet) {
			p.Interface = base // even if a virtual interface on it heard it
			take(p)
		})
		if err != nil {
			delete(w.opened, k)
			dead = append(dead, o)
		}
		if more {
			o.ear.Ring()
		}
	}
	return dead
}

// ready reports whether a wire is open.
func (w *wires) ready(iface string, c kernel.Carrier) bool {
	_, hears := w.opened[wireKey{iface, c, false}]
	_, sends := w.opened[wireKey{iface, c, true}]
	return hears || sends
}

// send sends at once. The first failure of a sender must be reported, and the end of the failures.
func (w *wires) send(e router.SendAdvert) (note sendChanged, changed bool) {
	o, open := w.wire(e)
	if !open {
		return note, false // reported when it did not open
	}
	err := o.wire.Send(e.Src, e.Dst, e.TTL, e.Payload)
	if err == nil && len(w.failed) == 0 {
		return note, false
	}
	from := sender{e.Leaves, e.Src, e.Dst}
	if root(err) == w.failed[from] {
		return note, false
	}
	if w.failed[from] = root(err); err == nil {
		delete(w.failed, from)
	}
	return sendChanged{from, err}, true
}

// wire returns the wire that an advertisement is sent on.
func (w *wires) wire(e router.SendAdvert) (o wireChanged, open bool) {
	o, open = w.opened[wireKey{e.Leaves, carrier(e.Dst.Is6(), e.AH), e.Leaves != e.Interface}]
	return o, open
}

// arm prepares an advertisement for sending; false: it cannot, and send says why.
func (w *wires) arm(d *kernel.Datagram, e router.SendAdvert) bool {
	o, open := w.wire(e)
	return open && o.wire.Arm(d, e.Src, e.Dst, e.TTL, e.Payload) == nil
}

// root returns the innermost error, which identifies a failure.
func root(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// reopenInterval is how often a wire that did not open is retried.
const reopenInterval = time.Second

// An opener opens and closes wires on its own goroutine, with its own connection to the kernel.
type opener struct {
	kernel  kernel.Wires
	bell    bell // the bell that wires ring
	log     *slog.Logger
	changes chan wireChanged
	wake    chan struct{}

	mu      sync.Mutex
	needs   map[wireKey]wireNeed
	waiters []chan error
	dead    map[wireKey]int // the indexes of wires that no longer hear anything

	opened map[wireKey]*openWire
	failed map[wireKey]string // why a wire is not open, as reported
}

// A wireChanged says that a wire was opened.
type wireChanged struct {
	wireKey
	index int
	wire  kernel.Wire
	ear   *ear
}

// An openWire is a wire with what it was opened for.
type openWire struct {
	kernel.Wire
	wireNeed
}

func newOpener(k kernel.Wires, b bell, log *slog.Logger) *opener {
	return &opener{
		kernel: k, bell: b, log: log, changes: make(chan wireChanged), wake: make(chan struct{}, 1),
		dead: map[wireKey]int{}, opened: map[wireKey]*openWire{}, failed: map[wireKey]string{},
	}
}

// need sets which wires there should be; it never blocks. The channel receives the result of the first attempt at it,
// or at a newer need.
func (o *opener) need(needs map[wireKey]wireNeed) <-chan error {
	done := make(chan error, 1)
	o.mu.Lock()
	o.needs, o.waiters = needs, append(o.waiters, done)
	o.mu.Unlock()
	o.poke()
	return done
}

// end says that a wire no longer hears anything; it never blocks.
func (o *opener) end(k wireKey, index int) {
	o.mu.Lock()
	o.dead[k] = index
	o.mu.Unlock()
	o.poke()
}

func (o *opener) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends; then it closes everything.
func (o *opener) run(ctx context.Context) {
	again := time.NewTicker(reopenInterval)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			for k := range o.opened {
				o.drop(k)
			}
			return
		case <-again.C:
		case <-o.wake:
		}
		o.mu.Lock()
		needs, waiters, dead := o.needs, o.waiters, o.dead
		o.waiters, o.dead = nil, map[wireKey]int{}
		o.mu.Unlock()
		for k, index := range dead {
			if w := o.opened[k]; w != nil && w.index == index {
				o.log.Error("no longer receives; opening a new socket", "subject", k.iface)
				o.failed[k] = "ended"
				o.drop(k)
			}
		}
		err := o.open(ctx, needs, dead)
		for _, w := range waiters {
			w <- err
		}
	}
}

// open closes what is not needed and opens what is. A wire that has just ended by itself waits for the next turn.
func (o *opener) open(ctx context.Context, needs map[wireKey]wireNeed, dead map[wireKey]int) error {
	for k, w := range o.opened {
		if needs[k].index != w.index {
			o.drop(k)
		}
	}
	for k := range o.failed {
		if _, needed := needs[k]; !needed {
			delete(o.failed, k)
		}
	}
	var errs []error
	for k, n := range needs {
		w := o.opened[k]
		if _, ended := dead[k]; ended && w == nil {
			continue
		}
		if w == nil {
			ear := &ear{bell: o.bell}
			wire, err := o.wire(k, ear)
			if err == nil {
				if err = wire.Join(n.groups); err != nil {
					_ = wire.Close() // closing loses nothing
				}
			}
			if errors.Is(err, kernel.ErrNoInterface) { // the interface disappeared meanwhile; its return will be reported
				continue
			}
			if err != nil {
				err = fmt.Errorf("open VRRP on %s: %w", k.iface, err)
				if errs = append(errs, err); o.failed[k] != err.Error() {
					o.log.Error(fmt.Sprintf("%v; trying again", err), "subject", k.iface)
				}
				o.failed[k] = err.Error()
				continue
			}
			w = &openWire{Wire: wire, wireNeed: wireNeed{index: n.index, groups: n.groups, room: n.room}}
			o.accept(k, w, n)
			w.Room(n.room)
			o.opened[k] = w
			if _, failed := o.failed[k]; failed {
				delete(o.failed, k)
				o.log.Info("VRRP is open again", "subject", k.iface)
			}
			o.tell(ctx, wireChanged{k, n.index, wire, ear})
		}
		if !slices.Equal(w.groups, n.groups) {
			if err := w.Join(n.groups); err != nil {
				errs = append(errs, err)
				o.log.Error(err.Error(), "subject", k.iface)
			}
			w.groups = n.groups
		}
		if w.room != n.room {
			w.Room(n.room)
			w.room = n.room
		}
		if !slices.Equal(w.vrids, n.vrids) || w.from != n.from {
			o.accept(k, w, n)
		}
	}
	return errors.Join(errs...)
}

func (o *opener) wire(k wireKey, ear *ear) (kernel.Wire, error) {
	if k.virtual {
		return o.kernel.OpenVirtual(k.iface, k.carrier, ear)
	}
	return o.kernel.OpenWire(k.iface, k.carrier, ear)
}

// accept lets the kernel drop what is for none of the interface's instances. A wire without a filter hears those
// packets all the same.
func (o *opener) accept(k wireKey, w *openWire, n wireNeed) {
	if err := w.Accept(n.vrids, n.from); err != nil {
		o.log.Warn(fmt.Sprintf("%v; advertisements of other virtual routers cost CPU time", err), "subject", k.iface)
	}
	w.vrids, w.from = n.vrids, n.from
}

// tell hands a change to the loop.
func (o *opener) tell(ctx context.Context, c wireChanged) {
	select {
	case o.changes <- c:
	case <-ctx.Done():
	}
}

// drop closes a wire.
func (o *opener) drop(k wireKey) {
	w := o.opened[k]
	delete(o.opened, k)
	_ = w.Close() // closing loses nothing
}
