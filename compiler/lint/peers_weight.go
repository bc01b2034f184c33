package lint

import (
	"fmt"
	"slices"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/compiler/solver"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// weightPeerRules are about the effects of tracker weights on an election, which package solver computes.
func weightPeerRules() []Rule {
	return []Rule{
		{
			Name: "order-at-rest", Severity: diag.Warning,
			Peers: orderAtRest,
		},
		{
			Name: "dead-weight", Severity: diag.Warning,
			Peers: deadWeight,
		},
		{
			Name: "weak-weight", Severity: diag.Warning,
			Peers: weakWeight,
		},
	}
}

func orderAtRest(p *peerPass) {
	for _, g := range p.elections {
		top, first := 0, g.election.Order()[0]
		for i, m := range g.Members {
			if m.Priority > g.Members[top].Priority {
				top = i
			}
		}
		m, o := g.Members[first], g.Members[top]
		meant := m.State == ir.Master && o.State == ir.Backup // the states say so, too
		if m.Priority == o.Priority || g.election.Rest(first) <= g.election.Rest(top) || meant {
			continue
		}
		p.tell(g, m, diag.Diagnostic{
			Message: fmt.Sprintf("while all is well %s has priority %d, above the %d of %s", p.name(m), g.election.Rest(first), g.election.Rest(top), p.name(o)),
			Span:    m.At("priority"), Label: fmt.Sprintf("%+d by its trackers", g.election.Rest(first)-int(m.Priority)),
			Notes: append(note(o.At("priority"), fmt.Sprintf("%+d by its trackers", g.election.Rest(top)-int(o.Priority))), p.assumptions(g)...),
		})
	}
}

// A verdict says what the failure of a tracker with a weight does.
type verdict struct {
	group   *group
	member  cluster.Member
	router  int // of the election
	tracker int
	move    solver.Move
	moves   bool
	nobody  bool // because all others have nopreempt
}

// verdicts calls f for every tracker whose weight counts, except those of the last router, from which nobody could
// take over, those of owners, and files, which may hold any number.
func (p *peerPass) verdicts(f func(verdict)) {
	for _, g := range p.elections {
		order := g.election.Order()
		for _, r := range order[:len(order)-1] {
			m := g.Members[r]
			if m.Priority == 255 {
				continue
			}
			nobody := !slices.ContainsFunc(g.Members, func(o cluster.Member) bool { return o.Node != m.Node && !o.NoPreempt })
			for t, w := range g.election.Watches[r] {
				if w.Weight.N == 0 || w.Kind == ir.FileTracker {
					continue
				}
				move, moves := g.election.Move(r, t)
				f(verdict{g, m, r, t, move, moves, nobody})
			}
		}
	}
}

func (v verdict) watch() solver.Watch { return v.group.election.Watches[v.router][v.tracker] }

// at is the line of the tracker.
func (v verdict) at() source.Span { return v.watch().Span() }

// blocked reports whether nobody takes over because of nopreempt.
func (v verdict) blocked() bool { return !v.moves && v.nobody && v.watch().Ignored == nil }

// blocked reports whether nopreempt makes a weight of a group dead.
func (p *peerPass) blocked(g *group) (found bool) {
	p.verdicts(func(v verdict) { found = found || v.group == g && v.blocked() })
	return found
}

// deadWeight reports a weight that a sync group ignores, once for each line, whatever members the group has.
func deadWeight(p *peerPass) {
	type line struct {
		node int
		at   place
	}
	told := map[line]bool{}
	p.verdicts(func(v verdict) {
		here := line{v.member.Node, placeOf(v.at())}
		switch {
		case v.moves || v.blocked():
		case v.watch().Ignored == nil:
			p.tell(v.group, v.member, v.dead(p))
		case !told[here]:
			told[here] = true
			p.tell(v.group, v.member, v.ignored())
		}
	})
}

// ignored reports that the sync group of the tracker ignores weights.
func (v verdict) ignored() diag.Diagnostic {
	w := v.watch()
	return diag.Diagnostic{
		Message: fmt.Sprintf("no failure of %v can ever move an address of %s", w, w.Ignored.Name),
		Span:    v.at(), Label: "ignored",
		Notes: note(w.Ignored.Span(), "without sync_group_tracking_weight the members' weights do not count"),
		Help:  "write sync_group_tracking_weight into the group, or no weight: a failure is then a FAULT",
	}
}

// weightHelp says how a failure moves the role.
const weightHelp = "a weight must exceed the gap between the priorities; a tracker without weight is a FAULT, which always moves the address"

// dead reports that no failure of the tracker moves a role.
func (v verdict) dead(p *peerPass) diag.Diagnostic {
	e, w := v.group.election, v.watch()
	d := diag.Diagnostic{
		Message: fmt.Sprintf("no failure of %v can ever move %s from %s", w, holds(v.group), p.name(v.member)),
		Span:    v.at(), Label: fmt.Sprintf("leaves %s with %d", p.name(v.member), e.After(v.router, v.tracker)),
		Help: weightHelp,
	}
	next, most := -1, 0
	for i, o := range v.group.Members {
		if i != v.router && !o.NoPreempt && o.Priority != 255 && e.Most(i) > most && (next < 0 || e.Rest(i) <= e.Rest(v.router)) {
			next, most = i, e.Most(i)
		}
	}
	if next >= 0 {
		o := v.group.Members[next]
		says := fmt.Sprintf("%s has %d", p.name(o), most)
		if most > e.Rest(next) {
			says += " at most"
		}
		if most == e.After(v.router, v.tracker) {
			says += ", and equals do not take over"
		}
		d.Notes = note(o.At("priority"), says)
	}
	d.Notes = append(d.Notes, p.assumptions(v.group)...)
	return d
}

func weakWeight(p *peerPass) {
	told := map[string]bool{}
	p.verdicts(func(v verdict) {
		e := v.group.election
		above := func(r int) bool { return r != v.router && e.Rest(r) >= e.Rest(v.router) }
		needed := slices.DeleteFunc(slices.Clone(v.move.Failures), func(f solver.Failure) bool {
			return above(f.Router) // a router above must be gone before this one can have the role at all
		})
		var failed []string
		for _, f := range needed {
			failed = append(failed, e.Name(p.Cluster, f))
		}
		slices.Sort(failed)
		key := fmt.Sprintf("%p %d %v", v.group, v.router, failed)
		if !v.moves || len(needed) < 2 || told[key] {
			return
		}
		told[key] = true
		next := v.group.Members[v.move.To]
		d := diag.Diagnostic{
			Message: fmt.Sprintf("%s can outrank %s only when %d things fail: %s", p.name(next), p.name(v.member), len(failed), list(failed)),
			Span:    v.at(), Label: fmt.Sprintf("alone leaves %s with %d", p.name(v.member), e.After(v.router, v.tracker)),
			Notes: append(note(next.At("priority"), fmt.Sprintf("%s has %d", p.name(next), e.Rest(v.move.To))), p.assumptions(v.group)...),
			Help:  weightHelp,
		}
		if v.others() { // each one alone does what this one does not
			d.Severity = diag.Info
			d.Message = fmt.Sprintf("the failure of %v moves %s from %s only together with another one: %s", v.watch(), holds(v.group), p.name(v.member), list(failed))
		}
		p.tell(v.group, v.member, d)
	})
}

// others reports whether another tracker of the router moves the role by itself.
func (v verdict) others() bool {
	for t, w := range v.group.election.Watches[v.router] {
		if w.Kind == ir.FileTracker && w.Weight.N != 0 && w.Ignored == nil {
			return true
		}
		if move, moves := v.group.election.Move(v.router, t); moves && len(move.Failures) < 2 {
			return true
		}
	}
	return false
}

// assumptions says what keepc could not know about an election.
func (p *peerPass) assumptions(g *group) []diag.Note {
	for _, watches := range g.election.Watches {
		if slices.ContainsFunc(watches, func(w solver.Watch) bool { return w.Kind == ir.FileTracker && w.Weight.N != 0 }) {
			return []diag.Note{{Message: "tracked files are taken to hold 0 while all is well"}}
		}
	}
	return nil
}

// nobodyPreempts is nopreempt-weight for known peers.
func nobodyPreempts(p *peerPass) {
	p.verdicts(func(v verdict) {
		if !v.blocked() {
			return
		}
		i := slices.IndexFunc(v.group.Members, func(o cluster.Member) bool { return o.Node != v.member.Node })
		o := v.group.Members[i]
		p.tell(v.group, v.member, diag.Diagnostic{
			Message: fmt.Sprintf("the weight of %v cannot move %s from %s: no other router preempts", v.watch(), holds(v.group), p.name(v.member)),
			Span:    v.at(), Label: "moves no address", Notes: note(o.At("nopreempt"), p.name(o)+" does not take over from a living MASTER"),
			Help: "drop the weight: a failure is then a FAULT, after which the others take over",
		})
	})
}
