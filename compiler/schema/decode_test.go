package schema

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"keepc/grammar"
	"keepc/grammar/source"
)

// TestDecodeKeepsTree checks that reading a file by the table does not change its tree, and finds the same a second
// time: for our texts with mistakes, and for real files if a copy of them is next to the project.
func TestDecodeKeepsTree(t *testing.T) {
	var names []string
	for _, pattern := range []string{"../../testdata/err/*", "../../../shared/corpus/files/*", "../../../shared/cases/*/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	understood := 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // a directory
		}
		tree, _ := grammar.LoadText(source.New(name, text), grammar.Options{})
		before := tree.Text()
		other, _, first := Decode(tree, "")
		meant := other.Text()
		if other != tree {
			understood++
		}
		again, _, second := Decode(tree, "")
		switch {
		case !bytes.Equal(tree.Text(), before):
			t.Errorf("%s: the tree changed:\n%s\nbecame\n%s", name, before, tree.Text())
		case !bytes.Equal(again.Text(), meant):
			t.Errorf("%s: understood as\n%s\nand then as\n%s", name, meant, again.Text())
		case len(first) != len(second):
			t.Errorf("%s: %d findings, then %d", name, len(first), len(second))
		}
		for i := range min(len(first), len(second)) {
			if first[i].Message != second[i].Message || first[i].Span != second[i].Span {
				t.Errorf("%s: %s, then %s", name, first[i].Message, second[i].Message)
			}
		}
	}
	if understood < 20 {
		t.Errorf("only %d of %d files are understood differently: there is nothing to compare", understood, len(names))
	}
}
