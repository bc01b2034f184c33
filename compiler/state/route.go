package state

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"keepc/compiler/ir"
)

// A RouteKey is what the kernel identifies a route by, plus the protocol: routes with ir.KeepalivedProtocol are ours.
// Its JSON form is part of the facts of a host.
type RouteKey struct {
	Table    uint32       `json:"table"`
	Dst      netip.Prefix `json:"dst"` // of zero length: the default route of its family
	TOS      uint8        `json:"tos,omitempty"`
	Metric   uint32       `json:"metric,omitempty"` // the smallest wins; the kernel's default for IPv6 is 1024
	Protocol uint8        `json:"protocol"`         // the program that made it
	From     netip.Prefix `json:"from,omitzero"`    // the sources that an IPv6 route is for; zero: all
}

func (k RouteKey) String() string {
	text := k.Dst.String()
	if k.Dst.Bits() == 0 {
		text = "default"
		if k.Dst.Addr().Is6() {
			text = "default inet6"
		}
	}
	if k.From.IsValid() {
		text += " from " + k.From.String()
	}
	if k.Table != ir.MainTable {
		text += " table " + TableName(k.Table)
	}
	if k.TOS != 0 {
		text += fmt.Sprintf(" tos %#02x", k.TOS)
	}
	if k.Metric != 0 && !(k.Dst.Addr().Is6() && k.Metric == 1024) {
		text += " metric " + strconv.FormatUint(uint64(k.Metric), 10)
	}
	if k.Protocol != ir.KeepalivedProtocol {
		text += " proto " + protocolName(k.Protocol)
	}
	return text
}

// A Route is a route as the kernel holds it; numbers are the kernel's (rtnetlink(7)). The JSON form is part of the
// facts of a host.
type Route struct {
	Type    uint8      `json:"type"` // 1 unicast, 6 blackhole, 7 unreachable, 8 prohibit, 9 throw
	Scope   uint8      `json:"scope,omitempty"`
	PrefSrc netip.Addr `json:"src,omitzero"`
	Hops    []Hop      `json:"hops,omitempty"`    // several: the kernel distributes the traffic
	Expires uint32     `json:"expires,omitempty"` // of an IPv6 route: seconds left when it was read, or lifetime to create it with; 0: no limit
	Append  bool       `json:"-"`                 // it is added after equal ones; the kernel does not report this
	// Options are the other options, by their words in ip-route(8): "mtu": "1400".
	Options    map[string]string `json:"options,omitempty"`
	Provenance `json:"-"`
}

// A Hop is a next hop.
type Hop struct {
	Via    netip.Addr `json:"via,omitzero"` // zero: the destination is on the link
	Dev    string     `json:"dev,omitempty"`
	Weight int        `json:"weight,omitempty"` // its share among several hops, from 1; 0 if it is the only one
	OnLink bool       `json:"onlink,omitempty"`
	Realm  uint32     `json:"realm,omitempty"` // of one hop among several
	// Encap is the tunnel in the words of ip-route(8), those that are not zero, in the order "ip id 5 src 10.0.0.1 dst
	// 10.0.0.2 ttl 9 tos 4".
	Encap string `json:"encap,omitempty"`
}

func (h Hop) String() string {
	var words []string
	if h.Via.IsValid() {
		words = append(words, "via "+h.Via.String())
	}
	if h.Dev != "" {
		words = append(words, "dev "+h.Dev)
	}
	if h.Weight != 0 {
		words = append(words, "weight "+strconv.Itoa(h.Weight))
	}
	if h.OnLink {
		words = append(words, "onlink")
	}
	if h.Realm != 0 {
		words = append(words, "realm "+strconv.FormatUint(uint64(h.Realm), 10))
	}
	if h.Encap != "" {
		words = append(words, "encap "+h.Encap)
	}
	return strings.Join(words, " ")
}

// Devices lists the interfaces that the route names.
func (r Route) Devices() (names []string) {
	for _, h := range r.Hops {
		if h.Dev != "" && !slices.Contains(names, h.Dev) {
			names = append(names, h.Dev)
		}
	}
	return names
}

// Fields implements Object.
func (r Route) Fields() []Field {
	f := []Field{{"type", named(r.Type, routeTypes())}, {"", ""}, {"src", ""}, {"scope", scopeName(r.Scope)}}
	var hops []string
	for _, h := range r.Hops {
		hops = append(hops, h.String())
	}
	f[1] = Field{"nexthop", strings.Join(hops, ", ")}
	if r.PrefSrc.IsValid() {
		f[2].Value = r.PrefSrc.String()
	}
	if r.Expires != 0 {
		f = append(f, Field{"expires", strconv.FormatUint(uint64(r.Expires), 10) + "s"})
	}
	return append(f, Field{"options", optionText(r.Options)})
}

// Serves reports whether a kernel that has the route has what is wanted. If no interface is wanted, the kernel chooses
// it.
func (r Route) Serves(want Route) bool {
	if len(r.Hops) != len(want.Hops) {
		return false
	}
	if r.Expires != 0 && r.Expires <= want.Expires {
		r.Expires = want.Expires // the rest has passed
	}
	r.Hops = slices.Clone(r.Hops)
	for i, h := range want.Hops {
		if h.Dev == "" {
			r.Hops[i].Dev = ""
		}
	}
	return slices.Equal(r.Fields(), want.Fields())
}

func optionText(options map[string]string) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(options)) {
		words = append(words, name+" "+options[name])
	}
	return strings.Join(words, " ")
}

// A RuleKey is a whole routing rule: the kernel distinguishes rules by everything they say. The JSON form is part of
// the facts of a host.
type RuleKey struct {
	IPv6     bool         `json:"ipv6,omitempty"`
	Priority uint32       `json:"priority"` // the smallest is consulted first
	Not      bool         `json:"not,omitempty"`
	From     netip.Prefix `json:"from,omitzero"` // zero: all
	To       netip.Prefix `json:"to,omitzero"`
	IIF      string       `json:"iif,omitempty"`
	OIF      string       `json:"oif,omitempty"`
	TOS      uint8        `json:"tos,omitempty"`
	Mark     uint32       `json:"fwmark,omitempty"`
	Mask     uint32       `json:"fwmask,omitempty"`
	IPProto  uint8        `json:"ipproto,omitempty"`
	SPort    Range        `json:"sport,omitzero"`
	DPort    Range        `json:"dport,omitzero"`
	UIDs     Range        `json:"uidrange,omitzero"`
	Root     bool         `json:"uidrange_root,omitempty"` // the range is 0-0, which UIDs cannot express
	L3MDev   bool         `json:"l3mdev,omitempty"`
	TunnelID uint64       `json:"tun_id,omitempty"`

	Action uint8  `json:"action"` // 1 look up a table, 2 go to a rule, 3 nothing, 6 blackhole, 7 unreachable, 8 prohibit
	Table  uint32 `json:"table,omitempty"`
	Goto   uint32 `json:"goto,omitempty"`
	Realms uint32 `json:"realms,omitempty"`
	// SuppressBelow ignores the table's routes with a shorter prefix; ip-rule(8) writes one less. 0: none.
	SuppressBelow uint32 `json:"suppress_below,omitempty"`
	// SuppressGroup ignores routes out of the interfaces of a group; it is one more than the group's number. 0: none.
	SuppressGroup uint32 `json:"suppress_group,omitempty"`
	Protocol      uint8  `json:"protocol"` // the program that made it
}

// A Range of numbers, both ends included.
type Range struct {
	First uint32 `json:"first"`
	Last  uint32 `json:"last"`
}

func (r Range) String() string {
	if r.First == r.Last {
		return strconv.FormatUint(uint64(r.First), 10)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

func (k RuleKey) String() string {
	words := []string{fmt.Sprintf("%d:", k.Priority)}
	word := func(set bool, name string, value any) {
		if set {
			words = append(words, fmt.Sprint(name, value))
		}
	}
	word(k.IPv6, "inet6", "")
	word(k.Not, "not", "")
	from := "all"
	if k.From.IsValid() {
		from = k.From.String()
	}
	word(true, "from ", from)
	word(k.To.IsValid(), "to ", k.To)
	word(k.TOS != 0, "tos ", fmt.Sprintf("%#02x", k.TOS))
	word(k.Mark != 0 || k.Mask != 0, "fwmark ", markText(k.Mark, k.Mask))
	word(k.IIF != "", "iif ", k.IIF)
	word(k.OIF != "", "oif ", k.OIF)
	word(k.L3MDev, "l3mdev", "")
	word(k.UIDs != Range{}, "uidrange ", k.UIDs)
	word(k.Root, "uidrange ", "0-0")
	word(k.IPProto != 0, "ipproto ", k.IPProto)
	word(k.SPort != Range{}, "sport ", k.SPort)
	word(k.DPort != Range{}, "dport ", k.DPort)
	word(k.TunnelID != 0, "tun_id ", k.TunnelID)
	word(k.Table != 0, "lookup ", TableName(k.Table))
	word(k.SuppressBelow != 0, "suppress_prefixlength ", k.SuppressBelow-1)
	word(k.SuppressGroup != 0, "suppress_ifgroup ", k.SuppressGroup-1)
	word(k.Realms != 0, "realms ", k.Realms)
	word(k.Action == 2, "goto ", k.Goto)
	word(k.Action != 1 && k.Action != 2, "", cmp.Or(named(k.Action, ruleActions()), "nop"))
	word(k.Protocol != ir.KeepalivedProtocol, "proto ", protocolName(k.Protocol))
	return strings.Join(words, " ")
}

func markText(mark, mask uint32) string {
	if mask == 0 || mask == 1<<32-1 {
		return fmt.Sprintf("%#x", mark)
	}
	return fmt.Sprintf("%#x/%#x", mark, mask)
}

// A Rule has nothing besides its key.
type Rule struct {
	Provenance `json:"-"`
}

// Fields implements Object.
func (Rule) Fields() []Field { return nil }

// TableName returns the name of a routing table in every distribution's rt_tables, or else its number.
func TableName(n uint32) string {
	switch n {
	case 255:
		return "local"
	case ir.MainTable:
		return "main"
	case 253:
		return "default"
	}
	return strconv.FormatUint(uint64(n), 10)
}

// A name names a number of the kernel.
type name struct {
	number uint8
	text   string
}

func named(n uint8, names []name) string {
	if i := slices.IndexFunc(names, func(e name) bool { return e.number == n }); i >= 0 {
		return names[i].text
	}
	return strconv.Itoa(int(n))
}

// routeTypes are RTN_*; unicast is the default.
func routeTypes() []name {
	return []name{{1, ""}, {2, "local"}, {3, "broadcast"}, {4, "anycast"}, {5, "multicast"}, {6, "blackhole"}, {7, "unreachable"}, {8, "prohibit"}, {9, "throw"}, {10, "nat"}}
}

// ruleActions are FR_ACT_*.
func ruleActions() []name {
	return []name{{3, "nop"}, {6, "blackhole"}, {7, "unreachable"}, {8, "prohibit"}}
}

// protocolName returns the name of the program that made a route or a rule.
func protocolName(n uint8) string {
	return named(n, []name{{0, "unspec"}, {ir.KeepalivedProtocol, "keepalived"}, {1, "redirect"}, {2, "kernel"}, {3, "boot"}, {4, "static"}, {9, "ra"}, {11, "zebra"}, {12, "bird"}, {16, "dhcp"},
		{186, "bgp"}, {187, "isis"}, {188, "ospf"}, {189, "rip"}, {192, "eigrp"}})
}
