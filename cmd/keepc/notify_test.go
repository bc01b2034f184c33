package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// A listener receives what a director of a timeline reports: lines of its named pipe, and runs of its scripts.
type listener struct {
	dir  string
	pipe *os.File
	done chan struct{}

	mu    sync.Mutex
	lines []string
	first time.Time // when the first line came
}

// listen prepares a host, before its director starts.
func listen(t *testing.T, h *lab.Host) *listener {
	t.Helper()
	l := &listener{dir: h.Dir(), done: make(chan struct{})}
	if err := syscall.Mkfifo(filepath.Join(l.dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if l.pipe, err = os.OpenFile(filepath.Join(l.dir, "fifo"), os.O_RDWR|syscall.O_NONBLOCK, 0); err != nil {
		t.Fatal(err)
	}
	text := "#!/bin/sh\necho \"$*\" >> " + filepath.Join(l.dir, "notified") + "\n"
	if err := os.WriteFile(filepath.Join(l.dir, "notify"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(l.done)
		for lines := bufio.NewScanner(l.pipe); lines.Scan(); {
			l.mu.Lock()
			if l.lines == nil {
				l.first = time.Now()
			}
			l.lines = append(l.lines, lines.Text())
			l.mu.Unlock()
		}
	}()
	return l
}

var tellers = regexp.MustCompile(`(?m)^vrrp_(instance|sync_group) .*\{\n`)

// asked returns a configuration that reports everything to this listener.
func (l *listener) asked(text []byte) []byte {
	text = tellers.ReplaceAll(text, fmt.Appendf(nil, "${0}    notify %s/notify\n", l.dir))
	return fmt.Appendf(nil, "global_defs {\n    vrrp_notify_fifo %s/fifo\n    script_user root\n    vrrp_notify_priority_changes true\n}\n%s", l.dir, text)
}

// end returns what was reported about each subject: in lines, and by scripts. Repetitions are left out.
func (l *listener) end(t *testing.T) (lines, scripts map[string][]string) {
	t.Helper()
	_ = l.pipe.Close() // the scanner ends
	<-l.done
	list := map[string][]string{}
	add := func(to map[string][]string, subject, what string) {
		if said := to[subject]; len(said) == 0 || said[len(said)-1] != what {
			to[subject] = append(said, what)
		}
	}
	for _, line := range l.lines {
		if w := strings.Fields(strings.ReplaceAll(line, `"`, "")); len(w) == 4 {
			add(list, w[0]+" "+w[1], w[2]+" "+w[3])
		} else {
			t.Errorf("line %q", line)
		}
	}
	ran := map[string][]string{}
	text, _ := os.ReadFile(filepath.Join(l.dir, "notified")) // no script ran
	for line := range strings.Lines(string(text)) {
		if w := strings.Fields(line); len(w) == 4 {
			add(ran, w[0]+" "+w[1], w[2]+" "+w[3])
		}
	}
	return list, ran
}

// A story is what the directors of a timeline reported, by host and subject.
type story struct{ lines, scripts []map[string][]string }

// contested is what a MASTER reports when it hears another one of a lower priority. Where two are MASTER until they hear
// each other, the one that advertises first decides whether it is reported: that is chance, and compared only in the
// timelines that hold.
const contested = "MASTER_RX_LOWER_PRI"

// holds are the timelines in which a MASTER hears a lower priority for seconds.
var holds = []string{"deafbackup.txtar", "unheard.txtar"}

// differs returns the differences between two programs that played the same timeline, and between the lines and the
// scripts of one.
func (s story) differs(o story, holds bool) (complaints []string) {
	for i := range s.lines {
		for _, subject := range slices.Sorted(maps.Keys(s.lines[i])) {
			a, b := s.lines[i][subject], o.lines[i][subject]
			if !holds {
				chance := func(line string) bool { return strings.HasPrefix(line, contested) }
				a, b = slices.DeleteFunc(slices.Clone(a), chance), slices.DeleteFunc(slices.Clone(b), chance)
			}
			if !slices.Equal(a, b) {
				complaints = append(complaints, fmt.Sprintf("host %d, %s: lines of keepc %q\nof keepalived %q", i+1, subject, a, b))
			}
			if a, b := s.scripts[i][subject], o.scripts[i][subject]; !slices.Equal(a, b) {
				complaints = append(complaints, fmt.Sprintf("host %d, %s: scripts of keepc %q\nof keepalived %q", i+1, subject, a, b))
			}
			roles := slices.DeleteFunc(slices.Clone(s.lines[i][subject]), func(s string) bool {
				return strings.Contains(s, "_PRI ") || strings.Contains(s, "_PRIORITY ")
			})
			if a := s.scripts[i][subject]; !slices.Equal(a, slices.Compact(roles)) {
				complaints = append(complaints, fmt.Sprintf("host %d, %s: scripts of keepc %q\nits lines %q", i+1, subject, a, roles))
			}
		}
	}
	return complaints
}
