package lint

import (
	"fmt"
	"slices"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// weightRules are about what trackers add to a priority.
func weightRules() []Rule {
	return []Rule{
		{
			Name: "nopreempt-weight", Severity: diag.Warning, Peers: nobodyPreempts,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for t := range v.Trackers() {
						if v.NoPreempt && t.Kind != ir.FileTracker && t.Weight.N != 0 && weightless(v, t) == nil {
							p.report(t.Span(), "the weight of "+t.Name+" moves no role from "+named(v)+" if its peers have nopreempt, too", "no one would take over").Notes = note(v.At("nopreempt"), "as this router has")
						}
					}
				}
			},
		},
		{
			Name: "owner-weight", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for t := range v.Trackers() {
						if v.Priority != 255 || t.Weight.N == 0 {
							continue
						}
						d := p.report(t.Span(), "the weight of "+t.Name+" has no effect on "+named(v), "ignored")
						if v.Has("priority") {
							d.Notes = note(v.At("priority"), "the owner of the addresses")
						} else {
							d.Notes = note(v.At("state"), "without a priority this is the owner of the addresses")
						}
					}
				}
			},
		},
		{
			Name: "weight-clamped", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for t := range v.Trackers() {
						n := int(v.Priority) + t.Weight.N
						if t.Kind == ir.FileTracker || v.Priority == 255 || t.Weight.N == 0 || n == int(ir.EffectivePriority(v.Priority, t.Weight.N)) || weightless(v, t) != nil {
							continue
						}
						d := p.report(t.Span(), fmt.Sprintf("priority %d and the weight %d of %s make %d", v.Priority, t.Weight.N, t.Name, n), fmt.Sprintf("%d is used", ir.EffectivePriority(v.Priority, t.Weight.N)))
						if v.Has("priority") {
							d.Notes = note(v.At("priority"), "the priority")
						}
					}
				}
			},
		},
		{
			Name: "weight-taken-back", Severity: diag.Info,
			Check: func(p *pass) {
				own := p.weights()
				for _, v := range p.Instances {
					for t := range v.Trackers() {
						if t.Kind != ir.InterfaceTracker && t.Kind != ir.FileTracker && t.Weight.N == 0 && own[t.Name] != 0 {
							p.report(t.Span(), fmt.Sprintf("%s has weight %d, and 0 in %s", t.Name, own[t.Name], named(v)), "its failure is a FAULT")
						}
					}
				}
			},
		},
		{
			Name: "sync-weight", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for t := range v.Trackers() {
						g := unweighing(v, t)
						switch {
						case g == nil:
						case t.Kind == ir.InterfaceTracker:
							d := p.report(t.Span(), fmt.Sprintf("keepalived says that it ignores the weight of %s in %s, a member of %s", t.Name, named(v), g.Name), "it counts all the same")
							d.Severity, d.Loss, d.Notes = diag.Warning, 0, note(g.Span(), "the sync group")
							d.Help = "write sync_group_tracking_weight into the group, or delete the weight: a failure is then a FAULT"
						case t.Kind == ir.FileTracker:
							d := p.report(t.Span(), fmt.Sprintf("the weight of %s does not count in %s, a member of %s", t.Name, named(v), g.Name), "any number but 0 is a FAULT")
							d.Loss, d.Notes = diag.GoesOnWith, note(g.Span(), "the sync group")
							d.Help = "write sync_group_tracking_weight into the group, or weight 0"
						case len(g.Members) > 1:
							d := p.report(t.Span(), fmt.Sprintf("%s has a weight and is not tracked in %s, a member of %s", t.Name, named(v), g.Name), "dropped: its failure is not a FAULT either")
							d.Notes = note(g.Span(), "the sync group")
							d.Help = "delete the weight, or write sync_group_tracking_weight into the group"
						default:
							d := p.report(t.Span(), fmt.Sprintf("the weight of %s does nothing in %s, the member of %s", t.Name, named(v), g.Name), "its failure moves no address")
							d.Severity, d.Notes = diag.Warning, note(g.Span(), "the sync group")
							d.Help = "delete the sync group"
						}
					}
				}
			},
		},
		{
			Name: "tracked-in-group", Severity: diag.Error, Loss: diag.Keeps,
			Check: func(p *pass) {
				for _, g := range p.SyncGroups {
					if len(g.TrackInterfaces) == 0 {
						continue
					}
					member := map[string]bool{}
					for _, m := range g.Members {
						member[m.Text] = true
					}
					for _, v := range p.Instances {
						if !member[v.Name] {
							continue
						}
						for _, t := range v.TrackInterfaces {
							if i := slices.IndexFunc(g.TrackInterfaces, func(o ir.Track) bool { return o.Name == t.Name }); i >= 0 {
								p.report(t.Span(), t.Name+" is tracked by "+named(v)+" and by its sync group "+g.Name, "remove one of the two").Notes = note(g.TrackInterfaces[i].Span(), "the sync group")
							}
						}
					}
				}
			},
		},
		{
			Name: "tracked-twice", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, list := range [][]ir.Track{v.TrackInterfaces, v.TrackScripts, v.TrackFiles, v.TrackProcesses, v.TrackBFDs} {
						first := map[string]source.Span{}
						for _, t := range list {
							if at, taken := first[t.Name]; taken {
								p.report(t.Span(), fmt.Sprintf("%s tracks %s twice", named(v), t.Name), "ignored").Notes = note(at, "the first time")
								continue
							}
							first[t.Name] = t.Span()
						}
					}
				}
			},
		},
	}
}

// weightless returns the sync group that keeps the weight of a tracker from moving its member; nil: there is none.
func weightless(v *ir.VRRPInstance, t ir.Tracker) *ir.SyncGroup {
	if t.Kind == ir.InterfaceTracker {
		return nil
	}
	return unweighing(v, t)
}

// unweighing returns the sync group because of which keepalived complains about the weight of a tracker; nil: there is
// none.
func unweighing(v *ir.VRRPInstance, t ir.Tracker) *ir.SyncGroup {
	g := v.SyncGroup
	if g == nil || g.Has("sync_group_tracking_weight") || g.Has("global_tracking") || v.Priority == 255 {
		return nil
	}
	if t.Weight.N == 0 || t.Name == v.Interface {
		return nil
	}
	return g
}
