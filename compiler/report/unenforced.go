package report

import (
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar/source"
)

// Unenforced says which parts of a file keepc does not enforce yet: a line for each reason, with the first place, the
// keywords, and whether run refuses the file. "lb01.conf:3:2: global_defs.smtp_server and vrrp_instance.smtp_alert are
// not enforced yet: no mail is sent".
func Unenforced(all []ir.Unenforced) (lines []string) {
	type reason struct {
		why, verdict string
		refused      bool
	}
	type group struct {
		at       source.Span
		keywords []string
	}
	var order []reason
	groups := map[reason]*group{}
	for _, u := range all {
		r := reason{u.Why, u.Verdict(), u.Refused}
		if groups[r] == nil {
			groups[r] = &group{at: u.At}
			order = append(order, r)
		}
		groups[r].keywords = append(groups[r].keywords, u.Keyword)
	}
	for _, r := range order {
		g, verb := groups[r], " is"
		text := g.keywords[0]
		if n := len(g.keywords) - 1; n > 0 {
			text, verb = strings.Join(g.keywords[:n], ", ")+" and "+g.keywords[n], " are"
		}
		text += verb + " " + r.verdict + ": " + r.why
		if r.refused {
			text += "; run refuses the file"
		}
		lines = append(lines, g.at.String()+": "+text)
	}
	return lines
}
