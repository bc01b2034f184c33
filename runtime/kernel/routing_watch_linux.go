package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
)

// WatchRouting implements Links.
func (l *Linux) WatchRouting(ctx context.Context, lost func()) error {
	monitor, err := openGroups(unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE)
	if err != nil {
		return err
	}
	onlyLosses(monitor)
	ended := context.AfterFunc(ctx, func() { monitor.Close() })
	go func() { // ends with the monitor
		defer ended()
		buf := make([]byte, 1<<16)
		for {
			n, err := monitor.Read(buf)
			switch {
			case errors.Is(err, os.ErrClosed):
				return
			case err != nil || losesRouting(buf[:n]): // an error stands for lost messages
				lost()
			}
		}
	}()
	return nil
}

// onlyLosses makes the kernel drop the messages that losesRouting ignores: thousands of changing foreign routes never
// wake this process. Without the filter they only cost time.
func onlyLosses(monitor *os.File) {
	kind := func(n uint16) uint32 { // as a filter sees it, because it reads in network order
		return uint32(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, n)))
	}
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: kind(unix.RTM_NEWROUTE), SkipTrue: 5},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: kind(unix.RTM_NEWRULE), SkipTrue: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: kind(unix.RTM_DELROUTE), SkipTrue: 2},
		bpf.LoadAbsolute{Off: routeProtocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: ir.KeepalivedProtocol, SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{Val: 0},
	})
	raw, open := monitor.SyscallConn()
	if err != nil || open != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = attach(int(fd), program) })
}

// Where messages have the protocol of a route or rule (linux/rtnetlink.h, linux/fib_rules.h): a byte of the header for
// routes, an attribute for rules.
const (
	routeProtocol = unix.SizeofNlMsghdr + 5
	ruleAttrs     = unix.SizeofNlMsghdr + 12
	fraProtocol   = 21
)

// losesRouting reports whether one of the messages says that a rule or route with our mark was deleted.
func losesRouting(messages []byte) bool {
	for len(messages) >= ruleAttrs {
		length := int(binary.NativeEndian.Uint32(messages))
		if length < ruleAttrs || length > len(messages) {
			return true // truncated: unknown
		}
		switch binary.NativeEndian.Uint16(messages[4:]) {
		case unix.RTM_DELROUTE:
			if messages[routeProtocol] == ir.KeepalivedProtocol {
				return true
			}
		case unix.RTM_DELRULE:
			attrs, err := nl.ParseRouteAttr(messages[ruleAttrs:length])
			if err != nil || slices.ContainsFunc(attrs, func(a syscall.NetlinkRouteAttr) bool {
				return a.Attr.Type == fraProtocol && len(a.Value) == 1 && a.Value[0] == ir.KeepalivedProtocol
			}) {
				return true
			}
		}
		length = (length + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1)
		messages = messages[min(length, len(messages)):]
	}
	return false
}
