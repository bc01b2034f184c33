package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var updateFaults = flag.Bool("update-faults", false, "rewrite testdata/reference/faults.txt")

// TestFaults walks testdata/faults, small files that keepc once got wrong: what it finds in each, by the version that
// reads the file where that matters, and what --fix would change.
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
	// Other tests check what run and simulate do with such files: TestStarts, TestRunTolerates, TestDiff.
	for _, name := range []string{"mark-with-protocol.conf", "route-without-dev.conf", "tolerated-mistakes.conf"} {
		keepc("check", "--format", "short", "-v", "../start/"+name)
	}
	keepc("check", "--format", "short", "-v", "--keepalived-version", "2.3.1", "../start/route-without-dev.conf")
	keepc("check", "--format", "short", "-v", "--keepalived-version", "2.4.3", "../start/route-without-dev.conf")
	keepc("diff", "include-absent.conf", "http-check.conf")
	keepc("simulate", "--script", "at 5s down address-on-a-dead-interface d0; at 10s expect address-on-a-dead-interface fault", "address-on-a-dead-interface.conf")
	asBefore(t, "faults.txt", all.String())
}

// asBefore compares what was said with a file of testdata/reference, or rewrites it.
func asBefore(t *testing.T, name, now string) {
	t.Helper()
	golden := filepath.Join("..", "..", "testdata", "reference", name)
	if *updateFaults {
		if err := os.WriteFile(golden, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if now != string(want) {
		t.Errorf("%s: it says other things; go test ./cmd/keepc -run '^TestFaults' -update-faults rewrites them. Now:\n%s", name, now)
	}
}

// TestFaultsActed walks the same files, and those of testdata/start: what run makes of each, what plan would change on a
// host with one interface and no ip_vs, and who holds the addresses when all directors of the file have started.
func TestFaultsActed(t *testing.T) {
	t.Parallel()
	dir := absolute(t, filepath.Join("..", "..", "testdata", "faults"))
	paths, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil {
		t.Fatal(err)
	}
	started, err := filepath.Glob(filepath.Join(dir, "..", "start", "*.conf"))
	if err != nil || len(paths) == 0 || len(started) == 0 {
		t.Fatal("no files: ", err)
	}
	var all strings.Builder
	for _, path := range append(paths, started...) {
		name, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		app := func(out io.Writer) *App {
			return &App{Stdin: strings.NewReader(""), Stdout: out, Stderr: out, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir}
		}
		fmt.Fprintf(&all, "$ keepc run %s\n", name)
		director := &runRun{App: app(io.Discard)}
		director.outside, director.env = true, true
		l := director.load(name)
		switch {
		case l.Config == nil:
			fmt.Fprintf(&all, "refused: %s\n", l.Refused)
		default:
			fmt.Fprintf(&all, "starts with %s\n", inventory(l.Config))
			for _, f := range l.Faults {
				fmt.Fprintln(&all, f.Text)
			}
			for _, u := range l.Config.NotEnforced {
				fmt.Fprintf(&all, "not enforced: %s\n", u.Keyword)
			}
		}
		for _, f := range l.Unread {
			fmt.Fprintln(&all, f.Text)
		}
		var out bytes.Buffer
		app(&out).Main([]string{"plan", "--facts", "lb01.json", "--as", "master", name})
		fmt.Fprintf(&all, "\n$ keepc plan --facts lb01.json --as master %s\n%s", name, &out)
		out.Reset()
		args := []string{"simulate", name}
		if other, pair := strings.CutSuffix(name, "-a.conf"); pair {
			args = append(args, other+"-b.conf")
		}
		app(&out).Main(args)
		fmt.Fprintf(&all, "\n$ keepc %s\n", strings.Join(args, " "))
		for line := range strings.Lines(out.String()) {
			all.WriteString(line)
			if strings.HasPrefix(line, "all start ") {
				break // what fails then is the business of other tests
			}
		}
		all.WriteString("\n")
	}
	asBefore(t, "faults_acted.txt", all.String())
}
