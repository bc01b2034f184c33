package kernel

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"

	"keepc/compiler/state"
)

// A Hub is a network segment between fakes: what one plugged interface sends, the others receive while their links are
// up.
type Hub struct {
	mu    sync.Mutex
	ports []port
}

type port struct {
	kernel *Fake
	iface  string
}

// Plug connects an interface of the fake. An interface in no hub sends into the void.
func (h *Hub) Plug(f *Fake, iface string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ports = append(h.ports, port{f, iface})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hubs[iface] = h
}

// Unplug disconnects the interface: neither end notices, as behind a switch.
func (h *Hub) Unplug(f *Fake, iface string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ports = slices.DeleteFunc(h.ports, func(p port) bool { return p == port{f, iface} })
}

// carry delivers to all ports except the sender's; mac is that of a virtual interface, otherwise empty.
func (h *Hub) carry(from port, mac string, p Packet) {
	for _, to := range h.others(from) {
		to.kernel.deliver(to.iface, mac, p)
	}
}

func (f *Fake) deliver(iface, mac string, p Packet) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.link(iface)
	if l == nil || !l.Up {
		return
	}
	ours := slices.ContainsFunc(l.addrs, func(a fakeAddr) bool { return a.Addr() == p.Dst })
	for k, virtual := range f.objects.Links {
		if up := f.link(k.Dev); virtual.Base == iface && virtual.MAC == mac && up != nil && !ours {
			l = up // as macvlan does
		}
	}
	for w := range l.wires {
		if w.carrier != p.carrier() || !ours && !slices.Contains(w.groups, p.Dst) || !w.accepts(p.Payload) {
			continue
		}
		p.Interface, p.Payload = w.link.Name, bytes.Clone(p.Payload)
		select {
		case w.queue <- p:
			if w.bell != nil {
				w.bell.Ring()
			}
		default: // a full receive buffer
		}
	}
}

// fakeQueue is how many packets wait for Receive before the next ones are lost.
const fakeQueue = 256

type fakeWire struct {
	port
	link    *fakeLink
	carrier Carrier
	groups  []netip.Addr
	only    bool // a set was given to Accept
	vrids   []uint8
	queue   chan Packet
	bell    Bell
	ids     [256]uint16 // of the last packet, by VRID, over IPv4
	ended   bool
	// That of a virtual interface, which sends from any address; else empty.
	mac string
}

// OpenWire implements Kernel.
func (f *Fake) OpenWire(iface string, c Carrier, bell Bell) (Wire, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("OpenWire"); err != nil {
		return nil, err
	}
	l := f.link(iface)
	if l == nil {
		return nil, fmt.Errorf("open the VRRP wire of %s: %w: %s", iface, ErrNoInterface, iface)
	}
	w := &fakeWire{
		port: port{f, iface}, link: l, carrier: c,
		queue: make(chan Packet, fakeQueue), bell: bell,
	}
	l.wires[w] = struct{}{}
	return w, nil
}

// OpenVirtual implements Kernel.
func (f *Fake) OpenVirtual(iface string, c Carrier, bell Bell) (Wire, error) {
	w, err := f.OpenWire(iface, c, bell)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	virtual := w.(*fakeWire)
	made := f.objects.Links[state.LinkKey{Dev: iface}]
	virtual.iface, virtual.mac = cmp.Or(made.Base, iface), cmp.Or(made.MAC, "virtual")
	return virtual, nil
}

var (
	errNoDevice    = errors.New("no such device")
	errNetworkDown = errors.New("network is down")
	errForeign     = errors.New("the source is not an address of the interface") // IPv6 only
)

func (w *fakeWire) Arm(*Datagram, netip.Addr, netip.Addr, uint8, []byte) error {
	return errors.ErrUnsupported
}

func (w *fakeWire) Send(src, dst netip.Addr, ttl uint8, payload []byte) error {
	if ipv6 := w.carrier == IPv6; dst.Is6() != ipv6 || src.IsValid() && src.Is6() != ipv6 {
		return fmt.Errorf("send from %s to %s on %s: addresses of the other family", src, dst, w.iface)
	}
	src, id, hub, err := w.port.kernel.outgoing(w, src, vridOf(payload))
	if err != nil {
		return fmt.Errorf("send to %s on %s: %w", dst, w.iface, err)
	}
	if hub != nil {
		p := Packet{Src: src, Dst: dst, TTL: cmp.Or(int(ttl), fakeHops), ID: id, Payload: payload}
		if w.carrier == AH {
			p.AH, p.ID = true, signedID(payload)
		}
		hub.carry(w.port, w.mac, p)
	}
	return nil
}

// outgoing finds the hub of a wire, nil for none, the source address and the identification of a packet, or says why nothing leaves.
func (f *Fake) outgoing(w *fakeWire, src netip.Addr, vrid uint8) (netip.Addr, uint16, *Hub, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("Send"); err != nil {
		return src, 0, nil, err
	}
	_, open := w.link.wires[w]
	switch {
	case !open:
		return src, 0, nil, net.ErrClosed
	case f.link(w.link.Name) != w.link:
		return src, 0, nil, errNoDevice
	case !w.link.Up:
		return src, 0, nil, errNetworkDown
	}
	ipv6 := w.carrier == IPv6
	for _, a := range w.link.addrs {
		if !src.IsValid() && ipv6 == a.Addr().Is6() && (!ipv6 || a.Addr().IsLinkLocalUnicast()) {
			src = a.Addr()
		}
	}
	if ipv6 && w.mac == "" && !slices.ContainsFunc(w.link.addrs, func(a fakeAddr) bool { return a.Addr() == src }) {
		return src, 0, nil, errForeign
	}
	if w.carrier == IPv4 {
		w.ids[vrid]++
	}
	return src, w.ids[vrid], f.hubs[w.iface], nil
}

// fakeHops is the TTL if the caller names none.
const fakeHops = 64

// Join implements Wire.
func (w *fakeWire) Join(groups []netip.Addr) error {
	f := w.port.kernel
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("Join"); err != nil {
		return err
	}
	w.groups = slices.Clone(groups)
	return nil
}

// Room implements Wire.
func (w *fakeWire) Room(int) {}

// Accept implements Wire.
func (w *fakeWire) Accept(vrids []uint8, _ [6]byte) error {
	f := w.port.kernel
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("Accept"); err != nil {
		return err
	}
	w.only, w.vrids = true, slices.Clone(vrids)
	return nil
}

func (w *fakeWire) accepts(payload []byte) bool {
	at := 1
	if w.carrier == AH {
		at += 24 // behind the authentication header
	}
	return !w.only || len(payload) > at && slices.Contains(w.vrids, payload[at])
}

// Receive implements Wire.
func (w *fakeWire) Receive(most int, take func(Packet)) (more bool, err error) {
	for range most {
		p, some, err := w.next()
		if !some {
			return false, err
		}
		take(p)
	}
	return true, nil
}

func (w *fakeWire) next() (p Packet, some bool, err error) {
	f := w.port.kernel
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.ended {
		return p, false, io.EOF
	}
	if err := f.fault("Receive"); err != nil {
		return p, false, err
	}
	select {
	case p = <-w.queue:
		return p, true, nil
	default:
		return p, false, nil
	}
}

// Close implements Wire.
func (w *fakeWire) Close() error {
	f := w.port.kernel
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(w.link.wires, w)
	w.ended = true
	return nil
}

// carrier is what a packet travels in.
func (p Packet) carrier() Carrier {
	switch {
	case p.Dst.Is6():
		return IPv6
	case p.AH:
		return AH
	}
	return IPv4
}
