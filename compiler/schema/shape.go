package schema

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"keepc/grammar"
	"keepc/grammar/diag"
)

// This file reads statements with the right words in the wrong shape: a block without its own braces, two lines in
// one, the dash of a list.

// opens returns the statement of a block keyword as it was meant, and how many of the following statements belong to
// it. It reports what is wrong: no brace, another bracket instead of one, or content before it.
func (b *Block[T]) opens(r *reader, key *Keyword, s *grammar.Stmt, rest []*grammar.Stmt) (*grammar.Stmt, int) {
	last := s.Words[len(s.Words)-1]
	switch {
	case key.Lines != "" && key.Expect == "" && len(s.Words) > 1 && (s.Block == nil && closer[last.Text] == "" || s.Block != nil && len(s.Block.Stmts) == 0):
		return r.inline(key, s), 0
	case s.Block != nil || key.Bare:
		return s, 0
	}
	content := b.without(key, rest)
	taken := len(content)
	if end := closer[last.Text]; end != "" && len(s.Words) > 1 {
		var closing *grammar.Stmt
		n := slices.IndexFunc(rest[:min(taken+1, len(rest))], func(c *grammar.Stmt) bool { return len(c.Words) == 1 && c.Keyword() == end })
		if n >= 0 {
			content, closing, taken = rest[:n], rest[n], n+1
		}
		r.otherBracket(last, closing)
		s = &grammar.Stmt{Words: s.Words[:len(s.Words)-1]}
	} else {
		r.missingBrace(key, s, content)
	}
	return &grammar.Stmt{Words: s.Words, Block: &grammar.Block{Stmts: content}}, taken
}

// closer maps the opening brackets of other languages to the closing ones.
var closer = map[string]string{"(": ")", "[": "]", "<": ">"}

// otherBracket returns a bracket that does not open a block, and what closes it; nil: nothing does.
func (r *reader) otherBracket(at grammar.Word, closing *grammar.Stmt) {
	d := diag.Diagnostic{
		Rule: "missing-brace", Severity: diag.Error,
		Message: r.quote(at) + " does not open a block",
		Span:    at.Span,
		Spoils:  diag.Spare(at.Span),
		Label:   `expected "{", and "}" at its end`,
	}
	if closing != nil {
		d.Fixes = []diag.Fix{{Title: "write braces", Edits: []diag.Edit{{Span: at.Span, Text: "{"}, {Span: closing.Span(), Text: "}"}}}}
	}
	r.report(d)
}

// unbracketed returns words without the pair of brackets around them.
func unbracketed(words []grammar.Word) []grammar.Word {
	n := len(words) - 1
	first, last := words[0], words[n]
	if first.Text == "" || first.Text != first.Span.Text() || last.Text != last.Span.Text() {
		return words
	}
	if end := closer[first.Text[:1]]; end == "" || !strings.HasSuffix(last.Text, end) {
		return words
	}
	inner := slices.Clone(words)
	inner[0].Text, inner[0].Span.Start = inner[0].Text[1:], inner[0].Span.Start+1
	inner[n].Text, inner[n].Span.End = inner[n].Text[:len(inner[n].Text)-1], inner[n].Span.End-1
	inner = slices.DeleteFunc(inner, func(w grammar.Word) bool { return w.Text == "" })
	if len(inner) == 0 {
		return words
	}
	return inner
}

// unlisted returns the lines of a block as they were meant if they are a list in another language, such as [ a, b ].
// It reports that once.
func (r *reader) unlisted(entries []*grammar.Stmt) []*grammar.Stmt {
	i := slices.IndexFunc(entries, func(e *grammar.Stmt) bool { return opensList(e.Words[0]) })
	if i < 0 {
		return entries
	}
	r.report(diag.Diagnostic{
		Rule: "list-brackets", Severity: diag.Error,
		Message: "there is a list in brackets between the braces",
		Span:    entries[i].Span(),
		Label:   "expected one value a line, without brackets and commas",
	})
	meant := slices.Clone(entries[:i])
	for _, e := range entries[i:] {
		meant = append(meant, atCommas(e.Words)...)
	}
	return meant
}

// atCommas returns the words of a list as one line for each value. If all words are addresses, blanks separate them
// too.
func atCommas(list []grammar.Word) (lines []*grammar.Stmt) {
	var words []grammar.Word
	addresses := !slices.ContainsFunc(list, func(w grammar.Word) bool {
		text := withoutBrackets(w).Text
		return text != "" && !isAddress(text)
	})
	for i, w := range list {
		if bare := withoutBrackets(w); bare.Text != "" {
			words = append(words, bare)
		}
		if len(words) > 0 && (addresses || strings.HasSuffix(w.Text, ",") || i == len(list)-1) {
			lines, words = append(lines, &grammar.Stmt{Words: words}), nil
		}
	}
	return lines
}

func isAddress(text string) bool {
	host, _, _ := strings.Cut(text, "/")
	_, err := netip.ParseAddr(host)
	return err == nil
}

// opensList reports whether a word begins a list in another language. A single IPv6 address may be in brackets.
func opensList(w grammar.Word) bool {
	if w.Text == "" || w.Text[0] != '(' && w.Text[0] != '[' || w.Text != w.Span.Text() {
		return false
	}
	return w.Text[0] == '(' || !(strings.Contains(w.Text, ":") && strings.Contains(w.Text, "]"))
}

// withoutBrackets returns a word without the list punctuation at its ends.
func withoutBrackets(w grammar.Word) grammar.Word {
	if w.Text != w.Span.Text() {
		return w // it is quoted
	}
	text := strings.TrimLeft(w.Text, "[(")
	w.Span.Start += int32(len(w.Text) - len(text))
	w.Text = strings.TrimRight(text, "]),")
	w.Span.End -= int32(len(text) - len(w.Text))
	return w
}

// inline reads the words after the keyword of a block as the line that should be in it.
func (r *reader) inline(key *Keyword, s *grammar.Stmt) *grammar.Stmt {
	words := s.Args()
	if len(words) > 1 && words[0].Text == "=" {
		words = words[1:]
	}
	at := words[0].Span.To(words[len(words)-1].Span)
	words = unbracketed(words)
	inner := words[0].Span.To(words[len(words)-1].Span)
	d := diag.Diagnostic{
		Rule: "missing-brace", Severity: diag.Error,
		Message: fmt.Sprintf("the content of %s belongs between braces", key.Word),
		Span:    at,
		Spoils:  diag.Spare(at),
		Label:   "expected { before it and } behind it",
	}
	if gap := s.Words[0].Span.To(at); s.Block == nil && gap.Source == at.Source && !at.IsZero() && !slices.ContainsFunc(words[1:], func(w grammar.Word) bool { return isAddress(w.Text) }) { // each address needs its own line
		gap.Start = s.Words[0].Span.End
		indent := lineHead(s.Words[0])
		d.Fixes = []diag.Fix{{Title: "add the braces", Edits: []diag.Edit{{Span: gap, Text: " {\n" + indent + "    " + inner.Text() + "\n" + indent + "}"}}}}
	}
	r.report(d)
	return &grammar.Stmt{Words: s.Words[:1], Block: &grammar.Block{Stmts: atCommas(words)}}
}

// joined finds a keyword among the surplus words of a line, perhaps after a semicolon: it should have a line of its
// own. It reports that once per line, and returns both lines.
func (b *Block[T]) joined(r *reader, s *grammar.Stmt) (first, second *grammar.Stmt) {
	if len(r.rest) == 0 {
		return nil, nil
	}
	words := len(s.Words) - len(r.rest)
	from := words
	if r.rest[0].Text == ";" && len(r.rest) > 1 {
		from++
	}
	w := s.Words[from]
	n, known := b.index.find(w.Text)
	if !known || !b.rows[n].Current() || w.Span.Text() != w.Text {
		return nil, nil
	}
	first = &grammar.Stmt{Words: s.Words[:words]}
	second = &grammar.Stmt{Words: s.Words[from:], Block: s.Block}
	if end := s.Words[len(s.Words)-1].Span; r.jointed != end {
		r.jointed = end
		gap := s.Words[words-1].Span
		gap.Start, gap.End = gap.End, w.Span.Start
		d := diag.Diagnostic{
			Rule: "joined-lines", Severity: diag.Error,
			Message: fmt.Sprintf("%s needs a line of its own", w.Text),
			Span:    w.Span,
			Label:   "dropped: one keyword a line",
		}
		if gap.Source == w.Span.Source && gap.Start < gap.End {
			d.Fixes = []diag.Fix{{Title: "begin a line", Edits: []diag.Edit{{Span: gap, Text: "\n" + lineHead(s.Words[0])}}}}
		}
		r.report(d)
	}
	return first, second
}

// split finds the value of a keyword on the next line, if that does not begin with a keyword. It reports that, and
// returns both lines as the one that was meant; nil: there is no such value.
func (b *Block[T]) split(r *reader, row *Row[T], s, next *grammar.Stmt) *grammar.Stmt {
	if row.Lines != "" || row.Expect == "" || row.Expect[0] == '[' || r.found.Full(diag.Error) {
		return nil
	}
	if _, known := b.index.find(next.Keyword()); known || isBlock(r.table, next.Keyword()) || (next.Block != nil) != row.Block {
		return nil
	}
	meant := &grammar.Stmt{Words: slices.Concat(s.Words, next.Words), Block: next.Block}
	switch best, _ := diag.Suggest(next.Keyword(), b.candidates()); {
	case row.Block && (best != "" || len(s.Words) > 1 && !isNumber(next.Keyword())), !row.Block && (len(s.Words) > 1 || !b.reads(row, meant)):
		return nil
	}
	d := diag.Diagnostic{
		Rule: "split-line", Severity: diag.Error, Kind: diag.Split,
		Message: fmt.Sprintf("%s and its value are on two lines", s.Keyword()),
		Span:    s.Span(),
		Label:   "a line ends a statement",
		Notes:   []diag.Note{{Message: "the value", Span: next.Span()}},
	}
	if gap := s.Span(); gap.Source == next.Span().Source && !gap.IsZero() {
		gap.Start, gap.End = gap.End, next.Span().Start
		if strings.TrimSpace(gap.Text()) == "" {
			d.Fixes = []diag.Fix{{Title: "write one line", Edits: []diag.Edit{{Span: gap, Text: " "}}}}
		}
	}
	r.report(d)
	return meant
}

// condition is the "@id" of a line.
var condition = regexp.MustCompile(`^@\S+[ \t]+`)

// undashed returns a line without the dash of a YAML list, which it reports.
func (r *reader) undashed(s *grammar.Stmt) *grammar.Stmt {
	if len(s.Words) < 2 || s.Keyword() != "-" {
		return s
	}
	d := diag.Diagnostic{
		Rule: "list-dash", Severity: diag.Error,
		Message: "a line begins with a dash",
		Span:    s.Words[0].Span,
		Label:   "keepalived takes it for the first word",
	}
	if gap := s.Words[0].Span; gap.Source == s.Words[1].Span.Source && !gap.IsZero() {
		gap.End = s.Words[1].Span.Start
		d.Fixes = []diag.Fix{{Title: "delete it", Edits: []diag.Edit{{Span: gap}}}}
	}
	r.report(d)
	return &grammar.Stmt{Words: s.Words[1:], Block: s.Block}
}

// lineHead is the start of a word's line, for similar lines to begin with: white space, and its condition. After a
// brace on the line they are indented one step more.
func lineHead(w grammar.Word) string {
	if w.Span.IsZero() {
		return ""
	}
	text, start := w.Span.Source.Text, int(w.Span.Start)
	for start > 0 && text[start-1] != '\n' {
		start--
	}
	before := string(text[start:w.Span.Start])
	head := before[:len(before)-len(strings.TrimLeft(before, " \t"))]
	id := condition.FindString(before[len(head):])
	if strings.Contains(before, "{") {
		id += "    "
	}
	return head + id
}
