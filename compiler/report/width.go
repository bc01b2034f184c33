package report

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// Columns returns the width of a text on a terminal: two columns for each wide East Asian character, none for a
// combining one. It ignores the locale: the same findings give the same screen everywhere.
func Columns(text string) int { return new(runewidth.Condition).StringWidth(text) }

// Padded returns a text followed by blanks, at least n columns wide.
func Padded(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-Columns(text)))
}
