package grammar

import "strings"

// A kind is the kind of a token.
type kind uint8

// The scanner makes every kind except the last two, which balance.go makes.
const (
	blank   kind = iota // white space
	word                // word
	quoted              // "some words"
	torn                // "a quote without its partner
	opening             // {
	closing             // }
	remark              // # or ! and the rest of the line
	words               // all words of a statement
	end                 // the end of the text
)

// A scanner splits one line into tokens. It is lossless: the tokens of a line, joined, are the line. The line has no
// newline, since words, quotes and comments never continue after it.
type scanner struct {
	text string
	pos  int
	// cut is where the comment starts if a backslash makes that hard to see, otherwise -1.
	cut int
	// odd reports whether the search for the comment met an odd number of quotes.
	odd bool
	// hole is where the first template of the last word with one starts, otherwise -1.
	hole int
	// literal means that braces are never part of an unquoted word.
	literal bool
}

func newScanner(text string) scanner {
	if strings.IndexByte(text, '\\') < 0 {
		return scanner{text: text, cut: -1, hole: -1}
	}
	cut, odd := commentStart(text)
	return scanner{text: text, cut: cut, odd: odd, hole: -1}
}

// commentStart returns where the comment of a line starts, or its length, and whether a quote is open there.
//
// The reference strips comments before it looks for words, by separate rules: here a backslash hides the next byte,
// even a quote, from the search. It tries to let \# and \! through as well, but strips every line twice, so that these
// start a comment after all, and the backslash is lost.
func commentStart(text string) (at int, inQuote bool) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inQuote = !inQuote
		case c == '\\' && i+1 < len(text):
			if next := text[i+1]; !inQuote && (next == '#' || next == '!') {
				return i, inQuote
			}
			i++
		case (c == '#' || c == '!') && !inQuote:
			return i, inQuote
		}
	}
	return len(text), inQuote
}

// next returns the kind of the next token, which is text[start:pos] afterwards; false at the end of the line.
func (s *scanner) next() (k kind, start int, ok bool) {
	start = s.pos
	if start == len(s.text) {
		return 0, start, false
	}
	if start == s.cut {
		s.pos = len(s.text)
		return remark, start, true
	}
	switch c := s.text[start]; {
	case classes[c] == 0: // most tokens
	case isBlank(c):
		s.blanks()
		return blank, start, true
	case c == '{' && (s.literal || templateEnd(s.text[start:s.limit()]) == 0):
		s.pos++
		return opening, start, true
	case c == '}':
		s.pos++
		return closing, start, true
	case c == '"':
		return s.quote(), start, true
	case (c == '#' || c == '!') && s.cut < 0:
		s.pos = len(s.text)
		return remark, start, true
	}
	s.word()
	return word, start, true
}

// limit is where the words of the line end at the latest.
func (s *scanner) limit() int {
	if s.cut < 0 {
		return len(s.text)
	}
	return s.cut
}

// blanks moves past white space.
func (s *scanner) blanks() {
	text, i := s.text[:s.limit()], s.pos
	for i < len(text) && classes[text[i]]&isWhite != 0 {
		i++
	}
	s.pos = i
}

// word moves past an unquoted word.
func (s *scanner) word() {
	text, i := s.text[:s.limit()], s.pos
	for {
		for i < len(text) && classes[text[i]]&endsWord == 0 {
			i++
		}
		if i == len(text) {
			break
		}
		c := text[i]
		if s.cut >= 0 && (c == '#' || c == '!') {
			i++
			continue
		}
		goesOn := i
		if !s.literal && (c == '{' || c == ' ' && i > s.pos && (text[i-1] == '=' || text[i-1] == '%' || text[i-1] == '-')) {
			goesOn = s.within(text, i)
		}
		if goesOn == i {
			break
		}
		i = goesOn
	}
	s.pos = i
}

// within returns where the word continues after a brace or blank that is part of it, otherwise the position of that:
// the braces of ${NAME} are part of it, and a template with its blanks is.
func (s *scanner) within(text string, i int) int {
	from := i
	switch {
	case text[i] == ' ':
		from = s.pos + max(0, strings.LastIndex(text[s.pos:i], "<%"))
	case i > 0 && text[i-1] == '$':
		if n := referenceEnd(text[i:]); n > 0 {
			return i + n
		}
		if n := shellEnd(text[i:]); n > 0 {
			s.note(i - 1)
			return i + n
		}
	}
	if n := templateEnd(text[from:]); from+n > i {
		s.note(from)
		return from + n
	}
	return i
}

// note records the first template of a word.
func (s *scanner) note(hole int) {
	if s.hole < s.pos {
		s.hole = hole
	}
}

// quote moves past a quoted word. There are no escapes between quotes. A quote without a partner takes the rest of the
// line, except for a brace at the end, which most likely opens a block.
func (s *scanner) quote() kind {
	rest := s.text[s.pos+1 : s.limit()]
	if n := strings.IndexByte(rest, '"'); n >= 0 {
		s.pos += 1 + n + 1
		return quoted
	}
	if head, ok := strings.CutSuffix(strings.TrimRight(rest, blanks), "{"); ok {
		rest = head
	}
	s.pos += 1 + len(strings.TrimRight(rest, blanks))
	return torn
}

// unquote returns the text of a word token without quotes.
func unquote(k kind, raw string) string {
	switch k {
	case quoted:
		return raw[1 : len(raw)-1]
	case torn:
		return raw[1:]
	}
	return raw
}

// referenceEnd returns the length of the {NAME} or {NAME parameters} that text starts with, or 0.
func referenceEnd(text string) int {
	n := strings.IndexByte(text, '}')
	if n < 2 || !isNameStart(text[1]) {
		return 0
	}
	for _, c := range []byte(text[2:n]) {
		if !isName(c) && c != ' ' && c != '-' {
			return 0
		}
	}
	return n + 1
}

// shellEnd returns the length of the {NAME:-value} or {name.of.another} that text starts with, or 0: shells and other
// programs allow more in the braces after a $ than is allowed here.
func shellEnd(text string) int {
	n := strings.IndexAny(text[1:], "}{ \t\"#")
	if n < 1 || text[1+n] != '}' || !isNameStart(text[1]) {
		return 0
	}
	return n + 2
}

// maxTemplate is the maximum length of a template in bytes.
const maxTemplate = 256

// templateEnd returns the length of the {{ name }}, {% word %} or <% word %> that text starts with, or 0. It is for
// another program, which should have put a value there.
func templateEnd(text string) int {
	if len(text) < 2 || text[0] != '{' && text[0] != '<' {
		return 0
	}
	var closer string
	switch text[:2] {
	case "{{":
		closer = "}}"
	case "{%":
		closer = "%}"
	case "<%":
		closer = "%>"
	case "{#":
		closer = "#}"
	default:
		return 0
	}
	text = text[:min(len(text), 2+maxTemplate)]
	if n := halfTemplate(text); n > 0 {
		return n
	}
	inner, _, closed := strings.Cut(text[2:], closer)
	if !closed || strings.TrimLeft(inner, blanks) == "" || strings.IndexByte(inner, '#') >= 0 && closer != "#}" {
		return 0
	}
	return 2 + len(inner) + 2
}

// halfTemplate returns the length of the {{ name } that text starts with, or 0: a broken template.
func halfTemplate(text string) int {
	n := strings.IndexByte(text, '}')
	if n < 2 || text[:2] != "{{" || strings.HasPrefix(text[n+1:], "}") {
		return 0
	}
	name := strings.Trim(text[2:n], blanks)
	if name == "" || !isNameStart(name[0]) || strings.ContainsFunc(name, func(c rune) bool { return c > 'z' || !isName(byte(c)) && c != '.' }) {
		return 0
	}
	return n + 1
}

const blanks = " \t\f\r\v"

func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isNameStart(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }

func isName(c byte) bool { return isNameStart(c) || '0' <= c && c <= '9' }

// The classes of bytes.
const (
	isWhite  = 1 << iota // white space
	endsWord             // ends an unquoted word
)

var classes = func() (all [256]uint8) {
	for c := range all {
		switch {
		case isBlank(byte(c)):
			all[c] = isWhite | endsWord
		case strings.IndexByte(`"#!{}`, byte(c)) >= 0:
			all[c] = endsWord
		}
	}
	return all
}()
