package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// clean returns a word as it was meant: without typographic quotes and invisible characters, which it reports.
func (r *reader) clean(w grammar.Word) grammar.Word {
	text := r.bare(w.Text)
	if text == w.Text {
		return w
	}
	d := diag.Diagnostic{
		Rule: "typographic-quote", Severity: diag.Error, Span: w.Span,
		Message: fmt.Sprintf("%s has typographic quotes", r.quote(w)),
		Label:   `only " quotes`,
	}
	if strings.ContainsAny(w.Text, invisible+wideBlanks) {
		d.Rule, d.Label = "invisible-character", "delete it"
		d.Message = fmt.Sprintf("%s has a character that nobody sees", r.quote(w))
	}
	switch marks := strings.IndexFunc(w.Text, isQuote) >= 0; {
	case marks && !quotedWord(w.Text):
		if last := r.partner(w); last > 0 {
			d = r.quotedWords(w, r.rest[last])
			r.rest = slices.Clone(r.rest)
			r.rest[last].Text = bareWord(r.rest[last].Text)
		} else {
			d.Help = `write " for both marks`
		}
	case text != "" && w.Span.Text() == w.Text:
		d.Fixes = []diag.Fix{replace(w.Span, text)}
		if r.quote(w) == hidden || r.text(w) == hidden {
			d.Fixes = []diag.Fix{{Title: "delete what does not belong", Edits: strays(w.Span)}}
		}
	}
	r.report(d)
	w.Text = text
	return w
}

// bare is a word as clean reads it.
func (r *reader) bare(word string) string {
	if r.literal || ascii(word) || !utf8.ValidString(word) {
		return word
	}
	return bareWord(word)
}

// bareWord is a word without typographic quotes and invisible characters.
func bareWord(word string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		switch {
		case strings.ContainsRune(wideBlanks, c):
			return ' '
		case isQuote(c) || strings.ContainsRune(invisible, c):
			return -1
		}
		return c
	}, word))
}

func isQuote(c rune) bool { return strings.ContainsRune(quotes, c) }

// quotedWord reports whether the typographic quotes of a word are one pair around the whole word.
func quotedWord(word string) bool {
	first, n := utf8.DecodeRuneInString(word)
	last, m := utf8.DecodeLastRuneInString(word)
	return len(word) > n+m && isQuote(first) && isQuote(last) && strings.IndexFunc(word[n:len(word)-m], isQuote) < 0
}

// partner returns the index of the following word with the typographic quote that closes the one at the start of the
// next word; 0: none, or not certain.
func (r *reader) partner(w grammar.Word) int {
	first, n := utf8.DecodeRuneInString(w.Text)
	if len(r.rest) == 0 || r.rest[0].Span != w.Span || !isQuote(first) || strings.IndexFunc(w.Text[n:], isQuote) >= 0 {
		return 0
	}
	for i, next := range r.rest[1:] {
		at := strings.IndexFunc(next.Text, isQuote)
		last, m := utf8.DecodeLastRuneInString(next.Text)
		switch {
		case next.Span.Source != w.Span.Source || next.Span.Text() != next.Text:
			return 0
		case at >= 0 && isQuote(last) && at == len(next.Text)-m:
			return i + 1
		case at >= 0:
			return 0
		}
	}
	return 0
}

// quotedWords is the finding about several words between typographic quotes; keepalived takes each quote for a part of
// its word.
func (r *reader) quotedWords(first, last grammar.Word) diag.Diagnostic {
	at := first.Span.To(last.Span)
	_, n := utf8.DecodeRuneInString(first.Text)
	_, m := utf8.DecodeLastRuneInString(last.Text)
	opening, closing := at.Source.Span(int(at.Start), int(at.Start)+n), at.Source.Span(int(at.End)-m, int(at.End))
	return diag.Diagnostic{
		Rule: "typographic-quote", Severity: diag.Error, Span: at,
		Message: fmt.Sprintf("%s has typographic quotes", r.key.Word),
		Label:   `only " quotes: each mark is a part of its word`,
		Fixes:   []diag.Fix{{Title: `write "`, Edits: []diag.Edit{{Span: opening, Text: `"`}, {Span: closing, Text: `"`}}}},
	}
}

// placeholder is text to be replaced by a value: <NIC>, __NIC__, %NIC% and @NIC@.
var placeholder = regexp.MustCompile(`^(<-*[A-Za-z][\w-]*>|__[A-Z][A-Z0-9_]*__|%[A-Z][A-Z0-9_]*%|@[A-Z][A-Z0-9_]*@)$`)

// unfilledValue reports a placeholder without a value. The text does not say what to write there. A pattern may look
// like a placeholder.
func (r *reader) unfilledValue(w grammar.Word) {
	if r.quotes || r.key == nil || r.key.Word == "regex" || !placeholder.MatchString(w.Text) || w.Span.Text() != w.Text {
		return
	}
	r.report(diag.Diagnostic{
		Rule: "unfilled-template", Severity: diag.Error, Message: "a template is not filled in",
		Span: w.Span, Label: "means nothing to keepalived",
		Help: "write the value", Plural: grammar.Templates, Spoils: []diag.Spoil{grammar.PastTemplate(w.Span)},
	})
}

// strays removes invalid characters from a word, without reporting the rest.
func strays(at source.Span) (edits []diag.Edit) {
	for i, c := range at.Text() {
		from := int(at.Start) + i
		e := diag.Edit{Span: at.Source.Span(from, from+utf8.RuneLen(c))}
		switch {
		case strings.ContainsRune(wideBlanks, c):
			e.Text = " "
		case !isQuote(c) && !strings.ContainsRune(invisible, c):
			continue
		}
		edits = append(edits, e)
	}
	return edits
}

const (
	quotes     = "“”„‟‘’‚‛«»"
	invisible  = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
	wideBlanks = "\u00a0\u3000" // not blanks to the reference
)

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// leftover reports a line that got into the file by accident: from a merge, an editor or a terminal.
func (r *reader) leftover(s *grammar.Stmt) bool {
	word := s.Keyword()
	d := diag.Diagnostic{Severity: diag.Error, Span: s.Span(), Fixes: []diag.Fix{remove(s)}}
	switch {
	case r.conflict && (strings.HasPrefix(word, "=======") || strings.HasPrefix(word, "|||||||") || strings.HasPrefix(word, ">>>>>>>")):
		r.conflict = word[0] != '>'
		n := len(r.found.List) - 1
		for n >= 0 && r.found.List[n].Rule != "merge-conflict" {
			n--
		}
		if n >= 0 {
			r.found.List[n].Notes = append(r.found.List[n].Notes, diag.Note{Message: "another mark of it", Span: s.Span()})
		}
		return true
	case strings.HasPrefix(word, "<<<<<<<"), strings.HasPrefix(word, ">>>>>>>"), strings.HasPrefix(word, "======="), strings.HasPrefix(word, "|||||||"):
		r.conflict = word[0] == '<'
		d.Rule, d.Message, d.Label = "merge-conflict", "a merge left its mark here", "choose one of the two sides"
		d.Fixes = nil
	case strings.HasPrefix(word, "```"), word == "cat" && slices.ContainsFunc(s.Args(), func(w grammar.Word) bool { return strings.HasPrefix(w.Text, "<<") }):
		d.Rule, d.Message, d.Label = "pasted-text", fmt.Sprintf("%q belongs to the text around the file", short(word)), "delete the line"
	case (word == "+" || word == "-") && len(s.Words) > 1 && s.Span().Position().Col == 1:
		d.Rule, d.Message, d.Label = "pasted-text", "the line comes from a patch", "apply the patch, or delete the sign"
		d.Fixes = nil
	case editorCommand.MatchString(word) && len(s.Words) == 1:
		d.Rule, d.Message, d.Label = "pasted-text", fmt.Sprintf("%q belongs to an editor or a shell", short(word)), "delete the line"
	case word == "---" && s.Block == nil, word == "..." && len(s.Words) == 1, strings.HasPrefix(s.Words[len(s.Words)-1].Text, "<<"):
		d.Rule, d.Message, d.Label = "pasted-text", fmt.Sprintf("%q is not for keepalived", short(s.String())), "delete the line"
	case prompt.MatchString(word):
		d.Rule, d.Message, d.Label = "pasted-text", "the line comes from a terminal", "a prompt"
	default:
		return false
	}
	r.report(d)
	return true
}

var (
	editorCommand = regexp.MustCompile(`^(:(wq?|q|x)!?|~|EOF|\^[A-Z])$`)
	prompt        = regexp.MustCompile(`^(\[?[\w.-]+@[\w.-]+[:\]~].*|>>>|[\w.-]+[>#]|\$)$`)
)
