package compiler

import (
	"fmt"
	"slices"

	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// Settings returns what a .keepc.conf says and what is wrong with it, in the order of the file. The reading is what was found
// wrong when the file was parsed.
func Settings(file *grammar.File, reading diag.List) (*ir.Settings, diag.List) {
	s, found := schema.DecodeSettings(file)
	var names []string
	for _, r := range lint.Rules() {
		names = append(names, r.Name)
	}
	unknown := func(r *ir.RuleSetting) bool {
		known := slices.Contains(names, r.Rule.Text)
		if !known {
			found.Add(unknownRule(r.Rule, names))
		}
		return !known
	}
	s.Rules = slices.DeleteFunc(s.Rules, unknown)
	for _, p := range s.Paths {
		p.Rules = slices.DeleteFunc(p.Rules, unknown)
	}
	for _, c := range s.Clusters {
		for _, m := range c.Members {
			if m.ID == "" {
				m.ID = m.Name.Text
			}
		}
	}
	return s, Merge(file, reading, found)
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
