package kernel

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const (
	protocolVRRP = 112
	protocolAH   = 51   // IPv4, before VRRP
	ahLen        = 24   // with an HMAC of 96 bits
	maxTTL       = 255  // of an advertisement, IPv4 and IPv6 (RFC 9568 section 5.1.1.3)
	tosControl   = 0xC0 // DSCP CS6, internetwork control: what keepalived sends
	priority     = 6    // TC_PRIO_INTERACTIVE: the first band of the queueing discipline, the highest without CAP_NET_ADMIN
	wireBuffer   = 1 << 20
)

// OpenWire implements Wires.
//
// The wire belongs to the interface's index: it survives link down and up, but a recreated interface needs a new wire.
// The opener closes it and opens another when WatchLinks reports a different Index.
func (l *Linux) OpenWire(iface string, c Carrier, bell Bell) (Wire, error) {
	return l.openWire(iface, c, bell, options6())
}

// OpenVirtual implements Wires.
func (l *Linux) OpenVirtual(iface string, c Carrier, bell Bell) (Wire, error) {
	return l.openWire(iface, c, bell, append(options6(), intOption{"IPV6_FREEBIND", unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1}))
}

func (l *Linux) openWire(iface string, c Carrier, bell Bell, options6 []intOption) (Wire, error) {
	link, err := l.link(iface)
	if err != nil {
		return nil, fmt.Errorf("open the VRRP wire of %s: %w", iface, err)
	}
	var w Wire
	if c == IPv6 {
		w, err = l.openWire6(iface, link.Index, bell, options6)
	} else {
		w, err = l.openWire4(iface, link.Index, protocolOf(c), bell)
	}
	if err != nil {
		return nil, fmt.Errorf("open the VRRP wire of %s: %w", iface, permission(err, netRaw))
	}
	return w, nil
}

// A socket is what the wires of both families share. It is a plain kernel socket, not one of the Go runtime, whose
// poller runs on threads that a busy machine keeps waiting.
type socket struct {
	iface string
	index int
	batch *batch // shared by all wires of a connection to the kernel

	joined []netip.Addr // its groups; used only by Join

	mu     sync.Mutex // Close waits for a running call: none of them ever blocks
	fd     int
	closed bool
	out    Datagram // of Send
}

// protocolOf returns the IP protocol of a carrier.
func protocolOf(c Carrier) int {
	if c == AH {
		return protocolAH
	}
	return protocolVRRP
}

// listen opens a raw socket of an IP protocol that is bound to an interface.
func (l *Linux) listen(family, protocol int, iface string, index int, bell Bell, options func(fd int) error) (*socket, error) {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, fmt.Errorf("open a raw socket: %w", err)
	}
	s := &socket{iface: iface, index: index, fd: fd, batch: &l.batch}
	receiveBuffer(fd, wireBuffer)
	err = cmp.Or(
		refused("SO_BINDTODEVICE", unix.BindToDevice(fd, iface)),
		refused("SO_PRIORITY", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, priority)),
		options(fd),
	)
	if err == nil && bell != nil {
		err = bell.Watch(fd)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return s, nil
}

// Close implements Wire.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return unix.Close(s.fd)
}

// join leaves the groups that are not wanted, and joins the new ones.
func (s *socket) join(groups []netip.Addr, set func(group netip.Addr, join bool) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	var errs []error
	change := func(list, other []netip.Addr, join bool) {
		for _, g := range list {
			if !slices.Contains(other, g) {
				if err := set(g, join); err != nil {
					errs = append(errs, fmt.Errorf("group %s on %s: %w", g, s.iface, permission(err, netRaw)))
				}
			}
		}
	}
	change(s.joined, groups, false)
	change(groups, s.joined, true)
	s.joined = slices.Clone(groups)
	return errors.Join(errs...)
}

// Room implements Wire. The socket starts with wireBuffer.
func (s *socket) Room(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		receiveBuffer(s.fd, max(bytes, wireBuffer))
	}
}

// refused returns an error that names the option that the kernel refused.
func refused(option string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("set %s: %w", option, err)
}

type intOption struct {
	name  string
	level int
	opt   int
	value int
}

func setInts(fd int, options []intOption) error {
	for _, o := range options {
		if err := refused(o.name, unix.SetsockoptInt(fd, o.level, o.opt, o.value)); err != nil {
			return err
		}
	}
	return nil
}

// send makes one system call that sends, and never waits: a full queue is an error (EAGAIN, ENOBUFS).
func (s *socket) send(w Wire, src, dst netip.Addr, ttl uint8, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := io.ErrClosedPipe
	if !s.closed {
		if err = w.Arm(&s.out, src, dst, ttl, payload); err != nil {
			return err
		}
		s.out.send()
		err = s.out.sent()
	}
	if err != nil {
		return fmt.Errorf("send to %s on %s: %w", dst, s.iface, permission(err, netRaw))
	}
	return nil
}

// number reads an int in kernel format at an offset; -1 if there is none.
func number(b []byte, at int) int {
	if len(b) < at+4 {
		return -1
	}
	return int(int32(binary.NativeEndian.Uint32(b[at:])))
}

// wire4 writes its own IP header, as keepalived does: a source that the host does not have is allowed (mcast_src_ip),
// DF is clear and the identification counts from 1 for each virtual router. The kernel fills in length and checksum.
type wire4 struct {
	*socket
	protocol int
	ids      [256]atomic.Uint32 // packets sent, by VRID
}

func options4() []intOption {
	return []intOption{
		{"IP_HDRINCL", unix.IPPROTO_IP, unix.IP_HDRINCL, 1},
		{"IP_PKTINFO", unix.IPPROTO_IP, unix.IP_PKTINFO, 1},
		{"IP_MULTICAST_ALL", unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0},
		{"IP_MULTICAST_LOOP", unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0},
		{"IP_TOS", unix.IPPROTO_IP, unix.IP_TOS, tosControl},
	}
}

func (l *Linux) openWire4(iface string, index, protocol int, bell Bell) (Wire, error) {
	s, err := l.listen(unix.AF_INET, protocol, iface, index, bell, func(fd int) error {
		return setInts(fd, options4())
	})
	if err != nil {
		return nil, err
	}
	return &wire4{socket: s, protocol: protocol}, nil
}

// Send implements Wire.
func (w *wire4) Send(src, dst netip.Addr, ttl uint8, payload []byte) error {
	return w.send(w, src, dst, ttl, payload)
}

// Arm implements Wire.
func (w *wire4) Arm(d *Datagram, src, dst netip.Addr, ttl uint8, payload []byte) error {
	if !dst.Is4() || src.IsValid() && !src.Is4() {
		return fmt.Errorf("send from %s to %s on %s: not IPv4 addresses", src, dst, w.iface)
	}
	if !src.IsValid() {
		src = netip.IPv4Unspecified() // the kernel chooses
	}
	ids := &w.ids[vridOf(payload)]
	id := uint16(ids.Load()%math.MaxUint16 + 1) // never 0, which the kernel replaces
	if w.protocol == protocolAH {
		id = signedID(payload)
	}
	d.packet = append(appendHeader4(d.packet[:0], src, dst, ttl, w.protocol, id), payload...)
	d.control, d.ids = nil, ids
	d.address4(w.fd, dst)
	return nil
}

// appendHeader4 appends an IPv4 header without options; the kernel fills in length and checksum.
func appendHeader4(b []byte, src, dst netip.Addr, ttl uint8, protocol int, id uint16) []byte {
	var h [ipv4.HeaderLen]byte
	h[0] = ipv4.Version<<4 | ipv4.HeaderLen/4
	h[1] = tosControl
	binary.BigEndian.PutUint16(h[4:], id)
	h[8] = ttl
	h[9] = byte(protocol)
	from, to := src.As4(), dst.As4()
	copy(h[12:], from[:])
	copy(h[16:], to[:])
	return append(b, h[:]...)
}

// Join implements Wire.
func (w *wire4) Join(groups []netip.Addr) error {
	return w.join(groups, func(group netip.Addr, join bool) error {
		option, name := unix.IP_DROP_MEMBERSHIP, "IP_DROP_MEMBERSHIP"
		if join {
			option, name = unix.IP_ADD_MEMBERSHIP, "IP_ADD_MEMBERSHIP"
		}
		return refused(name, unix.SetsockoptIPMreqn(w.fd, unix.IPPROTO_IP, option, &unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(w.index)}))
	})
}

// Receive implements Wire.
func (w *wire4) Receive(most int, take func(Packet)) (more bool, err error) {
	return w.receive(most, func(m *message) {
		b := m.packet
		if m.number(unix.IPPROTO_IP, unix.IP_PKTINFO, 0) != w.index || len(b) < ipv4.HeaderLen {
			return // arrived before the socket was bound to its interface
		}
		header := min(int(b[0]&0xf)*4, len(b))
		take(Packet{
			Interface: w.iface, Src: netip.AddrFrom4([4]byte(b[12:])), Dst: netip.AddrFrom4([4]byte(b[16:])), TTL: int(b[8]),
			AH: w.protocol == protocolAH, ID: binary.BigEndian.Uint16(b[4:]), Payload: b[header:],
		})
	})
}

// wire6 leaves the header to the kernel.
type wire6 struct{ *socket }

func options6() []intOption {
	return []intOption{
		{"IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
		{"IPV6_RECVHOPLIMIT", unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
		{"IPV6_MULTICAST_ALL", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0},
		{"IPV6_MULTICAST_LOOP", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0},
		{"IPV6_MULTICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, maxTTL},
		{"IPV6_TCLASS", unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tosControl},
	}
}

func (l *Linux) openWire6(iface string, index int, bell Bell, options []intOption) (Wire, error) {
	s, err := l.listen(unix.AF_INET6, protocolVRRP, iface, index, bell, func(fd int) error {
		return setInts(fd, options)
	})
	if err != nil {
		return nil, err
	}
	return &wire6{s}, nil
}

// Send implements Wire.
func (w *wire6) Send(src, dst netip.Addr, ttl uint8, payload []byte) error {
	return w.send(w, src, dst, ttl, payload)
}

// Arm implements Wire.
func (w *wire6) Arm(d *Datagram, src, dst netip.Addr, ttl uint8, payload []byte) error {
	if !dst.Is6() || src.IsValid() && !src.Is6() {
		return fmt.Errorf("send from %s to %s on %s: not IPv6 addresses", src, dst, w.iface)
	}
	info := unix.Inet6Pktinfo{Ifindex: uint32(w.index)} // without an address the kernel chooses
	if src.IsValid() {
		info.Addr = src.As16()
	}
	d.packet = append(d.packet[:0], payload...)
	control := unix.PktInfo6(&info)
	if ttl > 0 && !dst.IsMulticast() {
		control = append(control, (&ipv6.ControlMessage{HopLimit: int(ttl)}).Marshal()...)
	}
	if !bytes.Equal(d.control, control) {
		d.control = control
	}
	d.ids = nil
	d.address6(w.fd, dst, uint32(w.index))
	return nil
}

// Join implements Wire.
func (w *wire6) Join(groups []netip.Addr) error {
	return w.join(groups, func(group netip.Addr, join bool) error {
		option, name := unix.IPV6_LEAVE_GROUP, "IPV6_LEAVE_GROUP"
		if join {
			option, name = unix.IPV6_JOIN_GROUP, "IPV6_JOIN_GROUP"
		}
		return refused(name, unix.SetsockoptIPv6Mreq(w.fd, unix.IPPROTO_IPV6, option, &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(w.index)}))
	})
}

// Receive implements Wire.
func (w *wire6) Receive(most int, take func(Packet)) (more bool, err error) {
	return w.receive(most, func(m *message) {
		info := m.find(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO)
		if number(info, 16) != w.index {
			return // arrived before the socket was bound to its interface
		}
		take(Packet{
			Interface: w.iface, Src: netip.AddrFrom16(m.from.Addr), Dst: netip.AddrFrom16([16]byte(info)),
			TTL: m.number(unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, 0), Payload: m.packet,
		})
	})
}
