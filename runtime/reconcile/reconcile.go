// Package reconcile makes a part of the kernel be as wanted: observe, diff, apply.
package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

// A Reconciler owns one part of the kernel. It remembers what it made, so that it removes what is its own and nothing else.
// It is not safe for concurrent use.
type Reconciler struct {
	observe func() (state.State, error)
	apply   func(changes []plan.Change, stale func() bool) []error // one error, or nil, for each change
	part    func(state.State) state.State
	made    map[state.Key]struct{}
}

// Addresses returns the Reconciler of the interfaces' addresses.
func Addresses(k kernel.Addresses) *Reconciler {
	return &Reconciler{
		observe: func() (s state.State, err error) {
			s.Addresses, err = k.Addresses()
			return s, err
		},
		apply: func(changes []plan.Change, stale func() bool) []error {
			errs := make([]error, len(changes))
			for i, c := range changes {
				if errs[i] = ErrStale; !stale() {
					errs[i] = applyAddress(k, c)
				}
			}
			return errs
		},
		part: func(s state.State) state.State { return state.State{Addresses: s.Addresses, Absent: s.Absent} },
		made: map[state.Key]struct{}{},
	}
}

// IPVS returns the Reconciler of the virtual servers. Its Reconcile fails with kernel.ErrNoIPVS where there is none.
func IPVS(k kernel.IPVS) *Reconciler {
	return &Reconciler{
		observe: func() (s state.State, err error) {
			if s.Services, s.Destinations, err = k.Services(); err != nil {
				return s, err
			}
			t, err := k.Timeouts()
			s.Timeouts = map[state.TimeoutsKey]state.Timeouts{{}: t}
			return s, err
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

// ErrStale: a newer want made the change pointless before its turn came.
var ErrStale = errors.New("a newer configuration or role came first")

// A Done change was applied. Repair: it was in place before, and somebody else undid it.
type Done struct {
	plan.Change
	Repair bool
}

// Reconcile brings the kernel to want with the smallest set of writes. A change that fails does not stop the others; the error
// joins all failures, what was done is returned in any case, and so are the keys that are wanted and not in place. stale tells
// whether a newer want is there, so that a slow kernel is not made to do what nobody wants any more. The next call starts from a
// new observation.
func (r *Reconciler) Reconcile(want state.State, stale func() bool) (done []Done, missing map[state.Key]bool, err error) {
	want = r.part(want)
	missing = map[state.Key]bool{}
	have, err := r.observe()
	if err != nil {
		for k := range want.Addresses {
			missing[k] = true // for all we know
		}
		return nil, missing, fmt.Errorf("read the kernel's state: %w", err)
	}
	changes := slices.DeleteFunc(plan.Diff(have, want, r.owns), func(c plan.Change) bool { return c.Action == plan.Foreign })
	// What is there as wanted is ours as much as what we make.
	made := map[state.Key]struct{}{}
	for k := range want.Addresses {
		if _, ok := have.Addresses[k]; ok {
			made[k] = struct{}{}
		}
	}
	for k := range want.Services {
		if _, ok := have.Services[k]; ok {
			made[k] = struct{}{}
		}
	}
	var errs []error
	for i, err := range r.apply(changes, stale) {
		c := changes[i]
		switch {
		case err == nil:
			done = append(done, Done{Change: c, Repair: c.Action == plan.Add && r.owns(c.Key)})
			if c.Action != plan.Remove {
				made[c.Key] = struct{}{}
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

func applyAddress(k kernel.Addresses, c plan.Change) error {
	key, ok := c.Key.(state.AddressKey)
	if !ok {
		return fmt.Errorf("a %T among the addresses", c.Key)
	}
	if c.Action == plan.Remove || c.Action == plan.Replace {
		if err := k.DeleteAddress(key); err != nil {
			return err
		}
	}
	if a, ok := c.After.(state.Address); ok {
		return k.AddAddress(key, a)
	}
	return nil
}

// Backoff returns how long to wait after the n-th failure in a row: 100 ms, doubled each time up to a minute.
func Backoff(n int) time.Duration {
	d := 100 * time.Millisecond
	for ; n > 1 && d < time.Minute; n-- {
		d *= 2
	}
	return min(d, time.Minute)
}
