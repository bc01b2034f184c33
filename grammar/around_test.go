package grammar

import (
	"strings"
	"testing"
	"testing/fstest"

	"keepc/grammar/source"
)

// TestAround checks the statements around a word, including a word that an include or a definition brings in.
func TestAround(t *testing.T) {
	files := fstest.MapFS{"more.conf": {Data: []byte("b {\n  c { inner 1 }\n}\n")}}
	const text = "$X=defined 2\nfirst 0\na x {\n  include more.conf\n  d {\n    $X\n    direct 3 }\n}\nlast 4\n"
	file, _ := LoadText(source.New("f.conf", []byte(text)), Options{Files: Files{Root: files}})
	found := map[string]string{}
	walk(file.Stmts, 0, func(s *Stmt, _ int) {
		for _, w := range s.Words {
			var path []string
			for _, s := range file.Around(w.Span) {
				path = append(path, s.Keyword())
			}
			found[w.Text] = strings.Join(path, "/")
		}
	})
	for word, want := range map[string]string{
		"0": "first", "x": "a", "c": "a/b/c", "inner": "a/b/c/inner", "1": "a/b/c/inner", "2": "a/d/defined", "3": "a/d/direct", "4": "last",
	} {
		if found[word] != want {
			t.Errorf("%s lies in %q, not in %q", word, found[word], want)
		}
	}
	if chain := file.Around(source.Span{}); chain != nil {
		t.Errorf("nowhere lies in %v", chain)
	}
}
