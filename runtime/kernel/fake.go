package kernel

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// A Fake is a kernel in memory that behaves like Linux as far as callers can tell, and fails on demand. The same table
// of tests runs on it and on Linux. Its methods may be called concurrently.
type Fake struct {
	mu        sync.Mutex
	links     []*fakeLink // in the order of their indexes
	objects   state.State // except addresses, which are with their links
	noIPVS    bool
	faults    map[string][]error // by verb: the results of its next calls
	announced []Announcement
	busy      map[state.DestinationKey]Connections
	counted   int // how often Traffic was called
	traffic   Traffics
	watches   map[*linkWatch]struct{}
	hubs      map[string]*Hub // by interface name
	// lost are called when a route or rule is deleted.
	lost map[*func()]struct{}
	udp  map[*fakePort]struct{} // the open ones
}

var _ Kernel = (*Fake)(nil)

// SetConnections sets the connections of real servers.
func (f *Fake) SetConnections(busy map[state.DestinationKey]Connections) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = busy
}

// Connections implements Kernel.
func (f *Fake) Connections(k ir.ServiceKey) (map[netip.AddrPort]Connections, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.noIPVS {
		return nil, ErrNoIPVS
	}
	all := map[netip.AddrPort]Connections{}
	for d, c := range f.busy {
		if d.Service == k {
			all[d.Server] = c
		}
	}
	return all, nil
}

// SetTraffic sets the traffic of services.
func (f *Fake) SetTraffic(t Traffics) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.traffic = t
}

// Traffic implements Kernel.
func (f *Fake) Traffic(context.Context) (Traffics, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.noIPVS {
		return Traffics{}, ErrNoIPVS
	}
	f.counted++
	return f.traffic, nil
}

// Counted returns how often Traffic was called.
func (f *Fake) Counted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counted
}

// An Announcement records a call of Announce.
type Announcement struct {
	Interface string
	Addr      netip.Addr
}

type fakeLink struct {
	Link
	addrs []fakeAddr // in the kernel's order
	wires map[*fakeWire]struct{}
}

type fakeAddr struct {
	netip.Prefix
	state.Address
	secondary bool
}

// NewFake returns a kernel with ip_vs and those links.
func NewFake(links ...Link) *Fake {
	f := &Fake{
		objects: state.New(),
		faults:  map[string][]error{},
		watches: map[*linkWatch]struct{}{},
		hubs:    map[string]*Hub{},
		lost:    map[*func()]struct{}{},
		udp:     map[*fakePort]struct{}{},
	}
	f.objects.Timeouts[state.TimeoutsKey{}] = DefaultTimeouts()
	for _, l := range links {
		f.SetLink(l)
	}
	return f
}

// SetLink adds a link, or changes one in place: without Up it has lost its carrier. A different Index recreates it:
// its addresses and wires are lost. Those of l.Addrs that the link lacks are added, as /24 or /64.
func (f *Fake) SetLink(l Link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	link := f.link(l.Name)
	if link == nil || link.Index != l.Index {
		f.remove(l.Name)
		link = &fakeLink{wires: map[*fakeWire]struct{}{}}
		f.links = append(f.links, link)
	}
	addrs := l.Addrs
	l.Addrs, l.MTU = nil, cmp.Or(l.MTU, 1500)
	link.Link = l
	slices.SortFunc(f.links, func(a, b *fakeLink) int { return cmp.Compare(a.Index, b.Index) })
	for _, a := range addrs {
		if !slices.ContainsFunc(link.addrs, func(have fakeAddr) bool { return have.Addr() == a }) {
			link.add(netip.PrefixFrom(a, map[bool]int{false: 24, true: 64}[a.Is6()]), state.Address{})
		}
	}
	f.follow(l.Name)
	f.changed()
}

// Down switches a link off, as ip link set down does: it loses its IPv6 addresses.
func (f *Fake) Down(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.link(name); l != nil {
		l.Up = false
		l.addrs = slices.DeleteFunc(l.addrs, func(a fakeAddr) bool { return a.Addr().Is6() })
		f.lose(name, netip.Addr{})
		f.follow(name)
		f.changed()
	}
}

// RemoveLink removes a link with its addresses. Its wires are dead.
func (f *Fake) RemoveLink(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.remove(name)
	f.follow(name)
	f.changed()
}

// SetIPVS loads or unloads ip_vs; unloading loses the table.
func (f *Fake) SetIPVS(present bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noIPVS = !present
	clear(f.objects.Services)
	clear(f.objects.Destinations)
}

// Fail makes the next n calls of a verb return err without doing anything. The verbs are those of objects ("list
// address", "set service", "delete rule") and methods ("OpenWire", "Send").
func (f *Fake) Fail(verb string, n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[verb] = append(f.faults[verb], slices.Repeat([]error{err}, n)...)
}

// Announced returns the announcements so far, in order.
func (f *Fake) Announced() []Announcement {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.announced)
}

// Close implements Kernel.
func (*Fake) Close() error { return nil }

// fault returns the error that the verb must fail with. The lock must be held, as for all lower-case methods below.
func (f *Fake) fault(verb string) error {
	errs := f.faults[verb]
	if len(errs) == 0 {
		return nil
	}
	f.faults[verb] = errs[1:]
	return errs[0]
}

func (f *Fake) link(name string) *fakeLink {
	if i := slices.IndexFunc(f.links, func(l *fakeLink) bool { return l.Name == name }); i >= 0 {
		return f.links[i]
	}
	return nil
}

func (f *Fake) remove(name string) {
	f.links = slices.DeleteFunc(f.links, func(l *fakeLink) bool { return l.Name == name })
	f.lose(name, netip.Addr{})
}

func (f *Fake) changed() {
	for w := range f.watches {
		w.look()
	}
}

// Links implements Kernel.
func (f *Fake) Links() ([]Link, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("Links"); err != nil {
		return nil, err
	}
	var all []Link
	for _, l := range f.links {
		link := l.Link
		for _, a := range l.addrs {
			link.Addrs = append(link.Addrs, a.Addr())
		}
		all = append(all, link)
	}
	return all, nil
}

// WatchLinks implements Kernel.
func (f *Fake) WatchLinks(ctx context.Context) (<-chan Link, error) {
	w := newLinkWatch(f.Links)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("WatchLinks"); err != nil {
		return nil, err
	}
	f.watches[w] = struct{}{}
	go func() {
		w.run(ctx)
		f.mu.Lock()
		delete(f.watches, w)
		f.mu.Unlock()
		close(w.out)
	}()
	return w.out, nil
}

// WatchRouting implements Kernel.
func (f *Fake) WatchRouting(ctx context.Context, lost func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("WatchRouting"); err != nil {
		return err
	}
	f.lost[&lost] = struct{}{}
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.lost, &lost)
	})
	return nil
}

// WatchClaims implements Kernel: there are no claims.
func (f *Fake) WatchClaims(context.Context, func(Claim)) (about func([]netip.Addr), err error) {
	return func([]netip.Addr) {}, nil
}

// Announce implements Kernel.
func (f *Fake) Announce(iface string, addr netip.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("Announce"); err != nil {
		return err
	}
	if f.link(iface) == nil {
		return fmt.Errorf("announce %s: %w: %s", addr, ErrNoInterface, iface)
	}
	f.announced = append(f.announced, Announcement{iface, addr})
	return nil
}
