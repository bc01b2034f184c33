package grammar

import (
	"fmt"
	"strconv"
	"strings"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// repeat reads a line that starts with ~SEQ or ~LST: its rest is read repeatedly, each time with the next value of its
// variables. Lines with another ~ are passed on unchanged.
func (e *expander) repeat(l line) bool {
	var from lines
	var problem string
	l = e.misspeltRepeat(l)
	switch {
	case strings.HasPrefix(l.text, "~SEQ"):
		from, problem = e.sequence(l)
	case strings.HasPrefix(l.text, "~LST"):
		from, problem = e.list(l)
	default:
		return false
	}
	if problem != "" {
		e.report(diag.Diagnostic{
			Rule: "invalid-sequence", Severity: diag.Error, Message: problem,
			Span: l.span(0, len(l.text)), Label: "keepalived drops the line",
			Notes:  []diag.Note{{Message: "~SEQ(var, [start, [step,]] end), ~LST(var, value, ...) or ~LST({var, ...}, {value, ...}, ...)"}},
			Spoils: unrepeated(l.span(0, len(l.text))),
		})
	} else if e.file != nil {
		e.push(from)
	}
	return true
}

// unrepeated is what a line spoils that was meant to make others: the blocks above it lack these.
func unrepeated(at source.Span) []diag.Spoil {
	return []diag.Spoil{{Span: at.Source.Span(0, int(at.Start)), Kinds: diag.Addresses}}
}

// misspeltRepeat returns a line that starts with ~seq(, SEQ( or the like as it was meant, and reports it.
func (e *expander) misspeltRepeat(l line) line {
	open := strings.IndexByte(l.text, '(')
	if open < 3 || open > 6 {
		return l
	}
	word := strings.TrimRight(l.text[:open], " \t")
	meant := "~" + strings.ToUpper(strings.TrimPrefix(word, "~"))
	if meant == word || meant != "~SEQ" && meant != "~LST" {
		return l
	}
	at := l.span(0, len(word))
	e.report(diag.Diagnostic{
		Rule: "invalid-sequence", Severity: diag.Error, Message: fmt.Sprintf("%s does not repeat the line", word),
		Span: at, Label: "the word is " + meant,
		Fixes:  []diag.Fix{{Title: "write " + meant, Edits: []diag.Edit{{Span: at, Text: meant}}}},
		Spoils: unrepeated(at),
	})
	return l.splice(0, len(word), madeLine(meant, at))
}

// arguments returns what is between the parentheses that start at a position of the line, expanded, and what follows.
func (e *expander) arguments(l line, at int) (args, body line, ok bool) {
	rest := l.text[at:]
	open := len(rest) - len(strings.TrimLeft(rest, " \t"))
	end := strings.IndexByte(rest, ')')
	if end < 0 || rest[open] != '(' {
		return line{}, line{}, false
	}
	args = l.sub(at+open+1, at+end)
	body = l.sub(at+end+1, len(l.text))
	args, _ = e.substitute(args)
	return args, body.trim(), true
}

// A sequence gives one variable the numbers of a range, one after the other.
type sequence struct {
	e            *expander
	name         string
	at, step, to int64
	hex, over    bool
	body         line
}

func (e *expander) sequence(l line) (*sequence, string) {
	s := &sequence{e: e, hex: strings.HasPrefix(l.text, "~SEQx")}
	word := len("~SEQ")
	if s.hex {
		word++
	}
	args, body, ok := e.arguments(l, word)
	parts := strings.Split(args.text, ",")
	if !ok || len(parts) < 2 || len(parts) > 4 {
		return nil, "not a sequence of a variable and one to three numbers"
	}
	s.body, s.name = body, strings.TrimSpace(parts[0])
	if s.name == "" || nameLength(s.name) < len(s.name) {
		return nil, fmt.Sprintf("%q cannot be the name of a variable", s.name)
	}
	var n []int64
	for _, part := range parts[1:] {
		part = strings.TrimSpace(part)
		v, err := strconv.ParseInt(part, 0, 64)
		if err != nil || strings.Contains(part, "_") {
			return nil, fmt.Sprintf("%q is not a number", part)
		}
		n = append(n, v)
	}
	switch len(n) {
	case 1:
		s.at, s.step, s.to = 1, 1, n[0]
		if s.to < 0 {
			s.at = -1
		}
		if s.to < 1 {
			s.step = -1
		}
	case 2:
		s.at, s.step, s.to = n[0], 1, n[1]
		if s.to < s.at {
			s.step = -1
		}
	case 3:
		s.at, s.step, s.to = n[0], n[1], n[2]
		if s.step == 0 || s.at < s.to && s.step < 0 || s.at > s.to && s.step > 0 {
			return nil, fmt.Sprintf("steps of %d do not lead from %d to %d", s.step, s.at, s.to)
		}
	}
	if s.hex && (s.at < 0 || s.to < 0) {
		return nil, "negative number in a hexadecimal sequence"
	}
	return s, ""
}

// next implements lines: it sets the variable and returns the line.
func (s *sequence) next(l *line) bool {
	if s.over {
		return false
	}
	base := 10
	if s.hex {
		base = 16
	}
	value := line{text: strconv.FormatInt(s.at, base)}
	s.e.defs[s.name] = &definition{name: s.name, lines: []line{value}, made: true}
	following := s.at + s.step
	if s.step > 0 {
		s.over = following > s.to || following < s.at
	} else {
		s.over = following < s.to || following > s.at
	}
	s.at = following
	*l = s.body
	return true
}

// A list gives its variables one tuple of values after the other.
type list struct {
	e      *expander
	names  []line
	tuples [][]line
	body   line
}

func (e *expander) list(l line) (*list, string) {
	args, body, ok := e.arguments(l, len("~LST"))
	parts := splitCommas(args)
	if !ok || len(parts) < 2 {
		return nil, "not a list of variables and at least one value"
	}
	s := &list{e: e, body: body, names: tuple(parts[0])}
	for _, name := range s.names {
		if name.text == "" || nameLength(name.text) < len(name.text) {
			return nil, fmt.Sprintf("%q cannot be the name of a variable", name.text)
		}
	}
	for _, part := range parts[1:] {
		values := tuple(part)
		if len(values) != len(s.names) {
			return nil, fmt.Sprintf("%s does not have %d values, one for each variable", part.text, len(s.names))
		}
		s.tuples = append(s.tuples, values)
	}
	return s, ""
}

// splitCommas splits at the commas outside braces.
func splitCommas(l line) []line {
	var parts []line
	level, start := 0, 0
	for i := 0; i <= len(l.text); i++ {
		switch {
		case i == len(l.text) || l.text[i] == ',' && level == 0:
			part := l.sub(start, i)
			parts = append(parts, part.trim())
			start = i + 1
		case l.text[i] == '{':
			level++
		case l.text[i] == '}':
			level--
		}
	}
	return parts
}

// tuple splits {a, b}; text without braces is a tuple of one.
func tuple(l line) []line {
	if !strings.HasPrefix(l.text, "{") || !strings.HasSuffix(l.text, "}") {
		return []line{l}
	}
	return splitCommas(l.sub(1, len(l.text)-1))
}

// next implements lines: it sets the variables and returns the line.
func (s *list) next(l *line) bool {
	if len(s.tuples) == 0 {
		return false
	}
	for i, name := range s.names {
		s.e.defs[name.text] = &definition{name: name.text, lines: []line{s.tuples[0][i]}}
	}
	s.tuples = s.tuples[1:]
	*l = s.body
	return true
}
