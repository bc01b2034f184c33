package compiler

import (
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar"
)

// firstPriority is the priority of the first rule of a family without one; the next gets one less.
const firstPriority = 16384

// resolveRoutes fills in what lines of routes and rules leave out: families, destinations, priorities.
func resolveRoutes(cfg *ir.Config, file *grammar.File) {
	for i := range cfg.StaticRoutes {
		resolveRoute(&cfg.StaticRoutes[i])
	}
	var rules []*ir.Rule
	for i := range cfg.StaticRules {
		rules = append(rules, &cfg.StaticRules[i])
	}
	for _, v := range cfg.Instances {
		for i := range v.Routes {
			resolveRoute(&v.Routes[i])
		}
		for i := range v.Rules {
			rules = append(rules, &v.Rules[i])
		}
	}
	for _, r := range rules {
		resolveRule(r)
	}
	givePriorities(rules, file)
}

// givePriorities gives rules without a priority theirs: 16384 and down, for each family, in file order.
func givePriorities(rules []*ir.Rule, file *grammar.File) {
	rules = slices.DeleteFunc(rules, func(r *ir.Rule) bool { return r.Priority != nil })
	if len(rules) == 0 {
		return
	}
	place := map[*grammar.Stmt]int{}
	grammar.Walk(file.Stmts, func(s *grammar.Stmt, _ int) { place[s] = len(place) })
	slices.SortStableFunc(rules, func(a, b *ir.Rule) int { return place[a.Stmt] - place[b.Stmt] })
	next := map[bool]uint32{false: firstPriority, true: firstPriority}
	for _, r := range rules {
		own := next[r.IPv6]
		r.Priority = &own
		next[r.IPv6]--
	}
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
	// A gateway besides nexthops, such as the "or" form has, is the first of them.
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
	if r.NoTrack = r.NoTrack || r.Dev == ""; !r.NoTrack {
		r.Protocol = ir.Number{N: ir.KeepalivedProtocol} // what is watched is marked as the director's
	}
}

// all is the prefix of every address of a family.
func all(ipv6 bool) netip.Prefix {
	if ipv6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

func resolveRule(r *ir.Rule) {
	for _, p := range []*netip.Prefix{&r.From, &r.To} {
		if p.IsValid() && p.Addr().Is6() {
			r.IPv6 = true
		}
		if p.IsValid() && p.Bits() == 0 {
			*p = netip.Prefix{}
		}
	}
	if r.L3MDev || r.Action != ir.Lookup {
		r.Table = ir.Number{}
	}
	if !r.NoTrack {
		r.Protocol = ir.Number{N: ir.KeepalivedProtocol}
	}
}

// resolveAddress fills in what a line leaves out: the interface, the lifetime, and the prefix of a point-to-point
// link, which is that of the other end.
func resolveAddress(a *ir.Address, dev string) {
	setDefault(&a.Dev, "", dev)
	if a.Peer.IsValid() {
		a.Prefix = netip.PrefixFrom(a.Prefix.Addr(), a.Peer.Bits())
	}
	if a.Prefix.Addr().Is6() {
		a.Scope = ir.ScopeGlobal // the kernel derives the scope of IPv6 addresses
	}
	resolveLifetime(a)
}

// resolveLifetime gives a single-host IPv6 address its lifetime: it is not a source for connections of the host
// itself.
func resolveLifetime(a *ir.Address) {
	if a.PreferredLft == nil && !a.HasWord("preferred_lft") && a.Prefix.Addr().Is6() && a.Prefix.IsSingleIP() {
		a.PreferredLft = new(time.Duration)
	}
}
