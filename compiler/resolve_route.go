package compiler

import (
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// firstPriority is the priority of the first rule of a family that names none; the next one gets one less.
const firstPriority = 16384

// resolveRoutes fills in what lines of routes and rules leave to others: families, destinations, priorities.
func resolveRoutes(cfg *ir.Config) {
	priority := map[bool]uint32{false: firstPriority, true: firstPriority} // of IPv4, of IPv6
	cfg.StaticRoutes = slices.DeleteFunc(cfg.StaticRoutes, func(r ir.Route) bool { return !r.To.IsValid() })
	for i := range cfg.StaticRoutes {
		resolveRoute(&cfg.StaticRoutes[i])
	}
	for i := range cfg.StaticRules {
		resolveRule(&cfg.StaticRules[i], priority)
	}
	for _, v := range cfg.Instances {
		v.Routes = slices.DeleteFunc(v.Routes, func(r ir.Route) bool { return !r.To.IsValid() }) // as the reference does
		for i := range v.Routes {
			resolveRoute(&v.Routes[i])
		}
		for i := range v.Rules {
			resolveRule(&v.Rules[i], priority)
		}
	}
	leaveOut(cfg)
}

// leaveOut adds to what is not enforced the lines of routes and rules that state.Desired leaves out as a whole.
func leaveOut(cfg *ir.Config) {
	lines := func(block string, routes []ir.Route, rules []ir.Rule) {
		for _, r := range routes {
			cfg.NotEnforced = append(cfg.NotEnforced, left(block, state.Beyond(r), r.Origin)...)
		}
		for _, r := range rules {
			cfg.NotEnforced = append(cfg.NotEnforced, left(block, state.BeyondRule(r), r.Origin)...)
		}
	}
	lines("static_routes", cfg.StaticRoutes, nil)
	lines("static_rules", nil, cfg.StaticRules)
	for _, v := range cfg.Instances {
		lines("vrrp_instance.virtual_routes", v.Routes, nil)
		lines("vrrp_instance.virtual_rules", nil, v.Rules)
	}
}

func left(block, what string, line ir.Origin) []ir.Use {
	if what == "" {
		return nil
	}
	return []ir.Use{{Path: block + ", a line with " + what, Span: line.Span()}}
}

func resolveRoute(r *ir.Route) {
	everything := r.To.Bits() == 0 && r.To.Addr().IsUnspecified()
	r.IPv6 = r.IPv6 || r.To.Addr().Is6() || r.Src.Is6() || r.From.Addr().Is6() && r.From.Bits() > 0 || everything && r.Via.Is6()
	if everything {
		r.To = all(r.IPv6)
	}
	if r.From.IsValid() && r.From.Bits() == 0 {
		r.From = netip.Prefix{}
	}
	if !r.IPv6 {
		r.Pref = "" // IPv4 has none
	}
	// A gateway beside nexthops, as or has it, is the first of them.
	if len(r.Nexthops) > 0 && r.Via.IsValid() {
		r.Nexthops = slices.Insert(r.Nexthops, 0, ir.Nexthop{Via: r.Via, Weight: 1})
		r.Via = netip.Addr{}
	}
	if r.Install == ir.InstallDefault {
		r.Install = ir.InstallAdd
		if r.Type == ir.Unicast {
			r.Install = ir.InstallPrepend
		}
	}
	// What has no interface goes unwatched, and so does what is not marked as the director's.
	r.NoTrack = r.NoTrack || r.Dev == "" || r.Protocol.N != ir.KeepalivedProtocol
}

// all is the prefix of every address of a family.
func all(ipv6 bool) netip.Prefix {
	if ipv6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

func resolveRule(r *ir.Rule, priority map[bool]uint32) {
	for _, p := range []*netip.Prefix{&r.From, &r.To} {
		if p.IsValid() && p.Addr().Is6() {
			r.IPv6 = true
		}
		if p.IsValid() && p.Bits() == 0 {
			*p = netip.Prefix{}
		}
	}
	if r.Priority == nil {
		own := priority[r.IPv6]
		r.Priority = &own
		priority[r.IPv6]--
	}
	if r.L3MDev || r.Action != ir.Lookup {
		r.Table = ir.Number{}
	}
	if !r.NoTrack {
		r.Protocol = ir.Number{N: ir.KeepalivedProtocol} // what is watched is marked as the director's
	}
}

// resolveLifetime gives an IPv6 address of one host its lifetime: it is no source for connections of the host itself.
func resolveLifetime(a *ir.Address) {
	if a.PreferredLft == nil && !a.HasWord("preferred_lft") && a.Prefix.Addr().Is6() && a.Prefix.IsSingleIP() {
		a.PreferredLft = new(time.Duration)
	}
}
