package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"keepc/compiler/state"
)

// rulesOf lists the routing rules of both families. It needs no capability. The library's list lacks the action.
func (l *Linux) rulesOf(state.State, iter.Seq[state.RuleKey]) (map[state.RuleKey]state.Rule, error) {
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
		k, err := readRule(m)
		if err != nil {
			return nil, fmt.Errorf("list rules: %w", err)
		}
		all[k] = state.Rule{}
	}
	return all, nil
}

// setRule adds the rule, unless it exists.
func (l *Linux) setRule(k state.RuleKey, _ state.Rule) error {
	head, attrs := ruleMessage(k)
	if err := l.changeRouting(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, head, attrs); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add rule %s: %w", k, permission(err, netAdmin))
	}
	return nil
}

// deleteRule deletes the rule.
func (l *Linux) deleteRule(k state.RuleKey) error {
	head, attrs := ruleMessage(k)
	if err := l.changeRouting(unix.RTM_DELRULE, 0, head, attrs); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete rule %s: %w", k, permission(err, netAdmin))
	}
	return nil
}

// ruleMessage returns a message about a rule: struct fib_rule_hdr, which is like struct rtmsg with the action in place
// of the type.
func ruleMessage(k state.RuleKey) (head *nl.RtMsg, attrs []*nl.RtAttr) {
	head = &nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET, Tos: k.TOS, Type: k.Action}}
	if k.IPv6 {
		head.Family = unix.AF_INET6
	}
	if k.Not {
		head.Flags = unix.FIB_RULE_INVERT
	}
	add := func(set bool, kind int, data []byte) {
		if set {
			attrs = append(attrs, nl.NewRtAttr(kind, data))
		}
	}
	number := func(set bool, kind int, n uint32) { add(set, kind, nl.Uint32Attr(n)) }
	if k.From.IsValid() {
		head.Src_len = uint8(k.From.Bits())
		add(true, unix.FRA_SRC, k.From.Addr().AsSlice())
	}
	if k.To.IsValid() {
		head.Dst_len = uint8(k.To.Bits())
		add(true, unix.FRA_DST, k.To.Addr().AsSlice())
	}
	add(k.IIF != "", unix.FRA_IIFNAME, nl.ZeroTerminated(k.IIF))
	add(k.OIF != "", unix.FRA_OIFNAME, nl.ZeroTerminated(k.OIF))
	add(true, unix.FRA_PROTOCOL, []byte{k.Protocol})
	add(k.IPProto != 0, unix.FRA_IP_PROTO, []byte{k.IPProto})
	add(k.L3MDev, unix.FRA_L3MDEV, []byte{1})
	add(k.TunnelID != 0, unix.FRA_TUN_ID, binary.BigEndian.AppendUint64(nil, k.TunnelID))
	add(k.SPort != state.Range{}, unix.FRA_SPORT_RANGE, slices.Concat(nl.Uint16Attr(uint16(k.SPort.First)), nl.Uint16Attr(uint16(k.SPort.Last))))
	add(k.DPort != state.Range{}, unix.FRA_DPORT_RANGE, slices.Concat(nl.Uint16Attr(uint16(k.DPort.First)), nl.Uint16Attr(uint16(k.DPort.Last))))
	add(k.UIDs != state.Range{} || k.Root, unix.FRA_UID_RANGE, slices.Concat(nl.Uint32Attr(k.UIDs.First), nl.Uint32Attr(k.UIDs.Last)))
	number(k.SuppressBelow != 0, unix.FRA_SUPPRESS_PREFIXLEN, k.SuppressBelow-1)
	number(k.SuppressGroup != 0, unix.FRA_SUPPRESS_IFGROUP, k.SuppressGroup-1)
	number(true, unix.FRA_PRIORITY, k.Priority)
	number(k.Mark != 0 || k.Mask != 0, unix.FRA_FWMARK, k.Mark)
	number(k.Mark != 0 || k.Mask != 0, unix.FRA_FWMASK, k.Mask)
	number(k.Realms != 0, unix.FRA_FLOW, k.Realms)
	number(k.Table != 0, unix.FRA_TABLE, k.Table)
	number(k.Action == unix.FR_ACT_GOTO, unix.FRA_GOTO, k.Goto)
	return head, attrs
}

// readRule reads a message with struct fib_rule_hdr, which is like struct rtmsg with the action in place of the type.
func readRule(m []byte) (k state.RuleKey, err error) {
	head := nl.DeserializeRtMsg(m)
	attrs, err := nl.ParseRouteAttr(m[head.Len():])
	if err != nil {
		return k, err
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
			k.Protocol = v[0]
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
			k.Root = k.UIDs == state.Range{}
		case unix.FRA_SUPPRESS_PREFIXLEN:
			k.SuppressBelow = native(v) + 1 // all ones means none
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
	return k, nil
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
