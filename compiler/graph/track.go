package graph

import (
	"fmt"
	"slices"

	"keepc/compiler/ir"
)

// trackers says what an instance and its sync group follow, and what its priority gains while all of it is well.
func trackers(cfg *ir.Config, v *ir.VRRPInstance) (list []string, bonus int) {
	add := func(tracks []ir.Track, good, bad string, weight func(name string) ir.Weight) {
		for _, t := range tracks {
			w := weight(t.Name)
			if t.Weight != nil {
				w = *t.Weight
			}
			bonus += w.Adds(true)
			text := fmt.Sprintf("%s %s: %+d", t.Name, good, w.Adds(true))
			switch {
			case w.N == 0:
				text = fmt.Sprintf("%s %s: FAULT", t.Name, bad)
			case w.Adds(true) == 0:
				text = fmt.Sprintf("%s %s: %+d", t.Name, bad, w.Adds(false))
			}
			addUnique(&list, text)
		}
	}
	each := func(interfaces, scripts, processes, bfds, files []ir.Track) {
		add(interfaces, "up", "down", func(string) ir.Weight { return ir.Weight{} })
		add(scripts, "succeeds", "fails", func(name string) ir.Weight {
			return weightOf(cfg.Scripts, func(s *ir.Script) (string, ir.Weight) { return s.Name, s.Weight }, name)
		})
		add(processes, "runs", "is gone", func(name string) ir.Weight {
			return weightOf(cfg.TrackProcesses, func(p *ir.TrackProcess) (string, ir.Weight) { return p.Name, p.Weight }, name)
		})
		add(bfds, "up", "down", func(name string) ir.Weight {
			return weightOf(cfg.BFDs, func(b *ir.BFD) (string, ir.Weight) { return b.Name, b.Weight }, name)
		})
		for _, t := range files {
			addUnique(&list, t.Name+": number in a file")
		}
	}
	each(v.TrackInterfaces, v.TrackScripts, v.TrackProcesses, v.TrackBFDs, v.TrackFiles)
	for _, g := range cfg.SyncGroups {
		if slices.ContainsFunc(g.Members, func(m ir.Name) bool { return m.Text == v.Name }) {
			each(g.TrackInterfaces, g.TrackScripts, g.TrackProcesses, g.TrackBFDs, g.TrackFiles)
		}
	}
	return list, bonus
}

// weightOf returns the weight of what is tracked by a name.
func weightOf[T any](list []T, of func(T) (string, ir.Weight), name string) ir.Weight {
	for _, t := range list {
		if n, w := of(t); n == name {
			return w
		}
	}
	return ir.Weight{}
}
