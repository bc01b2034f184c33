package state

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
)

// routing adds lines of routes and rules: they are wanted, or absent with the reason. What is not enforced is left
// out.
func (w *State) routing(routes []ir.Route, rules []ir.Rule, wanted bool, why string) {
	for _, r := range routes {
		switch k := routeKey(r); {
		case !enforced.Route(r):
		case wanted:
			w.Routes[k] = route(r, k, why)
		default:
			w.Absent[k] = why
		}
	}
	for _, r := range rules {
		switch k := ruleKey(r); {
		case !enforced.Rule(r):
		case wanted:
			w.Rules[k] = Rule{Provenance{Origin: r.Span(), Why: why, Loose: r.NoTrack}}
		default:
			w.Absent[k] = why
		}
	}
}

func routeKey(r ir.Route) RouteKey {
	k := RouteKey{From: r.From, Table: cmp.Or(r.Table.N, ir.MainTable), Dst: r.To.Masked(), TOS: uint8(r.TOS.N), Metric: r.Metric, Protocol: uint8(r.Protocol.N)}
	if k.Dst.Addr().Is6() { // the kernel has no TOS there, and always a metric
		k.TOS, k.Metric = 0, cmp.Or(k.Metric, 1024)
	}
	return k
}

// route returns the line as the kernel reports it.
func route(r ir.Route, k RouteKey, why string) Route {
	o := Route{Type: uint8(r.Type), Scope: uint8(r.Scope), PrefSrc: r.Src, Provenance: Provenance{Origin: r.Span(), Why: why, Loose: r.HasWord("no_track")}}
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
	if n, _ := ir.ParseRealms(r.Realms); n != 0 && k.Dst.Addr().Is4() {
		options["realm"] = strconv.FormatUint(uint64(n), 10)
	}
	if p := preference(r.Pref); p != "" {
		options["pref"] = p
	}
	if len(options) > 0 {
		o.Options = options
	}
	o.Expires, o.Append = uint32(r.Expires/time.Second), r.Install == ir.InstallAppend
	if k.Dst.Addr().Is6() {
		o.Scope = 0
	}
	switch {
	case r.Type >= ir.Blackhole && r.Type <= ir.Throw: // they lead nowhere
	case len(r.Nexthops) == 0:
		o.Hops = []Hop{{Via: r.Via, Dev: r.Dev, OnLink: r.OnLink, Encap: tunnel(r.Encap)}}
	case len(r.Nexthops) == 1:
		n := r.Nexthops[0]
		o.Hops = []Hop{{Via: n.Via, Dev: cmp.Or(n.Dev, r.Dev), OnLink: n.OnLink || r.OnLink, Encap: tunnel(n.Encap)}}
		if realm, _ := ir.ParseRealms(n.Realms); realm != 0 {
			if o.Options == nil {
				o.Options = map[string]string{}
			}
			o.Options["realm"] = strconv.FormatUint(uint64(realm), 10)
		}
	default:
		for _, n := range r.Nexthops {
			realm, _ := ir.ParseRealms(n.Realms)
			o.Hops = append(o.Hops, Hop{n.Via, cmp.Or(n.Dev, r.Dev), int(max(n.Weight, 1)), n.OnLink || r.OnLink, realm, tunnel(n.Encap)})
		}
	}
	return o
}

// preference is the word for a preference that the kernel holds; empty: medium.
func preference(text string) string {
	switch text {
	case "1":
		return "high"
	case "3":
		return "low"
	case "high", "low":
		return text
	}
	return ""
}

// tunnel returns a tunnel as the kernel reports it: see Hop.
func tunnel(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	values := map[string]string{}
	for i := 1; i+1 < len(words); i += 2 {
		values[words[i]] = words[i+1]
	}
	out := words[0]
	for _, word := range []string{"id", "src", "dst", "ttl", "hoplimit", "tos", "tc"} {
		value := values[word]
		if n, err := strconv.ParseUint(value, 0, 64); err == nil {
			value = strconv.FormatUint(n, 10)
		} else if a, err := netip.ParseAddr(value); err == nil {
			value = a.String()
		}
		if value != "" && value != "0" && value != "0.0.0.0" && value != "::" {
			out += " " + word + " " + value
		}
	}
	return out
}

// held returns the value of a metric that the kernel keeps: it limits what exceeds the size of a packet.
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
	k.Realms, _ = ir.ParseRealms(r.Realms)
	for _, e := range []struct {
		from *ir.Range
		to   *Range
	}{{r.SourcePorts, &k.SPort}, {r.DestinationPorts, &k.DPort}, {r.UIDs, &k.UIDs}} {
		if e.from != nil {
			*e.to = Range{e.from.First, e.from.Last}
		}
	}
	k.Root = r.UIDs != nil && *r.UIDs == ir.Range{}
	if r.SuppressPrefixLength != nil {
		k.SuppressBelow = uint32(*r.SuppressPrefixLength + 1)
	}
	if r.SuppressGroup != nil {
		k.SuppressGroup = r.SuppressGroup.N + 1
	}
	return k
}
