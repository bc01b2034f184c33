package schema

import (
	"net/netip"
	"time"

	"keepc/compiler/ir"
)

// Short names, for the table has many.
type (
	duration = time.Duration
	address  = netip.Addr
)

var (
	virtualAddress  = addressEntry("virtual address line", ir.Address{}, useVMAC)
	excludedAddress = addressEntry("virtual address line", ir.Address{Excluded: true}, useVMAC)
	staticAddress   = addressEntry("static address line", ir.Address{},
		Checked[ir.Address]("track_group", String, "The address exists while the instances of the track_group are well."))
	useVMAC = Value("use_vmac", Flag, func(a *ir.Address) *bool { return &a.UseVMAC }, "Puts the address on a macvlan interface with the virtual MAC address.").Unenforced()
)

func addressEntry(name string, proto ir.Address, last Row[ir.Address]) *Entry[ir.Address] {
	return entry(name, head(Prefix, func(a *ir.Address) *netip.Prefix { return &a.Prefix }), proto,
		Value("dev", Interface, func(a *ir.Address) *string { return &a.Dev }, "The interface that gets the address.").Otherwise("the interface of the instance; for static addresses default_interface"),
		Value("label", Short(15), func(a *ir.Address) *string { return &a.Label }, "The label of an IPv4 address, as eth0:0."),
		Value("scope", scope, func(a *ir.Address) *uint8 { return &a.Scope }, "How far the address is valid.").Default("global"),
		broadcast("broadcast", "The broadcast address; + and - set the host bits to ones and zeros."),
		broadcast("brd", "Same as broadcast."),
		Value("peer", Prefix, func(a *ir.Address) *netip.Prefix { return &a.Peer }, "The other end of a point-to-point link."),
		Value("-nodad", Flag, func(a *ir.Address) *bool { return &a.NoDAD }, "Leaves out the search for duplicates of an IPv6 address."),
		Checked[ir.Address]("home", Flag, "Marks the home address of IPv6 mobility."),
		Checked[ir.Address]("mngtmpaddr", Flag, "The kernel makes temporary IPv6 addresses from it."),
		Checked[ir.Address]("noprefixroute", Flag, "No route to the network of the address is made."),
		Checked[ir.Address]("autojoin", Flag, "Joins a multicast group."),
		Checked[ir.Address]("no_track", Flag, "The address may be removed by others without consequence."),
		Checked[ir.Address]("preferred_lft", String, "How long the address is preferred: seconds or forever.").Otherwise("forever; 0 for an IPv6 address of one host"),
		last,
	)
}

// broadcast is the option for a broadcast address: one of IPv4, or + or - for that of the prefix before it.
func broadcast(word, text string) Row[ir.Address] {
	return Row[ir.Address]{
		Keyword: &Keyword{Word: word, Expect: "an IPv4 address, + or -", Text: text},
		read: func(r *reader, a *ir.Address) {
			switch r.peek() {
			case "+":
				r.optional()
				a.Broadcast = lastOf(a.Prefix)
			case "-":
				r.optional()
				a.Broadcast = a.Prefix.Masked().Addr()
			default:
				if b, ok := Addr.read(r); ok {
					a.Broadcast = b
				}
			}
		},
	}
}

// scope is a scope as the kernel numbers it.
var scope = Kind[uint8]{"global, site, link, host, nowhere or 0..255", func(r *reader) (uint8, bool) {
	for name, n := range scopes {
		if name == r.peek() {
			r.optional()
			return n, true
		}
	}
	return Int[uint8](0, 255).read(r)
}}

// scopes are those of rt_scopes(5), with their numbers in linux/rtnetlink.h.
var scopes = map[string]uint8{"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}

var groupMember = entry("virtual_server_group line", memberHead, ir.GroupMember{})

// memberHead reads an address with a port, a range or prefix of addresses, or a firewall mark.
var memberHead = Head[ir.GroupMember]{expect: "an address, range or prefix and a port; or fwmark and a number", read: func(r *reader, m *ir.GroupMember) bool {
	if r.peek() == "fwmark" {
		r.optional()
		mark, ok := Int[uint32](0, 1<<32-1).read(r)
		m.FWMark = mark
		if ok && len(r.rest) > 0 {
			m.IPv6, ok = family.read(r)
		}
		return ok
	}
	var ok bool
	if m.First, m.Last, m.Port, ok = addrRange(r); !ok {
		return false
	}
	if m.Port == 0 && len(r.rest) > 0 {
		m.Port, ok = Int[uint16](0, 65535).read(r)
	}
	return ok
}}

// lockable is a number that may have lock before it, or a unit behind.
var lockable = Kind[string]{"[lock] a number", func(r *reader) (string, bool) {
	if r.peek() == "lock" {
		r.optional()
	}
	return String.read(r)
}}

// gateway is an address that may name its family.
var gateway = Kind[netip.Addr]{"[inet|inet6] an address", func(r *reader) (netip.Addr, bool) {
	if s := r.peek(); s == "inet" || s == "inet6" {
		r.optional()
	}
	return Addr.read(r)
}}

// target is a prefix, or a word for all.
var target = Kind[string]{"an address, a prefix, default, any or all", func(r *reader) (string, bool) {
	switch s := r.peek(); s {
	case "default", "default6", "any", "all":
		r.optional()
		return s, true
	}
	p, ok := Prefix.read(r)
	return p.String(), ok
}}

var route = entry("route line", routeTarget, ir.Route{},
	Checked[ir.Route]("inet", Flag, "The route is one of IPv4."),
	Checked[ir.Route]("inet6", Flag, "The route is one of IPv6."),
	Checked[ir.Route]("src", Addr, "The preferred source address."),
	Checked[ir.Route]("to", target, "The destination."),
	Checked[ir.Route]("as", AnyWords("to an address"), "A new destination, for MPLS and ILA."),
	Checked[ir.Route]("via", gateway, "The gateway, which may be of the other family."),
	Checked[ir.Route]("gw", gateway, "Old name of via.").Deprecated("via"),
	Checked[ir.Route]("or", Addr, "A second gateway.").Deprecated("nexthop for each gateway"),
	Checked[ir.Route]("from", target, "The source prefix of an IPv6 source route."),
	Checked[ir.Route]("tos", String, "The type of service that the route is for."),
	Checked[ir.Route]("dsfield", String, "Same as tos."),
	Checked[ir.Route]("table", String, "The routing table, by name or number.").Otherwise("main"),
	Checked[ir.Route]("protocol", String, "Who is said to have made the route.").Otherwise("keepalived"),
	Checked[ir.Route]("scope", String, "How far the destination is valid.").Otherwise("link or global"),
	Checked[ir.Route]("metric", Int[int](0, 1<<32-1), "The lower one wins among equal routes."),
	Checked[ir.Route]("priority", Int[int](0, 1<<32-1), "Same as metric."),
	Checked[ir.Route]("preference", Int[int](0, 1<<32-1), "Same as metric."),
	Value("dev", Interface, func(r *ir.Route) *string { return &r.Dev }, "The interface."),
	Value("oif", Interface, func(r *ir.Route) *string { return &r.Dev }, "Same as dev."),
	Checked[ir.Route]("onlink", Flag, "The gateway is taken as reachable on the link."),
	Checked[ir.Route]("encap", AnyWords("ip, ip6, mpls or ila and its options"), "The tunnel that packets of the route go through."),
	Checked[ir.Route]("expires", Int[int](0, 1<<32-1), "Seconds after which the kernel removes an IPv6 route."),
	Checked[ir.Route]("mtu", lockable, "The MTU of the path."),
	Checked[ir.Route]("hoplimit", Int[int](0, 255), "The hop limit of packets."),
	Checked[ir.Route]("advmss", lockable, "The MSS that TCP advertises."),
	Checked[ir.Route]("rtt", lockable, "The first estimate of the round trip time."),
	Checked[ir.Route]("rttvar", lockable, "The first variance of the round trip time."),
	Checked[ir.Route]("reordering", lockable, "The first reordering metric of TCP."),
	Checked[ir.Route]("window", Int[int](0, 1<<32-1), "The largest window that TCP advertises."),
	Checked[ir.Route]("cwnd", lockable, "The clamp of the congestion window."),
	Checked[ir.Route]("ssthresh", lockable, "The first slow start threshold."),
	Checked[ir.Route]("realms", String, "The realms of the route."),
	Checked[ir.Route]("rto_min", lockable, "The smallest retransmission timeout."),
	Checked[ir.Route]("initcwnd", Int[int](0, 1<<32-1), "The first congestion window."),
	Checked[ir.Route]("initrwnd", Int[int](0, 1<<32-1), "The first receive window."),
	Checked[ir.Route]("features", Choice("ecn"), "Features of the path."),
	Checked[ir.Route]("quickack", Choice("0", "1"), "Acknowledges at once."),
	Checked[ir.Route]("congctl", lockable, "The congestion control algorithm."),
	Checked[ir.Route]("pref", String, "The preference of an IPv6 router: low, medium or high.").Default("medium"),
	Checked[ir.Route]("ttl-propagate", Choice("enabled", "disabled"), "Copies the TTL into and out of MPLS.").Otherwise("the kernel's"),
	Checked[ir.Route]("fastopen_no_cookie", Choice("0", "1"), "TCP fast open without a cookie."),
	Checked[ir.Route]("add", Flag, "Adds the route; an equal one is an error."),
	Checked[ir.Route]("prepend", Flag, "Adds the route before equal ones."),
	Checked[ir.Route]("append", Flag, "Adds the route behind equal ones."),
	Checked[ir.Route]("nexthop", AnyWords("via an address, dev, weight 1..256, onlink"), "One way of several."),
	Value("no_track", Flag, func(r *ir.Route) *bool { return &r.NoTrack }, "The route may be removed by others without consequence."),
	Checked[ir.Route]("track_group", String, "A static route exists while the instances of the track_group are well."),
	Checked[ir.Route]("vrf", Interface, "Uses the routing table of that VRF."),
	Checked[ir.Route]("unicast", Flag, "An ordinary route."),
	Checked[ir.Route]("local", Flag, "The destination is this host."),
	Checked[ir.Route]("broadcast", Flag, "The destination is a broadcast address."),
	Checked[ir.Route]("multicast", Flag, "A route of multicast."),
	Checked[ir.Route]("anycast", Flag, "The destination is an anycast address of this host."),
	Checked[ir.Route]("nat", Flag, "Old address translation by routes."),
	Checked[ir.Route]("throw", Flag, "The search goes on in the next table."),
	Checked[ir.Route]("blackhole", Flag, "Packets are dropped without a word."),
	Checked[ir.Route]("unreachable", Flag, "Packets are answered with host unreachable."),
	Checked[ir.Route]("prohibit", Flag, "Packets are answered with administratively prohibited."),
)

// routeTarget is the destination of a route, which may stand behind the option to instead.
var routeTarget = Head[ir.Route]{read: func(r *reader, _ *ir.Route) bool {
	_, ok := target.read(r)
	return ok
}}

var rule = entry("rule line", Head[none]{}, none{},
	Checked[none]("inet", Flag, "The rule is one of IPv4."),
	Checked[none]("inet6", Flag, "The rule is one of IPv6."),
	Checked[none]("from", target, "The source prefix."),
	Checked[none]("to", target, "The destination prefix."),
	Checked[none]("not", Flag, "Turns the selection round."),
	Checked[none]("table", String, "The routing table to look in.").Otherwise("main"),
	Checked[none]("lookup", String, "Same as table.").Otherwise("main"),
	Checked[none]("preference", Int[int](0, 1<<32-1), "The lower one comes first.").Otherwise("from 16384 downward, with an error"),
	Checked[none]("order", Int[int](0, 1<<32-1), "Same as preference."),
	Checked[none]("priority", Int[int](0, 1<<32-1), "Same as preference."),
	Checked[none]("tos", String, "The type of service."),
	Checked[none]("dsfield", String, "Same as tos."),
	Checked[none]("fwmark", String, "The firewall mark, with /mask."),
	Checked[none]("realms", String, "The realms of the route."),
	Checked[none]("suppress_prefixlength", Int[int](0, 128), "Passes over routes with this prefix length or shorter."),
	Checked[none]("sup_pl", Int[int](0, 128), "Same as suppress_prefixlength."),
	Checked[none]("suppress_ifgroup", String, "Passes over routes through interfaces of this group."),
	Checked[none]("sup_group", String, "Same as suppress_ifgroup."),
	Checked[none]("dev", Interface, "The interface that the packet came in by."),
	Checked[none]("iif", Interface, "Same as dev."),
	Checked[none]("oif", Interface, "The interface that the socket is bound to."),
	Checked[none]("tunnel-id", String, "The id of the tunnel that the packet came through."),
	Checked[none]("uidrange", String, "The users of the socket, as 100-200."),
	Checked[none]("l3mdev", Flag, "Uses the table of the VRF of the interface."),
	Checked[none]("protocol", String, "Who is said to have made the rule.").Otherwise("keepalived"),
	Checked[none]("ipproto", String, "The IP protocol."),
	Checked[none]("ip_proto", String, "The manual's spelling of ipproto.").Instead("ipproto"),
	Checked[none]("sport", String, "The source ports, as 80-80.").Note("keepalived rejects a single port: write 80-80."),
	Checked[none]("dport", String, "The destination ports, as 80-80.").Note("keepalived rejects a single port: write 80-80."),
	Checked[none]("goto", Int[int](0, 1<<32-1), "Jumps to the rule with this preference."),
	Checked[none]("nop", Flag, "Does nothing."),
	Checked[none]("blackhole", Flag, "Packets are dropped without a word."),
	Checked[none]("unreachable", Flag, "Packets are answered with network unreachable."),
	Checked[none]("prohibit", Flag, "Packets are answered with administratively prohibited."),
	Checked[none]("no_track", Flag, "The rule may be removed by others without consequence."),
	Checked[none]("track_group", String, "A static rule exists while the instances of the track_group are well."),
)

var linkbeat = entry("linkbeat_interfaces line", head(Interface, func(*none) *string { return new(string) }), none{},
	Checked[none]("MII", Flag, "Asks the link by MII."),
	Checked[none]("ETHTOOL", Flag, "Asks the link by ethtool."),
	Checked[none]("IOCTL", Flag, "Asks the link by the flags of the interface."),
)

var upDownDelay = entry("interface_up_down_delays line", Head[none]{expect: "an interface and seconds", read: func(r *reader, _ *none) bool {
	_, ok := Interface.read(r)
	for n := 0; ok && n < 2 && (n == 0 || len(r.rest) > 0); n++ {
		_, ok = Seconds(0, 255).read(r)
	}
	return ok
}}, none{})
