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
			Check: func(p *pass) {
				if len(p.file.Stmts) == 0 && p.file.Source != nil && blank(p.file.Source.Text) {
					p.report(p.file.Source.Span(0, 0), "the file configures nothing", "")
				}
			},
		},
		{Name: "bad-ignore", Severity: diag.Warning},
		{Name: "unused-ignore", Severity: diag.Warning},
		{
			Name: "global-defs-order", Severity: diag.Warning,
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
