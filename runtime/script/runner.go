package script

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"

	"keepc/compiler/ir"
	"keepc/runtime/router"
)

// maxRunning is the number of scripts that run at once; more wait for their turn. Each takes two descriptors: if these
// are scarce, scripts get half of them.
const maxRunning = 256

// A Runner runs scripts. It starts them one after the other on a thread of its own: what a script inherits is set
// there, and the kernel ends a script with the thread that started it.
type Runner struct {
	ctx     context.Context
	stop    context.CancelFunc
	slots   chan struct{}
	starts  chan start
	results chan router.ScriptDone
	umask   atomic.Uint32 // of scripts started from now on
	env     []string
	null    *os.File // standard input and output; nil: it did not open, and each script tries again
	runs    sync.WaitGroup
	starter sync.WaitGroup
}

// A start is a command to start, and where the error goes.
type start struct {
	cmd *exec.Cmd
	err chan<- error
}

// NewRunner returns a Runner that works until ctx ends or Close is called.
func NewRunner(ctx context.Context) *Runner {
	ctx, stop := context.WithCancel(ctx)
	r := &Runner{ctx: ctx, stop: stop, slots: make(chan struct{}, max(1, min(maxRunning, descriptors()/4))), starts: make(chan start), results: make(chan router.ScriptDone), env: environment(os.Environ())}
	r.Umask(ir.DefaultUmask)
	r.null, _ = os.OpenFile(os.DevNull, os.O_RDWR, 0) // without it each script reports why
	r.starter.Go(func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		umask := settle()
		for s := range r.starts {
			umask(ir.Umask(r.umask.Load()))
			s.err <- s.cmd.Start()
		}
	})
	return r
}

// Umask sets the umask of scripts started from now on.
func (r *Runner) Umask(m ir.Umask) { r.umask.Store(uint32(m)) }

// Start runs a script once, and never blocks.
func (r *Runner) Start(s router.StartScript) {
	r.runs.Go(func() {
		result := r.run(r.ctx, Command{Args: s.Args, User: s.ID.User, Timeout: s.Timeout})
		select {
		case r.results <- router.ScriptDone{ID: s.ID, Cause: result.Cause, Inconclusive: result.Inconclusive}:
		case <-r.ctx.Done(): // also if that is what ended the script: the result is no longer wanted
		}
	})
}

// Run runs a command and waits for its end. At the timeout, and when ctx or the Runner ends, the command and its
// children get SIGTERM; SIGKILL follows when the command has ended, at most two seconds later. The command ends with
// this process in any case. Its output is dropped.
func (r *Runner) Run(ctx context.Context, c Command) Result {
	r.runs.Add(1) // Close waits for it
	defer r.runs.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	return r.run(ctx, c)
}

func (r *Runner) run(ctx context.Context, c Command) Result {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return Result{Inconclusive: "there is no command"}
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return Result{Inconclusive: ctx.Err().Error()}
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, c.Args[0], c.Args[1:]...)
	cmd.WaitDelay, cmd.Env = grace, r.env
	if r.null != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = r.null, r.null, r.null
	}
	if err := prepare(cmd, c.User); err != nil {
		return unstarted(c.Args[0], err)
	}
	failed := make(chan error)
	r.starts <- start{cmd, failed}
	err := <-failed
	switch {
	case err != nil && ctx.Err() != nil:
		return Result{Inconclusive: ctx.Err().Error()}
	case err != nil:
		return unstarted(c.Args[0], err)
	}
	await(cmd.Process)
	err = cmd.Wait()
	if limited.Err() != nil {
		endGroup(cmd)
	}
	return resultOf(ctx, limited, c, err)
}

// Results is the channel of results, one for each script. It is never closed.
func (r *Runner) Results() <-chan router.ScriptDone { return r.results }

// Close ends the running scripts, without results, and waits for their goroutines.
func (r *Runner) Close() {
	r.stop()
	r.runs.Wait()
	close(r.starts)
	r.starter.Wait()
	if r.null != nil {
		_ = r.null.Close() // nothing was written
	}
}
