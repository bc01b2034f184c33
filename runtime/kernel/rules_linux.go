package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"keepc/compiler/state"
)

// rulesOf lists the routing rules of both families. It needs no capability. The library's list says nothing of the action.
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

// setRule adds the rule, unless it is there.
func (l *Linux) setRule(k state.RuleKey, _ state.Rule) error {
	if err := l.routes.RuleAdd(netlinkRule(k)); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add rule %s: %w", k, permission(err, netAdmin))
	}
	return nil
}

// deleteRule deletes the rule.
func (l *Linux) deleteRule(k state.RuleKey) error {
	if err := l.routes.RuleDel(netlinkRule(k)); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete rule %s: %w", k, permission(err, netAdmin))
	}
	return nil
}

// netlinkRule is what the library knows of a rule: state.Desired asks for no tunnel and no VRF.
func netlinkRule(k state.RuleKey) *netlink.Rule {
	n := netlink.NewRule()
	n.Family, n.Priority, n.Invert, n.Type, n.Protocol = unix.AF_INET, int(k.Priority), k.Not, k.Action, k.Protocol
	if k.IPv6 {
		n.Family = unix.AF_INET6
	}
	if k.From.IsValid() {
		n.Src = ipNet(k.From)
	}
	if k.To.IsValid() {
		n.Dst = ipNet(k.To)
	}
	n.IifName, n.OifName, n.Tos, n.IPProto, n.Table = k.IIF, k.OIF, uint(k.TOS), int(k.IPProto), int(k.Table)
	if k.Mark != 0 || k.Mask != 0 {
		n.Mark, n.Mask = k.Mark, &k.Mask
	}
	if k.SPort != (state.Range{}) {
		n.Sport = netlink.NewRulePortRange(uint16(k.SPort.First), uint16(k.SPort.Last))
	}
	if k.DPort != (state.Range{}) {
		n.Dport = netlink.NewRulePortRange(uint16(k.DPort.First), uint16(k.DPort.Last))
	}
	if k.UIDs != (state.Range{}) {
		n.UIDRange = netlink.NewRuleUIDRange(k.UIDs.First, k.UIDs.Last)
	}
	if k.Goto != 0 {
		n.Goto = int(k.Goto)
	}
	if k.Realms != 0 {
		n.Flow = int(k.Realms)
	}
	n.SuppressPrefixlen, n.SuppressIfgroup = int(k.SuppressBelow)-1, int(k.SuppressGroup)-1
	return n
}

// readRule reads a message of struct fib_rule_hdr, which has the shape of struct rtmsg, with the rule's action for a type.
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
