package daemon

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"keepc/grammar/diag"
)

// A Fault is an error of a file that neither keepalived nor a director refuses to start with.
type Fault struct {
	Text string    // "lb01.conf:3:5: error: … [rule]"
	Loss diag.Loss // what keepalived does there
	Same string    // identifies it, wherever in the file it is
}

// accept refuses a configuration that is worse than the one in force, which then stays in force: one with an error
// that the current one does not have, by itself or on this machine, or one with a file that has disappeared. asked
// reports whether somebody requested the reload; a reload that the director starts itself, because a file changed,
// also waits for files of a pattern that have disappeared. It looks at files and interfaces: never on the event loop.
func (l *Loaded) accept(before Loaded, asked bool) {
	if l.Config == nil {
		return
	}
	why := l.gone(before.Files, asked)
	now := l.Faults
	if before.Config != nil && len(before.Config.Announcements) > 0 { // a broken file is not a reason to withdraw what it announced
		now = slices.Concat(now, l.Beside)
	}
	for _, f := range newFaults(before.Faults, now) {
		why = append(why, f.Text)
	}
	if before.OnHost != nil && l.OnHost != nil {
		for _, f := range newFaults(before.OnHost(), l.OnHost()) {
			why = append(why, f.Text)
		}
	}
	if len(why) > 0 {
		l.Config, l.Refused = nil, strings.Join(why, "\n")
	}
}

// newFaults returns the faults that are new; of equal faults, as many as there are more than before.
func newFaults(before, now []Fault) (more []Fault) {
	had := map[string]int{}
	for _, f := range before {
		had[f.Same]++
	}
	for _, f := range now {
		if had[f.Same]--; had[f.Same] < 0 {
			more = append(more, f)
		}
	}
	return more
}

// gone returns which of the files that were read before are missing or empty now.
func (l *Loaded) gone(before Files, asked bool) (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		now, named := l.Files[name]
		_, err := os.Stat(name)
		switch {
		case before[name] == missing || before[name] == empty:
		case named && now == empty:
			lines = append(lines, name+": error: it was read before, and is empty now")
		case named && now == missing, !named && !asked && os.IsNotExist(err):
			lines = append(lines, fmt.Sprintf("%s: error: it was read before, and is missing now", name))
		}
	}
	return lines
}

var missing, empty = NewDigest(nil, fs.ErrNotExist), NewDigest(nil, nil)

// faults lists what the file asks for and loses because of its errors, and which parts of it were not read.
func (d *director) faults(l Loaded) {
	for _, text := range texts(l.Faults) {
		d.Log.Error(text, "subject", "config")
	}
	for _, text := range texts(l.Unread) {
		d.Log.Warn(text, "subject", "config")
	}
}

// texts returns faults for people.
func texts(faults []Fault) (all []string) {
	for _, f := range faults {
		all = append(all, f.String())
	}
	return all
}

// String returns the fault with its consequence.
func (f Fault) String() string {
	if f.Loss.Text() == "" {
		return f.Text
	}
	return f.Text + "; keepalived " + f.Loss.Text() + ", and so does keepc"
}
