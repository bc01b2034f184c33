package diag

// maxFindings is how many findings of one severity a Bounded keeps.
const maxFindings = 1000

// A Bounded is a List for texts that may be no configuration at all: of each severity it keeps the first thousand, and says
// that there are more.
type Bounded struct {
	List  List
	count [Error + 1]int
}

// Add appends a finding, if there is room.
func (b *Bounded) Add(d Diagnostic) {
	b.count[d.Severity]++
	switch n := b.count[d.Severity]; {
	case n <= maxFindings:
		b.List.Add(d)
	case n == maxFindings+1:
		b.List.Add(Diagnostic{
			Rule: "too-many-findings", Severity: d.Severity, Span: d.Span,
			Message: "there are more findings than are shown",
			Label:   "the first " + d.Severity.String() + " that is left out",
		})
	}
}

// Full tells whether there is no room for findings of a severity.
func (b *Bounded) Full(s Severity) bool { return b.count[s] > maxFindings }
