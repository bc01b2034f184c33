package compiler

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"keepc/compiler/lint"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// TestRepair holds that repairs make no file worse: the errors do not grow in number, and what is repaired stays as it is.
func TestRepair(t *testing.T) {
	texts := map[string]string{}
	for _, r := range lint.Rules() {
		texts["rule "+r.Name] = r.Bad
	}
	for _, path := range files(t, "err") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(path)] = string(text)
	}
	own, err := txtar.ParseFile(filepath.Join("..", "testdata", "reference", "own.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range own.Files {
		texts[f.Name] = string(f.Data)
	}
	for name, text := range texts {
		before, _ := repaired(text)
		last := text
		for range 10 {
			_, next := repaired(last)
			if next == last {
				break
			}
			last = next
		}
		after, again := repaired(last)
		if again != last {
			t.Errorf("%s: there is always more to repair:\n%s", name, again)
		}
		if after.Count(diag.Error) > before.Count(diag.Error) {
			t.Errorf("%s: the repair makes errors:\n%s%v", name, last, messages(after))
		}
	}
}

// repaired returns what is found in a text, and the text after one round of repairs.
func repaired(text string) (diag.List, string) {
	src := source.New("test.conf", []byte(text))
	file, reading := grammar.LoadText(src, grammar.Options{ID: "lb1", Files: grammar.Files{Root: os.DirFS("/nonexistent"), Dir: "/"}})
	_, meaning := Compile(file, Options{Host: caseHost{}})
	found := Merge(file, reading, meaning)
	after, _ := found.Repair(src)
	return found, string(bytes.Clone(after))
}

func messages(found diag.List) (all []string) {
	for _, d := range found {
		if d.Severity == diag.Error {
			all = append(all, d.Span.String()+": "+d.Message)
		}
	}
	return all
}
