// Package reconcile makes a part of the kernel be as wanted: observe, diff, apply.
package reconcile

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

// A Reconciler owns one part of the kernel. It remembers what it made, so that it removes what is its own and nothing else.
// It is not safe for concurrent use.
type Reconciler struct {
	// observe reads the kernel. An error goes with what could not be read; unread tells for each key whether it is among that.
	observe func(want state.State) (have state.State, unread func(state.Key) bool, err error)
	apply   func(changes []plan.Change, stale func() bool) []error // one error, or nil, for each change
	part    func(state.State) state.State
	made    map[state.Key]struct{} // replaced, never changed
	tried   map[state.Key]attempt
}

// Network returns the Reconciler of addresses, routes and rules.
func Network(k interface {
	kernel.Addresses
	kernel.Routing
}) *Reconciler {
	r := &Reconciler{
		apply: func(changes []plan.Change, stale func() bool) []error {
			errs := make([]error, len(changes))
			for i, c := range changes {
				if errs[i] = ErrStale; !stale() {
					errs[i] = applyNetwork(k, k, c)
				}
			}
			return errs
		},
		part: func(s state.State) state.State {
			return state.State{Addresses: s.Addresses, Routes: s.Routes, Rules: s.Rules, Absent: s.Absent}
		},
		made: map[state.Key]struct{}{},
	}
	r.observe = func(want state.State) (s state.State, unread func(state.Key) bool, err error) {
		if s.Addresses, err = k.Addresses(); err != nil {
			return s, everything, err
		}
		// A router's tables are long. Who has nothing to do with routes does not read them; nobody reads those of others.
		if !routed(maps.Keys(want.Absent)) && !routed(maps.Keys(r.made)) && len(want.Routes)+len(want.Rules) == 0 {
			return s, nothing, nil
		}
		var noRoutes, noRules error // addresses, and with them the service, do not wait for these
		s.Routes, noRoutes = k.Routes(protocols(want, r.made)...)
		s.Rules, noRules = k.Rules()
		return s, func(key state.Key) bool {
			switch key.(type) {
			case state.RouteKey:
				return noRoutes != nil
			case state.RuleKey:
				return noRules != nil
			}
			return false
		}, errors.Join(noRoutes, noRules)
	}
	return r
}

// IPVS returns the Reconciler of the virtual servers. Its Reconcile fails with kernel.ErrNoIPVS where there is none.
func IPVS(k kernel.IPVS) *Reconciler {
	return &Reconciler{
		observe: func(state.State) (s state.State, unread func(state.Key) bool, err error) {
			if s.Services, s.Destinations, err = k.Services(); err != nil {
				return s, everything, err
			}
			t, err := k.Timeouts()
			if err != nil {
				return s, everything, err
			}
			s.Timeouts = map[state.TimeoutsKey]state.Timeouts{{}: t}
			return s, nothing, nil
		},
		apply: func(changes []plan.Change, _ func() bool) []error {
			batch := make([]kernel.IPVSChange, len(changes))
			for i, c := range changes {
				batch[i] = kernel.IPVSChange{Key: c.Key, Object: c.After}
			}
			return kernel.ApplyIPVS(k, batch)
		},
		part: func(s state.State) state.State {
			return state.State{Services: s.Services, Destinations: s.Destinations, Timeouts: s.Timeouts, Absent: s.Absent}
		},
		made: map[state.Key]struct{}{},
	}
}

func everything(state.Key) bool { return true }

func nothing(state.Key) bool { return false }

// ErrStale: a newer want made the change pointless before its turn came.
var ErrStale = errors.New("a newer configuration or role came first")

// A Done change was applied. Repair: it was in place before, and somebody else undid it. Left: it is applied no more, for it was, and
// what it found is there again; this is told once.
type Done struct {
	plan.Change
	Repair, Left bool
}

// An attempt is a Replace that was carried out at the last look, or is left since.
type attempt struct {
	plan.Change
	left bool
}

// undone takes out of the changes those that were carried out and that the kernel, or somebody else, undid before this look. An
// object that goes and comes for ever serves nobody.
func (r *Reconciler) undone(changes []plan.Change) (rest []plan.Change, done []Done) {
	still := map[state.Key]attempt{}
	for _, c := range changes {
		last, again := r.tried[c.Key]
		if c.Action != plan.Replace || !again || !sameChange(last.Change, c) {
			rest = append(rest, c)
			continue
		}
		if !last.left {
			done = append(done, Done{Change: c, Left: true})
		}
		still[c.Key] = attempt{c, true}
	}
	r.tried = still
	return rest, done
}

func sameChange(a, b plan.Change) bool {
	return slices.Equal(a.Before.Fields(), b.Before.Fields()) && slices.Equal(a.After.Fields(), b.After.Fields())
}

// Reconcile brings the kernel to want with the smallest set of writes. A change that fails does not stop the others; the error
// joins all failures, what was done is returned in any case, and so are the keys that are wanted and not in place. What cannot be read
// is left as it is, and stops nothing else either. stale tells
// whether a newer want is there, so that a slow kernel is not made to do what nobody wants any more. The next call starts from a
// new observation.
func (r *Reconciler) Reconcile(want state.State, stale func() bool) (done []Done, missing map[state.Key]bool, err error) {
	want = r.part(want)
	missing = map[state.Key]bool{}
	have, unread, err := r.observe(want)
	var errs []error
	if err != nil {
		errs = append(errs, fmt.Errorf("read the kernel's state: %w", err))
	}
	changes := plan.Diff(have, want, r.owns)
	changes = slices.DeleteFunc(changes, func(c plan.Change) bool { return c.Action == plan.Foreign || unread(c.Key) })
	changes, done = r.undone(changes)
	made := r.inPlace(have, want)
	for k := range r.made {
		if unread(k) {
			made[k] = struct{}{}
		}
	}
	for k := range want.Addresses {
		if unread(k) {
			missing[k] = true // for all we know
		}
	}
	for i, err := range r.apply(changes, stale) {
		c := changes[i]
		switch {
		case err == nil:
			done = append(done, Done{Change: c, Repair: c.Action == plan.Add && r.owns(c.Key)})
			if c.Action != plan.Remove {
				made[c.Key] = struct{}{}
			}
			if c.Action == plan.Replace {
				r.tried[c.Key] = attempt{Change: c}
			}
			continue
		case c.Action == plan.Remove:
			if r.owns(c.Key) {
				made[c.Key] = struct{}{} // it still is
			}
		default:
			missing[c.Key] = true
		}
		if !errors.Is(err, ErrStale) {
			errs = append(errs, fmt.Errorf("%s %s: %w", verb(c.Action), c.Key, err))
		}
	}
	r.made = made
	return done, missing, errors.Join(errs...)
}

// inPlace lists what is there as wanted and ours: as much as what we make, unless it is to be left as it was found or carries the mark
// of somebody else, whom it may belong to.
func (r *Reconciler) inPlace(have, want state.State) map[state.Key]struct{} {
	made := map[state.Key]struct{}{}
	for _, kind := range state.Kinds() {
		if !kind.Recorded() {
			continue
		}
		for k, w := range kind.All(want) {
			if _, ok := kind.Get(have, k); ok && (kind.Adopts(k, w) || r.owns(k)) {
				made[k] = struct{}{}
			}
		}
	}
	return made
}

// Made is what the Reconciler holds for its own since the last Reconcile. The map does not change any more.
func (r *Reconciler) Made() map[state.Key]struct{} { return r.made }

func (r *Reconciler) owns(k state.Key) bool {
	_, ok := r.made[k]
	return ok
}

func verb(a plan.Action) string {
	switch a {
	case plan.Add:
		return "add"
	case plan.Remove:
		return "remove"
	}
	return "change"
}

// protocols are the marks that routes of ours may carry.
func protocols(want state.State, made map[state.Key]struct{}) []uint8 {
	list := []uint8{ir.KeepalivedProtocol}
	add := func(k state.Key) {
		if r, ok := k.(state.RouteKey); ok && !slices.Contains(list, r.Protocol) {
			list = append(list, r.Protocol)
		}
	}
	for k := range want.Routes {
		add(k)
	}
	for k := range want.Absent {
		add(k)
	}
	for k := range made {
		add(k)
	}
	return list
}

// routed tells whether a route or a rule is among the keys.
func routed(keys iter.Seq[state.Key]) bool {
	for k := range keys {
		switch k.(type) {
		case state.RouteKey, state.RuleKey:
			return true
		}
	}
	return false
}

// Apply makes one change of a plan for a real server: of an address, a route, a tunnel or a setting.
func Apply(k kernel.Kernel, c plan.Change) error {
	switch key := c.Key.(type) {
	case state.SysctlKey:
		if s, ok := c.After.(state.Sysctl); ok {
			return k.SetSysctl(key, s)
		}
	case state.TunnelKey:
		if t, ok := c.After.(state.Tunnel); ok {
			return k.AddTunnel(key, t)
		}
		return k.DeleteTunnel(key)
	}
	return applyNetwork(k, k, c)
}

func applyNetwork(addresses kernel.Addresses, routing kernel.Routing, c plan.Change) error {
	if c.Action == plan.Remove || c.Action == plan.Replace {
		if err := remove(addresses, routing, c.Key); err != nil || c.After == nil {
			return err
		}
	}
	switch key := c.Key.(type) {
	case state.AddressKey:
		if a, ok := c.After.(state.Address); ok {
			return addresses.AddAddress(key, a)
		}
	case state.RouteKey:
		if r, ok := c.After.(state.Route); ok {
			return routing.AddRoute(key, r)
		}
	case state.RuleKey:
		return routing.AddRule(key)
	}
	return fmt.Errorf("%T is no key of an address, a route or a rule with %T", c.Key, c.After)
}

func remove(addresses kernel.Addresses, routing kernel.Routing, key state.Key) error {
	switch key := key.(type) {
	case state.AddressKey:
		return addresses.DeleteAddress(key)
	case state.RouteKey:
		return routing.DeleteRoute(key)
	case state.RuleKey:
		return routing.DeleteRule(key)
	}
	return fmt.Errorf("%T is no key of an address, a route or a rule", key)
}

// Backoff returns how long to wait after the n-th failure in a row: 100 ms, doubled each time up to a minute.
func Backoff(n int) time.Duration {
	d := 100 * time.Millisecond
	for ; n > 1 && d < time.Minute; n-- {
		d *= 2
	}
	return min(d, time.Minute)
}
