package schema

import (
	"strconv"

	"keepc/compiler/ir"
)

// newRoute and newRule are the values of a line that has only its subject.
var (
	newRoute = ir.Route{Type: ir.Unicast, Table: ir.Number{N: ir.MainTable}, Protocol: ir.Number{N: ir.KeepalivedProtocol}}
	newRule  = ir.Rule{Action: ir.Lookup, Table: ir.Number{N: ir.MainTable}}
)

var route = entry("route line", routeTarget, newRoute,
	Value("inet", Not, func(r *ir.Route) *bool { return &r.IPv6 }, "The route is one of IPv4."),
	Value("inet6", Flag, func(r *ir.Route) *bool { return &r.IPv6 }, "The route is one of IPv6."),
	Value("src", hostAddr, func(r *ir.Route) *address { return &r.Src }, "The preferred source address."),
	Value("to", target, func(r *ir.Route) *prefixOf { return &r.To }, "The destination."),
	Value("as", newTarget, func(r *ir.Route) *address { return &r.As }, "A new destination, for MPLS and ILA."),
	Value("via", gateway, func(r *ir.Route) *address { return &r.Via }, "The gateway, which may be of the other family."),
	Value("gw", gateway, func(r *ir.Route) *address { return &r.Via }, "Old name of via.").Deprecated("via").Same("via"),
	Value("gateway", gateway, func(r *ir.Route) *address { return &r.Via }, "No word of keepalived.").Instead("via"),
	Value("proto", routeOwner, func(r *ir.Route) *ir.Number { return &r.Protocol }, "No word of keepalived.").Instead("protocol"),
	Add("or", as(Addr, func(a address) []ir.Nexthop { return []ir.Nexthop{{Via: a, Weight: 1}} }), func(r *ir.Route) *[]ir.Nexthop { return &r.Nexthops }, "A second gateway.").Deprecated("nexthop for each gateway"),
	Value("from", target, func(r *ir.Route) *prefixOf { return &r.From }, "The source prefix of an IPv6 source route."),
	Value("tos", serviceClass, func(r *ir.Route) *ir.Number { return &r.TOS }, "The type of service that the route is for."),
	Value("dsfield", serviceClass, func(r *ir.Route) *ir.Number { return &r.TOS }, "Same as tos.").Same("tos"),
	Value("table", routingTable, func(r *ir.Route) *ir.Number { return &r.Table }, "The routing table, by name or number.").Otherwise("main"),
	Value("protocol", routeOwner, func(r *ir.Route) *ir.Number { return &r.Protocol }, "Who is said to have made the route.").Otherwise("keepalived"),
	Value("scope", scope, func(r *ir.Route) *ir.Scope { return &r.Scope }, "How far the destination is valid.").Otherwise("link or global"),
	Value("metric", Int[uint32](0, 1<<32-1), func(r *ir.Route) *uint32 { return &r.Metric }, "The lower one wins among equal routes."),
	Value("priority", Int[uint32](0, 1<<32-1), func(r *ir.Route) *uint32 { return &r.Metric }, "Same as metric.").Same("metric"),
	Value("preference", Int[uint32](0, 1<<32-1), func(r *ir.Route) *uint32 { return &r.Metric }, "Same as metric.").Same("metric"),
	Value("dev", Interface, func(r *ir.Route) *string { return &r.Dev }, "The interface."),
	Value("oif", Interface, func(r *ir.Route) *string { return &r.Dev }, "Same as dev.").Same("dev"),
	Value("onlink", Flag, func(r *ir.Route) *bool { return &r.OnLink }, "The gateway is taken as reachable on the link."),
	Value("encap", encap, func(r *ir.Route) *string { return &r.Encap }, "The tunnel that packets of the route go through."),
	Value("expires", as(Int[uint32](0, 1<<32-1), seconds), func(r *ir.Route) *duration { return &r.Expires }, "Seconds after which the kernel removes an IPv6 route."),
	numberMetric("mtu", "The MTU of the path."),
	wholeMetric("hoplimit", 255, "The hop limit of packets."),
	numberMetric("advmss", "The MSS that TCP advertises."),
	timeMetric("rtt", 8, 960_000, "The first estimate of the round trip time."),
	timeMetric("rttvar", 4, 480_000, "The first variance of the round trip time."),
	numberMetric("reordering", "The first reordering metric of TCP."),
	wholeMetric("window", 1<<32-1, "The largest window that TCP advertises."),
	numberMetric("cwnd", "The clamp of the congestion window."),
	numberMetric("ssthresh", "The first slow start threshold."),
	Value("realms", realms, func(r *ir.Route) *string { return &r.Realms }, "The realms of the route."),
	timeMetric("rto_min", 1, 120_000, "The smallest retransmission timeout."),
	wholeMetric("initcwnd", 1<<32-1, "The first congestion window."),
	wholeMetric("initrwnd", 1<<32-1, "The first receive window."),
	metric("features", as(Choice("ecn"), func(string) ir.RouteMetric { return ir.RouteMetric{Name: "features", Value: 1} }), "Features of the path."),
	switchMetric("quickack", "Acknowledges at once."),
	textMetric("congctl", "The congestion control algorithm."),
	Value("pref", preference, func(r *ir.Route) *string { return &r.Pref }, "The preference of an IPv6 router: low, medium or high.").Default("medium"),
	Value("ttl-propagate", Choice("enabled", "disabled"), func(r *ir.Route) *string { return &r.TTLProp }, "Copies the TTL into and out of MPLS.").Otherwise("the kernel's"),
	switchMetric("fastopen_no_cookie", "TCP fast open without a cookie."),
	Value("add", constant(ir.InstallAdd), func(r *ir.Route) *ir.Install { return &r.Install }, "Adds the route; an equal one is an error."),
	Value("prepend", constant(ir.InstallPrepend), func(r *ir.Route) *ir.Install { return &r.Install }, "Adds the route before equal ones."),
	Value("append", constant(ir.InstallAppend), func(r *ir.Route) *ir.Install { return &r.Install }, "Adds the route behind equal ones."),
	Add("nexthop", list(nexthop), func(r *ir.Route) *[]ir.Nexthop { return &r.Nexthops }, "One way of several."),
	Value("no_track", Flag, func(r *ir.Route) *bool { return &r.NoTrack }, "The route may be removed by others without consequence."),
	Value("track_group", String, func(r *ir.Route) *string { return &r.TrackGroup }, "The instances of the track_group go into FAULT with the interface of the static route."),
	Value("vrf", Interface, func(r *ir.Route) *string { return &r.VRF }, "Uses the routing table of that VRF."),
	routeType(ir.Unicast, "An ordinary route."),
	routeType(ir.Local, "The destination is this host."),
	routeType(ir.Broadcast, "The destination is a broadcast address."),
	routeType(ir.Multicast, "A route of multicast."),
	routeType(ir.Anycast, "The destination is an anycast address of this host."),
	routeType(ir.NATRoute, "Old address translation by routes."),
	routeType(ir.Throw, "The search goes on in the next table."),
	routeType(ir.Blackhole, "Packets are dropped silently."),
	routeType(ir.Unreachable, "Packets are answered with host unreachable."),
	routeType(ir.Prohibit, "Packets are answered with administratively prohibited."),
).mustHave(func(r *ir.Route) bool { return r.To.IsValid() }).allOrNothing()

// routeTarget is the destination of a route, which may follow the option to.
var routeTarget = head(Kind[prefixOf]{"a destination", target.read}, func(r *ir.Route) *prefixOf { return &r.To })

func routeType(t ir.RouteType, text string) Row[ir.Route] {
	return Value(t.String(), constant(t), func(r *ir.Route) *ir.RouteType { return &r.Type }, text)
}

var rule = entry("rule line", Head[ir.Rule]{}, newRule,
	Value("inet", Not, func(r *ir.Rule) *bool { return &r.IPv6 }, "The rule is one of IPv4."),
	Value("inet6", Flag, func(r *ir.Rule) *bool { return &r.IPv6 }, "The rule is one of IPv6.").Same("inet"),
	Value("from", target, func(r *ir.Rule) *prefixOf { return &r.From }, "The source prefix."),
	Value("to", target, func(r *ir.Rule) *prefixOf { return &r.To }, "The destination prefix."),
	Value("not", Flag, func(r *ir.Rule) *bool { return &r.Not }, "Turns the selection round."),
	Value("table", ruleTable, func(r *ir.Rule) *ir.Number { return &r.Table }, "The routing table to look in.").Otherwise("main").Refused(oneAction),
	Value("lookup", ruleTable, func(r *ir.Rule) *ir.Number { return &r.Table }, "Same as table.").Otherwise("main").Same("table").Refused(oneAction),
	Value("preference", as(Int[uint32](0, 1<<32-1), pointer), func(r *ir.Rule) **uint32 { return &r.Priority }, "The lower one comes first.").Otherwise("from 16384 downward, with an error"),
	Value("order", as(Int[uint32](0, 1<<32-1), pointer), func(r *ir.Rule) **uint32 { return &r.Priority }, "Same as preference.").Same("preference"),
	Value("priority", as(Int[uint32](0, 1<<32-1), pointer), func(r *ir.Rule) **uint32 { return &r.Priority }, "Same as preference.").Same("preference"),
	Value("prio", as(Int[uint32](0, 1<<32-1), pointer), func(r *ir.Rule) **uint32 { return &r.Priority }, "No word of keepalived.").Instead("priority"),
	Value("pref", as(Int[uint32](0, 1<<32-1), pointer), func(r *ir.Rule) **uint32 { return &r.Priority }, "No word of keepalived.").Instead("preference"),
	Value("tos", serviceClass, func(r *ir.Rule) *ir.Number { return &r.TOS }, "The type of service."),
	Value("dsfield", serviceClass, func(r *ir.Rule) *ir.Number { return &r.TOS }, "Same as tos.").Same("tos"),
	Value("fwmark", mark, func(r *ir.Rule) *ir.Mark { return &r.FWMark }, "The firewall mark, with /mask."),
	Value("mark", mark, func(r *ir.Rule) *ir.Mark { return &r.FWMark }, "No word of keepalived.").Instead("fwmark"),
	Value("realms", realms, func(r *ir.Rule) *string { return &r.Realms }, "The realms of the route."),
	Value("suppress_prefixlength", as(Int[int](0, 128), pointer), func(r *ir.Rule) **int { return &r.SuppressPrefixLength }, "Passes over routes with this prefix length or shorter."),
	Value("sup_pl", as(Int[int](0, 128), pointer), func(r *ir.Rule) **int { return &r.SuppressPrefixLength }, "Same as suppress_prefixlength.").Same("suppress_prefixlength"),
	Value("suppress_ifgroup", as(interfaceGroup, pointer), func(r *ir.Rule) **ir.Number { return &r.SuppressGroup }, "Passes over routes through interfaces of this group."),
	Value("sup_group", as(interfaceGroup, pointer), func(r *ir.Rule) **ir.Number { return &r.SuppressGroup }, "Same as suppress_ifgroup.").Same("suppress_ifgroup"),
	Value("dev", Interface, func(r *ir.Rule) *string { return &r.IIf }, "The interface that the packet came in by."),
	Value("iif", Interface, func(r *ir.Rule) *string { return &r.IIf }, "Same as dev.").Same("dev"),
	Value("oif", Interface, func(r *ir.Rule) *string { return &r.OIf }, "The interface that the socket is bound to."),
	Value("tunnel-id", Int[uint64](0, 1<<63-1), func(r *ir.Rule) *uint64 { return &r.TunnelID }, "The id of the tunnel that the packet came through."),
	Value("uidrange", userRange, func(r *ir.Rule) **ir.Range { return &r.UIDs }, "The users of the socket, as 100-200."),
	Value("l3mdev", Flag, func(r *ir.Rule) *bool { return &r.L3MDev }, "Uses the table of the VRF of the interface.").Same("table").Refused(oneAction),
	Value("protocol", routeOwner, func(r *ir.Rule) *ir.Number { return &r.Protocol }, "Who is said to have made the rule.").Otherwise("keepalived"),
	Value("ipproto", ipProtocol, func(r *ir.Rule) *ir.Number { return &r.IPProto }, "The IP protocol."),
	Value("ip_proto", ipProtocol, func(r *ir.Rule) *ir.Number { return &r.IPProto }, "The manual's spelling of ipproto.").Instead("ipproto"),
	Value("sport", portRange, func(r *ir.Rule) **ir.Range { return &r.SourcePorts }, "The source ports, as 80-80.").Note("keepalived rejects a single port: write 80-80."),
	Value("dport", portRange, func(r *ir.Rule) **ir.Range { return &r.DestinationPorts }, "The destination ports, as 80-80.").Note("keepalived rejects a single port: write 80-80."),
	goTo,
	ruleAction(ir.Nop, "Does nothing."),
	ruleAction(ir.RuleBlackhole, "Packets are dropped silently."),
	ruleAction(ir.RuleUnreachable, "Packets are answered with network unreachable."),
	ruleAction(ir.RuleProhibit, "Packets are answered with administratively prohibited."),
	Value("type", ruleType, func(r *ir.Rule) *ir.RuleAction { return &r.Action }, "What becomes of packets, as by the word alone.").
		Same("table").Refused(oneAction),
	Value("no_track", Flag, func(r *ir.Rule) *bool { return &r.NoTrack }, "The rule may be removed by others without consequence."),
	Value("track_group", String, func(r *ir.Rule) *string { return &r.TrackGroup }, "The instances of the track_group go into FAULT with the interfaces of the static rule."),
).allOrNothing()

// ruleType is an action after the word type: keepalived knows the names, and the numbers of those that drop.
var ruleType = Kind[ir.RuleAction]{"nop, blackhole, unreachable or prohibit", func(r *reader) (ir.RuleAction, bool) {
	if n, err := strconv.ParseUint(r.peek(), 0, 8); err == nil && n >= uint64(ir.RuleBlackhole) && n <= uint64(ir.RuleProhibit) {
		r.optional()
		return ir.RuleAction(n), true
	}
	return Enum(ir.Nop, ir.RuleBlackhole, ir.RuleUnreachable, ir.RuleProhibit).read(r)
}}

func ruleAction(a ir.RuleAction, text string) Row[ir.Rule] {
	return Value(a.String(), constant(a), func(r *ir.Rule) *ir.RuleAction { return &r.Action }, text).Same("table").Refused(oneAction)
}

// goTo is an action with a value.
var goTo = Value("goto", Int[uint32](0, 1<<32-1), func(r *ir.Rule) *uint32 {
	r.Action = ir.Goto
	return &r.Target
}, "Jumps to the rule with this preference.").Same("table").Refused(oneAction)

// oneAction is what happens to a rule with two actions.
const oneAction = "keepalived drops the rule: it has one table or action"
