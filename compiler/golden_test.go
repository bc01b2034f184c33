package compiler

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"keepc/compiler/report"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/source"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// check reads a file of testdata as the verb check does.
func check(t *testing.T, path string) report.File {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	src := source.New(filepath.Base(path), text)
	u := Load(src, Options{Text: grammar.Options{Files: grammar.Files{Root: os.DirFS(filepath.Dir(path)), Dir: "/"}}})
	return report.File{Name: src.Name, Findings: u.Findings, Secrets: u.Config.Secrets}
}

// TestOK checks that nothing is found in testdata/ok.
func TestOK(t *testing.T) {
	for _, path := range files(t, "ok") {
		for _, d := range check(t, path).Findings {
			t.Errorf("%s: %s: %s [%s]", d.Span, d.Severity, d.Message, d.Rule)
		}
	}
}

// TestErr compares the findings of testdata/err word for word.
func TestErr(t *testing.T) {
	for _, path := range files(t, "err") {
		var b strings.Builder
		if err := report.Human(&b, report.NewCheck([]report.File{check(t, path)}), false); err != nil {
			t.Fatal(err)
		}
		golden := strings.TrimSuffix(path, ".conf") + ".out"
		if *update {
			if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s: the findings differ; go test -update rewrites them:\n%s", path, b.String())
		}
		if filepath.Base(path) == "secrets.conf" && strings.Contains(b.String(), "hunter") {
			t.Errorf("%s: a secret is shown", path)
		}
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "testdata", dir, "*.conf"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in testdata/%s: %v", dir, err)
	}
	return paths
}

// TestOwn checks the findings of the small files in testdata/reference/own.txtar, which keepalived -t was run on, too.
func TestOwn(t *testing.T) {
	dir := filepath.Join("..", "testdata", "reference")
	a, err := txtar.ParseFile(filepath.Join(dir, "own.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range a.Files {
		fmt.Fprintf(&b, "%s\n", f.Name)
		text := grammar.Options{ID: "lb1", Files: grammar.Files{Root: os.DirFS("/nonexistent"), Dir: "/"}, Nests: schema.Nests()}
		for _, d := range Load(source.New(f.Name, f.Data), Options{Text: text, Host: caseHost{}}).Findings {
			if d.Rule != "no-check" && d.Rule != "missing-script" { // almost all of them have these
				fmt.Fprintf(&b, "    %d %s %s\n", d.Span.Position().Line, d.Severity, d.Rule)
			}
		}
	}
	golden := filepath.Join(dir, "own.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the findings differ; go test -update rewrites them:\n%s", &b)
	}
}
