package probe

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
)

// control sets what a check asks for on its socket before it connects. A firewall mark needs CAP_NET_ADMIN.
func control(s syscall.RawConn, c ir.Connection) error {
	var failed error
	err := s.Control(func(fd uintptr) {
		if c.BindIf != "" {
			failed = os.NewSyscallError("bind to interface "+c.BindIf, unix.BindToDevice(int(fd), c.BindIf))
		}
		if failed == nil && c.FWMark != 0 {
			failed = os.NewSyscallError("set the firewall mark", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(c.FWMark)))
		}
	})
	if err != nil {
		return err
	}
	return failed
}
