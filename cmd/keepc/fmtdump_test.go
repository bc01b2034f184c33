package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keepc/grammar"
	"keepc/runtime/lab"
)

// TestFormatDump holds that a file means to keepalived after "keepc fmt" what it meant before: Debian's keepalived is started with
// both and its data dumps are compared, but for times and process ids.
func TestFormatDump(t *testing.T) {
	if testing.Short() {
		t.Skip("starts keepalived a hundred times")
	}
	lab.NeedPrograms(t, "keepalived", "chroot")
	var compared, same, left atomic.Int32
	t.Run("files", func(t *testing.T) {
		for _, path := range vrrpDumpFiles(t) {
			t.Run(filepath.Base(path), func(t *testing.T) {
				t.Parallel()
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				better := grammar.Format(text)
				if bytes.Equal(text, better) {
					same.Add(1)
					return
				}
				name := filepath.Join(t.TempDir(), "keepalived.conf")
				dumpOf := func(text []byte) (string, string) {
					if err := os.WriteFile(name, text, 0o644); err != nil {
						t.Fatal(err)
					}
					d, why := runForDump(t, name, configOf(t, name))
					return settled(d.text), why
				}
				before, why := dumpOf(text)
				after, whyNot := dumpOf(better)
				switch {
				case why != "" && whyNot != "":
					left.Add(1)
					t.Skip("keepalived tells nothing: " + why)
				case why != "" || whyNot != "":
					t.Fatalf("before: %q; after: %q", why, whyNot)
				}
				compared.Add(1)
				if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(after, "\n")); diff != "" {
					t.Errorf("another dump after fmt (-before +after):\n%s", diff)
				}
			})
		}
	})
	t.Logf("%d files compared; %d are laid out so already; %d left out, for keepalived does not run with them", compared.Load(), same.Load(), left.Load())
	if n := compared.Load(); n < 40 && n+left.Load() > 40 {
		t.Errorf("only %d files compared", n)
	}
}

// settled is a dump without what the running daemon came to, which no two runs share: states, results, times, descriptors.
func settled(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if !unsettled.MatchString(line) {
			line = strings.TrimSuffix(strings.TrimRight(line, "\n"), " set") // an address that a MASTER holds
			lines = append(lines, whereInstalled.ReplaceAllString(syncState.ReplaceAllString(line, "$1"), ""))
		}
	}
	return strings.Join(lines, "\n")
}

var unsettled = regexp.MustCompile(`^\s*(Status|State|Result|Init state|Num member fault|Effective priority|Total priority|Master |Number of|Last |fd_in|Read timeout)|\d{4}\.\d{6}|\d\d:\d\d:\d\d|(?i)\bpid\b|\bmac\b|link-local`)

// whereInstalled is where a route came to be, if the kernel had told by the time of the dump.
var whereInstalled = regexp.MustCompile(` \[(dev [^\]]+|installed ifindex \d+)\]$`)

// syncState is the state behind the name of a sync group.
var syncState = regexp.MustCompile(`^(\s*VRRP Sync Group = .*), [A-Z]+$`)
