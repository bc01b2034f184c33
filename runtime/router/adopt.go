package router

import (
	"slices"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// Adopt makes the first configuration of a director ready for New, as Prepare does. An instance whose addresses the
// kernel has is MASTER from the start, and keeps them without interruption.
func Adopt(cfg *ir.Config, found state.Found) *Next {
	n := Prepare(cfg, nil)
	n.uptime = found.Uptime
	for _, x := range n.members {
		x.found = found.Master[x.key]
	}
	return n
}

// delay is how long instances wait at a start: vrrp_startup_delay, or the rest of vrrp_delay_after_boot, whichever is longer.
func (n *Next) delay() StartDelayed {
	g := &n.cfg.Global
	if rest := g.DelayAfterBoot - n.uptime; rest > g.StartupDelay {
		return StartDelayed{rest, "vrrp_delay_after_boot"}
	}
	return StartDelayed{g.StartupDelay, "vrrp_startup_delay"}
}

// holds reports whether the addresses of an instance belong here: it is MASTER, or is about to be, because they were
// here at the start.
func (i *instance) holds() bool {
	role := i.machine.Role()
	return role == vrrp.Master || role == vrrp.Init && i.found
}

// judge adds up what an instance tracks. For one that continues as MASTER from the start, what is not known yet counts
// as good, as for the director before: it neither waits for a script nor lets a peer take over meanwhile.
func (m *Machine) judge(i *instance) track.Verdict {
	trackers := i.trackers
	if i.found {
		trackers = slices.DeleteFunc(slices.Clone(trackers), func(t track.Tracker) bool { return !m.status(t.Thing).Known && t.Kind != track.File && t.Weight.N == 0 })
	}
	return track.Judge(i.cfg.Priority, trackers, func(t track.Thing) track.Status {
		s := m.status(t)
		if i.found && !s.Known && t.Kind != track.File {
			return track.Status{Known: true, Good: true}
		}
		return s
	})
}
