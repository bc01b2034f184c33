package grammar

import (
	"cmp"
	"fmt"
	"strings"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// A definition is the value that a $NAME= sets.
type definition struct {
	name  string
	at    source.Span // the name; zero for the variable of a sequence
	lines []line      // its value; with several lines, each becomes a line of its own where it is used
	made  bool        // the value is not in any text
	used  bool
	end   *ending // where it ended although its text continues
	may   *ending // where some versions end it
}

// define reads a line that is a definition; continued reports whether it ended in a backslash.
func (e *expander) define(l line, continued bool) bool {
	if l.text[0] != '$' {
		return false
	}
	n := nameLength(l.text[1:])
	rest := l.text[1+n:]
	value := strings.TrimLeft(rest, " \t")
	if n == 0 || !strings.HasPrefix(value, "=") {
		return e.defineMisnamed(l)
	}
	at := l.span(0, 1+n)
	if blanks := len(rest) - len(value); blanks > 0 {
		e.spacedDefinition(l, n, blanks)
	}
	d := &definition{name: l.text[1 : 1+n], at: at}
	e.record.take(definitionCost, at)
	e.defs[d.name] = d
	body := l.sub(len(l.text)-len(value)+1, len(l.text))
	if body = body.trim(); body.text != "" {
		d.lines = []line{body}
	}
	if continued {
		e.defining = d
	}
	return true
}

// defineMisnamed reads a line that would be a definition if its name were valid.
func (e *expander) defineMisnamed(l line) bool {
	n := strings.IndexAny(l.text, "= \t{\"'")
	if n < 2 || l.text[n] != '=' {
		return false
	}
	e.report(diag.Diagnostic{
		Rule: "definition-name", Severity: diag.Error, Message: fmt.Sprintf("%q cannot be the name of a definition", l.text[1:n]),
		Span: l.span(0, n), Label: "expected letters, digits and _, and no digit at the start",
		Spoils: []diag.Spoil{{Text: l.text[:n], Kinds: diag.Value}},
		Notes:  []diag.Note{{Message: "keepalived takes the line for an unknown keyword, and replaces no " + l.text[:n]}},
	})
	return true
}

// An ending is where a definition ends before the text that was meant for it.
type ending struct {
	comment bool        // a comment swallows the backslash; otherwise an empty line follows
	at      source.Span // the line whose backslash was meant to continue it
	lost    int         // later lines that were meant for it
	open    int         // the braces that these lines open and do not close
}

// extend reads a line while a definition is open; false if the line does not belong to it. A definition ends with the
// first line that does not end in a backslash. It also ends at an empty line and, since 2.4.0, with the first comment,
// which swallows the backslash; what follows was meant for it and is lost: keepalived reads it as lines of the file,
// where it means nothing. A line that opens or closes a block of the file is not lost.
func (e *expander) extend(l line, continued, commented bool) bool {
	d := e.defining
	switch {
	case d.end != nil:
		return e.lose(l, continued)
	case l.text == "" && !continued:
		d.end = &ending{at: d.last()}
		return true
	case l.text != "":
		if d.may != nil {
			e.lostLine(l, d, d.may)
			d.may = nil
		}
		e.record.take(lineCost+len(l.pieces)*wordCost, l.span(0, len(l.text)))
		d.lines = append(d.lines, l)
	}
	switch {
	case !continued:
		e.defining = nil
	case commented:
		e.commentEnds(l)
	}
	return true
}

// last is the last line of a definition so far.
func (d *definition) last() source.Span {
	if n := len(d.lines); n > 0 {
		return d.lines[n-1].span(0, len(d.lines[n-1].text))
	}
	return d.at
}

// commentEnds ends the definition at a comment, for versions that do. If the version is unknown, it reports what such
// a version would lose and reads on, as most versions do.
func (e *expander) commentEnds(l line) {
	at := l.span(0, len(l.text))
	if l.text == "" {
		at = e.defining.last()
	}
	end := &ending{comment: true, at: at}
	switch {
	case e.opts.Version == "":
		e.defining.may = cmp.Or(e.defining.may, end)
	case !Older(e.opts.Version, commentsEnd):
		e.defining.end = end
	}
}

// commentsEnd is the first version that ends a definition at a comment.
const commentsEnd = "2.4.0"

// lose reads a line after the end of a definition; false if it is a line of the file.
func (e *expander) lose(l line, continued bool) bool {
	end := e.defining.end
	if l.text == "" && !continued {
		if end.lost > 0 {
			e.defining = nil
		}
		end.comment = false
		return true
	}
	opened, closed, _ := braceCount(l.text)
	end.open += opened - closed
	if !continued && (end.open != 0 || end.lost == 0 && !end.comment) {
		if end.lost == 0 {
			e.idleBackslash(e.defining)
		}
		e.defining = nil
		return false
	}
	if l.text != "" {
		if end.lost == 0 {
			e.lostLine(l, e.defining, end)
		}
		end.lost++
	}
	if !continued {
		e.defining = nil
	}
	return true
}

// swallows reports whether the line after a gap in a definition does not belong to it: one that would end the
// definition and whose braces do not match.
func swallows(text string, continued bool) bool {
	opened, closed, _ := braceCount(text)
	return !continued && opened != closed
}

func (e *expander) cycle(d *definition, at source.Span) {
	e.report(diag.Diagnostic{
		Rule: "definition-cycle", Severity: diag.Error, Message: fmt.Sprintf("the value of $%s contains $%s", d.name, d.name),
		Span: at, Label: "keepalived hangs here for ever, also with -t",
		Notes:  []diag.Note{{Message: "defined here; a value is expanded where it is used, not where it is written", Span: d.at}},
		Spoils: garbles(at),
	})
}

func (e *expander) textAfter(d *definition, at, after source.Span) {
	e.report(diag.Diagnostic{
		Rule: "text-after-lines", Severity: diag.Error, Message: fmt.Sprintf("text after $%s, which has %d lines", d.name, len(d.lines)),
		Span: after, Label: "keepalived replaces such a definition only at the end of a line",
		Notes:  []diag.Note{{Message: "keepalived leaves this as it is", Span: at}, {Message: "defined here", Span: d.at}},
		Spoils: []diag.Spoil{{Span: at, Kinds: diag.Word}},
	})
}

func (e *expander) spacedDefinition(l line, name, blanks int) {
	at := l.span(1+name, 1+name+blanks)
	e.report(diag.Diagnostic{
		Rule: "spaced-definition", Severity: diag.Error, Message: fmt.Sprintf(`blank between %s and "="`, l.text[:1+name]),
		Span: at, Label: "keepalived takes the line for an unknown keyword",
		Fixes: []diag.Fix{{Title: "remove the blank", Edits: []diag.Edit{{Span: at}}}},
	})
}

// lostLine reports the first line that was meant for a definition and comes after its end.
func (e *expander) lostLine(l line, d *definition, end *ending) {
	finding := diag.Diagnostic{
		Rule: "gap-in-definition", Severity: diag.Error, Message: fmt.Sprintf("the definition of $%s ends before this line", d.name),
		Span: l.span(0, len(l.text)), Label: "lost, with the lines that it continues in",
		Notes: []diag.Note{{Message: "an empty line follows this one and ends the definition", Span: end.at}},
		Help:  "delete the empty line",
	}
	if end.comment {
		finding.Rule = "comment-in-definition"
		finding.Label = "lost, with the lines behind it, to keepalived " + commentsEnd + " and later"
		finding.Notes[0].Message = "these versions read the backslash as part of the comment; 2.2.7 and earlier continue the definition"
		finding.Help = "put the comment above the definition"
	}
	e.report(finding)
}

// idleBackslash reports a backslash that was meant to continue a definition on an empty line, where nothing is lost by
// it.
func (e *expander) idleBackslash(d *definition) {
	e.report(diag.Diagnostic{
		Rule: "gap-in-definition", Severity: diag.Warning, Message: fmt.Sprintf("the definition of $%s ends here, whatever its backslash says", d.name),
		Span: d.end.at, Label: "an empty line follows",
		Help: "delete the backslash, or the empty line if the next line belongs to the definition",
	})
}
