package compiler

import (
	"slices"
	"strings"

	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// oneCause leaves one finding where reading and meaning have each one for the same cause: a value that is a reference to
// nothing or a template, a line that was to go on in the next one, and a password that a comment cuts.
func oneCause(reading, meaning diag.List) (diag.List, diag.List) {
	kept := slices.Clone(reading)
	if slices.ContainsFunc(kept, func(d diag.Diagnostic) bool { return d.Rule == "expansion-too-large" }) {
		kept = slices.DeleteFunc(kept, func(d diag.Diagnostic) bool { return d.Rule == "unclosed-block" }) // the rest was not read
	}
	for i := range kept {
		d := &kept[i]
		switch d.Rule {
		case "undefined-reference", "bare-reference", "brace-in-word", "definition-cycle":
			for _, o := range meaning {
				if o.Severity == diag.Error && oneText(o, *d) && holds(o.Span, d.Span) {
					d.Severity = diag.Error
				}
			}
		case "condition-on-block", "text-after-lines", "definition-name", "unset-variable", "line-continuation", "unfilled-template", "unmatched-quote", "invalid-sequence":
		default:
			continue
		}
		meaning = slices.DeleteFunc(slices.Clone(meaning), func(o diag.Diagnostic) bool { return follows(o, *d) })
	}
	kept = slices.DeleteFunc(kept, func(d diag.Diagnostic) bool {
		return d.Rule == "comment-in-word" && slices.ContainsFunc(meaning, func(o diag.Diagnostic) bool {
			return o.Rule == "password-cut" && oneText(o, d) && o.Span.End == d.Span.Start
		})
	})
	return kept, meaning
}

// follows tells whether a finding about the meaning follows from one of the reading.
func follows(o, cause diag.Diagnostic) bool {
	if !oneText(o, cause) {
		return false
	}
	switch cause.Rule {
	case "condition-on-block":
		inside := cause.Span.Start < o.Span.Start && o.Span.End < cause.Notes[0].Span.End
		return inside && (o.Rule == "misplaced-keyword" || o.Rule == "unknown-keyword")
	case "text-after-lines":
		return o.Rule == "unknown-keyword" && o.Span.Starts(cause.Notes[0].Span)
	case "definition-name":
		return o.Rule == "invalid-value" && strings.Contains(o.Span.Text(), cause.Span.Text())
	case "unset-variable":
		return o.Rule == "missing-value" && o.Span.End <= cause.Span.End && o.Span.Position().Line == cause.Span.Position().Line
	case "line-continuation":
		n := o.Span.Position().Line - cause.Span.Position().Line
		return o.Rule == "missing-value" && n == 0 || o.Rule == "unknown-keyword" && n == 1
	case "unmatched-quote":
		return o.Rule == "extra-words" && holds(o.Span, cause.Span)
	case "invalid-sequence":
		return o.Rule == "missing-addresses" && o.Span.Start < cause.Span.Start
	case "unfilled-template":
		return o.Severity == diag.Error && o.Span.Start < cause.Span.End && cause.Span.Start < o.Span.End
	}
	return holds(o.Span, cause.Span) && o.Severity == diag.Error && (o.Rule == "invalid-value" || o.Rule == "password-cut")
}

// holds tells whether a span has another one of the same text within it.
func holds(outer, inner source.Span) bool {
	return outer.Start <= inner.Start && inner.End <= outer.End
}

// manyUnknown is how many unknown words make it pointless to ask which of them were to be what is missing.
const manyUnknown = 20

// withoutConsequences leaves out what follows from another finding: that something is missing where an unknown word stands, which may
// be it; that a line has a word too many whose name nothing has, or that the name ends in a semicolon; and what is to be said of a
// route or rule that is dropped.
func withoutConsequences(file *grammar.File, found diag.List) diag.List {
	var around []*grammar.Stmt // the blocks with unknown words
	var undefined []source.Span
	wrong := map[place]bool{} // lines with errors
	for _, d := range found {
		if d.Severity == diag.Error && d.Rule != "route-untracked" && !d.Span.IsZero() {
			wrong[placeOf(d.Span)] = true
		}
		switch {
		case d.Rule == "unknown-keyword" && len(d.Fixes) == 0 && len(around) < manyUnknown:
			around = append(around, parent(file, d.Span))
		case d.Rule == "undefined-name":
			undefined = append(undefined, d.Span)
		}
	}
	if len(wrong) == 0 {
		return found
	}
	return slices.DeleteFunc(found, func(d diag.Diagnostic) bool {
		switch d.Rule {
		case "route-untracked", "rule-preference":
			return wrong[placeOf(d.Span)]
		case "missing-keyword", "missing-addresses", "missing-interface":
			return slices.ContainsFunc(around, func(s *grammar.Stmt) bool {
				return s != nil && (d.Span.Starts(s.Span()) || parent(file, d.Span) == s)
			})
		case "type-without-password", "password-without-type":
			in := parent(file, d.Span)
			return wrong[placeOf(d.Span)] || in != nil && slices.Contains(around, in)
		case "stray-semicolon":
			return slices.Contains(undefined, d.Span)
		case "unknown-option":
			return slices.ContainsFunc(undefined, func(at source.Span) bool { return behind(at, d.Span) })
		}
		return false
	})
}

// A place is a line of a text.
type place struct {
	text *source.Source
	line int
}

func placeOf(at source.Span) place { return place{at.Source, at.Position().Line} }

// parent returns the block that a place lies in; nil: none.
func parent(file *grammar.File, at source.Span) *grammar.Stmt {
	chain := file.Around(at)
	if len(chain) < 2 {
		return nil
	}
	return chain[len(chain)-2]
}

// behind tells whether a place lies behind another one on its line.
func behind(at, place source.Span) bool {
	return at.Source == place.Source && at.End <= place.Start && at.Position().Line == place.Position().Line
}

// oneText tells whether two findings are about one text, whatever brought it in for the one and the other.
func oneText(a, b diag.Diagnostic) bool {
	return !a.Span.IsZero() && !b.Span.IsZero() && a.Span.Source.Same(b.Span.Source)
}
