package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

// electionPeerRules are about who becomes MASTER, and whether a failure changes it.
func electionPeerRules() []Rule {
	return []Rule{
		{
			Name: "equal-priority", Severity: diag.Warning, Worst: diag.Error, Loss: diag.Keeps,
			Peers: equalPriority,
		},
		{
			Name: "two-masters", Severity: diag.Warning,
			Peers: func(p *peerPass) {
				for _, g := range p.elections {
					masters := slices.DeleteFunc(slices.Clone(g.Members), func(m cluster.Member) bool { return m.State != ir.Master || !m.Has("state") })
					slices.SortStableFunc(masters, func(a, b cluster.Member) int { return cmp.Compare(b.Priority, a.Priority) })
					for _, m := range masters[min(1, len(masters)):] {
						top := masters[0]
						if m.Priority == top.Priority {
							continue // that is another finding
						}
						p.tell(g, m, diag.Diagnostic{
							Message: fmt.Sprintf("%s is \"state MASTER\", and so is %s", p.name(m), p.name(top)),
							Span:    m.At("state"), Label: "two of them",
							Notes: note(top.At("state"), p.name(top)+" is MASTER by its higher priority"),
							Help:  "write state BACKUP for " + p.name(m),
						})
					}
				}
			},
		},
		{
			Name: "backup-above-master", Severity: diag.Warning,
			Peers: backupAboveMaster,
		},
		{
			Name: "nopreempt-one-side", Severity: diag.Warning, Loss: diag.Keeps,
			Peers: nopreemptOneSide,
		},
	}
}

func equalPriority(p *peerPass) {
	for _, g := range p.elections {
		by := map[int][]cluster.Member{}
		for i, m := range g.Members {
			by[g.election.Rest(i)] = append(by[g.election.Rest(i)], m)
		}
		for i, m := range g.Members {
			rest := g.election.Rest(i)
			equal := by[rest]
			if len(equal) < 2 || equal[0].Node != m.Node {
				continue
			}
			d := diag.Diagnostic{Span: m.At("priority"), Label: "a tie"}
			every := func(test func(cluster.Member) bool) bool {
				return !slices.ContainsFunc(equal, func(m cluster.Member) bool { return !test(m) })
			}
			switch {
			case !every(func(m cluster.Member) bool { return int(m.Priority) == rest }):
				d.Message = fmt.Sprintf("%s all have priority %d while all is well", p.names(equal), rest)
			case every(func(m cluster.Member) bool { return m.State == ir.Master && m.Has("state") }):
				d.Message = fmt.Sprintf("%s are all \"state MASTER\" with priority %d", p.names(equal), rest)
			default:
				d.Message = fmt.Sprintf("%s all have priority %d", p.names(equal), rest)
			}
			if len(equal) == 2 {
				d.Message = strings.NewReplacer(" all have", " both have", " are all", " are both").Replace(d.Message)
			}
			switch {
			case rest == 255:
				d.Severity = diag.Error
			case every(func(m cluster.Member) bool { return m.NoPreempt }):
				d.Severity = diag.Info
			}
			for _, o := range equal[1:] {
				d.Notes = append(d.Notes, note(o.At("priority"), p.name(o)+" has the same")...)
			}
			d.Notes = append(d.Notes, diag.Note{Message: p.tie(equal)})
			p.tell(g, m, d)
		}
	}
}

// tie says who wins a tie.
func (p *peerPass) tie(equal []cluster.Member) string {
	winner, _ := p.Source(equal[0])
	best, all := equal[0], true
	var others []string
	for _, m := range equal {
		a, known := p.Source(m)
		all = all && known
		if winner.Less(a) {
			winner, best = a, m
		}
	}
	if !all {
		return "whoever is MASTER first stays so; a tie goes to the higher source address, which the files do not tell"
	}
	for _, m := range equal {
		if a, _ := p.Source(m); m.Node != best.Node {
			others = append(others, a.String())
		}
	}
	if slices.Contains(others, winner.String()) {
		return "whoever is MASTER first stays so; a tie goes to the higher source address, and theirs are the same"
	}
	return fmt.Sprintf("whoever is MASTER first stays so; a tie goes to the higher address, %s (%s > %s)", p.name(best), winner, strings.Join(others, ", "))
}

func backupAboveMaster(p *peerPass) {
	for _, g := range p.elections {
		for i, m := range g.Members {
			k := slices.IndexFunc(g.Members, func(o cluster.Member) bool { return o.State == ir.Master && o.Has("state") && o.Priority < m.Priority })
			if m.State != ir.Backup || !m.Has("state") || k < 0 || g.election.Rest(k) >= g.election.Rest(i) {
				continue
			}
			o := g.Members[k]
			why := "the priority decides: " + p.name(m) + " takes over from " + p.name(o)
			if m.NoPreempt {
				why = "whoever starts first becomes MASTER"
			}
			p.tell(g, m, diag.Diagnostic{
				Message: fmt.Sprintf("%s is BACKUP with priority %d, above %s, which is MASTER with %d", p.name(m), m.Priority, p.name(o), o.Priority),
				Span:    m.At("state"), Label: fmt.Sprintf("priority %d", m.Priority),
				Notes: append(note(o.At("state"), fmt.Sprintf("priority %d", o.Priority)), diag.Note{Message: why}),
				Help:  "give the MASTER the highest priority",
			})
		}
	}
}

func nopreemptOneSide(p *peerPass) {
	for _, g := range p.elections {
		top := slices.MaxFunc(g.Members, func(a, b cluster.Member) int { return cmp.Compare(a.Priority, b.Priority) })
		lazy := func(m cluster.Member) bool { return m.NoPreempt }
		with := slices.IndexFunc(g.Members, lazy)
		without := slices.IndexFunc(g.Members, func(m cluster.Member) bool { return !lazy(m) })
		if with < 0 || without < 0 || g.Members[with].Priority == g.Members[without].Priority {
			continue
		}
		m, o := g.Members[with], g.Members[without]
		d := diag.Diagnostic{
			Message: fmt.Sprintf("nopreempt is on %s and not on %s", p.name(m), p.name(o)), Severity: diag.Info,
			Span: m.At("nopreempt"), Label: "only here", Notes: note(o.Span(), p.name(o)+" takes the role from a lower priority"),
		}
		if !top.NoPreempt {
			if top.Has("nopreempt") || top.Priority == 255 {
				continue // it has no effect there, which is a different finding, or could not have one
			}
			d.Severity = diag.Warning
			d.Message = fmt.Sprintf("nopreempt is on %s and not on %s, which has the higher priority and takes the role back", p.name(m), p.name(top))
			d.Label, d.Notes = "on the wrong side", note(top.At("priority"), "the higher priority")
			d.Help = "write nopreempt for " + p.name(top) + ", or for all"
		}
		if p.blocked(g) {
			continue // because of this nopreempt a weight has no effect; that finding says more
		}
		p.tell(g, m, d)
	}
}
