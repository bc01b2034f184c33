package script

import (
	"context"
	"os/exec"

	"keepc/compiler/ir"
)

// Launch starts a command, in its turn, that is never ended: it has no timeout, and outlives this process. The channel
// receives its result; it is buffered, so that nothing must wait for it.
func (r *Runner) Launch(c Command) <-chan Result {
	result := make(chan Result, 1)
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Env = r.env
	if r.null != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = r.null, r.null, r.null
	}
	if err := prepare(cmd, c.User); err != nil {
		result <- unstarted(c.Args[0], err)
		return result
	}
	outlive(cmd)
	failed := make(chan error)
	r.starts <- start{cmd, failed}
	if err := <-failed; err != nil {
		result <- unstarted(c.Args[0], err)
		return result
	}
	go func() { // ends with the command
		await(cmd.Process)
		result <- resultOf(context.Background(), context.Background(), c, cmd.Wait())
	}()
	return result
}

// Owner returns a user and group as ids; -1: no name, so unchanged.
func Owner(who ir.User) (uid, gid int, err error) {
	return owner(who)
}
