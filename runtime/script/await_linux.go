package script

import (
	"os"

	"golang.org/x/sys/unix"
)

// await waits until a process has ended, so that waiting for its status does not occupy a thread: on a machine that
// may not have another thread the whole director would end. Without a descriptor for the process it returns at once.
func await(p *os.Process) {
	fd := -1
	err := p.WithHandle(func(handle uintptr) { fd, _ = unix.FcntlInt(handle, unix.F_DUPFD_CLOEXEC, 3) })
	if err != nil || fd < 0 {
		return
	}
	_ = unix.SetNonblock(fd, true) // otherwise it is not polled, and await returns at once
	f := os.NewFile(uintptr(fd), "process")
	defer f.Close()
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = c.Read(func(fd uintptr) bool { // the end of the process makes it readable
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
}
