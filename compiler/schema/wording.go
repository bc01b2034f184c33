package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// quote returns a word of the file as messages show it: short, printable, and hidden if it is a secret.
func (r *reader) quote(w grammar.Word) string {
	if r.key != nil && r.key.Secret && !(r.key.Word == "key" && IsKeyNumber(w.Text)) {
		return hidden
	}
	return strconv.Quote(r.text(w))
}

const hidden = "(hidden)" // shown in place of a secret

// text returns a word as it is shown.
func (r *reader) text(w grammar.Word) string {
	if slices.Contains(r.secrets, w.Span) && !w.Span.IsZero() {
		return hidden
	}
	return short(w.Text)
}

// show is quote without the quotation marks, for numbers.
func (r *reader) show(w grammar.Word) string {
	q := r.quote(w)
	return strings.TrimSuffix(strings.TrimPrefix(q, `"`), `"`)
}

func (r *reader) quoteAll(words []grammar.Word) string {
	texts := make([]string, 0, len(words))
	for _, w := range words {
		if texts = append(texts, r.text(w)); texts[len(texts)-1] == hidden {
			break
		}
		if len(texts) == 8 {
			break
		}
	}
	return r.quote(grammar.Word{Text: strings.Join(texts, " ")})
}

// short cuts a text that would fill the screen.
func short(s string) string {
	const limit = 60
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

func replace(at source.Span, text string) diag.Fix {
	return diag.Fix{Title: fmt.Sprintf("write %q", text), Edits: []diag.Edit{{Span: at, Text: text}}}
}

// remove deletes a statement without a block, and its whole line if nothing else is on it.
func remove(s *grammar.Stmt) diag.Fix {
	at := s.Span()
	if !at.IsZero() {
		text, start, end := at.Source.Text, int(at.Start), int(at.End)
		for start > 0 && isBlank(text[start-1]) {
			start--
		}
		for end < len(text) && isBlank(text[end]) {
			end++
		}
		if (start == 0 || text[start-1] == '\n') && (end == len(text) || text[end] == '\n') {
			at = at.Source.Span(start, min(end+1, len(text)))
		}
	}
	return diag.Fix{Title: "delete the line", Edits: []diag.Edit{{Span: at}}}
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' }

// article puts "a" or "an" before a noun.
func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

func or(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
