package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
)

// A fakePort is a Port of a Fake.
type fakePort struct {
	kernel *Fake
	number uint16
	ipv6   bool
	queue  chan Packet
	bell   Bell
	ended  bool
}

// OpenPort implements Sessions.
func (f *Fake) OpenPort(number uint16, ipv6 bool, bell Bell) (Port, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("OpenPort"); err != nil {
		return nil, err
	}
	p := &fakePort{kernel: f, number: number, ipv6: ipv6, queue: make(chan Packet, fakeQueue), bell: bell}
	f.udp[p] = struct{}{}
	return p, nil
}

// Poll implements Port.
func (p *fakePort) Poll() (Packet, bool, error) {
	p.kernel.mu.Lock()
	defer p.kernel.mu.Unlock()
	if p.ended {
		return Packet{}, false, io.EOF
	}
	select {
	case packet := <-p.queue:
		return packet, true, nil
	default:
		return Packet{}, false, nil
	}
}

// Close implements Port.
func (p *fakePort) Close() error {
	p.kernel.mu.Lock()
	defer p.kernel.mu.Unlock()
	delete(p.kernel.udp, p)
	p.ended = true
	return nil
}

type fakeCaller struct {
	kernel *Fake
	Call
}

// errNotHere is the error for an address that no interface has.
var errNotHere = errors.New("cannot assign requested address")

// OpenCaller implements Sessions.
func (f *Fake) OpenCaller(c Call) (Caller, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("OpenCaller"); err != nil {
		return nil, err
	}
	if c.Src.IsValid() && f.with(c.Src) == nil {
		return nil, fmt.Errorf("call %v: send from %v: %w", c.Dst, c.Src, errNotHere)
	}
	return &fakeCaller{f, c}, nil
}

// with returns the interface that has an address; nil: none.
func (f *Fake) with(a netip.Addr) *fakeLink {
	for _, l := range f.links {
		if slices.ContainsFunc(l.addrs, func(x fakeAddr) bool { return x.Addr() == a }) {
			return l
		}
	}
	return nil
}

// Send implements Caller. A packet is sent on the interface whose network the neighbour is in.
func (c *fakeCaller) Send(payload []byte) error {
	hub, from, p, err := c.leave(payload)
	if err != nil {
		return err
	}
	for _, to := range hub.others(from) {
		to.kernel.hear(to.iface, c.DstPort, p)
	}
	return nil
}

func (c *fakeCaller) leave(payload []byte) (*Hub, port, Packet, error) {
	f := c.kernel
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("Send"); err != nil {
		return nil, port{}, Packet{}, err
	}
	for _, l := range f.links {
		for _, a := range l.addrs {
			if hub := f.hubs[l.Name]; hub != nil && a.Contains(c.Dst) && l.Up {
				src := a.Addr()
				if c.Src.IsValid() {
					src = c.Src
				}
				return hub, port{f, l.Name}, Packet{Src: src, Dst: c.Dst, TTL: int(c.TTL), Payload: bytes.Clone(payload)}, nil
			}
		}
	}
	return nil, port{}, Packet{}, fmt.Errorf("send a packet: %w", net.UnknownNetworkError("unreachable"))
}

// others returns the receivers of what a fake sends; none if its cable is unplugged.
func (h *Hub) others(from port) (list []port) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.ports, from) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(h.ports), func(p port) bool { return p == from })
}

// hear delivers a UDP packet to the fake's open port.
func (f *Fake) hear(iface string, number uint16, p Packet) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.link(iface)
	if l == nil || !l.Up || f.with(p.Dst) == nil {
		return
	}
	for open := range f.udp {
		if open.number != number || open.ipv6 != p.Dst.Is6() {
			continue
		}
		select {
		case open.queue <- p:
			if open.bell != nil {
				open.bell.Ring()
			}
		default: // a full receive buffer
		}
	}
}

// Close implements Caller.
func (c *fakeCaller) Close() error { return nil }
