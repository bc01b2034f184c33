package report

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"keepc/compiler/schema"
	"keepc/grammar/source"
)

// An Excerpt is a line of a file as it is shown: tabs expanded to 8, secrets hidden, cut when it is long. Start and Width
// say what a finding points at, in columns from 0.
type Excerpt struct {
	Line  int    `json:"line"`
	Text  string `json:"text"`
	Start int    `json:"start"`
	Width int    `json:"width"`
}

const (
	hidden  = "(hidden)" // stands where a secret stands
	tabStop = 8
	before  = 40 // columns of a long line that are shown before the place
	longest = 160
	nearby  = 4096 // bytes of a line on either side of the place that are looked at
)

// A part is a range of bytes of a line.
type part struct{ from, to int }

// excerpt shows the line in which a span starts.
func (f File) excerpt(at source.Span) *Excerpt {
	if at.IsZero() {
		return nil
	}
	text := at.Source.Text
	begin := max(0, int(at.Start)-nearby)
	begin += bytes.LastIndexByte(text[begin:at.Start], '\n') + 1
	line := text[begin:min(len(text), int(at.Start)+nearby)]
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	line = bytes.TrimRight(line, "\r")
	secrets := secretParts(string(line))
	for _, s := range f.Secrets {
		if s.Source.Same(at.Source) && int(s.Start) >= begin && int(s.Start) < begin+len(line) {
			secrets = append(secrets, part{int(s.Start) - begin, int(s.End) - begin})
		}
	}
	e := render(line, part{int(at.Start) - begin, int(at.End) - begin}, secrets)
	e.Line = at.Position().Line
	return &e
}

// render makes a line fit to be shown.
func render(line []byte, at part, secrets []part) Excerpt {
	var b strings.Builder
	column, start, end := 0, -1, -1
	for i := 0; i < len(line); {
		inside := func(p part) bool { return p.from <= i && i < p.to }
		shown, n := glyph(line[i:], column)
		for _, p := range secrets {
			if inside(p) {
				shown, n = hidden, p.to-i
			}
		}
		if start < 0 && i+n > at.from {
			start = column
		}
		b.WriteString(shown)
		column += utf8.RuneCountInString(shown)
		i += n
		if start >= 0 && end < 0 && i >= at.to {
			end = column
		}
	}
	if start < 0 { // behind the last character
		start, end = column, column
	}
	if end < 0 {
		end = column
	}
	e := Excerpt{Text: b.String(), Start: start, Width: max(1, end-start)}
	if column > longest {
		e.cut()
	}
	return e
}

// glyph returns how the first character of the text is shown in a column, and how many bytes it has.
func glyph(text []byte, column int) (shown string, n int) {
	c, n := utf8.DecodeRune(text)
	switch {
	case c == '\t':
		return strings.Repeat(" ", tabStop-column%tabStop), n
	case c == utf8.RuneError || !unicode.IsPrint(c):
		return "?", n
	}
	return string(c), n
}

// cut leaves of a long line what stands around the place.
func (e *Excerpt) cut() {
	text := []rune(e.Text)
	from := max(0, e.Start-before)
	to := min(len(text), from+longest)
	e.Text, e.Start = string(text[from:to]), e.Start-from
	if from > 0 {
		e.Text, e.Start = "..."+e.Text, e.Start+3
	}
	if to < len(text) {
		e.Text += "..."
	}
	e.Width = min(e.Width, longest-before)
}

// Hide returns a line without its secrets.
func Hide(line string) string {
	parts := secretParts(line)
	for i := len(parts) - 1; i >= 0; i-- {
		line = line[:parts[i].from] + hidden + line[parts[i].to:]
	}
	return line
}

// secretParts finds what must not be shown in a line, by its words alone: it also serves lines that nobody could read. It
// hides too much rather than too little.
func secretParts(line string) (parts []part) {
	for at := 0; at < len(line); {
		end := len(line)
		if n := strings.IndexAny(line[at:], "{}"); n >= 0 {
			end = at + n
		}
		if word, value := firstWord(line[at:end]); value > 0 && schema.Secretive(word) {
			text := strings.TrimRight(line[at+value:end], " \t")
			parts = append(parts, part{at + value, at + value + len(text)})
		}
		at = end + 1
	}
	return parts
}

// firstWord returns the first word of a line, behind a condition (@id), and where its value starts; 0: there is none.
func firstWord(line string) (word string, value int) {
	rest := strings.TrimLeft(line, " \t")
	if strings.HasPrefix(rest, "@") {
		_, rest, _ = strings.Cut(rest, " ")
		rest = strings.TrimLeft(rest, " \t")
	}
	n := strings.IndexAny(rest, " \t=")
	if n < 0 {
		return rest, 0
	}
	value = len(line) - len(strings.TrimLeft(rest[n:], " \t="))
	if value == len(line) {
		value = 0
	}
	return rest[:n], value
}
