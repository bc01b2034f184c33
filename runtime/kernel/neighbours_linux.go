package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Announce implements Neighbours. For an interface without Ethernet neighbours (loopback, NOARP, tunnels) it does
// nothing and returns no error.
//
// While links are watched, which keeps what an announcement needs to know about them, an announcement is one system
// call: a director that takes over hundreds of addresses asks the kernel nothing.
func (l *Linux) Announce(iface string, addr netip.Addr) error {
	link, fresh, err := l.neighbour(iface, false)
	if err == nil {
		err = l.announce(link, addr.Unmap())
	}
	if !fresh && (errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO)) { // recreated, and not yet seen by the watch
		if link, _, err = l.neighbour(iface, true); err == nil {
			err = l.announce(link, addr.Unmap())
		}
	}
	if err != nil {
		return fmt.Errorf("announce %s on %s: %w", addr, iface, permission(err, netRaw))
	}
	return nil
}

func (l *Linux) announce(link neighbourLink, addr netip.Addr) error {
	if link.hw == [6]byte{} || link.silent {
		return nil
	}
	if addr.Is6() {
		return l.neighbours.send(link.index, etherIPv6, unsolicitedNA(link.hw, addr, link.forwards()))
	}
	return l.neighbours.send(link.index, etherARP, gratuitousARP(link.hw, addr))
}

// A neighbourLink is what an announcement needs to know about its interface.
type neighbourLink struct {
	index    int
	hw       [6]byte
	silent   bool        // it has no neighbours
	forwards func() bool // reports whether the host forwards IPv6 packets from it; asked once, on first use
}

func newNeighbourLink(l Link) neighbourLink {
	return neighbourLink{
		index: l.Index, hw: l.HWAddr, silent: l.Loopback || l.NoARP,
		forwards: sync.OnceValue(func() bool {
			b, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + l.Name + "/forwarding")
			return err == nil && bytes.HasPrefix(b, []byte("1"))
		}),
	}
}

// neighbour returns what is known of an interface, asking the kernel if necessary.
func (l *Linux) neighbour(iface string, ask bool) (link neighbourLink, fresh bool, err error) {
	if !ask {
		if link, known := l.neighbours.link(iface); known {
			return link, false, nil
		}
	}
	attrs, err := l.link(iface)
	if err != nil {
		return link, false, err
	}
	return newNeighbourLink(newLink(attrs)), true, nil
}

// neighbours is a socket that sends frames on any interface and receives none, since its protocol is 0; and what the
// watch of links last saw. The socket opens on first use and stays open.
type neighbours struct {
	mu    sync.Mutex
	open  bool
	fd    int
	links map[string]neighbourLink // nil: links are not watched
}

// learn keeps what the watch saw. A change of the host's forwarding causes such a look, too.
func (s *neighbours) learn(all []Link) {
	links := make(map[string]neighbourLink, len(all))
	for _, l := range all {
		links[l.Name] = newNeighbourLink(l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = links
}

func (s *neighbours) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = nil
}

func (s *neighbours) link(iface string) (neighbourLink, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, known := s.links[iface]
	return l, known
}

func (s *neighbours) send(index int, kind uint16, frame []byte) error {
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

func (s *neighbours) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return nil
	}
	s.open = false
	return unix.Close(s.fd)
}
