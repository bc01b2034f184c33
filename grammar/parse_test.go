package grammar

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// outline writes a tree with its words in <> and its blocks in braces.
func outline(stmts []*Stmt) string {
	var parts []string
	for _, s := range stmts {
		var words []string
		for _, w := range s.Words {
			words = append(words, "<"+w.Text+">")
		}
		text := strings.Join(words, " ")
		if s.Block != nil {
			text += strings.TrimRight(" { "+outline(s.Block.Stmts), " ") + " }"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// findingsOf writes findings as "line:col rule", one after the other.
func findingsOf(list diag.List) string {
	var parts []string
	for _, d := range list {
		p := d.Span.Position()
		parts = append(parts, fmt.Sprintf("%d:%d %s", p.Line, p.Col, d.Rule))
	}
	return strings.Join(parts, ", ")
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text, tree, findings string
	}{
		{"nothing", "", "", ""},
		{"blank lines", "\n \t\n", "", ""},
		{"a line is a statement", "state MASTER\n", "<state> <MASTER>", ""},
		{"no newline at the end", "state MASTER", "<state> <MASTER>", ""},
		{"Windows line ends", "a b\r\nc {\r\nd\r\n}\r\n", "<a> <b>; <c> { <d> }", ""},
		{"every white space separates", "a\tb\fc\vd\re", "<a> <b> <c> <d> <e>", ""},

		{"a block", "a b {\n c\n d e\n}", "<a> <b> { <c>; <d> <e> }", ""},
		{"an empty block", "a {\n}", "<a> { }", ""},
		{"a glued brace", "a b{\n}", "<a> <b> { }", ""},
		{"the brace on a line of its own", "a b\n\n# comment\n  {\n}", "<a> <b> { }", ""},
		{"a block on one line", "a { b c }", "<a> { <b> <c> }", ""},
		{"two blocks on one line", "a { b } c { d }", "<a> { <b> }; <c> { <d> }", ""},
		{"two closing braces on one line", "a { \n b { \n c } }", "<a> { <b> { <c> } }", ""},
		{"a brace inside a word ends it", "state a{b\n}", "<state> <a> { <b> }", ""},
		{"the braces of a reference do not", "state a${X}b ${_RANDOM 1 9}", "<state> <a${X}b> <${_RANDOM 1 9}>", ""},

		{"quotes make one word", `a "b c" d`, "<a> <b c> <d>", ""},
		{"quotes end a word", `ab"cd"ef`, "<ab> <cd> <ef>", ""},
		{"an empty word", `a ""`, "<a> <>", ""},
		{"quotes protect braces and comments", `a "{ # ! }" b`, "<a> <{ # ! }> <b>", ""},
		{"single quotes do not count", `a 'b c#d'`, "<a> <'b> <c>", "1:7 comment-in-word"},
		{"there are no escapes between quotes", `a "b\" c`, `<a> <b\> <c>`, "1:5 unmatched-quote"},

		{"comments", "a # b\n! c\nd", "<a>; <d>", ""},
		{"a comment inside a word", "auth_pass ab#cd", "<auth_pass> <ab>", "1:13 comment-in-word"},
		{"a remark glued to a word", "priority 100# high\na \"b\"#c\n}#d", "<priority> <100>; <a> <b>", "3:1 extra-brace"},
		{"a comment after a brace", "a { # b {\n } ! }\nc", "<a> { }; <c>", ""},
		{"a backslash does not save the mark", `a b\#c d`, "<a> <b>", "1:4 comment-in-word"},
		{"nor do two", `a b\\#c d`, `<a> <b\\>`, "1:6 comment-in-word"},
		{"a backslash elsewhere is a byte", `a b\c \d`, `<a> <b\c> <\d>`, ""},

		{"a quote without partner", "a \"b c\nd", "<a> <b c>; <d>", "1:3 unmatched-quote"},
		{"leaves the brace at the end alone", "a \"b c {\nd\n}", "<a> <b c> { <d> }", "1:3 unmatched-quote"},

		{"a file that ends in a block", "a {\n b\n", "<a> { <b> }", "1:1 unclosed-block"},
		{"a file that ends in two blocks", "a {\n b {\n c", "<a> { <b> { <c> } }", "2:2 unclosed-block"},
		{"a block that indentation ends", "a {\n  b {\n    c\n  d\n}\ne {\n}\n", "<a> { <b> { <c> }; <d> }; <e> { }", "2:3 unclosed-block"},
		{"a block that the end of another ends", "a {\n  b {\n    c\n}\ne {\n}\n", "<a> { <b> { <c> } }; <e> { }", "2:3 unclosed-block"},
		{"a block that the next one ends", "a {\n  b\n\ne {\n  f\n}\n", "<a> { <b> }; <e> { <f> }", "1:1 unclosed-block"},
		{"no indentation, no guess", "a {\nb {\nc\n}\ne {\nf\n}\n", "<a> { <b> { <c> }; <e> { <f> } }", "1:1 unclosed-block"},

		{"a brace too many", "a {\n}\n}\nb", "<a> { }; <b>", "3:1 extra-brace"},
		{"a row of them", "a\n} } }\n}\nb }", "<a>; <b>", "2:1 extra-brace, 4:3 extra-brace"},
		{"a brace too many within a block", "a {\n  b {\n    c\n  }\n  }\n  d\n}\ne", "<a> { <b> { <c> }; <d> }; <e>", "5:3 extra-brace"},
		{"braces at the indentation of the block", "a {\n  b {\n    c\n    }\n  d\n  }\n}\ne", "<a> { <b> { <c> }; <d> }; <e>", "7:1 extra-brace"},

		{"a brace before any word", "{ a\n}\nb", "<a>; <b>", "1:1 stray-brace"},
		{"a brace after a brace", "a { { b } }\nc", "<a> { <b> }; <c>", "1:5 stray-brace"},
		{"a row of stray braces", "{{{ a\n}}}\nb", "<a>; <b>", "1:1 stray-brace"},

		{"a byte order mark", "\ufeffa b", "<a> <b>", "1:1 byte-order-mark"},
		{"UTF-16", "\xff\xfea\x00\n\x00", "", "1:1 byte-order-mark"},
		{"NUL bytes drop their line", "a b\nc\x00 d\ne\x00", "<a> <b>", "2:2 nul-byte"},
		{"Latin-1 and other bytes are bytes", "a \xe9\x80 \u00a0b", "<a> <\xe9\x80> <\u00a0b>", ""},
		{"a long line", "a " + strings.Repeat("b", 1100), "<a> <" + strings.Repeat("b", 1100) + ">", "1:1023 line-too-long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, list := Parse(source.New("test.conf", []byte(c.text)))
			if got := outline(file.Stmts); got != c.tree {
				t.Errorf("%q\n got %s\nwant %s", c.text, got, c.tree)
			}
			if got := findingsOf(list); got != c.findings {
				t.Errorf("%q\n got findings %s\nwant %s", c.text, got, c.findings)
			}
		})
	}
}

func TestSpans(t *testing.T) {
	file, _ := Parse(source.New("test.conf", []byte("a \"b c\" {\n  d # note\n} ! end\n# last")))
	a := file.Stmts[0]
	for _, c := range []struct {
		what string
		span source.Span
		want string
	}{
		{"a word", a.Words[0].Span, `1:1 a`},
		{"a quoted word", a.Words[1].Span, `1:3 "b c"`},
		{"a statement", a.Span(), `1:1 a "b c"`},
		{"an opening brace", a.Block.Open, `1:9 {`},
		{"a word in a block", a.Block.Stmts[0].Span(), `2:3 d`},
		{"a closing brace", a.Block.Close, `3:1 }`},
		{"a comment", file.Comments[0].Span, `2:5 # note`},
		{"the other mark", file.Comments[1].Span, `3:3 ! end`},
		{"a comment on its own line", file.Comments[2].Span, `4:1 # last`},
	} {
		p := c.span.Position()
		if got := fmt.Sprintf("%d:%d %s", p.Line, p.Col, c.span.Text()); got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
	}
	for i, trailing := range []bool{true, true, false} {
		if c := file.Comments[i]; c.Trailing != trailing || c.Text != c.Span.Text() {
			t.Errorf("comment %d: %+v", i, c)
		}
	}
}

func TestMissingBraceHasNoSpan(t *testing.T) {
	file, _ := Parse(source.New("test.conf", []byte("a {\n b")))
	if b := file.Stmts[0].Block; !b.Close.IsZero() || b.Open.IsZero() {
		t.Errorf("%+v", b)
	}
}

func TestDepth(t *testing.T) {
	deep := strings.Repeat("a {\n", 70) + "b\n" + strings.Repeat("}\n", 70) + "c\n"
	file, list := Parse(source.New("test.conf", []byte(deep)))
	if got := findingsOf(list); got != "65:3 nesting-too-deep" {
		t.Error(got)
	}
	if len(file.Stmts) != 2 || file.Stmts[1].Keyword() != "c" {
		t.Error(outline(file.Stmts))
	}
}

// TestBraceByWord checks that indentation shows where a brace was likely forgotten, and that only a word of the file
// proves it.
func TestBraceByWord(t *testing.T) {
	words := func(outer, word string) bool {
		switch word {
		case "top":
			return outer == ""
		case "b", "d":
			return outer == "top"
		}
		return true
	}
	for _, c := range []struct{ name, text, want string }{
		{"a word of the file", "top {\n  b\n\ntop {\n}\n", `add "}"`},
		{"a word that nobody knows", "top {\n  b\n\ne {\n}\n", "by its indentation"},
		{"a word of the block, far to the left", "top {\n  b\nd {\n}\n", "before the file ends"},
		{"a word of the block around it", "top {\n  b {\n    c\n  d\n}\n", "by its indentation"},
		{"one brace too many, by the next line", "top {\n  b {\n    c\n  }\n  }\n  d\n}\n", "too many, by the indentation"},
		{"one brace too many, behind all", "top {\n}\n}\n", "delete the brace"},
	} {
		_, list := parse(source.New("test.conf", []byte(c.text)), plain(c.text), words)
		var got string
		for _, d := range list {
			got += d.Label
			for _, n := range d.Notes {
				got += ", " + n.Message
			}
			for _, f := range d.Fixes {
				got += ", " + f.Title
			}
		}
		if len(list) != 1 || !strings.Contains(got, c.want) || strings.Contains(c.want, "indentation") && len(list[0].Fixes) > 0 {
			t.Errorf("%s: %d findings: %s", c.name, len(list), got)
		}
	}
}

// TestFixes checks that the proposed repairs make texts without findings.
func TestFixes(t *testing.T) {
	words := func(outer, word string) bool { return word != "e" || outer == "" }
	for _, text := range []string{
		"a {\n  b\n\ne {\n  f\n}\n",
		"a {\n}\n}\nb",
		"\ufeffa",
	} {
		src := source.New("test.conf", []byte(text))
		file, list := parse(src, plain(text), words)
		if len(list) != 1 || len(list[0].Fixes) != 1 {
			t.Errorf("%q: %+v", text, list)
			continue
		}
		edit := list[0].Fixes[0].Edits[0]
		fixed := text[:edit.Span.Start] + edit.Text + text[edit.Span.End:]
		again, list := Parse(source.New("test.conf", []byte(fixed)))
		if len(list) != 0 || outline(again.Stmts) != outline(file.Stmts) {
			t.Errorf("%q became %q: %s", text, fixed, findingsOf(list))
		}
	}
}

func plain(text string) func(*record) lines {
	return func(r *record) lines { return newTextLines(source.New("test.conf", []byte(text)), r) }
}

// TestHostileInput checks that whatever the bytes are, the parse ends soon and reports little.
func TestHostileInput(t *testing.T) {
	size := 4 << 20
	for _, c := range []struct {
		name string
		text []byte
		most int // findings
	}{
		{"opening braces", bytes.Repeat([]byte("{"), size), 2}, // one for the length of the line
		{"closing braces", bytes.Repeat([]byte("}"), size), 2},
		{"nested blocks", bytes.Repeat([]byte("a{"), size/2), 2},
		{"one line", bytes.Repeat([]byte("a"), size), 1},
		{"NUL bytes", make([]byte, size), 2},
		{"quotes", bytes.Repeat([]byte("\"\n"), size/8), 1001},
		{"stray braces", bytes.Repeat([]byte("}\na\n"), size/16), 1001},
		{"Latin-1", bytes.Repeat([]byte("\xe9 \xff\n"), size/16), 0},
		{"random bytes", random(size / 16), 1001},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			_, list := Parse(source.New("test.conf", c.text))
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			if len(list) > c.most {
				t.Errorf("%d findings, the first: %v", len(list), list[0])
			}
		})
	}
}

func random(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	text := make([]byte, n)
	r.Read(text)
	return text
}

// TestCorpus parses configurations from public repositories, if a copy of them is beside the project.
func TestCorpus(t *testing.T) {
	files, _ := filepath.Glob("../../shared/corpus/files/*")
	if len(files) == 0 {
		t.Skip("no corpus beside the project")
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, _ := Parse(source.New(name, text))
		if len(file.Stmts) == 0 && len(bytes.TrimSpace(text)) > 1000 {
			t.Errorf("%s: nothing read", name)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text := directors(1000, 50)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if file, list := Parse(source.New("big.conf", text)); len(file.Stmts) != 1000 || len(list) != 0 {
			b.Fatal(len(file.Stmts), list)
		}
	}
}

// directors is a configuration of virtual servers with real servers, the shape of large installations.
func directors(services, servers int) []byte {
	var out strings.Builder
	for v := range services {
		fmt.Fprintf(&out, "virtual_server 10.%d.%d.1 80 {\n    delay_loop 6\n    lb_algo wrr\n    lb_kind DR\n    protocol TCP\n\n", v/250, v%250)
		for r := range servers {
			fmt.Fprintf(&out, "    real_server 172.%d.%d.%d 80 {\n        weight 1\n        TCP_CHECK {\n            connect_timeout 3\n"+
				"            connect_port 80\n        }\n    }\n", 16+v/250, v%250, r+1)
		}
		out.WriteString("}\n\n")
	}
	return []byte(out.String())
}

func BenchmarkParseSmall(b *testing.B) {
	text := directors(1, 5)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Parse(source.New("small.conf", text))
	}
}
