// Package reconcile makes a part of the kernel be as wanted, and keeps track of what is not.
//
// There are two ways. A delta writes the difference between the previous want and the current one, and reads nothing:
// one server that fails in a table of 40,000 is one write. A full look reads the kernel and writes what differs: at
// the start, on a hint that the kernel changed, after an error, and periodically.
package reconcile

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"time"

	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

// A Reconciler owns one part of the kernel. It remembers what it made, so that it removes only that. It is not safe
// for concurrent use.
type Reconciler struct {
	kernel   kernel.Objects
	kinds    []state.AnyKind
	journal  *Journal
	made     map[state.Key]struct{}     // of the recorded kinds
	found    map[state.Key]state.Object // of lasting kinds: their state before they were set
	last     state.State                // the last want
	known    bool                       // the kernel is as last says, except for what is in apart
	apart    map[state.Key]*apart       // what is not in place
	unread   kernel.Unread              // by the last full look
	blind    int                        // consecutive full looks that could not read everything
	again    time.Time                  // when a full look is due; zero: none is
	tried    map[state.Key]attempt      // in the last full look
	counts   map[state.AnyKind]*Counters
	waiting  map[state.AnyKind]int  // objects that this round has yet to set
	recalled map[state.AnyKind]bool // kinds for which the journal has been consulted
}

// An apart is an object that is not as wanted.
type apart struct {
	kind     state.AnyKind
	have     state.Object // what the kernel has, as far as known; nil: nothing
	want     state.Object // nil: to be removed
	err      error        // of the last attempt; nil: there was none
	since    time.Time
	failures int       // in a row
	retry    time.Time // after a failure
	left     bool      // it is not retried, because somebody undoes it
}

// New returns the Reconciler of a part of the kernel. journal records what was made beyond the life of the process; it
// may be nil.
func New(k kernel.Objects, part state.Part, journal *Journal) *Reconciler {
	r := &Reconciler{
		kernel: k, kinds: state.KindsOf(part), journal: journal,
		made: map[state.Key]struct{}{}, found: map[state.Key]state.Object{}, apart: map[state.Key]*apart{}, counts: map[state.AnyKind]*Counters{},
		recalled: map[state.AnyKind]bool{},
	}
	for _, kind := range r.kinds {
		r.counts[kind] = &Counters{}
	}
	return r
}

// A Done is a change that was applied. Repair: the object was in place before, and somebody else undid it. Left: it is
// no longer applied, because it was applied and then undone; this is reported once.
type Done struct {
	plan.Change
	Repair, Left bool
}

// A Round says how to proceed. Its functions may be nil.
type Round struct {
	Now  time.Time
	Full bool // look at the kernel; otherwise this is done only when necessary
	// Stale reports whether there is a newer want, so that a slow kernel is not made to do what is no longer wanted.
	Stale func() bool
	// Planned is called with the changes before the first write: what is wanted and not among them is in place, or
	// will be tried later.
	Planned func(plan.Plan)
	// Applied is called with each change as soon as it is made.
	Applied func(Done)
}

// Reconcile brings the kernel to want with the smallest set of writes. The tables of want must not change afterwards.
// A change that fails does not stop the others, and is retried when Deadline says so, or when something else is wanted
// of its object. What cannot be read is left alone, and does not stop the rest either. The error joins the failures of
// this round.
func (r *Reconciler) Reconcile(want state.State, o Round) error {
	want, restored := r.restore(want.Only(r.kinds))
	unknown, foreign := r.unknown(want)
	var changes plan.Plan
	var errs []error
	if full := o.Full || want.Flush == state.FlushAll || !r.known || foreign || !r.again.IsZero() && !o.Now.Before(r.again); full {
		var err error
		if changes, err = r.look(want, restored, o); err != nil {
			errs = append(errs, fmt.Errorf("read the kernel's state: %w", err))
		}
	} else {
		changes = r.difference(want, o.Now)
		if unknown {
			r.again = o.Now // what the file newly names has not been looked at
		}
	}
	r.last = want
	r.waiting = map[state.AnyKind]int{}
	for _, c := range changes {
		if c.After != nil {
			r.waiting[c.Kind]++
		}
	}
	if o.Planned != nil {
		o.Planned(changes)
	}
	errs = append(errs, r.apply(changes, o)...)
	r.waiting = nil
	for _, k := range restored {
		if a := r.apart[k]; a == nil || errors.Is(a.err, fs.ErrNotExist) {
			delete(r.found, k)
			delete(r.apart, k)
		}
	}
	r.journal.settle()
	return errors.Join(errs...)
}

// Deadline returns when Reconcile must be called again, even without a new want; false: not needed.
func (r *Reconciler) Deadline() (at time.Time, some bool) {
	at, some = r.again, !r.again.IsZero()
	if !r.known {
		return at, some // this comes first
	}
	for _, a := range r.apart {
		if a.failures > 0 && !a.left && (!some || a.retry.Before(at)) {
			at, some = a.retry, true
		}
	}
	return at, some
}

// look reads the kernel, and returns what differs from the want; lasting objects that should have been restored and no
// longer exist are dropped from the want.
func (r *Reconciler) look(want state.State, restored []state.Key, o Round) (changes plan.Plan, err error) {
	have, unread := r.kernel.Read(kernel.Scope{Kinds: r.kinds, Keys: func(kind state.AnyKind) iter.Seq[state.Key] { return r.concern(kind, want) }})
	for _, kind := range r.kinds {
		r.counts[kind].Reads++
	}
	r.unread, r.known, r.again = unread, len(unread) == 0, time.Time{}
	if r.blind++; r.known {
		r.blind = 0
	} else {
		r.again = o.Now.Add(Backoff(r.blind))
	}
	r.take(have, want)
	r.recall(have)
	r.remember(have, want)
	for _, k := range restored {
		kind := state.KindOf(k)
		if _, there := kind.Get(have, k); !there && unread[kind] == nil {
			kind.Drop(want, k)
			delete(r.found, k)
		}
	}
	changes = plan.Diff(have, want, r.owns)
	changes = slices.DeleteFunc(changes, func(c plan.Change) bool { return c.Action == plan.Foreign || unread[c.Kind] != nil })
	changes = slices.DeleteFunc(changes, func(c plan.Change) bool { return c.Action == plan.Add && r.owns(c.Key) && c.After.From().Loose })
	r.adopt(have, want, unread)
	before := r.apart
	r.apart = map[state.Key]*apart{}
	for k, a := range before {
		if unread[a.kind] != nil {
			r.apart[k] = a
		}
	}
	changes = r.undone(changes, o)
	for _, c := range changes {
		if a := before[c.Key]; a != nil && a.failures > 0 { // its record continues
			if _, _, other := a.kind.CompareOne(c.Key, a.want, c.After); !other {
				a.have, a.left = c.Before, false
				r.apart[c.Key] = a
			}
		}
	}
	return changes, unread.Err()
}

// recall takes over what the journal has about each kind that is read for the first time. Objects that no longer
// exist, or differ from what was made, are not ours.
func (r *Reconciler) recall(have state.State) {
	for _, kind := range r.kinds {
		if r.recalled[kind] || r.unread[kind] != nil {
			continue
		}
		r.recalled[kind] = true
		for k, made := range r.journal.entries() {
			if !kind.Has(k) {
				continue
			}
			here, there := kind.Get(have, k)
			if _, _, other := kind.CompareOne(k, here, made); there && (!other || kind.About().InPlace) {
				r.made[k] = struct{}{}
			} else {
				r.journal.forget(k)
			}
		}
	}
}

// take makes foreign objects ours that a flush covers: at the first look those that are found, or those that exist
// now.
func (r *Reconciler) take(have, want state.State) {
	for _, kind := range r.kinds {
		if want.Flush.Takes(kind) == "" || r.unread[kind] != nil || want.Flush == state.FlushStart && r.recalled[kind] {
			continue
		}
		for k := range kind.All(have) {
			r.made[k] = struct{}{}
		}
	}
}

// concern lists the keys of a kind that are wanted or were made.
func (r *Reconciler) concern(kind state.AnyKind, want state.State) iter.Seq[state.Key] {
	return func(yield func(state.Key) bool) {
		for k := range kind.All(want) {
			if !yield(k) {
				return
			}
		}
		for _, keys := range []iter.Seq[state.Key]{maps.Keys(want.Absent), maps.Keys(r.made), maps.Keys(r.journal.entries())} {
			for k := range keys {
				if kind.Has(k) && !yield(k) {
					return
				}
			}
		}
	}
}

// difference returns the changes between the previous and the current want, and those that are due again.
func (r *Reconciler) difference(want state.State, now time.Time) plan.Plan {
	changes := slices.DeleteFunc(plan.Diff(r.last, want, r.owns), func(c plan.Change) bool { return c.Action == plan.Foreign || r.apart[c.Key] != nil })
	for k, a := range r.apart {
		wish, _ := a.kind.Get(want, k)
		before, after, differ := a.kind.CompareOne(k, a.have, wish)
		c, some := plan.Change{}, false
		if differ {
			c, some = plan.Decide(a.kind, k, before, after, want, r.owns)
		}
		if !some || c.Action == plan.Foreign {
			delete(r.apart, k)
			continue
		}
		if _, _, other := a.kind.CompareOne(k, a.want, wish); !other && (a.left || a.retry.After(now)) {
			continue
		} else if other {
			delete(r.apart, k)
		}
		changes = append(changes, c)
	}
	changes = changes.Reorder(want) // unfinished changes may come before the others, too
	changes.Sort()
	return changes
}

// unknown reports whether the want names objects that the previous one did not and that the kernel may have; foreign
// reports whether some of them are to stay as found.
func (r *Reconciler) unknown(want state.State) (unknown, foreign bool) {
	if !r.known {
		return false, false
	}
	known := func(kind state.AnyKind, k state.Key) bool {
		_, wanted := kind.Get(r.last, k)
		_, named := r.last.Absent[k]
		return wanted || named
	}
	for _, kind := range r.kinds {
		if !kind.Recorded() {
			continue
		}
		for k, w := range kind.All(want) {
			if !known(kind, k) {
				unknown = true
				foreign = foreign || !kind.Adopts(k, w)
			}
		}
	}
	for k := range want.Absent {
		if kind := state.KindOf(k); slices.Contains(r.kinds, kind) && kind.Recorded() && !known(kind, k) {
			unknown = true
		}
	}
	return unknown, foreign
}

// adopt updates what is ours. What is gone is no longer ours, unless it is wanted, because making it again is a
// repair. What exists as wanted counts as made by us, unless it is to be left as found, or carries the mark of another
// program, which may own it.
func (r *Reconciler) adopt(have, want state.State, unread kernel.Unread) {
	for k := range r.made {
		kind := state.KindOf(k)
		_, there := kind.Get(have, k)
		_, wanted := kind.Get(want, k)
		if !there && !wanted && unread[kind] == nil {
			r.release(k)
		}
	}
	for _, kind := range r.kinds {
		if !kind.Recorded() {
			continue
		}
		for k, w := range kind.All(want) {
			if _, there := kind.Get(have, k); there && kind.Adopts(k, w) {
				r.made[k] = struct{}{}
			}
		}
	}
}

func (r *Reconciler) release(k state.Key) {
	delete(r.made, k)
	r.journal.forget(k)
}
