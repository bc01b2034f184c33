package diag

import (
	"testing"

	"keepc/grammar/source"
)

func TestRepair(t *testing.T) {
	src := source.New("f", []byte("one two three"))
	edit := func(from, to int, text string) Edit { return Edit{Span: src.Span(from, to), Text: text} }
	fix := func(edits ...Edit) Diagnostic { return Diagnostic{Fixes: []Fix{{Edits: edits}}} }
	for _, c := range []struct {
		name string
		list List
		want string
		done int
	}{
		{"nothing", nil, "one two three", 0},
		{"two places, in any order", List{fix(edit(8, 13, "3")), fix(edit(0, 3, "1"))}, "1 two 3", 2},
		{"an overlap waits", List{fix(edit(0, 7, "x")), fix(edit(4, 7, "2"))}, "x three", 1},
		{"neighbours wait", List{fix(edit(0, 3, "1")), fix(edit(3, 4, "-"))}, "1 two three", 1},
		{"the same edit twice", List{fix(edit(4, 7, "2")), fix(edit(4, 7, "2"))}, "one 2 three", 2},
		{"several edits of one fix", List{fix(edit(0, 3, "1"), edit(8, 13, "3"))}, "1 two 3", 1},
		{"two fixes are a choice", List{{Fixes: []Fix{{Edits: []Edit{edit(0, 1, "")}}, {Edits: []Edit{edit(1, 2, "")}}}}}, "one two three", 0},
		{"an insertion at the start", List{fix(edit(0, 0, "> "))}, "> one two three", 1},
		{"another text", List{fix(Edit{Span: source.New("g", []byte("abc")).Span(0, 1)})}, "one two three", 0},
	} {
		text, done := c.list.Repair(src)
		if string(text) != c.want || len(done) != c.done {
			t.Errorf("%s: %q with %d done, want %q with %d", c.name, text, len(done), c.want, c.done)
		}
	}
}

// TestRepairLineEnds checks that new lines have the line ends of the file.
func TestRepairLineEnds(t *testing.T) {
	src := source.New("f", []byte("one\r\ntwo three\r\n"))
	found := List{{Fixes: []Fix{{Edits: []Edit{{Span: src.Span(8, 9), Text: "\n"}}}}}}
	if text, _ := found.Repair(src); string(text) != "one\r\ntwo\r\nthree\r\n" {
		t.Errorf("%q", text)
	}
}
