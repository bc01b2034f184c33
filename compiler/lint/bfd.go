package lint

import (
	"fmt"
	"net/netip"
	"strconv"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// bfdRules are about BFD sessions.
func bfdRules() []Rule {
	return []Rule{
		{
			Name: "missing-neighbor", Severity: diag.Error, Loss: diag.DropsBlock,
			Check: func(p *pass) {
				for _, b := range p.BFDs {
					if !b.Has("neighbor_ip") && !b.Has("neighbour_ip") {
						p.report(b.Span(), "bfd_instance "+b.Name+" has no neighbor_ip", "needs neighbor_ip")
					}
				}
			},
		},
		{
			Name: "neighbor-taken", Severity: diag.Error, Loss: diag.DropsBlock,
			Check: func(p *pass) {
				type ends struct{ neighbor, source netip.Addr }
				first := map[ends]*ir.BFD{}
				for _, b := range p.BFDs {
					if o := first[ends{b.Neighbor, b.Source}]; o != nil && b.Neighbor.IsValid() {
						p.report(neighborAt(b), fmt.Sprintf("%s is the neighbour of %s already", b.Neighbor, o.Name), "the session is ignored").Notes = note(neighborAt(o), "the first session")
						continue
					}
					first[ends{b.Neighbor, b.Source}] = b
				}
			},
		},
		{
			Name: "neighbor-family", Severity: diag.Error, Loss: diag.DropsBlock,
			Check: func(p *pass) {
				for _, b := range p.BFDs {
					if b.Source.IsValid() && b.Neighbor.IsValid() && b.Source.Is6() != b.Neighbor.Is6() {
						p.report(b.At("source_ip"), fmt.Sprintf("%s is of a different family from the neighbour %s", b.Source, b.Neighbor), "the session is disabled").Notes = note(neighborAt(b), "the neighbour")
					}
				}
			},
		},
		{
			Name: "hops-above-ttl", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, b := range p.BFDs {
					if s := b.Stmt.Block.Find("max_hops"); s != nil && len(s.Words) > 1 { // loading has lowered the value
						if hops, err := strconv.Atoi(s.Words[1].Text); err == nil && hops > b.TTL && hops <= 255 {
							p.report(s.Span(), fmt.Sprintf("max_hops %d is above the TTL, %d", hops, b.TTL), "lowered")
						}
					}
				}
			},
		},
		{
			Name: "neighbor-self", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, b := range p.BFDs {
					if b.Source.IsValid() && b.Source == b.Neighbor {
						p.report(neighborAt(b), fmt.Sprintf("the neighbour of %s is its own address", b.Name), "expected the other end").Notes = note(b.At("source_ip"), "the own address")
					}
				}
			},
		},
	}
}

// neighborAt is the line of the neighbour; the keyword has two spellings.
func neighborAt(b *ir.BFD) source.Span {
	if b.Has("neighbour_ip") {
		return b.At("neighbour_ip")
	}
	return b.At("neighbor_ip")
}
