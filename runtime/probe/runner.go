package probe

import (
	"context"
	"sync"

	"keepc/compiler/ir"
	"keepc/runtime/balance"
	"keepc/runtime/script"
)

// A Runner runs many checks at once, each on its own goroutine, and passes their results to one receiver. Its programs
// are not scripts of instances: hanging programs here keep no script waiting.
type Runner struct {
	ctx     context.Context
	stop    context.CancelFunc
	slots   chan struct{}
	scripts *script.Runner
	files   files
	results chan balance.ProbeDone
	probes  sync.WaitGroup
	closed  sync.Once
}

// NewRunner returns a Runner with at most limit probes at once; more wait for their turn. It works until ctx ends or
// Close is called.
func NewRunner(ctx context.Context, limit int) *Runner {
	ctx, stop := context.WithCancel(ctx)
	return &Runner{ctx: ctx, stop: stop, slots: make(chan struct{}, limit), scripts: script.NewRunner(ctx), results: make(chan balance.ProbeDone)}
}

// Umask sets the umask of the programs of the checks that start from now on.
func (r *Runner) Umask(m ir.Umask) { r.scripts.Umask(m) }

// Start runs a check once, and never blocks. The timeout counts from the start of its turn.
func (r *Runner) Start(p balance.StartProbe) {
	r.probes.Go(func() {
		_, program := p.Check.Checker.(*ir.MiscCheck)
		if !program { // programs have separate turns
			select {
			case r.slots <- struct{}{}:
			case <-r.ctx.Done():
				return
			}
		}
		if r.ctx.Err() != nil {
			return
		}
		result := balance.ProbeDone{ID: p.ID, Result: Do(r.ctx, Ask{Check: p.Check, Page: p.Page, Limit: p.Timeout, Run: r.scripts.Run, files: &r.files})}
		if !program {
			<-r.slots
		}
		select {
		case r.results <- result:
		case <-r.ctx.Done(): // also if that is what ended the probe: the result is no longer wanted
		}
	})
}

// Results is the channel of results, one for each check. It is never closed.
func (r *Runner) Results() <-chan balance.ProbeDone { return r.results }

// Close ends the running probes without results, and waits for their goroutines.
func (r *Runner) Close() {
	r.stop()
	r.probes.Wait()
	r.closed.Do(r.scripts.Close)
}
