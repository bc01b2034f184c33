// Package reconcile makes a part of the kernel be as wanted, and keeps account of what is not.
//
// There are two ways. A delta writes the difference between what was wanted last and what is wanted now, and reads nothing: one server
// that fails in a table of 40,000 is one write. A full look reads the kernel and writes what differs from it: at start, when somebody
// hints that the kernel changed, after an error, and now and then.
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

// A Reconciler owns one part of the kernel. It remembers what it made, so that it removes what is its own and nothing else.
// It is not safe for concurrent use.
type Reconciler struct {
	kernel   kernel.Objects
	kinds    []state.AnyKind
	journal  *Journal
	made     map[state.Key]struct{}     // of the kinds that are recorded
	found    map[state.Key]state.Object // of lasting kinds, as they were before they were set
	last     state.State                // what was wanted last
	known    bool                       // the kernel is as last says, but for what is apart
	apart    map[state.Key]*apart       // what is not in place
	unread   kernel.Unread              // by the last full look
	blind    int                        // full looks in a row that could not read everything
	again    time.Time                  // when a full look is due; zero: nothing asks for one
	tried    map[state.Key]attempt      // at the last full look
	counts   map[state.AnyKind]*Counters
	waiting  map[state.AnyKind]int  // objects that this round has still to set
	recalled map[state.AnyKind]bool // the journal was asked about these
}

// An apart is an object that is not as wanted.
type apart struct {
	kind     state.AnyKind
	have     state.Object // what the kernel has, for all we know; nil: nothing
	want     state.Object // nil: that it goes
	err      error        // of the last attempt; nil: there was none
	since    time.Time
	failures int       // in a row
	retry    time.Time // after a failure
	left     bool      // it is not tried again: somebody undoes it
}

// New returns the Reconciler of a part of the kernel. journal remembers what was made beyond the life of the process; it may be nil.
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

// A Done change was applied. Repair: it was in place before, and somebody else undid it. Left: it is applied no more, for it was, and
// what it found is there again; this is told once.
type Done struct {
	plan.Change
	Repair, Left bool
}

// A Round says how to go about it. Its functions may be nil.
type Round struct {
	Now  time.Time
	Full bool // look at the kernel; without it this is done where it has to be
	// Stale reports whether a newer want is there, so that a slow kernel is not made to do what nobody wants any more.
	Stale func() bool
	// Planned is told the changes before the first write: what is wanted and not among them is in place, or is to be tried later.
	Planned func(plan.Plan)
	// Applied is told each change as soon as it is made.
	Applied func(Done)
}

// Reconcile brings the kernel to want with the smallest set of writes. The tables of want must not change afterwards. A change that
// fails does not stop the others, and is tried again when Deadline says so, or when something else is wanted of its object. What cannot
// be read is left as it is, and stops nothing else either. The error joins the failures of this round.
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
			r.again = o.Now // nobody has looked yet at what the file names since now
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

// Deadline is when Reconcile has to be called again, be there a new want or not; false: there is no need.
func (r *Reconciler) Deadline() (at time.Time, some bool) {
	at, some = r.again, !r.again.IsZero()
	if !r.known {
		return at, some // that comes first
	}
	for _, a := range r.apart {
		if a.failures > 0 && !a.left && (!some || a.retry.Before(at)) {
			at, some = a.retry, true
		}
	}
	return at, some
}

// look reads the kernel, and returns what differs from the want; what is to be restored in it and went away is wanted no longer.
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
		if a := before[c.Key]; a != nil && a.failures > 0 { // its story goes on
			if _, _, other := a.kind.CompareOne(c.Key, a.want, c.After); !other {
				a.have, a.left = c.Before, false
				r.apart[c.Key] = a
			}
		}
	}
	return changes, unread.Err()
}

// recall takes what the journal tells of each kind that is read for the first time. What is gone is not ours, and neither is what is not
// as it was made.
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

// take makes the objects of others ours that a flush is about: at the first look those that are found, or those that are there now.
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

// concern lists the keys of a kind that the want, or what was made, is about.
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

// difference returns the changes between what was wanted last and what is wanted now, and those that are due again.
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
	changes = changes.Reorder(want) // what was left undone may come before the others, too
	changes.Sort()
	return changes
}

// unknown reports whether the want names objects that the last one did not, of which nobody knows whether the kernel has them; foreign:
// whether some of them are to stay as they are found.
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

// adopt brings what is ours up to date: what is gone is not, but that which is wanted, for to make it again is a repair; and what is
// there as wanted is as good as made, unless it is to be left as it was found or carries the mark of somebody else, whom it may belong to.
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

// An attempt is a Replace that was carried out at the last look, or is left since.
type attempt struct {
	plan.Change
	left bool
}

// errLeft is why an object is not in place that somebody undoes each time.
var errLeft = errors.New("was made anew, and is not so again; left as it is")

// undone takes out of the changes those that were carried out and that the kernel, or somebody else, undid before this look. An
// object that goes and comes for ever serves nobody.
func (r *Reconciler) undone(changes plan.Plan, o Round) (rest plan.Plan) {
	still := map[state.Key]attempt{}
	for _, c := range changes {
		last, again := r.tried[c.Key]
		if c.Action != plan.Replace || !again || c.Reorders() || !sameChange(last.Change, c) {
			rest = append(rest, c)
			continue
		}
		if !last.left {
			o.tell(Done{Change: c, Left: true})
		}
		still[c.Key] = attempt{c, true}
		r.apart[c.Key] = &apart{kind: c.Kind, have: c.Before, want: c.After, err: errLeft, since: o.Now, left: true}
	}
	r.tried = still
	return rest
}

func sameChange(a, b plan.Change) bool {
	return slices.Equal(a.Before.Fields(), b.Before.Fields()) && slices.Equal(a.After.Fields(), b.After.Fields())
}

func (o Round) stale() bool { return o.Stale != nil && o.Stale() }

func (o Round) tell(d Done) {
	if o.Applied != nil {
		o.Applied(d)
	}
}

// apply makes the changes, kind by kind, so that a part can wait for what it is a part of.
func (r *Reconciler) apply(changes plan.Plan, o Round) (errs []error) {
	for len(changes) > 0 && !o.stale() {
		n := 1
		for n < len(changes) && changes[n].Kind == changes[0].Kind && (changes[n].Action == plan.Remove) == (changes[0].Action == plan.Remove) {
			n++
		}
		ready := changes[:n]
		if ready[0].Kind.ParentKind() != nil {
			ready = slices.DeleteFunc(slices.Clone(ready), func(c plan.Change) bool { return r.waits(c, o.Now) })
		}
		rest, failed := r.write(ready, o)
		errs = append(errs, failed...)
		r.postpone(rest, nil, o.Now)
		changes = changes[n:]
	}
	r.postpone(changes, nil, o.Now)
	return errs
}

// waits reports whether a change has to wait for what its object is a part of.
func (r *Reconciler) waits(c plan.Change, now time.Time) bool {
	parent := c.Kind.ParentOf(c.Key)
	a := r.apart[parent]
	if c.Action == plan.Remove || a == nil || a.have != nil {
		return false
	}
	if a := r.apart[c.Key]; a != nil {
		a.failures = 0 // it is not its fault any more
	}
	r.postpone(plan.Plan{c}, fmt.Errorf("waits for %s", parent), now)
	return true
}

// postpone notes that changes were not made.
func (r *Reconciler) postpone(changes plan.Plan, why error, now time.Time) {
	for _, c := range changes {
		if r.apart[c.Key] == nil {
			r.apart[c.Key] = &apart{kind: c.Kind, since: now}
		}
		a := r.apart[c.Key]
		a.have, a.want = c.Before, c.After
		if a.failures == 0 {
			a.err = why
		}
	}
}

// write makes changes of one kind, and returns those that it did not come to.
func (r *Reconciler) write(changes plan.Plan, o Round) (rest plan.Plan, errs []error) {
	r.journal.note(changes)
	var ops []kernel.Change
	var about []int // the change that an operation belongs to
	for i, c := range changes {
		if c.Action == plan.Replace {
			ops, about = append(ops, kernel.Change{Key: c.Key}), append(about, i)
		}
		ops, about = append(ops, kernel.Change{Key: c.Key, Object: c.After}), append(about, i)
	}
	next, whole := 0, slices.ContainsFunc(changes, plan.Change.Reorders) // half an order is none
	for j, err := range r.kernel.Apply(ops) {
		i := about[j]
		if j+1 < len(ops) && about[j+1] == i {
			continue // when it is not deleted, it cannot be set either
		}
		next = i + 1
		if err = r.finish(changes[i], err, o); err != nil {
			errs = append(errs, err)
		}
		if o.stale() && !whole {
			break
		}
	}
	return changes[next:], errs
}

// finish notes how a change went.
func (r *Reconciler) finish(c plan.Change, err error, o Round) error {
	counts, a := r.counts[c.Kind], r.apart[c.Key]
	if c.After != nil {
		r.waiting[c.Kind]--
	}
	if a != nil && a.failures > 0 {
		counts.Retries++
	}
	if err == nil {
		counts.Writes++
		done := Done{Change: c, Repair: c.Action == plan.Add && r.owns(c.Key)}
		if done.Repair {
			counts.Repairs++
		}
		delete(r.apart, c.Key)
		switch {
		case !c.Kind.Recorded():
		case c.Action == plan.Remove:
			r.release(c.Key)
		default:
			r.made[c.Key] = struct{}{}
		}
		if c.Action == plan.Replace {
			r.tried[c.Key] = attempt{Change: c}
		}
		o.tell(done)
		return nil
	}
	counts.Failures++
	if a == nil || a.failures == 0 {
		a = &apart{kind: c.Kind, since: o.Now}
		r.apart[c.Key] = a
		if at := o.Now.Add(Backoff(1)); r.again.IsZero() || at.Before(r.again) {
			r.again = at // to see what became of it; later attempts know
		}
	}
	a.failures++
	a.have, a.want, a.err, a.retry = c.Before, c.After, err, o.Now.Add(Backoff(a.failures))
	return fmt.Errorf("%s %s: %w", verb(c.Action), c.Key, err)
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

// Backoff returns how long to wait after the n-th failure in a row: 100 ms, doubled each time up to a minute.
func Backoff(n int) time.Duration {
	d := 100 * time.Millisecond
	for ; n > 1 && d < time.Minute; n-- {
		d *= 2
	}
	return min(d, time.Minute)
}

// Apply makes one change of a plan for a real server: of an address, a route, a tunnel or a setting.
func Apply(k kernel.Objects, c plan.Change) error {
	if c.Action == plan.Remove || c.Action == plan.Replace {
		if err := kernel.Delete(k, c.Key); err != nil || c.After == nil {
			return err
		}
	}
	return kernel.Set(k, c.Key, c.After)
}
