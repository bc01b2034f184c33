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

// grace is how long a script may take to end when asked to.
const grace = 2 * time.Second

// A Command is one run of a program.
type Command struct {
	Args    []string      // the program's path first
	User    ir.User       // empty: the user of this process
	Timeout time.Duration // after which the run is a failure
}

// A Result is how a run ended. The zero Result is exit status 0.
type Result struct {
	Status int    // the exit status, if the program ended by itself
	Cause  string // why the run failed, in an operator's words: "exit status 1", "timed out after 3s"; empty: it did not
	// Inconclusive says why the run has no result, neither good nor bad, such as "start a script: too many open
	// files": the program did not start, or its result is no longer wanted. Empty: it has a result.
	Inconclusive string
}

// unstarted is the result of a run that did not start.
func unstarted(name string, err error) Result {
	if shortage.Is(err) {
		return Result{Inconclusive: plain("start a script", err).Error()} // the same for all scripts
	}
	return Result{Inconclusive: plain(name, err).Error()}
}

// resultOf returns how a started run ended. The context of the command has the timeout, ctx does not.
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
