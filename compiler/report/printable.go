package report

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable is a text on one line, without what a terminal or the log of a job could take for commands.
func Printable(text string) string { return printable(text) }

func printable(text string) string {
	return disarm(strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, text))
}

// PrintableLine is a line of a file, with its end, without what a terminal or the log of a job could take for commands. All else is as it is:
// blanks of any kind, and bytes that are no UTF-8.
func PrintableLine(line string) string {
	text := strings.TrimRight(line, "\r\n")
	end := line[len(text):]
	var b strings.Builder
	for len(text) > 0 {
		c, n := utf8.DecodeRuneInString(text)
		switch broken := c == utf8.RuneError && n == 1; {
		case broken && text[0] < 0xa0, c != '\t' && unicode.IsControl(c), unicode.Is(unicode.Bidi_Control, c), c == '\u2028', c == '\u2029':
			b.WriteByte('?')
		default:
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return disarm(b.String()) + end
}

// jobCommand finds what the log of a job takes for a command of its own: with GitHub "::error::" and its like where a line begins, in any case
// and behind any blanks of Unicode, and with it and Azure "##[error]" and "##vso[" anywhere. Any word may become a command; an address is none.
var jobCommand = regexp.MustCompile(`^([\s\v\p{Z}\x{85}]*):(:[0-9A-Fa-f]*(?:[G-Zg-z_-]|[^\x00-\x7f]))|#(#(?:vso)?\[)`)

// disarm returns a line that no log takes for a command. It is as long as before.
func disarm(line string) string {
	if !strings.Contains(line, "::") && !strings.Contains(line, "##") {
		return line
	}
	return jobCommand.ReplaceAllString(line, "${1}?${2}${3}")
}
