package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Announce implements Neighbours. An interface without Ethernet neighbours (loopback, NOARP, tunnels) has nobody to tell: no
// error.
func (l *Linux) Announce(iface string, addr netip.Addr) error {
	link, err := l.link(iface)
	if err != nil {
		return fmt.Errorf("announce %s: %w", addr, err)
	}
	if len(link.HardwareAddr) != 6 || link.RawFlags&(unix.IFF_LOOPBACK|unix.IFF_NOARP) != 0 {
		return nil
	}
	addr = addr.Unmap()
	frame, kind := gratuitousARP(hwAddr(link), addr), uint16(etherARP)
	if addr.Is6() {
		frame, kind = unsolicitedNA(hwAddr(link), addr, forwards(iface)), etherIPv6
	}
	if err := l.neighbours.send(link.Index, kind, frame); err != nil {
		return fmt.Errorf("announce %s on %s: %w", addr, iface, permission(err, netRaw))
	}
	return nil
}

// forwards tells whether the host routes IPv6 packets that come in on the interface.
func forwards(iface string) bool {
	b, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + iface + "/forwarding")
	return err == nil && bytes.HasPrefix(b, []byte("1"))
}

// A neighbourSocket sends frames on any interface and receives none: its protocol is 0. It opens when it is first used.
type neighbourSocket struct {
	mu   sync.Mutex
	open bool
	fd   int
}

func (s *neighbourSocket) send(index int, kind uint16, frame []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		s.fd, s.open = fd, true
	}
	return unix.Sendto(s.fd, frame, 0, &unix.SockaddrLinklayer{Protocol: networkOrder(kind), Ifindex: index, Halen: 6})
}

func networkOrder(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

func (s *neighbourSocket) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return nil
	}
	s.open = false
	return unix.Close(s.fd)
}
