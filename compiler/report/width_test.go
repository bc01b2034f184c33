package report

import (
	"strings"
	"testing"
)

// TestColumns checks that the caret is below what it points at where characters are wide or have no width.
func TestColumns(t *testing.T) {
	for _, test := range []struct {
		line, marked string
		text         string // as it is shown; empty: unchanged
		start, width int
	}{
		{line: "priority 300", marked: "300", start: 9, width: 3},
		{line: "\tpriority 300", marked: "300", start: 17, width: 3, text: "        priority 300"},
		{line: "# 負荷分散 300", marked: "300", start: 11, width: 3},
		{line: "notify 負荷 x", marked: "負荷", start: 7, width: 4},
		{line: "caf\u0065\u0301 300", marked: "300", start: 5, width: 3},
	} {
		at := part{}
		for i := range test.line {
			if len(test.line)-i >= len(test.marked) && test.line[i:i+len(test.marked)] == test.marked {
				at = part{i, i + len(test.marked)}
			}
		}
		e := render([]byte(test.line), at, nil)
		if test.text == "" {
			test.text = test.line
		}
		if e.Text != test.text || e.Start != test.start || e.Width != test.width {
			t.Errorf("%q: %q, column %d, %d wide; expected %q, %d, %d", test.line, e.Text, e.Start, e.Width, test.text, test.start, test.width)
		}
	}
}

// TestWrap checks that a text keeps its lines, and a column its position.
func TestWrap(t *testing.T) {
	got := Wrap("one two three\n\n  form   what it means to say\n  short\nend", 20)
	want := strings.Join([]string{"one two three", "", "  form   what it", "         means to", "         say", "  short", "end"}, "\n")
	if got != want {
		t.Errorf("%s\n\nexpected:\n%s", got, want)
	}
}
