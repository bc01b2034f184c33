package compiler

import (
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// unfixable drops the fixes that edit the value of a definition which is also used where that value is right.
func unfixable(file *grammar.File, found diag.List) {
	if len(file.Uses) == 0 {
		return
	}
	wrong := map[diag.Edit]map[*source.Source]bool{} // where each edit is requested; the span is that of the text itself
	for _, d := range found {
		for _, e := range edits(d) {
			at := asWritten(e)
			if wrong[at] == nil {
				wrong[at] = map[*source.Source]bool{}
			}
			wrong[at][e.Span.Source] = true
			for _, more := range d.More {
				wrong[at][more.Source] = true
			}
		}
	}
	uses, of := map[source.Span][]*source.Source{}, map[*source.Source]source.Span{}
	for _, u := range file.Uses {
		name := source.Span{Start: u.Definition.Start, End: u.Definition.End}
		uses[name], of[u.Text] = append(uses[name], u.Text), name
	}
	for i, d := range found {
		for _, e := range edits(d) {
			for _, use := range uses[of[e.Span.Source]] {
				if e.Span.Source.How == "used at" && use.Same(e.Span.Source) && !wrong[asWritten(e)][use] {
					found[i].Fixes = nil
				}
			}
		}
	}
}

// edits is those of the one fix of a finding.
func edits(d diag.Diagnostic) []diag.Edit {
	if len(d.Fixes) != 1 {
		return nil
	}
	return d.Fixes[0].Edits
}

// asWritten returns an edit without what brought its text in.
func asWritten(e diag.Edit) diag.Edit {
	e.Span.Source = nil
	return e
}

// Worse reports whether a repair causes errors of a rule in the file itself.
func Worse(before, after diag.List) bool {
	more := map[string]int{}
	for _, d := range before {
		if d.Severity == diag.Error && !d.Host {
			more[d.Rule]--
		}
	}
	for _, d := range after {
		if d.Severity != diag.Error || d.Host {
			continue
		}
		if more[d.Rule]++; more[d.Rule] > 0 {
			return true
		}
	}
	return false
}
