package compiler

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// TestLiteralAgrees holds that what keepalived makes of a file is what was meant, for every real file without errors.
func TestLiteralAgrees(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(shared(t, "corpus"), "files", "*"))
	if err != nil {
		t.Fatal(err)
	}
	same, differ := 0, 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 200<<10 {
			continue
		}
		abs, _ := filepath.Abs(filepath.Dir(name))
		meant := Load(source.New(filepath.Base(name), text), Options{Text: grammar.Options{Files: grammar.Files{Root: os.DirFS("/"), Dir: abs}, Nests: schema.Nests()}})
		a, _ := json.Marshal(meant.Literal().Config)
		b, _ := json.Marshal(meant.Config)
		switch errors := meant.Findings.Count(diag.Error); {
		case string(a) == string(b):
			same++
		case errors == 0:
			n := 0
			for n < min(len(a), len(b)) && a[n] == b[n] {
				n++
			}
			from := max(0, n-80)
			t.Errorf("%s: has no errors, and means something else:\n%s\n%s", filepath.Base(name), a[from:min(len(a), n+80)], b[from:min(len(b), n+80)])
		default:
			differ++
		}
	}
	t.Logf("%d files mean what they say, %d with errors do not", same, differ)
}
