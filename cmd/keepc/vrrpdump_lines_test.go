package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"keepc/compiler/ir"
)

// The lines of addresses, routes and rules as keepalived's dump has them.

// addressLine writes an address as the dump does.
func addressLine(a ir.Address) string {
	words := []string{prefixText(a.Prefix)}
	add := func(on bool, format string, args ...any) {
		if on {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(a.Broadcast.IsValid(), "brd %s", a.Broadcast)
	add(true, "dev %s", a.Dev)
	add(true, "scope %s", a.Scope)
	add(a.Label != "", "label %s", a.Label)
	add(a.Peer.IsValid(), "peer %s", a.Peer)
	if a.PreferredLft != nil && *a.PreferredLft > 0 {
		add(a.Prefix.Addr().Is6(), "preferred_lft %d", int(a.PreferredLft.Seconds()))
	}
	add(a.PreferredLft != nil && *a.PreferredLft == 0, "deprecated")
	add(a.Home, "home")
	add(a.NoDAD, "-nodad")
	add(a.ManageTempAddr, "mngtmpaddr")
	add(a.NoPrefixRoute, "noprefixroute")
	add(a.AutoJoin, "autojoin")
	add(a.NoTrack, "no_track")
	add(a.TrackGroup != "", "track_group %s", a.TrackGroup)
	return strings.Join(words, " ")
}

// prefixText leaves out the length of a host's prefix.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// routeLine writes a route as the dump does.
func routeLine(r ir.Route) string {
	words := []string{r.Install.String()}
	add := func(on bool, format string, args ...any) {
		if on {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(r.Type != ir.Unicast, "%s", r.Type)
	add(true, "%s", prefixText(r.To))
	add(r.From.IsValid(), "from %s", r.From)
	add(r.As.IsValid(), "as to %s", r.As)
	add(r.Encap != "", "encap %s", r.Encap)
	add(r.Src.IsValid(), "src %s", r.Src)
	add(r.Via.IsValid(), "via %s %s", inetOf(r.Via), r.Via)
	add(r.TOS.N != 0, "tos %d", r.TOS.N)
	add(r.Dev != "", "dev %s", r.Dev)
	add(r.Table.N != ir.MainTable, "table %d", r.Table.N)
	add(true, "proto %d", r.Protocol.N)
	add(r.Scope != 0, "scope %d", r.Scope)
	add(r.Metric != 0, "metric %d", r.Metric)
	add(r.OnLink, "onlink")
	add(r.Realms != "", "realms %s", r.Realms)
	add(r.Expires > 0, "expires %dsec", int(r.Expires.Seconds()))
	metrics := slices.SortedStableFunc(slices.Values(r.Metrics), func(a, b ir.RouteMetric) int {
		return slices.Index(metricOrder, a.Name) - slices.Index(metricOrder, b.Name)
	})
	for _, m := range metrics {
		add(true, "%s", metricText(m))
	}
	for _, n := range r.Nexthops {
		add(true, "nexthop via %s %s", inetOf(n.Via), n.Via)
		add(n.Dev != "", "dev %s", n.Dev)
		add(n.Weight > 1, "weight %d", n.Weight)
		add(n.OnLink, "onlink")
	}
	add(r.IPv6 && r.Pref != "medium", "pref %s", r.Pref)
	add(r.NoTrack, "no_track")
	add(r.TrackGroup != "", "track_group %s", r.TrackGroup)
	return strings.Join(words, " ")
}

// metricOrder is that of the dump.
var metricOrder = []string{
	"congctl", "rtt", "rttvar", "rto_min", "features", "mtu", "window", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit", "initcwnd", "initrwnd",
	"quickack", "fastopen_no_cookie",
}

// metricText writes a metric as the dump does; times with their units.
func metricText(m ir.RouteMetric) string {
	value := strconv.FormatUint(uint64(m.Value), 10)
	scale := map[string]uint32{"rtt": 8, "rttvar": 4, "rto_min": 1}[m.Name]
	switch {
	case m.Text != "":
		value = m.Text
	case m.Name == "features":
		value = "ecn"
	case scale > 0 && m.Value/scale%1000 == 0:
		value = fmt.Sprintf("%ds", m.Value/scale/1000)
	case scale > 0:
		value = fmt.Sprintf("%dms", m.Value/scale)
	}
	if m.Locked {
		value = "lock " + value
	}
	return m.Name + " " + value
}

func inetOf(a netip.Addr) string {
	if a.Is6() {
		return "inet6"
	}
	return "inet"
}

// ruleLine writes a rule as the dump does.
func ruleLine(r ir.Rule) string {
	var words []string
	add := func(on bool, format string, args ...any) {
		if on {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(r.IPv6 && !r.From.IsValid() && !r.To.IsValid(), "inet6")
	add(r.Not, "not")
	from := "all"
	if r.From.IsValid() {
		from = prefixText(r.From)
	}
	add(true, "from %s", from)
	add(r.To.IsValid(), "to %s", prefixText(r.To))
	add(true, "priority %d tos 0x%x", *r.Priority, r.TOS.N)
	if r.FWMark != (ir.Mark{}) {
		mask := ""
		if r.FWMark.Mask != 0xffffffff {
			mask = fmt.Sprintf("/0x%x", r.FWMark.Mask)
		}
		add(true, "fwmark 0x%x%s", r.FWMark.Value, mask)
	}
	add(r.IIf != "", "iif %s", r.IIf)
	add(r.OIf != "", "oif %s", r.OIf)
	if r.SuppressPrefixLength != nil {
		add(true, "suppress_prefixlen %d", *r.SuppressPrefixLength)
	}
	if r.SuppressGroup != nil {
		add(true, "suppress_ifgroup %d", r.SuppressGroup.N)
	}
	add(r.TunnelID != 0, "tunnel-id %d", r.TunnelID)
	ports := func(word string, p *ir.Range) {
		if p != nil {
			add(true, "%s %d-%d", word, p.First, p.Last)
		}
	}
	ports("uidrange", r.UIDs)
	add(r.L3MDev, "l3mdev")
	add(r.Protocol.N != 0, "protocol %d", r.Protocol.N)
	add(r.IPProto.N != 0, "ipproto %d", r.IPProto.N)
	ports("sport", r.SourcePorts)
	ports("dport", r.DestinationPorts)
	add(r.Realms != "", "realms %s", r.Realms)
	switch r.Action {
	case ir.Lookup:
		add(true, "lookup %d", r.Table.N)
	case ir.Goto:
		add(true, "goto %d", r.Target)
	case ir.Nop:
		add(true, "nop")
	default:
		add(true, "type %s", r.Action)
	}
	add(r.NoTrack, "no_track")
	add(r.TrackGroup != "", "track_group %s", r.TrackGroup)
	return strings.Join(words, " ")
}
