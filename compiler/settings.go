package compiler

import (
	"fmt"
	"net/netip"
	"slices"

	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// Settings returns what a .keepc.conf says and what is wrong with it, in file order. reading is what was found wrong
// when the file was parsed.
func Settings(file *grammar.File, reading diag.List) (*ir.Settings, diag.List) {
	s, found := schema.DecodeSettings(file)
	var names []string
	for _, r := range lint.Rules() {
		names = append(names, r.Name)
	}
	unknown := func(r *ir.RuleSetting) bool {
		_, known := lint.Find(r.Rule.Text)
		if !known {
			found.Add(unknownRule(r.Rule, names))
		}
		return !known
	}
	s.Rules = slices.DeleteFunc(s.Rules, unknown)
	for _, p := range s.Paths {
		p.Rules = slices.DeleteFunc(p.Rules, unknown)
	}
	s.Announcements = announcements(s.Announcements, &found)
	for _, c := range s.Clusters {
		for _, m := range c.Members {
			if m.ID == "" {
				m.ID = m.Name.Text
			}
		}
	}
	return s, merge(file, slices.Concat(reading, found))
}

// announcements returns those that make sense, and reports what is wrong with the others.
func announcements(all []*ir.Announcement, found *diag.List) (good []*ir.Announcement) {
	wrong := func(at source.Span, message, label string) {
		found.Add(diag.Diagnostic{Rule: "invalid-value", Severity: diag.Error, Message: message, Span: at, Label: label})
	}
	names, addrs := map[string]source.Span{}, map[netip.Addr]string{}
	for _, a := range all {
		name := a.Name.Text
		if at, taken := names[name]; taken {
			found.Add(diag.Diagnostic{
				Rule: "duplicate-name", Severity: diag.Error, Message: fmt.Sprintf("a second announce %s", name), Span: a.Name.Span, Label: "the name is taken",
				Notes: []diag.Note{{Message: "by this one", Span: at}},
			})
			continue
		}
		names[name] = a.Name.Span
		switch {
		case a.Table == 0: // reported already
			continue
		case a.Table == a.DrainTable:
			wrong(a.At("drain_table"), fmt.Sprintf("announce %s has one table for both", name), "expected a different table")
			a.DrainTable = 0
		case len(a.Addresses) == 0 && !a.QuorumAddresses:
			wrong(a.Span(), fmt.Sprintf("announce %s has no addresses", name), "expected virtual_address or quorum_addresses in it")
		}
		a.Addresses = slices.DeleteFunc(a.Addresses, func(addr ir.PlacedAddr) bool {
			other, taken := addrs[addr.Addr]
			if addrs[addr.Addr] = name; taken {
				wrong(addr.At, fmt.Sprintf("%s is announced twice", addr), "announce "+other+" has it, too")
			}
			return taken
		})
		good = append(good, a)
	}
	return good
}

func unknownRule(rule ir.Name, names []string) diag.Diagnostic {
	d := diag.Diagnostic{
		Rule: "invalid-value", Severity: diag.Error,
		Message: fmt.Sprintf("there is no rule %q", rule.Text), Span: rule.Span, Label: "keepc explain lists them",
	}
	best, sure := diag.Suggest(rule.Text, names)
	if best != "" {
		d.Label = fmt.Sprintf("did you mean %q?", best)
	}
	if sure {
		d.Fixes = []diag.Fix{{Title: fmt.Sprintf("write %q", best), Edits: []diag.Edit{{Span: rule.Span, Text: best}}}}
	}
	return d
}
