package lint

import (
	"embed"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// pages holds rules/NAME.txtar for each rule: its title, an empty line, its text, and the examples as files "bad" and "good",
// with "bad .keepc.conf" and "good .keepc.conf" beside them where the rule is about that.
//
//go:embed rules/*.txtar
var pages embed.FS

// A Page explains a rule to people.
type Page struct {
	Title string // one sentence
	Text  string // why it matters, and what keepalived does
	Bad   string // a file with only this mistake; lines that begin with @lb1 or @lb2 are only for that director
	Good  string // the same file without the mistake
	// BadSettings and GoodSettings are the .keepc.conf of each, for rules about the settings.
	BadSettings, GoodSettings string
}

// Page returns the page of a rule. It parses the file on each call, because only what explains rules needs it. A rule
// without a file has an empty page; a test checks that every rule has a file.
func (r Rule) Page() Page {
	text, err := pages.ReadFile("rules/" + r.Name + ".txtar")
	if err != nil {
		return Page{}
	}
	a := txtar.Parse(text)
	title, rest, _ := strings.Cut(string(a.Comment), "\n\n")
	p := Page{Title: title, Text: strings.Join(strings.Fields(rest), " ")}
	for _, f := range a.Files {
		switch f.Name {
		case "bad":
			p.Bad = string(f.Data)
		case "good":
			p.Good = string(f.Data)
		case "bad .keepc.conf":
			p.BadSettings = string(f.Data)
		case "good .keepc.conf":
			p.GoodSettings = string(f.Data)
		}
	}
	return p
}
