// Package lint holds the rules: what relates several lines of a file, and what is surely not meant. It also documents the
// findings of those who read the file.
//
// To add a rule, add a value to one of the lists (file.go, instance.go, service.go, ...) and its page to the folder rules; a test tries
// the examples of the page.
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
	Loss     diag.Loss // what keepalived does there, unless the finding says something else; every rule that can make an error has one
	Host     bool      // wrong only on this machine
	Wire     bool      // of Peers: it compares what goes on the wire, which it does whatever else is wrong with the lines

	// Check finds the mistake in a file, Service in a virtual server. Peers finds it among the files of a cluster, where the others are
	// then not asked. None: it is found while the file is read.
	Check   func(*pass)
	Service func(*pass, service)
	Peers   func(*peerPass)
}

// Rules returns every rule, by what it looks at. The list is the same for all who ask.
func Rules() []Rule { return rules() }

// rules makes the list once: to make it takes as long as to check a file.
var rules = sync.OnceValue(func() []Rule {
	return slices.Concat(textRules(), expansionRules(), wordRules(), valueRules(), fileRules(),
		instanceRules(), strictRules(), unicastRules(), addressRules(), vmacRules(), groupRules(), weightRules(), nameRules(), trackRules(), bfdRules(), routeRules(), routeOptionRules(),
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

// Losses gives every finding that does not say what keepalived does there the answer of its rule.
func Losses(found diag.List) {
	for i := range found {
		if d := &found[i]; d.Loss == 0 {
			d.Loss = losses()[d.Rule]
		}
	}
}

// A Host tells facts of the machine that the file is for.
type Host interface {
	// Networks returns the addresses of an interface with their prefix lengths; false: there is no such interface.
	Networks(name string) ([]netip.Prefix, bool)
	// Holds reports whether an interface has the address.
	Holds(addr netip.Addr) bool
	// User tells whether there is such a user.
	User(name string) bool
	// Mode returns the mode of a file; false: there is no such file.
	Mode(path string) (fs.FileMode, bool)
	// Owner returns the numbers of the user and the group that a file belongs to; 0 (root) where there is none.
	Owner(path string) (uid, gid uint32)
}

// Run applies every rule to a file. A nil host leaves out the rules about the machine; with peers, those that Peers decides better
// are left to it.
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
	for _, v := range p.blocks { // each is looked at by all rules while it is at hand
		for _, p.rule = range ofServices {
			if !p.found.Full(p.rule.Severity) {
				p.rule.Service(p, v)
			}
		}
	}
	return p.found.List
}

// OnHost applies the rules about the machine alone.
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

// A pass is one rule on its way over one file.
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

// report adds a finding of the rule. The notes and the rest may be added to what it returns.
func (p *pass) report(at source.Span, message, label string) *diag.Diagnostic {
	d := diag.Diagnostic{Rule: p.rule.Name, Severity: p.rule.Severity, Kind: diag.Sense, Loss: p.rule.Loss, Message: message, Span: at, Label: label, Host: p.rule.Host}
	return p.found.Add(d)
}

// note is a list of one note: another place, and what it has to do with the finding.
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

// precedes tells whether a keyword of a block stands before another one. Where they stand in the file does not tell: either may
// come from a definition or another file.
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
