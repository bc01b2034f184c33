// Package diff compares two configurations of one director: what a reload from one to the other changes in the kernel,
// for instances and real servers, and for everything that is not a kernel object.
package diff

import (
	"sync"

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

// A Diff is the difference between two sides.
type Diff struct {
	Kernel    plan.Plan
	Settings  []Setting  // in the order of the table, without those that the kernel plan shows
	Instances []Instance // those of the new file in its order, then those that are gone
	Servers   []Server   // in the same order as the instances
	Notes     []string
}

// A Role is assumed for all instances.
type Role bool

const (
	Backup Role = false
	Master Role = true
)

// Compare returns what a reload from one file to the other changes on a director whose instances have the role, and
// whose real servers are all up.
func Compare(before, after Side, role Role) Diff {
	var kernel plan.Plan
	var both sync.WaitGroup
	both.Go(func() {
		kernel = plan.Diff(want(before.Config, role), want(after.Config, role), func(state.Key) bool { return true })
	})
	d := Reload(before, after)
	both.Wait()
	d.Kernel = kernel
	return d
}

// Reload returns what a reload from one file to the other changes on any director: everything except the kernel
// objects.
func Reload(before, after Side) Diff {
	all := compareSettings(before, after)
	found := index(all)
	d := Diff{
		Instances: instances(before.Config, after.Config, found),
		Servers:   servers(before.Config, after.Config, found),
	}
	for _, s := range all {
		if !s.Inherited && !s.told() {
			d.Settings = append(d.Settings, *s)
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

// A Verdict says what happens to an instance or a real server.
type Verdict string
