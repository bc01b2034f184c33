package solver

import (
	"fmt"
	"slices"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
)

// A Watch is a tracker as the files of a cluster name it.
type Watch struct {
	ir.Track
	Kind string // the keyword of its block: "track_script"
	// Weight is what counts: that of the line, else that of what is tracked.
	Weight ir.Weight
	// Ignored is the sync group that takes no notice of weights; nil: they count.
	Ignored *ir.SyncGroup
}

// String names the tracker as a person does: "chk_haproxy", "interface eth1", "file /run/prio".
func (w Watch) String() string {
	switch w.Kind {
	case "track_interface":
		return "interface " + w.Name
	case "track_file":
		return "file " + w.Name
	}
	return w.Name
}

// Watches lists what an instance tracks, in the order of the blocks: its own trackers, then those of its sync group.
func Watches(cfg *ir.Config, v *ir.VRRPInstance) (all []Watch) {
	group := syncGroup(cfg, v)
	ignored := group
	if group != nil && group.TrackingWeight {
		ignored = nil
	}
	add := func(kind string, tracks []ir.Track, own func(name string) ir.Weight) {
		for _, t := range tracks {
			if t.Late {
				continue
			}
			w := Watch{Track: t, Kind: kind, Ignored: ignored}
			switch {
			case t.Weight != nil:
				w.Weight = *t.Weight
			case own != nil:
				w.Weight = own(t.Name)
			}
			all = append(all, w)
		}
	}
	from := func(interfaces, scripts, files, processes, sessions []ir.Track) {
		add("track_interface", interfaces, nil)
		add("track_script", scripts, func(name string) ir.Weight {
			return find(cfg.Scripts, func(s *ir.Script) bool { return s.Name == name }).Weight
		})
		add("track_file", files, func(name string) ir.Weight {
			return find(cfg.TrackFiles, func(f *ir.TrackFile) bool { return f.Name == name }).Weight
		})
		add("track_process", processes, func(name string) ir.Weight {
			return find(cfg.TrackProcesses, func(p *ir.TrackProcess) bool { return p.Name == name }).Weight
		})
		add("track_bfd", sessions, func(name string) ir.Weight {
			return find(cfg.BFDs, func(b *ir.BFD) bool { return b.Name == name }).Weight
		})
	}
	from(v.TrackInterfaces, v.TrackScripts, v.TrackFiles, v.TrackProcesses, v.TrackBFDs)
	if group != nil {
		from(group.TrackInterfaces, group.TrackScripts, group.TrackFiles, group.TrackProcesses, group.TrackBFDs)
	}
	return all
}

// find returns the block that a test holds for, an empty one when there is none.
func find[B any](blocks []*B, test func(*B) bool) *B {
	if i := slices.IndexFunc(blocks, test); i >= 0 {
		return blocks[i]
	}
	return new(B)
}

// syncGroup returns the group that an instance follows; nil: none.
func syncGroup(cfg *ir.Config, v *ir.VRRPInstance) *ir.SyncGroup {
	for _, g := range cfg.SyncGroups {
		if slices.ContainsFunc(g.Members, func(m ir.Name) bool { return m.Text == v.Name }) {
			return g
		}
	}
	return nil
}

// adds returns what the tracker may add to a priority, the first while all is well. A file is taken to hold 0 then; it may come to
// hold any number.
func (w Watch) adds() []int {
	switch step := max(w.Weight.N, -w.Weight.N); {
	case w.Ignored != nil || step == 0:
		return []int{0}
	case w.Kind == "track_file":
		all := []int{0}
		for k := step; k <= most; k += step {
			all = append(all, k, -k)
		}
		return all
	}
	return []int{w.Weight.Adds(true), w.Weight.Adds(false)}
}

// A Group is the election of a virtual router, with what the files call its trackers.
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
		watches := Watches(c.Nodes[m.Node].Config, m.VRRPInstance)
		for _, w := range watches {
			r.Trackers = append(r.Trackers, Tracker{w.adds()})
		}
		routers = append(routers, r)
		s.Watches = append(s.Watches, watches)
	}
	s.Election = New(routers)
	return s
}

// Name says what has failed: "chk_haproxy on lb1", "lb1".
func (s Group) Name(c *cluster.Cluster, f Failure) string {
	node := c.Nodes[s.Members[f.Router].Node].Name
	if f.Tracker == Gone {
		return node
	}
	return fmt.Sprintf("%v on %s", s.Watches[f.Router][f.Tracker], node)
}
