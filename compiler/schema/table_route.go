package schema

import "keepc/compiler/ir"

// newRoute and newRule are what a line says that only names its subject.
var (
	newRoute = ir.Route{Type: ir.Unicast, Table: ir.Number{N: ir.MainTable}, Protocol: ir.Number{N: ir.KeepalivedProtocol}}
	newRule  = ir.Rule{Action: ir.Lookup, Table: ir.Number{N: ir.MainTable}}
)

var route = entry("route line", routeTarget, newRoute,
	Value("inet", Not, func(r *ir.Route) *bool { return &r.IPv6 }, "The route is one of IPv4."),
	Value("inet6", Flag, func(r *ir.Route) *bool { return &r.IPv6 }, "The route is one of IPv6."),
	Value("src", Addr, func(r *ir.Route) *address { return &r.Src }, "The preferred source address."),
	Value("to", target, func(r *ir.Route) *prefixOf { return &r.To }, "The destination."),
	Value("as", newTarget, func(r *ir.Route) *address { return &r.As }, "A new destination, for MPLS and ILA.").Unenforced(),
	Value("via", gateway, func(r *ir.Route) *address { return &r.Via }, "The gateway, which may be of the other family."),
	Value("gw", gateway, func(r *ir.Route) *address { return &r.Via }, "Old name of via.").Deprecated("via"),
	Value("gateway", gateway, func(r *ir.Route) *address { return &r.Via }, "No word of keepalived.").Instead("via"),
	Value("proto", routeOwner, func(r *ir.Route) *ir.Number { return &r.Protocol }, "No word of keepalived.").Instead("protocol"),
	Add("or", as(Addr, func(a address) []ir.Nexthop { return []ir.Nexthop{{Via: a, Weight: 1}} }), func(r *ir.Route) *[]ir.Nexthop { return &r.Nexthops }, "A second gateway.").Deprecated("nexthop for each gateway"),
	Value("from", target, func(r *ir.Route) *prefixOf { return &r.From }, "The source prefix of an IPv6 source route.").Unenforced(),
	Value("tos", serviceClass, func(r *ir.Route) *ir.Number { return &r.TOS }, "The type of service that the route is for."),
	Value("dsfield", serviceClass, func(r *ir.Route) *ir.Number { return &r.TOS }, "Same as tos."),
	Value("table", routingTable, func(r *ir.Route) *ir.Number { return &r.Table }, "The routing table, by name or number.").Otherwise("main"),
	Value("protocol", routeOwner, func(r *ir.Route) *ir.Number { return &r.Protocol }, "Who is said to have made the route.").Otherwise("keepalived"),
	Value("scope", scope, func(r *ir.Route) *ir.Scope { return &r.Scope }, "How far the destination is valid.").Otherwise("link or global"),
	Value("metric", Int[uint32](0, 1<<32-1), func(r *ir.Route) *uint32 { return &r.Metric }, "The lower one wins among equal routes."),
	Value("priority", Int[uint32](0, 1<<32-1), func(r *ir.Route) *uint32 { return &r.Metric }, "Same as metric."),
	Value("preference", Int[uint32](0, 1<<32-1), func(r *ir.Route) *uint32 { return &r.Metric }, "Same as metric."),
	Value("dev", Interface, func(r *ir.Route) *string { return &r.Dev }, "The interface."),
	Value("oif", Interface, func(r *ir.Route) *string { return &r.Dev }, "Same as dev."),
	Value("onlink", Flag, func(r *ir.Route) *bool { return &r.OnLink }, "The gateway is taken as reachable on the link."),
	Value("encap", encap, func(r *ir.Route) *string { return &r.Encap }, "The tunnel that packets of the route go through.").Unenforced(),
	Value("expires", as(Int[uint32](0, 1<<32-1), seconds), func(r *ir.Route) *duration { return &r.Expires }, "Seconds after which the kernel removes an IPv6 route.").Unenforced(),
	metric("mtu", "[lock] a number", 0, "The MTU of the path."),
	wholeMetric("hoplimit", 255, "The hop limit of packets."),
	metric("advmss", "[lock] a number", 0, "The MSS that TCP advertises."),
	metric("rtt", "[lock] a number", 8, "The first estimate of the round trip time."),
	metric("rttvar", "[lock] a number", 4, "The first variance of the round trip time."),
	metric("reordering", "[lock] a number", 0, "The first reordering metric of TCP."),
	wholeMetric("window", 1<<32-1, "The largest window that TCP advertises."),
	metric("cwnd", "[lock] a number", 0, "The clamp of the congestion window."),
	metric("ssthresh", "[lock] a number", 0, "The first slow start threshold."),
	Value("realms", String, func(r *ir.Route) *string { return &r.Realms }, "The realms of the route."),
	metric("rto_min", "[lock] a number", 1, "The smallest retransmission timeout."),
	wholeMetric("initcwnd", 1<<32-1, "The first congestion window."),
	wholeMetric("initrwnd", 1<<32-1, "The first receive window."),
	Add("features", as(Choice("ecn"), func(string) []ir.RouteMetric { return []ir.RouteMetric{{Name: "features", Value: 1}} }), func(r *ir.Route) *[]ir.RouteMetric { return &r.Metrics }, "Features of the path."),
	switchMetric("quickack", "Acknowledges at once."),
	metric("congctl", "[lock] a number", 0, "The congestion control algorithm."),
	Value("pref", String, func(r *ir.Route) *string { return &r.Pref }, "The preference of an IPv6 router: low, medium or high.").Default("medium").Unenforced(),
	Value("ttl-propagate", Choice("enabled", "disabled"), func(r *ir.Route) *string { return &r.TTLProp }, "Copies the TTL into and out of MPLS.").Otherwise("the kernel's").Unenforced(),
	switchMetric("fastopen_no_cookie", "TCP fast open without a cookie."),
	Value("add", constant(ir.InstallAdd), func(r *ir.Route) *ir.Install { return &r.Install }, "Adds the route; an equal one is an error."),
	Value("prepend", constant(ir.InstallPrepend), func(r *ir.Route) *ir.Install { return &r.Install }, "Adds the route before equal ones."),
	Value("append", constant(ir.InstallAppend), func(r *ir.Route) *ir.Install { return &r.Install }, "Adds the route behind equal ones.").Unenforced(),
	Add("nexthop", list(nexthop), func(r *ir.Route) *[]ir.Nexthop { return &r.Nexthops }, "One way of several."),
	Value("no_track", Flag, func(r *ir.Route) *bool { return &r.NoTrack }, "The route may be removed by others without consequence.").Unenforced(),
	Value("track_group", String, func(r *ir.Route) *string { return &r.TrackGroup }, "A static route exists while the instances of the track_group are well.").Unenforced(),
	Value("vrf", Interface, func(r *ir.Route) *string { return &r.VRF }, "Uses the routing table of that VRF.").Unenforced(),
	routeType(ir.Unicast, "An ordinary route."),
	routeType(ir.Local, "The destination is this host."),
	routeType(ir.Broadcast, "The destination is a broadcast address."),
	routeType(ir.Multicast, "A route of multicast."),
	routeType(ir.Anycast, "The destination is an anycast address of this host."),
	routeType(ir.NATRoute, "Old address translation by routes."),
	routeType(ir.Throw, "The search goes on in the next table."),
	routeType(ir.Blackhole, "Packets are dropped without a word."),
	routeType(ir.Unreachable, "Packets are answered with host unreachable."),
	routeType(ir.Prohibit, "Packets are answered with administratively prohibited."),
).mustHave(func(r *ir.Route) bool { return r.To.IsValid() })

// routeTarget is the destination of a route, which may stand behind the option to instead.
var routeTarget = head(Kind[prefixOf]{"a destination", target.read}, func(r *ir.Route) *prefixOf { return &r.To })

func routeType(t ir.RouteType, text string) Row[ir.Route] {
	return Value(t.String(), constant(t), func(r *ir.Route) *ir.RouteType { return &r.Type }, text)
}

var rule = entry("rule line", Head[ir.Rule]{}, newRule,
	Value("inet", Not, func(r *ir.Rule) *bool { return &r.IPv6 }, "The rule is one of IPv4."),
	Value("inet6", Flag, func(r *ir.Rule) *bool { return &r.IPv6 }, "The rule is one of IPv6."),
	Value("from", target, func(r *ir.Rule) *prefixOf { return &r.From }, "The source prefix."),
	Value("to", target, func(r *ir.Rule) *prefixOf { return &r.To }, "The destination prefix."),
	Value("not", Flag, func(r *ir.Rule) *bool { return &r.Not }, "Turns the selection round."),
	Value("table", ruleTable, func(r *ir.Rule) *ir.Number { return &r.Table }, "The routing table to look in.").Otherwise("main"),
	Value("lookup", ruleTable, func(r *ir.Rule) *ir.Number { return &r.Table }, "Same as table.").Otherwise("main"),
	Value("preference", as(Int[uint32](0, 1<<32-1), pointer), func(r *ir.Rule) **uint32 { return &r.Priority }, "The lower one comes first.").Otherwise("from 16384 downward, with an error"),
	Value("order", as(Int[uint32](0, 1<<32-1), pointer), func(r *ir.Rule) **uint32 { return &r.Priority }, "Same as preference."),
	Value("priority", as(Int[uint32](0, 1<<32-1), pointer), func(r *ir.Rule) **uint32 { return &r.Priority }, "Same as preference."),
	Value("prio", as(Int[uint32](0, 1<<32-1), pointer), func(r *ir.Rule) **uint32 { return &r.Priority }, "No word of keepalived.").Instead("priority"),
	Value("pref", as(Int[uint32](0, 1<<32-1), pointer), func(r *ir.Rule) **uint32 { return &r.Priority }, "No word of keepalived.").Instead("preference"),
	Value("tos", serviceClass, func(r *ir.Rule) *ir.Number { return &r.TOS }, "The type of service."),
	Value("dsfield", serviceClass, func(r *ir.Rule) *ir.Number { return &r.TOS }, "Same as tos."),
	Value("fwmark", mark, func(r *ir.Rule) *ir.Mark { return &r.FWMark }, "The firewall mark, with /mask."),
	Value("mark", mark, func(r *ir.Rule) *ir.Mark { return &r.FWMark }, "No word of keepalived.").Instead("fwmark"),
	Value("realms", String, func(r *ir.Rule) *string { return &r.Realms }, "The realms of the route."),
	Value("suppress_prefixlength", as(Int[int](0, 128), pointer), func(r *ir.Rule) **int { return &r.SuppressPrefixLength }, "Passes over routes with this prefix length or shorter."),
	Value("sup_pl", as(Int[int](0, 128), pointer), func(r *ir.Rule) **int { return &r.SuppressPrefixLength }, "Same as suppress_prefixlength."),
	Value("suppress_ifgroup", as(interfaceGroup, pointer), func(r *ir.Rule) **ir.Number { return &r.SuppressGroup }, "Passes over routes through interfaces of this group."),
	Value("sup_group", as(interfaceGroup, pointer), func(r *ir.Rule) **ir.Number { return &r.SuppressGroup }, "Same as suppress_ifgroup."),
	Value("dev", Interface, func(r *ir.Rule) *string { return &r.IIf }, "The interface that the packet came in by."),
	Value("iif", Interface, func(r *ir.Rule) *string { return &r.IIf }, "Same as dev."),
	Value("oif", Interface, func(r *ir.Rule) *string { return &r.OIf }, "The interface that the socket is bound to."),
	Value("tunnel-id", Int[uint64](0, 1<<63-1), func(r *ir.Rule) *uint64 { return &r.TunnelID }, "The id of the tunnel that the packet came through.").Unenforced(),
	Value("uidrange", userRange, func(r *ir.Rule) **ir.Range { return &r.UIDs }, "The users of the socket, as 100-200."),
	Value("l3mdev", Flag, func(r *ir.Rule) *bool { return &r.L3MDev }, "Uses the table of the VRF of the interface.").Unenforced(),
	Value("protocol", routeOwner, func(r *ir.Rule) *ir.Number { return &r.Protocol }, "Who is said to have made the rule.").Otherwise("keepalived"),
	Value("ipproto", ipProtocol, func(r *ir.Rule) *ir.Number { return &r.IPProto }, "The IP protocol."),
	Value("ip_proto", ipProtocol, func(r *ir.Rule) *ir.Number { return &r.IPProto }, "The manual's spelling of ipproto.").Instead("ipproto"),
	Value("sport", numberRange(65535), func(r *ir.Rule) **ir.Range { return &r.SourcePorts }, "The source ports, as 80-80.").Note("keepalived rejects a single port: write 80-80."),
	Value("dport", numberRange(65535), func(r *ir.Rule) **ir.Range { return &r.DestinationPorts }, "The destination ports, as 80-80.").Note("keepalived rejects a single port: write 80-80."),
	goTo,
	ruleAction(ir.Nop, "Does nothing."),
	ruleAction(ir.RuleBlackhole, "Packets are dropped without a word."),
	ruleAction(ir.RuleUnreachable, "Packets are answered with network unreachable."),
	ruleAction(ir.RuleProhibit, "Packets are answered with administratively prohibited."),
	Value("no_track", Flag, func(r *ir.Rule) *bool { return &r.NoTrack }, "The rule may be removed by others without consequence.").Unenforced(),
	Value("track_group", String, func(r *ir.Rule) *string { return &r.TrackGroup }, "A static rule exists while the instances of the track_group are well.").Unenforced(),
)

func ruleAction(a ir.RuleAction, text string) Row[ir.Rule] {
	return Value(a.String(), constant(a), func(r *ir.Rule) *ir.RuleAction { return &r.Action }, text)
}

// goTo is an action that has a value.
var goTo = Value("goto", Int[uint32](0, 1<<32-1), func(r *ir.Rule) *uint32 {
	r.Action = ir.Goto
	return &r.Target
}, "Jumps to the rule with this preference.")
