// Package lint holds the rules: what relates several lines of a file, and what is surely not meant. It also documents
// the findings of the packages that read the file.
//
// To add a rule, add a value to one of the lists (file.go, instance.go, service.go, ...) and its page to the folder
// rules; a test tries the examples of the page.
package lint

import (
	"io/fs"
	"net/netip"
	"slices"
	"sync"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// A Rule is one kind of mistake. Its Page explains it.
type Rule struct {
	Name     string
	Severity diag.Severity
	Worst    diag.Severity // of its findings, if some are worse than Severity
	Loss     diag.Loss     // what keepalived does there, unless the finding says otherwise; every rule that can report an error has one
	Host     bool          // wrong on this machine only
	Wire     bool          // of Peers: it compares what is sent, whatever else is wrong with the lines

	// Check finds the mistake in a file, Service in a virtual server. Peers finds it among the files of a cluster;
	// Check and Service are not called there. Without any of them the mistake is found while the file is read.
	Check   func(*pass)
	Service func(*pass, service)
	Peers   func(*peerPass)
}

// Rules returns every rule, grouped by subject. All callers share the list.
func Rules() []Rule { return rules() }

// rules builds the list once, because that takes as long as the check of a file.
var rules = sync.OnceValue(func() []Rule {
	return slices.Concat(textRules(), expansionRules(), wordRules(), valueRules(), fileRules(), orderRules(),
		instanceRules(), authenticationRules(), strictRules(), unicastRules(), addressRules(), vmacRules(), groupRules(), weightRules(), nameRules(), trackRules(), bfdRules(), routeRules(), routeOptionRules(),
		scriptRules(), commandRules(), serviceRules(), announceRules(), edgeRules(), balanceRules(), memberRules(), checkRules(), hostRules(), regexRules(),
		groupPeerRules(), unicastPeerRules(), electionPeerRules(), weightPeerRules(), trackPeerRules(), directorPeerRules())
})

// losses is the Loss of every rule that has one, by its name.
var losses = sync.OnceValue(func() map[string]diag.Loss {
	all := map[string]diag.Loss{}
	for _, r := range Rules() {
		all[r.Name] = r.Loss
	}
	return all
})

// Losses sets the Loss of each finding that has none to that of its rule.
func Losses(found diag.List) {
	for i := range found {
		if d := &found[i]; d.Loss == 0 {
			d.Loss = losses()[d.Rule]
		}
	}
}

// Emptied finds the virtual servers that lose every real server by what is found, because keepalived drops them then:
// the finding about the last one says so.
func Emptied(cfg *ir.Config, found diag.List) {
	Losses(found)
	lost := map[source.Span]*diag.Diagnostic{} // by line
	for i := range found {
		if d := &found[i]; d.DropsLine() {
			for _, at := range append([]source.Span{d.Span}, d.More...) {
				lost[at.Line()] = d
			}
		}
	}
	if len(lost) == 0 {
		return
	}
	for _, v := range servicesOf(cfg) {
		if last := lastOf(v, lost); last != nil && lost[v.Span().Line()] == nil {
			last.Loss = diag.DropsInstance
			last.Notes = append(slices.Clip(last.Notes), note(v.Span(), v.name()+" is left without a real_server: keepalived drops it")...)
		}
	}
}

// lastOf returns the finding about the last real server of a service that loses all; nil: it keeps one, or has none. A
// server that could be read is lost only by a rule.
func lastOf(v service, lost map[source.Span]*diag.Diagnostic) (last *diag.Diagnostic) {
	read := 0
	for _, s := range blockOf(v.Stmt) {
		if s.Keyword() != "real_server" {
			continue
		}
		known := read < len(v.RealServers) && v.RealServers[read].Stmt == s
		if known {
			read++
		}
		if last = lost[s.Span().Line()]; last == nil || known && last.Kind&diag.Sense == 0 {
			return nil
		}
	}
	return last
}

// A Host answers questions about the machine that the file is for.
type Host interface {
	// Networks returns the addresses of an interface with their prefix lengths; false: there is no such interface.
	Networks(name string) ([]netip.Prefix, bool)
	// Holds reports whether an interface has the address.
	Holds(addr netip.Addr) bool
	// User reports whether there is such a user.
	User(name string) bool
	// Mode returns the mode of a file; false: there is no such file.
	Mode(path string) (fs.FileMode, bool)
	// Owner returns the ids of the user and the group that own a file; 0 (root) if the file does not exist.
	Owner(path string) (uid, gid uint32)
}

// Run applies every rule to a file. A nil host leaves out the rules about the machine; peers leaves out the rules that
// Peers decides better.
func Run(cfg *ir.Config, file *grammar.File, host Host, peers bool) diag.List {
	p := newPass(cfg, file, host)
	var ofServices []Rule
	for _, r := range Rules() {
		switch {
		case host == nil && r.Host || peers && r.Peers != nil:
		case r.Check != nil:
			p.rule = r
			r.Check(p)
		case r.Service != nil:
			ofServices = append(ofServices, r)
		}
	}
	for _, v := range p.blocks { // all rules look at each block in turn, while it is in the cache
		for _, p.rule = range ofServices {
			if !p.found.Full(p.rule.Severity) {
				p.rule.Service(p, v)
			}
		}
	}
	return p.found.List
}

// OnHost applies only the rules about the machine.
func OnHost(cfg *ir.Config, file *grammar.File, host Host) diag.List {
	p := newPass(cfg, file, host)
	for _, r := range Rules() {
		if r.Host {
			p.rule = r
			r.Check(p)
		}
	}
	return p.found.List
}

// A pass is the run of one rule over one file.
type pass struct {
	*ir.Config
	blocks    []service                  // the virtual_server blocks
	groups    map[string]*ir.ServerGroup // by name, the first of each
	announced map[netip.Addr]ir.AnnouncedAddress
	file      *grammar.File
	host      Host

	rule  Rule
	found diag.Bounded
}

func newPass(cfg *ir.Config, file *grammar.File, host Host) *pass {
	p := &pass{Config: cfg, blocks: servicesOf(cfg), groups: map[string]*ir.ServerGroup{}, announced: map[netip.Addr]ir.AnnouncedAddress{}, file: file, host: host}
	for _, a := range cfg.Announced() {
		p.announced[a.Addr] = a
	}
	for _, g := range slices.Backward(cfg.Groups) {
		p.groups[g.Name] = g
	}
	return p
}

// report adds a finding of the rule and returns it, so that notes and other fields can be added.
func (p *pass) report(at source.Span, message, label string) *diag.Diagnostic {
	d := diag.Diagnostic{Rule: p.rule.Name, Severity: p.rule.Severity, Kind: diag.Sense, Loss: p.rule.Loss, Message: message, Span: at, Label: label, Host: p.rule.Host}
	return p.found.Add(d)
}

// note returns a list of one note: another place, and how it relates to the finding.
func note(at source.Span, message string) []diag.Note {
	return []diag.Note{{Message: message, Span: at}}
}

// linesOf lists the lines of the blocks with a keyword.
func linesOf(o ir.Origin, keyword string) (lines []*grammar.Stmt) {
	for _, s := range blockOf(o.Stmt) {
		if s.Keyword() == keyword && s.Block != nil {
			lines = append(lines, s.Block.Stmts...)
		}
	}
	return lines
}

// precedes reports whether a keyword of a block comes before another in reading order. Positions in the file do not
// tell: either may come from a definition or another file.
func precedes(o ir.Origin, keyword, other string) bool {
	for _, s := range blockOf(o.Stmt) {
		switch s.Keyword() {
		case keyword:
			return true
		case other:
			return false
		}
	}
	return false
}
