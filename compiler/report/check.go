// Package report shows findings and plans. Every screen and format is made from one model, which is also the JSON form.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// CheckVersion is the version of the JSON form of findings; it grows when a field changes its meaning or is removed.
const CheckVersion = 1

// A Check is the findings of a run.
type Check struct {
	Version  int       `json:"version"`
	Files    []string  `json:"files"` // those named by the user
	Unread   []Unread  `json:"unread,omitempty"`
	Summary  Summary   `json:"summary"`
	Findings []Finding `json:"findings"`
	Groups   []Group   `json:"groups,omitempty"` // of a cluster: the virtual routers that a finding is about
	Gone     []Known   `json:"gone,omitempty"`   // findings of the baseline that are no longer found

	Statistics []Statistic `json:"statistics,omitempty"` // with --statistics

	Program string    `json:"-"` // the version of keepc
	Page    string    `json:"-"` // the URL of a page about the rules, with their names as anchors; empty: there is none
	Time    time.Time `json:"-"` // of the check
}

// An Unread is a file that was named and could not be read.
type Unread struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

// A Summary counts findings.
type Summary struct {
	Errors     int `json:"errors"`
	Warnings   int `json:"warnings"`
	Infos      int `json:"infos"`
	Repairable int `json:"repairable"`      // that --fix repairs
	Known      int `json:"known,omitempty"` // not shown: the baseline has them
}

// String returns the counts as a person reads them: "2 errors, 1 warning".
func (s Summary) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		noun string
	}{{s.Errors, "error"}, {s.Warnings, "warning"}, {s.Infos, "info"}} {
		if p.n > 0 {
			parts = append(parts, Count(p.n, p.noun))
		}
	}
	return strings.Join(parts, ", ")
}

// Add counts a finding.
func (s *Summary) Add(severity diag.Severity) {
	switch severity {
	case diag.Error:
		s.Errors++
	case diag.Warning:
		s.Warnings++
	default:
		s.Infos++
	}
}

// Plus returns the sum of two counts.
func (s Summary) Plus(o Summary) Summary {
	return Summary{s.Errors + o.Errors, s.Warnings + o.Warnings, s.Infos + o.Infos, s.Repairable + o.Repairable, s.Known + o.Known}
}

// Findings returns the number of findings of all severities.
func (s Summary) Findings() int { return s.Errors + s.Warnings + s.Infos }

// A Finding is one finding. Lines and columns count from 1, columns in characters; the end is the first position after
// it.
type Finding struct {
	Rule      string   `json:"rule"`
	Severity  string   `json:"severity"`
	Loss      string   `json:"loss,omitempty"` // of an error: what keepalived does there: keeps, value, word, block, instance, ends
	Message   string   `json:"message"`
	File      string   `json:"file"`
	Path      string   `json:"path,omitempty"` // the statement and those around it: "vrrp_instance VI_1/priority"
	Line      int      `json:"line,omitempty"`
	Column    int      `json:"column,omitempty"`
	EndLine   int      `json:"end_line,omitempty"`
	EndColumn int      `json:"end_column,omitempty"`
	Excerpt   *Excerpt `json:"excerpt,omitempty"`
	Label     string   `json:"label,omitempty"`
	Notes     []Note   `json:"notes,omitempty"`
	Help      string   `json:"help,omitempty"`
	Fixes     []Fix    `json:"fixes,omitempty"`
	Host      bool     `json:"host,omitempty"` // wrong on this machine only
	IDs       []string `json:"ids,omitempty"`  // of the readings that have it; empty: all
	Fails     bool     `json:"fails"`          // makes check exit with 1

	// Fingerprint stays the same when the line of a finding moves.
	Fingerprint string `json:"fingerprint"`
}

// readers names the ids of the readings that have a finding: " (id lb1)". It is empty if all have it.
func (f Finding) readers() string {
	switch len(f.IDs) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" (id %s)", f.IDs[0])
	}
	return fmt.Sprintf(" (ids %s)", strings.Join(f.IDs, ", "))
}

// A Note is an explanation, or another place that matters.
type Note struct {
	Message string   `json:"message"`
	File    string   `json:"file,omitempty"`
	Line    int      `json:"line,omitempty"`
	Column  int      `json:"column,omitempty"`
	Excerpt *Excerpt `json:"excerpt,omitempty"`
}

// A Fix repairs a finding; if there is exactly one, --fix applies it.
type Fix struct {
	Title string `json:"title"`
	Edits []Edit `json:"edits"`
}

// An Edit replaces the text between two places.
type Edit struct {
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	EndLine   int    `json:"end_line"`
	EndColumn int    `json:"end_column"`
	Text      string `json:"text"`
}

// A File is what was found in one file that the user named.
type File struct {
	Name     string
	Findings diag.List
	Secrets  []source.Span // never shown
	Tree     *grammar.File // nil: not known
	Fatal    diag.Severity // the lowest severity that fails the check
}

// NewCheck builds the model of the findings of some files, in the order of the files.
func NewCheck(files []File) Check {
	c := Check{Version: CheckVersion, Files: []string{}, Findings: []Finding{}}
	for _, f := range files {
		c.Files = append(c.Files, printable(f.Name))
		for _, d := range f.Findings {
			c.Findings = append(c.Findings, f.finding(d))
			c.Summary.Add(d.Severity)
			if len(d.Fixes) == 1 {
				c.Summary.Repairable++
			}
		}
	}
	return c
}

func (f File) finding(d diag.Diagnostic) Finding {
	from, to, here := d.Span.Position(), d.Span.EndPosition(), f.spot(d.Span)
	m := Finding{
		Rule: d.Rule, Severity: d.Severity.String(), Message: d.Message,
		File: printable(cmp.Or(from.File, f.Name)), Path: f.path(d.Span), Line: from.Line, Column: from.Col, EndLine: to.Line, EndColumn: to.Col,
		Excerpt: here.excerpt(), Label: d.Label, Help: d.Help, Host: d.Host, IDs: d.IDs,
		Fails: d.Severity >= f.Fatal, Fingerprint: d.Fingerprint,
	}
	if d.Severity == diag.Error {
		m.Loss = d.Loss.String()
	}
	here.scrub(&m.Message, &m.Label, &m.Help)
	m.Message, m.Label, m.Help = printable(m.Message), printable(m.Label), printable(m.Help)
	for _, n := range d.Notes {
		at, there := n.Span.Position(), f.spot(n.Span)
		here.scrub(&n.Message)
		there.scrub(&n.Message)
		m.Notes = append(m.Notes, Note{Message: printable(n.Message), File: printable(at.File), Line: at.Line, Column: at.Col, Excerpt: there.excerpt()})
	}
	for src := d.Span.Source; src != nil && !src.Via.IsZero(); src = src.Via.Source {
		m.Notes = append(m.Notes, Note{Message: printable(src.How + " " + src.Via.String())})
	}
	m.Notes = append(m.Notes, again(d)...)
	for _, fix := range d.Fixes {
		if slices.ContainsFunc(fix.Edits, func(e diag.Edit) bool { return Hide(e.Text) != e.Text }) {
			continue // it would reveal the secret
		}
		here.scrub(&fix.Title)
		m.Fixes = append(m.Fixes, newFix(fix))
	}
	return m
}

// again says where else the words of a finding come from: the first few places, and how many more.
func again(d diag.Diagnostic) (notes []Note) {
	const few = 3
	if len(d.More) == 0 {
		return nil
	}
	seen, rest := []string{d.Span.Source.Via.String()}, len(d.More)
	for _, s := range d.More {
		if via := s.Source.Via.String(); len(notes) < few && !slices.Contains(seen, via) {
			notes = append(notes, Note{Message: printable("also " + s.Source.How + " " + via)})
			seen = append(seen, via)
			rest--
		}
	}
	if rest > 0 {
		notes = append(notes, Note{Message: fmt.Sprintf("and %d times more", rest)})
	}
	return notes
}

// path names the statement at a place, with the blocks around it. Values are not part of the path.
func (f File) path(at source.Span) string {
	if f.Tree == nil || at.IsZero() {
		return ""
	}
	var parts []string
	secret := func(at source.Span) bool { return slices.Contains(f.Secrets, at) }
	for _, s := range f.Tree.Around(at) {
		words := s.Words[:1]
		if s.Block != nil {
			words = s.Words
		}
		parts = append(parts, printable(hideWords(words, secret)))
	}
	return strings.Join(parts, "/")
}

func newFix(fix diag.Fix) Fix {
	m := Fix{Title: fix.Title}
	for _, e := range fix.Edits {
		from, to := e.Span.Position(), e.Span.EndPosition()
		m.Edits = append(m.Edits, Edit{File: printable(from.File), Line: from.Line, Column: from.Col, EndLine: to.Line, EndColumn: to.Col, Text: e.Text})
	}
	return m
}
