package kernel

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"keepc/compiler/state"
)

// Routes implements Kernel. The fake knows the routes that were added, and none of those that Linux makes by itself.
func (f *Fake) Routes(protocols ...uint8) (map[state.RouteKey]state.Route, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("Routes"); err != nil {
		return nil, err
	}
	routes := maps.Clone(f.routes)
	maps.DeleteFunc(routes, func(k state.RouteKey, _ state.Route) bool {
		return len(protocols) > 0 && !slices.Contains(protocols, k.Protocol)
	})
	return routes, nil
}

// AddRoute implements Kernel.
func (f *Fake) AddRoute(k state.RouteKey, r state.Route) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("AddRoute"); err != nil {
		return err
	}
	r.Provenance, r.Hops = state.Provenance{}, slices.Clone(r.Hops)
	for i, h := range r.Hops {
		l, err := f.way(h)
		if err != nil {
			return fmt.Errorf("add route %s: %w", k, err)
		}
		r.Hops[i].Dev = l
	}
	f.routes[k] = r
	return nil
}

// way finds the interface that a hop leads out of.
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

// DeleteRoute implements Kernel.
func (f *Fake) DeleteRoute(k state.RouteKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("DeleteRoute"); err != nil {
		return err
	}
	delete(f.routes, k)
	return nil
}

// lose removes the routes that lead out of an interface, or are from an address.
func (f *Fake) lose(dev string, src netip.Addr) {
	maps.DeleteFunc(f.routes, func(_ state.RouteKey, r state.Route) bool {
		return src.IsValid() && r.PrefSrc == src || dev != "" && slices.ContainsFunc(r.Hops, func(h state.Hop) bool { return h.Dev == dev })
	})
}

// Rules implements Kernel.
func (f *Fake) Rules() (map[state.RuleKey]state.Rule, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("Rules"); err != nil {
		return nil, err
	}
	return maps.Clone(f.rules), nil
}

// AddRule implements Kernel.
func (f *Fake) AddRule(k state.RuleKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("AddRule"); err != nil {
		return err
	}
	f.rules[k] = state.Rule{}
	return nil
}

// DeleteRule implements Kernel.
func (f *Fake) DeleteRule(k state.RuleKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("DeleteRule"); err != nil {
		return err
	}
	delete(f.rules, k)
	return nil
}
