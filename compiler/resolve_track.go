package compiler

import (
	"keepc/compiler/ir"
	"keepc/grammar"
)

// resolveTracks links the lines about what is tracked with the blocks that they name, and gives them their weights. keepalived reads
// the file once, from top to bottom, and drops a line whose block stands further down; so must whoever acts on it.
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

// A trackable is a block that can be tracked.
type trackable struct {
	place  int
	weight ir.Weight
}

// trackables are those of one kind by their names.
type trackables map[string]trackable

// add notes a block. The first one with a name is the one that is tracked.
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
