package lint

import (
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// nameRules are about the names of blocks.
func nameRules() []Rule {
	return []Rule{
		{
			Name: "undefined-name", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) { p.undefined() },
		},
		{
			Name: "duplicate-name", Severity: diag.Error, Loss: diag.DropsBlock,
			Check: func(p *pass) {
				type block struct{ kind, name string }
				first := map[block]source.Span{}
				for _, d := range p.definitions() {
					b := block{d.kind, d.name}
					if at, taken := first[b]; taken && d.name != "" && d.kind != "vrrp_instance" {
						p.report(d.at, "a second "+d.kind+" is called "+d.name, "the first one is used").Notes = note(at, "the first one")
						continue
					}
					first[b] = d.at
				}
			},
		},
		{
			Name: "unused-group", Severity: diag.Info,
			Check: func(p *pass) {
				used := map[string]bool{}
				for _, s := range p.file.Stmts {
					if w := s.Words; w[0].Text == "virtual_server" && len(w) > 2 && w[1].Text == "group" {
						used[w[2].Text] = true
					}
				}
				for _, g := range p.Groups {
					if !used[g.Name] {
						p.report(g.Span(), "no virtual_server uses the group "+g.Name, "without effect")
					}
				}
			},
		},
	}
}
