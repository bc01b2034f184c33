package probe

import (
	"context"

	"keepc/compiler/ir"
	"keepc/runtime/health"
	"keepc/runtime/script"
)

// misc runs a program, as keepalived's MISC_CHECK does: exit status 0 is good. With misc_dynamic, 2 and above are good
// too, and give the server a weight of the status minus two.
func misc(ctx context.Context, a Ask, m *ir.MiscCheck) health.Result {
	if a.Run == nil {
		return health.Result{Inconclusive: "programs are not run here"}
	}
	r := a.Run(ctx, script.Command{Args: m.Command.Args, User: m.Command.User, Timeout: m.Timeout})
	switch {
	case r.Inconclusive != "":
		return health.Result{Inconclusive: r.Inconclusive}
	case m.Dynamic && r.Status >= 2:
		weight := r.Status - 2
		return health.Result{Up: true, Weight: &weight}
	}
	return health.Outcome(r.Cause)
}
