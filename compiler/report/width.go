package report

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// columns returns how many columns a terminal shows a text in: two for each wide character of the east, none for one that combines. It
// does not ask for the locale: the same findings are the same screen everywhere.
func columns(text string) int { return new(runewidth.Condition).StringWidth(text) }

// padded is a text with blanks behind it, so many columns wide at least.
func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-columns(text)))
}
