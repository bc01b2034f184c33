package main

import (
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/report"
	"keepc/grammar/source"
)

const (
	around = 3  // the maximum number of unchanged lines shown with a change
	reach  = 50 // lines within which two texts must agree again; otherwise the whole rest counts as changed
)

// A hunk is a run of changed lines: their positions in both texts.
type hunk struct{ old, oldEnd, new, newEnd int }

// patch returns a change of a file in the unified format. altered is the first line that the patch would have to
// contain and cannot show unchanged; then the patch is for reading only. If it is zero, the patch applies, to the
// directory that a relative name starts from, or to "/". The secrets are places in texts of files before and after
// their changes.
func patch(name string, c change, secrets []source.Span) (text string, altered alteration) {
	p := patched{old: lined(name, c.before, secrets), new: lined(name, c.after, secrets)}
	p.hunks = compare(p.old.lines, p.new.lines)
	end := ""
	if strings.Contains(name, " ") {
		end = "\t" // otherwise patch would take the first word for the name
	}
	text, altered = p.write(p.hunks, around)
	shown := report.Printable(strings.TrimPrefix(name, "/"))
	if shown != strings.TrimPrefix(name, "/") && altered.line == 0 {
		altered = alteration{1, "the name of the file has characters that are not shown"}
	}
	return fmt.Sprintf("--- a/%s%s\n+++ b/%[1]s%[2]s\n", shown, end) + text, altered
}

// An alteration is a line of a patch that is not shown unchanged, and the reason.
type alteration struct {
	line int // from 1; 0: there is none
	why  string
}

// A patched is two texts and their differences.
type patched struct {
	old, new sheet
	hunks    []hunk
}

// A sheet is the lines of a text, as they are and as they are shown, and why a line is not shown unchanged.
type sheet struct {
	lines, shown []string
	why          map[int]string
}

func lined(name string, text []byte, secrets []source.Span) sheet {
	s := sheet{split(text), report.HideLines(name, text, secrets), map[int]string{}}
	for i, line := range s.shown {
		if line != s.lines[i] {
			s.why[i] = "it hides secrets"
		}
		if s.shown[i] = report.PrintableLine(line); s.shown[i] != line && s.why[i] == "" {
			s.why[i] = "it has ? in place of control characters"
		}
	}
	return s
}

// write writes hunks with some context each; hunks that are closer together than that become one. If a context line
// cannot be shown unchanged, there is less context.
func (p patched) write(hunks []hunk, around int) (text string, altered alteration) {
	for len(hunks) > 0 {
		n := 1
		for n < len(hunks) && hunks[n].old-hunks[n-1].oldEnd <= 2*around {
			n++
		}
		one, differs := p.group(hunks[:n], around)
		if differs.line > 0 && around > 1 {
			if less, still := p.write(hunks[:n], around-1); still.line == 0 {
				one, differs = less, still
			}
		}
		text += one
		if altered.line == 0 {
			altered = differs
		}
		hunks = hunks[n:]
	}
	return text, altered
}

// group writes hunks, and what is between and around them, as one.
func (p patched) group(hunks []hunk, around int) (text string, altered alteration) {
	var b strings.Builder
	show := func(mark string, s sheet, from, to int) {
		for i := from; i < to; i++ {
			if altered.line == 0 && s.lines[i] != s.shown[i] {
				altered = alteration{i + 1, s.why[i]}
			}
		}
		write(&b, mark, s.shown[from:to])
	}
	first, last := hunks[0], hunks[len(hunks)-1]
	from, to := max(0, first.old-around), min(len(p.old.lines), last.oldEnd+around)
	fmt.Fprintf(&b, "@@ -%s +%s @@\n", lineRange(from, to), lineRange(from+first.new-first.old, to+last.newEnd-last.oldEnd))
	at := from
	for _, h := range hunks {
		show(" ", p.old, at, h.old)
		show("-", p.old, h.old, h.oldEnd)
		show("+", p.new, h.new, h.newEnd)
		at = h.oldEnd
	}
	show(" ", p.old, at, to)
	return b.String(), altered
}

// lineRange is a range of lines as in a hunk: its start, from 1, and its length. An empty range starts after the line
// before it.
func lineRange(from, to int) string {
	if from == to {
		return fmt.Sprintf("%d,0", from)
	}
	return fmt.Sprintf("%d,%d", from+1, to-from)
}

func write(b *strings.Builder, mark string, lines []string) {
	for _, l := range lines {
		text, ended := strings.CutSuffix(l, "\n")
		b.WriteString(mark + text + "\n")
		if !ended {
			b.WriteString("\\ No newline at end of file\n")
		}
	}
}

func split(text []byte) []string {
	lines := strings.SplitAfter(string(text), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// compare finds the lines that differ. Repairs change a few lines here and there, so the texts soon agree again: after
// a difference it takes the nearest place where two lines are equal, or one where as many lines replace others.
func compare(old, new []string) (hunks []hunk) {
	i, j := 0, 0
	for i < len(old) || j < len(new) {
		if i < len(old) && j < len(new) && old[i] == new[j] {
			i, j = i+1, j+1
			continue
		}
		h := hunk{i, len(old), j, len(new)}
		h.oldEnd, h.newEnd = meet(old, new, i, j)
		hunks = append(hunks, h)
		i, j = h.oldEnd, h.newEnd
	}
	return hunks
}

func meet(old, new []string, i, j int) (int, int) {
	for far := 1; far <= reach; far++ {
		for k := 0; k <= far; k++ {
			a, b := i+far-k, j+k
			equal := 2 // lines
			if a-i == b-j {
				equal = 1 // each line has a repaired counterpart
			}
			if a <= len(old) && b <= len(new) && slices.Equal(old[a:min(a+equal, len(old))], new[b:min(b+equal, len(new))]) {
				return a, b
			}
		}
	}
	return len(old), len(new)
}
