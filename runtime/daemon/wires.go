package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
	"keepc/runtime/router"
)

// A wireKey names a VRRP socket: there is one for each interface and family, however many instances share it.
type wireKey struct {
	iface string
	ipv6  bool
}

// A wireNeed is what a wire has to be.
type wireNeed struct {
	index int     // of the interface: one that was made anew under its old name needs a new socket
	vrids []uint8 // that are to be heard, sorted
}

// needed lists the wires that configurations want on the interfaces that are there.
func needed(links map[string]kernel.Link, configs ...*ir.Config) map[wireKey]wireNeed {
	need := map[wireKey]wireNeed{}
	for _, cfg := range configs {
		for _, v := range cfg.Instances {
			l, ok := links[v.Interface]
			if !ok {
				continue
			}
			k := wireKey{v.Interface, v.IPv6()}
			n := need[k]
			n.index = l.Index
			if i, found := slices.BinarySearch(n.vrids, v.VRID); !found {
				n.vrids = slices.Insert(n.vrids, i, v.VRID)
			}
			need[k] = n
		}
	}
	return need
}

// wires are the open VRRP sockets as the router loop has them. It sends on them; an opener opens and closes them.
type wires struct {
	opener  *opener
	packets <-chan kernel.Packet // received on any wire
	changes <-chan wireChanged
	needs   map[wireKey]wireNeed
	opened  map[wireKey]wireChanged
	failed  map[sender]error // why advertisements do not leave, as it was told
}

type sender struct {
	iface string
	src   netip.Addr
}

func newWires(o *opener) *wires {
	return &wires{opener: o, packets: o.packets, changes: o.changes, opened: map[wireKey]wireChanged{}, failed: map[sender]error{}}
}

// need sets which wires there should be. Those that are needed no more are not used from now on. The channel tells how the first attempt
// to open the rest ended.
func (w *wires) need(needs map[wireKey]wireNeed) <-chan error {
	w.needs = needs
	for k, o := range w.opened {
		if needs[k].index != o.index {
			delete(w.opened, k)
		}
	}
	return w.opener.need(needs)
}

// change takes a wire that was opened, or lets go of one that ended by itself.
func (w *wires) change(c wireChanged) {
	switch {
	case c.wire == nil:
		if w.opened[c.wireKey].index == c.index {
			delete(w.opened, c.wireKey)
		}
	case w.needs[c.wireKey].index == c.index:
		w.opened[c.wireKey] = c
	}
}

// ready reports whether a wire is open.
func (w *wires) ready(iface string, ipv6 bool) bool {
	_, open := w.opened[wireKey{iface, ipv6}]
	return open
}

// send sends at once. The first failure of a sender is to be told, and its end.
func (w *wires) send(e router.SendAdvert) (note sendChanged, changed bool) {
	o, open := w.opened[wireKey{e.Interface, e.Dst.Is6()}]
	if !open {
		return note, false // told when it did not open
	}
	err := o.wire.Send(e.Src, e.Dst, e.Payload)
	if err == nil && len(w.failed) == 0 {
		return note, false
	}
	from := sender{e.Interface, e.Src}
	if root(err) == w.failed[from] {
		return note, false
	}
	if w.failed[from] = root(err); err == nil {
		delete(w.failed, from)
	}
	return sendChanged{from, err}, true
}

// root is the innermost error, by which others are told apart.
func root(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// reopenInterval is how often a wire that did not open is tried again.
const reopenInterval = time.Second

// An opener opens and closes wires on a goroutine of its own, with its own door to the kernel, and receives on them.
type opener struct {
	kernel  kernel.Wires
	log     *slog.Logger
	packets chan kernel.Packet
	changes chan wireChanged
	dead    chan wireKey // wires that ended by themselves
	wake    chan struct{}

	mu      sync.Mutex
	needs   map[wireKey]wireNeed
	waiters []chan error

	opened map[wireKey]*openWire
	failed map[wireKey]string // why a wire is not open, as it was told
}

// A wireChanged tells that a wire was opened, or ended by itself.
type wireChanged struct {
	wireKey
	index int
	wire  kernel.Wire // nil: it ended
}

// An openWire is a wire with its receiver.
type openWire struct {
	kernel.Wire
	wireNeed
	done chan struct{}
	wg   sync.WaitGroup
}

func newOpener(k kernel.Wires, log *slog.Logger) *opener {
	return &opener{
		kernel: k, log: log, packets: make(chan kernel.Packet, 256), changes: make(chan wireChanged), dead: make(chan wireKey),
		wake: make(chan struct{}, 1), opened: map[wireKey]*openWire{}, failed: map[wireKey]string{},
	}
}

// need sets which wires there should be; it never blocks. The channel tells how the first attempt at it, or at a newer need, ended.
func (o *opener) need(needs map[wireKey]wireNeed) <-chan error {
	done := make(chan error, 1)
	o.mu.Lock()
	o.needs, o.waiters = needs, append(o.waiters, done)
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return done
}

// run works until ctx ends; then it closes all.
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
		case k := <-o.dead:
			o.log.Error("cannot receive any more; opening another socket", "subject", k.iface)
			o.failed[k] = "ended"
			o.tell(ctx, wireChanged{k, o.opened[k].index, nil})
			o.drop(k)
			continue // at the next turn
		case <-again.C:
		case <-o.wake:
		}
		o.mu.Lock()
		needs, waiters := o.needs, o.waiters
		o.waiters = nil
		o.mu.Unlock()
		err := o.open(ctx, needs)
		for _, w := range waiters {
			w <- err
		}
	}
}

// open closes what is not needed and opens what is.
func (o *opener) open(ctx context.Context, needs map[wireKey]wireNeed) error {
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
		if w == nil {
			wire, err := o.kernel.OpenWire(k.iface, k.ipv6, netip.Addr{}) // the family's own group
			if errors.Is(err, kernel.ErrNoInterface) {                    // it went away meanwhile; its return will be told
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
			w = &openWire{Wire: wire, wireNeed: wireNeed{index: n.index}, done: make(chan struct{})}
			o.accept(k, w, n.vrids)
			w.wg.Go(func() { o.receive(k, w) })
			o.opened[k] = w
			if _, failed := o.failed[k]; failed {
				delete(o.failed, k)
				o.log.Info("VRRP is open again", "subject", k.iface)
			}
			o.tell(ctx, wireChanged{k, n.index, wire})
		}
		if !slices.Equal(w.vrids, n.vrids) {
			o.accept(k, w, n.vrids)
		}
	}
	return errors.Join(errs...)
}

// accept lets the kernel drop what is for none of the interface's instances. A wire without a filter hears them all the same.
func (o *opener) accept(k wireKey, w *openWire, vrids []uint8) {
	if err := w.Accept(vrids); err != nil {
		o.log.Warn(fmt.Sprintf("%v; foreign advertisements cost time", err), "subject", k.iface)
	}
	w.vrids = vrids
}

// tell hands a change to the loop.
func (o *opener) tell(ctx context.Context, c wireChanged) {
	select {
	case o.changes <- c:
	case <-ctx.Done():
	}
}

// receive hands packets to the loop until the wire is closed.
func (o *opener) receive(k wireKey, w *openWire) {
	for {
		p, err := w.Receive()
		if err != nil {
			select {
			case o.dead <- k:
			case <-w.done: // closed by us
			}
			return
		}
		select {
		case o.packets <- p:
		case <-w.done:
			return
		}
	}
}

// drop closes a wire.
func (o *opener) drop(k wireKey) {
	w := o.opened[k]
	delete(o.opened, k)
	close(w.done)
	_ = w.Close() // nothing is buffered that could be lost
	w.wg.Wait()
}
