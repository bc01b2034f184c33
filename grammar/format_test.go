package grammar

import (
	"os"
	"path/filepath"
	"testing"

	"keepc/grammar/source"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"blank lines only", "\n \n\t\n", ""},
		{"spaces between words", "state   MASTER\t x", "state MASTER x\n"},
		{"indentation", "a {\nb {\n      c\n  }\n}", "a {\n\tb {\n\t\tc\n\t}\n}\n"},
		{"the brace behind its keyword", "a b{\n}\nc\n\n  {\n}\n", "a b {\n}\nc {\n}\n"},
		{"a statement a line", "a { b c } d\n} }", "a {\n\tb c\n}\nd\n}\n}\n"},
		{"blank lines", "\n\na\n\n\nb {\n\nc\n\n}\n\n\n", "a\n\nb {\n\tc\n}\n"},
		{"Windows line ends", "a\r\nb {\r\n c\r\n}\r\n", "a\nb {\n\tc\n}\n"},
		{"words stay", "a \"b  c\"d \"\"", "a \"b  c\"d \"\"\n"},
		{"comments stay", "# one  \na   # two\n! three\nb { # four\n# five\nc } # six\n", "# one\na # two\n! three\nb { # four\n\t# five\n\tc\n} # six\n"},
		{"a comment in a word", "a b#c", "a b#c\n"},
		{"a comment before the brace", "a # one\n{\n}", "a # one\n{\n}\n"},
		{"a row of closing braces", "a {\nb {\n}}", "a {\n\tb {\n\t}\n}\n"},

		{"definitions", "$X=  a   b\n  $Y= \\\n    a   {   \\\n   }\n", "$X=  a   b\n$Y= \\\n    a   {   \\\n   }\n"},
		{"a definition with blank lines", "$Y= \\\n\n  # c\n  a  b\n c  d", "$Y= \\\n\n  # c\n  a  b\nc d\n"},
		{"a definition that swallows a block", "$Y= \\\n  a \\\n\nb  {\nc\n}", "$Y= \\\n  a \\\n\nb  {\n\tc\n}\n"},
		{"references", "a {\nb   $X  c\n${Y}  { d  }\n}", "a {\n\tb   $X  c\n\t${Y}  { d  }\n}\n"},
		{"conditions", "a {\n@lb1   b\n @^lb1 c  { d }\n}", "a {\n\t@lb1   b\n\t@^lb1 c  { d }\n}\n"},
		{"a block by condition", "@lb1 a {\n@lb2 b {\nc\n}\nd", "@lb1 a {\n@lb2 b {\n\tc\n}\nd\n"},
		{"sequences", "a {\n~SEQ(i,  1, 2) b  $i\n~LST({i,j}, {1,2}) c $i\n}", "a {\n\t~SEQ(i,  1, 2) b  $i\n\t~LST({i,j}, {1,2}) c $i\n}\n"},
		{"includes", " include  a/{b,c}  d.conf # e", "include  a/{b,c}  d.conf # e\n"},
		{"single quotes and backslashes", "script  '/a  b'\nscript  /a\\  b", "script  '/a  b'\nscript  /a\\  b\n"},
		{"a quote without partner", "a   \"b   {\nc\n}", "a   \"b   {\n\tc\n}\n"},
		{"a backslash before blanks at the end", "a \\  \n", "a \\  \n"},
		{"what a brace would change", "a { @lb1 b }\n{ include x }", "a { @lb1 b }\n{ include x }\n"},
		{"no indentation below zero", "}\n}\na", "}\n}\na\n"},
		{"a byte order mark", "\ufeff\n\na", "\ufeffa\n"},
		{"NUL bytes", "a\n  b \x00  c\nd", "a\n  b \x00  c\nd\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := string(Format([]byte(c.text)))
			if got != c.want {
				t.Errorf("%q\n got %q\nwant %q", c.text, got, c.want)
			}
			if again := string(Format([]byte(got))); again != got {
				t.Errorf("%q\nbecomes %q", got, again)
			}
		})
	}
}

// sameMeaning reports whether a text and its canonical layout are read alike, and how.
func sameMeaning(text []byte) (bool, string, string) {
	// Indentation tells where a missing brace belongs, so the layout may only differ for texts whose braces match.
	opts := Options{ID: "lb1", limit: 4 << 20}
	read := func(text []byte) string {
		once := parseOnce(nil, func(r *record) lines {
			return newExpander(source.New("test.conf", text), opts, map[string]*source.Source{}, r)
		}, braces{}, nil)
		return outline(once.file.Stmts)
	}
	before, after := read(text), read(Format(text))
	return before == after, before, after
}

func TestFormatCorpus(t *testing.T) {
	files, _ := filepath.Glob("../../shared/corpus/files/*")
	if len(files) == 0 {
		t.Skip("no corpus beside the project")
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		once := Format(text)
		if twice := Format(once); string(twice) != string(once) {
			t.Errorf("%s: another layout the second time", name)
		}
		if same, before, after := sameMeaning(text); !same {
			t.Errorf("%s: read as\n%.300s\nafter formatting as\n%.300s", name, before, after)
		}
	}
}

func BenchmarkFormat(b *testing.B) {
	text := directors(1000, 50)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Format(text)
	}
}
