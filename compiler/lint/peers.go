package lint

import (
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/compiler/solver"
	"keepc/grammar/diag"
)

// A Comparison is what was found when the files of a cluster were laid side by side.
type Comparison struct {
	Findings []diag.List     // by node: what is wrong with its file
	Groups   []ComparedGroup // the virtual routers of two members at least
}

// A ComparedGroup is a virtual router, and those of the findings that are about it.
type ComparedGroup struct {
	cluster.Group
	Findings diag.List
}

// Compare applies the rules about several directors to a cluster.
func Compare(c *cluster.Cluster) Comparison {
	p := &peerPass{Cluster: c, all: c.Groups(), found: make([]diag.Bounded, len(c.Nodes))}
	for _, g := range p.all {
		if len(g.Members) > 1 {
			p.groups = append(p.groups, &group{ComparedGroup{Group: g}, solver.Of(c, g)})
		}
	}
	for _, r := range Rules() {
		if r.Peers != nil {
			p.rule = r
			r.Peers(p)
		}
	}
	var done Comparison
	for _, b := range p.found {
		done.Findings = append(done.Findings, b.List)
	}
	for _, g := range p.groups {
		done.Groups = append(done.Groups, g.ComparedGroup)
	}
	return done
}

// A peerPass is one rule on its way over one cluster.
type peerPass struct {
	*cluster.Cluster
	all    []cluster.Group // also those of one member
	groups []*group        // of two members at least

	byKey []map[ir.ServiceKey]*ir.VirtualServer // by node

	rule  Rule
	found []diag.Bounded // by node
}

// A group is a virtual router with what failures can do to it.
type group struct {
	ComparedGroup
	election solver.Group
}

// report adds a finding of the rule in the file of a node.
func (p *peerPass) report(node int, d diag.Diagnostic) {
	d.Rule = p.rule.Name
	if d.Severity == 0 {
		d.Severity = p.rule.Severity
	}
	p.found[node].Add(d)
}

// about adds a finding of the rule about a virtual router, in the file of a member.
func (p *peerPass) about(g *group, m cluster.Member, d diag.Diagnostic) {
	p.report(m.Node, d)
	if list := p.found[m.Node].List; len(list) > 0 {
		g.Findings.Add(list[len(list)-1])
	}
}

// name of the node of a member.
func (p *peerPass) name(m cluster.Member) string { return p.Nodes[m.Node].Name }

// names of the nodes of members, for a sentence.
func (p *peerPass) names(members []cluster.Member) string {
	var all []string
	for _, m := range members {
		all = append(all, p.name(m))
	}
	return list(all)
}

// mismatch makes the check of a setting that all members must share. says tells what a member does by it, as "sends every 1s".
func mismatch(word string, says func(cluster.Member) string, more func(d *diag.Diagnostic, m, o cluster.Member)) func(*peerPass) {
	return func(p *peerPass) {
		s := setting(word)
		for _, g := range p.groups {
			odd(g.Members, s.Key, func(m, o cluster.Member) {
				d := diag.Diagnostic{
					Message: fmt.Sprintf("%s %s, its peer %s %s", named(m.VRRPInstance), says(m), p.name(o), says(o)),
					Span:    s.At(m), Label: "not as " + p.name(o),
					Notes: note(s.At(o), p.name(o)+" "+says(o)),
				}
				if more != nil {
					more(&d, m, o)
				}
				p.about(g, m, d)
			})
		}
	}
}

// odd calls tell for every member whose value is not that of most members, or of the first ones where as many have another; o is a
// member that has it.
func odd[M any](members []M, value func(M) string, tell func(m, o M)) {
	count := map[string]int{}
	for _, m := range members {
		count[value(m)]++
	}
	usual := members[0]
	for _, m := range members {
		if count[value(m)] > count[value(usual)] {
			usual = m
		}
	}
	for _, m := range members {
		if value(m) != value(usual) {
			tell(m, usual)
		}
	}
}

// holds names what the master of a virtual router holds: "192.0.2.10", "192.0.2.10 and 2 more".
func holds(g *group) string {
	for _, m := range g.Members {
		switch n := len(m.Addresses); n {
		case 0:
		case 1:
			return m.Addresses[0].Prefix.Addr().String()
		default:
			return fmt.Sprintf("%s and %d more", m.Addresses[0].Prefix.Addr(), n-1)
		}
	}
	return "the role"
}

// list writes words for a sentence: "a", "a and b", "a, b and c".
func list[T any](words []T) string {
	var all []string
	for _, w := range words {
		all = append(all, fmt.Sprint(w))
	}
	if n := len(all) - 1; n > 0 {
		return strings.Join(all[:n], ", ") + " and " + all[n]
	}
	return strings.Join(all, "")
}

// without returns what a list has and another one lacks.
func without[T comparable](all, other []T) (rest []T) {
	for _, x := range all {
		if !slices.Contains(other, x) {
			rest = append(rest, x)
		}
	}
	return rest
}
