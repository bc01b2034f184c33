package engine

import (
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/vrrp"
)

// A Standing is what a virtual router is now, and why.
type Standing struct {
	Config   *ir.VRRPInstance
	Role     vrrp.Role
	Reason   string
	Since    time.Time
	Priority uint8 // the effective one
}

// Standings lists the virtual routers in the order of the file.
func (e *Engine) Standings() []Standing {
	all := make([]Standing, len(e.order))
	for i, r := range e.order {
		all[i] = Standing{r.cfg, r.machine.Role(), r.reason, r.since, r.cfg.Priority}
	}
	return all
}
