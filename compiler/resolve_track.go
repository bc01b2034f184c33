package compiler

import (
	"slices"

	"keepc/compiler/ir"
	"keepc/grammar"
)

// resolveTracks links the lines about what is tracked with the blocks that they name, and sets their weights.
// keepalived reads the file once, from top to bottom, and drops a line whose block comes later; so must everything
// that acts on it.
func resolveTracks(cfg *ir.Config, file *grammar.File) {
	place := file.Places()
	blocks := map[ir.TrackKind]trackables{ir.ScriptTracker: {}, ir.FileTracker: {}, ir.ProcessTracker: {}, ir.BFDTracker: {}}
	for _, s := range cfg.Scripts {
		blocks[ir.ScriptTracker].add(s.Name, place[s.Stmt], s.Weight)
	}
	for _, f := range cfg.TrackFiles {
		blocks[ir.FileTracker].add(f.Name, place[f.Stmt], f.Weight)
	}
	for _, p := range cfg.TrackProcesses {
		blocks[ir.ProcessTracker].add(p.Name, place[p.Stmt], p.Weight)
	}
	for _, b := range cfg.BFDs {
		blocks[ir.BFDTracker].add(b.Name, place[b.Stmt], b.Weight)
	}
	link := func(by ir.Origin, t *ir.Tracked) {
		for line := range t.Lines() {
			if line.Kind == ir.InterfaceTracker {
				setDefault(&line.Weight, nil, &ir.Weight{})
			} else {
				blocks[line.Kind].link(line.Track, place[by.Stmt])
			}
		}
	}
	for _, v := range cfg.Instances {
		link(v.Origin, &v.Tracked)
	}
	for _, g := range cfg.SyncGroups {
		link(g.Origin, &g.Tracked)
	}
}

// linkTrackGroups links instances with the interfaces of static objects that they follow. As for trackers, a line
// before its group does not count; nor does a route without dev, or a rule without iif. The first group with a name
// counts.
func linkTrackGroups(cfg *ir.Config, file *grammar.File) {
	if len(cfg.TrackGroups) == 0 {
		return
	}
	place := map[*grammar.Stmt]int{}
	grammar.Walk(file.Stmts, func(s *grammar.Stmt, _ int) { place[s] = len(place) })
	instances := map[string]*ir.VRRPInstance{}
	for _, v := range cfg.Instances {
		instances[v.Name], v.Static = v, nil
	}
	groups := map[string]*ir.TrackGroup{}
	for _, g := range slices.Backward(cfg.TrackGroups) {
		groups[g.Name], g.Late = g, nil
	}
	follow := func(line ir.Origin, group, name string, untracked bool) {
		g := groups[group]
		switch {
		case g == nil:
			return
		case place[g.Stmt] > place[line.Stmt]:
			g.Late = append(g.Late, line)
			return
		case name == "" || untracked:
			return
		}
		for _, m := range g.Members {
			if v := instances[m.Text]; v != nil && !slices.Contains(v.Static, name) {
				v.Static = append(v.Static, name)
			}
		}
	}
	for _, a := range cfg.StaticAddresses {
		follow(a.Origin, a.TrackGroup, a.Dev, a.NoTrack)
	}
	for _, r := range cfg.StaticRoutes {
		follow(r.Origin, r.TrackGroup, r.Dev, r.NoTrack)
	}
	for _, r := range cfg.StaticRules {
		follow(r.Origin, r.TrackGroup, r.IIf, r.NoTrack)
	}
}

// A trackable is a block that can be tracked.
type trackable struct {
	place  int
	weight ir.Weight
}

// trackables are those of one kind by their names.
type trackables map[string]trackable

// add records a block. The first block with a name is the one that is tracked.
func (all trackables) add(name string, place int, w ir.Weight) {
	if _, taken := all[name]; !taken {
		all[name] = trackable{place, w}
	}
}

// link gives a line of an instance or group at a place the weight of what it names.
func (all trackables) link(t *ir.Track, place int) {
	named, known := all[t.Name]
	t.Unknown = !known || named.place > place
	setDefault(&t.Weight, nil, &named.weight)
}
