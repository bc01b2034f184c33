package script

import (
	"context"
	"sync"

	"keepc/runtime/router"
)

// A Runner runs scripts, each on a goroutine of its own, and hands their results to one receiver.
type Runner struct {
	ctx     context.Context
	stop    context.CancelFunc
	results chan router.ScriptDone
	runs    sync.WaitGroup
}

// NewRunner returns a Runner that works until ctx ends or Close is called.
func NewRunner(ctx context.Context) *Runner {
	ctx, stop := context.WithCancel(ctx)
	return &Runner{ctx: ctx, stop: stop, results: make(chan router.ScriptDone)}
}

// Start runs a script once, and never blocks.
func (r *Runner) Start(s router.StartScript) {
	r.runs.Go(func() {
		done := router.ScriptDone{ID: s.ID}
		if err := Do(r.ctx, s.Args, s.ID.User, s.Timeout); err != nil {
			done.Cause = err.Error()
		}
		select {
		case r.results <- done:
		case <-r.ctx.Done(): // also when that is what ended the script: nobody asks any more
		}
	})
}

// Results is where results come, each once. It is never closed.
func (r *Runner) Results() <-chan router.ScriptDone { return r.results }

// Close ends the scripts that run, without results, and waits for their goroutines.
func (r *Runner) Close() {
	r.stop()
	r.runs.Wait()
}
