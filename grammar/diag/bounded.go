package diag

// maxFindings is the number of findings of one severity that a Bounded keeps.
const maxFindings = 1000

// A Bounded is a List for texts that may not be configurations at all: of each severity it keeps the first thousand,
// and says that there are more. What is wrong with a text that is brought in several times, by uses of a definition or
// by includes, is one finding.
type Bounded struct {
	List  List
	count [Error + 1]int
	added int
	again int           // how many of them were about words that already have the finding
	once  map[place]int // the findings about text that may be brought in again
	lost  Diagnostic    // the last one that was not kept
}

// A place is where a rule found something, as the text is written.
type place struct {
	rule, file string
	severity   Severity
	from, to   int32
}

// Add appends a finding, if there is room. It returns the finding, whether kept or not, so that more can be added to
// it until the next one is added.
func (b *Bounded) Add(d Diagnostic) *Diagnostic {
	b.added++
	if first := b.written(d); first != nil {
		if n := len(first.More); n < maxFindings && (n == 0 || first.More[n-1] != d.Span) {
			first.More = append(first.More, d.Span)
		}
		b.again++
		b.lost = d
		return &b.lost
	}
	b.count[d.Severity]++
	switch n := b.count[d.Severity]; {
	case n <= maxFindings:
		b.List.Add(d)
		return &b.List[len(b.List)-1]
	case n == maxFindings+1:
		b.List.Add(Diagnostic{
			Rule: "too-many-findings", Severity: d.Severity, Span: d.Span,
			Message: "there are more findings than are shown",
			Label:   "the first " + d.Severity.String() + " that is left out",
		})
	}
	b.lost = d
	return &b.lost
}

// written returns the finding of the same rule about the same words, brought in by a different use; nil: there is none
// yet.
func (b *Bounded) written(d Diagnostic) *Diagnostic {
	src := d.Span.Source
	if src == nil || src.Via.IsZero() {
		return nil
	}
	p := place{d.Rule, src.Name, d.Severity, d.Span.Start, d.Span.End}
	i, known := b.once[p]
	switch {
	case known && b.List[i].Span.Source != src:
		return &b.List[i]
	case !known && b.count[d.Severity] < maxFindings:
		if b.once == nil {
			b.once = map[place]int{}
		}
		b.once[p] = len(b.List)
	}
	return nil
}

// Added returns how many findings there were, whether kept or not.
func (b *Bounded) Added() int { return b.added }

// maxAgain is how often the same text is judged again.
const maxAgain = 100 * maxFindings

// Full reports whether there is no room for findings of a severity.
func (b *Bounded) Full(s Severity) bool { return b.count[s] > maxFindings || b.again > maxAgain }
