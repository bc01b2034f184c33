// Package script runs the programs that a configuration names.
package script

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"runtime"
	"time"

	"keepc/compiler/ir"
)

// grace is how long a script that was asked to end may take for it.
const grace = 2 * time.Second

// Do runs a command and returns nil for exit status 0, or what was wrong in an operator's words: "exit status 1", "timed out after 3s".
// At the timeout, and when ctx ends, the command and its children get SIGTERM; SIGKILL follows when the command has ended, two seconds
// later at the latest. The command ends with this process in any case. What it writes is dropped.
func Do(ctx context.Context, args []string, user ir.User, timeout time.Duration) error {
	if len(args) == 0 || args[0] == "" {
		return errors.New("there is no command")
	}
	// The kernel ends a child with the thread that began it, so that thread stays until the child has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, args[0], args[1:]...)
	cmd.WaitDelay = grace
	if err := prepare(cmd, user); err != nil {
		return err
	}
	err := cmd.Run()
	if limited.Err() != nil {
		endGroup(cmd)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("timed out after %v", timeout)
	default:
		return plain(args[0], err)
	}
}

// plain says in an operator's words why a command did not run.
func plain(name string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", name, e.Err)
	}
	if e, ok := errors.AsType[*exec.Error](err); ok {
		return fmt.Errorf("%s: %w", name, e.Err)
	}
	return err
}
