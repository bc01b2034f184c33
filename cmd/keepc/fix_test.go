package main

import (
	"bytes"
	"testing"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// TestTrial checks that a repair that causes an error is left out, and that the others are made.
func TestTrial(t *testing.T) {
	src := source.New("f", []byte("one two three"))
	fix := func(from, to int, text string) diag.Diagnostic {
		return diag.Diagnostic{Fixes: []diag.Fix{{Edits: []diag.Edit{{Span: src.Span(from, to), Text: text}}}}}
	}
	run := trial{src: src, spend: func() bool { return true }, after: func(text []byte) diag.List {
		if bytes.Contains(text, []byte("bad")) {
			return diag.List{{Rule: "r", Severity: diag.Error}}
		}
		return nil
	}}
	text, done := run.safe(nil, diag.List{fix(0, 3, "1"), fix(4, 7, "bad"), fix(8, 13, "3")}).Repair(src)
	if string(text) != "1 two 3" || len(done) != 2 || len(run.left) != 1 {
		t.Errorf("%q with %d done and %d left", text, len(done), len(run.left))
	}
}

// TestPatch checks that lines between two repairs are shown once.
func TestPatch(t *testing.T) {
	got, _ := patch("/f", change{[]byte("a\nb\nc\nd\n"), []byte("A\nb\nC\nd\n")}, nil)
	if want := "--- a/f\n+++ b/f\n@@ -1,4 +1,4 @@\n-a\n+A\n b\n-c\n+C\n d\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
