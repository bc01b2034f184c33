// Package diag has the one type for every finding in the program.
package diag

import (
	"slices"
	"strings"

	"keepc/grammar/source"
)

// Severity says how bad a finding is. The zero value is not a severity.
type Severity int

// Info is worth knowing; Warning works but is surely not meant; Error means that keepalived rejects or misreads the
// line, or that traffic is lost.
const (
	Info Severity = iota + 1
	Warning
	Error
)

func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return "no severity"
}

// A Diagnostic is one finding: one cause, one message.
type Diagnostic struct {
	Rule     string // kebab-case name, for "keepc explain RULE"
	Former   string // the name that this had before it became part of the rule; empty: none
	Severity Severity
	Message  string        // what was found, lower case, no full stop
	Span     source.Span   // where
	More     []source.Span // other places with the same finding: the same words, brought in again, or templates
	Label    string        // what was expected; shown beside the caret
	Notes    []Note        // why it matters, other places
	Help     string        // what to do
	Fixes    []Fix         // each repairs the finding by itself; exactly one if --fix may apply it
	Loss     Loss          // what keepalived does there; zero: as the rule says
	Kind     Kind          // its subject, for findings that it may follow from
	Spoils   []Spoil       // the findings that follow from it
	AsBad    bool          // it is an error if what it spoils is one
	Plural   [2]string     // the message for several, with %d for their number, and the label; empty: several in a text are not merged
	Host     bool          // wrong on this machine only: an interface, user or file is missing
	IDs      []string      // of the readings that have it, if there are several; empty: all

	Fingerprint string // stays the same when the line moves; empty: not known yet
}

// Named reports whether a name is that of the rule, or the one that this had before it became part of the rule.
func (d *Diagnostic) Named(name string) bool { return name == d.Rule || name == d.Former }

// A Note explains a finding; with a span it shows another place.
type Note struct {
	Message string
	Span    source.Span
}

// A Fix repairs a finding by edits of the text that do not overlap.
type Fix struct {
	Title string
	Edits []Edit
}

// An Edit replaces the bytes of a span; an empty span inserts, an empty text deletes.
type Edit struct {
	Span source.Span
	Text string
}

// List holds findings in the order in which they were made, until Sort.
type List []Diagnostic

// Add appends a finding.
func (l *List) Add(d Diagnostic) { *l = append(*l, d) }

// Sort orders findings by place, whatever their severity: file as named, then position, then rule; equal findings at
// one place become one.
func (l *List) Sort() {
	slices.SortStableFunc(*l, func(a, b Diagnostic) int {
		switch {
		case a.Span.Before(b.Span):
			return -1
		case b.Span.Before(a.Span):
			return 1
		}
		return strings.Compare(a.Rule, b.Rule)
	})
	*l = slices.CompactFunc(*l, func(a, b Diagnostic) bool {
		return a.Rule == b.Rule && a.Message == b.Message && a.Span.Starts(b.Span)
	})
}

// Count returns how many findings have the severity.
func (l List) Count(s Severity) int {
	n := 0
	for _, d := range l {
		if d.Severity == s {
			n++
		}
	}
	return n
}

// Has reports whether a finding is at or above the severity.
func (l List) Has(s Severity) bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity >= s })
}
