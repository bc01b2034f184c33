package grammar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

func load(text string, files fstest.MapFS) (*File, string) {
	file, list := LoadText(source.New("test.conf", []byte(text)), Options{
		Files: Files{Root: files, Dir: "/etc/keepalived"}, ID: "lb1", IDs: []string{"lb1", "lb2"},
		Env: func(name string) string { return map[string]string{"HOME": "/root"}[name] },
	})
	return file, findingsOf(list)
}

func TestExpand(t *testing.T) {
	for _, c := range []struct {
		name, text, tree, findings string
	}{
		{"a line for this host", "@lb1 state A\n@lb2 state B", "<state> <A>", ""},
		{"a line for the others", "@^lb1 state A\n@^lb2 state B", "<state> <B>", ""},
		{"no text after the id", "@lb1\n@^lb2\n@lb1 \t\na", "<a>", ""},
		{"an id that no host has", "@lb3 a\n@^lb b\n", "<b>", "1:2 unknown-id, 2:3 unknown-id"},
		{"one condition a line", "@lb1 @^lb2 a\nb", "<b>", "1:6 second-condition"},
		{"a block for one host", "@lb1 a {\n@lb2 b {\nc\n}", "<a> { <c> }", ""},

		{"a definition", "$X=z\nstate $X", "<state> <z>", ""},
		{"in braces, within a word", "$X=z\nstate a${X}b", "<state> <azb>", ""},
		{"where $NAME counts", "$X=z\n$X.y $X-Y $X,Y $X)Y a$X \"$X\" $X\"b\"", "<$X.y> <$X-Y> <z,Y> <z)Y> <az> <$X> <$X> <b>",
			"2:1 bare-reference, 2:6 bare-reference, 2:26 bare-reference, 2:30 bare-reference"},
		{"a keyword", "$K=state\n${K} q", "<state> <q>", ""},
		{"blanks before the value", "$X=  z\t\na $X b", "<a> <z> <b>", ""},
		{"an empty value", "$X=\na ${X}b $X c", "<a> <b> <c>", ""},
		{"quotes are part of the value", "$X=\"b c\"\na $X ${X}d", "<a> <b c> <b c> <d>", ""},
		{"defined again", "$X=1\na $X\n$X=2\nb $X", "<a> <1>; <b> <2>", ""},
		{"defined by a definition that comes later", "$X=a$Y\n$Y=b\nstate $X", "<state> <ab>", ""},
		{"for this host", "@lb1 $X=1\n@lb2 $X=2\na $X", "<a> <1>", ""},
		{"with a brace", "$X=a {\n$X\nb\n}", "<a> { <b> }", ""},
		{"a condition in a value", "$X=@lb1 a\n$Y=@lb2 b\n$X\n$Y\nc", "<a>; <c>", ""},
		{"a definition in a value", "$X=$$ \\\n$Y=1\n$X\na $Y", "<$$>; <a> <1>", ""},

		{"several lines", "$X=a \\\n b c \\\n d\n$X\ne", "<a>; <b> <c>; <d>; <e>", ""},
		{"and a word before them", "$X=a \\\n b\nz$X", "<za>; <b>", ""},
		{"but none after", "$X=a \\\n b\nz $X y", "<z> <$X> <y>", "3:5 text-after-lines"},
		{"the first line empty", "$X= \\\n a {\\\n b\\\n}\n$X", "<a> { <b> }", ""},
		{"comments within", "$X= \\\n a # one \\\n # two \\\n b\n$X", "<a>; <b>", "4:2 comment-in-definition"},
		{"a comment behind its lines", "$X= \\\n a # one \\\n # two \\\n # three\n b\n$X", "<b>; <a>", "2:2 gap-in-definition"},
		{"a comment in its first line", "$X=a # one \\\n b\n$X", "<a>; <b>", "2:2 comment-in-definition"},
		{"blanks behind the backslash", "$X=a \\ \n b \\\t\n c\n$X", "<a>; <b>; <c>", ""},
		{"blanks behind a backslash that continues nothing", "a \\ \nb", "<a> <\\>; <b>", ""},
		{"nested", "$Y=b \\\n c\n$X=a \\\n $Y \\\n d\n$X\n", "<a>; <b>; <c>; <d>", ""},
		{"nested at the start", "$Y=b \\\n c\n$X=$Y \\\n d\n$X\n", "<b>; <c>; <d>", ""},
		{"conditions within", "$X= \\\n a \\\n @lb2 b \\\n @lb1 c\n$X", "<a>; <c>", ""},
		{"a blank line behind it", "$X=a \\\n\n b\n$X", "<b>; <a>", "1:4 gap-in-definition"},
		{"a blank line within", "$X=a \\\n\n b \\\n c\nd\n$X", "<d>; <a>", "3:2 gap-in-definition"},
		{"a blank line within, and a block behind", "$X=a \\\n\n b \\\nc {\n d\n}\n$X", "<c> { <d> }; <a>", "3:2 gap-in-definition"},
		{"for other hosts", "@lb2 $X=a \\\n b \\\n c\nd $X", "<d> <$X>", "1:6 condition-on-lines, 4:3 undefined-reference"},
		{"a definition that swallows a block", "$X=a \\\n\nb {\n c\n}\n$X", "<b> { <c> }; <a>", "1:4 gap-in-definition"},

		{"not defined", "a $X", "<a> <$X>", "1:3 undefined-reference"},
		{"not defined, in braces", "a ${X} b", "<a> <${X}> <b>", "1:3 undefined-reference"},
		{"not defined, between quotes or within a word", "a \"${X} $Y\" b$Z", "<a> <${X} $Y> <b$Z>", ""},
		{"used before it is defined", "a ${X}\n$X=1", "<a> <${X}>", "1:3 undefined-reference, 2:1 unused-definition"},
		{"not used", "$X=1\n$Y=2\n@lb2 a $Y", "", "1:1 unused-definition"},
		{"a blank before =", "$X = 1\na $X", "<a> <1>", "1:3 spaced-definition"},
		{"a value of itself", "$X=a${X}\nb $X", "<b> <a${X}>", "1:5 definition-cycle"},
		{"a circle", "$X=${Y}\n$Y=${X}\nb $X", "<b> <${X}>", "2:4 definition-cycle"},

		{"the directory", "a ${_PWD}", "<a> </etc/keepalived>", ""},
		{"the instance", "a ${_INSTANCE} $_INSTANCE", "<a> <lb1> <lb1>", ""},
		{"the environment", "a ${_ENV HOME}${_ENV NONE}b", "<a> </rootb>", "1:15 unset-variable"},
		{"a random number", "a ${_RANDOM 5 5} ${_RANDOM 7 3}", "<a> <5> <7>", "1:18 random-range"},
		{"bad bounds of a random number", "a ${_RANDOM x}", "<a> <${_RANDOM x}>", "1:3 undefined-reference"},
		{"marks of comments", "a \"${_HASH}${_BANG}\" b", "<a> <#!> <b>", ""},
		{"a mark that comments out the line", "$OFF=${_HASH}\n${OFF} a\nb", "<b>", ""},
		{"marks outside of quotes", "a ${_HASH} b", "<a>", "1:3 comment-from-definition"},
		{"defined anew", "$_PWD=x\na $_PWD", "<a> <x>", ""},

		{"a sequence", "~SEQ(i, 3) a $i", "<a> <1>; <a> <2>; <a> <3>", ""},
		{"from, to", "~SEQ(i, 2, 3) a ${i}x", "<a> <2x>; <a> <3x>", ""},
		{"downwards", "~SEQ(i, 0) a $i\n~SEQ(i, -2) b $i\n~SEQ(i,2,1) c $i", "<a> <1>; <a> <0>; <b> <-1>; <b> <-2>; <c> <2>; <c> <1>", ""},
		{"with steps", "~SEQ(i, 1, 2, 6) a $i\n~SEQ ( i , 0x10 , -8 , 010 ) b $i", "<a> <1>; <a> <3>; <a> <5>; <b> <16>; <b> <8>", ""},
		{"in hexadecimal", "~SEQx(i, 9, 11) a:${i}", "<a:9>; <a:a>; <a:b>", ""},
		{"of a definition", "$N=2\n~SEQ(i, $N) a $i", "<a> <1>; <a> <2>", ""},
		{"nested", "~SEQ(i, 2) ~SEQ(j, 2) a $i$j ${i}${j}", "<a> <$i1> <11>; <a> <$i2> <12>; <a> <$i1> <21>; <a> <$i2> <22>", "1:25 bare-reference"},
		{"of a block in a definition", "$B=a ${i} {\\\n b\\\n}\n~SEQ(i, 2) $B", "<a> <1> { <b> }; <a> <2> { <b> }", ""},
		{"that leads nowhere", "~SEQ(i, 1, -1, 3) a\n~SEQ(i, 1, 0, 3) a\n~SEQ(i, x) a\n~SEQ i\nb", "<b>",
			"1:1 invalid-sequence, 2:1 invalid-sequence, 3:1 invalid-sequence, 4:1 invalid-sequence"},
		{"a list", "~LST(i, a, b) x $i", "<x> <a>; <x> <b>", ""},
		{"a list of tuples", "~LST({i, j}, {a,1},{b,2}) ${i}${j}", "<a1>; <b2>", ""},
		{"tuples that do not fit", "~LST({i,j}, {a}) x", "", "1:1 invalid-sequence"},
		{"another ~", "~x a", "<~x> <a>", ""},

		{"a backslash at the end", "a b \\\nc", "<a> <b>; <c>", "1:5 line-continuation"},
		{"a backslash at the end of a comment", "# a \\\nc", "<c>", "1:5 line-continuation"},
		{"a row of them", "# $X= \\\n# a \\\n# b\nc", "<c>", "1:7 line-continuation"},
		{"two are a word", "a \\\\\nc", "<a> <\\\\>; <c>", ""},
		{"a mark behind a backslash", "\\! a\n \\# b\nc", "<c>", "1:1 escaped-comment, 2:2 escaped-comment"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, findings := load(c.text, nil)
			if got := outline(file.Stmts); got != c.tree {
				t.Errorf("%q\n got %s\nwant %s", c.text, got, c.tree)
			}
			if findings != c.findings {
				t.Errorf("%q\n got findings %s\nwant %s", c.text, findings, c.findings)
			}
		})
	}
}

// TestCommentByVersion checks which versions end a definition at a comment.
func TestCommentByVersion(t *testing.T) {
	const text = "$X= \\\n a \\\n # two \\\n b\n$X"
	for version, want := range map[string]string{"": "<a>; <b>", "2.4.3": "<a>", "2.4": "<a>", "2.3.4": "<a>; <b>", "2.2.7": "<a>; <b>"} {
		file, found := LoadText(source.New("test.conf", []byte(text)), Options{Files: Files{Root: fstest.MapFS{}, Dir: "/"}, Version: version})
		if got := outline(file.Stmts); got != want || (len(found) > 0) != (want == "<a>" || version == "") {
			t.Errorf("%q: %s, %v", version, got, found)
		}
	}
}

// TestHostileExpansion checks that whatever definitions say, the reading ends soon and says why.
func TestHostileExpansion(t *testing.T) {
	doubling := "$A0=" + strings.Repeat("x", 100) + "\n"
	for i := range 40 {
		doubling += fmt.Sprintf("$A%d=${A%d} ${A%d}\n", i+1, i, i)
	}
	lines := "$A0= \\\n x \\\n x\n"
	for i := range 40 {
		lines += fmt.Sprintf("$A%d= \\\n $A%d \\\n $A%d\n", i+1, i, i)
	}
	for _, c := range []struct{ name, text, finding string }{
		{"a value of itself", "$X=${X}\na ${X}", "definition-cycle"},
		{"a value that grows", "$X=a${X}${X}\na ${X}", "definition-cycle"},
		{"a circle of lines", "$X=a \\\n$Y\n$Y=b \\\n$X\n$X", "definition-cycle"},
		{"an environment of itself", "a ${_ENV SELF}", ""},
		{"a word that doubles", doubling + "a ${A40}", "line-too-long"},
		{"lines that double", lines + "$A40", "limit-met"},
		{"a long sequence", "~SEQ(i, 1000000000000) a $i", "limit-met"},
		{"sequences of sequences", strings.Repeat("~SEQ(i, 1000) ", 20) + "a", "limit-met"},
		{"a sequence of nothing", "~SEQ(i, 1000000000000)", "limit-met"},
		{"a long line of references", "$A=b\n" + strings.Repeat("$A ", 1<<16), "line-too-long"},
		{"many lines of references", "$A=b\n" + strings.Repeat(strings.Repeat("$A ", 2000)+"\n", 100), "limit-met"},
		{"many definitions", strings.Repeat("$A=b\n", 1<<16) + "a $A", ""},
		{"a file that includes twice", "include twice.conf\n", "include-cycle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			twice := &fstest.MapFile{Data: []byte("include twice.conf\ninclude ./twice.conf\n"), Mode: 0o644}
			_, list := LoadText(source.New("test.conf", []byte(c.text)), Options{
				Files: Files{Root: fstest.MapFS{"twice.conf": twice}},
				Env:   func(string) string { return "${_ENV SELF}" },
				limit: 4 << 20,
			})
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			if c.finding != "" && !slices.ContainsFunc(list, func(d diag.Diagnostic) bool { return d.Rule == c.finding }) {
				t.Errorf("no %s: %s", c.finding, findingsOf(list))
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	text := directors(1000, 50)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		LoadText(source.New("big.conf", text), Options{})
	}
}

func BenchmarkExpand(b *testing.B) {
	text := []byte("$RS=real_server 10.0.${i}.${j} 80 {\\\n weight 1\\\n TCP_CHECK {\\\n connect_timeout 3\\\n }\\\n }\n" +
		"~SEQ(i, 100) ~SEQ(j, 100) $RS\n")
	for b.Loop() {
		if file, list := LoadText(source.New("x.conf", text), Options{}); len(file.Stmts) != 10000 || len(list) > 0 {
			b.Fatal(len(file.Stmts), list)
		}
	}
	b.ReportMetric(float64(b.N)*10000*6/b.Elapsed().Seconds(), "lines/s")
}
