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
			Title: "A name is used that nothing in the file has.",
			Text:  "keepalived reports it and goes on without the tracker, member, group or sync daemon; of a track_group and its members it says nothing.",
			Bad:   instanceText("    track_script {\n        web\n    }\n"),
			Good:  scriptText + instanceText("    track_script {\n        web\n    }\n"),
			Check: func(p *pass) { p.undefined() },
		},
		{
			Name: "duplicate-name", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "Two blocks of a kind have one name.",
			Text: "What names the block means one of them. keepalived skips a second vrrp_sync_group or bfd_instance; of other blocks it keeps " +
				"both, uses the first, and says nothing.",
			Bad:  "virtual_server_group web {\n    192.0.2.10 80\n}\nvirtual_server_group web {\n    192.0.2.11 80\n}\n" + grouped,
			Good: "virtual_server_group web {\n    192.0.2.10 80\n    192.0.2.11 80\n}\n" + grouped,
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
			Title: "No virtual server is of a virtual_server_group.",
			Text:  "It has no effect: the addresses of a group are those of the virtual_server that names it.",
			Bad:   "virtual_server_group web {\n    192.0.2.10 80\n}\n",
			Good:  "virtual_server_group web {\n    192.0.2.10 80\n}\n" + grouped,
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

// grouped is a virtual_server of the group web.
const grouped = "virtual_server group web {\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n    real_server 192.0.2.21 80 {\n        TCP_CHECK {\n        }\n    }\n}\n"
