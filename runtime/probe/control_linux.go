package probe

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
)

// control sets what a check asks for on its socket before it connects. A firewall mark needs CAP_NET_ADMIN. Without a connection, that a
// host or network is out of reach (ICMP, or a neighbour that is gone) is told only to sockets that ask.
func control(network string, s syscall.RawConn, c ir.Connection) error {
	var failed error
	err := s.Control(func(fd uintptr) {
		switch network {
		case "udp4":
			failed = os.NewSyscallError("ask for ICMP errors", unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_RECVERR, 1))
		case "udp6":
			failed = os.NewSyscallError("ask for ICMP errors", unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_RECVERR, 1))
		}
		if failed == nil && c.BindIf != "" {
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
