package lint

import (
	"bytes"

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
	}
}

// blank reports whether a text holds nothing but comments.
func blank(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && line[0] != '!' {
			return false
		}
	}
	return true
}
