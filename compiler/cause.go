package compiler

import (
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// oneCause leaves one finding where reading and meaning have each one for the same cause: a value that is a reference to
// nothing or a template, a line that was to go on in the next one, and a password that a comment cuts.
func oneCause(reading, meaning diag.List) (diag.List, diag.List) {
	kept := slices.Clone(reading)
	if slices.ContainsFunc(kept, func(d diag.Diagnostic) bool { return d.Rule == "expansion-too-large" || d.Rule == "limit-met" }) {
		kept = slices.DeleteFunc(kept, func(d diag.Diagnostic) bool { return d.Rule == "unclosed-block" }) // the rest was not read
	}
	kept, meaning = quotesOverLines(kept, meaning)
	kept, meaning = oneTemplate(kept, meaning)
	for _, d := range kept {
		if d.Rule == "unfilled-template" {
			meaning = withoutTemplates(meaning, d)
		}
	}
	gone := make([]bool, len(meaning))
	for i := range kept {
		d := &kept[i]
		follows := consequences[d.Rule]
		if follows == nil {
			continue
		}
		if slices.Contains(asBadAsValue, d.Rule) {
			for j := range meaning {
				if o := &meaning[j]; !gone[j] && o.Severity == diag.Error && oneText(*o, *d) && holds(o.Span, d.Span) {
					d.Severity = diag.Error
				}
			}
		}
		for j := range meaning {
			gone[j] = gone[j] || oneText(meaning[j], *d) && follows(meaning[j], *d)
		}
	}
	left := diag.List{}
	for j := range meaning {
		if !gone[j] {
			left.Add(meaning[j])
		}
	}
	meaning = left
	kept = slices.DeleteFunc(kept, func(d diag.Diagnostic) bool {
		return d.Rule == "comment-in-word" && slices.ContainsFunc(meaning, func(o diag.Diagnostic) bool {
			return o.Rule == "password-cut" && oneText(o, d) && o.Span.End == d.Span.Start
		})
	})
	return kept, meaning
}

// quotesOverLines leaves one finding of a quote that has its partner on the next line, of what ends its line and of what that one begins
// with.
func quotesOverLines(reading, meaning diag.List) (diag.List, diag.List) {
	torn, inside := map[line]bool{}, map[line]bool{} // the lines with such quotes, and those of them that the quotes go on to
	for _, d := range reading {
		if d.Rule == "unmatched-quote" {
			torn[lineOf(d.Span)] = true
		}
	}
	if len(torn) == 0 {
		return reading, meaning
	}
	reading = slices.DeleteFunc(reading, func(d diag.Diagnostic) bool {
		at := lineOf(d.Span)
		switch next := (line{at.file, at.number + 1}); {
		case d.Rule == "line-continuation":
			return torn[at]
		case d.Rule == "unmatched-quote" && !inside[at] && torn[next]:
			inside[next] = true
		case d.Rule == "unmatched-quote":
			return inside[at]
		}
		return false
	})
	return reading, slices.DeleteFunc(slices.Clone(meaning), func(d diag.Diagnostic) bool {
		return d.Rule == "unknown-keyword" && inside[lineOf(d.Span)]
	})
}

// asBadAsValue is the rules whose findings are as bad as the value is that they spoil.
var asBadAsValue = []string{"undefined-reference", "bare-reference", "brace-in-word", "definition-cycle"}

// consequences tells, for rules of the reading, whether a finding about the meaning of the same text follows from one of theirs.
var consequences = map[string]func(o, cause diag.Diagnostic) bool{
	"undefined-reference": spoils,
	"bare-reference":      spoils,
	"brace-in-word":       spoils,
	"definition-cycle":    spoils,
	"condition-on-block": func(o, cause diag.Diagnostic) bool {
		inside := cause.Span.Start < o.Span.Start && o.Span.End < cause.Notes[0].Span.End
		return inside && (o.Rule == "misplaced-keyword" || o.Rule == "unknown-keyword")
	},
	"text-after-lines": func(o, cause diag.Diagnostic) bool {
		return o.Rule == "unknown-keyword" && o.Span.Starts(cause.Notes[0].Span)
	},
	"definition-name": func(o, cause diag.Diagnostic) bool {
		return o.Rule == "invalid-value" && strings.Contains(o.Span.Text(), cause.Span.Text())
	},
	"unset-variable":  empties,
	"unread-variable": empties,
	"line-continuation": func(o, cause diag.Diagnostic) bool {
		n := linesApart(o, cause)
		return (o.Rule == "missing-value" || o.Rule == "split-line") && n == 0 || o.Rule == "unknown-keyword" && n == 1
	},
	"unmatched-quote": func(o, cause diag.Diagnostic) bool {
		return o.Rule == "extra-words" && holds(o.Span, cause.Span)
	},
	"invalid-sequence": func(o, cause diag.Diagnostic) bool {
		return o.Rule == "missing-addresses" && o.Span.Start < cause.Span.Start
	},
}

// oneTemplate makes one finding of the templates that reading and meaning have found: there is one thing to do about them.
func oneTemplate(reading, meaning diag.List) (diag.List, diag.List) {
	isTemplate := func(d diag.Diagnostic) bool { return d.Rule == "unfilled-template" }
	if !slices.ContainsFunc(meaning, isTemplate) {
		return reading, meaning
	}
	all := diag.List(slices.DeleteFunc(slices.Concat(reading, meaning), func(d diag.Diagnostic) bool { return !isTemplate(d) }))
	all.Sort()
	first := all[0]
	first.More = nil
	for _, d := range all {
		if d.Span != first.Span {
			first.More = append(first.More, d.Span)
		}
		first.More = append(first.More, d.More...)
	}
	reading = append(slices.DeleteFunc(slices.Clone(reading), isTemplate), first)
	return reading, slices.DeleteFunc(slices.Clone(meaning), isTemplate)
}

// withoutTemplates leaves out what follows from templates: what is wrong with them, with what stands behind them on their line, and with
// a value that they should be.
func withoutTemplates(meaning diag.List, templates diag.Diagnostic) diag.List {
	first := map[line]source.Span{} // the first template of each line
	for _, at := range append([]source.Span{templates.Span}, templates.More...) {
		if l := lineOf(at); first[l].IsZero() {
			first[l] = at
		}
	}
	return slices.DeleteFunc(slices.Clone(meaning), func(o diag.Diagnostic) bool {
		if o.Span.IsZero() || o.Severity < diag.Error && o.Rule != "extra-words" {
			return false
		}
		at := first[lineOf(o.Span)]
		return !at.IsZero() && o.Span.End > at.Start
	})
}

// countTemplates says how many templates there are in a finding about several.
func countTemplates(found diag.List) {
	for i := range found {
		if d := &found[i]; d.Rule == "unfilled-template" && len(d.More) > 0 {
			d.Message = fmt.Sprintf("%d templates are not filled in", 1+len(d.More))
			d.Label, d.More = "the first; they mean nothing to keepalived", nil
		}
	}
}

// spoils tells whether a value is wrong because of what stands in it.
func spoils(o, cause diag.Diagnostic) bool {
	return holds(o.Span, cause.Span) && o.Severity == diag.Error && (o.Rule == "invalid-value" || o.Rule == "password-cut" || o.Rule == "unknown-keyword")
}

// empties tells whether a value is missing or wrong because nothing stands in its place.
func empties(o, cause diag.Diagnostic) bool {
	return o.Rule == "missing-value" && o.Span.End <= cause.Span.End && linesApart(o, cause) == 0 || spoils(o, cause) ||
		o.Rule == "invalid-value" && o.Span.Start == cause.Span.End
}

// linesApart is how many lines a finding stands below another one.
func linesApart(o, cause diag.Diagnostic) int {
	return o.Span.Position().Line - cause.Span.Position().Line
}

// holds tells whether a span has another one of the same text within it.
func holds(outer, inner source.Span) bool {
	return outer.Start <= inner.Start && inner.End <= outer.End
}

// manyUnknown is how many unknown words make it pointless to ask which of them were to be what is missing.
const manyUnknown = 20

// missing leads from the rules about what an instance lacks to its keyword.
var missing = map[string]string{"missing-addresses": "virtual_ipaddress", "missing-interface": "interface"}

// defined leaves out that a name is not defined where a line defines it and only lacks its $.
func defined(reading, meaning diag.List) diag.List {
	names := map[string]bool{}
	for _, d := range meaning {
		if name, _, ok := strings.Cut(d.Span.Text(), "="); ok && d.Rule == "unknown-keyword" {
			names[name] = true
		}
	}
	if len(names) == 0 {
		return reading
	}
	return slices.DeleteFunc(slices.Clone(reading), func(d diag.Diagnostic) bool {
		return d.Rule == "undefined-reference" && names[strings.Trim(d.Span.Text(), "${}")]
	})
}

// withoutConsequences leaves out what follows from another finding: that something is missing where a line with an unknown word may
// be it; that a line has a word too many whose name nothing has, or that the name ends in a semicolon; and what is to be said of a
// route or rule that is dropped.
func withoutConsequences(file *grammar.File, found diag.List) diag.List {
	var unknown [][]*grammar.Stmt // the lines with unknown words, each behind the blocks that it lies in
	var undefined []source.Span
	wrong := map[line]bool{} // lines with errors
	for _, d := range found {
		if d.Severity == diag.Error && d.Rule != "route-untracked" && !d.Span.IsZero() {
			wrong[lineOf(d.Span)] = true
		}
		switch {
		case d.Rule == "unknown-keyword" && len(d.Fixes) == 0 && len(unknown) < manyUnknown:
			unknown = append(unknown, file.Around(d.Span))
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
			return wrong[lineOf(d.Span)]
		case "missing-addresses", "missing-interface":
			return slices.ContainsFunc(unknown, func(chain []*grammar.Stmt) bool {
				in := last(chain, 1)
				return in != nil && (d.Span.Starts(in.Span()) || parent(file, d.Span) == in) && schema.MayMean(last(chain, 0), missing[d.Rule])
			})
		case "type-without-password", "password-without-type":
			in := parent(file, d.Span)
			return wrong[lineOf(d.Span)] || in != nil && slices.ContainsFunc(unknown, func(chain []*grammar.Stmt) bool { return last(chain, 1) == in })
		case "stray-semicolon":
			return slices.Contains(undefined, d.Span)
		case "unknown-option":
			return slices.ContainsFunc(undefined, func(at source.Span) bool { return behind(at, d.Span) })
		}
		return false
	})
}

// A line is a line of a text.
type line struct {
	file   string
	number int
}

func lineOf(at source.Span) line {
	p := at.Position()
	return line{p.File, p.Line}
}

// parent returns the block that a place lies in; nil: none.
func parent(file *grammar.File, at source.Span) *grammar.Stmt { return last(file.Around(at), 1) }

// last returns the last of a chain of statements, or one so many before it; nil: there is none.
func last(chain []*grammar.Stmt, before int) *grammar.Stmt {
	if n := len(chain) - 1 - before; n >= 0 {
		return chain[n]
	}
	return nil
}

// behind tells whether a place lies behind another one on its line.
func behind(at, other source.Span) bool {
	return lineOf(at) == lineOf(other) && at.End <= other.Start
}

// oneText tells whether two findings are about one text, whatever brought it in for the one and the other.
func oneText(a, b diag.Diagnostic) bool {
	return !a.Span.IsZero() && !b.Span.IsZero() && a.Span.Source.Same(b.Span.Source)
}
