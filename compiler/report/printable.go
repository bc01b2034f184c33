package report

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns a text on one line, without what a terminal or the log of a job could take for commands.
func Printable(text string) string { return printable(text) }

func printable(text string) string {
	return disarm(strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, text))
}

// PrintableLine returns a line of a file, with its end, without what a terminal or the log of a job could take for
// commands. Everything else is unchanged: blanks of any kind, and bytes that are not UTF-8.
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

// jobCommand finds what the log of a job takes for a command: with GitHub "::error::" and the like at the start of a
// line, in any case and after any Unicode blanks, and with GitHub and Azure "##[error]" and "##vso[" anywhere. Any
// word may become a command; an address cannot.
var jobCommand = regexp.MustCompile(`^([\s\v\p{Z}\x{85}]*):(:[0-9A-Fa-f]*(?:[G-Zg-z_-]|[^\x00-\x7f]))|#(#(?:vso)?\[)`)

// disarm returns a line that no log takes for a command. Its length does not change.
func disarm(line string) string {
	if !strings.Contains(line, "::") && !strings.Contains(line, "##") {
		return line
	}
	return jobCommand.ReplaceAllString(line, "${1}?${2}${3}")
}
