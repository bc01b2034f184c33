package compiler

import (
	"bytes"
	"cmp"
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
	used    []bool      // by rule
	scope   source.Span // where it silences findings
}

// silence removes the findings that comments of the file silence, and reports what is wrong with such comments.
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
		places := slices.DeleteFunc(append([]source.Span{d.Span}, d.More...), func(at source.Span) bool { return silenced(slices.Concat(byRule[d.Rule], byRule[d.Former]), &d, at) })
		if len(places) > 0 {
			d.Span, d.More = places[0], places[1:]
			left.Add(d)
		}
	}
	var about conditions
	for _, i := range ignores {
		if wrong.Full(diag.Warning) || about.hold(i.comment) {
			continue // it may find something on a different host
		}
		for n, rule := range i.rules {
			if i.used[n] {
				continue
			}
			d := diag.Diagnostic{
				Rule: "unused-ignore", Severity: diag.Warning,
				Message: fmt.Sprintf("there is no %s to ignore", rule), Span: i.comment.Span, Label: "matches no finding",
			}
			if len(i.rules) == 1 {
				d.Fixes = []diag.Fix{{Title: "delete the comment", Edits: []diag.Edit{{Span: withBlanks(i.comment)}}}}
			}
			wrong.Add(d)
		}
	}
	return append(left, wrong.List...)
}

// Join joins the findings of several readings of a file, for the ids. A comment is needed if one of the readings needs
// it, or may need it on a host that nobody asks about.
func Join(ids []string, lists []diag.List) diag.List {
	known := map[*byte]bool{} // whether a text has conditions
	conditional := func(text []byte) bool {
		at := &text[0] // the place of a comment in the text
		if _, ok := known[at]; !ok {
			known[at] = hasConditions(text)
		}
		return known[at]
	}
	return slices.DeleteFunc(diag.Join(ids, lists), func(d diag.Diagnostic) bool {
		return d.Rule == "unused-ignore" && (len(d.IDs) > 0 || len(ids) == 1 && conditional(d.Span.Source.Text))
	})
}

// hasConditions reports whether some lines of a text are only for some hosts.
func hasConditions(text []byte) bool {
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("@")) {
			return true
		}
	}
	return false
}

// A conditions finds out which comments are about a line that is only for some hosts.
type conditions struct {
	src      *source.Source
	from, to int32 // the last row of comments that was examined
	yes      bool  // the line below it is only for some hosts
}

// hold reports whether a comment is about a line that is only for some hosts: its own, or the next one.
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

// silenced reports whether one of the comments silences a finding at a place, and records which do.
func silenced(ignores []*ignore, d *diag.Diagnostic, at source.Span) bool {
	silent := false
	for _, i := range ignores {
		for n, name := range i.rules {
			if d.Named(name) && i.covers(at) {
				i.used[n], silent = true, true
			}
		}
	}
	return silent
}

// covers reports whether a comment applies to a place: directly, or to the definition that brings it in.
func (i *ignore) covers(at source.Span) bool {
	for ; !contains(i.scope, at); at = at.Source.Via {
		if at.IsZero() || at.Source.How != "used at" {
			return false
		}
	}
	return true
}

// Silences are the places where the comments of a file silence each rule. A finding with places in several files is
// silenced if it is at one of them, because it is not known in advance in which file it is reported.
type Silences map[string]map[*byte][]scopeEnd // by rule and text

// A scopeEnd is where the scope of a comment starts in a text, and the furthest end of all that start there or before.
type scopeEnd struct{ start, end int32 }

// SilencesOf reads the comments of a file.
func SilencesOf(file *grammar.File) Silences {
	ignores, _ := ignoresOf(file)
	s := Silences{}
	for _, i := range ignores {
		for _, rule := range i.rules {
			if s[rule] == nil {
				s[rule] = map[*byte][]scopeEnd{}
			}
			text := &i.scope.Source.Text[0] // a comment is in it
			s[rule][text] = append(s[rule][text], scopeEnd{i.scope.Start, i.scope.End})
		}
	}
	for _, texts := range s {
		for _, scopes := range texts {
			slices.SortFunc(scopes, func(a, b scopeEnd) int { return cmp.Compare(a.start, b.start) })
			for i := 1; i < len(scopes); i++ {
				scopes[i].end = max(scopes[i].end, scopes[i-1].end)
			}
		}
	}
	return s
}

// Cover reports whether a comment silences a rule at a place: there, or where a definition brings it in.
func (s Silences) Cover(rule string, at source.Span) bool {
	texts := s[rule]
	if texts == nil {
		return false
	}
	for ; !at.IsZero(); at = at.Source.Via {
		if len(at.Source.Text) > 0 {
			scopes := texts[&at.Source.Text[0]]
			if n := sort.Search(len(scopes), func(i int) bool { return scopes[i].start > at.Start }); n > 0 && at.Start <= scopes[n-1].end {
				return true
			}
		}
		if at.Source.How != "used at" {
			return false
		}
	}
	return false
}

// ignoresOf reads the comments of a file that silence something, and reports what is wrong with them.
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

// newIgnore reads a comment; nil: it is not one of these. A scope that is not zero is the whole text.
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
	i := &ignore{comment: c}
	for name := range strings.SplitSeq(words[1], ",") {
		rule, known := lint.Find(name)
		if !known {
			return bad(fmt.Sprintf("there is no rule %q", name), "keepc explain lists them")
		}
		if slices.Contains(i.rules, name) {
			continue
		}
		i.rules = append(i.rules, name)
		i.used = append(i.used, rule.Host || rule.Peers != nil) // it may find something on a different machine, or beside a different file
	}
	if words[0] == "ignore-file" {
		i.scope = c.Span.Source.Span(0, len(c.Span.Source.Text))
	}
	return i
}

// scope returns where a comment applies: the whole text, its line, or the next statement with its block.
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
		at.End += int32(n) // a definition that the line uses is in a different text
	}
	if below.Block != nil && below.Block.Close.Source == at.Source {
		at = at.To(below.Block.Close)
	}
	return at
}

// A statements indexes the statements of a file by the texts that they, or what brings them in, are in.
type statements struct {
	in map[*source.Source][]placed
}

// A placed is a statement, and where it, or what brings it in, starts in a text.
type placed struct {
	at   int32
	stmt *grammar.Stmt
}

// next returns the first statement after a place. For statements from a definition, the place of its use counts.
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

// contains reports whether a span starts inside another one.
func contains(scope, at source.Span) bool {
	return !scope.IsZero() && !at.IsZero() && scope.Source.Same(at.Source) && scope.Start <= at.Start && at.Start <= scope.End
}

// withBlanks extends a comment to the blanks before it, and to its whole line if nothing else is on it.
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
