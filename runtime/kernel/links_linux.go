package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Links lists the interfaces.
func (l *Linux) Links() ([]Link, error) { return links(l.routes) }

func links(h *netlink.Handle) ([]Link, error) {
	interfaces, err := dump(h.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	addrs, err := dump(func() ([]netlink.Addr, error) { return h.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	all := make([]Link, 0, len(interfaces))
	at := map[int]int{}
	for _, i := range interfaces {
		a := i.Attrs()
		at[a.Index] = len(all)
		all = append(all, newLink(a))
	}
	for _, a := range addrs {
		// Nothing may be sent from an address before it has passed duplicate address detection.
		usable := a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0
		addr, ok := netip.AddrFromSlice(a.IP)
		if i, known := at[a.LinkIndex]; known && ok && usable {
			all[i].Addrs = append(all[i].Addrs, addr)
		}
	}
	return all, nil
}

// newLink is a link without its addresses.
func newLink(a *netlink.LinkAttrs) Link {
	return Link{
		Name:     a.Name,
		Index:    a.Index,
		Up:       a.RawFlags&(unix.IFF_UP|unix.IFF_RUNNING) == unix.IFF_UP|unix.IFF_RUNNING,
		Loopback: a.RawFlags&unix.IFF_LOOPBACK != 0,
		NoARP:    a.RawFlags&unix.IFF_NOARP != 0,
		MTU:      a.MTU,
		HWAddr:   hwAddr(a),
	}
}

func hwAddr(a *netlink.LinkAttrs) (hw [6]byte) {
	if len(a.HardwareAddr) == len(hw) {
		copy(hw[:], a.HardwareAddr)
	}
	return hw
}

// WatchLinks implements Links. It begins with the state of all links.
func (l *Linux) WatchLinks(ctx context.Context) (<-chan Link, error) {
	monitor, err := openGroups(unix.RTNLGRP_LINK)
	if err != nil {
		return nil, err
	}
	addresses, err := openMonitor()
	if err != nil {
		monitor.Close()
		return nil, err
	}
	// A separate handle: the watch does not wait for writes of others.
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		monitor.Close()
		addresses.Close()
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	w := newLinkWatch(func() ([]Link, error) {
		all, err := links(h)
		if err == nil {
			l.neighbours.learn(all)
		}
		return all, err
	})
	var listener sync.WaitGroup
	listener.Go(func() { hear(monitor, w.tell) })
	listener.Go(func() {
		hear(addresses, func([]byte) {
			w.glance()
			pause(ctx, gather)
			drain(addresses)
			w.glance() // the look may have come before what was drained
		})
	})
	go func() {
		w.run(ctx)
		l.neighbours.forget()
		monitor.Close()
		addresses.Close()
		listener.Wait()
		h.Close()
		close(w.out)
	}()
	return w.out, nil
}

// monitorBuffer has room for the burst of messages that thousands of new addresses cause. Overflow costs only a look.
const monitorBuffer = 1 << 20

// gather is how long messages about addresses are collected: each one that wakes this process costs as much as a
// hundred that are drained.
const gather = 20 * time.Millisecond

// openMonitor opens a socket on which the kernel reports changes of addresses and forwarding.
func openMonitor() (*os.File, error) {
	return openGroups(unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV6_NETCONF)
}

// drain drops the messages that wait on a monitor.
func drain(monitor *os.File) {
	raw, err := monitor.SyscallConn()
	if err != nil {
		return // it is closed
	}
	_ = raw.Read(func(fd uintptr) bool {
		var scratch [1]byte
		for {
			if _, _, err := unix.Recvfrom(int(fd), scratch[:], unix.MSG_DONTWAIT); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return true
			}
		}
	})
}

// openGroups opens a socket on which the kernel reports to some groups. It is non-blocking, so that the runtime's
// poller serves it and Close ends a Read.
func openGroups(groups ...int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), "netlink")
	receiveBuffer(fd, monitorBuffer)
	bits := uint32(0)
	for _, g := range groups {
		bits |= 1 << (g - 1)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: bits}); err != nil {
		f.Close()
		return nil, fmt.Errorf("watch interfaces: %w", err)
	}
	return f, nil
}

// receiveBuffer asks for more than the host's limit, and accepts the limit without CAP_NET_ADMIN.
func receiveBuffer(fd, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
	}
}

// tell takes a message of the kernel as a hint to look again: at once if a known link goes up, down or away, or the
// message is not understood; otherwise when the watch has rested.
func (w *linkWatch) tell(message []byte) {
	const flags = unix.SizeofNlMsghdr + 8 // of struct ifinfomsg
	if len(message) < flags+4 {
		w.look()
		return
	}
	switch kind := binary.NativeEndian.Uint16(message[4:]); kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		const up = unix.IFF_UP | unix.IFF_RUNNING
		if w.urgent(int(native(message[flags-4:])), native(message[flags:])&up == up, kind == unix.RTM_DELLINK) {
			w.look()
			return
		}
	}
	w.glance()
}

// hear passes the beginning of every message to tell, until the monitor is closed. An error such as ENOBUFS, which
// stands for lost messages, is passed as an empty message.
func hear(monitor io.ReadCloser, tell func(message []byte)) {
	var scratch [unix.SizeofNlMsghdr + unix.SizeofIfInfomsg]byte // the kernel drops the rest of a message
	for {
		n, err := monitor.Read(scratch[:])
		if errors.Is(err, os.ErrClosed) {
			return
		}
		tell(scratch[:max(n, 0)])
	}
}
