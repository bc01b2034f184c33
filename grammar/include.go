package grammar

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// maxAlternatives is the number of patterns that the braces of an include may produce.
const maxAlternatives = 1000

// alternatives expands the braces of a pattern: a{b,c{d,e}} is ab, acd, ace. Braces without a comma are expanded as
// well, as in glob(3). False if there are too many.
func alternatives(pattern string) ([]string, bool) {
	open := strings.IndexByte(pattern, '{')
	if open < 0 {
		return []string{pattern}, true
	}
	level, start := 0, open+1
	var options []string
	for i := open; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '{':
			level++
		case c == '}':
			level--
		}
		if level == 1 && pattern[i] == ',' || level == 0 {
			options = append(options, pattern[start:i])
			start = i + 1
		}
		if level == 0 {
			break
		}
	}
	if level > 0 {
		return []string{pattern}, true // an unmatched brace is a plain character
	}
	tail := pattern[start:]
	var all []string
	for _, option := range options {
		more, ok := alternatives(option + tail)
		if all = append(all, more...); !ok || len(all) > maxAlternatives {
			return nil, false
		}
	}
	for i := range all {
		all[i] = pattern[:open] + all[i]
	}
	return all, true
}

// An Include is one include line and what it brought in.
type Include struct {
	Span source.Span
	// Pattern is the absolute path, which may have wildcards and braces.
	Pattern string
	// Files are the texts that were read.
	Files []*source.Source
}

// demand is what must hold for an include, as bits; without any, a missing file is not an error to keepalived.
type demand uint8

const (
	readable demand = 1 << iota // every match is a readable file
	matched                     // a pattern without wildcards matches
	wildcard                    // a pattern with wildcards matches as well
	brace                       // each alternative of a brace matches
	all      = readable | matched | wildcard | brace
)

// demandOf returns what the letter after "include" demands.
func demandOf(letter byte) demand {
	switch letter {
	case 'r':
		return readable
	case 'm':
		return readable | matched
	case 'w':
		return readable | matched | wildcard
	case 'b':
		return readable | brace
	case 'a':
		return all
	}
	return 0
}

// isInclude splits an include line; the pattern is what follows the word, as one.
func isInclude(l line) (add demand, pattern line, ok bool) {
	rest, ok := strings.CutPrefix(l.text, "include")
	if !ok || rest == "" {
		return 0, line{}, false
	}
	at := len("include")
	if strings.IndexByte("rmwba", rest[0]) >= 0 {
		add = demandOf(rest[0])
		at++
	}
	if at == len(l.text) || !isBlank(l.text[at]) {
		return 0, line{}, false
	}
	pattern = l.sub(at, len(l.text))
	return add, pattern.trim(), true
}

// checkInclude follows the keyword include_check, which changes the demands on later includes: words set them, + adds,
// - removes, and no word demands everything.
func (e *expander) checkInclude(words []string) {
	if len(words) == 0 {
		e.file.demand = all
		return
	}
	if strings.IndexByte("+-", words[0][0]) < 0 {
		e.file.demand = 0
	}
	sign := byte('+')
	for _, word := range words {
		if strings.IndexByte("+-", word[0]) >= 0 {
			sign, word = word[0], word[1:]
		}
		var d demand
		switch word {
		case "read", "readable":
			d = readable
		case "match":
			d = readable | matched
		case "wildcard_match":
			d = readable | matched | wildcard
		case "brace_match":
			d = readable | brace
		}
		if sign == '+' {
			e.file.demand |= d
		} else {
			e.file.demand &^= d &^ readable
			if d == readable {
				e.file.demand &^= readable
			}
		}
	}
}

// include pushes the files of an include line; they are read next.
func (e *expander) include(l line, add demand, pattern line) {
	if len(pattern.text) > maxLine {
		e.report(tooLong(pattern.span(0, len(pattern.text)), len(l.text)))
		return
	}
	text := e.unquoted(pattern)
	inc := Include{Span: l.span(0, len(l.text)), Pattern: path.Join(e.start(e.file.dir, text))}
	at := pattern.span(0, len(pattern.text))
	patterns, ok := alternatives(text)
	if !ok {
		e.report(diag.Diagnostic{
			Rule: "include-braces", Severity: diag.Error, Message: fmt.Sprintf("braces for more than %d files", maxAlternatives),
			Span: at, Label: "nothing is included",
		})
		return
	}
	need := e.file.demand | add
	var found match
	for _, p := range patterns {
		if !e.spend(len(p), at) {
			return
		}
		m := e.glob(e.start(e.file.dir, p))
		found.files, found.partial, found.outside = append(found.files, m.files...), found.partial || m.partial, found.outside || m.outside
		if len(m.files) == 0 && !m.outside && len(patterns) > 1 && need&brace != 0 {
			e.noMatch(at, p, true)
		}
	}
	switch wild := hasWildcard(text); {
	case found.partial:
		e.report(diag.Diagnostic{
			Rule: "include-wide", Severity: diag.Warning, Message: fmt.Sprintf("%s looks into more than %d directories", text, maxDirectories),
			Span: at, Label: "not read to the end here; keepalived looks into all",
		})
	case found.outside:
		e.outside(at, text)
	case len(found.files) == 0 && (len(patterns) == 1 || need&brace == 0):
		e.noMatch(at, text, !wild && need&(readable|matched) != 0 || wild && need&wildcard != 0)
	}
	by := e.file
	for _, name := range slices.Backward(found.files) { // the last one pushed is read first
		src, err := e.open(name, by, at, inc.Span)
		if e.file == nil {
			return // the limit was reached
		}
		if errors.Is(err, ErrOutside) {
			e.outside(at, e.shown(name, by))
		} else if err != nil {
			e.unread(at, name, err, need&readable != 0)
		} else if src != nil {
			inc.Files = append(inc.Files, src)
		}
	}
	slices.Reverse(inc.Files)
	e.record.take(includeCost*(1+len(inc.Files)), inc.Span)
	e.record.includes = append(e.record.includes, inc)
}

// againCost is the minimum cost of including a file once more.
const againCost = 4 << 10

// open pushes a file; it returns nil for one that is being read already, under this name or a different one.
func (e *expander) open(abs string, by *file, at, via source.Span) (*source.Source, error) {
	real, err := e.real(abs)
	if err != nil {
		return nil, err
	}
	depth := 0
	for f := by; f != nil; f = f.by {
		d := diag.Diagnostic{Rule: "include-cycle", Severity: diag.Error, Span: at}
		switch depth++; {
		case f.real == real:
			d.Message, d.Label = abs+" includes itself", "keepalived reads it again and again until it runs out of files"
		case depth > maxDepth:
			d.Message, d.Label = fmt.Sprintf("includes nest deeper than %d", maxDepth), "is not read"
		default:
			continue
		}
		e.report(d)
		return nil, nil
	}
	base, known := e.texts[real]
	if !known {
		text, err := e.read(abs)
		if err != nil {
			return nil, err
		}
		base = source.New(e.shown(abs, by), text)
		e.texts[real] = base
	} else if !e.spend(max(len(base.Text), againCost), at) {
		return nil, nil
	}
	src := base.View(via, "included from")
	src.Name = e.shown(abs, by)
	e.push(&file{textLines: newTextLines(src, e.record), by: by, abs: abs, real: real, dir: path.Dir(abs), name: src.Name, demand: by.demand})
	return src, nil
}

// outside reports an include of files that may not be read.
func (e *expander) outside(at source.Span, pattern string) {
	d := diag.Diagnostic{
		Rule: "include-outside", Severity: diag.Info, Message: fmt.Sprintf("%s is not read: it leads out of %s", pattern, e.opts.Files.Bounds()),
		Span: at, Label: "its content is not checked",
		Help: "--root DIR reads absolute names below DIR, --allow-outside reads files wherever they are",
	}
	if e.opts.Files.Below != "" || !path.IsAbs(pattern) {
		d.Help = "--allow-outside reads files wherever they are"
	}
	e.report(d)
}

// unquoted returns an include pattern without quotes, which older versions of the reference remove and newer ones do
// not.
func (e *expander) unquoted(pattern line) string {
	text := strings.ReplaceAll(pattern.text, `"`, "")
	if text == pattern.text {
		return text
	}
	at := pattern.span(0, len(pattern.text))
	e.report(diag.Diagnostic{
		Rule: "include-quotes", Severity: diag.Error, Message: "quotes around the name of an included file",
		Span: at, Label: "newer versions of keepalived take them for a part of the name",
		Fixes: []diag.Fix{{Title: "remove the quotes", Edits: []diag.Edit{{Span: at, Text: text}}}},
	})
	return text
}

func (e *expander) noMatch(at source.Span, pattern string, demanded bool) {
	if e.seen[place{"bare-reference", at.Source.Name, at.Start}] {
		return
	}
	d := diag.Diagnostic{
		Rule: "include-not-found", Severity: diag.Warning, Message: fmt.Sprintf("no file %s", pattern),
		Span: at, Label: "keepalived goes on without it", Host: path.IsAbs(pattern) && e.opts.Files.Below == "",
	}
	switch {
	case demanded:
		d.Severity, d.Label = diag.Error, "keepalived demands it here"
	case hasWildcard(pattern):
		d.Severity = diag.Info
		d.Message = fmt.Sprintf("no file matches %s", pattern)
	}
	switch {
	case strings.HasSuffix(pattern, ";"):
		d.Severity = max(d.Severity, diag.Warning)
		d.Help = "delete the semicolon: it is a part of the name"
	case strings.ContainsAny(pattern, " \t"):
		d.Help = "write one name on a line: a blank is a part of the name"
	case strings.HasPrefix(path.Base(at.Text()), "~"), strings.Contains(pattern, "/~"), strings.ContainsAny(pattern, "$"):
		d.Help = "write the name out: keepalived has no shell that replaces ~ and $"
	}
	e.report(d)
}

func (e *expander) unread(at source.Span, name string, err error, demanded bool) {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err
	}
	d := diag.Diagnostic{
		Rule: "include-unread", Severity: diag.Warning, Message: fmt.Sprintf("%s %v", name, err),
		Span: at, Label: "keepalived skips it", Host: path.IsAbs(at.Text()) && e.opts.Files.Below == "",
	}
	if !slices.Contains([]error{errDirectory, errNotRegular, errExecutable, errTooLarge, errLinks}, err) {
		d.Severity, d.Message, d.Label = diag.Error, fmt.Sprintf("%s cannot be read: %v", name, err), "its content is not checked"
	}
	if demanded {
		d.Severity, d.Label = diag.Error, "keepalived demands that it can be read"
	}
	e.report(d)
}
