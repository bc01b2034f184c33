package grammar

import (
	"fmt"

	"keepc/grammar/diag"
)

// A record is what a reading finds beside the statements.
type record struct {
	findings diag.List
	comments []Comment
	includes []Include
}

// maxFindings is how many findings of one reading are kept. It bounds time and memory for texts that are no configuration.
const maxFindings = 1000

func (r *record) add(d diag.Diagnostic) {
	switch {
	case len(r.findings) < maxFindings:
		r.findings.Add(d)
	case len(r.findings) == maxFindings:
		r.findings.Add(diag.Diagnostic{
			Rule: "too-many-findings", Severity: diag.Error,
			Message: fmt.Sprintf("more than %d findings; the rest is not shown", maxFindings), Span: d.Span,
		})
	}
}

// last returns the last finding if it is of the rule, else nil.
func (r *record) last(rule string) *diag.Diagnostic {
	if n := len(r.findings); n > 0 && r.findings[n-1].Rule == rule {
		return &r.findings[n-1]
	}
	return nil
}
