package schema

import (
	"fmt"
	"net/netip"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// Short names, because the table has many rows.
type (
	duration = time.Duration
	address  = netip.Addr
	prefixOf = netip.Prefix
)

var (
	virtualAddress  = addressEntry("virtual address line", ir.Address{}, useVMAC)
	excludedAddress = addressEntry("virtual address line", ir.Address{Excluded: true}, useVMAC)
	staticAddress   = addressEntry("static address line", ir.Address{},
		Value("track_group", String, func(a *ir.Address) *string { return &a.TrackGroup }, "The instances of the track_group go into FAULT with the interface of the address."))
	useVMAC = Value("use_vmac", Flag, func(a *ir.Address) *bool { return &a.UseVMAC }, "Puts the address on a macvlan interface with the virtual MAC address.")
)

func addressEntry(name string, proto ir.Address, last Row[ir.Address]) *Entry[ir.Address] {
	return entry(name, head(Prefix, func(a *ir.Address) *netip.Prefix { return &a.Prefix }), proto,
		Value("dev", Interface, func(a *ir.Address) *string { return &a.Dev }, "The interface that gets the address.").Vital().Drops().Otherwise("the interface of the instance; for static addresses default_interface").First().Refused("keepalived drops the address"),
		Value("label", Short(15), func(a *ir.Address) *string { return &a.Label }, "The label of an IPv4 address, as eth0:0.").Drops(),
		Value("scope", scope, func(a *ir.Address) *ir.Scope { return &a.Scope }, "How far the address is valid.").Default("global"),
		broadcast("broadcast", "The broadcast address; + and - set the host bits to ones and zeros."),
		broadcast("brd", "Same as broadcast.").Same("broadcast"),
		Value("peer", peer, func(a *ir.Address) *netip.Prefix { return &a.Peer }, "The other end of a point-to-point link.").First().Refused("keepalived ignores it"),
		Value("-nodad", Flag, func(a *ir.Address) *bool { return &a.NoDAD }, "Leaves out the search for duplicates of an IPv6 address."),
		Value("home", Flag, func(a *ir.Address) *bool { return &a.Home }, "Marks the home address of IPv6 mobility."),
		Value("mngtmpaddr", Flag, func(a *ir.Address) *bool { return &a.ManageTempAddr }, "The kernel makes temporary IPv6 addresses from it."),
		Value("noprefixroute", Flag, func(a *ir.Address) *bool { return &a.NoPrefixRoute }, "No route to the network of the address is made."),
		Value("autojoin", Flag, func(a *ir.Address) *bool { return &a.AutoJoin }, "Joins a multicast group."),
		Value("no_track", Flag, func(a *ir.Address) *bool { return &a.NoTrack }, "The address may be removed by others without consequence."),
		Value("preferred_lft", lifetime, func(a *ir.Address) **duration { return &a.PreferredLft }, "How long the address is preferred: seconds or forever.").Otherwise("forever; 0 for an IPv6 address of one host"),
		last,
	)
}

// broadcast is the option for a broadcast address: an IPv4 address, or + or - for the one derived from the prefix
// before it.
func broadcast(word, text string) Row[ir.Address] {
	return Row[ir.Address]{
		Keyword: &Keyword{Word: word, Expect: "an IPv4 address, + or -", Text: text},
		read: func(r *reader, a *ir.Address) {
			switch r.peek() {
			case "+", "-":
				w, _ := r.optional()
				switch {
				case r.literal && a.Prefix.Addr().Is6():
					r.invalid(w, "a broadcast address of IPv6", "none")
				case a.Prefix.IsValid() && a.Prefix.Bits() >= a.Prefix.Addr().BitLen()-1:
					r.noBroadcast(w, a.Prefix)
				case w.Text == "+":
					a.Broadcast = lastOf(a.Prefix)
				default:
					a.Broadcast = a.Prefix.Masked().Addr()
				}
			default:
				if b, ok := hostAddr.read(r); ok {
					a.Broadcast = b
				}
			}
		},
	}.Drops()
}

// noBroadcast reports a broadcast address for a network that has no room for one.
func (r *reader) noBroadcast(w grammar.Word, p netip.Prefix) {
	r.report(diag.Diagnostic{
		Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
		Message: fmt.Sprintf("a network of prefix length %d has no broadcast address", p.Bits()),
		Span:    w.Span,
		Label:   "keepalived sets the address without",
	})
}

// peer is the other end of a link: an address. keepalived reads no prefix length here and goes on without the peer.
var peer = as(hostAddr, func(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) })

// scope is a scope by its name or number.
var scope = Kind[ir.Scope]{"global, site, link, host, nowhere or 0..255", func(r *reader) (ir.Scope, bool) {
	for _, s := range []ir.Scope{ir.ScopeGlobal, ir.ScopeSite, ir.ScopeLink, ir.ScopeHost, ir.ScopeNowhere} {
		if s.String() == r.peek() {
			r.optional()
			return s, true
		}
	}
	if !isNumber(r.peek()) && len(r.rest) > 0 {
		r.oneOf(r.rest[0], []string{"global", "site", "link", "host", "nowhere"})
		return 0, false
	}
	return Int[ir.Scope](0, 255).read(r)
}}

var groupMember = entry("virtual_server_group line", memberHead, ir.GroupMember{})

// memberHead reads an address with a port, a range or prefix of addresses, or a firewall mark.
var memberHead = Head[ir.GroupMember]{expect: "an address, range or prefix and a port; or fwmark and a number", read: func(r *reader, m *ir.GroupMember) bool {
	if r.peek() == "fwmark" {
		mark, ok := r.mark(0)
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
		m.Port, ok = AnyPort.read(r)
	}
	return ok
}}

var linkbeat = entry("linkbeat_interfaces line", head(Interface, func(l *ir.Linkbeat) *string { return &l.Interface }), ir.Linkbeat{},
	linkbeatMethod("MII", "Asks the link by MII."),
	linkbeatMethod("ETHTOOL", "Asks the link by ethtool."),
	linkbeatMethod("IOCTL", "Asks the link by the flags of the interface."),
)

func linkbeatMethod(word, text string) Row[ir.Linkbeat] {
	return Value(word, constant(word), func(l *ir.Linkbeat) *string { return &l.Method }, text)
}

var upDownDelay = entry("interface_up_down_delays line", Head[ir.UpDownDelay]{expect: "an interface and seconds", read: func(r *reader, d *ir.UpDownDelay) (ok bool) {
	if d.Interface, ok = Interface.read(r); !ok {
		return false
	}
	if d.Down, ok = Decimal(0, 255).read(r); !ok {
		return false
	}
	d.Up = d.Down
	if len(r.rest) > 0 {
		d.Up, ok = Decimal(0, 255).read(r)
	}
	return ok
}}, ir.UpDownDelay{})
