package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keepc/runtime/lab"
)

// TestRepairedTutorial checks that the output of "check --fix" for the tutorial is right for the program that it was
// written for: keepalived -t, on a host with an eth0, reports nothing.
func TestRepairedTutorial(t *testing.T) {
	lab.NeedPrograms(t, "keepalived")
	net := lab.New(t)
	lan := net.Segment("lan")
	for i, name := range []string{"lb01", "lb02"} {
		host := net.Host(name, lab.On(lan, "eth0", []string{"10.0.0.5/24", "10.0.0.6/24"}[i]))
		original := filepath.Join("..", "..", "testdata", "tutorial", name+".conf")
		if _, err := host.Try("keepalived", "-t", "-f", absolute(t, original)); err == nil {
			t.Errorf("%s: keepalived accepts the original, so this proves nothing", name)
		}
		out, err := host.Try("keepalived", "-t", "-f", repaired(t, name))
		if err != nil || strings.TrimSpace(out) != "" {
			t.Errorf("%s: keepalived -t: %v\n%s", name, err, out)
		}
		var stdout, stderr bytes.Buffer
		app := App{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: "/"}
		if code := app.Main([]string{"check", repaired(t, name)}); code != exitOK || stdout.Len()+stderr.Len() > 0 {
			t.Errorf("%s: keepc check exits with %d:\n%s%s", name, code, &stdout, &stderr)
		}
	}
}

func absolute(t testing.TB, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
