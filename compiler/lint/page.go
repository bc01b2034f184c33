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
	Bad   string // a file with this mistake and no other; lines that begin with @lb1 or @lb2 are for that director alone
	Good  string // the same file without it
	// BadSettings and GoodSettings are a .keepc.conf beside each, where the rule is about that.
	BadSettings, GoodSettings string
}

// Page returns the page of a rule. It parses the file at each call: only what explains rules asks. The page of a rule that has no file is
// empty; a test holds that every rule has one.
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
