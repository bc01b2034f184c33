package grammar

import (
	"errors"
	"fmt"
	"strings"
)

// Rest returns what follows the keyword on the line as written, including quotes and backslashes, without the comment.
// A few keywords, those of scripts and regular expressions, split it by their own rules: see SplitScript.
func (s *Stmt) Rest() string {
	if s.rest != nil {
		return *s.rest
	}
	first, last := s.Words[0].Span, s.Words[len(s.Words)-1].Span
	if first.Source != last.Source || first.IsZero() {
		return ""
	}
	return strings.TrimLeft(string(first.Source.Text[first.End:last.End]), blanks)
}

// SplitScript splits what follows a keyword that names a script. Only the first word is the command: it is split
// again, this time with escapes, into argv. The reference reads further words, user and group, after a few keywords,
// and drops them silently after the others.
func SplitScript(rest string) (argv, more []string, err error) {
	words, err := split(rest, keepEscapes)
	if err != nil || len(words) == 0 {
		return nil, nil, err
	}
	argv, err = split(words[0], resolveEscapes)
	return argv, words[1:], err
}

// SplitEscaped splits what follows the keyword regex: adjacent pieces with either kind of quote or none form one word,
// and a backslash makes a control character or removes the meaning of the next character.
func SplitEscaped(rest string) ([]string, error) { return split(rest, resolveEscapes) }

// What split does with a backslash and the character after it. In either case the character loses its meaning.
const (
	keepEscapes = iota
	resolveEscapes
)

func split(text string, escapes int) (words []string, err error) {
	var (
		current strings.Builder
		inWord  bool
		quote   byte
	)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\':
			if i+1 == len(text) {
				return nil, errors.New("backslash without a character after it")
			}
			inWord = true
			if escapes == keepEscapes {
				current.WriteString(text[i : i+2])
				i++
			} else {
				value, n := escape(text[i+1:])
				current.WriteByte(value)
				i += n
			}
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true
		case quote == 0 && isBlank(c):
			if inWord {
				words = append(words, current.String())
				current.Reset()
			}
			inWord = false
		default:
			current.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("no closing %c", quote)
	}
	if inWord {
		words = append(words, current.String())
	}
	return words, nil
}

// escape returns the character that the text after a backslash means, and the length of that text.
func escape(text string) (value byte, n int) {
	switch c := text[0]; {
	case c == 'x' && len(text) > 1 && digit(text[1]) < 16:
		for n = 1; n < len(text) && digit(text[n]) < 16; n++ {
			value = value<<4 | digit(text[n])
		}
		return value, n
	case c == 'c' && len(text) > 1:
		return text[1] & 0x1f, 2
	case digit(c) < 8:
		for ; n < min(3, len(text)) && digit(text[n]) < 8; n++ {
			value = value<<3 | digit(text[n])
		}
		return value, n
	}
	if i := strings.IndexByte("abEfnrtv", text[0]); i >= 0 {
		return "\a\b\x1b\f\n\r\t\v"[i], 1
	}
	return text[0], 1
}

// digit returns the value of a hexadecimal digit, 255 for any other byte.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}
