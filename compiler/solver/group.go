package solver

import (
	"fmt"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
)

// A Watch is a tracker as the files of a cluster name it.
type Watch struct {
	ir.Tracker
	// Ignored is the sync group that ignores weights; nil: they count.
	Ignored *ir.SyncGroup
}

// String names the tracker as a person does: "chk_haproxy", "interface eth1", "file /run/prio".
func (w Watch) String() string {
	switch w.Kind {
	case ir.InterfaceTracker:
		return "interface " + w.Name
	case ir.FileTracker:
		return "file " + w.Name
	}
	return w.Name
}

// Watches lists what an instance tracks, in the order of the blocks: its own trackers, then those of its sync group.
// The group's own weights always count, as with keepalived 2.2.7.
func Watches(v *ir.VRRPInstance) (all []Watch) {
	group := v.SyncGroup
	ignored := group
	if group != nil && group.TrackingWeight {
		ignored = nil
	}
	add := func(of *ir.Tracked, ignored *ir.SyncGroup) {
		for t := range of.Trackers() {
			w := Watch{t, ignored}
			if t.Kind == ir.InterfaceTracker {
				w.Ignored = nil // keepalived 2.2.7 says that it is ignored, and lowers the priority all the same
			}
			all = append(all, w)
		}
	}
	add(&v.Tracked, ignored)
	if group != nil {
		add(&group.Tracked, nil)
	}
	return all
}

// adds returns what the tracker may add to a priority, first the value while all is well. A file is assumed to hold 0
// then; it may later hold any number.
func (w Watch) adds() []int {
	switch step := max(w.Weight.N, -w.Weight.N); {
	case w.Ignored != nil || step == 0:
		return []int{0}
	case w.Kind == ir.FileTracker:
		all := []int{0}
		for k := step; k <= ir.MostPriority; k += step {
			all = append(all, k, -k)
		}
		return all
	}
	return []int{w.Weight.Adds(true), w.Weight.Adds(false)}
}

// A Group is the election of a virtual router, with the names of its trackers in the files.
type Group struct {
	*Election
	Members []cluster.Member
	Watches [][]Watch // by member and tracker
}

// Of returns the election of a virtual router.
func Of(c *cluster.Cluster, g cluster.Group) Group {
	s := Group{Members: g.Members}
	var routers []Router
	for _, m := range g.Members {
		r := Router{Priority: m.Priority, NoPreempt: m.NoPreempt}
		watches := Watches(m.VRRPInstance)
		for _, w := range watches {
			r.Trackers = append(r.Trackers, Tracker{w.adds()})
		}
		routers = append(routers, r)
		s.Watches = append(s.Watches, watches)
	}
	s.Election = New(routers)
	return s
}

// Name names what has failed: "chk_haproxy on lb1", "lb1".
func (s Group) Name(c *cluster.Cluster, f Failure) string {
	node := c.Nodes[s.Members[f.Router].Node].Name
	if f.Tracker == Gone {
		return node
	}
	return fmt.Sprintf("%v on %s", s.Watches[f.Router][f.Tracker], node)
}
