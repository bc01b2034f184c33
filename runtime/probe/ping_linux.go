package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
)

// echoSize is how many bytes an echo request carries, as keepalived's: firewalls may judge by size.
const echoSize = 128

// ping sends an ICMP echo request, as keepalived's PING_CHECK does.
func ping(ctx context.Context, a Ask) error {
	c := a.Check.Connection
	conn, raw, err := echoes(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Reading ends with ctx, at its deadline or earlier.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	asked := &icmp.Echo{ID: int(uint16(rand.Uint32())), Seq: 1, Data: make([]byte, echoSize)}
	copy(asked.Data, fmt.Sprintf("keepc %016x", rand.Uint64()))
	question := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: asked}
	protocol := unix.IPPROTO_ICMP
	if c.Target.Addr().Is6() {
		question.Type, protocol = ipv6.ICMPTypeEchoRequest, unix.IPPROTO_ICMPV6
	}
	packet, err := question.Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := conn.Write(packet); err != nil {
		return err
	}
	a.step("asked %v for an echo", c.Target.Addr())
	for b := make([]byte, 1500); ; {
		n, err := conn.Read(b)
		if err != nil {
			return err
		}
		answer := b[:n]
		if raw && protocol == unix.IPPROTO_ICMP && n > 0 { // it comes with its IP header
			answer = answer[min(n, int(b[0]&0xf)*4):]
		}
		m, err := icmp.ParseMessage(protocol, answer)
		if err != nil || m.Type != ipv4.ICMPTypeEchoReply && m.Type != ipv6.ICMPTypeEchoReply {
			continue
		}
		echo, ok := m.Body.(*icmp.Echo)
		if !ok || raw && echo.ID != asked.ID { // for a socket that is not raw, the kernel chooses the identifier and compares it
			continue
		}
		if echo.Seq == asked.Seq && bytes.Equal(echo.Data, asked.Data) {
			a.step("received the echo")
			return nil
		}
	}
}

// echoes opens a socket for ICMP echo with a server: an unprivileged one if net.ipv4.ping_group_range allows it,
// otherwise a raw one.
func echoes(c ir.Connection) (conn net.Conn, raw bool, err error) {
	family, protocol, network := unix.AF_INET, unix.IPPROTO_ICMP, "udp4"
	if c.Target.Addr().Is6() {
		family, protocol, network = unix.AF_INET6, unix.IPPROTO_ICMPV6, "udp6"
	}
	const flags = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|flags, protocol)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		raw = true
		fd, err = unix.Socket(family, unix.SOCK_RAW|flags, protocol)
	}
	if err != nil {
		return nil, raw, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "echoes")
	defer f.Close() // FileConn has its own
	if err := set(fd, network, c); err != nil {
		return nil, raw, err
	}
	if c.BindTo.IsValid() {
		if err := unix.Bind(fd, socketAddress(c.BindTo.Addr())); err != nil {
			return nil, raw, os.NewSyscallError("bind", err)
		}
	}
	if err := unix.Connect(fd, socketAddress(c.Target.Addr())); err != nil {
		return nil, raw, os.NewSyscallError("connect", err)
	}
	conn, err = net.FileConn(f)
	return conn, raw, err
}

// socketAddress returns an address in the kernel's form, without a port.
func socketAddress(a netip.Addr) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	to := &unix.SockaddrInet6{Addr: a.As16()}
	if link, err := net.InterfaceByName(a.Zone()); err == nil {
		to.ZoneId = uint32(link.Index)
	}
	return to
}
