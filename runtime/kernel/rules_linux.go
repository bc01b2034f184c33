package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"keepc/compiler/state"
)

// Rules lists the routing rules of both families. It needs no capability. The library's list says nothing of the action.
func (l *Linux) Rules() (map[state.RuleKey]state.Rule, error) {
	messages, err := dump(func() ([][]byte, error) {
		req := nl.NewNetlinkRequest(unix.RTM_GETRULE, unix.NLM_F_DUMP)
		req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: l.rules}
		req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
		return req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWRULE)
	})
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	all := make(map[state.RuleKey]state.Rule, len(messages))
	for _, m := range messages {
		if family := nl.DeserializeRtMsg(m).Family; family != unix.AF_INET && family != unix.AF_INET6 {
			continue // multicast routing has rules of its own
		}
		k, r, err := readRule(m)
		if err != nil {
			return nil, fmt.Errorf("list rules: %w", err)
		}
		all[k] = r
	}
	return all, nil
}

// readRule reads a message of struct fib_rule_hdr, which has the shape of struct rtmsg, with the rule's action for a type.
func readRule(m []byte) (k state.RuleKey, r state.Rule, err error) {
	head := nl.DeserializeRtMsg(m)
	attrs, err := nl.ParseRouteAttr(m[head.Len():])
	if err != nil {
		return k, r, err
	}
	k = state.RuleKey{
		IPv6: head.Family == unix.AF_INET6, Action: head.Type, TOS: head.Tos, Table: uint32(head.Table),
		Not: head.Flags&unix.FIB_RULE_INVERT != 0,
	}
	for _, a := range attrs {
		switch v := a.Value; a.Attr.Type {
		case unix.FRA_SRC:
			k.From = rulePrefix(v, head.Src_len)
		case unix.FRA_DST:
			k.To = rulePrefix(v, head.Dst_len)
		case unix.FRA_IIFNAME:
			k.IIF = strings.TrimRight(string(v), "\x00")
		case unix.FRA_OIFNAME:
			k.OIF = strings.TrimRight(string(v), "\x00")
		case unix.FRA_PROTOCOL:
			r.Protocol = v[0]
		case unix.FRA_IP_PROTO:
			k.IPProto = v[0]
		case unix.FRA_L3MDEV:
			k.L3MDev = v[0] != 0
		case unix.FRA_TUN_ID:
			k.TunnelID = binary.BigEndian.Uint64(v)
		case unix.FRA_SPORT_RANGE:
			k.SPort = portRange(v)
		case unix.FRA_DPORT_RANGE:
			k.DPort = portRange(v)
		case unix.FRA_UID_RANGE:
			k.UIDs = state.Range{First: native(v), Last: native(v[4:])}
		case unix.FRA_SUPPRESS_PREFIXLEN:
			k.SuppressBelow = native(v) + 1 // none is all ones
		case unix.FRA_SUPPRESS_IFGROUP:
			k.SuppressGroup = native(v) + 1
		case unix.FRA_PRIORITY:
			k.Priority = native(v)
		case unix.FRA_FWMARK:
			k.Mark = native(v)
		case unix.FRA_FWMASK:
			k.Mask = native(v)
		case unix.FRA_FLOW:
			k.Realms = native(v)
		case unix.FRA_TABLE:
			k.Table = native(v)
		case unix.FRA_GOTO:
			k.Goto = native(v)
		}
	}
	return k, r, nil
}

func rulePrefix(addr []byte, bits uint8) netip.Prefix {
	a, _ := netip.AddrFromSlice(addr)
	return netip.PrefixFrom(a, int(bits))
}

func portRange(v []byte) state.Range {
	e := binary.NativeEndian
	return state.Range{First: uint32(e.Uint16(v)), Last: uint32(e.Uint16(v[2:]))}
}

func native(v []byte) uint32 { return binary.NativeEndian.Uint32(v) }
