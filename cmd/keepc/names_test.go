package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNamesOfFiles holds that the name of a file starts no line of its own, in no format and not on standard error: a line that begins
// with "::" is a command to the log of GitHub.
func TestNamesOfFiles(t *testing.T) {
	dir := t.TempDir()
	name := "a\n::error::b\x1b[31m.conf"
	for file, text := range map[string]string{name: "include none\n::error::c\npriority\n", "x\n::error::y.conf": ""} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Skip(err) // some file systems have no such names
		}
	}
	for _, args := range [][]string{
		{"check", name}, {"check", "--format", "short", name}, {"check", "--format", "json", name}, {"check", "--format", "sarif", name},
		{"check", "--format", "github", name}, {"check", "--format", "checkstyle", name}, {"check", "--format", "junit", name},
		{"check", name + "not"}, {"check", "--format", "github", name + "not"}, {"check", "--diff", name}, {"fmt", "-d", name},
	} {
		var out bytes.Buffer
		app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir}
		app.Main(args)
		for line := range strings.Lines(out.String()) {
			if strings.HasPrefix(line, "::error::b") || strings.HasPrefix(line, "::error::y") || strings.Contains(line, "\x1b") {
				t.Errorf("%q says %q", args, line)
			}
		}
	}
}
