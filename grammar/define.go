package grammar

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// A definition is what $NAME= gave a value.
type definition struct {
	name  string
	at    source.Span // the name; zero for the variable of a sequence
	lines []line      // its value; with several, each becomes a line of its own where it is used
	made  bool        // the value stands in no text
	used  bool
	end   *ending // it is over, and its text goes on
	may   *ending // some versions end it there
}

// define takes a line that is a definition; continued tells that it ended in a backslash.
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

// defineMisnamed takes a line that would be a definition if its name were one.
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

// An ending is where a definition ends before the text that was meant for it does.
type ending struct {
	comment bool        // a comment takes the backslash; else an empty line follows
	at      source.Span // the line whose backslash was to continue it
	lost    int         // the lines behind it that were meant for it
	open    int         // the braces that these lines open and do not close
}

// extend takes a line while a definition is under way; false when the line is none of it. A definition ends with the first line that does
// not end in a backslash. It also ends at an empty line and, since 2.4.0, with the first comment, which takes the backslash; what
// follows was meant for it and is lost: keepalived reads it as lines of the file, where it means nothing. A line that opens or closes a
// block of the file is not lost.
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

// commentEnds ends the definition at a comment, for the versions that do. Where the version is not known, what that one would lose is
// reported and read on, as most machines do.
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

// lose takes a line behind the end of a definition; false when it is a line of the file.
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

// swallows tells whether the line behind a gap in a definition is none of it: one that would end the definition and whose
// braces do not match.
func swallows(text string, continued bool) bool {
	opened, closed, _ := braceCount(text)
	return !continued && opened != closed
}

// nameLength returns the length of the name at the start of a text.
func nameLength(text string) int {
	n := 0
	for n < len(text) && (n == 0 && isNameStart(text[n]) || n > 0 && isName(text[n])) {
		n++
	}
	return n
}

// A reference is a $NAME, ${NAME} or ${NAME parameters} of a line.
type reference struct {
	name, params string
	from, to     int // in the line
	braces       bool
}

// referenceAt reads the reference that starts with the $ at a place of a text. $NAME counts only in front of a blank,
// a comma, a closing parenthesis or the end of the line.
func referenceAt(text string, at int) (reference, bool) {
	r := reference{from: at}
	start := at + 1
	if start < len(text) && text[start] == '{' {
		r.braces = true
		start++
	}
	end := start + nameLength(text[start:])
	r.name = text[start:end]
	r.to = end
	switch {
	case end == start:
		return r, false
	case r.braces:
		n := strings.IndexByte(text[end:], '}')
		if n < 0 || n > 0 && text[end] != ' ' {
			return r, false
		}
		r.params = strings.TrimSpace(text[end : end+n])
		r.to = end + n + 1
	case end < len(text) && strings.IndexByte(" \t,)", text[end]) < 0:
		return r, false
	}
	return r, true
}

// substitute replaces the references of a line, also those in what replaces them; false when there was nothing to do.
// Of a definition with several lines the first stays here and the others are read next.
func (e *expander) substitute(l line) (line, bool) {
	changed := false
	for at := 0; len(l.text) <= maxExpandedLine; {
		n := strings.IndexByte(l.text[at:], '$')
		if n < 0 {
			return l, changed
		}
		at += n
		ref, ok := referenceAt(l.text, at)
		if !ok {
			e.bareReference(l, ref)
			at++
			continue
		}
		value, ok := e.value(&l, ref)
		if !ok {
			at = ref.to
			continue
		}
		if via := l.span(ref.from, ref.to); !e.spend(len(value.text)+len(l.text)/16+2*len(l.pieces)+nestingCost*depth(via.Source), via) {
			return l, changed
		}
		l = l.splice(ref.from, ref.to, value)
		changed = true
		if len(value.pieces) > 0 && value.pieces[0].made {
			at += len(value.text)
		}
		if strings.HasPrefix(strings.TrimLeft(l.text, " \t"), "~") {
			return l, changed // its variables get their values first
		}
	}
	e.report(diag.Diagnostic{
		Rule: "line-too-long", Severity: diag.Error, Message: "definitions make a line that is too long",
		Span: l.span(0, len(l.text)), Label: fmt.Sprintf("keepalived replaces none that would make more than %d bytes", maxLine),
	})
	return l, false
}

// nestingCost is what a reference counts for each text that it was brought in through.
const nestingCost = 64

// value returns what replaces a reference.
func (e *expander) value(l *line, ref reference) (line, bool) {
	at := l.span(ref.from, ref.to)
	d := e.defs[ref.name]
	switch {
	case d == nil:
		text, ok := e.builtIn(ref, at)
		if !ok {
			e.notDefined(l, ref, at)
		}
		return madeLine(text, at), ok
	case ref.params != "":
		e.notDefined(l, ref, at)
		return line{}, false
	case e.within(at.Source, d):
		d.used = true
		e.cycle(d, at)
		return line{}, false
	case len(d.lines) > 1 && ref.to < len(l.text):
		d.used = true
		e.textAfter(d, at, l.span(ref.to, len(l.text)))
		return line{}, false
	}
	d.used = true
	if d.made {
		return madeLine(d.lines[0].text, at), true
	}
	if len(d.lines) == 0 {
		return madeLine("", at), true
	}
	u := &use{e: e, def: d, rest: d.lines, at: at}
	var first line
	u.next(&first)
	if len(u.rest) > 0 {
		e.push(u)
	}
	return first, true
}

// A use gives the lines of a definition as seen through the reference that brings them in.
type use struct {
	e     *expander
	def   *definition
	rest  []line
	at    source.Span // the reference
	views []view
}

// A view is a text as seen through a reference.
type view struct{ of, as *source.Source }

// next implements lines.
func (u *use) next(l *line) bool {
	if len(u.rest) == 0 {
		return false
	}
	*l, u.rest = u.rest[0], u.rest[1:]
	if l.pieces == nil {
		l.src = u.view(l.src)
		l.pieces = []piece{{span: l.src.Span(l.at, l.at+len(l.text))}}
		return true
	}
	l.pieces = slices.Clone(l.pieces)
	for i := range l.pieces {
		l.pieces[i].span.Source = u.view(l.pieces[i].span.Source)
	}
	return true
}

// view returns a text of the definition as seen through the reference.
func (u *use) view(src *source.Source) *source.Source {
	for _, v := range u.views {
		if v.of == src {
			return v.as
		}
	}
	as := src.View(u.at, "used at")
	u.e.record.take(useCost, u.at)
	u.views = append(u.views, view{src, as})
	u.e.views[as] = u.def
	u.e.record.uses = append(u.e.record.uses, Use{u.def.at, as})
	return as
}

// within tells whether a text was brought in by a use of the definition.
func (e *expander) within(src *source.Source, d *definition) bool {
	for ; src != nil; src = src.Via.Source {
		if e.views[src] == d {
			return true
		}
	}
	return false
}

// madeLine returns a text that a reference stands for and that is written nowhere.
func madeLine(text string, at source.Span) line {
	return line{text: text, src: at.Source, at: int(at.Start), pieces: []piece{{span: at, made: true}}}
}

// builtIn returns the value of a definition that the reference brings along.
func (e *expander) builtIn(ref reference, at source.Span) (string, bool) {
	if ref.params != "" && ref.name != "_RANDOM" && ref.name != "_ENV" {
		return "", false
	}
	switch ref.name {
	case "_PWD":
		return e.file.dir, true
	case "_INSTANCE":
		if e.opts.Instance != "" {
			return e.opts.Instance, true
		}
		return e.opts.ID, true
	case "_HASH":
		return "#", true
	case "_BANG":
		return "!", true
	case "_ENV":
		if nameLength(ref.params) == 0 || nameLength(ref.params) < len(ref.params) {
			return "", false
		}
		if e.opts.Env == nil {
			e.unreadVariable(ref, at)
			return "", true
		}
		text := e.opts.Env(ref.params)
		if text == "" {
			e.unsetVariable(ref, at)
		}
		return text, true
	case "_RANDOM":
		return e.randomNumber(ref, at)
	}
	return "", false
}

// randomNumber returns a number from 0 to 32767, or within the bounds that the reference gives.
func (e *expander) randomNumber(ref reference, at source.Span) (string, bool) {
	bounds := []uint64{0, 32767}
	params := strings.Fields(ref.params)
	for i, param := range params {
		n, err := strconv.ParseUint(param, 10, 31)
		if err != nil || i > 1 {
			return "", false
		}
		bounds[i] = n
	}
	if e.random == nil {
		e.random = rand.New(rand.NewPCG(e.opts.Seed, 0)).IntN
	}
	low, high := bounds[0], bounds[1]
	if low > high {
		e.report(diag.Diagnostic{
			Rule: "random-range", Severity: diag.Warning, Message: fmt.Sprintf("%d is more than %d", low, high),
			Span: at, Label: "the lower bound comes first", Notes: []diag.Note{{Message: "keepalived uses the first number"}},
		})
		high = low
	}
	return strconv.Itoa(int(low) + e.random(int(high-low)+1)), true
}

// mention notes the names in a text that is not for this host, so that their definitions do not count as unused.
func (e *expander) mention(text string) {
	for i := range len(text) {
		if text[i] == '$' {
			if ref, ok := referenceAt(text, i); ok {
				e.mentioned[ref.name] = true
			}
		}
	}
}

// An undefined is a reference without a definition before it.
type undefined struct {
	reference
	at source.Span
}

// maxIDs is how many ids a message names.
const maxIDs = 20

// maxUndefined is how many of them are kept.
const maxUndefined = 1000

// notDefined notes a reference to nothing. The reference leaves it as it is, which is harmless between quotes, and for
// $NAME within a word, where it may be meant: ${NAME} is cut at its braces.
func (e *expander) notDefined(l *line, ref reference, at source.Span) {
	inQuote := strings.Count(l.text[:ref.from], `"`)%2 == 1
	ownWord := ref.from == 0 || isBlank(l.text[ref.from-1])
	if !inQuote && (ref.braces || ownWord) && !e.seen[place{"bare-reference", at.Source.Name, at.Start}] && len(e.undefined) < maxUndefined && !e.reported("undefined-reference", at) {
		e.undefined = append(e.undefined, undefined{ref, at})
	}
}

// finish reports what only the whole text can tell.
func (e *expander) finish() {
	for _, head := range e.heads {
		e.conditionOnBlock(head)
	}
	names := slices.Sorted(maps.Keys(e.defs))
	for _, ref := range e.undefined {
		e.undefinedReference(ref, names)
	}
	e.undefined = nil
	for _, name := range names {
		for _, l := range e.defs[name].lines {
			e.mention(l.text)
		}
	}
	for _, name := range names {
		if d := e.defs[name]; !d.used && !e.mentioned[name] && !d.at.IsZero() && name[0] != '_' {
			e.report(diag.Diagnostic{
				Rule: "unused-definition", Severity: diag.Info, Message: fmt.Sprintf("$%s is not used", name),
				Span: d.at, Label: "nothing refers to it",
			})
		}
	}
	e.defs = nil
}

func (e *expander) unsetVariable(ref reference, at source.Span) {
	e.report(diag.Diagnostic{
		Rule: "unset-variable", Severity: diag.Info, Message: fmt.Sprintf("the environment has no %s", ref.params),
		Span: at, Label: "replaced by nothing",
		Help: "set it for keepc as it is set for keepalived", Spoils: empties(at),
	})
}

func (e *expander) unreadVariable(ref reference, at source.Span) {
	e.report(diag.Diagnostic{
		Rule: "unread-variable", Severity: diag.Info, Message: fmt.Sprintf("%s of the environment is not read", ref.params),
		Span: at, Label: "replaced by nothing here",
		Help: "--allow-env reads the environment of keepc", Spoils: empties(at),
	})
}

// empties is what a reference spoils that is replaced by nothing: the value that it is in, and the end of the line before it.
func empties(at source.Span) []diag.Spoil {
	return append(garbles(at), diag.Spoil{Span: diag.LineTo(at), Kinds: diag.Missing})
}

// garbles is what a part of a word spoils that is not what was meant: the word.
func garbles(at source.Span) []diag.Spoil {
	return []diag.Spoil{{Span: at, Kinds: diag.Value | diag.Word}}
}

func (e *expander) undefinedReference(ref undefined, names []string) {
	d := diag.Diagnostic{
		Rule: "undefined-reference", Severity: diag.Warning, Message: fmt.Sprintf("$%s is not defined", ref.name),
		Span: ref.at, Label: "keepalived leaves it as it is, without a message",
		Kind: diag.Reference, Spoils: garbles(ref.at), AsBad: true,
	}
	if ref.braces {
		d.Severity = diag.Error
		d.Label = "keepalived leaves it as it is and takes its braces for those of a block"
	}
	if def := e.defs[ref.name]; def != nil && ref.params == "" {
		d.Message = fmt.Sprintf("$%s is used before it is defined", ref.name)
		d.Notes = []diag.Note{{Message: "its definition comes later", Span: def.at}}
		d.Help = "move the definition up"
	} else if at, ok := e.others[ref.name]; ok {
		d.Message = fmt.Sprintf("$%s is not defined for the id %q", ref.name, e.opts.ID)
		d.Notes = []diag.Note{{Message: "only other hosts have this definition", Span: at}}
		if n := len(e.ids); n > 0 && n <= maxIDs && !e.ids[e.opts.ID] { // the file is for other hosts
			d.Help, e.ids = "check with --id "+strings.Join(slices.Sorted(maps.Keys(e.ids)), " --id "), nil // once
		}
	} else if best, sure := diag.SuggestName(ref.name, names); sure {
		d.Help = fmt.Sprintf("did you mean $%s?", best)
	}
	e.record.add(d)
}

// bareReference reports a $NAME of a definition that stays as it is, for the reference replaces it only in front of a blank and the like.
func (e *expander) bareReference(l line, ref reference) {
	d := e.defs[ref.name]
	if d == nil || ref.braces || l.text[ref.to] == '=' && strings.Trim(l.text[:ref.from], " \t") == "" {
		return // nothing, or a definition within the lines of another one
	}
	d.used = true
	at, next := l.span(ref.from, ref.to), strconv.Quote(l.text[ref.to:ref.to+1])
	if l.text[ref.to] == '"' {
		next = "a quote"
	}
	e.report(diag.Diagnostic{
		Rule: "bare-reference", Severity: diag.Warning, Message: fmt.Sprintf("$%s is not replaced in front of %s", ref.name, next),
		Span: at, Label: fmt.Sprintf("write ${%s}", ref.name), Spoils: garbles(at), AsBad: true,
		Fixes: []diag.Fix{{Title: "put the name in braces", Edits: []diag.Edit{{Span: at, Text: "${" + ref.name + "}"}}}},
	})
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

// lostLine reports the first line that was meant for a definition and is behind its end.
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
		finding.Notes[0].Message = "these take the backslash of the comment for a part of it; earlier versions, as 2.2.7, continue the definition"
		finding.Help = "put the comment above the definition"
	}
	e.report(finding)
}

// idleBackslash reports a backslash that was to continue a definition in an empty line, where nothing is lost by it.
func (e *expander) idleBackslash(d *definition) {
	e.report(diag.Diagnostic{
		Rule: "gap-in-definition", Severity: diag.Warning, Message: fmt.Sprintf("the definition of $%s ends here, whatever its backslash says", d.name),
		Span: d.end.at, Label: "an empty line follows",
		Help: "delete the backslash, or the empty line if the next line belongs to the definition",
	})
}
