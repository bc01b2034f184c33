package kernel

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const (
	protocolVRRP = 112
	maxTTL       = 255  // of an advertisement, IPv4 and IPv6 (RFC 9568 section 5.1.1.3)
	tosControl   = 0xC0 // DSCP CS6, internetwork control: what keepalived sends
	priority     = 6    // TC_PRIO_INTERACTIVE: the first band of the queueing discipline, as far as one gets without CAP_NET_ADMIN
	wireBuffer   = 1 << 20
	maxPacket    = 1 << 16
)

// OpenWire implements Wires. An invalid group stands for VRRP's own: 224.0.0.18 or ff02::12.
//
// The wire belongs to the interface's index: it survives link down and up, but an interface that was deleted and made anew
// needs a new wire. Who opened it closes it and opens another one when WatchLinks tells another Index.
func (l *Linux) OpenWire(iface string, ipv6 bool, group netip.Addr) (Wire, error) {
	link, err := l.link(iface)
	if err != nil {
		return nil, fmt.Errorf("open the VRRP wire of %s: %w", iface, err)
	}
	if !group.IsValid() {
		group = vrrpGroup(ipv6)
	}
	if group.Is6() != ipv6 {
		return nil, fmt.Errorf("open the VRRP wire of %s: group %s is of the other family", iface, group)
	}
	open := openWire4
	if ipv6 {
		open = openWire6
	}
	w, err := open(iface, link.Index, group)
	if err != nil {
		return nil, fmt.Errorf("open the VRRP wire of %s: %w", iface, permission(err, netRaw))
	}
	return w, nil
}

// A socket is what the wires of both families share.
type socket struct {
	net.PacketConn
	raw   syscall.RawConn
	iface string
	index int
	buf   []byte // of the one Receive at a time
}

// listen opens a raw socket for VRRP that is bound to an interface. The options are set before the runtime sees the socket.
func listen(network, any, iface string, index int, options func(fd int) error) (socket, error) {
	var failed error
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		err := c.Control(func(fd uintptr) {
			receiveBuffer(int(fd), wireBuffer)
			failed = cmp.Or(
				refused("SO_BINDTODEVICE", unix.BindToDevice(int(fd), iface)),
				refused("SO_PRIORITY", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PRIORITY, priority)),
				options(int(fd)),
			)
		})
		return cmp.Or(err, failed)
	}}
	c, err := config.ListenPacket(context.Background(), network, any)
	if err != nil {
		return socket{}, err
	}
	raw, err := c.(*net.IPConn).SyscallConn()
	if err != nil {
		c.Close()
		return socket{}, err
	}
	return socket{PacketConn: c, raw: raw, iface: iface, index: index, buf: make([]byte, maxPacket)}, nil
}

// refused names the option that the kernel refused.
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

// now does one system call that sends, and never waits: a full queue is an error (EAGAIN, ENOBUFS).
func (s *socket) now(dst netip.Addr, send func(fd int) error) error {
	var sent error
	err := s.raw.Write(func(fd uintptr) bool {
		sent = send(int(fd))
		return true
	})
	if err = cmp.Or(err, sent); err != nil {
		return fmt.Errorf("send to %s on %s: %w", dst, s.iface, permission(err, netRaw))
	}
	return nil
}

// ended turns the error of a read into that of Receive.
func (s *socket) ended(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return io.EOF
	}
	return fmt.Errorf("receive on %s: %w", s.iface, err)
}

// wire4 writes its own IP header, as keepalived does: a source that the host does not have is allowed (mcast_src_ip), DF is
// clear and the identification counts from 1. The kernel fills in length and checksum.
type wire4 struct {
	socket
	packets *ipv4.RawConn
	id      atomic.Uint32
}

func openWire4(iface string, index int, group netip.Addr) (Wire, error) {
	s, err := listen("ip4:112", "0.0.0.0", iface, index, func(fd int) error {
		return cmp.Or(
			setInts(fd, []intOption{
				{"IP_MULTICAST_ALL", unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0},
				{"IP_MULTICAST_LOOP", unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0},
				{"IP_TOS", unix.IPPROTO_IP, unix.IP_TOS, tosControl},
			}),
			refused("IP_ADD_MEMBERSHIP", unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
				&unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(index)})),
		)
	})
	if err != nil {
		return nil, err
	}
	packets, err := ipv4.NewRawConn(s.PacketConn) // sets IP_HDRINCL
	if err == nil {
		err = packets.SetControlMessage(ipv4.FlagInterface, true)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return &wire4{socket: s, packets: packets}, nil
}

func (w *wire4) Send(src, dst netip.Addr, payload []byte) error {
	if !dst.Is4() || src.IsValid() && !src.Is4() {
		return fmt.Errorf("send from %s to %s on %s: not IPv4 addresses", src, dst, w.iface)
	}
	if !src.IsValid() {
		src = netip.IPv4Unspecified() // the kernel chooses
	}
	packet := header4(src, dst, uint16(w.id.Add(1)))
	packet = append(packet, payload...)
	return w.now(dst, func(fd int) error {
		return unix.Sendto(fd, packet, unix.MSG_DONTWAIT, &unix.SockaddrInet4{Addr: dst.As4()})
	})
}

// header4 is an IPv4 header without options; length and checksum are the kernel's to fill in.
func header4(src, dst netip.Addr, id uint16) []byte {
	h := make([]byte, ipv4.HeaderLen, ipv4.HeaderLen+64)
	h[0] = ipv4.Version<<4 | ipv4.HeaderLen/4
	h[1] = tosControl
	binary.BigEndian.PutUint16(h[4:], id)
	h[8] = maxTTL
	h[9] = protocolVRRP
	copy(h[12:], src.AsSlice())
	copy(h[16:], dst.AsSlice())
	return h
}

func (w *wire4) Receive() (Packet, error) {
	for {
		h, payload, control, err := w.packets.ReadFrom(w.buf)
		if err != nil {
			return Packet{}, w.ended(err)
		}
		src, _ := netip.AddrFromSlice(h.Src)
		dst, _ := netip.AddrFromSlice(h.Dst)
		if control == nil || control.IfIndex != w.index {
			continue // came in before the socket was bound to its interface
		}
		return Packet{Interface: w.iface, Src: src.Unmap(), Dst: dst.Unmap(), TTL: h.TTL, Payload: append([]byte(nil), payload...)}, nil
	}
}

// wire6 leaves the header to the kernel.
type wire6 struct {
	socket
	packets *ipv6.PacketConn
}

func openWire6(iface string, index int, group netip.Addr) (Wire, error) {
	s, err := listen("ip6:112", "::", iface, index, func(fd int) error {
		return cmp.Or(
			setInts(fd, []intOption{
				{"IPV6_MULTICAST_ALL", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0},
				{"IPV6_MULTICAST_LOOP", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0},
				{"IPV6_MULTICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, maxTTL},
				{"IPV6_UNICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, maxTTL},
				{"IPV6_TCLASS", unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tosControl},
			}),
			refused("IPV6_JOIN_GROUP", unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP,
				&unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(index)})),
		)
	})
	if err != nil {
		return nil, err
	}
	packets := ipv6.NewPacketConn(s.PacketConn)
	if err := packets.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst|ipv6.FlagInterface, true); err != nil {
		s.Close()
		return nil, err
	}
	return &wire6{socket: s, packets: packets}, nil
}

func (w *wire6) Send(src, dst netip.Addr, payload []byte) error {
	if !dst.Is6() || src.IsValid() && !src.Is6() {
		return fmt.Errorf("send from %s to %s on %s: not IPv6 addresses", src, dst, w.iface)
	}
	control := ipv6.ControlMessage{Src: src.AsSlice(), IfIndex: w.index} // without Src the kernel chooses
	oob := control.Marshal()
	return w.now(dst, func(fd int) error {
		return unix.Sendmsg(fd, payload, oob, &unix.SockaddrInet6{Addr: dst.As16(), ZoneId: uint32(w.index)}, unix.MSG_DONTWAIT)
	})
}

func (w *wire6) Receive() (Packet, error) {
	for {
		n, control, from, err := w.packets.ReadFrom(w.buf)
		if err != nil {
			return Packet{}, w.ended(err)
		}
		peer, ok := from.(*net.IPAddr)
		if control == nil || control.IfIndex != w.index || !ok {
			continue // came in before the socket was bound to its interface
		}
		src, _ := netip.AddrFromSlice(peer.IP)
		dst, _ := netip.AddrFromSlice(control.Dst)
		return Packet{Interface: w.iface, Src: src, Dst: dst, TTL: control.HopLimit, Payload: append([]byte(nil), w.buf[:n]...)}, nil
	}
}
