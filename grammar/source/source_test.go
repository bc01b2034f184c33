package source

import "testing"

func TestPosition(t *testing.T) {
	src := New("a.conf", []byte("one\r\nzwölf tw\n\nend"))
	for _, c := range []struct {
		start, end int
		text, at   string
	}{
		{0, 3, "one", "a.conf:1:1"},
		{5, 11, "zwölf", "a.conf:2:1"},
		{12, 14, "tw", "a.conf:2:7"}, // columns are runes
		{15, 15, "", "a.conf:3:1"},
		{16, 19, "end", "a.conf:4:1"},
	} {
		if p := src.Span(c.start, c.end); p.Text() != c.text || p.String() != c.at {
			t.Errorf("[%d,%d) is %q at %s, want %q at %s", c.start, c.end, p.Text(), p, c.text, c.at)
		}
	}
	for n, want := range []string{"", "one", "zwölf tw", "", "end", ""} {
		if got := src.Line(n); got != want {
			t.Errorf("line %d is %q, want %q", n, got, want)
		}
	}
	for _, c := range []struct {
		at          Span
		first, last int
		line        string
	}{
		{src.Span(0, 3), 1, 1, "one\r"},
		{src.Span(4, 6), 1, 2, "one\r"},
		{src.Span(14, 15), 2, 3, "zwölf tw"},
		{src.Span(15, 15), 3, 3, ""},
		{src.Span(17, 19), 4, 4, "end"},
		{Span{}, 0, 0, ""},
	} {
		if first, last := c.at.Lines(); first != c.first || last != c.last || c.at.Line().Text() != c.line {
			t.Errorf("%v: lines %d to %d, %q", c.at, first, last, c.at.Line().Text())
		}
	}
	if (Span{}).String() != "" || (Span{}).Text() != "" {
		t.Error("the zero span is nowhere")
	}
}

func TestView(t *testing.T) {
	definition, file := New("def.conf", []byte("$X=1")), New("main.conf", []byte("a $X"))
	use := file.Span(2, 4)
	view := definition.View(use, "used at")
	if !view.Same(definition) || !definition.View(use, "used at").Same(view) || view.Same(file) {
		t.Error("views of one text are the same, other texts are not")
	}
	if one := view.Span(3, 4); one.String() != "def.conf:1:4" || one.Source.Via != use || one.Source.How != "used at" {
		t.Errorf("%+v", one)
	}
	if a, b := file.Span(0, 1), view.Span(0, 1); a.To(use) != file.Span(0, 4) || a.To(b) != a || use.To(a) != use {
		t.Error("To spans forward within one text only")
	}
}
