package grammar

import (
	"fmt"
	"slices"
	"strings"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// condition removes "@id" or "@^id" from the start of a line; false if the line is not for this host.
func (e *expander) condition(l line, continued bool) (line, bool) {
	at, negated := 1, strings.HasPrefix(l.text, "@^")
	if negated {
		at = 2
	}
	n := strings.IndexAny(l.text, " \t")
	if n < 0 {
		return line{}, false
	}
	id := l.text[at:n]
	if len(e.opts.IDs) > 0 && !slices.Contains(e.opts.IDs, id) {
		e.unknownID(l.span(at, n), id, negated)
	}
	if !e.ids[id] {
		e.ids[id] = true
		e.record.take(mentionCost, l.span(at, n))
	}
	rest := l.sub(n, len(l.text))
	rest = rest.trim()
	if (id == e.opts.ID) == negated {
		e.elsewhere(rest, continued)
		return line{}, false
	}
	if strings.HasPrefix(rest.text, "@") {
		e.report(diag.Diagnostic{
			Rule: "second-condition", Severity: diag.Error, Message: "second condition on a line",
			Span: rest.span(0, len(rest.text)), Label: "keepalived looks at one and takes this for a keyword",
		})
		return line{}, false
	}
	return rest, true
}

// elsewhere records what a line that is only for other hosts says.
func (e *expander) elsewhere(l line, continued bool) {
	e.mention(l.text)
	e.record.take(mentionCost*strings.Count(l.text, "$"), l.span(0, len(l.text)))
	if opened, closed, _ := braceCount(l.text); opened > closed {
		e.heads = append(e.heads, l.span(0, len(l.text)))
	} else if closed > opened && len(e.heads) > 0 {
		e.heads = e.heads[:len(e.heads)-1]
	}
	n := 0
	if strings.HasPrefix(l.text, "$") {
		n = nameLength(l.text[1:])
	}
	if n == 0 || !strings.HasPrefix(l.text[1+n:], "=") {
		return
	}
	at := l.span(0, 1+n)
	e.record.take(mentionCost, at)
	e.others[l.text[1:1+n]] = at
	if continued {
		e.defining = &definition{at: at} // known to nobody
		e.report(diag.Diagnostic{
			Rule: "condition-on-lines", Severity: diag.Error, Message: "condition on a definition with several lines",
			Span: at, Label: "keepalived skips the first line only, and reads the others as lines of the file",
			Help: "give each line the condition, or use a definition for each value",
		})
	}
}

// conditionOnBlock explains a brace that closes nothing by the line that would have opened its block on a different
// host.
func (e *expander) conditionOnBlock(head source.Span) {
	found := e.record.findings.List
	i := slices.IndexFunc(found, func(d diag.Diagnostic) bool {
		return d.Rule == "extra-brace" && d.Span.Source == head.Source && d.Span.Start > head.End
	})
	if i < 0 {
		return
	}
	found[i] = diag.Diagnostic{
		Rule: "condition-on-block", Severity: diag.Error, Message: "the condition takes away this line, and not the block that it opens",
		Span: head, Label: fmt.Sprintf("not for the id %q", e.opts.ID),
		Notes:  []diag.Note{{Message: "keepalived reads the lines up to here as those of what is around the block", Span: found[i].Span}},
		Help:   "write the condition before each line of the block",
		Spoils: []diag.Spoil{{Span: head.To(found[i].Span), Kinds: diag.Word | diag.Misplaced}},
	}
}

func (e *expander) unknownID(at source.Span, id string, negated bool) {
	truth := "never"
	if negated {
		truth = "always"
	}
	d := diag.Diagnostic{
		Rule: "unknown-id", Severity: diag.Warning, Message: fmt.Sprintf("no host has the id %q", id),
		Span: at, Label: fmt.Sprintf("the condition is %s true", truth),
	}
	if best, sure := diag.SuggestName(id, e.opts.IDs); sure {
		d.Help = fmt.Sprintf("did you mean %q?", best)
	}
	e.report(d)
}
