package engine

import (
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// A Standing is what a virtual router is now, and why.
type Standing struct {
	Config   *ir.VRRPInstance
	Role     vrrp.Role
	Reason   string
	Since    time.Time
	Priority uint8  // the effective one
	Sum      string // how it comes about, as "100 + 20 (script web)"
}

// Standings lists the virtual routers in the order of the file.
func (e *Engine) Standings() []Standing {
	all := make([]Standing, len(e.order))
	for i, r := range e.order {
		v := track.Judge(r.cfg.Priority, r.trackers, e.status)
		all[i] = Standing{r.cfg, r.machine.Role(), r.reason, r.since, v.Priority, v.Sum}
		if r.machine.Role() == vrrp.Init && v.Waiting != "" {
			all[i].Reason = "waits for the first result of " + v.Waiting
		}
	}
	return all
}
