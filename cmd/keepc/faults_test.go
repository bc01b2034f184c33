package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var updateFaults = flag.Bool("update-faults", false, "rewrite testdata/reference/faults.txt")

// TestFaults walks testdata/faults, small files that keepc once answered wrongly: what it finds in each, by the version that reads the
// file where that matters, and what --fix would change.
func TestFaults(t *testing.T) {
	dir := absolute(t, filepath.Join("..", "..", "testdata", "faults"))
	paths, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no files: ", err)
	}
	var all strings.Builder
	keepc := func(args ...string) {
		var out, note bytes.Buffer
		app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &note, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir}
		code := app.Main(args)
		fmt.Fprintf(&all, "$ keepc %s\n%s(%d)\n\n", strings.Join(args, " "), out.String(), code)
	}
	for _, path := range paths {
		name := filepath.Base(path)
		if other, pair := strings.CutSuffix(name, "-a.conf"); pair {
			keepc("check", "--peers", "--format", "short", name, other+"-b.conf")
			continue
		} else if strings.HasSuffix(name, "-b.conf") {
			continue
		}
		keepc("check", "--format", "short", name)
		switch strings.TrimSuffix(name, ".conf") {
		case "comment-in-definition", "empty-line-in-definition", "unicast-without-interface", "user-with-colon", "ping-with-source":
			keepc("check", "--format", "short", "--keepalived-version", "2.2.7", name)
			keepc("check", "--format", "short", "--keepalived-version", "2.4.3", name)
			keepc("check", "--format", "short", "--keepalived-version", "2.4.4", name)
		case "security-without-user", "source-of-another-host", "script-owned-by-a-user", "script-owned-under-security":
			keepc("check", "--facts", "lb01.json", "--format", "short", name)
		case "include-absent":
			keepc("check", "--format", "short", "--allow-outside", name)
		}
		keepc("check", "--diff", name)
	}
	// What run and simulate do with others is a test of its own: TestStarts, TestRunTolerates, TestDiff.
	for _, name := range []string{"mark-with-protocol.conf", "route-without-dev.conf", "tolerated-mistakes.conf"} {
		keepc("check", "--format", "short", "-v", "../start/"+name)
	}
	keepc("check", "--format", "short", "-v", "--keepalived-version", "2.3.1", "../start/route-without-dev.conf")
	keepc("check", "--format", "short", "-v", "--keepalived-version", "2.4.3", "../start/route-without-dev.conf")
	keepc("diff", "include-absent.conf", "http-check.conf")
	keepc("simulate", "--script", "at 5s down address-on-a-dead-interface d0; at 10s expect address-on-a-dead-interface fault", "address-on-a-dead-interface.conf")
	golden := filepath.Join("..", "..", "testdata", "reference", "faults.txt")
	if *updateFaults {
		if err := os.WriteFile(golden, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if all.String() != string(want) {
		t.Errorf("other findings; go test ./cmd/keepc -run TestFaults -update-faults rewrites them. Now:\n%s", &all)
	}
}
