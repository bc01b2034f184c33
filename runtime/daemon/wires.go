package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"

	"keepc/compiler/ir"
	"keepc/runtime/engine"
	"keepc/runtime/kernel"
)

// wires are the open VRRP sockets: one for each interface and family, however many instances share it. They follow the
// interfaces: one that was made anew under its old name gets a new socket.
type wires struct {
	kernel  kernel.Wires
	log     *slog.Logger
	packets chan<- kernel.Packet
	open    map[wireKey]*openWire
	failed  map[string]string // interface → the send error that was said already
}

type wireKey struct {
	iface string
	ipv6  bool
}

type openWire struct {
	kernel.Wire
	index int // of the interface when it was opened
	done  chan struct{}
	wg    sync.WaitGroup
}

func newWires(k kernel.Wires, log *slog.Logger, packets chan<- kernel.Packet) *wires {
	return &wires{kernel: k, log: log, packets: packets, open: map[wireKey]*openWire{}, failed: map[string]string{}}
}

// group4 and group6 are the VRRP groups (RFC 9568 section 5.1).
func group(ipv6 bool) netip.Addr {
	if ipv6 {
		return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x12})
	}
	return netip.AddrFrom4([4]byte{224, 0, 0, 18})
}

// sync opens what the configuration needs on the interfaces that are there, and closes the rest. A missing interface is no error.
func (w *wires) sync(cfg *ir.Config, links map[string]kernel.Link) error {
	need := map[wireKey]int{}
	for _, v := range cfg.Instances {
		if l, ok := links[v.Interface]; ok {
			need[wireKey{v.Interface, v.IPv6()}] = l.Index
		}
	}
	for k, o := range w.open {
		if need[k] != o.index {
			o.end()
			delete(w.open, k)
		}
	}
	var errs []error
	for k, index := range need {
		if w.open[k] != nil {
			continue
		}
		wire, err := w.kernel.OpenWire(k.iface, k.ipv6, group(k.ipv6))
		switch {
		case errors.Is(err, kernel.ErrNoInterface): // it went away meanwhile; its return will be told
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("open VRRP on %s: %w", k.iface, err))
			continue
		}
		o := &openWire{Wire: wire, index: index, done: make(chan struct{})}
		o.wg.Go(func() { o.receive(w.packets) })
		w.open[k] = o
	}
	return errors.Join(errs...)
}

// receive hands packets to the loop until the wire is closed.
func (o *openWire) receive(packets chan<- kernel.Packet) {
	for {
		p, err := o.Receive()
		if err != nil {
			return
		}
		select {
		case packets <- p:
		case <-o.done:
			return
		}
	}
}

func (o *openWire) end() {
	close(o.done)
	_ = o.Close() // nothing is buffered that could be lost
	o.wg.Wait()
}

// send sends at once. The first failure of an interface is said, and its end.
func (w *wires) send(e engine.SendAdvert) {
	o := w.open[wireKey{e.Interface, e.Dst.Is6()}]
	if o == nil {
		return
	}
	err := o.Send(e.Src, e.Dst, e.Payload)
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == w.failed[e.Interface] {
		return
	}
	w.failed[e.Interface] = text
	if err != nil {
		w.log.Error(fmt.Sprintf("send an advertisement: %v", err), "subject", e.Interface)
	} else {
		w.log.Info("advertisements leave again", "subject", e.Interface)
	}
}

func (w *wires) close() {
	for _, o := range w.open {
		o.end()
	}
}
