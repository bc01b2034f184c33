// Package source records where text came from: a Span always leads back to file, line and column.
package source

import (
	"bytes"
	"fmt"
	"sort"
	"sync"
	"unicode/utf8"
	"unsafe"
)

// A Source is one text with a name. Several Sources may share one text: an include or a use of a definition makes a view
// whose Via span is the place that brought the text in.
type Source struct {
	// Name is the file name as the user gave it, or "<stdin>".
	Name string
	// Text holds the bytes as read; it never changes.
	Text []byte
	// Via is the include line or the use of a definition that brought this text in; zero for a file named by the user.
	Via Span
	// How is what Via did: "included from", "used at". Empty if Via is zero.
	How string

	table *table
}

// A table has the positions of the lines of a text, computed on demand. All views of the text share it.
type table struct {
	once  sync.Once
	lines []int32
}

// New returns a Source for a file that the user named.
func New(name string, text []byte) *Source { return &Source{Name: name, Text: text, table: &table{}} }

// View returns a Source with the same text, reached through via.
func (s *Source) View(via Span, how string) *Source {
	return &Source{Name: s.Name, Text: s.Text, Via: via, How: how, table: s.table}
}

// Same reports whether two Sources are views of the same text.
func (s *Source) Same(o *Source) bool { return s.table == o.table }

// String returns Text as a string that shares its bytes, which is safe because they never change. Large configurations
// are kept in memory once.
func (s *Source) String() string { return unsafe.String(unsafe.SliceData(s.Text), len(s.Text)) }

// starts returns where each line of the text starts.
func (s *Source) starts() []int32 {
	t := s.table
	t.once.Do(func() {
		t.lines = make([]int32, 1, 1+bytes.Count(s.Text, []byte("\n")))
		for at, n := 0, 0; n >= 0; at += n + 1 {
			if n = bytes.IndexByte(s.Text[at:], '\n'); n >= 0 {
				t.lines = append(t.lines, int32(at+n+1))
			}
		}
	})
	return t.lines
}

// Line returns the text of line n (from 1) without its line end; empty if there is no such line.
func (s *Source) Line(n int) string {
	t := s.starts()
	if n < 1 || n > len(t) {
		return ""
	}
	end := len(s.Text)
	if n < len(t) {
		end = int(t[n]) - 1
	}
	return string(bytes.TrimRight(s.Text[t[n-1]:end], "\r\n"))
}

// LineEnd returns what ends the first line of the text; a newline if the text has only one line.
func (s *Source) LineEnd() string {
	if n := bytes.IndexByte(s.Text, '\n'); n > 0 && s.Text[n-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// Span returns the half-open span of bytes [start, end).
func (s *Source) Span(start, end int) Span {
	return Span{Source: s, Start: int32(start), End: int32(end)}
}

// A Span is a half-open range of bytes of one Source. The zero Span means "nowhere".
type Span struct {
	Source     *Source
	Start, End int32
}

// IsZero reports whether the span points nowhere.
func (p Span) IsZero() bool { return p.Source == nil }

// Text returns the bytes the span covers.
func (p Span) Text() string {
	if p.IsZero() {
		return ""
	}
	return string(p.Source.Text[p.Start:p.End])
}

// To returns the span from the start of p to the end of q; just p if the two are not in the same text.
func (p Span) To(q Span) Span {
	if q.Source != p.Source || q.End < p.Start {
		return p
	}
	return Span{Source: p.Source, Start: p.Start, End: q.End}
}

// Holds reports whether q is within p, whatever brought the two texts in.
func (p Span) Holds(q Span) bool {
	return !p.IsZero() && !q.IsZero() && p.Source.Same(q.Source) && p.Start <= q.Start && q.End <= p.End
}

// Starts reports whether two spans start at the same place of the same file.
func (p Span) Starts(q Span) bool {
	if p.IsZero() || q.IsZero() {
		return p.IsZero() == q.IsZero()
	}
	return p.Source.Name == q.Source.Name && p.Start == q.Start
}

// Before orders spans by file name, then by position.
func (p Span) Before(q Span) bool {
	switch {
	case p.IsZero() || q.IsZero():
		return !p.IsZero() && q.IsZero()
	case p.Source.Name != q.Source.Name:
		return p.Source.Name < q.Source.Name
	case p.Start != q.Start:
		return p.Start < q.Start
	default:
		return p.End < q.End
	}
}

// A Position is a place for people: line and column count from 1, columns in runes.
type Position struct {
	File      string
	Line, Col int
}

func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

// Position returns where the span starts.
func (p Span) Position() Position { return p.position(p.Start) }

// EndPosition returns where the span ends (the first place after it).
func (p Span) EndPosition() Position { return p.position(p.End) }

// Lines returns the numbers of the lines, from 1, in which the span starts and ends; 0 for the zero span.
func (p Span) Lines() (first, last int) {
	if p.IsZero() {
		return 0, 0
	}
	return p.Source.lineAt(p.Start), p.Source.lineAt(p.End)
}

// Line returns the span of the line in which p starts, without its newline.
func (p Span) Line() Span {
	if p.IsZero() {
		return p
	}
	t, n := p.Source.starts(), p.Source.lineAt(p.Start)
	line := Span{Source: p.Source, Start: t[n-1], End: int32(len(p.Source.Text))}
	if n < len(t) {
		line.End = t[n] - 1
	}
	return line
}

// lineAt returns the number, from 1, of the line that contains the position.
func (s *Source) lineAt(off int32) int {
	t := s.starts()
	return sort.Search(len(t), func(i int) bool { return t[i] > off })
}

func (p Span) position(off int32) Position {
	if p.IsZero() {
		return Position{}
	}
	n := p.Source.lineAt(off)
	start := p.Source.starts()[n-1]
	return Position{File: p.Source.Name, Line: n, Col: utf8.RuneCount(p.Source.Text[start:off]) + 1}
}

// String returns file:line:col, or "" for the zero span.
func (p Span) String() string {
	if p.IsZero() {
		return ""
	}
	return p.Position().String()
}
