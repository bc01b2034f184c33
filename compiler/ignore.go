package compiler

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"

	"keepc/compiler/lint"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// An ignore is a comment that silences rules for a part of a text:
//
//	priority 100   # keepc: ignore RULE[,RULE] why
//	# keepc: ignore RULE why           (alone: for the next line and its block)
//	# keepc: ignore-file RULE why
type ignore struct {
	comment grammar.Comment
	rules   []string
	used    []bool      // for each rule
	scope   source.Span // where it silences them
}

// silence takes out the findings that comments of the file silence, and adds what is wrong with such comments.
func silence(file *grammar.File, found diag.List) diag.List {
	ignores, wrong := ignoresOf(file)
	if len(ignores) == 0 && len(wrong.List) == 0 {
		return found
	}
	byRule := map[string][]*ignore{}
	for _, i := range ignores {
		for _, rule := range i.rules {
			byRule[rule] = append(byRule[rule], i)
		}
	}
	var left diag.List
	for _, d := range found {
		places := slices.DeleteFunc(append([]source.Span{d.Span}, d.More...), func(at source.Span) bool { return silenced(byRule[d.Rule], d.Rule, at) })
		if len(places) > 0 {
			d.Span, d.More = places[0], places[1:]
			left.Add(d)
		}
	}
	var about conditions
	for _, i := range ignores {
		if wrong.Full(diag.Warning) || about.hold(i.comment) {
			continue // it may find something on another host
		}
		for n, rule := range i.rules {
			if i.used[n] {
				continue
			}
			d := diag.Diagnostic{
				Rule: "unused-ignore", Severity: diag.Warning,
				Message: fmt.Sprintf("there is no %s to ignore", rule), Span: i.comment.Span, Label: "silences nothing",
			}
			if len(i.rules) == 1 {
				d.Fixes = []diag.Fix{{Title: "delete the comment", Edits: []diag.Edit{{Span: withBlanks(i.comment)}}}}
			}
			wrong.Add(d)
		}
	}
	return append(left, wrong.List...)
}

// Join joins what was found in several readings of a file, for the ids. A comment that one of them needs, or may need on a host that
// nobody asks about, is not superfluous.
func Join(ids []string, lists []diag.List) diag.List {
	known := map[*byte]bool{} // whether a text has conditions
	conditional := func(text []byte) bool {
		at := &text[0] // a comment stands in it
		if _, ok := known[at]; !ok {
			known[at] = hasConditions(text)
		}
		return known[at]
	}
	return slices.DeleteFunc(diag.Join(ids, lists), func(d diag.Diagnostic) bool {
		return d.Rule == "unused-ignore" && (len(d.IDs) > 0 || len(ids) == 1 && conditional(d.Span.Source.Text))
	})
}

// hasConditions tells whether some lines of a text are for some hosts only.
func hasConditions(text []byte) bool {
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("@")) {
			return true
		}
	}
	return false
}

// A conditions tells which comments are about a line that is for some hosts only.
type conditions struct {
	src      *source.Source
	from, to int32 // the row of comments that was looked at last
	yes      bool  // the line below it is for some hosts only
}

// hold tells whether a comment is about a line that is for some hosts only: its own, or the next one.
func (c *conditions) hold(of grammar.Comment) bool {
	if c.src == of.Span.Source && !of.Trailing && c.from <= of.Span.Start && of.Span.Start < c.to {
		return c.yes
	}
	text := of.Span.Source.Text
	from := bytes.LastIndexByte(text[:of.Span.Start], '\n') + 1
	line := text[from:]
	for !of.Trailing && len(line) > 0 {
		if first := bytes.TrimLeft(line, " \t\r\n"); len(first) > 0 && first[0] != '#' && first[0] != '!' {
			break
		}
		_, line, _ = bytes.Cut(line, []byte("\n"))
	}
	yes := bytes.HasPrefix(bytes.TrimLeft(line, " \t\r\n"), []byte("@"))
	if !of.Trailing {
		*c = conditions{of.Span.Source, int32(from), int32(len(text) - len(line)), yes}
	}
	return yes
}

// silenced tells whether one of the comments silences a rule at a place, and notes those that do.
func silenced(ignores []*ignore, rule string, at source.Span) bool {
	silent := false
	for _, i := range ignores {
		if n := slices.Index(i.rules, rule); n >= 0 && i.covers(at) {
			i.used[n], silent = true, true
		}
	}
	return silent
}

// covers tells whether a comment works at a place: there, or where a definition brings it in.
func (i *ignore) covers(at source.Span) bool {
	for ; !contains(i.scope, at); at = at.Source.Via {
		if at.IsZero() || at.Source.How != "used at" {
			return false
		}
	}
	return true
}

// Silences tells whether a comment of a file silences a rule at a place. A finding that shows places of several files is silent when
// one of them is: nobody knows beforehand in which file it is told.
func Silences(file *grammar.File, rule string, at source.Span) bool {
	ignores, _ := ignoresOf(file)
	return slices.ContainsFunc(ignores, func(i *ignore) bool { return slices.Contains(i.rules, rule) && i.covers(at) })
}

// ignoresOf reads the comments of a file that silence something, and says what is wrong with such comments.
func ignoresOf(file *grammar.File) (ignores []*ignore, wrong *diag.Bounded) {
	wrong = &diag.Bounded{}
	var places statements
	for _, c := range file.Comments {
		if i := newIgnore(c, wrong); i != nil {
			i.scope = scope(file, &places, c, i.scope)
			ignores = append(ignores, i)
		}
	}
	return ignores, wrong
}

// newIgnore reads a comment; nil: it is another one. A scope that is not zero is the whole text.
func newIgnore(c grammar.Comment, wrong *diag.Bounded) *ignore {
	text, ours := strings.CutPrefix(strings.TrimLeft(c.Text, "#! \t"), "keepc:")
	if !ours {
		return nil
	}
	words := strings.Fields(text)
	bad := func(message, label string) *ignore {
		wrong.Add(diag.Diagnostic{Rule: "bad-ignore", Severity: diag.Warning, Message: message, Span: c.Span, Label: label})
		return nil
	}
	if len(words) == 0 || words[0] != "ignore" && words[0] != "ignore-file" {
		return bad("a comment for keepc that it does not understand", `expected "keepc: ignore RULE why"`)
	}
	if len(words) < 3 {
		return bad("an ignore without its reason", `expected "keepc: ignore RULE why"`)
	}
	for strings.HasSuffix(words[1], ",") && len(words) > 2 {
		words = slices.Replace(words, 1, 3, words[1]+words[2])
	}
	i := &ignore{comment: c, rules: strings.Split(words[1], ",")}
	i.used = make([]bool, len(i.rules))
	for n, rule := range i.rules {
		rules := lint.Rules()
		k := slices.IndexFunc(rules, func(r lint.Rule) bool { return r.Name == rule })
		if k < 0 {
			return bad(fmt.Sprintf("there is no rule %q", rule), "keepc explain lists them")
		}
		i.used[n] = rules[k].Host || rules[k].Peers != nil // it may find something on another machine, or beside another file
	}
	if words[0] == "ignore-file" {
		i.scope = c.Span.Source.Span(0, len(c.Span.Source.Text))
	}
	return i
}

// scope returns where a comment works: all of the text, its line, or the statement below with its block.
func scope(file *grammar.File, places *statements, c grammar.Comment, all source.Span) source.Span {
	switch {
	case !all.IsZero():
		return all
	case c.Trailing:
		text := c.Span.Source.Text
		start := c.Span.Start
		for start > 0 && text[start-1] != '\n' {
			start--
		}
		return c.Span.Source.Span(int(start), int(c.Span.End))
	}
	below := places.next(file, c.Span)
	if below == nil {
		return c.Span
	}
	at := below.Span()
	for at.Source != c.Span.Source {
		at = at.Source.Via
	}
	if n := bytes.IndexByte(at.Source.Text[at.End:], '\n'); n >= 0 {
		at.End += int32(n) // a definition that the line uses is another text
	}
	if below.Block != nil && below.Block.Close.Source == at.Source {
		at = at.To(below.Block.Close)
	}
	return at
}

// A statements knows the statements of a file by the texts that they, or what brings them in, stand in.
type statements struct {
	in map[*source.Source][]placed
}

// A placed is a statement and where it, or what brings it in, starts in a text.
type placed struct {
	at   int32
	stmt *grammar.Stmt
}

// next returns the first statement behind a place. Of what a definition brings in, the use counts.
func (all *statements) next(file *grammar.File, after source.Span) *grammar.Stmt {
	if all.in == nil {
		all.in = map[*source.Source][]placed{}
		grammar.Walk(file.Stmts, func(s *grammar.Stmt, _ int) {
			for at := s.Span(); !at.IsZero(); at = at.Source.Via {
				all.in[at.Source] = append(all.in[at.Source], placed{at.Start, s})
			}
		})
	}
	here := all.in[after.Source]
	n := sort.Search(len(here), func(i int) bool { return here[i].at > after.Start })
	if n == len(here) {
		return nil
	}
	return here[n].stmt
}

// contains tells whether a span starts in another one.
func contains(scope, at source.Span) bool {
	return !scope.IsZero() && !at.IsZero() && scope.Source.Same(at.Source) && scope.Start <= at.Start && at.Start <= scope.End
}

// withBlanks widens a comment to the blanks before it, and to its whole line when it stands alone.
func withBlanks(c grammar.Comment) source.Span {
	text, at := c.Span.Source.Text, c.Span
	for at.Start > 0 && (text[at.Start-1] == ' ' || text[at.Start-1] == '\t') {
		at.Start--
	}
	if !c.Trailing && int(at.End) < len(text) {
		at.End++
	}
	return at
}
