package probe

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
)

// control returns a function that sets what a check needs on its socket before it connects.
func control(network string, s syscall.RawConn, c ir.Connection) error {
	var failed error
	err := s.Control(func(fd uintptr) { failed = set(int(fd), network, c) })
	if err != nil {
		return err
	}
	return failed
}

// set sets it. A firewall mark needs CAP_NET_ADMIN. Without a connection, an unreachable host or network (ICMP, or a
// neighbour that is gone) is reported only to sockets that ask for it.
func set(fd int, network string, c ir.Connection) error {
	var err error
	switch network {
	case "udp4":
		err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVERR, 1)
	case "udp6":
		err = unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVERR, 1)
	}
	if err != nil {
		return os.NewSyscallError("ask for ICMP errors", err)
	}
	if c.BindIf != "" {
		if err := unix.BindToDevice(fd, c.BindIf); err != nil {
			return os.NewSyscallError("bind to interface "+c.BindIf, err)
		}
	}
	if c.FWMark != 0 {
		return os.NewSyscallError("set the firewall mark", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(c.FWMark)))
	}
	return nil
}
