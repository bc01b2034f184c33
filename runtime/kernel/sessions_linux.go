package kernel

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	// portBuffer has room for some thousand control packets, including the kernel's overhead for each.
	portBuffer = 1 << 20
	// portTries is how many ports are tried for a Caller: few of them are in use.
	portTries = 64
)

// A udpPort is a Port of Linux. The loop that polls it also closes it.
type udpPort struct {
	fd     int
	ipv6   bool
	closed bool
	buf    []byte
	oob    []byte
}

// OpenPort implements Sessions.
func (l *Linux) OpenPort(number uint16, ipv6 bool, bell Bell) (Port, error) {
	fd, err := udp(ipv6)
	if err != nil {
		return nil, fmt.Errorf("listen on UDP port %d: %w", number, err)
	}
	options, any := []intOption{
		{"SO_REUSEADDR", unix.SOL_SOCKET, unix.SO_REUSEADDR, 1},
		{"IP_PKTINFO", unix.IPPROTO_IP, unix.IP_PKTINFO, 1},
		{"IP_RECVTTL", unix.IPPROTO_IP, unix.IP_RECVTTL, 1},
	}, netip.IPv4Unspecified()
	if ipv6 {
		options, any = []intOption{
			{"SO_REUSEADDR", unix.SOL_SOCKET, unix.SO_REUSEADDR, 1},
			{"IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
			{"IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
			{"IPV6_RECVHOPLIMIT", unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
		}, netip.IPv6Unspecified()
	}
	receiveBuffer(fd, portBuffer)
	if err = setInts(fd, options); err == nil {
		err = unix.Bind(fd, endpoint(any, number))
	}
	if err == nil && bell != nil {
		err = bell.Watch(fd)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("listen on UDP port %d: %w", number, err)
	}
	return &udpPort{fd: fd, ipv6: ipv6, buf: make([]byte, 2048), oob: make([]byte, 256)}, nil
}

func udp(ipv6 bool) (int, error) {
	family := unix.AF_INET
	if ipv6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_UDP)
	if err != nil {
		return -1, fmt.Errorf("open a UDP socket: %w", err)
	}
	return fd, nil
}

func endpoint(a netip.Addr, port uint16) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Port: int(port), Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Port: int(port), Addr: a.As16()}
}

// Poll implements Port.
func (p *udpPort) Poll() (Packet, bool, error) {
	if p.closed {
		return Packet{}, false, io.EOF
	}
	n, oobn, _, from, err := unix.Recvmsg(p.fd, p.buf, p.oob, unix.MSG_DONTWAIT)
	switch err {
	case nil:
	case unix.EAGAIN, unix.EINTR:
		return Packet{}, false, nil
	default:
		return Packet{}, false, fmt.Errorf("receive: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(p.oob[:oobn])
	if err != nil {
		return Packet{}, false, fmt.Errorf("receive: %w", err)
	}
	packet := Packet{TTL: -1, Payload: append([]byte(nil), p.buf[:n]...)}
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		packet.Src = netip.AddrFrom4(from.Addr)
	case *unix.SockaddrInet6:
		packet.Src = netip.AddrFrom16(from.Addr)
	}
	for _, m := range messages {
		switch d := m.Data; {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TTL, m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_HOPLIMIT:
			packet.TTL = number(d, 0)
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(d) >= unix.SizeofInet4Pktinfo:
			packet.Dst = netip.AddrFrom4([4]byte(d[8:]))
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(d) >= unix.SizeofInet6Pktinfo:
			packet.Dst = netip.AddrFrom16([16]byte(d))
		}
	}
	return packet, true, nil
}

// Close implements Port.
func (p *udpPort) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	return unix.Close(p.fd)
}

// A caller is a Caller of Linux. It is not connected: a neighbour that does not listen yet would make every other Send
// fail.
type caller struct {
	fd int
	to unix.Sockaddr
}

// OpenCaller implements Sessions.
func (l *Linux) OpenCaller(c Call) (Caller, error) {
	ipv6 := c.Dst.Is6()
	fd, err := udp(ipv6)
	if err != nil {
		return nil, fmt.Errorf("call %v: %w", c.Dst, err)
	}
	options := []intOption{
		{"IP_TTL", unix.IPPROTO_IP, unix.IP_TTL, int(c.TTL)},
		{"IP_TOS", unix.IPPROTO_IP, unix.IP_TOS, tosControl},
	}
	if ipv6 {
		options = []intOption{
			{"IPV6_UNICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, int(c.TTL)},
			{"IPV6_TCLASS", unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tosControl},
		}
	}
	// Setting the TOS sets the priority, so this comes last. Nothing reads what is sent back to this port.
	options = append(options, intOption{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, priority}, intOption{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, 1})
	if err = setInts(fd, options); err == nil {
		err = bindOne(fd, c)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("call %v: %w", c.Dst, err)
	}
	return &caller{fd: fd, to: endpoint(c.Dst, c.DstPort)}, nil
}

// bindOne binds to one of the ports of a call.
func bindOne(fd int, c Call) (err error) {
	src := c.Src
	if !src.IsValid() {
		if src = netip.IPv4Unspecified(); c.Dst.Is6() {
			src = netip.IPv6Unspecified()
		}
	}
	for range portTries {
		port := c.First + uint16(rand.N(int(c.Last-c.First)+1))
		if err = unix.Bind(fd, endpoint(src, port)); !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("send from %v: %w", src, err)
	}
	return nil
}

// Send implements Caller.
func (c *caller) Send(payload []byte) error {
	if err := unix.Sendto(c.fd, payload, unix.MSG_DONTWAIT, c.to); err != nil {
		return fmt.Errorf("send a packet: %w", err)
	}
	return nil
}

// Close implements Caller.
func (c *caller) Close() error { return unix.Close(c.fd) }
