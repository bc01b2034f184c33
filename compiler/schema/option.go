package schema

import (
	"fmt"

	"keepc/grammar"
	"keepc/grammar/diag"
)

// readOption reads an option of an entry, whose keyword is the next word of the line. seen has the position of each
// setting among the words of the line, from 1; 0: not seen yet.
func (e *Entry[T]) readOption(r *reader, n int, seen *int32, t *T) {
	row, w := &e.options.rows[n], r.rest[0]
	r.key, r.rest = row.Keyword, r.rest[1:]
	if !e.options.plain[n] || r.version != "" {
		r.remarks()
	}
	switch {
	case *seen == 0:
		*seen = int32(len(r.stmt.Words) - len(r.rest))
	case !row.Keyword.Repeat:
		r.optionTwice(e.name, r.stmt.Words[*seen-1], w)
		if row.Keyword.First {
			unread := *t
			t = &unread
		}
	}
	block := r.place
	r.place = r.used(block, n, len(e.options.rows), row.Keyword)
	row.read(r, t)
	r.place = block
}

// optionTwice reports an option that the line has already, perhaps under another name.
func (r *reader) optionTwice(entry string, first, w grammar.Word) {
	d := diag.Diagnostic{
		Rule: "repeated-option", Severity: diag.Warning,
		Message: fmt.Sprintf("%s appears twice on %s", w.Text, article(entry)),
		Span:    w.Span,
		Label:   "the last one counts",
		Notes:   []diag.Note{{Message: "the first one", Span: first.Span}},
	}
	if first.Text != w.Text {
		d.Message = fmt.Sprintf("%s and %s of %s are one setting", first.Text, w.Text, article(entry))
	}
	if r.key.Refused != "" {
		d.Severity, d.Label = diag.Error, r.key.Refused
		r.failed++
	}
	r.report(d)
}

// once takes the word of an option that a kind reads itself; it is the current keyword until the kind has its value.
// seen are the options of the line so far, by their setting; refused is as in a Keyword.
func (r *reader) once(entry string, seen map[string]grammar.Word, setting, refused string) {
	w, _ := r.optional()
	r.option = Keyword{Word: w.Text, Refused: refused}
	r.key = &r.option
	if first, again := seen[setting]; again {
		r.optionTwice(entry, first, w)
	}
	seen[setting] = w
}
