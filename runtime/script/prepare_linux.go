package script

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
)

// prepare makes a command run as the user, in a process group of its own.
func prepare(cmd *exec.Cmd, who ir.User) error {
	credential, err := lookup(who)
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM, Credential: credential}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	return nil
}

// outlive lets a prepared command continue when this process ends.
func outlive(cmd *exec.Cmd) {
	cmd.SysProcAttr.Pdeathsig, cmd.Cancel = 0, nil
}

func owner(who ir.User) (uid, gid int, err error) {
	c, err := lookup(who)
	if err != nil || c == nil {
		return -1, -1, err
	}
	return int(c.Uid), int(c.Gid), nil
}

// settle makes the calling thread, which stays locked to its goroutine, a parent of scripts: no signal is blocked, and
// it has its own umask. It returns the function that sets that umask.
func settle() (umask func(ir.Umask)) {
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil) // otherwise the mask stays
	if unix.Unshare(unix.CLONE_FS) != nil {
		return func(ir.Umask) {} // the umask is that of the process, which is not only for scripts
	}
	return func(m ir.Umask) { unix.Umask(int(m)) }
}

// endGroup kills what is left of a command that was asked to end: children that ignored that.
func endGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // none may be left
	}
}

// lookup returns a user and group as ids; nil: the user of this process, also without a name.
func lookup(who ir.User) (*syscall.Credential, error) {
	name := who.Name
	if name == "" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
			return nil, fmt.Errorf("this machine has no user %s", name)
		}
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	gid := u.Gid
	if who.Group != "" {
		g, err := user.LookupGroup(who.Group)
		if err != nil {
			if _, unknown := errors.AsType[user.UnknownGroupError](err); unknown {
				return nil, fmt.Errorf("this machine has no group %s", who.Group)
			}
			return nil, fmt.Errorf("group %s: %w", who.Group, err)
		}
		gid = g.Gid
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	group, err := strconv.ParseUint(gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("group of user %s: %w", name, err)
	}
	if int(id) == os.Geteuid() && int(group) == os.Getegid() {
		return nil, nil // only root may change, and need not here
	}
	return &syscall.Credential{Uid: uint32(id), Gid: uint32(group)}, nil
}
