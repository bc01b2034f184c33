// Package script runs the programs that a configuration names.
package script

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/shortage"
)

// grace is how long a script that was asked to end may take for it.
const grace = 2 * time.Second

// A Command is one run of a program.
type Command struct {
	Args    []string      // the program's path first
	User    ir.User       // empty: who runs this process
	Timeout time.Duration // after which the run is a failure
}

// A Result is how a run ended. The zero Result is exit status 0.
type Result struct {
	Status int    // the exit status, where the program ended by itself
	Cause  string // why the run is a failure, in an operator's words: "exit status 1", "timed out after 3s"; empty: it is none
	// Inconclusive says why the run tells nothing, neither good nor bad, as "start a script: too many open files": the program did not
	// start, or nobody waits for its result any longer. Empty: it tells something.
	Inconclusive string
}

// unstarted is the result of a run that did not begin.
func unstarted(name string, err error) Result {
	if shortage.Is(err) {
		return Result{Inconclusive: plain("start a script", err).Error()} // all scripts alike
	}
	return Result{Inconclusive: plain(name, err).Error()}
}

// resultOf says how a run ended that was started. The context of the command has the time-out, ctx has not.
func resultOf(ctx, limited context.Context, c Command, err error) Result {
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return Result{}
	case ctx.Err() != nil:
		return Result{Inconclusive: ctx.Err().Error()}
	case limited.Err() != nil:
		return Result{Cause: fmt.Sprintf("timed out after %v", c.Timeout)}
	case exited:
		return Result{Status: max(0, exit.ExitCode()), Cause: exit.Error()}
	}
	return Result{Inconclusive: plain(c.Args[0], err).Error()}
}

// plain says in an operator's words what was wrong with a file or a command.
func plain(name string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", name, e.Err)
	}
	if e, ok := errors.AsType[*exec.Error](err); ok {
		return fmt.Errorf("%s: %w", name, e.Err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
