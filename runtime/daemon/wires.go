package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
	"keepc/runtime/router"
)

// wires are the open VRRP sockets: one for each interface and family, however many instances share it. They follow the
// interfaces: one that was made anew under its old name gets a new socket.
type wires struct {
	kernel  kernel.Wires
	log     *slog.Logger
	packets chan kernel.Packet // received on any wire
	dead    chan wireKey       // wires that ended by themselves
	opened  map[wireKey]*openWire
	failed  map[sender]string // the send error that was said already
}

type wireKey struct {
	iface string
	ipv6  bool
}

type sender struct {
	iface string
	src   netip.Addr
}

type openWire struct {
	kernel.Wire
	index    int     // of the interface when it was opened
	filtered bool    // Accept was called, with these
	vrids    []uint8 // sorted
	done     chan struct{}
	wg       sync.WaitGroup
}

func newWires(k kernel.Wires, log *slog.Logger) *wires {
	return &wires{
		kernel: k, log: log, packets: make(chan kernel.Packet, 256), dead: make(chan wireKey),
		opened: map[wireKey]*openWire{}, failed: map[sender]string{},
	}
}

// needed lists the wires that the configuration wants on the interfaces that are there, with the interfaces' indexes.
func needed(cfg *ir.Config, links map[string]kernel.Link) map[wireKey]int {
	need := map[wireKey]int{}
	for _, v := range cfg.Instances {
		if l, ok := links[v.Interface]; ok {
			need[wireKey{v.Interface, v.IPv6()}] = l.Index
		}
	}
	return need
}

// sync opens what the configuration needs and closes the rest.
func (w *wires) sync(cfg *ir.Config, links map[string]kernel.Link) error {
	w.trim(cfg, links)
	return w.open(cfg, links)
}

// trim closes what the configuration does not need.
func (w *wires) trim(cfg *ir.Config, links map[string]kernel.Link) {
	need := needed(cfg, links)
	for k, o := range w.opened {
		if need[k] != o.index {
			w.drop(k)
		}
	}
}

// open opens what the configuration needs. A missing interface is no error.
func (w *wires) open(cfg *ir.Config, links map[string]kernel.Link) error {
	var errs []error
	heard := vrids(cfg)
	for k, index := range needed(cfg, links) {
		if o := w.opened[k]; o != nil && o.index == index {
			w.accept(k, o, heard[k])
			continue
		}
		w.drop(k)
		wire, err := w.kernel.OpenWire(k.iface, k.ipv6, netip.Addr{}) // the family's own group
		switch {
		case errors.Is(err, kernel.ErrNoInterface): // it went away meanwhile; its return will be told
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("open VRRP on %s: %w", k.iface, err))
			continue
		}
		o := &openWire{Wire: wire, index: index, done: make(chan struct{})}
		w.accept(k, o, heard[k])
		o.wg.Go(func() { w.receive(k, o) })
		w.opened[k] = o
	}
	return errors.Join(errs...)
}

// accept lets the kernel drop what is for none of the interface's instances. A wire without a filter hears them all the same.
func (w *wires) accept(k wireKey, o *openWire, vrids []uint8) {
	if o.filtered && slices.Equal(vrids, o.vrids) {
		return
	}
	if err := o.Accept(vrids); err != nil {
		w.log.Warn(fmt.Sprintf("%v; foreign advertisements cost time", err), "subject", k.iface)
	}
	o.filtered, o.vrids = true, vrids
}

// vrids lists what is to be heard on each wire, sorted.
func vrids(cfg *ir.Config) map[wireKey][]uint8 {
	all := map[wireKey][]uint8{}
	for _, v := range cfg.Instances {
		k := wireKey{v.Interface, v.IPv6()}
		if i, found := slices.BinarySearch(all[k], v.VRID); !found {
			all[k] = slices.Insert(all[k], i, v.VRID)
		}
	}
	return all
}

// missing lists the interfaces that are there and lack a wire.
func (w *wires) missing(cfg *ir.Config, links map[string]kernel.Link) []string {
	var names []string
	for k := range needed(cfg, links) {
		if w.opened[k] == nil {
			names = append(names, k.iface)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ready tells whether every instance of the interface has its wire.
func (w *wires) ready(cfg *ir.Config, iface string) bool {
	return !slices.ContainsFunc(cfg.Instances, func(v *ir.VRRPInstance) bool {
		return v.Interface == iface && w.opened[wireKey{iface, v.IPv6()}] == nil
	})
}

// receive hands packets to the loop until the wire is closed.
func (w *wires) receive(k wireKey, o *openWire) {
	for {
		p, err := o.Receive()
		if err != nil {
			select {
			case w.dead <- k:
			case <-o.done: // closed by us
			}
			return
		}
		select {
		case w.packets <- p:
		case <-o.done:
			return
		}
	}
}

// drop closes a wire, if it is open.
func (w *wires) drop(k wireKey) {
	o := w.opened[k]
	if o == nil {
		return
	}
	delete(w.opened, k)
	close(o.done)
	_ = o.Close() // nothing is buffered that could be lost
	o.wg.Wait()
}

// send sends at once. The first failure of a sender is said, and its end.
func (w *wires) send(e router.SendAdvert) {
	o := w.opened[wireKey{e.Interface, e.Dst.Is6()}]
	if o == nil {
		return // said when it did not open
	}
	err := o.Send(e.Src, e.Dst, e.Payload)
	text := ""
	if err != nil {
		text = err.Error()
	}
	from := sender{e.Interface, e.Src}
	if text == w.failed[from] {
		return
	}
	w.failed[from] = text
	if err != nil {
		w.log.Error(fmt.Sprintf("send an advertisement from %s: %v", e.Src, err), "subject", e.Interface)
	} else {
		w.log.Info("advertisements leave again", "subject", e.Interface)
	}
}

func (w *wires) close() {
	for k := range w.opened {
		w.drop(k)
	}
}
