package report

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"keepc/grammar/source"
)

// An Excerpt is a line of a file as it is shown: tabs expanded to 8, secrets hidden, cut if it is long. Start and
// Width say what a finding points at, in columns from 0.
type Excerpt struct {
	Line  int    `json:"line"`
	Text  string `json:"text"`
	Start int    `json:"start"`
	Width int    `json:"width"`
}

const (
	hidden  = "(hidden)" // shown in place of a secret
	tabStop = 8
	before  = 40 // columns of a long line that are shown before the place
	longest = 160
	nearby  = 4096 // bytes of a line on either side of the place that are examined
)

// A part is a range of bytes of a line.
type part struct{ from, to int }

// A spot is a span, with the line in which it starts and the parts of that line that must not be shown.
type spot struct {
	at      source.Span
	line    []byte
	begin   int // where the line begins
	secrets []part
}

func (f File) spot(at source.Span) spot {
	if at.IsZero() {
		return spot{}
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
			secrets = join(secrets, part{int(s.Start) - begin, int(s.End) - begin})
		}
	}
	return spot{at, line, begin, secrets}
}

// excerpt shows the line.
func (s spot) excerpt() *Excerpt {
	if s.at.IsZero() {
		return nil
	}
	e := render(s.line, part{int(s.at.Start) - s.begin, int(s.at.End) - s.begin}, s.secrets)
	e.Line = s.at.Position().Line
	return &e
}

// join adds a part to others, or extends those that it touches.
func join(parts []part, p part) []part {
	others := parts[:0:0]
	for _, o := range parts {
		if o.from <= p.to && p.from <= o.to {
			p = part{min(o.from, p.from), max(o.to, p.to)}
		} else {
			others = append(others, o)
		}
	}
	return append(others, p)
}

// scrub removes from texts about a place what they reveal of a secret there.
func (s spot) scrub(texts ...*string) {
	for _, p := range s.secrets {
		secret := string(s.line[p.from:p.to])
		for _, t := range texts {
			parts := strings.Split(*t, `"`)
			for i := range parts {
				switch quoted := i%2 == 1; {
				case quoted && parts[i] != "" && strings.Contains(secret, parts[i]):
					parts[i] = hidden
				default:
					parts[i] = without(parts[i], secretFields(secret))
				}
			}
			*t = strings.Join(parts, `"`)
		}
	}
}

// secretFields returns the words of a secret part of a line, without those of a comment after it.
func secretFields(secret string) []string {
	words := strings.FieldsFunc(secret, func(c rune) bool { return strings.ContainsRune("\"' \t=", c) })
	if n := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w, "#!") }); n >= 0 {
		first, _, _ := strings.Cut(strings.ReplaceAll(words[n], "!", "#"), "#")
		return slices.DeleteFunc(append(words[:n:n], words[n], first), func(w string) bool { return strings.Trim(w, "#!") == "" })
	}
	return words
}

// without hides words in a text, where they are whole words.
func without(text string, words []string) string {
	for _, w := range words {
		for at := 0; ; {
			n := strings.Index(text[at:], w)
			if n < 0 {
				break
			}
			from, to := at+n, at+n+len(w)
			if at = to; letterAt(text, from-1) || letterAt(text, to) {
				continue
			}
			text, at = text[:from]+hidden+text[to:], from+len(hidden)
		}
	}
	return text
}

// letterAt reports whether a letter, a digit or _ is at a position of a text.
func letterAt(text string, at int) bool {
	if at < 0 || at >= len(text) {
		return false
	}
	c := rune(text[at])
	return c == '_' || c >= utf8.RuneSelf || unicode.IsLetter(c) || unicode.IsDigit(c)
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
		column += Columns(shown)
		i += n
		if start >= 0 && end < 0 && i >= at.to {
			end = column
		}
	}
	if start < 0 { // after the last character
		start, end = column, column
	}
	if end < 0 {
		end = column
	}
	e := Excerpt{Text: disarm(b.String()), Start: start, Width: max(1, end-start)}
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

// cut keeps the part of a long line around the place.
func (e *Excerpt) cut() {
	const dots = "..."
	all, from := Columns(e.Text), max(0, e.Start-before)
	e.Start -= from
	if from > 0 {
		e.Text, e.Start = new(runewidth.Condition).TruncateLeft(e.Text, from, dots), e.Start+len(dots)
	}
	if all > from+longest {
		e.Text = new(runewidth.Condition).Truncate(e.Text, Columns(e.Text)-(all-from-longest)+len(dots), dots)
	}
	e.Width = min(e.Width, longest-before)
}
