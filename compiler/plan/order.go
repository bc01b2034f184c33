package plan

import (
	"slices"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/grammar/source"
)

// hashing are the schedulers that fill their table in the order in which the kernel got the servers.
var hashing = []string{"mh", "sh", "dh"}

// Reorder makes later servers of a hashing service be added again after one that is added before them in the file. The
// kernel lists last the server that it got first; a director that has seen failures would send flows to different
// servers than a peer that has not. Connections stay: a server that is deleted and added in one message is the same
// server.
func (p Plan) Reorder(want state.State) Plan {
	first := map[ir.ServiceKey]source.Span{} // of those that are added
	added := map[state.Key]int{}
	for i, c := range p {
		k, ok := c.Key.(state.DestinationKey)
		if !ok || !slices.Contains(hashing, want.Services[k.Service].Scheduler) {
			continue
		}
		added[c.Key] = i
		if at, some := first[k.Service]; c.Action == Add && (!some || c.Origin.Before(at)) {
			first[k.Service] = c.Origin
		}
	}
	if len(first) == 0 {
		return p
	}
	for k, d := range want.Destinations {
		at, some := first[k.Service]
		i, changes := added[k]
		switch {
		case !some || !at.Before(d.Origin) || changes && p[i].Action == Add:
		case changes:
			p[i].Action = Replace
		default:
			p = append(p, Change{
				Action: Replace, Kind: state.DestinationKind, Key: k, Before: d, After: d, Origin: d.Origin, phase: state.DestinationKind.Add, text: k.String(),
				Why: "comes behind a server that is added, as in the file: its scheduler goes by the order",
			})
		}
	}
	return p
}

// Reorders reports whether the object is replaced only for its position.
func (c Change) Reorders() bool {
	differ, _ := c.Differences()
	return c.Action == Replace && len(differ) == 0
}
