package grammar

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// Options are what a configuration can ask about the place where it is read.
type Options struct {
	// Files is where includes are read from.
	Files Files
	// ID is the configuration id that selects "@id" lines: that of -i, or else the host name up to its first dot.
	ID string
	// IDs are all ids that the configuration is read for, once each; conditions on any other id are findings. Empty
	// means unknown.
	IDs []string
	// Instance is the value of ${_INSTANCE}; empty: ID.
	Instance string
	// Env returns the value of an environment variable, for ${_ENV NAME}; nil: the environment is not read.
	Env func(name string) string
	// Version is the keepalived that reads the configuration, such as "2.2.7". Empty means any from 2.2.7 to 2.4.3:
	// what one of them loses is a finding, and the text is read as 2.2.7 does.
	Version string
	// Seed seeds the numbers of ${_RANDOM}; nil: each ID has its own. The same seed gives the same configuration.
	Seed *uint32
	// AllConfig makes every include demand its files, as the reference's option -e does.
	AllConfig bool
	// Nests reports whether a block can be in another one; "" is the file. It helps to find a brace that is missing in
	// one place if another is superfluous elsewhere; nil: unknown.
	Nests func(outer, word string) bool

	limit int // for tests, instead of maxExpansion
}

// LoadText reads the text of a file with its includes and definitions expanded. Relative includes start at the name of
// the source.
func LoadText(src *source.Source, opts Options) (*File, diag.List) {
	texts := map[string]*source.Source{}
	again := func(r *record) lines { return newExpander(src, opts, texts, r) }
	file, found := parse(src, again, opts.Nests)
	file.again = again
	return file, found
}

// An expander reads the lines of a file and of what it includes, without the lines for other hosts, and with
// definitions and sequences replaced. A line that needs none of this is passed on unchanged.
type expander struct {
	finder
	opts   Options
	record *record
	texts  map[string]*source.Source // the files read, by paths without symbolic links

	stack    []lines // where lines come from, the innermost last: files, multi-line definitions, sequences
	file     *file   // the innermost file
	defining *definition
	spent    int

	defs      map[string]*definition
	views     map[*source.Source]*definition // the uses of definitions
	mentioned map[string]bool                // names in text that is not for this host
	heads     []source.Span                  // lines that would open a block on other hosts
	others    map[string]source.Span         // definitions that are not for this host
	ids       map[string]bool                // of the conditions read so far
	undefined []undefined
	seen      map[place]bool
	random    *randomNumbers // nil: none was drawn yet
}

// A place is where a rule found something, however often the text was used.
type place struct {
	rule, file string
	at         int32
}

// reported reports whether the rule has a finding for this text already, and records that it has one from now on.
func (e *expander) reported(rule string, at source.Span) bool {
	p := place{rule, at.Source.Name, at.Start}
	before := e.seen[p]
	e.seen[p] = true
	return before
}

// first reports whether a finding is the first of its rule about a text as written, and there is room for it.
func (e *expander) first(rule string, severity diag.Severity, at source.Span) bool {
	return !e.record.findings.Full(severity) && !e.reported(rule, at)
}

// report adds a finding, once for each text as written.
func (e *expander) report(d diag.Diagnostic) {
	if e.first(d.Rule, d.Severity, d.Span) {
		e.record.add(d)
	}
}

// A file is a text that is being read.
type file struct {
	*textLines
	by        *file  // that includes it
	abs, name string // the absolute path, and how it is shown
	real      string // the path without symbolic links
	dir       string // the absolute path of its directory
	demand    demand // what its includes must satisfy
}

// shown returns the path of a file for people: relative like that of the including file if it is below that file's
// directory, otherwise relative to the working directory if it is below that.
func (e *expander) shown(abs string, by *file) string {
	if rest, ok := strings.CutPrefix(abs, strings.TrimSuffix(by.dir, "/")+"/"); ok {
		return path.Join(path.Dir(by.name), rest)
	}
	if rest, ok := strings.CutPrefix(abs, e.opts.Files.Dir+"/"); ok && e.opts.Files.Dir != "" {
		return rest
	}
	return abs
}

func newExpander(src *source.Source, opts Options, texts map[string]*source.Source, r *record) *expander {
	e := &expander{
		opts: opts, record: r, texts: texts,
		seen: map[place]bool{}, defs: map[string]*definition{}, views: map[*source.Source]*definition{}, mentioned: map[string]bool{}, others: map[string]source.Span{}, ids: map[string]bool{},
	}
	if e.opts.limit == 0 {
		e.opts.limit = maxExpansion
	}
	abs := opts.Files.abs(src.Name)
	e.Files = opts.Files.With(path.Dir(abs))
	top := &file{textLines: newTextLines(src, r), abs: abs, real: abs, name: src.Name, dir: path.Dir(abs)}
	if real, err := e.Files.real(abs); err == nil {
		top.real = real
	}
	if opts.AllConfig {
		top.demand = all
	}
	e.push(top)
	return e
}

func (e *expander) push(l lines) {
	e.stack = append(e.stack, l)
	if f, ok := l.(*file); ok {
		e.file = f
	}
}

// pop removes what has no more lines.
func (e *expander) pop() {
	last := e.stack[len(e.stack)-1]
	e.stack = e.stack[:len(e.stack)-1]
	if _, ok := last.(*file); !ok {
		return
	}
	e.defining, e.file = nil, nil
	for _, l := range slices.Backward(e.stack) {
		if f, ok := l.(*file); ok {
			e.file = f
			return
		}
	}
}

// next implements lines.
func (e *expander) next(l *line) bool {
	for len(e.stack) > 0 && !e.record.full() {
		from := e.stack[len(e.stack)-1]
		if !from.next(l) {
			e.pop()
			continue
		}
		_, written := from.(*file)
		if !written && !e.spend(len(l.text), l.span(0, len(l.text))) {
			break
		}
		if e.defining == nil && isPlain(l) {
			return true
		}
		var ok bool
		if *l, ok = e.process(*l, written); ok {
			if l.pieces != nil {
				e.record.take(len(l.text)+stmtCost, l.span(0, len(l.text)))
			}
			return true
		}
	}
	e.finish()
	return false
}

// isPlain reports whether a line needs no expansion.
func isPlain(l *line) bool {
	text := l.text
	if !l.dull && (strings.IndexByte(text, '$') >= 0 || strings.HasSuffix(text, `\`)) {
		return false
	}
	for i := range len(text) {
		switch text[i] {
		case ' ', '\t':
			continue
		case '@', '~', '\\':
			return false
		case 'i':
			return !strings.HasPrefix(text[i:], "include")
		}
		break
	}
	return true
}

// maxExpansion is the number of bytes that definitions, sequences and repeated includes may produce. maxExpandedLine
// is the number for one line, where the reference stops at 1024, and the number that is read of a written line.
// maxRounds is how often an expanded line may need further expansion.
const (
	maxExpansion    = 64 << 20
	maxExpandedLine = 8 << 10
	maxRounds       = 64
	shortCost       = 64 // the minimum cost of a short text, whose cost is not in its bytes
)

// spend counts n bytes of expansion, and more for short texts, whose cost is not in their bytes. It stops the reading
// and returns false if that is too much.
func (e *expander) spend(n int, at source.Span) bool {
	if e.spent += max(n, shortCost); e.spent <= e.opts.limit {
		return true
	}
	if len(e.stack) > 0 {
		e.report(diag.Diagnostic{
			Rule: "limit-met", Former: "expansion-too-large", Severity: diag.Error,
			Message: fmt.Sprintf("definitions, sequences and includes make more than %d MiB", e.opts.limit>>20),
			Span:    at, Label: "nothing is read from here on",
		})
	}
	e.stack, e.file, e.record.cut = nil, nil, true
	return false
}

// process expands a line, or consumes it; written reports whether it is in a file and not the result of an expansion.
func (e *expander) process(l line, written bool) (line, bool) {
	whole := l
	l, continued, commented := e.strip(l, written)
	if e.defining != nil && e.extend(l, continued, commented) {
		return line{}, false
	}
	if add, pattern, ok := isInclude(l); ok && written {
		if pattern.text != "" {
			e.includeWritten(l, add, pattern)
			return line{}, false
		}
	}
	for range maxRounds {
		if l.text == "" {
			break
		}
		if l.text[0] == '@' {
			ok := false
			if l, ok = e.condition(l, continued); !ok {
				return line{}, false
			}
		}
		if e.define(l, continued) || e.repeat(l) {
			if commented && e.defining != nil {
				e.commentEnds(l)
			}
			return line{}, false
		}
		expanded, changed := e.substitute(l)
		if e.file == nil {
			return line{}, false
		}
		if !changed {
			break
		}
		l, _, _ = e.strip(expanded, false)
	}
	if continued {
		at := strings.LastIndexByte(whole.text, '\\')
		e.lineContinuation(whole.span(at, at+1))
	}
	if add, pattern, ok := isInclude(l); ok && pattern.text != "" {
		e.includeMade(l, add, pattern)
		return line{}, false
	}
	if words, ok := strings.CutPrefix(l.text, "include_check"); ok && (words == "" || isBlank(words[0])) {
		e.checkInclude(strings.Fields(words))
	}
	return l, l.text != ""
}

// strip returns a line without its comment, blanks at the ends, and the backslash that continues it, and reports
// whether there was one, and whether it is in the comment. The reference looks for comments again in the result of an
// expansion.
func (e *expander) strip(l line, written bool) (stripped line, continued, commented bool) {
	at := -1
	if written {
		e.escapedMark(l)
		at = continuation(l.text, e.defining != nil)
		continued = at >= 0
	}
	cut, _ := commentStart(l.text)
	commented = continued && cut < at
	switch {
	case cut < len(l.text) && written:
		e.record.comment(&l, cut)
	case cut < len(l.text) && cut > 0:
		e.madeComment(l, cut)
	case cut < len(l.text):
		// A definition with the value # is a way to comment out lines conditionally.
	case continued:
		cut = at
	}
	return l.sub(l.trimmed(0, cut)), continued, commented
}

// continuation returns the position of the backslash that continues a line, or -1. In a definition blanks may follow
// it.
func continuation(text string, defining bool) int {
	bare := text
	if defining || isDefinition(strings.TrimLeft(text, blanks)) {
		bare = strings.TrimRight(text, blanks)
	}
	if n := len(bare) - len(strings.TrimRight(bare, `\`)); n%2 == 0 {
		return -1
	}
	return len(bare) - 1
}

// includeWritten follows an include line of a file. The reference follows these before any expansion, so that the name
// cannot come from a definition; older versions allow it.
func (e *expander) includeWritten(l line, add demand, pattern line) {
	if expanded, changed := e.substitute(pattern); changed {
		e.report(diag.Diagnostic{
			Rule: "include-expanded", Severity: diag.Warning, Message: "definition in the name of an included file",
			Span: pattern.span(0, len(pattern.text)), Label: "newer versions of keepalived take the name as it is written",
		})
		pattern = expanded
	}
	if e.file != nil {
		e.include(l, add, pattern)
	}
}

// includeMade follows an include line that was conditional or came from a definition.
func (e *expander) includeMade(l line, add demand, pattern line) {
	e.report(diag.Diagnostic{
		Rule: "include-expanded", Severity: diag.Warning, Message: "include on a line with a condition or from a definition",
		Span: l.span(0, len(l.text)), Label: "keepalived looks for includes before it looks at these",
		Notes: []diag.Note{{Message: "its processes each read the file on their own then, or not at all, by version"}},
	})
	e.include(l, add, pattern)
}

// maxRow is the number of consecutive lines that one finding is about.
const maxRow = 1000

// lineContinuation reports a backslash at the end of a line; consecutive lines share a finding.
func (e *expander) lineContinuation(at source.Span) {
	edit := diag.Edit{Span: at}
	alone := wordAlone(at)
	if last := e.record.last("line-continuation"); last != nil && len(last.Fixes) > 0 && !alone {
		edits := &last.Fixes[0].Edits
		previous := (*edits)[len(*edits)-1].Span
		if len(*edits) < maxRow && previous.Source == at.Source && bytes.Count(at.Source.Text[previous.End:at.Start], []byte("\n")) == 1 {
			*edits = append(*edits, edit)
			return
		}
	}
	d := diag.Diagnostic{
		Rule: "line-continuation", Severity: diag.Error, Message: "backslash at the end of a line",
		Span: at, Label: "keepalived reads it as a part of the last word, or as a word",
		Notes: []diag.Note{{Message: "only the lines of a definition go on, also where the backslash ends a comment"}},
		Kind:  diag.Backslash,
		Spoils: []diag.Spoil{
			{Span: at.Line(), Kinds: diag.Missing | diag.Split},
			{Span: diag.NextLine(at), Kinds: diag.Word},
		},
	}
	if !alone {
		d.Fixes = []diag.Fix{{Title: "delete the backslash", Edits: []diag.Edit{edit}}}
	}
	e.report(d)
}

// wordAlone reports whether a single word, other than a brace, is before a position on its line: its value may be on
// the next line.
func wordAlone(at source.Span) bool {
	before := at.Source.Text[:at.Start]
	words := bytes.Fields(before[bytes.LastIndexByte(before, '\n')+1:])
	return len(words) == 1 && len(bytes.Trim(words[0], "{}")) > 0
}

func (e *expander) escapedMark(l line) {
	text := strings.TrimLeft(l.text, " \t")
	if !strings.HasPrefix(text, `\!`) && !strings.HasPrefix(text, `\#`) {
		return
	}
	n := len(l.text) - len(text)
	d := diag.Diagnostic{
		Rule: "escaped-comment", Severity: diag.Error, Message: fmt.Sprintf("line that starts with %s", text[:2]),
		Span: l.span(n, n+2), Label: "keepalived crashes on it",
	}
	if text[1] == '#' {
		d.Label = "keepalived takes it for the name of a file in its later messages"
	}
	at := l.span(n, n+1)
	d.Fixes = []diag.Fix{{Title: "delete the backslash", Edits: []diag.Edit{{Span: at}}}}
	e.report(d)
}

func (e *expander) madeComment(l line, cut int) {
	e.report(diag.Diagnostic{
		Rule: "comment-from-definition", Severity: diag.Warning, Message: "the value of a definition starts a comment here",
		Span: l.span(cut, cut+1), Label: "the rest of the line is lost",
		Help: "put double quotes around the word",
	})
}
