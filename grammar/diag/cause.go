package diag

import (
	"slices"
	"strings"
	"unicode"

	"keepc/grammar/source"
)

// A Kind is what a finding is about, as far as it may follow from another one: a set of the kinds below. The zero value follows from none.
type Kind uint32

// The kinds.
const (
	Value     Kind = 1 << iota // a word is not what its keyword takes
	Word                       // a word that nobody knows
	Misplaced                  // a word of another block
	Missing                    // a line ends too early
	Split                      // a line goes on in the next one
	Extra                      // words too many on a line
	Option                     // a word behind the subject of a line that is not an option
	Addresses                  // an instance without addresses
	Interface                  // an instance without an interface
	Pair                       // a password without its type, or the other way round
	Comment                    // a comment that starts within a word
	Brace                      // a brace that closes nothing
	Reference                  // a reference to no definition
	Backslash                  // a backslash that continues nothing
	Quote                      // a quote without a partner
	Sense                      // what a line means; of errors only
	Remark                     // a line that is right but for this: any error of Sense on it is a cause
)

// A Spoil is a part of a text that a finding spoils: the findings there, of the kinds, follow from it and are not shown.
type Spoil struct {
	Span  source.Span // where; zero: everywhere
	Text  string      // what the text of such a finding mentions; empty: anything
	Kinds Kind
	First bool // only the first finding behind the start of the span
}

// LineFrom returns the span from a place to the end of its line.
func LineFrom(at source.Span) source.Span {
	if at.IsZero() {
		return at
	}
	end := at.Source.String()[at.Start:]
	if n := strings.IndexByte(end, '\n'); n >= 0 {
		end = end[:n]
	}
	at.End = at.Start + int32(len(end))
	return at
}

// Line returns the line that a place starts in.
func Line(at source.Span) source.Span {
	at.End = LineFrom(at).End
	return LineTo(at)
}

// LineTo returns the span from the start of its line to the end of a place.
func LineTo(at source.Span) source.Span {
	if at.IsZero() {
		return at
	}
	at.Start = int32(strings.LastIndexByte(at.Source.String()[:at.Start], '\n') + 1)
	return at
}

// NextLine returns the span of the line below that of a place; empty at the end of the text.
func NextLine(at source.Span) source.Span {
	if at.IsZero() {
		return at
	}
	at.Start = min(LineFrom(at).End+1, int32(len(at.Source.Text)))
	return LineFrom(at)
}

// Spare is what a missing brace spoils that should be at a place: the first brace behind it that closes nothing.
func Spare(at source.Span) []Spoil {
	if at.IsZero() {
		return nil
	}
	return []Spoil{{Span: at.Source.Span(int(at.End), len(at.Source.Text)), Kinds: Brace, First: true}}
}

// Causes drops the findings that follow from others, and gives those that are as bad as what they spoil its severity. It leaves l as it is.
func (l List) Causes() List {
	all := spoilsOf(l)
	if all == nil {
		return l
	}
	left := make(List, 0, len(l))
	used := map[*Spoil]bool{} // those of the first finding alone
	for i, d := range l {
		if !all.explain(d, i, used) {
			left.Add(d)
		}
	}
	for i := range left {
		d := &left[i]
		d.Spoils = nil
		if d.AsBad && slices.ContainsFunc(l, func(o Diagnostic) bool { return o.Severity == Error && o.Kind&Sense != 0 && o.Span.Holds(d.Span) }) {
			d.Severity = Error
		}
	}
	return left
}

// spoils knows what findings spoil, by the lines of spans that do not leave theirs.
type spoils struct {
	lines map[textLine][]spoil
	wide  []spoil
}

// A spoil is one of a finding.
type spoil struct {
	*Spoil
	of int // the index of the finding
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
			spoiled = append(slices.Clip(spoiled), Spoil{Span: Line(d.Span), Kinds: Remark})
		}
		for n := range spoiled {
			if all == nil {
				all = &spoils{lines: map[textLine][]spoil{}}
			}
			s := spoil{&spoiled[n], i}
			from, to := s.Span.Position(), s.Span.EndPosition()
			if s.Span.IsZero() || from.Line != to.Line {
				all.wide = append(all.wide, s)
				continue
			}
			at := textLine{from.File, from.Line}
			all.lines[at] = append(all.lines[at], s)
		}
	}
	return all
}

// explain tells whether a finding, which has the index, follows from another one.
func (all *spoils) explain(d Diagnostic, index int, used map[*Spoil]bool) bool {
	if d.Severity < Error {
		d.Kind &^= Sense
	}
	if d.Kind == 0 || d.Span.IsZero() {
		return false
	}
	explains := func(s spoil) bool {
		if s.of == index || s.Kinds&d.Kind == 0 || !s.reaches(d.Span) || used[s.Spoil] {
			return false
		}
		used[s.Spoil] = s.First
		return true
	}
	at := d.Span.Position()
	for n := at.Line; n <= d.Span.EndPosition().Line; n++ {
		if slices.ContainsFunc(all.lines[textLine{at.File, n}], explains) {
			return true
		}
	}
	return slices.ContainsFunc(all.wide, explains)
}

// reaches tells whether a place is one of those that are spoiled: it overlaps the span or is right beside it, and mentions the text.
func (s *Spoil) reaches(at source.Span) bool {
	if !s.Span.IsZero() && !(s.Span.Source.Same(at.Source) && at.Start <= s.Span.End && s.Span.Start <= at.End) {
		return false
	}
	return s.Text == "" || mentions(at.Text(), s.Text)
}

// mentions tells whether a text has a word that starts with $, also in braces, and no longer one in its place.
func mentions(text, word string) bool {
	text = strings.NewReplacer("{", "", "}", " ").Replace(text)
	for {
		n := strings.Index(text, word)
		if n < 0 {
			return false
		}
		text = text[n+len(word):]
		if after := strings.TrimLeftFunc(text, func(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) }); after == text {
			return true
		}
	}
}

// Collect makes one finding of those of a rule that are one thing to do, as they say by their Plural. It leaves l as it is.
func (l List) Collect() List {
	firsts := map[string]int{} // the index of the one that stays, by rule
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
