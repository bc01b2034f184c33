package lint

import (
	"bytes"

	"keepc/compiler/schema"
	"keepc/grammar/diag"
)

func fileRules() []Rule {
	return []Rule{
		{
			Name: "empty-file", Severity: diag.Warning,
			Title: "The file configures nothing.",
			Text:  "keepalived starts with such a file and does nothing. More often the file was cut, or is another one than was meant.",
			Bad:   "# nothing here\n",
			Good:  "global_defs {\n    router_id lb1\n}\n",
			Check: func(p *pass) {
				if len(p.file.Stmts) == 0 && p.file.Source != nil && blank(p.file.Source.Text) {
					p.report(p.file.Source.Span(0, 0), "the file configures nothing", "")
				}
			},
		},
		{
			Name: "bad-ignore", Severity: diag.Warning,
			Title: "A comment for keepc lacks its rule or its reason.",
			Text: "\"# keepc: ignore RULE why\" silences a rule for its line, or alone on a line for the next line and its block; " +
				"\"# keepc: ignore-file RULE why\" does for the whole file. The reason is for those who read the file later.",
			Bad:  instanceText("    priority 100 # keepc: ignore extra-words\n"),
			Good: instanceText("    priority 100 150 # keepc: ignore extra-words 150 is for later\n"),
		},
		{
			Name: "unused-ignore", Severity: diag.Warning,
			Title: "A comment silences a rule that finds nothing there.",
			Text:  "What it was for is repaired, or it stands in the wrong place.",
			Bad:   instanceText("    priority 100 # keepc: ignore extra-words 150 is for later\n"),
			Good:  instanceText("    priority 100\n"),
		},
		{
			Name: "global-defs-order", Severity: diag.Warning,
			Title: "global_defs stands behind an instance that takes values from it.",
			Text: "At the start keepalived reads global_defs before everything else, wherever it stands. At a reload it reads the file from " +
				"top to bottom, and an instance takes the defaults that are known when its block opens: a reload of the unchanged " +
				"file takes back what vrrp_garp_*, vrrp_down_timer_adverts and vrrp_skip_check_adv_addr say.",
			Bad:  instanceText("") + "global_defs {\n    vrrp_garp_master_delay 7\n}\n",
			Good: "global_defs {\n    vrrp_garp_master_delay 7\n}\n" + instanceText(""),
			Check: func(p *pass) {
				if len(p.Instances) == 0 {
					return
				}
				first, behind := p.Instances[0].Span(), false
				for _, s := range p.file.Stmts {
					behind = behind || s == p.Instances[0].Stmt
					if s.Keyword() != "global_defs" || s.Block == nil || !behind {
						continue
					}
					for _, t := range s.Block.Stmts {
						if schema.Copied(t.Keyword()) {
							d := p.report(t.Span(), t.Keyword()+" is lost at a reload", "instances above do not see it then")
							d.Notes = note(first, "this instance is read before")
							d.Help = "put global_defs at the top of the file"
						}
					}
				}
			},
		},
	}
}

// blank tells whether a text holds nothing but comments.
func blank(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && line[0] != '!' {
			return false
		}
	}
	return true
}

// instanceText is a vrrp_instance without a mistake, with some more lines, for Bad and Good.
func instanceText(more string) string {
	return "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n" + more +
		"    virtual_ipaddress {\n        192.0.2.10/24\n    }\n}\n"
}

// serviceText is a virtual_server without a mistake, with some more lines, for Bad and Good.
func serviceText(more string) string {
	return "virtual_server 192.0.2.10 80 {\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n" + more +
		"    real_server 192.0.2.21 80 {\n        TCP_CHECK {\n        }\n    }\n}\n"
}
