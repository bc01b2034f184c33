package compiler

import (
	"keepc/compiler/ir"
	"keepc/grammar"
)

// markLate marks the trackers whose block stands behind the instance or group that names them. keepalived reads the file once, from top
// to bottom, and drops such a line; so must whoever acts on it.
func markLate(cfg *ir.Config, file *grammar.File) {
	place := map[*grammar.Stmt]int{}
	for i, s := range file.Stmts {
		place[s] = i
	}
	scripts, files, processes := map[string]int{}, map[string]int{}, map[string]int{}
	for _, s := range cfg.Scripts {
		first(scripts, s.Name, place[s.Stmt])
	}
	for _, f := range cfg.TrackFiles {
		first(files, f.Name, place[f.Stmt])
	}
	for _, p := range cfg.TrackProcesses {
		first(processes, p.Name, place[p.Stmt])
	}
	mark := func(by ir.Origin, tracks []ir.Track, defined map[string]int) {
		for i, t := range tracks {
			at, known := defined[t.Name]
			tracks[i].Late = known && at > place[by.Stmt]
		}
	}
	for _, v := range cfg.Instances {
		mark(v.Origin, v.TrackScripts, scripts)
		mark(v.Origin, v.TrackFiles, files)
		mark(v.Origin, v.TrackProcesses, processes)
	}
	for _, g := range cfg.SyncGroups {
		mark(g.Origin, g.TrackScripts, scripts)
		mark(g.Origin, g.TrackFiles, files)
		mark(g.Origin, g.TrackProcesses, processes)
	}
}

// first notes the first place of a name.
func first(places map[string]int, name string, at int) {
	if _, known := places[name]; !known {
		places[name] = at
	}
}
