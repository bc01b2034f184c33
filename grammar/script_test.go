package grammar

import (
	"slices"
	"testing"

	"keepc/grammar/source"
)

func TestSplitScript(t *testing.T) {
	for _, c := range []struct {
		rest       string
		argv, more []string
		err        string
	}{
		{``, nil, nil, ""},
		{`/a/b`, []string{"/a/b"}, nil, ""},
		{`/a/b c d`, []string{"/a/b"}, []string{"c", "d"}, ""},
		{`"/a/b c d"`, []string{"/a/b", "c", "d"}, nil, ""},
		{`"/a/b c" user group`, []string{"/a/b", "c"}, []string{"user", "group"}, ""},
		{`"/a/b 'c d'"`, []string{"/a/b", "c d"}, nil, ""},
		{`'/a/b "c d"'`, []string{"/a/b", "c d"}, nil, ""},
		{`"/a/b "c" d"`, []string{"/a/b", "c", "d"}, nil, ""},
		{`"/a/b \"c d\""`, []string{"/a/b", `"c`, `d"`}, nil, ""},
		{`"/a/b \x41\102\cC\n\q"`, []string{"/a/b", "AB\x03\nq"}, nil, ""},
		{`/a\ b`, []string{"/a b"}, nil, ""},
		{`"/a ''"`, []string{"/a", ""}, nil, ""},
		{`"/a`, nil, nil, `no closing "`},
		{`"/a 'b"`, nil, nil, "no closing '"},
		{`/a\`, nil, nil, "backslash without a character after it"},
	} {
		argv, more, err := SplitScript(c.rest)
		if err != nil && err.Error() != c.err || err == nil && c.err != "" {
			t.Errorf("%s: error %v, want %q", c.rest, err, c.err)
		} else if err == nil && (!slices.Equal(argv, c.argv) || !slices.Equal(more, c.more)) {
			t.Errorf("%s: %q and %q, want %q and %q", c.rest, argv, more, c.argv, c.more)
		}
	}
}

func TestSplitEscaped(t *testing.T) {
	words, err := SplitEscaped(`"a b"'c'\td e\1012`)
	if want := []string{"a bc\td", "eA2"}; err != nil || !slices.Equal(words, want) {
		t.Errorf("%q, %v; want %q", words, err, want)
	}
}

// TestRest checks that the rest of a line keeps its quotes, wherever the line came from.
func TestRest(t *testing.T) {
	for _, c := range []struct{ text, rest string }{
		{"script", ""},
		{"script  \"/a b\"  c # d", "\"/a b\"  c"},
		{"script { \"x\" }", ""},
		{"$X=\"/a 'b  c'\"\nscript $X $X", "\"/a 'b  c'\" \"/a 'b  c'\""},
		{"$X=script\n$X '/a  b'", "'/a  b'"},
		{"$X=b\na { script ${X}\"c\"d }", ""},
	} {
		file, _ := LoadText(source.New("test.conf", []byte(c.text)), Options{})
		if got := file.Stmts[0].Rest(); got != c.rest {
			t.Errorf("%q: %q, want %q", c.text, got, c.rest)
		}
	}
	file, _ := LoadText(source.New("test.conf", []byte("$X=b\na { script ${X}\"c\"d }")), Options{})
	if got := file.Stmts[0].Block.Stmts[0].Rest(); got != `b"c"d` {
		t.Errorf("%q", got)
	}
}
