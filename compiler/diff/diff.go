// Package diff compares two configurations of one director: what a reload from one to the other does to the kernel, to instances and
// real servers, and to all that is no kernel object.
package diff

import (
	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/grammar"
)

// A Side is a file and what it means.
type Side struct {
	File   *grammar.File
	Config *ir.Config
}

// A Diff is what differs.
type Diff struct {
	Kernel    plan.Plan
	Settings  []Setting  // in the order of the table; what the kernel plan tells is not among them
	Instances []Instance // those of the new file in its order, then those that are gone
	Servers   []Server   // as the instances
	Notes     []string
}

// A Role that is assumed of all instances.
type Role bool

const (
	Backup Role = false
	Master Role = true
)

// Compare returns what a reload from one file to the other changes on a director whose instances have the role, and whose real
// servers are all well.
func Compare(before, after Side, role Role) Diff {
	d := Reload(before, after)
	d.Kernel = plan.Diff(want(before.Config, role), want(after.Config, role), func(state.Key) bool { return true })
	return d
}

// Reload returns what a reload from one file to the other changes on any director: all but the kernel objects.
func Reload(before, after Side) Diff {
	all := compareSettings(before, after)
	found := index(all)
	d := Diff{
		Instances: instances(before.Config, after.Config, found),
		Servers:   servers(before.Config, after.Config, found),
	}
	for _, s := range all {
		if !s.Inherited && !s.told() {
			d.Settings = append(d.Settings, s)
		}
	}
	moved, notes := trapped(before, after)
	d.Settings, d.Notes = append(d.Settings, moved...), notes
	return d
}

func want(cfg *ir.Config, role Role) state.State {
	if role == Master {
		return state.Desired(cfg, state.AllMaster(cfg))
	}
	return state.Desired(cfg, state.Situation{Announced: state.AllAnnounced(cfg, "assumed")})
}

// A Verdict says what becomes of an instance or a real server.
type Verdict string
