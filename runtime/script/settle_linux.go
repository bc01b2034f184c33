package script

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Settle makes this process a clean parent of scripts: they inherit none of the descriptors or ignored signals that it
// inherited itself. A signal that was ignored still has no effect here; SIGPIPE has none from now on.
func Settle() {
	_ = unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) // Linux before 5.11 does not know it
	caught := []os.Signal{unix.SIGPIPE}
	for n := syscall.Signal(1); n <= unix.SIGSYS; n++ {
		if signal.Ignored(n) {
			caught = append(caught, n)
		}
	}
	signal.Notify(make(chan os.Signal, 1), caught...) // nothing listens
}

// descriptors returns how many this process may have.
func descriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 1<<20 {
		return 1 << 20
	}
	return int(limit.Cur)
}
