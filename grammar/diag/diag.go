// Package diag is the one shape of every finding in the program.
package diag

import (
	"slices"
	"strings"

	"keepc/grammar/source"
)

// Severity says how bad a finding is. The zero value is not a severity.
type Severity int

// Info tells something worth knowing; Warning works but is surely not meant; Error means that keepalived rejects or
// misreads the line, or that traffic is lost.
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
	Rule     string // kebab-case name, as in "keepc explain RULE"
	Severity Severity
	Message  string        // what was found, lower case, no full stop
	Span     source.Span   // where
	More     []source.Span // other places with the same finding: the same words, brought in again, or templates
	Label    string        // what was expected; stands beside the caret
	Notes    []Note        // why it matters, other places
	Help     string        // what to do
	Fixes    []Fix         // each alone repairs the finding; exactly one when --fix may apply it
	Loss     Loss          // what keepalived does there; zero: what the rule says
	Kind     Kind          // what it is about, for those that it may follow from
	Spoils   []Spoil       // the findings that follow from it
	AsBad    bool          // it is an error where what it spoils is one
	Plural   [2]string     // the message, with %d for the number, and the label of several; empty: several of a text are not one finding
	Host     bool          // wrong only on this machine: an interface, user or file is missing here
	IDs      []string      // of the readings that have it, where several are looked at; empty: all

	Fingerprint string // the same for a finding whose line moved; empty: not known yet
}

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

// List holds findings in the order in which they were made until Sort.
type List []Diagnostic

// Add appends a finding.
func (l *List) Add(d Diagnostic) { *l = append(*l, d) }

// Sort orders by severity-independent place: file as named, then position, then rule; equal findings at one place become one.
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

// Has tells whether a finding is at or above the severity.
func (l List) Has(s Severity) bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity >= s })
}
