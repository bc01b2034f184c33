package grammar

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"keepc/grammar/source"
)

// seed adds texts that cover every part of the language.
func seed(f *testing.F) {
	for _, c := range asRead {
		f.Add([]byte(c.text))
	}
	for _, text := range []string{
		"a b {\n  c \"d e\" # f\n}\n", "a {\n{ b }\n}}\n", "a \"b {\nc\\#d\n", "\ufeffa\x00\r\n", "$X=a \\\n\n b {\\\n # c\n }\nd $X",
		"~SEQ(i, 3) ~LST({a,b},{1,2}) c $i${a}", "$X=${X}$Y\n$Y=$X\n${X}", "include [a-z]{a,b{c,}}*.conf", "@lb1 @^lb2 a\n@lb1 $X=1 \\\nb",
		"include_check +match -brace_match\nincludea x", "a ${_RANDOM 1 2} ${_ENV X} $_PWD \\\n",
	} {
		f.Add([]byte(text))
	}
}

// FuzzLexer checks that the tokens of a line, put together, are the line.
func FuzzLexer(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		for line := range strings.Lines(string(text)) {
			s := newScanner(line)
			var all strings.Builder
			for {
				_, start, ok := s.next()
				if !ok {
					break
				}
				if start >= s.pos {
					t.Fatalf("%q: empty token at %d", line, start)
				}
				all.WriteString(line[start:s.pos])
			}
			if all.String() != line {
				t.Fatalf("%q became %q", line, all.String())
			}
		}
	})
}

// FuzzParse checks that every text has a tree, the same by the tags and by the fast parser, with spans inside the
// text.
func FuzzParse(f *testing.F) {
	seed(f)
	tags := buildTags(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		src := source.New("test.conf", text)
		file, list := Parse(src)
		Walk(file.Stmts, func(s *Stmt, _ int) {
			for _, w := range s.Words {
				if w.Span.Source != src || w.Span.Start >= w.Span.End || int(w.Span.End) > len(text) {
					t.Fatalf("%q: span %+v of %q", text, w.Span, w.Text)
				}
			}
			s.Rest()
		})
		for _, d := range list {
			if _ = d.Span.String(); d.Rule == "limit-met" {
				t.Fatalf("%q: not read to its end: %s", text, d.Message)
			}
		}
		agree(t, tags, string(text))
	})
}

// FuzzLoad checks that every expansion ends, and spans lead back to a text.
func FuzzLoad(f *testing.F) {
	seed(f)
	files := fstest.MapFS{"a.conf": {Data: []byte("include *.conf\na $X {\n"), Mode: 0o644}}
	f.Fuzz(func(t *testing.T, text []byte) {
		start := time.Now()
		defer func() {
			if took := time.Since(start); took > 20*time.Second {
				t.Fatalf("%q took %v", text, took)
			}
		}()
		file, list := LoadText(source.New("test.conf", text), Options{ID: "lb1", IDs: []string{"lb1"}, Files: Files{Root: files}, limit: 4 << 20})
		Walk(file.Stmts, func(s *Stmt, _ int) {
			for _, w := range s.Words {
				if w.Span.IsZero() || w.Span.Start > w.Span.End || int(w.Span.End) > len(w.Span.Source.Text) {
					t.Fatalf("%q: span %+v of %q", text, w.Span, w.Text)
				}
			}
			SplitScript(s.Rest())
			SplitEscaped(s.Rest())
		})
		for _, d := range list {
			_ = d.Span.String()
		}
	})
}

// FuzzFormat checks that a layout is stable and keeps the meaning of the text.
func FuzzFormat(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		once := Format(text)
		if twice := Format(once); string(twice) != string(once) {
			t.Fatalf("%q\nbecame %q\nthen   %q", text, once, twice)
		}
		if same, before, after := sameMeaning(text); !same {
			t.Fatalf("%q\nbecame %q\nread as %s\nthen as %s", text, once, before, after)
		}
	})
}
