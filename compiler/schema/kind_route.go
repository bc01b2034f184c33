package schema

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/value"
)

// numbered is a number that may be written as a name. Names in the list are the same on every host; others are kept,
// to be resolved on the host.
func numbered(hi uint64, known map[string]uint32) Kind[ir.Number] {
	expect := fmt.Sprintf("a name or 0..%d", hi)
	name := as(text(expect), func(s string) ir.Number {
		if n, ok := known[s]; ok {
			return ir.Number{N: n}
		}
		return ir.Number{Name: s}
	})
	return Kind[ir.Number]{expect, func(r *reader) (ir.Number, bool) {
		w := r.peek()
		n, err := strconv.ParseUint(w, 0, 64)
		switch {
		case err == nil && n <= hi:
			r.optional()
			return ir.Number{N: uint32(n)}, true
		case err == nil, isNumber(w):
			r.outside(r.rest[0], "0", strconv.FormatUint(hi, 10), expect)
			return ir.Number{}, false
		}
		return name.read(r)
	}}
}

var (
	routingTable = numbered(1<<32-1, map[string]uint32{"default": 253, "main": ir.MainTable, "local": 255})
	routeOwner   = numbered(255, map[string]uint32{
		"unspec": 0, "redirect": 1, "kernel": 2, "boot": 3, "static": 4, "gated": 8, "ra": 9, "mrt": 10, "zebra": 11, "bird": 12, "dnrouted": 13,
		"xorp": 14, "ntk": 15, "dhcp": 16, "keepalived": ir.KeepalivedProtocol, "babel": 42, "openr": 99, "bgp": 186, "isis": 187, "ospf": 188, "rip": 189, "eigrp": 192,
	})
	interfaceGroup = numbered(1<<32-1, map[string]uint32{"default": 0})
	ipProtocol     = numbered(255, map[string]uint32{"icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "sctp": 132})
)

// classes are the names of iproute2 for the classes of service of RFC 2474, 2597 and 3246.
var classes = map[string]uint32{
	"default": 0, "CS1": 0x20, "CS2": 0x40, "CS3": 0x60, "CS4": 0x80, "CS5": 0xa0, "CS6": 0xc0, "CS7": 0xe0, "EF": 0xb8,
	"AF11": 0x28, "AF12": 0x30, "AF13": 0x38, "AF21": 0x48, "AF22": 0x50, "AF23": 0x58,
	"AF31": 0x68, "AF32": 0x70, "AF33": 0x78, "AF41": 0x88, "AF42": 0x90, "AF43": 0x98,
}

// formerClasses are the names that iproute2 had for the bits of RFC 1349.
var formerClasses = map[string]uint32{"lowdelay": 0x10, "throughput": 0x08, "reliability": 0x04, "mincost": 0x02}

// serviceClass is a type of service, by name or number.
var serviceClass = Kind[ir.Number]{numbered(255, classes).Expect, func(r *reader) (ir.Number, bool) {
	n, former := formerClasses[r.peek()]
	if !former {
		return numbered(255, classes).read(r)
	}
	w, number := r.rest[0], fmt.Sprintf("%#02x", n)
	r.fail(diag.Diagnostic{
		Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
		Message: fmt.Sprintf("%s %s no longer exists", r.key.Word, w.Text),
		Span:    w.Span,
		Label:   "expected " + number,
		Fixes:   []diag.Fix{replace(w.Span, number)},
	})
	return ir.Number{}, false
}}

// realms is one or two realms of routes, by name or number.
var realms = Kind[string]{"a realm 0..255 or two, as 3/7", func(r *reader) (string, bool) {
	const expect = "a realm 0..255 or two, as 3/7"
	w, ok := r.word(expect)
	if !ok {
		return "", false
	}
	two, ok := value.ReadRealms(w.Text)
	for _, realm := range []string{two.First, two.Second} {
		if n, err := strconv.ParseUint(realm, 0, 64); err == nil && n > 255 {
			ok = false
		}
	}
	if !ok {
		r.invalid(w, "a realm", expect)
		return "", false
	}
	return w.Text, true
}}

// preference is the router preference of an IPv6 route.
var preference = Kind[string]{"low, medium, high or 0..255", func(r *reader) (string, bool) {
	if w := r.peek(); isNumber(w) {
		_, ok := Int[uint8](0, 255).read(r)
		return w, ok
	}
	return Choice("low", "medium", "high").read(r)
}}

// ruleTable is the routing table of a rule. There is no table 0, but keepalived reads the line to its end.
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

// constant is a keyword without a value that stands for a fixed value.
func constant[V any](v V) Kind[V] {
	return Kind[V]{"", func(*reader) (V, bool) { return v, true }}
}

// lock removes the word lock, if present.
func (r *reader) lock() bool {
	locked := r.peek() == "lock"
	if locked {
		r.optional()
	}
	return locked
}

// metric is an option of a route that becomes one of its metrics.
func metric(word string, k Kind[ir.RouteMetric], text string) Row[ir.Route] {
	row := Add(word, list(k), func(r *ir.Route) *[]ir.RouteMetric {
		r.Metrics = slices.DeleteFunc(slices.Clip(r.Metrics), func(m ir.RouteMetric) bool { return m.Name == word })
		return &r.Metrics
	}, text)
	row.Keyword.Repeat = false
	return row
}

// lockable is a metric that may have the word lock before it; value reads the rest.
func lockable(word, expect string, value func(*reader, grammar.Word, *ir.RouteMetric) bool) Kind[ir.RouteMetric] {
	expect = "[lock] " + expect
	return Kind[ir.RouteMetric]{expect, func(r *reader) (m ir.RouteMetric, ok bool) {
		m.Name, m.Locked = word, r.lock()
		w, ok := r.word(expect)
		if ok {
			ok = value(r, w, &m)
		}
		return m, ok
	}}
}

// numberMetric is a metric that is a whole number.
func numberMetric(word, text string) Row[ir.Route] {
	const expect = "0..4294967295"
	return metric(word, lockable(word, expect, func(r *reader, w grammar.Word, m *ir.RouteMetric) bool {
		n, ok := r.int(w, 0, 1<<32-1, expect)
		m.Value = uint32(n)
		return ok
	}), text)
}

// timeMetric is a metric that is a time. scale is the number of kernel ticks in a millisecond of the file. most is the
// largest number that keepalived accepts: in milliseconds if the time has a unit, in kernel ticks otherwise.
func timeMetric(word string, scale, most uint32, text string) Row[ir.Route] {
	const expect = "a number, or a time as 50ms or 2s"
	return metric(word, lockable(word, expect, func(r *reader, w grammar.Word, m *ir.RouteMetric) bool {
		n, err := strconv.ParseUint(w.Text, 10, 32)
		milliseconds, timed := routeTime(w.Text)
		switch {
		case err == nil && n <= uint64(most):
			m.Value = uint32(n)
		case timed && milliseconds <= most:
			m.Value = milliseconds * scale
		case timed:
			r.outside(w, "0", fmt.Sprintf("%ds", most/1000), expect)
			return false
		case isNumber(w.Text):
			r.outside(w, "0", strconv.FormatUint(uint64(most), 10), expect)
			return false
		default:
			r.invalid(w, "a number", expect)
			return false
		}
		return true
	}), text)
}

// textMetric is a metric that is a word.
func textMetric(word, text string) Row[ir.Route] {
	return metric(word, lockable(word, "a word", func(_ *reader, w grammar.Word, m *ir.RouteMetric) bool {
		m.Text = w.Text
		return true
	}), text)
}

// switchMetric is a metric that is 0 or 1.
func switchMetric(word, text string) Row[ir.Route] {
	return metric(word, as(Choice("0", "1"), func(s string) ir.RouteMetric { return ir.RouteMetric{Name: word, Value: uint32(s[0] - '0')} }), text)
}

// wholeMetric is a metric that is a whole number and cannot be locked.
func wholeMetric(word string, hi int64, text string) Row[ir.Route] {
	return metric(word, as(Int[uint32](0, hi), func(n uint32) ir.RouteMetric { return ir.RouteMetric{Name: word, Value: n} }), text)
}

// routeTime reads a time with its unit, such as 50ms or 2s, in milliseconds.
func routeTime(s string) (milliseconds uint32, ok bool) {
	t, ok := value.ReadTime(s)
	f := t.Number
	if !t.Milli {
		f *= 1000
	}
	return uint32(math.Ceil(f)), ok && f < math.MaxUint32/8
}

// gateway is an address that may have its family before it.
var gateway = Kind[netip.Addr]{"[inet|inet6] an address", func(r *reader) (netip.Addr, bool) {
	if s := r.peek(); s == "inet" || s == "inet6" {
		r.optional()
	}
	return hostAddr.read(r)
}}

// newTarget is the address after as, optionally with the word to before it.
var newTarget = Kind[netip.Addr]{"[to] an address", func(r *reader) (netip.Addr, bool) {
	if r.peek() == "to" {
		r.optional()
	}
	return Addr.read(r)
}}

// target is a prefix, or a word for everything, which is a prefix of length 0.
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

// encap is a tunnel: its kind and the options of that kind.
var encap = Kind[string]{"ip, ip6, mpls or ila and its options", func(r *reader) (string, bool) {
	tunnel, n, ok := value.ReadTunnel(r.texts())
	if n == 0 {
		return Choice("ip", "ip6", "mpls", "ila").read(r)
	}
	words := make([]string, n)
	for i := range words {
		w, _ := r.optional()
		words[i] = w.Text
	}
	switch {
	case ok:
	case tunnel.Other != "":
		r.missingValue("labels or a locator")
	default:
		r.missingValue("a value")
	}
	return strings.Join(words, " "), ok
}}

// nexthop is one of several next hops, up to the end of the line or the next one.
var nexthop = Kind[ir.Nexthop]{"via an address, dev, weight 1..256, onlink", func(r *reader) (n ir.Nexthop, ok bool) {
	n.Weight = 1
	whole, seen := r.key, map[string]grammar.Word{}
	for ok = true; ok; r.key = whole {
		option := r.peek()
		switch option {
		case "via", "dev", "oif", "weight", "onlink", "encap", "realms":
			r.once("nexthop", seen, strings.Replace(option, "oif", "dev", 1), "")
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
			n.Realms, ok = realms.read(r)
		}
	}
	return n, false
}}

// mark is a firewall mark with an optional mask.
var mark = Kind[ir.Mark]{"a number [/mask]", func(r *reader) (m ir.Mark, ok bool) {
	w, ok := r.word("a number [/mask]")
	if !ok {
		return m, false
	}
	as, ok := value.ReadMark(w.Text)
	if !ok {
		r.invalid(w, "a firewall mark", "a number, with /mask where not all bits count")
		return m, false
	}
	m = ir.Mark{Value: as.Value, Mask: math.MaxUint32}
	if as.Mask != nil {
		m.Mask = *as.Mask
	}
	return m, true
}}

// numberRange is a number, or two numbers with - between them.
func numberRange(hi uint64) Kind[*ir.Range] {
	const expect = "two numbers, as 100-200"
	return Kind[*ir.Range]{expect, func(r *reader) (*ir.Range, bool) {
		w, ok := r.word(expect)
		if !ok {
			return nil, false
		}
		ends, ok := value.ReadRange(w.Text)
		if ends.Last == nil {
			ends.Last = &ends.First
		}
		if !ok || ends.First > *ends.Last || uint64(*ends.Last) > hi {
			r.invalid(w, "a range", expect)
			return nil, false
		}
		return &ir.Range{First: uint32(ends.First), Last: uint32(*ends.Last)}, true
	}}
}

// portRange is the first and last port of a rule. keepalived complains of a single port and adds the rule without it.
var portRange = Kind[*ir.Range]{"two numbers, as 80-80", func(r *reader) (*ir.Range, bool) {
	if w := r.peek(); isNumber(w) {
		r.report(diag.Diagnostic{
			Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value, Loss: diag.GoesOnWith,
			Message: fmt.Sprintf("%s %s is not a range of ports", r.key.Word, w),
			Span:    r.rest[0].Span,
			Label:   fmt.Sprintf("expected %s-%s: keepalived adds the rule for all ports", w, w),
		})
		r.optional()
		return nil, true
	}
	return numberRange(65535).read(r)
}}

// userRange is the first and last user; keepalived requires both.
var userRange = Kind[*ir.Range]{"two numbers, as 100-200", func(r *reader) (*ir.Range, bool) {
	if w := r.peek(); isNumber(w) {
		r.invalid(r.rest[0], "a range", fmt.Sprintf("two numbers, as %s-%s", w, w))
		return nil, false
	}
	return numberRange(1<<32 - 1).read(r)
}}

// lifetime is a number of seconds, or forever, which is nil.
var lifetime = Kind[*time.Duration]{"seconds or forever", func(r *reader) (*time.Duration, bool) {
	if r.peek() == "forever" {
		r.optional()
		return nil, true
	}
	return as(Seconds(0, 1<<32-1), pointer).read(r)
}}
