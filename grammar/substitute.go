package grammar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

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

// referenceAt reads the reference that starts with the $ at a position of a text. $NAME counts only before a blank, a
// comma, a closing parenthesis or the end of the line.
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

// substitute replaces the references of a line, including those in their replacements; false if there was nothing to
// do. The first line of a multi-line definition stays here and the others are read next.
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

// nestingCost is what a reference costs for each text that it was brought in through.
const nestingCost = 64

// value returns the replacement of a reference.
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

// A use reads the lines of a definition as seen through the reference that brings them in.
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

// within reports whether a text was brought in by a use of the definition.
func (e *expander) within(src *source.Source, d *definition) bool {
	for ; src != nil; src = src.Via.Source {
		if e.views[src] == d {
			return true
		}
	}
	return false
}

// madeLine returns a text that a reference stands for and that is in no file.
func madeLine(text string, at source.Span) line {
	return line{text: text, src: at.Source, at: int(at.Start), pieces: []piece{{span: at, made: true}}}
}

// builtIn returns the value of a built-in definition.
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

// randomNumber returns a number from 0 to 32767, or within the bounds in the reference.
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
		seed := seedOf(e.opts.ID)
		if e.opts.Seed != nil {
			seed = *e.opts.Seed
		}
		e.random, e.record.random = newRandomNumbers(seed), true
	}
	low, high := bounds[0], bounds[1]
	if low > high {
		e.report(diag.Diagnostic{
			Rule: "random-range", Severity: diag.Warning, Message: fmt.Sprintf("%d is more than %d", low, high),
			Span: at, Label: "the lower bound comes first", Notes: []diag.Note{{Message: "keepalived uses the first number"}},
		})
		high = low
	}
	return strconv.FormatUint(low+uint64(e.random.draw())%(high-low+1), 10), true
}

// mention records the names in a text that is not for this host, so that their definitions do not count as unused.
func (e *expander) mention(text string) {
	for i := range len(text) {
		if text[i] == '$' {
			if ref, ok := referenceAt(text, i); ok {
				e.mentioned[ref.name] = true
			}
		}
	}
}
