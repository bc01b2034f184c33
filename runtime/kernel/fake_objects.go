package kernel

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// Read implements Kernel. The fake knows only routes that were added, and none of those that Linux makes by itself.
func (f *Fake) Read(s Scope) (state.State, Unread) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return read(s, func(kind state.AnyKind, have *state.State) error {
		if err := f.lacks(kind); err != nil {
			return err
		}
		if err := f.fault("list " + kind.About().Name); err != nil {
			return err
		}
		switch kind {
		case state.AddressKind:
			have.Addresses = f.addresses()
		case state.SysctlKind:
			have.Sysctls = f.sysctls(keysOf[state.SysctlKey](s, kind))
		case state.RouteKind:
			have.Routes = maps.Clone(f.objects.Routes)
			if keys := keysOf[state.RouteKey](s, kind); keys != nil {
				known := marks(keys)
				maps.DeleteFunc(have.Routes, func(k state.RouteKey, _ state.Route) bool { return !slices.Contains(known, k.Protocol) })
			}
		default:
			kind.Clone(have, f.objects)
		}
		return nil
	})
}

// lacks returns ErrNoIPVS for what needs ip_vs if that is absent.
func (f *Fake) lacks(kind state.AnyKind) error {
	if f.noIPVS && kind.About().Module == "ip_vs" {
		return ErrNoIPVS
	}
	return nil
}

// Apply implements Kernel.
func (f *Fake) Apply(changes []Change) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i, c := range changes {
			if !yield(i, f.apply(c)) {
				return
			}
		}
	}
}

func (f *Fake) apply(c Change) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	kind := state.KindOf(c.Key)
	if kind == nil {
		return fmt.Errorf("%s: the kernel has no such objects", c)
	}
	if err := f.lacks(kind); err != nil {
		return err
	}
	if err := f.fault(c.Verb()); err != nil {
		return err
	}
	if c.Object == nil {
		return f.delete(kind, c.Key)
	}
	if err := f.set(kind, c); err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	return nil
}

// set stores the object as its kind requires; most are simply kept.
func (f *Fake) set(kind state.AnyKind, c Change) error {
	if parent := kind.ParentOf(c.Key); parent != nil {
		if _, ok := state.KindOf(parent).Get(f.objects, parent); !ok {
			return errNoService
		}
	}
	object := c.Object
	if have, ok := kind.Get(f.objects, c.Key); ok {
		_, object, _ = kind.CompareOne(c.Key, have, object) // with defaults filled in
	}
	switch o := object.(type) {
	case state.Address:
		return f.setAddress(c.Key.(state.AddressKey), o)
	case state.Route:
		o.Hops = slices.Clone(o.Hops)
		for i, h := range o.Hops {
			dev, err := f.way(h)
			if err != nil {
				return err
			}
			o.Hops[i].Dev = dev
		}
		object = o
	case state.Service:
		switch {
		case o.Persistence == 0:
			o.Mask = 0
		case o.Mask == 0:
			o.Mask = ir.MaskOf(128, c.Key.(interface{ Is6() bool }).Is6())
		}
		object = o
	case state.Link:
		if err := f.setVirtual(c.Key.(state.LinkKey), o); err != nil {
			return err
		}
	case state.Tunnel:
		if dev := c.Key.(state.TunnelKey).Dev; f.link(dev) == nil {
			f.links = append(f.links, &fakeLink{Link: Link{Name: dev, Index: len(f.links) + 1, Up: true}, wires: map[*fakeWire]struct{}{}})
		}
	}
	kind.Put(f.objects, c.Key, object)
	return nil
}

func (f *Fake) delete(kind state.AnyKind, key state.Key) error {
	if kind.About().Lasting {
		return errLasting
	}
	if k, ok := key.(state.AddressKey); ok {
		f.deleteAddress(k)
		return nil
	}
	if k, ok := key.(state.LinkKey); ok {
		f.remove(k.Dev)
		f.changed()
	}
	if _, there := kind.Get(f.objects, key); there && kind.IsMarked(key) {
		for lost := range f.lost {
			(*lost)()
		}
	}
	kind.Drop(f.objects, key)
	for _, parts := range state.Kinds() { // they are deleted with it
		if parts.ParentKind() == kind {
			for k := range parts.All(f.objects) {
				if parts.ParentOf(k) == key {
					parts.Drop(f.objects, k)
				}
			}
		}
	}
	return nil
}

// setVirtual makes a virtual interface.
func (f *Fake) setVirtual(k state.LinkKey, o state.Link) error {
	base := f.link(o.Base)
	if base == nil {
		return fmt.Errorf("%w: %s", ErrNoInterface, o.Base)
	}
	if have := f.objects.Links[k]; f.link(k.Dev) != nil && (have.Base != o.Base || have.MAC != o.MAC) {
		f.remove(k.Dev)
	}
	if f.link(k.Dev) == nil {
		index := 1
		for _, l := range f.links {
			index = max(index, l.Index+1)
		}
		mac, err := net.ParseMAC(o.MAC)
		if err != nil || len(mac) != 6 {
			return fmt.Errorf("%s is not a MAC address", o.MAC)
		}
		f.links = append(f.links, &fakeLink{
			Link: Link{Name: k.Dev, Index: index, Up: base.Up, MTU: base.MTU, HWAddr: [6]byte(mac)}, wires: map[*fakeWire]struct{}{},
		})
	}
	f.changed()
	return nil
}

// follow makes virtual interfaces follow the state of the one below, and disappear with it.
func (f *Fake) follow(base string) {
	b := f.link(base)
	for k, o := range f.objects.Links {
		switch l := f.link(k.Dev); {
		case o.Base != base:
		case b == nil:
			f.remove(k.Dev)
			delete(f.objects.Links, k)
		case l != nil:
			l.Up = b.Up
		}
	}
}

func (f *Fake) addresses() map[state.AddressKey]state.Address {
	all := map[state.AddressKey]state.Address{}
	for _, l := range f.links {
		for _, a := range l.addrs {
			all[state.AddressKey{Dev: l.Name, Prefix: a.Prefix}] = a.Address
		}
	}
	return all
}

func (f *Fake) setAddress(k state.AddressKey, a state.Address) error {
	l := f.link(k.Dev)
	if l == nil {
		return fmt.Errorf("%w: %s", ErrNoInterface, k.Dev)
	}
	a.Provenance = state.Provenance{}
	if a.Label == k.Dev {
		a.Label = ""
	}
	if k.Prefix.Addr().Is6() {
		a.Label, a.Scope, a.NoDAD = "", 0, true
	}
	if i := l.find(k.Prefix); i >= 0 {
		if same(l.addrs[i].Address, a) {
			return nil
		}
		l.delete(i)
	}
	l.add(k.Prefix, a)
	f.changed()
	return nil
}

func (f *Fake) deleteAddress(k state.AddressKey) {
	l := f.link(k.Dev)
	if l == nil {
		return // addresses go with their interface
	}
	if i := l.find(k.Prefix); i >= 0 {
		l.delete(i)
		f.lose("", k.Prefix.Addr())
		f.changed()
	}
}

func (l *fakeLink) find(p netip.Prefix) int {
	return slices.IndexFunc(l.addrs, func(a fakeAddr) bool { return a.Prefix == p })
}

// add inserts the address where Linux does: IPv4 before IPv6; an IPv4 address of an existing subnet is secondary and
// goes last, a primary one goes after the primary ones of no narrower scope; IPv6 is in the order of decreasing scope,
// newest first.
func (l *fakeLink) add(p netip.Prefix, a state.Address) {
	added := fakeAddr{Prefix: p, Address: a}
	at := slices.IndexFunc(l.addrs, func(have fakeAddr) bool { return have.Addr().Is6() })
	if at < 0 {
		at = len(l.addrs)
	}
	if p.Addr().Is6() {
		for at < len(l.addrs) && scope6(l.addrs[at].Addr()) > scope6(p.Addr()) {
			at++
		}
		l.addrs = slices.Insert(l.addrs, at, added)
		return
	}
	primary := 0
	for i, have := range l.addrs[:at] {
		if !have.secondary && have.Scope >= a.Scope {
			primary = i + 1
		}
		if !have.secondary && have.Masked() == p.Masked() {
			added.secondary = true
		}
	}
	if !added.secondary {
		at = primary
	}
	l.addrs = slices.Insert(l.addrs, at, added)
}

func scope6(a netip.Addr) int {
	switch {
	case a.IsLoopback():
		return 0
	case a.IsLinkLocalUnicast():
		return 1
	}
	return 2
}

// delete promotes the first secondary address of a subnet when the primary one is deleted, and moves it after the
// other primary ones.
func (l *fakeLink) delete(i int) {
	gone := l.addrs[i]
	l.addrs = slices.Delete(l.addrs, i, i+1)
	if gone.Addr().Is6() || gone.secondary {
		return
	}
	next := slices.IndexFunc(l.addrs, func(a fakeAddr) bool { return a.secondary && a.Masked() == gone.Masked() })
	if next < 0 {
		return
	}
	heir := l.addrs[next]
	heir.secondary = false
	l.addrs = slices.Delete(l.addrs, next, next+1)
	last := 0
	for at, a := range l.addrs {
		if a.Addr().Is4() && !a.secondary && a.Scope >= heir.Scope {
			last = at + 1
		}
	}
	l.addrs = slices.Insert(l.addrs, last, heir)
}

// way returns the interface that a hop leads out of.
func (f *Fake) way(h state.Hop) (dev string, err error) {
	if l := f.link(h.Dev); h.Dev != "" && (l == nil || !l.Up) {
		if l == nil {
			return "", fmt.Errorf("%w: %s", ErrNoInterface, h.Dev)
		}
		return "", fmt.Errorf("%s is down", h.Dev)
	}
	if !h.Via.IsValid() || h.OnLink {
		return h.Dev, nil
	}
	for _, l := range f.links {
		near := func(a fakeAddr) bool { return a.Contains(h.Via) }
		if l.Up && (h.Dev == "" || h.Dev == l.Name) && slices.ContainsFunc(l.addrs, near) {
			return l.Name, nil
		}
	}
	return "", ErrUnreachable
}

// lose removes the routes that lead out of an interface, or have an address as their source.
func (f *Fake) lose(dev string, src netip.Addr) {
	maps.DeleteFunc(f.objects.Routes, func(_ state.RouteKey, r state.Route) bool {
		return src.IsValid() && r.PrefSrc == src || dev != "" && slices.ContainsFunc(r.Hops, func(h state.Hop) bool { return h.Dev == dev })
	})
}

// sysctls are the IPv4 settings of existing interfaces; they are "0" until they are set.
func (f *Fake) sysctls(keys iter.Seq[state.SysctlKey]) map[state.SysctlKey]state.Sysctl {
	all := map[state.SysctlKey]state.Sysctl{}
	if keys == nil {
		return all
	}
	for k := range keys {
		dev, _, _ := strings.Cut(strings.TrimPrefix(k.File, "net/ipv4/conf/"), "/")
		if dev == "all" || f.link(dev) != nil || k.File == "net/ipv4/igmp_link_local_mcast_reports" {
			all[k] = state.Sysctl{Value: cmp.Or(f.objects.Sysctls[k].Value, "0")}
		}
	}
	return all
}
