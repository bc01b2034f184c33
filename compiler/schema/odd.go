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

// clean returns a word as it was meant: without the marks of word processors and characters that nobody sees, which it
// reports.
func (r *reader) clean(w grammar.Word) grammar.Word {
	if ascii(w.Text) || !utf8.ValidString(w.Text) {
		return w
	}
	text := strings.TrimSpace(strings.Map(func(c rune) rune {
		switch {
		case strings.ContainsRune(wideBlanks, c):
			return ' '
		case strings.ContainsRune(quotes, c) || strings.ContainsRune(invisible, c):
			return -1
		}
		return c
	}, w.Text))
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
	if text != "" && w.Span.Text() == w.Text {
		d.Fixes = []diag.Fix{replace(w.Span, text)}
		if r.quote(w) == hidden || r.text(w) == hidden {
			d.Fixes = []diag.Fix{{Title: "delete what does not belong", Edits: strays(w.Span)}}
		}
	}
	r.report(d)
	w.Text = text
	return w
}

// strays takes the characters that do not belong out of a word, without a word of the rest.
func strays(at source.Span) (edits []diag.Edit) {
	for i, c := range at.Text() {
		from := int(at.Start) + i
		e := diag.Edit{Span: at.Source.Span(from, from+utf8.RuneLen(c))}
		switch {
		case strings.ContainsRune(wideBlanks, c):
			e.Text = " "
		case !strings.ContainsRune(quotes, c) && !strings.ContainsRune(invisible, c):
			continue
		}
		edits = append(edits, e)
	}
	return edits
}

const (
	quotes     = "“”„‟‘’‚‛«»"
	invisible  = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
	wideBlanks = "\u00a0\u3000" // no blanks to the reference
)

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// leftover reports a line that came into the file by accident: from a merge, an editor or a terminal.
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
