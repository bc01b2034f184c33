package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keepc/compiler/ir"
	"keepc/grammar"
)

// sameAfterFormat starts keepalived with the output of "keepc fmt" in place of a file, and compares its data dump, or
// the reason why there was none, with that before, except for times and process ids. It reports whether there was
// something to compare.
func sameAfterFormat(t *testing.T, path string, cfg *ir.Config, before dump, why string) bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	better := grammar.Format(text)
	if bytes.Equal(text, better) || bytes.Contains(text, []byte("_RANDOM")) { // each keepalived draws its own numbers
		return false
	}
	after, whyNot := runForDump(t, path, cfg, better)
	if why != "" || whyNot != "" {
		if (why == "") != (whyNot == "") {
			t.Errorf("before fmt: %q; after: %q", why, whyNot)
		}
		return false
	}
	if diff := cmp.Diff(strings.Split(settled(before.text), "\n"), strings.Split(settled(after.text), "\n")); diff != "" {
		t.Errorf("another dump after fmt (-before +after):\n%s", diff)
	}
	return true
}

// settled returns a dump without the state of the running daemon, which no two runs share: states, results, times,
// descriptors.
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

var unsettled = regexp.MustCompile(`^\s*(Status|State|Wantstate|Result|Init state|Num member fault|Effective priority|Total priority|Master |Number of|Last |fd_in|Read timeout)|\d{4}\.\d{6}|\d\d:\d\d:\d\d|(?i)\bpid\b|\bmac\b|link-local`)

// whereInstalled matches where a route was installed, if the kernel had reported that by the time of the dump.
var whereInstalled = regexp.MustCompile(` \[(dev [^\]]+|installed ifindex \d+)\]$`)

// syncState matches the state after the name of a sync group.
var syncState = regexp.MustCompile(`^(\s*VRRP Sync Group = .*), [A-Z]+$`)
