package script

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Settle makes this process a clean parent of scripts: they inherit no descriptor that it was born with, and no ignored signal. Here a signal
// that was ignored has no effect still; SIGPIPE has none from now on.
func Settle() {
	_ = unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) // Linux before 5.11 does not know it
	caught := []os.Signal{unix.SIGPIPE}
	for n := syscall.Signal(1); n <= unix.SIGSYS; n++ {
		if signal.Ignored(n) {
			caught = append(caught, n)
		}
	}
	signal.Notify(make(chan os.Signal, 1), caught...) // nobody listens
}

// descriptors is how many this process may have.
func descriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 1<<20 {
		return 1 << 20
	}
	return int(limit.Cur)
}
