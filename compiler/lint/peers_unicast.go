package lint

import (
	"fmt"
	"net/netip"
	"slices"

	"keepc/compiler/cluster"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// unicastPeerRules are about routers that advertise to each other by unicast.
func unicastPeerRules() []Rule {
	return []Rule{
		{
			Name: "unicast-multicast", Severity: diag.Error, Loss: diag.Keeps,
			Peers: mismatch("unicast_peer", "advertises by", func(m cluster.Member) string {
				if len(m.Unicast) > 0 {
					return "unicast"
				}
				return "multicast"
			}, func(d *diag.Diagnostic, _, _ cluster.Member) {
				d.Notes = append(d.Notes, diag.Note{Message: "neither hears the other one: both become MASTER"})
				d.Help = "write unicast_peer for both, or for none"
			}),
		},
		{
			Name: "unicast-asymmetry", Severity: diag.Error, Loss: diag.Keeps,
			Peers: unicastAsymmetry,
		},
		{
			Name: "same-source", Severity: diag.Error, Loss: diag.Keeps,
			Peers: func(p *peerPass) {
				for _, g := range p.groups {
					for i, m := range g.Members {
						k := slices.IndexFunc(g.Members[:i], func(o cluster.Member) bool { return o.SourceAddr.IsValid() && o.SourceAddr == m.SourceAddr })
						if k < 0 {
							continue
						}
						o := g.Members[k]
						p.tell(g, m, diag.Diagnostic{
							Message: fmt.Sprintf("%s sends from %s, and so does its peer %s", named(m.VRRPInstance), m.SourceAddr, p.name(o)),
							Span:    sourceLine(m), Label: "taken", Notes: note(sourceLine(o), "by "+p.name(o)),
						})
					}
				}
			},
		},
	}
}

func unicastAsymmetry(p *peerPass) {
	for _, g := range p.groups {
		for _, m := range g.Members {
			if len(m.Unicast) == 0 {
				continue
			}
			missing := false
			for _, o := range g.Members {
				if speaksLinkLocal(o) && o.Node != m.Node && len(o.Unicast) > 0 && !slices.ContainsFunc(peerAddresses(m), netip.Addr.IsLinkLocalUnicast) {
					missing = true
					p.tell(g, m, diag.Diagnostic{
						Message: fmt.Sprintf("%s names no link-local address as a unicast_peer, and its peer %s sends from one", named(m.VRRPInstance), p.name(o)),
						Span:    m.At("unicast_peer"), Label: fmt.Sprintf("%s does not listen here", p.name(o)),
						Notes: note(sourceLine(o), "without unicast_src_ip: the link-local address of "+o.Interface),
						Help:  fmt.Sprintf("write unicast_src_ip for %s, with the address that the unicast_peer of %s names", p.name(o), p.name(m)),
					})
					continue
				}
				from, known := p.Source(o)
				if o.Node == m.Node || len(o.Unicast) == 0 || !known || from == m.SourceAddr || slices.Contains(peerAddresses(m), from) {
					continue
				}
				missing = true
				p.tell(g, m, diag.Diagnostic{
					Message: fmt.Sprintf("%s does not name %s, the source of its peer %s, as a unicast_peer", named(m.VRRPInstance), from, p.name(o)),
					Span:    m.At("unicast_peer"), Label: fmt.Sprintf("%s hears nothing from %s", p.name(o), p.name(m)),
					Notes: note(sourceLine(o), fmt.Sprintf("%s sends from %s", p.name(o), from)),
					Help:  fmt.Sprintf("write %s into this unicast_peer", from),
				})
			}
			if others := without(nodes(g.Members), []int{m.Node}); len(m.Unicast) < len(others) && !missing {
				o := g.Members[slices.Index(nodes(g.Members), others[0])]
				p.tell(g, m, diag.Diagnostic{
					Message: fmt.Sprintf("%s has %d unicast_peer, and its group has %d other routers", named(m.VRRPInstance), len(m.Unicast), len(others)),
					Span:    m.At("unicast_peer"), Label: "one of them hears nothing from " + p.name(m), Notes: note(o.Span(), "one of the others, "+p.name(o)),
				})
			}
		}
	}
}

// speaksLinkLocal reports whether a member sends from, and listens on, the IPv6 address that keepalived picks by
// itself.
func speaksLinkLocal(m cluster.Member) bool { return m.IPv6() && !m.SourceAddr.IsValid() }

func nodes(members []cluster.Member) (all []int) {
	for _, m := range members {
		all = append(all, m.Node)
	}
	return all
}

// sourceLine returns where a member says which address it sends from.
func sourceLine(m cluster.Member) source.Span {
	for _, word := range []string{"unicast_src_ip", "mcast_src_ip"} {
		if m.Has(word) {
			return m.At(word)
		}
	}
	return m.Span()
}
