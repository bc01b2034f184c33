package lint

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"keepc/compiler/ir"
	"keepc/compiler/schema"
	"keepc/grammar/diag"
)

// routeRules are about routes and routing rules, both those of instances and static ones.
func routeRules() []Rule {
	return []Rule{
		{
			Name: "route-untracked", Severity: diag.Info, Worst: diag.Error, Loss: diag.Keeps,
			Check: func(p *pass) {
				if p.Version != "" && !schema.Older(p.Version, "2.3.2") { // its pull request 2429
					return
				}
				for v, r := range p.routes {
					if r.Dev != "" || r.HasWord("no_track") {
						continue
					}
					d := p.report(r.Span(), "a route of "+owner(v, "static_routes")+" names no interface", "keepalived before 2.3.2 does not watch it")
					d.Kind, d.Help = diag.Sense|diag.Remark, "add dev, or no_track"
					if !staysWith(v, r) {
						d.Severity, d.Label = diag.Error, "before 2.3.2 not watched: gone for good when its interface goes down"
					}
				}
			},
		},
		{
			Name: "route-protocol", Severity: diag.Error, Loss: diag.GoesOnWith,
			Check: func(p *pass) {
				for v, r := range p.routes {
					own := option(r.Origin, "protocol")
					if n, err := strconv.ParseUint(own, 0, 64); err == nil && (n == ir.KeepalivedProtocol || n > 255) {
						continue
					}
					if own != "" && own != "keepalived" && r.Dev != "" && !r.HasWord("no_track") {
						p.report(r.Span(), fmt.Sprintf("a route of %s has the protocol %s", owner(v, "static_routes"), own), "keepalived is used").Help = "delete it, or add no_track"
					}
				}
			},
		},
		{
			Name: "route-family", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for v, r := range p.routes {
					if a, other := otherFamily(r); other {
						p.report(r.Span(), fmt.Sprintf("a route of %s to %s has the address %s", owner(v, "static_routes"), r.To, a), "dropped: two families")
					} else if family := r.Stmt.Words[len(r.Stmt.Words)-1].Text; r.To.Bits() > 0 && (family == "inet" && r.To.Addr().Is6() || family == "inet6" && r.To.Addr().Is4()) {
						p.report(r.Span(), fmt.Sprintf("a route of %s to %s is marked %s", owner(v, "static_routes"), r.To, family), "dropped: two families")
					}
				}
				for of, r := range p.rules {
					if r.From.IsValid() && r.To.IsValid() && r.From.Addr().Is6() != r.To.Addr().Is6() {
						p.report(r.Span(), "a rule of "+of+" has addresses of both families", "left out").Former = "rule-family"
					}
					for _, n := range []netip.Prefix{r.From, r.To} {
						if n.IsValid() && n.Bits() > 0 && n.Addr().Is4() && r.HasWord("inet6") {
							p.report(r.Span(), fmt.Sprintf("a rule of %s for IPv6 has the address %s", of, n.Addr()), "dropped: two families")
							break
						}
					}
				}
				p.familyOptions()
			},
		},
		{
			Name: "route-host-bits", Severity: diag.Error, Loss: diag.Keeps,
			Check: func(p *pass) {
				for v, r := range p.routes {
					if network := r.To.Masked(); r.To.IsValid() && r.To.Addr().Is4() && network != r.To {
						p.report(r.Span(), fmt.Sprintf("a route of %s goes to %s, which is not a network", owner(v, "static_routes"), r.To), "the kernel refuses it").Help =
							fmt.Sprintf("write %s for the network, or %s for the host", network, r.To.Addr())
					}
				}
			},
		},
		{
			Name: "route-type-order", Severity: diag.Error, Loss: diag.Ends,
			Check: func(p *pass) {
				for v, r := range p.routes {
					if words := r.Stmt.Words; len(words) > 1 && r.Type != ir.Unicast && words[1].Text == r.Type.String() && words[0].Text != "to" {
						p.report(words[1].Span, fmt.Sprintf("%s comes after the destination of a route of %s", r.Type, owner(v, "static_routes")), "expected it first")
					}
				}
			},
		},
		{
			Name: "rule-without-action", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for of, r := range p.rules {
					if r.Stmt != nil && !slices.ContainsFunc([]string{"table", "lookup", "goto", "blackhole", "unreachable", "prohibit", "nop", "type", "l3mdev"}, func(w string) bool { return r.Origin.HasWord(w) }) {
						p.report(r.Span(), "a rule of "+of+" has neither a table nor an action", "dropped")
					}
				}
			},
		},
		{
			Name: "rule-preference", Severity: diag.Warning,
			Check: func(p *pass) {
				for of, r := range p.rules {
					if r.Stmt != nil && r.Action != ir.Goto && !preferred(r) {
						p.report(r.Span(), "a rule of "+of+" has no preference", "expected preference and a number").Kind = diag.Remark
					}
				}
			},
		},
	}
}

// otherFamily returns an address of a route whose family differs from that of the first address; the word default has
// no family.
func otherFamily(r ir.Route) (a netip.Addr, found bool) {
	all := []netip.Addr{r.Via, r.Src}
	if r.To.Bits() > 0 || r.To.Addr().Is6() {
		all = slices.Insert(all, 0, r.To.Addr())
	}
	for _, n := range r.Nexthops {
		all = append(all, n.Via)
	}
	all = slices.DeleteFunc(all, func(a netip.Addr) bool { return !a.IsValid() })
	i := slices.IndexFunc(all, func(a netip.Addr) bool { return a.Is6() != all[0].Is6() })
	if i < 0 {
		return a, false
	}
	return all[i], true
}

// routes yields every route with its instance; nil: it is static.
func (p *pass) routes(yield func(of *ir.VRRPInstance, r ir.Route) bool) {
	for _, r := range p.StaticRoutes {
		if !yield(nil, r) {
			return
		}
	}
	for _, v := range p.Instances {
		for _, r := range v.Routes {
			if !yield(v, r) {
				return
			}
		}
	}
}

// owner returns the name of a route's owner in messages; for static routes and rules, that of their block.
func owner(v *ir.VRRPInstance, static string) string {
	if v == nil {
		return static
	}
	return named(v)
}

// staysWith reports whether a route is lost only with the interface of its instance, which is then in FAULT and adds
// the route again when it is MASTER again, or with no interface at all.
func staysWith(v *ir.VRRPInstance, r ir.Route) bool {
	switch r.Type {
	case ir.Blackhole, ir.Unreachable, ir.Prohibit, ir.Throw:
		return true
	}
	ways := r.Nexthops
	if len(ways) == 0 {
		ways = []ir.Nexthop{{Via: r.Via}}
	}
	if unread := !ways[0].Via.IsValid() && ways[0].Dev == "" && len(r.Stmt.Words) > 1; unread || v == nil {
		return unread
	}
	return !slices.ContainsFunc(ways, func(n ir.Nexthop) bool {
		return n.Dev != v.Interface && !slices.ContainsFunc(v.Addresses, func(a ir.Address) bool {
			return n.Dev == "" && a.Dev == v.Interface && a.Prefix.Contains(n.Via)
		})
	})
}

// rules yields every routing rule with what it belongs to.
func (p *pass) rules(yield func(of string, r ir.Rule) bool) {
	for _, r := range p.StaticRules {
		if !yield("static_rules", r) {
			return
		}
	}
	for _, v := range p.Instances {
		for _, r := range v.Rules {
			if !yield(named(v), r) {
				return
			}
		}
	}
}

// option returns the word after an option of a line.
func option(o ir.Origin, word string) string {
	if o.Stmt == nil {
		return ""
	}
	words := o.Stmt.Words
	for i := range words[:len(words)-1] {
		if words[i].Text == word {
			return words[i+1].Text
		}
	}
	return ""
}
