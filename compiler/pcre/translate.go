package pcre

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/dlclark/regexp2"
)

// A translator rewrites a PCRE2 pattern for regexp2 with its option RE2.
type translator struct {
	in       []rune
	at       int
	end      string // the translation of $
	extended bool   // blanks are not part of the pattern, and # begins a comment
	out      strings.Builder
}

// atEnd matches the end of the text, or before a line feed that ends it.
const atEnd = `(?=\n?\z)`

// escapes are those that the two read in different ways, outside brackets and inside; empty: not supported there.
var escapes = map[rune]struct{ outside, inside string }{
	'h': {`[ \t\xA0]`, ` \t\xA0`},
	'H': {`[^ \t\xA0]`, ""},
	'v': {`[\n\x0B\f\r\x85]`, `\n\x0B\f\r\x85`},
	'V': {`[^\n\x0B\f\r\x85]`, ""},
	'N': {`[^\n]`, ""},
	'Z': {atEnd, ""},
	'R': {`(?>\r\n|[\n\x0B\f\r\x85])`, ""},
}

// alike are the escapes that both read in the same way.
const alike = "wWsSdDbBAzGnrtfeaxcpPk0123456789"

func (t *translator) left() string { return string(t.in[t.at:min(len(t.in), t.at+16)]) }

// skip writes the next n characters as they are.
func (t *translator) skip(n int) {
	t.out.WriteString(string(t.in[t.at:min(len(t.in), t.at+n)]))
	t.at = min(len(t.in), t.at+n)
}

func (t *translator) translate() (string, error) {
	for t.at < len(t.in) {
		var err error
		switch c := t.in[t.at]; {
		case c == '\\':
			err = t.escape(false)
		case c == '[':
			err = t.class()
		case c == '(':
			err = t.group()
		case c == '$':
			t.at++
			t.out.WriteString(t.end)
		case c == '#' && t.extended:
			for t.at < len(t.in) && t.in[t.at] != '\n' {
				t.at++
			}
		case strings.ContainsRune("*+?}", c) && strings.HasPrefix(t.left()[1:], "+"):
			err = unknown(string(c) + "+")
		default:
			t.skip(1)
		}
		if err != nil {
			return "", err
		}
	}
	return t.out.String(), nil
}

func unknown(what string) error { return fmt.Errorf("%s is not known here", what) }

// escape translates what follows a backslash.
func (t *translator) escape(inside bool) error {
	if t.at+1 == len(t.in) {
		t.skip(1) // an error in PCRE2, too
		return nil
	}
	c := t.in[t.at+1]
	if c == 'Q' {
		rest := string(t.in[t.at+2:])
		literal, _, _ := strings.Cut(rest, `\E`)
		t.out.WriteString(regexp2.Escape(literal))
		t.at = min(len(t.in), t.at+2+len([]rune(literal))+2)
		return nil
	}
	if e, other := escapes[c]; other {
		to := e.outside
		if inside {
			to = e.inside
		}
		if to == "" || c == 'N' && strings.HasPrefix(t.left()[2:], "{") {
			return unknown(`\` + string(c))
		}
		t.out.WriteString(to)
		t.at += 2
		return nil
	}
	if c == '_' || c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) || strings.ContainsRune(alike, c) {
		t.skip(2)
		return nil
	}
	return unknown(`\` + string(c))
}

// class translates a bracket expression.
func (t *translator) class() error {
	t.skip(1)
	if strings.HasPrefix(t.left(), "^") {
		t.skip(1)
	}
	if strings.HasPrefix(t.left(), "]") { // the bracket itself
		t.at++
		t.out.WriteString(`\]`)
	}
	for t.at < len(t.in) && t.in[t.at] != ']' {
		left := t.left()
		switch {
		case strings.HasPrefix(left, "[:"):
			end := strings.Index(left, ":]")
			if end < 0 {
				return unknown(left)
			}
			t.skip(len([]rune(left[:end])) + 2)
		case strings.HasPrefix(left, "[.") || strings.HasPrefix(left, "[="):
			return unknown(left[:2])
		case left[0] == '[': // the bracket itself; regexp2 may take it for a nested class
			t.at++
			t.out.WriteString(`\[`)
		case left[0] == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		default:
			t.skip(1)
		}
	}
	t.skip(1)
	return nil
}

// group translates the beginning of a group.
func (t *translator) group() error {
	rest, special := strings.CutPrefix(t.left(), "(?")
	if !special {
		if strings.HasPrefix(t.left(), "(*") {
			return unknown("(*")
		}
		t.skip(1)
		return nil
	}
	switch {
	case strings.HasPrefix(rest, "#"): // a comment
		for t.at < len(t.in) && t.in[t.at] != ')' {
			t.skip(1)
		}
		t.skip(1)
		return nil
	case rest == "", strings.ContainsRune(":=!><'", rune(rest[0])):
		t.skip(3)
		return nil
	case strings.HasPrefix(rest, "P<"):
		t.out.WriteString("(?<")
		t.at += 4
		return nil
	}
	flags := rest[:len(rest)-len(strings.TrimLeft(rest, "isn-"))]
	if end := rest[len(flags):]; flags != "" && (strings.HasPrefix(end, ")") || strings.HasPrefix(end, ":")) {
		t.skip(2 + len(flags) + 1)
		return nil
	}
	return unknown("(?" + rest[:1])
}
