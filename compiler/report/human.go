package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Format writes findings.
type Format struct {
	Name  string
	Text  string // one line of help
	Write func(io.Writer, Check, Colors) error
}

// Formats returns every format, the default first.
func Formats() []Format {
	return []Format{
		{"human", "excerpts, for people", Human},
		{"short", "one line for each finding, for editors", Short},
		{"json", "one object, for programs", JSON},
		{"sarif", "SARIF 2.1.0, for code scanning", SARIF},
		{"github", "workflow commands of GitHub Actions", GitHub},
		{"checkstyle", "XML of Checkstyle", Checkstyle},
		{"junit", "XML of JUnit", JUnit},
		{"gitlab", "Code Quality of GitLab", GitLab},
	}
}

// Human writes findings with excerpts, the tables of a cluster, and a last line with the counts. Without findings it
// writes nothing.
func Human(w io.Writer, c Check, colors Colors) error {
	s := screen{c: colors}
	for _, f := range saidOnce(c.Findings) {
		s.finding(f)
	}
	for _, g := range c.Groups {
		s.group(g)
	}
	if len(c.Findings) > 0 {
		s.summary(c)
	}
	_, err := io.WriteString(w, s.b.String())
	return err
}

// manyPlaces is the number of places up to which the same mistake is shown for each.
const manyPlaces = 20

// saidOnce keeps one of the findings that say the same about very many places, if none has a repair. Programs get them
// all.
func saidOnce(found []Finding) (left []Finding) {
	type text struct{ rule, message, label string }
	said := func(f Finding) text { return text{f.Rule, f.Message, f.Label} }
	places := map[text][]Finding{}
	for _, f := range found {
		if len(f.Fixes) == 0 {
			places[said(f)] = append(places[said(f)], f)
		}
	}
	told := map[text]bool{}
	for _, f := range found {
		all := places[said(f)]
		if len(all) > manyPlaces && len(f.Fixes) == 0 {
			if told[said(f)] {
				continue
			}
			told[said(f)] = true
			f.Notes = append(slices.Clip(f.Notes), Note{Message: fmt.Sprintf("the same at %s and %s more", place3(all[1].File, all[1].Line, all[1].Column), Count(len(all)-2, "place"))})
		}
		left = append(left, f)
	}
	return left
}

// Short writes one line for each finding: file:line:column: severity: message [rule]. A finding about two files names
// the other place.
func Short(w io.Writer, c Check, colors Colors) error {
	s := screen{c: colors}
	for _, f := range c.Findings {
		for _, n := range f.Notes {
			if n.Line > 0 && n.File != f.File {
				f.Message += fmt.Sprintf(" (%s:%d: %s)", n.File, n.Line, n.Message)
			}
		}
		s.head(f)
	}
	_, err := io.WriteString(w, s.b.String())
	return err
}

type screen struct {
	b strings.Builder
	c Colors
}

func (s *screen) line(parts ...string) {
	for _, p := range parts {
		s.b.WriteString(p)
	}
	s.b.WriteByte('\n')
}

func (s *screen) head(f Finding) {
	s.line(place3(f.File, f.Line, f.Column), ": ", s.c.severity(f.Severity), ": ", s.c.paint(bold, f.Message), f.readers(), " ", s.c.paint(dim, "["+f.Rule+"]"))
}

// place3 is file:line:column, as far as they are known.
func place3(file string, line, column int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d:%d", file, line, column)
}

func (s *screen) finding(f Finding) {
	s.head(f)
	g := gutter(f)
	bar := s.c.paint(dim, strings.Repeat(" ", g+1)+"|")
	if f.Excerpt != nil {
		s.line(bar)
		s.excerpt(g, *f.Excerpt, "^", severityCode(f.Severity), f.Label)
	}
	last := f.Excerpt != nil
	for _, n := range f.Notes {
		if n.Excerpt == nil {
			continue
		}
		s.line(s.c.paint(dim, strings.Repeat(" ", g)+"--> "), place3(n.File, n.Line, n.Column))
		s.line(bar)
		s.excerpt(g, *n.Excerpt, "-", cyan, n.Message)
	}
	for _, n := range f.Notes {
		if n.Excerpt == nil {
			last = s.text(last, bar, "note", cyan, n.Message)
		}
	}
	if f.Help != "" {
		s.text(last, bar, "help", green, f.Help)
	}
	s.line()
}

// gutter is the width of the column of line numbers.
func gutter(f Finding) int {
	largest := f.Line
	for _, n := range f.Notes {
		largest = max(largest, n.Line)
	}
	return max(2, len(fmt.Sprint(largest)))
}

func (s *screen) excerpt(g int, e Excerpt, mark, code, label string) {
	s.line(s.c.paint(dim, fmt.Sprintf("%*d |", g, e.Line)), trimRight(" "+e.Text))
	under := strings.Repeat(mark, e.Width)
	if label != "" {
		under += " " + label
	}
	s.line(s.c.paint(dim, strings.Repeat(" ", g+1)+"|"), " ", strings.Repeat(" ", e.Start), s.c.paint(code, under))
}

func trimRight(s string) string { return strings.TrimRight(s, " ") }

// text writes a note or help, after a bar if an excerpt is before it.
func (s *screen) text(bar bool, line, what, code, text string) bool {
	if bar {
		s.line(line)
	}
	indent := " " + what + ": "
	for i, l := range wrap(text, 110-len(indent)) {
		if i == 0 {
			s.line(" ", s.c.paint(code, what), ": ", l)
		} else {
			s.line(strings.Repeat(" ", len(indent)), l)
		}
	}
	return false
}

// Wrap breaks the lines of a text into lines of at most n columns where words allow it. Continuations start in the
// last column of their line: below the text after the last two blanks.
func Wrap(text string, n int) string {
	var all []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		head := line[:strings.LastIndex(line, "  ")+1] // and a blank, if there is one
		head += line[len(head) : len(line)-len(strings.TrimLeft(line[len(head):], " "))]
		for _, part := range wrap(line[len(head):], n-Columns(head)) {
			all = append(all, head+part)
			head = strings.Repeat(" ", Columns(head))
		}
	}
	return strings.Join(all, "\n")
}

// wrap breaks a text into lines of at most n columns where words allow it.
func wrap(text string, n int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(text) {
		switch {
		case line == "":
			line = w
		case Columns(line)+1+Columns(w) > n:
			lines = append(lines, line)
			line = w
		default:
			line += " " + w
		}
	}
	return append(lines, line)
}

// summary counts: "2 errors, 1 warning. More: keepc explain RULE".
func (s *screen) summary(c Check) {
	s.b.WriteString(c.Summary.String() + ".")
	if n := c.Summary.Repairable; n > 0 {
		fmt.Fprintf(&s.b, " keepc check --fix repairs %d.", n)
	}
	s.line(" More: keepc explain ", c.Findings[0].Rule)
}
