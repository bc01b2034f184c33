package diag

import (
	"slices"
	"strings"

	"keepc/grammar/source"
)

// Repair applies the fixes of findings that have exactly one, as long as they edit the text of src and do not overlap.
// It returns the new text and the findings whose fix was applied; none: the text is unchanged. A second round may find
// more to do.
func (l List) Repair(src *source.Source) (text []byte, done List) {
	for _, d := range l {
		if len(d.Fixes) == 1 && d.Fixes[0].inside(src) {
			done.Add(d)
		}
	}
	first := func(d Diagnostic) source.Span { return d.Fixes[0].Edits[0].Span }
	slices.SortStableFunc(done, func(a, b Diagnostic) int { return int(first(a).Start - first(b).Start) })
	at, last := int32(0), Edit{Span: source.Span{Start: -1, End: -1}}
	done = slices.DeleteFunc(done, func(d Diagnostic) bool {
		edits := d.Fixes[0].Edits
		if len(edits) == 1 && edits[0] == last {
			return false // a place that is used twice is found wrong twice
		}
		for i, end := 0, last.Span.End; i < len(edits); i++ {
			if edits[i].Span.Start <= end {
				return true
			}
			end = edits[i].Span.End
		}
		for _, e := range edits {
			text = append(append(text, src.Text[at:e.Span.Start]...), strings.ReplaceAll(e.Text, "\n", src.LineEnd())...)
			at, last = e.Span.End, e
		}
		return false
	})
	return append(text, src.Text[at:]...), done
}

// inside reports whether a fix edits only the text of src.
func (f Fix) inside(src *source.Source) bool {
	return len(f.Edits) > 0 && !slices.ContainsFunc(f.Edits, func(e Edit) bool { return e.Span.IsZero() || !e.Span.Source.Same(src) })
}
