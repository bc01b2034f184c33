package rival

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// endTimeout is how long the kernel may take to end killed processes.
const endTimeout = 2 * time.Second

// End ends a keepalived without a farewell: its addresses, routes, rules and virtual servers stay, and its peers hear
// nothing. The parent is stopped first, so that it starts no child again; its children are killed next, because they
// say farewell when they lose their parent; then the parent is killed. Errors: a process that may not be killed, or
// does not end; those that live then continue.
func (k *Running) End() (err error) {
	if err := unix.Kill(k.PID, unix.SIGSTOP); err != nil {
		return fmt.Errorf("stop keepalived (process %d): %w", k.PID, err)
	}
	defer func() {
		if err != nil {
			_ = unix.Kill(k.PID, unix.SIGCONT) // it may have ended
		}
	}()
	for _, pid := range append(children(k.PID), k.PID) {
		if pid != k.PID && !isKeepalived(pid) {
			continue // a script, which ends by itself
		}
		if err := end(pid); err != nil {
			return fmt.Errorf("end keepalived (process %d): %w", pid, err)
		}
	}
	return nil
}

// end kills a process and waits until it has ended.
func end(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	} else if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(endTimeout.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return errors.New("it was killed and does not end")
		default:
			return nil
		}
	}
}

// children lists the children of a process.
func children(pid int) (list []int) {
	tasks, _ := os.ReadDir(proc(pid, "task")) // it may have ended
	for _, t := range tasks {
		text, _ := os.ReadFile(proc(pid, "task/"+t.Name()+"/children"))
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				list = append(list, child)
			}
		}
	}
	return list
}
