package diag

import (
	"slices"
	"strings"
	"unicode"

	"keepc/grammar/source"
)

// A Kind is the subject of a finding, as far as the finding may follow from another one: a set of the kinds below. A
// finding with the zero value follows from none.
type Kind uint32

// The kinds.
const (
	Value     Kind = 1 << iota // a word is not what its keyword takes
	Word                       // an unknown word
	Misplaced                  // a word of a different block
	Missing                    // a line ends too early
	Split                      // a line continues in the next one
	Extra                      // surplus words on a line
	Option                     // a word after the subject of a line that is not an option
	Addresses                  // an instance without addresses
	Interface                  // an instance without an interface
	Pair                       // a password without its type, or the other way around
	Comment                    // a comment that starts within a word
	Brace                      // a brace that closes nothing
	Reference                  // a reference to no definition
	Backslash                  // a backslash that continues nothing
	Quote                      // a quote without a partner
	Sense                      // the meaning of a line; only errors
	Remark                     // a line that is otherwise right: any error of Sense on it is a cause
)

// A Spoil is a part of a text that a finding spoils: findings of the kinds there follow from it and are not shown.
type Spoil struct {
	Span  source.Span // where; zero: everywhere
	Text  string      // the $NAME that such a finding mentions, also as ${NAME}; empty: anything
	Kinds Kind
	First bool // only the first finding after the start of the span
}

// LineFrom returns the span from a place to the end of its line.
func LineFrom(at source.Span) source.Span {
	at.End = at.Line().End
	return at
}

// LineTo returns the span from the start of its line to the end of a place.
func LineTo(at source.Span) source.Span {
	at.Start = at.Line().Start
	return at
}

// NextLine returns the span of the line below that of a place; empty at the end of the text.
func NextLine(at source.Span) source.Span {
	if at.IsZero() {
		return at
	}
	at.Start = min(at.Line().End+1, int32(len(at.Source.Text)))
	return at.Line()
}

// Spare is what a missing brace spoils that should be at a place: the first brace after it that closes nothing.
func Spare(at source.Span) []Spoil {
	if at.IsZero() {
		return nil
	}
	return []Spoil{{Span: at.Source.Span(int(at.End), len(at.Source.Text)), Kinds: Brace, First: true}}
}

// Causes drops the findings that follow from others. A finding with AsBad gets the severity of what it spoils. Each
// dropped finding follows, directly or through others, from one that stays. It does not change l.
func (l List) Causes() List {
	all := spoilsOf(l)
	if all == nil {
		return l
	}
	follows := make([]int, len(l)) // for each finding, the index of the one that it follows from, or none
	for i, d := range l {
		follows[i] = all.cause(d, i)
	}
	l.breakCycles(follows)
	var senses []source.Span // of the errors
	for i := range l {
		if d := &l[i]; d.Severity == Error && d.Kind&Sense != 0 {
			senses = append(senses, d.Span)
		}
	}
	left := make(List, 0, len(l))
	for i, d := range l {
		if follows[i] != none {
			continue
		}
		d.Spoils = nil
		if d.AsBad && slices.ContainsFunc(senses, func(s source.Span) bool { return s.Holds(d.Span) }) {
			d.Severity = Error
		}
		left.Add(d)
	}
	return left
}

// none means no finding.
const none = -1

// breakCycles makes the first finding of each cycle, in file order, follow from none.
func (l List) breakCycles(follows []int) {
	walks := make([]int, len(l)) // the last walk that visited a finding; 0: none
	for i := range l {
		at := i
		for at != none && walks[at] == 0 {
			walks[at] = i + 1
			at = follows[at]
		}
		if at == none || walks[at] != i+1 {
			continue // it ends where a different walk did
		}
		first := at
		for o := follows[at]; o != at; o = follows[o] {
			if l[o].Span.Before(l[first].Span) {
				first = o
			}
		}
		follows[first] = none
	}
}

// spoils indexes what findings spoil: by name if it has a text, otherwise by line if it is within one.
type spoils struct {
	names map[string][]*spoil // by the leading letters, digits and _ of a name
	lines map[textLine][]*spoil
	wide  []*spoil
}

// A spoil is a Spoil of a finding.
type spoil struct {
	Spoil
	of   int  // the index of the finding
	used bool // it is only for the first finding, and has been used
}

// A textLine is a line of a text.
type textLine struct {
	file   string
	number int
}

// spoilsOf collects what the findings spoil; nil: nothing.
func spoilsOf(l List) *spoils {
	var all *spoils
	remarks := slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Kind&Remark != 0 })
	for i, d := range l {
		spoiled := d.Spoils
		if remarks && d.Severity == Error && d.Kind&Sense != 0 && d.Kind&Remark == 0 && !d.Span.IsZero() {
			spoiled = append(slices.Clip(spoiled), Spoil{Span: d.Span.Line(), Kinds: Remark})
		}
		for _, s := range spoiled {
			if all == nil {
				all = &spoils{names: map[string][]*spoil{}, lines: map[textLine][]*spoil{}}
			}
			all.add(&spoil{Spoil: s, of: i})
		}
	}
	return all
}

func (all *spoils) add(s *spoil) {
	first, last := s.Span.Lines()
	switch {
	case s.Text != "":
		name := nameStart(s.Text[1:])
		all.names[name] = append(all.names[name], s)
	case s.Span.IsZero() || first != last:
		all.wide = append(all.wide, s)
	default:
		at := textLine{s.Span.Source.Name, first}
		all.lines[at] = append(all.lines[at], s)
	}
}

// cause returns the index of the finding that the given one, at index i, follows from, or none.
func (all *spoils) cause(d Diagnostic, index int) int {
	if d.Severity < Error {
		d.Kind &^= Sense
	}
	if d.Kind == 0 || d.Span.IsZero() {
		return none
	}
	cause := none
	explains := func(s *spoil) bool {
		if s.of == index || s.Kinds&d.Kind == 0 || s.used || !s.reaches(d.Span) {
			return false
		}
		s.used = s.First
		cause = s.of
		return true
	}
	first, last := d.Span.Lines()
	for n := first; n <= last; n++ {
		if slices.ContainsFunc(all.lines[textLine{d.Span.Source.Name, n}], explains) {
			return cause
		}
	}
	if !slices.ContainsFunc(all.wide, explains) && len(all.names) > 0 {
		all.mentioned(d.Span.Source.String()[d.Span.Start:d.Span.End], explains)
	}
	return cause
}

// reaches reports whether a place overlaps the span or is right beside it.
func (s *Spoil) reaches(at source.Span) bool {
	return s.Span.IsZero() || s.Span.Source.Same(at.Source) && at.Start <= s.Span.End && s.Span.Start <= at.End
}

// mentioned calls explains with what is spoiled under each name in a text, trying longer names first, until one
// explains a finding.
func (all *spoils) mentioned(text string, explains func(*spoil) bool) {
	for n := strings.IndexByte(text, '$'); n >= 0; n = strings.IndexByte(text, '$') {
		text = strings.TrimPrefix(text[n+1:], "{")
		if slices.ContainsFunc(all.names[nameStart(text)], func(s *spoil) bool {
			rest, found := strings.CutPrefix(text, s.Text[1:])
			return found && nameStart(rest) == "" && explains(s)
		}) {
			return
		}
	}
}

// nameStart returns the letters, digits and _ that a text starts with.
func nameStart(text string) string {
	return text[:len(text)-len(strings.TrimLeftFunc(text, func(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) }))]
}

// Collect merges findings of a rule that are one thing to do, as their Plural says. It does not change l.
func (l List) Collect() List {
	firsts := map[string]int{} // by rule, the index of the one that stays
	for i, d := range l {
		if d.Plural[0] == "" {
			continue
		}
		if first, ok := firsts[d.Rule]; !ok || d.Span.Before(l[first].Span) {
			firsts[d.Rule] = i
		}
	}
	if len(firsts) == 0 {
		return l
	}
	var left List
	for i, d := range l {
		if d.Plural[0] == "" {
			left.Add(d)
			continue
		}
		if firsts[d.Rule] != i {
			continue
		}
		var places []source.Span
		d.Spoils = nil
		for _, o := range l {
			if o.Rule == d.Rule {
				places = append(append(places, o.Span), o.More...)
				d.Spoils = append(d.Spoils, o.Spoils...)
			}
		}
		slices.SortFunc(places, func(a, b source.Span) int {
			switch {
			case a.Before(b):
				return -1
			case b.Before(a):
				return 1
			}
			return 0
		})
		d.More = slices.Compact(places)[1:]
		left.Add(d)
	}
	return left
}
