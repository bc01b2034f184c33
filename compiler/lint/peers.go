package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/compiler/solver"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// A Comparison is the result of comparing the files of a cluster.
type Comparison struct {
	Findings []diag.List     // by node: what is wrong with its file
	Groups   []ComparedGroup // the virtual routers with at least two members
}

// A ComparedGroup is a virtual router, with the findings that are about it.
type ComparedGroup struct {
	cluster.Group
	Findings diag.List
}

// About is what else is known about a node of a cluster.
type About struct {
	// Findings is what is wrong with the file of the node by itself. A line with an error is not compared, because
	// nobody knows what it was meant to say; but see Rule.Wire.
	Findings diag.List
	Version  string // the keepalived that reads the file, as "2.4.1"; empty: not known
}

// Compare applies the rules about several directors to a cluster. about has one element per node.
func Compare(c *cluster.Cluster, about []About) Comparison {
	p := &peerPass{Cluster: c, about: about, all: c.Groups(), errors: map[place]bool{}, found: make([]diag.Bounded, len(c.Nodes))}
	for _, a := range about {
		for _, d := range a.Findings {
			if d.Severity == diag.Error {
				for at := d.Span; !at.IsZero(); at = at.Source.Via { // an error in a definition counts wherever the definition is used
					p.errors[placeOf(at)] = true
				}
			}
		}
	}
	for _, g := range p.all {
		if len(g.Members) < 2 {
			continue
		}
		one := &group{ComparedGroup{Group: g}, solver.Of(c, g)}
		p.groups = append(p.groups, one)
		if !slices.ContainsFunc(g.Members, func(m cluster.Member) bool { return p.errors[placeOf(m.At("priority"))] }) {
			p.elections = append(p.elections, one)
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

// A peerPass is the run of one rule over one cluster.
type peerPass struct {
	*cluster.Cluster
	about     []About                               // by node
	all       []cluster.Group                       // including those with one member
	groups    []*group                              // with at least two members
	elections []*group                              // those whose priorities are known
	byKey     []map[ir.ServiceKey]*ir.VirtualServer // by node
	companies map[*ir.SyncGroup]company             // the instances that move together, computed on demand
	stray     map[*ir.VRRPInstance]bool             // instances whose addresses another node holds under a different VRID; nil: not computed yet
	errors    map[place]bool                        // lines with an error

	rule  Rule
	found []diag.Bounded // by node
}

// A place is a line of a file.
type place struct {
	file string
	line int
}

func placeOf(at source.Span) place {
	p := at.Position()
	return place{p.File, p.Line}
}

// A group is a virtual router with the effects of failures on it.
type group struct {
	ComparedGroup
	election solver.Group
}

// report adds a finding of the rule in the file of a node, unless it is about a line with an error. What is sent is
// compared all the same: a truncated password makes a second master, too.
func (p *peerPass) report(node int, d diag.Diagnostic) (added bool) {
	places := []source.Span{d.Span}
	for _, n := range d.Notes {
		places = append(places, n.Span)
	}
	if !p.rule.Wire && slices.ContainsFunc(places, func(at source.Span) bool { return p.errors[placeOf(at)] }) {
		return false
	}
	d.Rule, d.Severity, d.Loss = p.rule.Name, cmp.Or(d.Severity, p.rule.Severity), p.rule.Loss
	p.found[node].Add(d)
	return true
}

// tell adds a finding of the rule about a virtual router, in the file of a member.
func (p *peerPass) tell(g *group, m cluster.Member, d diag.Diagnostic) {
	if p.report(m.Node, d) {
		list := p.found[m.Node].List
		g.Findings.Add(list[len(list)-1])
	}
}

// name returns the name of the node of a member.
func (p *peerPass) name(m cluster.Member) string { return p.Nodes[m.Node].Name }

// names returns the names of the nodes of members, for a sentence.
func (p *peerPass) names(members []cluster.Member) string {
	var all []string
	for _, m := range members {
		all = append(all, p.name(m))
	}
	return list(all)
}

// mismatch returns the check of a setting that all members must share. Its message reads "VI_1 VERB VALUE, its peer
// lb1 VALUE".
func mismatch(word, verb string, value func(cluster.Member) string, more func(d *diag.Diagnostic, m, o cluster.Member)) func(*peerPass) {
	return func(p *peerPass) {
		s := setting(word)
		for _, g := range p.groups {
			odd(g.Members, s.Key, func(m, o cluster.Member) {
				d := diag.Diagnostic{
					Message: fmt.Sprintf("%s %s %s, its peer %s %s", named(m.VRRPInstance), verb, value(m), p.name(o), value(o)),
					Span:    s.At(m), Label: "not as " + p.name(o),
					Notes: note(s.At(o), p.name(o)+" "+verb+" "+value(o)),
				}
				if more != nil {
					more(&d, m, o)
				}
				p.tell(g, m, d)
			})
		}
	}
}

// odd calls tell for every member whose value differs from that of the majority, or from that of the first members in
// a tie; o is a member with the expected value.
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

// without returns what one list has and another lacks.
func without[T comparable](all, other []T) (rest []T) {
	for _, x := range all {
		if !slices.Contains(other, x) {
			rest = append(rest, x)
		}
	}
	return rest
}
