package report

import "fmt"

// Colors reports whether output is coloured. Colour adds nothing but SGR codes.
type Colors bool

// SGR codes of what is coloured.
const (
	bold   = "1"
	dim    = "2"
	red    = "1;31"
	green  = "32"
	yellow = "1;33"
	cyan   = "36"
)

func (c Colors) paint(code, text string) string {
	if !c || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Mark colours a line of a plan by its mark: additions are green, removals red, changes yellow.
func (c Colors) Mark(mark, text string) string {
	switch mark {
	case "+":
		return c.paint(green, text)
	case "-":
		return c.paint("31", text)
	case "~", "-/+", "!":
		return c.paint("33", text)
	case "#":
		return c.paint(bold, text)
	case ".":
		return c.paint(dim, text)
	}
	return text
}

func (c Colors) severity(s string) string { return c.paint(severityCode(s), s) }

func severityCode(s string) string {
	switch s {
	case "error":
		return red
	case "warning":
		return yellow
	}
	return cyan
}

// Count returns a number with its noun: "1 error", "2 errors".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
