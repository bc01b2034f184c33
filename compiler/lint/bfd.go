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
			Title: "A bfd_instance has no neighbour.",
			Text:  "keepalived disables it.",
			Bad:   "bfd_instance b {\n    min_rx 100\n}\n",
			Good:  "bfd_instance b {\n    neighbor_ip 192.0.2.3\n}\n",
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
			Title: "Two BFD sessions have one neighbour and one source.",
			Text:  "A packet tells its session by the addresses that it has. keepalived ignores the second session.",
			Bad:   "bfd_instance b {\n    neighbor_ip 192.0.2.3\n}\nbfd_instance c {\n    neighbor_ip 192.0.2.3\n}\n",
			Good:  "bfd_instance b {\n    neighbor_ip 192.0.2.3\n}\nbfd_instance c {\n    neighbor_ip 192.0.2.4\n}\n",
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
			Title: "Source and neighbour of a BFD session are of two families.",
			Text:  "keepalived disables the session.",
			Bad:   "bfd_instance b {\n    neighbor_ip 192.0.2.3\n    source_ip 2001:db8::2\n}\n",
			Good:  "bfd_instance b {\n    neighbor_ip 192.0.2.3\n    source_ip 192.0.2.2\n}\n",
			Check: func(p *pass) {
				for _, b := range p.BFDs {
					if b.Source.IsValid() && b.Neighbor.IsValid() && b.Source.Is6() != b.Neighbor.Is6() {
						p.report(b.At("source_ip"), fmt.Sprintf("%s is of another family than the neighbour %s", b.Source, b.Neighbor), "the session is disabled").Notes = note(neighborAt(b), "the neighbour")
					}
				}
			},
		},
		{
			Name: "hops-above-ttl", Severity: diag.Warning,
			Title: "A BFD session allows more hops than its packets can make.",
			Text:  "Every router takes one from the TTL. keepalived reports it and lowers max_hops to the TTL.",
			Bad:   "bfd_instance b {\n    neighbor_ip 192.0.2.3\n    ttl 2\n    max_hops 5\n}\n",
			Good:  "bfd_instance b {\n    neighbor_ip 192.0.2.3\n    ttl 255\n    max_hops 5\n}\n",
			Check: func(p *pass) {
				for _, b := range p.BFDs {
					if s := b.Stmt.Block.Find("max_hops"); s != nil && len(s.Words) > 1 { // Compile has lowered it
						if hops, err := strconv.Atoi(s.Words[1].Text); err == nil && hops > b.TTL && hops <= 255 {
							p.report(s.Span(), fmt.Sprintf("max_hops %d is above the TTL, %d", hops, b.TTL), "lowered")
						}
					}
				}
			},
		},
		{
			Name: "neighbor-self", Severity: diag.Warning,
			Title: "A BFD session has its own address for its neighbour.",
			Text:  "The neighbour is the other end. A session with oneself is always up, or never.",
			Bad:   "bfd_instance b {\n    neighbor_ip 192.0.2.3\n    source_ip 192.0.2.3\n}\n",
			Good:  "bfd_instance b {\n    neighbor_ip 192.0.2.3\n    source_ip 192.0.2.2\n}\n",
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

// neighborAt is the line of the neighbour, which has two spellings.
func neighborAt(b *ir.BFD) source.Span {
	if b.Has("neighbour_ip") {
		return b.At("neighbour_ip")
	}
	return b.At("neighbor_ip")
}
