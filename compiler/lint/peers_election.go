package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/compiler/solver"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// electionPeerRules are about who becomes MASTER, and whether anything that fails changes it.
func electionPeerRules() []Rule {
	return []Rule{
		{
			Name: "equal-priority", Severity: diag.Warning,
			Title: "Two routers of a group have one priority.",
			Text: "Whoever is MASTER first stays so. When both start at once, both become MASTER, and the lower source address yields; when a third " +
				"one fails, both take over at the same moment. Two routers that both have nopreempt may be equal on purpose; two owners of the " +
				"addresses (priority 255) never are.",
			Bad:   instanceText("    priority 100\n"),
			Good:  pair(""),
			Peers: equalPriority,
		},
		{
			Name: "two-masters", Severity: diag.Warning,
			Title: "Two routers of a group start as MASTER.",
			Text: "state MASTER shortens the time for which a router listens at its start. With two of them that start together, both become MASTER, " +
				"and the lower priority yields a moment later. Exactly one router of a group is MASTER, the one with the highest priority.",
			Bad:  pair("    state MASTER\n"),
			Good: pair("@lb1 state MASTER\n@lb2 state BACKUP\n"),
			Peers: func(p *peerPass) {
				for _, g := range p.elections {
					masters := slices.DeleteFunc(slices.Clone(g.Members), func(m cluster.Member) bool { return m.State != ir.Master || !m.Has("state") })
					slices.SortStableFunc(masters, func(a, b cluster.Member) int { return cmp.Compare(b.Priority, a.Priority) })
					for _, m := range masters[min(1, len(masters)):] {
						top := masters[0]
						if m.Priority == top.Priority {
							continue // that is another finding
						}
						p.about(g, m, diag.Diagnostic{
							Message: fmt.Sprintf("%s and %s are both \"state MASTER\"", p.name(top), p.name(m)),
							Span:    m.At("state"), Label: "two of them",
							Notes: append(note(top.At("state"), p.name(top)+" is MASTER by its higher priority"), diag.Note{Message: "when they start together, both hold the addresses for a moment"}),
							Help:  "write state BACKUP for " + p.name(m),
						})
					}
				}
			},
		},
		{
			Name: "backup-above-master", Severity: diag.Warning,
			Title: "A BACKUP has a higher priority than the MASTER of its group.",
			Text: "state says who asks first, priority who wins. The MASTER takes the addresses at its start and loses them as soon as the other one " +
				"runs, unless that one has nopreempt.",
			Bad:  instanceText("@lb1 state MASTER\n@lb1 priority 100\n@lb2 state BACKUP\n@lb2 priority 150\n"),
			Good: pair("@lb1 state MASTER\n@lb2 state BACKUP\n"),
			Peers: func(p *peerPass) {
				for _, g := range p.elections {
					for _, m := range g.Members {
						i := slices.IndexFunc(g.Members, func(o cluster.Member) bool {
							return o.State == ir.Master && o.Has("state") && o.Priority < m.Priority
						})
						if m.State != ir.Backup || !m.Has("state") || i < 0 {
							continue
						}
						o := g.Members[i]
						d := diag.Diagnostic{
							Message: fmt.Sprintf("%s is BACKUP with priority %d, above %s, which is MASTER with %d", p.name(m), m.Priority, p.name(o), o.Priority),
							Span:    m.At("state"), Label: fmt.Sprintf("priority %d", m.Priority),
							Notes: append(note(o.At("state"), fmt.Sprintf("priority %d", o.Priority)), diag.Note{Message: "the priority decides: " + p.name(m) + " takes over from " + p.name(o)}),
							Help:  "give the MASTER the highest priority",
						}
						if m.NoPreempt {
							d.Notes[1].Message = "whoever starts first becomes MASTER"
						}
						p.about(g, m, d)
					}
				}
			},
		},
		{
			Name: "nopreempt-one-side", Severity: diag.Warning,
			Title: "nopreempt stands on one router of a group, or on the wrong one.",
			Text: "A router with nopreempt does not take the role from a living MASTER. It belongs on the router with the higher priority, which would " +
				"take the role back after a repair; most people write it on all. On the other router alone it changes nothing while all is well.",
			Bad:   pair("@lb2 nopreempt\n"),
			Good:  pair("    nopreempt\n"),
			Peers: nopreemptOneSide,
		},
		{
			Name: "order-at-rest", Severity: diag.Warning,
			Title: "The weights of trackers put another router first than the priorities do.",
			Text: "A positive weight is added while its tracker is well, a negative one with reverse, too. So the router with the highest priority in " +
				"the file need not be the one that becomes MASTER.",
			Bad:  scriptText + pair("@lb2 track_script {\n@lb2     web weight 60\n@lb2 }\n@lb1 track_script {\n@lb1     web weight 2\n@lb1 }\n"),
			Good: scriptText + pair("    track_script {\n        web weight 60\n    }\n"),
			Peers: func(p *peerPass) {
				for _, g := range p.elections {
					top, first := 0, g.election.Order()[0]
					for i, m := range g.Members {
						if m.Priority > g.Members[top].Priority {
							top = i
						}
					}
					m, o := g.Members[first], g.Members[top]
					if m.Priority == o.Priority || g.election.Rest(first) <= g.election.Rest(top) {
						continue
					}
					p.about(g, m, diag.Diagnostic{
						Message: fmt.Sprintf("while all is well %s has priority %d, above the %d of %s", p.name(m), g.election.Rest(first), g.election.Rest(top), p.name(o)),
						Span:    m.At("priority"), Label: fmt.Sprintf("%+d by its trackers", g.election.Rest(first)-int(m.Priority)),
						Notes: append(note(o.At("priority"), fmt.Sprintf("%+d by its trackers", g.election.Rest(top)-int(o.Priority))), p.assumptions(g)...),
					})
				}
			},
		},
		{
			Name: "dead-weight", Severity: diag.Warning,
			Title: "The weight of a tracker cannot take the role from its router.",
			Text: "keepc tries all combinations of failed trackers and routers of the group: the failure of this tracker never leaves its router with " +
				"less than another one has. The weight must be greater than the gap between the priorities, for equals do not take over.",
			Bad:  scriptText + pair("    track_script {\n        web weight -20\n    }\n"),
			Good: scriptText + pair("    track_script {\n        web weight -60\n    }\n"),
			Peers: func(p *peerPass) {
				p.verdicts(func(v verdict) {
					if !v.moves && !v.nobody {
						p.about(v.group, v.member, v.dead(p))
					}
				})
			},
		},
		{
			Name: "weak-weight", Severity: diag.Warning,
			Title: "The weight of a tracker takes the role from its router only when something else fails, too.",
			Text: "One failure alone leaves the router with more than the others have. This may be meant, where only several failures together are " +
				"reason enough.",
			Bad:   scriptText + pair("    track_script {\n        web weight -30\n    }\n    track_interface {\n        eth1 weight -30\n    }\n"),
			Good:  scriptText + pair("    track_script {\n        web weight -60\n    }\n    track_interface {\n        eth1 weight -60\n    }\n"),
			Peers: weakWeight,
		},
		{
			Name: "track-one-side", Severity: diag.Warning,
			Title: "A tracker stands on one router of a group only.",
			Text:  "When the other router holds the addresses, nobody looks: what the tracker would notice there does not move them back.",
			Bad:   at1(scriptText) + pair("@lb1 track_script {\n@lb1     web weight -60\n@lb1 }\n"),
			Good:  scriptText + pair("    track_script {\n        web weight -60\n    }\n"),
			Peers: trackOneSide,
		},
		{
			Name: "sync-group-mismatch", Severity: diag.Warning,
			Title: "The members of a vrrp_sync_group move together on one router and not on another one.",
			Text:  "After a failure of one of them the group may be MASTER in part on each router, which is what a sync group is there to avoid.",
			Bad:   twoPair + "@lb1 vrrp_sync_group G {\n@lb1     group {\n@lb1         VI_1\n@lb1         VI_2\n@lb1     }\n@lb1 }\n",
			Good:  twoPair + "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}\n",
			Peers: syncGroupMismatch,
		},
		{
			Name: "sync-group-order", Severity: diag.Warning,
			Title: "The members of a vrrp_sync_group prefer different routers.",
			Text: "A sync group becomes MASTER when every member wants it, and leaves the role when one member does. With the first place of one member " +
				"here and of another one there, no router can hold the group for long.",
			Bad:   strings.Replace(twoPair, "@lb2 priority 100", "@lb2 priority 200", 1) + "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}\n",
			Good:  twoPair + "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}\n",
			Peers: syncGroupOrder,
		},
	}
}

// twoPair is two instances of two directors that back each other up.
var twoPair = pair("") + "vrrp_instance VI_2 {\n    interface eth0\n    virtual_router_id 8\n@lb1 priority 150\n@lb2 priority 100\n    virtual_ipaddress {\n        192.0.2.11/24\n    }\n}\n"

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
			p.about(g, m, d)
		}
	}
}

// tie says who wins one.
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
	return fmt.Sprintf("whoever is MASTER first stays so; a tie goes to the higher address, %s (%s > %s)", p.name(best), winner, strings.Join(others, ", "))
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
				continue // it has no effect there, which is another finding; or it could have none
			}
			d.Severity = diag.Warning
			d.Message = fmt.Sprintf("nopreempt is on %s and not on %s, which has the higher priority and takes the role back", p.name(m), p.name(top))
			d.Label, d.Notes = "on the wrong side", note(top.At("priority"), "the higher priority")
			d.Help = "write nopreempt for " + p.name(top) + ", or for all"
		}
		p.about(g, m, d)
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

// verdicts calls f for every tracker whose weight counts, but for those of the last router, from which nobody could take over, of
// owners, and of files, which may hold any number.
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
				if w.Weight.N == 0 || w.Kind == "track_file" {
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

// dead tells that no failure of the tracker moves anything.
func (v verdict) dead(p *peerPass) diag.Diagnostic {
	e, w := v.group.election, v.watch()
	d := diag.Diagnostic{
		Message: fmt.Sprintf("no failure of %v can ever move %s from %s", w, holds(v.group), p.name(v.member)),
		Span:    v.at(), Label: fmt.Sprintf("leaves %s with %d", p.name(v.member), e.After(v.router, v.tracker)),
		Help: "a tracker without weight is a FAULT, which always moves the address; a weight must exceed the gap between the priorities",
	}
	if w.Ignored != nil {
		d.Label = "ignored"
		d.Notes = note(w.Ignored.Span(), "without sync_group_tracking_weight the members' weights do not count")
		d.Help = "write sync_group_tracking_weight into the group, or no weight: a failure is then a FAULT"
		return d
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
		var failed []string
		own := 0
		for _, f := range v.move.Failures {
			failed = append(failed, v.group.election.Name(p.Cluster, f))
			if f.Tracker != solver.Gone {
				own++
			}
		}
		slices.Sort(failed)
		key := fmt.Sprintf("%p %d %v", v.group, v.router, failed)
		if !v.moves || own < 2 || told[key] {
			return
		}
		told[key] = true
		next := v.group.Members[v.move.To]
		p.about(v.group, v.member, diag.Diagnostic{
			Message: fmt.Sprintf("%s can outrank %s only when %d things fail: %s", p.name(next), p.name(v.member), len(failed), list(failed)),
			Span:    v.at(), Label: fmt.Sprintf("alone leaves %s with %d", p.name(v.member), v.group.election.After(v.router, v.tracker)),
			Notes: append(note(next.At("priority"), fmt.Sprintf("%s has %d", p.name(next), v.group.election.Rest(v.move.To))), p.assumptions(v.group)...),
		})
	})
}

// assumptions says what keepc could not know about an election.
func (p *peerPass) assumptions(g *group) []diag.Note {
	for _, watches := range g.election.Watches {
		if slices.ContainsFunc(watches, func(w solver.Watch) bool { return w.Kind == "track_file" && w.Weight.N != 0 }) {
			return []diag.Note{{Message: "tracked files are taken to hold 0 while all is well"}}
		}
	}
	return nil
}

// nobodyPreempts is nopreempt-weight where the peers are known.
func nobodyPreempts(p *peerPass) {
	p.verdicts(func(v verdict) {
		if v.moves || !v.nobody || v.watch().Ignored != nil {
			return
		}
		i := slices.IndexFunc(v.group.Members, func(o cluster.Member) bool { return o.Node != v.member.Node })
		o := v.group.Members[i]
		p.about(v.group, v.member, diag.Diagnostic{
			Message: fmt.Sprintf("the weight of %v cannot move %s from %s: no other router preempts", v.watch(), holds(v.group), p.name(v.member)),
			Span:    v.at(), Label: "moves nothing", Notes: note(o.At("nopreempt"), p.name(o)+" does not take over from a living MASTER"),
			Help: "drop the weight: a failure is then a FAULT, after which the others take over",
		})
	})
}

func trackOneSide(p *peerPass) {
	for _, g := range p.elections {
		for _, word := range []string{"track_script", "track_process", "track_file", "track_bfd", "track_interface"} {
			var told []string
			for _, m := range g.Members {
				mine := watched(m, word)
				blind := slices.DeleteFunc(slices.Clone(g.Members), func(o cluster.Member) bool {
					theirs := watched(o, word) // names may differ where something else is tracked, and those of interfaces do
					return len(without(mine, theirs)) == 0 || len(without(theirs, mine)) > 0 || word == "track_interface" && len(theirs) > 0
				})
				for _, w := range solver.Watches(m.Config, m.VRRPInstance) {
					if w.Kind == word && !slices.Contains(told, w.Name) {
						told = append(told, w.Name)
						p.untracked(g, m, w, slices.DeleteFunc(slices.Clone(blind), func(o cluster.Member) bool { return slices.Contains(watched(o, word), w.Name) }))
					}
				}
			}
		}
	}
}

// untracked tells that some members do not look at what another one tracks.
func (p *peerPass) untracked(g *group, m cluster.Member, w solver.Watch, blind []cluster.Member) {
	if len(blind) == 0 {
		return
	}
	do, o := "does", blind[0]
	if len(blind) > 1 {
		do = "do"
	}
	p.about(g, m, diag.Diagnostic{
		Message: fmt.Sprintf("%s tracks %v, %s %s not", p.name(m), w, p.names(blind), do),
		Span:    w.Span(), Label: "only here",
		Notes: append(note(o.Span(), named(o.VRRPInstance)+" of "+p.name(o)), diag.Note{Message: fmt.Sprintf("while %s holds %s, nobody looks at %v", p.name(o), holds(g), w)}),
	})
}

// watched lists the names that an instance tracks in blocks of one keyword, those of its sync group too.
func watched(m cluster.Member, word string) (names []string) {
	for _, w := range solver.Watches(m.Config, m.VRRPInstance) {
		if w.Kind == word {
			names = append(names, w.Name)
		}
	}
	return names
}

// together lists the virtual routers that move with an instance on its node; nil where it moves alone.
func (p *peerPass) together(m cluster.Member) (all []*group) {
	s := syncGroup(m)
	if s == nil {
		return nil
	}
	for _, g := range p.elections {
		if slices.ContainsFunc(g.Members, func(o cluster.Member) bool { return o.Node == m.Node && syncGroup(o) == s }) {
			all = append(all, g)
		}
	}
	if len(all) < 2 {
		return nil
	}
	return all
}

func syncGroupMismatch(p *peerPass) {
	type pair struct{ a, b *ir.SyncGroup }
	told := map[pair]bool{}
	at := setting("vrrp_sync_group").At
	for _, g := range p.elections {
		odd(g.Members, func(m cluster.Member) string { return fmt.Sprint(p.together(m)) }, func(m, o cluster.Member) {
			mine, theirs := syncGroup(m), syncGroup(o)
			if told[pair{mine, theirs}] {
				return
			}
			told[pair{mine, theirs}] = true
			p.about(g, m, diag.Diagnostic{
				Message: fmt.Sprintf("%s moves %s, on its peer %s %s", named(m.VRRPInstance), company(mine), p.name(o), company(theirs)),
				Span:    at(m), Label: "not as " + p.name(o), Notes: note(at(o), company(theirs)),
				Help: "write the same vrrp_sync_group in both files",
			})
		})
	}
}

// company says with what the members of a sync group move.
func company(s *ir.SyncGroup) string {
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
		m := g.Members[slices.IndexFunc(g.Members, func(m cluster.Member) bool { return p.together(m) != nil || m.Node == g.Members[len(g.Members)-1].Node })]
		first := g.first()
		for _, h := range p.together(m) {
			if other := h.first(); other.Node != first.Node && !told[g] {
				s := syncGroup(m)
				p.about(g, m, diag.Diagnostic{
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
