package lint

import (
	"fmt"
	"slices"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/compiler/solver"
	"keepc/grammar/diag"
)

// trackPeerRules are about what the instances of a group follow: trackers and sync groups.
func trackPeerRules() []Rule {
	return []Rule{
		{
			Name: "track-one-side", Severity: diag.Warning,
			Peers: trackOneSide,
		},
		{
			Name: "sync-group-mismatch", Severity: diag.Warning,
			Peers: syncGroupMismatch,
		},
		{
			Name: "sync-group-order", Severity: diag.Warning,
			Peers: syncGroupOrder,
		},
	}
}

func trackOneSide(p *peerPass) {
	for _, g := range p.elections {
		for _, kind := range []ir.TrackKind{ir.ScriptTracker, ir.ProcessTracker, ir.FileTracker, ir.BFDTracker, ir.InterfaceTracker} {
			var told []string
			for _, m := range g.Members {
				mine := watched(m, kind)
				blind := slices.DeleteFunc(slices.Clone(g.Members), func(o cluster.Member) bool {
					theirs := watched(o, kind) // names may differ if something else is tracked, and names of interfaces do
					return len(without(mine, theirs)) == 0 || len(without(theirs, mine)) > 0 || kind == ir.InterfaceTracker && len(theirs) > 0
				})
				for _, w := range solver.Watches(m.VRRPInstance) {
					if w.Kind == kind && !slices.Contains(told, w.Name) {
						told = append(told, w.Name)
						p.untracked(g, m, w, slices.DeleteFunc(slices.Clone(blind), func(o cluster.Member) bool { return slices.Contains(watched(o, kind), w.Name) }))
					}
				}
			}
		}
	}
}

// untracked reports that some members do not track what another one does.
func (p *peerPass) untracked(g *group, m cluster.Member, w solver.Watch, blind []cluster.Member) {
	if len(blind) == 0 {
		return
	}
	do, o := "does", blind[0]
	if len(blind) > 1 {
		do = "do"
	}
	p.tell(g, m, diag.Diagnostic{
		Message: fmt.Sprintf("%s tracks %v, %s %s not", p.name(m), w, p.names(blind), do),
		Span:    w.Span(), Label: "only here",
		Notes: append(note(o.Span(), named(o.VRRPInstance)+" of "+p.name(o)), diag.Note{Message: fmt.Sprintf("while %s holds %s, nobody looks at %v", p.name(o), holds(g), w)}),
	})
}

// watched lists the names of what an instance tracks of a kind, and its sync group.
func watched(m cluster.Member, kind ir.TrackKind) (names []string) {
	for _, w := range solver.Watches(m.VRRPInstance) {
		if w.Kind == kind {
			names = append(names, w.Name)
		}
	}
	return names
}

// A company is the virtual routers that move together with an instance on its node, with one word for all of them.
type company struct {
	groups []*group
	word   string
}

// together returns the company of an instance; the zero value if it moves alone.
func (p *peerPass) together(m cluster.Member) company {
	if p.companies == nil {
		p.companies = map[*ir.SyncGroup]company{}
		groups := map[*ir.SyncGroup][]*group{}
		for _, g := range p.elections {
			for _, o := range g.Members {
				groups[o.SyncGroup] = append(groups[o.SyncGroup], g)
			}
		}
		for s, all := range groups {
			if s != nil && len(all) > 1 {
				p.companies[s] = company{all, fmt.Sprint(all)}
			}
		}
	}
	return p.companies[m.SyncGroup]
}

func syncGroupMismatch(p *peerPass) {
	type pair struct{ a, b *ir.SyncGroup }
	told := map[pair]bool{}
	at := setting("vrrp_sync_group").At
	for _, g := range p.elections {
		odd(g.Members, func(m cluster.Member) string { return p.together(m).word }, func(m, o cluster.Member) {
			mine, theirs := m.SyncGroup, o.SyncGroup
			if told[pair{mine, theirs}] {
				return
			}
			told[pair{mine, theirs}] = true
			p.tell(g, m, diag.Diagnostic{
				Message: fmt.Sprintf("%s moves %s, on its peer %s %s", named(m.VRRPInstance), inCompany(mine), p.name(o), inCompany(theirs)),
				Span:    at(m), Label: "not as " + p.name(o), Notes: note(at(o), inCompany(theirs)),
				Help: "write the same vrrp_sync_group for both",
			})
		})
	}
}

// inCompany says what the members of a sync group move with.
func inCompany(s *ir.SyncGroup) string {
	if s == nil || len(s.Members) < 2 {
		return "alone"
	}
	var names []string
	for _, n := range s.Members {
		names = append(names, n.Text)
	}
	return "in a vrrp_sync_group of " + list(names)
}

func syncGroupOrder(p *peerPass) {
	told := map[*group]bool{}
	for _, g := range p.elections {
		m := g.Members[slices.IndexFunc(g.Members, func(m cluster.Member) bool {
			return p.together(m).groups != nil || m.Node == g.Members[len(g.Members)-1].Node
		})]
		first := g.first()
		for _, h := range p.together(m).groups {
			if other := h.first(); other.Node != first.Node && !told[g] {
				s := m.SyncGroup
				p.tell(g, m, diag.Diagnostic{
					Message: fmt.Sprintf("vrrp_sync_group %s: %s prefers %s, %s prefers %s", s.Name, named(first.VRRPInstance), p.name(first), named(other.VRRPInstance), p.name(other)),
					Span:    s.Span(), Label: "moves as one",
					Notes: append(note(first.At("priority"), "the highest of its group"), note(other.At("priority"), "the highest of its group")...),
				})
				told[g], told[h] = true, true
			}
		}
	}
}

// first is the member with the highest priority while all is well.
func (g *group) first() cluster.Member { return g.Members[g.election.Order()[0]] }
