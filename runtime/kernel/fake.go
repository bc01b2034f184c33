package kernel

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// A Fake is a kernel in memory that behaves like Linux where callers can tell, and fails where it is told to. One table of
// tests holds it against Linux. Its methods may be called concurrently.
type Fake struct {
	mu           sync.Mutex
	links        []*fakeLink // in the order of their indexes
	routes       map[state.RouteKey]state.Route
	rules        map[state.RuleKey]state.Rule
	services     map[ir.ServiceKey]state.Service
	destinations map[state.DestinationKey]state.Destination
	timeouts     state.Timeouts
	sysctls      map[state.SysctlKey]state.Sysctl
	tunnels      map[state.TunnelKey]state.Tunnel
	noIPVS       bool
	faults       map[string][]error // verb → what its next calls return
	announced    []Announcement
	watches      map[*linkWatch]struct{}
	hubs         map[string]*Hub // by interface name
}

var _ Kernel = (*Fake)(nil)

// An Announcement is what Announce would have told the neighbours.
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
		routes:       map[state.RouteKey]state.Route{},
		rules:        map[state.RuleKey]state.Rule{},
		services:     map[ir.ServiceKey]state.Service{},
		destinations: map[state.DestinationKey]state.Destination{},
		sysctls:      map[state.SysctlKey]state.Sysctl{},
		tunnels:      map[state.TunnelKey]state.Tunnel{},
		timeouts:     DefaultTimeouts(),
		faults:       map[string][]error{},
		watches:      map[*linkWatch]struct{}{},
		hubs:         map[string]*Hub{},
	}
	for _, l := range links {
		f.SetLink(l)
	}
	return f
}

// SetLink makes a link, or changes one in place: without Up it has lost its carrier. Another Index makes it anew: its addresses
// and wires are lost. Of l.Addrs, those that the link lacks are added, as /24 or /64.
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
		f.changed()
	}
}

// RemoveLink removes a link with its addresses. Its wires are dead.
func (f *Fake) RemoveLink(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.remove(name)
	f.changed()
}

// SetIPVS loads or unloads ip_vs; unloading loses the table.
func (f *Fake) SetIPVS(present bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noIPVS = !present
	clear(f.services)
	clear(f.destinations)
}

// Fail makes the next n calls of a verb, named like its method ("AddAddress", "Send"), return err and do nothing else.
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

// fault returns the error that the verb is told to fail with. The lock is held, as in all that follow in lower case.
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

// Addresses implements Kernel.
func (f *Fake) Addresses() (map[state.AddressKey]state.Address, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("Addresses"); err != nil {
		return nil, err
	}
	all := map[state.AddressKey]state.Address{}
	for _, l := range f.links {
		for _, a := range l.addrs {
			all[state.AddressKey{Dev: l.Name, Prefix: a.Prefix}] = a.Address
		}
	}
	return all, nil
}

// AddAddress implements Kernel.
func (f *Fake) AddAddress(k state.AddressKey, a state.Address) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("AddAddress"); err != nil {
		return err
	}
	l := f.link(k.Dev)
	if l == nil {
		return fmt.Errorf("add %s: %w: %s", k, ErrNoInterface, k.Dev)
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

// DeleteAddress implements Kernel.
func (f *Fake) DeleteAddress(k state.AddressKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("DeleteAddress"); err != nil {
		return err
	}
	if l := f.link(k.Dev); l != nil {
		if i := l.find(k.Prefix); i >= 0 {
			l.delete(i)
			f.lose("", k.Prefix.Addr())
			f.changed()
		}
	}
	return nil
}

func (l *fakeLink) find(p netip.Prefix) int {
	return slices.IndexFunc(l.addrs, func(a fakeAddr) bool { return a.Prefix == p })
}

// add puts the address where Linux puts it: IPv4 before IPv6; an IPv4 address of a subnet that is there already is secondary
// and goes last, a primary one goes behind the primary ones of no narrower scope; IPv6 is in the order of falling scope,
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

// delete takes the secondary addresses away with their primary one, as Linux does without promote_secondaries.
func (l *fakeLink) delete(i int) {
	gone := l.addrs[i]
	l.addrs = slices.Delete(l.addrs, i, i+1)
	if gone.Addr().Is4() && !gone.secondary {
		l.addrs = slices.DeleteFunc(l.addrs, func(a fakeAddr) bool { return a.secondary && a.Masked() == gone.Masked() })
	}
}

// Services implements Kernel.
func (f *Fake) Services() (map[ir.ServiceKey]state.Service, map[state.DestinationKey]state.Destination, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ipvs("Services"); err != nil {
		return nil, nil, err
	}
	return maps.Clone(f.services), maps.Clone(f.destinations), nil
}

func (f *Fake) ipvs(verb string) error {
	if f.noIPVS {
		return ErrNoIPVS
	}
	return f.fault(verb)
}

// SetService implements Kernel.
func (f *Fake) SetService(k ir.ServiceKey, s state.Service) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ipvs("SetService"); err != nil {
		return err
	}
	s.Provenance = state.Provenance{}
	switch {
	case s.Persistence == 0:
		s.Mask = 0
	case s.Mask == 0:
		s.Mask = map[bool]uint8{false: 32, true: 128}[k.IPv6 || k.Addr.Is6()]
	}
	f.services[k] = s
	return nil
}

// DeleteService implements Kernel.
func (f *Fake) DeleteService(k ir.ServiceKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ipvs("DeleteService"); err != nil {
		return err
	}
	delete(f.services, k)
	maps.DeleteFunc(f.destinations, func(d state.DestinationKey, _ state.Destination) bool { return d.Service == k })
	return nil
}

// SetDestination implements Kernel.
func (f *Fake) SetDestination(k state.DestinationKey, d state.Destination) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ipvs("SetDestination"); err != nil {
		return err
	}
	if _, ok := f.services[k.Service]; !ok {
		return fmt.Errorf("set %s: %w", k, errNoService)
	}
	d.Provenance = state.Provenance{}
	f.destinations[k] = d
	return nil
}

// DeleteDestination implements Kernel.
func (f *Fake) DeleteDestination(k state.DestinationKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ipvs("DeleteDestination"); err != nil {
		return err
	}
	delete(f.destinations, k)
	return nil
}

// Timeouts implements Kernel.
func (f *Fake) Timeouts() (state.Timeouts, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.timeouts, f.ipvs("Timeouts")
}

// SetTimeouts implements Kernel.
func (f *Fake) SetTimeouts(t state.Timeouts) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ipvs("SetTimeouts"); err != nil {
		return err
	}
	old := f.timeouts.Timeouts
	f.timeouts.Timeouts = ir.Timeouts{TCP: cmp.Or(t.TCP, old.TCP), TCPFin: cmp.Or(t.TCPFin, old.TCPFin), UDP: cmp.Or(t.UDP, old.UDP)}
	return nil
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
