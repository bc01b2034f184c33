// Package solver finds what failures can do to the election of a virtual router: which effective priorities each
// router can reach, which failures take it there, and which of them can move the role.
//
// It covers all combinations and is exact for any number of routers and trackers, because it need not try them one by
// one: what counts of a router's trackers is their sum, which has few values, and routers fail independently.
package solver

import (
	"cmp"
	"slices"

	"keepc/compiler/ir"
)

// A Router is one member of a virtual router.
type Router struct {
	Priority  uint8 // as in the file; 255 owns the addresses and ignores its trackers
	NoPreempt bool
	Trackers  []Tracker // those that change the priority; that anything else may take the router out of the election is assumed
}

// A Tracker is a script, interface, file, process or BFD session that changes the priority.
type Tracker struct {
	// Adds are the values that it may add to the priority: the first while all is well, each of the others after one
	// failure.
	Adds []int
}

// A Failure is a router that is gone, or a tracker of it whose result is not that while all is well.
type Failure struct {
	Router  int
	Tracker int // Gone: the router itself
}

// Gone means the router itself instead of one of its trackers.
const Gone = -1

// A Move is the role moving from one router to another when one more thing fails.
type Move struct {
	To       int
	Failures []Failure // everything that has failed by then, the last failure last
}

// An Election is the routers of a group.
type Election struct {
	routers []Router
	reach   [][]*path // by router and effective priority: the fewest failures that lead there
}

// New returns the election of some routers.
func New(routers []Router) *Election {
	e := &Election{routers: routers}
	for _, r := range routers {
		by := make([]*path, ir.OwnerPriority+1)
		for _, s := range r.sums(Gone) {
			if p := r.effective(s.add); s.path.better(by[p]) {
				by[p] = s.path
			}
		}
		e.reach = append(e.reach, by)
	}
	return e
}

// effective is the priority of a router whose trackers add a sum.
func (r Router) effective(add int) int { return int(ir.EffectivePriority(r.Priority, add)) }

// Rest returns the effective priority of a router while all is well.
func (e *Election) Rest(router int) int {
	add := 0
	for _, t := range e.routers[router].Trackers {
		add += t.Adds[0]
	}
	return e.routers[router].effective(add)
}

// Order returns the routers by their priority while all is well, the highest first; equal ones in the order of the
// files.
func (e *Election) Order() []int {
	order := make([]int, len(e.routers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(e.Rest(b), e.Rest(a)) })
	return order
}

// Move returns the fewest failures of which the last, that of the tracker, takes the role from its router: before it
// the router could be MASTER, because no preempting router had a higher priority, and after it one has. false: no
// combination does that.
func (e *Election) Move(router, tracker int) (Move, bool) {
	r, best := e.routers[router], Move{To: Gone}
	adds := r.Trackers[tracker].Adds
	for _, s := range r.sums(tracker) {
		for hi, before := range adds {
			for lo, after := range adds {
				from, to := r.effective(s.add+before), r.effective(s.add+after)
				if hi == lo || from <= to {
					continue
				}
				next, others, ok := e.successor(router, to, from)
				if !ok {
					continue
				}
				all := append(s.path.failures(router), others...)
				if lo != 0 {
					all = append(all, Failure{router, tracker})
				}
				if best.To == Gone || len(all) < len(best.Failures) {
					best = Move{next, all}
				}
			}
		}
	}
	return best, best.To != Gone
}

// successor returns who takes over from a router whose priority falls from one value to another, and the fewest
// failures of all other routers that allow it.
func (e *Election) successor(router, left, had int) (next int, failures []Failure, ok bool) {
	next = Gone
	for b := range e.routers {
		if b == router || e.routers[b].NoPreempt {
			continue
		}
		p := e.between(b, left, had)
		if p == nil {
			continue
		}
		all := p.failures(b)
		for c, other := range e.routers {
			if c != router && c != b && !other.NoPreempt { // a router that does not preempt may have any priority
				all = append(all, e.below(c, had)...)
			}
		}
		if next == Gone || len(all) < len(failures) {
			next, failures = b, all
		}
	}
	return next, failures, next != Gone
}

// between returns the fewest failures that give a router a priority above one and not above another; nil: none do.
func (e *Election) between(router, above, upTo int) (best *path) {
	for _, p := range e.reach[router][above+1 : upTo+1] {
		if p.better(best) {
			best = p
		}
	}
	return best
}

// below returns the fewest failures after which a router has no priority above one. Being gone is always one of them.
func (e *Election) below(router, upTo int) []Failure {
	if p := e.between(router, 0, upTo); p != nil && p.cost == 0 {
		return nil
	}
	return []Failure{{router, Gone}}
}

// A sum is what some trackers add together, and the fewest failures that lead to it.
type sum struct {
	add  int
	path *path
}

// sums returns every sum that the trackers of a router, except one, can add together, in rising order.
func (r Router) sums(without int) (all []sum) {
	least, by := 0, []*path{{}} // by sum, from the least one on; nil: nothing adds up to it
	for i, t := range r.Trackers {
		if i == without {
			continue
		}
		low, high := slices.Min(t.Adds), slices.Max(t.Adds)
		next := make([]*path, len(by)+high-low)
		for at, rest := range by {
			if rest == nil {
				continue
			}
			for k, add := range t.Adds {
				to, p := &next[at+add-low], rest
				if k > 0 {
					if *to != nil && (*to).cost <= rest.cost+1 {
						continue
					}
					p = &path{rest.cost + 1, i, rest}
				}
				if p.better(*to) {
					*to = p
				}
			}
		}
		least, by = least+low, next
	}
	for at, p := range by {
		if p != nil {
			all = append(all, sum{least + at, p})
		}
	}
	return all
}

// A path is failed trackers of one router, the last one first.
type path struct {
	cost    int
	tracker int
	rest    *path // nil: nothing has failed
}

// better reports whether a path has fewer failures than another; nil is not a path.
func (p *path) better(than *path) bool { return p != nil && (than == nil || p.cost < than.cost) }

func (p *path) failures(router int) (all []Failure) {
	for ; p.rest != nil; p = p.rest {
		all = append(all, Failure{router, p.tracker})
	}
	slices.Reverse(all)
	return all
}

// After returns the lowest effective priority of a router after the failure of one tracker and nothing else.
func (e *Election) After(router, tracker int) int {
	r, rest := e.routers[router], 0
	for i, t := range r.Trackers {
		if i != tracker {
			rest += t.Adds[0]
		}
	}
	return r.effective(rest + slices.Min(r.Trackers[tracker].Adds))
}

// Most returns the highest effective priority that a router can have.
func (e *Election) Most(router int) int {
	for p := ir.OwnerPriority; p > 0; p-- {
		if e.reach[router][p] != nil {
			return p
		}
	}
	return 0
}
