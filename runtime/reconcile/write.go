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

// An attempt is a Replace that was carried out in the last look, or has been left since.
type attempt struct {
	plan.Change
	left bool
}

// errLeft is why an object is not in place if somebody undoes it each time.
var errLeft = errors.New("was replaced, and somebody undid it; left as it is")

// undone removes the changes that were carried out and that the kernel, or somebody else, undid before this look. An
// object that is replaced over and over helps nobody.
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

// apply makes the changes, kind by kind, so that parts can wait for their parents.
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

// waits reports whether a change must wait for its object's parent.
func (r *Reconciler) waits(c plan.Change, now time.Time) bool {
	parent := c.Kind.ParentOf(c.Key)
	a := r.apart[parent]
	if c.Action == plan.Remove || a == nil || a.have != nil {
		return false
	}
	if a := r.apart[c.Key]; a != nil {
		a.failures = 0 // it no longer fails by itself
	}
	r.postpone(plan.Plan{c}, fmt.Errorf("waits for %s", parent), now)
	return true
}

// postpone records changes that were not made.
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

// write makes changes of one kind, and returns those that it did not reach.
func (r *Reconciler) write(changes plan.Plan, o Round) (rest plan.Plan, errs []error) {
	r.journal.note(changes)
	var ops []kernel.Change
	var about []int // the index of the change for each operation
	for i, c := range changes {
		if c.Action == plan.Replace {
			ops, about = append(ops, kernel.Change{Key: c.Key}), append(about, i)
		}
		ops, about = append(ops, kernel.Change{Key: c.Key, Object: c.After}), append(about, i)
	}
	next, whole := 0, slices.ContainsFunc(changes, plan.Change.Reorders) // half an order is useless
	for j, err := range r.kernel.Apply(ops) {
		i := about[j]
		if j+1 < len(ops) && about[j+1] == i {
			continue // if it is not deleted, it cannot be set either
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

// finish records the result of a change.
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
			r.again = at // to see the result; later attempts know it
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
