package kernel

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"net"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"keepc/compiler/state"
)

// addresses lists all addresses of all interfaces. It needs no capability.
//
// What the kernel derives by itself is read as "not set", so that it never differs from a wish: a label equal to the
// interface's name, and the scope of an IPv6 address. The key of an address with a peer has the full prefix length;
// the network's prefix length is that of the peer. An address with one of the keys is identified by its interface's
// index: if the interface is renamed, it keeps its key and is marked astray.
func (l *Linux) addresses(_ state.State, keys iter.Seq[state.AddressKey]) (map[state.AddressKey]state.Address, error) {
	links, err := dump(l.routes.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	names := map[int]string{}
	for _, k := range links {
		names[k.Attrs().Index] = k.Attrs().Name
	}
	addrs, err := dump(func() ([]netlink.Addr, error) { return l.routes.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	all := make(map[state.AddressKey]state.Address, len(addrs))
	at := make(map[place]netlink.Addr, len(addrs))
	for _, a := range addrs {
		name, ok := names[a.LinkIndex]
		if !ok {
			continue // its interface appeared after the first list
		}
		at[place{a.LinkIndex, prefix(a.IPNet)}] = a
		all[state.AddressKey{Dev: name, Prefix: prefix(a.IPNet)}] = address(a, name)
	}
	if keys != nil {
		l.places.follow(keys, names, at, all)
	}
	return all, nil
}

// A place is where an address is, whatever its interface is called now.
type place struct {
	index  int
	prefix netip.Prefix
}

// places are the indexes of the interfaces that addresses were put on, by their names at that time.
type places struct {
	mu sync.Mutex
	of map[state.AddressKey]int
}

// follow records where the addresses of some keys are, and adds to the list those whose interface has a different name
// now. It forgets addresses whose interface no longer exists.
func (p *places) follow(keys iter.Seq[state.AddressKey], names map[int]string, at map[place]netlink.Addr, all map[state.AddressKey]state.Address) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.of
	p.of = map[state.AddressKey]int{}
	index := make(map[string]int, len(names))
	for i, name := range names {
		index[name] = i
	}
	for k := range keys {
		if i, known := was[k]; known && names[i] != k.Dev {
			if a, there := at[place{i, k.Prefix}]; there {
				p.of[k] = i
				astray := address(a, k.Dev)
				astray.Astray = names[i]
				all[k] = astray
				continue
			}
		}
		if _, there := all[k]; there {
			p.of[k] = index[k.Dev]
		}
	}
}

// put records where an address was put.
func (p *places) put(k state.AddressKey, index int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[state.AddressKey]int{}
	}
	p.of[k] = index
}

// take forgets where an address was put, and returns it; false: unknown.
func (p *places) take(k state.AddressKey) (index int, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	index, known = p.of[k]
	delete(p.of, k)
	return index, known
}

func address(a netlink.Addr, dev string) state.Address {
	out := state.Address{Label: a.Label, Scope: uint8(a.Scope), NoDAD: a.Flags&unix.IFA_F_NODAD != 0, Flags: state.AddressFlags(a.Flags) & state.KnownFlags}
	if a.Label == dev {
		out.Label = ""
	}
	if a.IP.To4() == nil {
		out.Scope = 0
	}
	if b, ok := netip.AddrFromSlice(a.Broadcast); ok {
		out.Broadcast = b
	}
	if a.Peer != nil {
		out.Peer = prefix(a.Peer)
	}
	return out
}

// setAddress adds the address as keepalived does: without a broadcast address unless requested, and for IPv6 without
// duplicate address detection, so that it serves at once. An existing address with different settings is replaced.
func (l *Linux) setAddress(k state.AddressKey, a state.Address) error {
	err := l.addAddress(k, a)
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	have, err := l.addresses(state.State{}, nil)
	if err != nil {
		return err
	}
	if same(have[k], a) {
		if link, err := l.link(k.Dev); err == nil {
			l.places.put(k, link.Index)
		}
		return nil
	}
	if err := l.deleteAddress(k); err != nil {
		return err
	}
	return l.addAddress(k, a)
}

func (l *Linux) addAddress(k state.AddressKey, a state.Address) error {
	link, err := l.link(k.Dev)
	if err != nil {
		return fmt.Errorf("add %s: %w", k, err)
	}
	n := &netlink.Addr{
		IPNet: ipNet(k.Prefix),
		Label: a.Label,
		Scope: int(a.Scope),
		// The library makes up a broadcast address if this is nil.
		Broadcast: net.IPv4zero,
	}
	if a.Broadcast.IsValid() {
		n.Broadcast = a.Broadcast.AsSlice()
	}
	if a.Peer.IsValid() {
		n.Peer = ipNet(a.Peer)
	}
	n.Flags = int(a.Flags)
	if k.Prefix.Addr().Is6() {
		n.Flags |= unix.IFA_F_NODAD
		if a.Lifetime.Limited {
			forever := uint32(math.MaxUint32)
			n.ValidLft, n.PreferedLft = int(forever), int(a.Lifetime.Seconds)
		}
	}
	if err := l.routes.AddrAdd(&netlink.Device{LinkAttrs: *link}, n); err != nil {
		return fmt.Errorf("add %s: %w", k, permission(err, netAdmin))
	}
	l.places.put(k, link.Index)
	return nil
}

// deleteAddress deletes only this address: without promote_secondaries the kernel deletes the secondary addresses of
// the subnet, which may belong to others, along with their primary one.
func (l *Linux) deleteAddress(k state.AddressKey) error {
	link, err := l.link(k.Dev)
	if index, known := l.places.take(k); known && (err != nil || link.Index != index) { // the interface was renamed, or is gone
		link, err = &netlink.LinkAttrs{Name: k.Dev, Index: index}, nil
	}
	if errors.Is(err, ErrNoInterface) {
		return nil // addresses go with their interface
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", k, err)
	}
	dev := &netlink.Device{LinkAttrs: *link}
	defer promote(k.Prefix, link.Name)()
	err = l.routes.AddrDel(dev, &netlink.Addr{IPNet: ipNet(k.Prefix)})
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		err = l.deletePeered(dev, k)
	}
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", k, permission(err, netAdmin))
	}
	return nil
}

// promote makes the kernel keep the secondary addresses of an interface when the primary one of their subnet is
// deleted, until end is called. If that cannot be set, they are deleted with it.
func promote(p netip.Prefix, dev string) (end func()) {
	file := "net/ipv4/conf/" + dev + "/promote_secondaries"
	if p.Addr().Is6() || p.IsSingleIP() {
		return func() {}
	}
	if value, err := readSetting(file); err != nil || value != "0" || writeSetting(file, "1") != nil {
		return func() {}
	}
	return func() { _ = writeSetting(file, "0") } // it was writable before
}

// deletePeered deletes an address with a peer, which the kernel does not find by the local address alone.
func (l *Linux) deletePeered(dev netlink.Link, k state.AddressKey) error {
	addrs, err := dump(func() ([]netlink.Addr, error) { return l.routes.AddrList(dev, netlink.FAMILY_ALL) })
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addrs {
		if a.Peer != nil && prefix(a.IPNet) == k.Prefix {
			return l.routes.AddrDel(dev, &a)
		}
	}
	return nil
}

func prefix(n *net.IPNet) netip.Prefix {
	addr, _ := netip.AddrFromSlice(n.IP)
	ones, bits := n.Mask.Size()
	if bits == 32 {
		addr = addr.Unmap()
	}
	return netip.PrefixFrom(addr, ones)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
