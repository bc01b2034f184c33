package graph

import (
	"fmt"
	"slices"

	"keepc/compiler/ir"
)

// trackers lists what an instance and its sync group track, and what that adds to its priority while all is well.
func trackers(cfg *ir.Config, v *ir.VRRPInstance) (list []string, bonus int) {
	add := func(of *ir.Tracked) {
		for t := range of.Trackers() {
			addUnique(&list, effect(t))
			if t.Kind != ir.FileTracker {
				bonus += t.Weight.Adds(true)
			}
		}
	}
	add(&v.Tracked)
	for _, g := range cfg.SyncGroups {
		if slices.ContainsFunc(g.Members, func(m ir.Name) bool { return m.Text == v.Name }) {
			add(&g.Tracked)
		}
	}
	return list, bonus
}

// effect says what a tracker does to its instance.
func effect(t ir.Tracker) string {
	good, bad := "up", "down"
	switch t.Kind {
	case ir.FileTracker:
		return t.Name + ": number in a file"
	case ir.ScriptTracker:
		good, bad = "succeeds", "fails"
	case ir.ProcessTracker:
		good, bad = "runs", "is gone"
	}
	switch {
	case t.Weight.N == 0:
		return fmt.Sprintf("%s %s: FAULT", t.Name, bad)
	case t.Weight.Adds(true) == 0:
		return fmt.Sprintf("%s %s: %+d", t.Name, bad, t.Weight.Adds(false))
	}
	return fmt.Sprintf("%s %s: %+d", t.Name, good, t.Weight.Adds(true))
}
