package schema

import (
	"fmt"
	"slices"
	"strings"

	"keepc/grammar"
	"keepc/grammar/diag"
)

// glued finds a keyword without a blank after it, or with the punctuation of another language: "priority=100",
// "virtual_server192.0.2.1", "//". It reports the mistake and returns the statement as it was meant.
func (b *Block[T]) glued(r *reader, s *grammar.Stmt) (*grammar.Stmt, bool) {
	w := s.Words[0]
	cut := strings.IndexFunc(w.Text, func(c rune) bool { return c == '=' || c == ':' || c >= '0' && c <= '9' || c == '/' || c == ';' })
	if len(s.Words) == 1 && s.Block != nil {
		if n := slices.IndexFunc(b.rows, func(row Row[T]) bool { return row.Block && row.Expect != "" && joined(w.Text, row.Word) }); n >= 0 {
			cut = len(b.rows[n].Word)
		}
	}
	if len(s.Words) == 1 && s.Block == nil {
		if n := b.gluedValue(s); n > 0 {
			cut = n
		}
	}
	if cut <= 0 || w.Text != w.Span.Text() {
		return nil, false
	}
	word := w.Text[:cut]
	if _, known := b.index.find(word); !known {
		return nil, false
	}
	at := w.Span.Source
	first := grammar.Word{Text: word, Span: at.Span(int(w.Span.Start), int(w.Span.Start)+cut)}
	d := diag.Diagnostic{Severity: diag.Error, Span: w.Span}
	rest := strings.TrimLeft(w.Text[cut:], "=:;")
	second := grammar.Word{Text: rest, Span: at.Span(int(w.Span.End)-len(rest), int(w.Span.End))}
	switch w.Text[cut] {
	case '=', ':':
		d.Rule = "equals-sign"
		d.Message = fmt.Sprintf("%s and its value are joined by %c", word, w.Text[cut])
		d.Label = "expected a blank"
		if rest == "" {
			d.Message = fmt.Sprintf("%s is followed by %s", word, w.Text[cut:])
		}
	case ';':
		d.Rule = "stray-semicolon"
		d.Message = "a semicolon does not end a line here"
		d.Label = "expected the end of the line"
	default:
		d.Rule = "missing-space"
		d.Message = fmt.Sprintf("%s and %q are two words", word, short(rest))
		d.Label = "expected a blank"
	}
	gap := at.Span(int(first.Span.End), int(second.Span.Start))
	if rest == "" {
		d.Fixes = []diag.Fix{{Title: "delete it", Edits: []diag.Edit{{Span: gap}}}}
	} else {
		d.Fixes = []diag.Fix{{Title: "write a blank", Edits: []diag.Edit{{Span: gap, Text: " "}}}}
	}
	r.report(d)
	words := []grammar.Word{first}
	if rest != "" {
		words = append(words, second)
	}
	return &grammar.Stmt{Words: append(words, s.Words[1:]...), Block: s.Block}, true
}

// gluedValue returns the length of the longest keyword that a single word starts with and whose value is the rest, in
// capitals, a number or a path; 0: there is none.
func (b *Block[T]) gluedValue(s *grammar.Stmt) (length int) {
	word := s.Keyword()
	for i := range b.rows {
		row := &b.rows[i]
		rest, found := strings.CutPrefix(word, row.Word)
		if !found || rest == "" || len(row.Word) <= length || row.Block || row.needsNone() || !row.Current() || rest[0] >= 'a' && rest[0] <= 'z' || rest[0] == '_' {
			continue
		}
		if b.reads(row, &grammar.Stmt{Words: []grammar.Word{{Text: row.Word}, {Text: rest}}}) {
			length = len(row.Word)
		}
	}
	return length
}

// joined reports whether a word is a keyword and a name, in capitals, without a blank between them.
func joined(word, keyword string) bool {
	name, found := strings.CutPrefix(word, keyword)
	return found && name != "" && 'A' <= name[0] && name[0] <= 'Z'
}
