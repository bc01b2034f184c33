package main

import (
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/report"
	"keepc/grammar/source"
)

const (
	around = 3  // unchanged lines that are shown with a change
	reach  = 50 // lines within which two texts must meet again; beyond, all the rest counts as changed
)

// A hunk is a run of changed lines: where they are in both texts.
type hunk struct{ old, oldEnd, new, newEnd int }

// patch shows a change of a file in the unified format. Lines with secrets are shown without them, so such a patch is for
// reading only. The secrets are places in texts of files before and after their changes.
func patch(name string, c change, secrets []source.Span) string {
	old, new := split(c.before), split(c.after)
	oldShown, newShown := report.HideLines(name, c.before, secrets), report.HideLines(name, c.after, secrets)
	hunks := compare(old, new)
	var b strings.Builder
	fmt.Fprintf(&b, "--- a/%s\n+++ b/%[1]s\n", report.Printable(strings.TrimPrefix(name, "/")))
	for i := 0; i < len(hunks); {
		last := i
		for last+1 < len(hunks) && hunks[last+1].old-hunks[last].oldEnd <= 2*around {
			last++
		}
		from, to := max(0, hunks[i].old-around), min(len(old), hunks[last].oldEnd+around)
		shift := hunks[i].new - hunks[i].old
		newTo := to + hunks[last].newEnd - hunks[last].oldEnd
		fmt.Fprintf(&b, "@@ -%d,%d +%d,%d @@\n", from+1, to-from, from+shift+1, newTo-from-shift)
		at := from
		for ; i <= last; i++ {
			write(&b, " ", oldShown[at:hunks[i].old])
			write(&b, "-", oldShown[hunks[i].old:hunks[i].oldEnd])
			write(&b, "+", newShown[hunks[i].new:hunks[i].newEnd])
			at = hunks[i].oldEnd
		}
		write(&b, " ", oldShown[at:to])
	}
	return b.String()
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

// compare finds the lines that differ. Repairs change a few lines here and there, so the texts soon meet again: behind a
// difference it takes the nearest place at which two lines are equal, or one where as many lines stand for others.
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
				equal = 1 // each line has its repaired one
			}
			if a <= len(old) && b <= len(new) && slices.Equal(old[a:min(a+equal, len(old))], new[b:min(b+equal, len(new))]) {
				return a, b
			}
		}
	}
	return len(old), len(new)
}
