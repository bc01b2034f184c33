package state

import (
	"cmp"
	"strconv"
	"strings"

	"keepc/compiler/ir"
)

// routing takes in lines of routes and rules: they are wanted, or absent for the reason. What Beyond names stays out.
func (w *State) routing(routes []ir.Route, rules []ir.Rule, wanted bool, why string) {
	for _, r := range routes {
		switch k := routeKey(r); {
		case Beyond(r) != "":
		case wanted:
			w.Routes[k] = route(r, k, why)
		default:
			w.Absent[k] = why
		}
	}
	for _, r := range rules {
		switch k := ruleKey(r); {
		case BeyondRule(r) != "":
		case wanted:
			w.Rules[k] = Rule{Provenance{Origin: r.Span(), Why: why}}
		default:
			w.Absent[k] = why
		}
	}
}

// Beyond names what a route line asks for that is not enforced yet and without which the route would be another one; empty: nothing.
func Beyond(r ir.Route) string {
	switch {
	case r.Encap != "":
		return "encap"
	case r.From.IsValid():
		return "from"
	case r.As.IsValid():
		return "as"
	case r.VRF != "":
		return "vrf"
	case r.IPv6 && r.Via.Is4():
		return "via of the other family"
	}
	for _, n := range []ir.Number{r.Table, r.TOS, r.Protocol} {
		if n.Name != "" {
			return "the name " + n.Name
		}
	}
	if _, ok := realms(r.Realms); !ok {
		return "realms by name"
	}
	for _, n := range r.Nexthops {
		if n.Encap != "" || n.Realms != "" {
			return "nexthop with encap or realms"
		}
	}
	for _, m := range r.Metrics {
		if m.Locked && m.Name != "mtu" && m.Name != "rto_min" {
			return m.Name + " lock"
		}
	}
	return ""
}

// BeyondRule is Beyond for rules.
func BeyondRule(r ir.Rule) string {
	numbers := []ir.Number{r.Table, r.TOS, r.Protocol, r.IPProto}
	if r.SuppressGroup != nil {
		numbers = append(numbers, *r.SuppressGroup)
	}
	for _, n := range numbers {
		if n.Name != "" {
			return "the name " + n.Name
		}
	}
	switch _, ok := realms(r.Realms); {
	case !ok:
		return "realms by name"
	case r.L3MDev:
		return "l3mdev"
	case r.Action == ir.Lookup && r.Table == ir.Number{}: // the kernel would choose another free table each time
		return "table 0"
	case r.TunnelID != 0:
		return "tunnel-id"
	case r.UIDs != nil && *r.UIDs == ir.Range{}:
		return "uidrange 0-0"
	}
	return ""
}

// realms reads "TO" or "FROM/TO" as the kernel holds it; false: there is a name in it. Empty is 0.
func realms(text string) (n uint32, ok bool) {
	if text == "" {
		return 0, true
	}
	from, to, both := strings.Cut(text, "/")
	if !both {
		from, to = "0", text
	}
	f, err1 := strconv.ParseUint(from, 0, 16)
	t, err2 := strconv.ParseUint(to, 0, 16)
	return uint32(f<<16 | t), err1 == nil && err2 == nil
}

func routeKey(r ir.Route) RouteKey {
	k := RouteKey{Table: cmp.Or(r.Table.N, ir.MainTable), Dst: r.To.Masked(), TOS: uint8(r.TOS.N), Metric: r.Metric, Protocol: uint8(r.Protocol.N)}
	if k.Dst.Addr().Is6() { // the kernel has no TOS there, and always a metric
		k.TOS, k.Metric = 0, cmp.Or(k.Metric, 1024)
	}
	return k
}

// route is the line as the kernel tells it back.
func route(r ir.Route, k RouteKey, why string) Route {
	o := Route{Type: uint8(r.Type), Scope: uint8(r.Scope), PrefSrc: r.Src, Provenance: Provenance{Origin: r.Span(), Why: why}}
	options := map[string]string{}
	for _, m := range r.Metrics {
		switch {
		case m.Text != "":
			options[m.Name] = m.Text
		case m.Value != 0:
			options[m.Name] = strconv.FormatUint(uint64(held(m)), 10)
		}
		if m.Locked {
			options[m.Name+" lock"] = "on"
		}
	}
	if n, _ := realms(r.Realms); n != 0 && k.Dst.Addr().Is4() {
		options["realm"] = strconv.FormatUint(uint64(n), 10)
	}
	if len(options) > 0 {
		o.Options = options
	}
	if k.Dst.Addr().Is6() {
		o.Scope = 0
	}
	switch {
	case r.Type >= ir.Blackhole && r.Type <= ir.Throw: // they lead nowhere
	case len(r.Nexthops) == 0:
		o.Hops = []Hop{{Via: r.Via, Dev: r.Dev, OnLink: r.OnLink}}
	case len(r.Nexthops) == 1:
		n := r.Nexthops[0]
		o.Hops = []Hop{{Via: n.Via, Dev: cmp.Or(n.Dev, r.Dev), OnLink: n.OnLink || r.OnLink}}
	default:
		for _, n := range r.Nexthops {
			o.Hops = append(o.Hops, Hop{n.Via, cmp.Or(n.Dev, r.Dev), int(max(n.Weight, 1)), n.OnLink || r.OnLink})
		}
	}
	return o
}

// held is the number that the kernel keeps of a metric: it cuts what is larger than a packet can be.
func held(m ir.RouteMetric) uint32 {
	switch m.Name {
	case "mtu":
		return min(m.Value, 65535-15)
	case "advmss":
		return min(m.Value, 65535-40)
	case "hoplimit":
		return min(m.Value, 255)
	}
	return m.Value
}

func ruleKey(r ir.Rule) RuleKey {
	k := RuleKey{
		IPv6: r.IPv6, Not: r.Not, From: r.From, To: r.To, IIF: r.IIf, OIF: r.OIf, TOS: uint8(r.TOS.N),
		Mark: r.FWMark.Value, Mask: r.FWMark.Mask, IPProto: uint8(r.IPProto.N), L3MDev: r.L3MDev, TunnelID: r.TunnelID,
		Action: uint8(r.Action), Table: r.Table.N, Goto: r.Target, Protocol: uint8(r.Protocol.N),
	}
	if r.Priority != nil {
		k.Priority = *r.Priority
	}
	k.Realms, _ = realms(r.Realms)
	for _, e := range []struct {
		from *ir.Range
		to   *Range
	}{{r.SourcePorts, &k.SPort}, {r.DestinationPorts, &k.DPort}, {r.UIDs, &k.UIDs}} {
		if e.from != nil {
			*e.to = Range{e.from.First, e.from.Last}
		}
	}
	if r.SuppressPrefixLength != nil {
		k.SuppressBelow = uint32(*r.SuppressPrefixLength + 1)
	}
	if r.SuppressGroup != nil {
		k.SuppressGroup = r.SuppressGroup.N + 1
	}
	return k
}
