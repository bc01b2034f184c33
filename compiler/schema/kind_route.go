package schema

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

// numbered is a number that may be written as a name. Those of the list are the same on every host; others are kept for the
// host that has them.
func numbered(expect string, known map[string]uint32) Kind[ir.Number] {
	return as(text(expect), func(s string) ir.Number {
		if n, err := strconv.ParseUint(s, 0, 32); err == nil {
			return ir.Number{N: uint32(n)}
		}
		if n, ok := known[s]; ok {
			return ir.Number{N: n}
		}
		return ir.Number{Name: s}
	})
}

var (
	routingTable = numbered("a word", map[string]uint32{"default": 253, "main": ir.MainTable, "local": 255})
	routeOwner   = numbered("a word", map[string]uint32{
		"redirect": 1, "kernel": 2, "boot": 3, "static": 4, "gated": 8, "ra": 9, "mrt": 10, "zebra": 11, "bird": 12, "dnrouted": 13,
		"xorp": 14, "ntk": 15, "dhcp": 16, "keepalived": ir.KeepalivedProtocol, "babel": 42, "bgp": 186, "isis": 187, "ospf": 188, "rip": 189, "eigrp": 192,
	})
	interfaceGroup = numbered("a word", map[string]uint32{"default": 0})
	ipProtocol     = numbered("a word", map[string]uint32{"icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "sctp": 132})
)

// serviceClass is a type of service, by name or number.
var serviceClass = Kind[ir.Number]{"a name or 0..255", func(r *reader) (ir.Number, bool) {
	w, n := r.peek(), numbered("a name or 0..255", nil)
	if v, err := strconv.ParseUint(w, 0, 32); err == nil && v > 255 {
		r.outside(r.rest[0], "0", "255", n.Expect)
		return ir.Number{}, false
	}
	return n.read(r)
}}

// ruleTable is a routing table that a rule looks in. There is no table 0, but the line is read to its end.
var ruleTable = Kind[ir.Number]{routingTable.Expect, func(r *reader) (ir.Number, bool) {
	if len(r.rest) > 0 && r.rest[0].Text == "0" {
		r.report(diag.Diagnostic{
			Rule: "value-range", Severity: diag.Error,
			Message: "a rule cannot look in table 0",
			Span:    r.rest[0].Span,
			Label:   "expected a number above 0, or a name",
		})
	}
	return routingTable.read(r)
}}

// constant is a keyword without a value that stands for one.
func constant[V any](v V) Kind[V] {
	return Kind[V]{"", func(*reader) (V, bool) { return v, true }}
}

// lock takes the word lock away, if it is there.
func (r *reader) lock() bool {
	locked := r.peek() == "lock"
	if locked {
		r.optional()
	}
	return locked
}

// metric is an option of a route that goes into its metrics. scale is how often the kernel counts a unit of the file; a time
// without a unit is as the kernel counts.
func metric(word string, expect string, scale uint32, text string) Row[ir.Route] {
	return Add(word, list(Kind[ir.RouteMetric]{expect, func(r *reader) (m ir.RouteMetric, ok bool) {
		m.Name, m.Locked = word, r.lock()
		w, ok := r.word(expect)
		if !ok {
			return m, false
		}
		n, err := strconv.ParseUint(w.Text, 0, 32)
		switch milliseconds, timed := routeTime(w.Text); {
		case err == nil:
			m.Value = uint32(n)
		case scale > 0 && timed:
			m.Value = milliseconds * scale
		case word != "congctl":
			r.invalid(w, "a number", expect)
			return m, false
		default:
			m.Text = w.Text
		}
		return m, true
	}}), func(r *ir.Route) *[]ir.RouteMetric { return &r.Metrics }, text)
}

// switchMetric is a metric that is 0 or 1.
func switchMetric(word, text string) Row[ir.Route] {
	return Add(word, as(Choice("0", "1"), func(s string) []ir.RouteMetric {
		return []ir.RouteMetric{{Name: word, Value: uint32(s[0] - '0')}}
	}), func(r *ir.Route) *[]ir.RouteMetric { return &r.Metrics }, text)
}

// wholeMetric is a metric that is a whole number.
func wholeMetric(word string, hi int64, text string) Row[ir.Route] {
	return Add(word, as(Int[uint32](0, hi), func(n uint32) []ir.RouteMetric { return []ir.RouteMetric{{Name: word, Value: n}} }),
		func(r *ir.Route) *[]ir.RouteMetric { return &r.Metrics }, text)
}

// routeTime reads a time with its unit, as 50ms or 2s, in milliseconds.
func routeTime(s string) (milliseconds uint32, ok bool) {
	at := strings.IndexFunc(s, func(c rune) bool { return c != '.' && (c < '0' || c > '9') })
	if at <= 0 {
		return 0, false
	}
	f, err := strconv.ParseFloat(s[:at], 64)
	switch strings.ToLower(s[at:]) {
	case "s", "sec", "secs":
		f *= 1000
	case "ms", "msec", "msecs":
	default:
		return 0, false
	}
	return uint32(math.Ceil(f)), err == nil && f < math.MaxUint32/8
}

// gateway is an address that may name its family.
var gateway = Kind[netip.Addr]{"[inet|inet6] an address", func(r *reader) (netip.Addr, bool) {
	if s := r.peek(); s == "inet" || s == "inet6" {
		r.optional()
	}
	return Addr.read(r)
}}

// newTarget is the address behind as, which may have to before it.
var newTarget = Kind[netip.Addr]{"[to] an address", func(r *reader) (netip.Addr, bool) {
	if r.peek() == "to" {
		r.optional()
	}
	return Addr.read(r)
}}

// target is a prefix, or a word for all, which is a prefix of no bits.
var target = Kind[netip.Prefix]{"an address, a prefix, default, any or all", func(r *reader) (netip.Prefix, bool) {
	switch r.peek() {
	case "default", "any", "all":
		r.optional()
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), true
	case "default6":
		r.optional()
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0), true
	}
	if best, sure := diag.Suggest(r.peek(), []string{"default"}); sure {
		r.oneOf(r.rest[0], []string{best})
		return netip.Prefix{}, false
	}
	return Prefix.read(r)
}}

// encap is a tunnel: its kind, and the options that this kind has.
var encap = Kind[string]{"ip, ip6, mpls or ila and its options", func(r *reader) (string, bool) {
	kind, ok := Choice("ip", "ip6", "mpls", "ila").read(r)
	if !ok {
		return "", false
	}
	words := []string{kind}
	if kind == "mpls" || kind == "ila" {
		w, ok := r.word("labels or a locator")
		return strings.Join(append(words, w.Text), " "), ok
	}
	for {
		switch r.peek() {
		case "id", "dst", "src", "tos", "ttl", "tc", "hoplimit", "flags":
			option, _ := r.optional()
			value, ok := r.word("a value")
			if !ok {
				return "", false
			}
			words = append(words, option.Text, value.Text)
		default:
			return strings.Join(words, " "), true
		}
	}
}}

// nexthop is one way of several, up to the end of the line or the next one.
var nexthop = Kind[ir.Nexthop]{"via an address, dev, weight 1..256, onlink", func(r *reader) (n ir.Nexthop, ok bool) {
	n.Weight = 1
	for ok = true; ok; {
		option := r.peek()
		switch option {
		case "via", "dev", "oif", "weight", "onlink", "encap", "realms":
			r.optional()
		default:
			return n, true
		}
		switch option {
		case "via":
			n.Via, ok = gateway.read(r)
		case "dev", "oif":
			n.Dev, ok = Interface.read(r)
		case "weight":
			n.Weight, ok = Int[uint32](1, 256).read(r)
		case "onlink":
			n.OnLink = true
		case "encap":
			n.Encap, ok = encap.read(r)
		case "realms":
			n.Realms, ok = String.read(r)
		}
	}
	return n, false
}}

// mark is a firewall mark, and a mask of the bits that count.
var mark = Kind[ir.Mark]{"a number [/mask]", func(r *reader) (m ir.Mark, ok bool) {
	w, ok := r.word("a number [/mask]")
	if !ok {
		return m, false
	}
	value, mask, masked := strings.Cut(w.Text, "/")
	if !masked {
		mask = "0xffffffff"
	}
	v, err := strconv.ParseUint(value, 0, 32)
	k, err2 := strconv.ParseUint(mask, 0, 32)
	if err != nil || err2 != nil {
		r.invalid(w, "a firewall mark", "a number, with /mask where not all bits count")
		return m, false
	}
	return ir.Mark{Value: uint32(v), Mask: uint32(k)}, true
}}

// numberRange is two numbers with - between them, or one.
func numberRange(hi uint64) Kind[*ir.Range] {
	const expect = "two numbers, as 100-200"
	return Kind[*ir.Range]{expect, func(r *reader) (*ir.Range, bool) {
		w, ok := r.word(expect)
		if !ok {
			return nil, false
		}
		from, to, ranged := strings.Cut(w.Text, "-")
		if !ranged {
			to = from
		}
		first, err := strconv.ParseUint(from, 10, 32)
		last, err2 := strconv.ParseUint(to, 10, 32)
		if err != nil || err2 != nil || first > last || last > hi {
			r.invalid(w, "a range", expect)
			return nil, false
		}
		return &ir.Range{First: uint32(first), Last: uint32(last)}, true
	}}
}

// userRange is the first and the last user, which keepalived wants both.
var userRange = Kind[*ir.Range]{"two numbers, as 100-200", func(r *reader) (*ir.Range, bool) {
	if w := r.peek(); isNumber(w) {
		r.invalid(r.rest[0], "a range", fmt.Sprintf("two numbers, as %s-%s", w, w))
		return nil, false
	}
	return numberRange(1<<32 - 1).read(r)
}}

// lifetime is seconds or forever, which is nil.
var lifetime = Kind[*time.Duration]{"seconds or forever", func(r *reader) (*time.Duration, bool) {
	if r.peek() == "forever" {
		r.optional()
		return nil, true
	}
	return as(Seconds(0, 1<<32-1), pointer).read(r)
}}
