package grammar

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

func TestInclude(t *testing.T) {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"a.conf":            "a\n",
		"b.conf":            "b ${_PWD}\n",
		"d/1.conf":          "one\ninclude sub/x.conf",
		"d/2.conf":          "two\n",
		"d/.3.conf":         "hidden\n",
		"d/sub/x.conf":      "x ${_PWD}\n",
		"cycle.conf":        "in\ninclude cycle.conf\nout",
		"half.conf":         "a {\n b\n",
		"defs.conf":         "$V=value\n",
		"demand.conf":       "global_defs {\ninclude_check +match\ninclude none.conf\n}\ninclude none.conf",
		"name with a blank": "blank\n",
	} {
		files["etc/keepalived/"+name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	for i := range 3 * maxDepth {
		files[fmt.Sprintf("etc/keepalived/many/%d.conf", i)] = &fstest.MapFile{Data: []byte("x\n"), Mode: 0o644}
		files[fmt.Sprintf("etc/keepalived/deep/%d.conf", i)] = &fstest.MapFile{Data: []byte(fmt.Sprintf("include %d.conf\n", i+1)), Mode: 0o644}
	}
	files["etc/keepalived/run.conf"] = &fstest.MapFile{Data: []byte("run"), Mode: 0o755}
	files["etc/keepalived/link.conf"] = &fstest.MapFile{Mode: fs.ModeNamedPipe | 0o644}
	for _, c := range []struct {
		name, text, tree, findings string
	}{
		{"a file", "x\ninclude a.conf\ny", "<x>; <a>; <y>", ""},
		{"by its absolute path", "include /etc/keepalived/a.conf # yes", "<a>", ""},
		{"within a block", "x {\n include a.conf\n}", "<x> { <a> }", ""},
		{"half a block", "include half.conf\n}\nx", "<a> { <b> }; <x>", ""},
		{"with its definitions", "include defs.conf\nx $V", "<x> <value>", ""},
		{"files that match", "include d/*.conf", "<one>; <x> </etc/keepalived/d/sub>; <two>", ""},
		{"very many files", "include many/*.conf", strings.Repeat("<x>; ", 3*maxDepth-1) + "<x>", ""},
		{"very deep", "include deep/0.conf", "", "1:9 include-cycle error"},
		{"a class of characters", "include d/[^1].conf", "<two>", ""},
		{"alternatives", "include {b,a}.conf", "<b> </etc/keepalived>; <a>", ""},
		{"nested alternatives", "include {d/{2,1},a}.conf", "<two>; <one>; <x> </etc/keepalived/d/sub>; <a>", ""},
		{"a name with a blank", "include name with a blank", "<blank>", ""},
		{"a name in quotes", "include \"a.conf\"", "<a>", "1:9 include-quotes error"},
		{"another word", "includes a.conf\nincluded\ninclude\nx", "<includes> <a.conf>; <included>; <include>; <x>", ""},

		{"no such file", "include none.conf\nx", "<x>", "1:9 include-not-found warning"},
		{"no such file elsewhere", "include /none.conf\nx", "<x>", "1:9 include-not-found warning, here"},
		{"nothing that matches", "include none*", "", "1:9 include-not-found info"},
		{"a directory", "include d", "", "1:9 include-unread warning"},
		{"an executable", "include run.conf", "", "1:9 include-unread warning"},
		{"a pipe", "include link.conf", "", "1:9 include-unread warning"},
		{"a readable file demanded", "includer run.conf\nincluder none.conf", "", "1:10 include-unread error; 2:10 include-not-found error"},
		{"a match demanded", "includem none.conf\nincludem none*", "", "1:10 include-not-found error; 2:10 include-not-found info"},
		{"a match of wildcards demanded", "includew none*", "", "1:10 include-not-found error"},
		{"a match of each alternative demanded", "includeb {a,none}.conf", "<a>", "1:10 include-not-found error"},
		{"everything demanded", "includea none*", "", "1:10 include-not-found error"},
		{"demands of include_check", "include demand.conf\ninclude none.conf",
			"<global_defs> { <include_check> <+match> }", "3:9 include-not-found error; 5:9 include-not-found error; 2:9 include-not-found warning"},
		{"all demands and none", "include_check\ninclude z*\ninclude_check -wildcard_match\ninclude y*",
			"<include_check>; <include_check> <-wildcard_match>", "2:9 include-not-found error; 4:9 include-not-found info"},

		{"a cycle", "include cycle.conf", "<in>; <out>", "2:9 include-cycle error"},
		{"too many alternatives", "include " + strings.Repeat("{a,b}", 20), "", "1:9 include-braces error"},
		{"a definition in the name", "$A=a\ninclude $A.conf\ninclude ${A}.conf", "<a>", "2:9 bare-reference warning; 3:9 include-expanded warning"},
		{"a condition before it", "@lb1 include a.conf\n@lb2 include b.conf", "<a>", "1:6 include-expanded warning"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, list := LoadText(source.New("test.conf", []byte(c.text)), Options{
				Files: Files{Root: files, Dir: "/etc/keepalived"}, ID: "lb1",
			})
			if got := outline(file.Stmts); got != c.tree {
				t.Errorf("%q\n got %s\nwant %s", c.text, got, c.tree)
			}
			var found []string
			for _, d := range list {
				text := findingsOf(diag.List{d}) + " " + d.Severity.String()
				if d.Host {
					text += ", here"
				}
				found = append(found, text)
			}
			if got := strings.Join(found, "; "); got != c.findings {
				t.Errorf("%q\n got findings %s\nwant %s", c.text, got, c.findings)
			}
		})
	}
}

// TestIncludeWide checks that a span has the whole chain: where the word is, where it was used, and from where that
// was included. A wildcard that covers more directories than are read is reported.
func TestIncludeWide(t *testing.T) {
	files := fstest.MapFS{}
	for i := range maxDirectories {
		files[fmt.Sprintf("etc/keepalived/%d/a.conf", i)] = &fstest.MapFile{Data: []byte("a\n"), Mode: 0o644}
	}
	for text, wide := range map[string]bool{"include 1*/*.conf": false, "include */*.conf": true} {
		_, found := LoadText(source.New("keepalived.conf", []byte(text)), Options{Files: Files{Root: files, Dir: "/etc/keepalived"}})
		if got := slices.ContainsFunc(found, func(d diag.Diagnostic) bool { return d.Rule == "include-wide" }); got != wide {
			t.Errorf("%s: wide is %v, want %v: %v", text, got, wide, found)
		}
	}
}

func TestSpansOfExpansion(t *testing.T) {
	files := fstest.MapFS{
		"etc/vips.conf": {Data: []byte("virtual_ipaddress {\n $VIPS\n}\n"), Mode: 0o644},
	}
	text := "$NET=10.0\n$VIPS= \\\n ${NET}.0.1 \\\n fe80::1\ninclude vips.conf\nx a${NET}b ${NET} ${_PWD}\n"
	file, list := LoadText(source.New("test.conf", []byte(text)), Options{Files: Files{Root: files, Dir: "/etc"}})
	if len(list) > 0 {
		t.Fatal(list)
	}
	block := file.Stmts[0].Block
	x := file.Stmts[1].Words
	for _, c := range []struct {
		word Word
		want []string
	}{
		{block.Stmts[0].Words[0], []string{"10.0.0.1", "test.conf:3:2 ${NET}.0.1", "used at vips.conf:2:2 $VIPS", "included from test.conf:5:1 include vips.conf"}},
		{block.Stmts[1].Words[0], []string{"fe80::1", "test.conf:4:2 fe80::1", "used at vips.conf:2:2 $VIPS", "included from test.conf:5:1 include vips.conf"}},
		{x[1], []string{"a10.0b", "test.conf:6:3 a${NET}b"}},
		{x[2], []string{"10.0", "test.conf:1:6 10.0", "used at test.conf:6:12 ${NET}"}},
		{x[3], []string{"/etc", "test.conf:6:19 ${_PWD}"}},
	} {
		way := []string{c.word.Text, c.word.Span.String() + " " + c.word.Span.Text()}
		for s := c.word.Span.Source; !s.Via.IsZero(); s = s.Via.Source {
			way = append(way, s.How+" "+s.Via.String()+" "+s.Via.Text())
		}
		if got, want := strings.Join(way, "\n"), strings.Join(c.want, "\n"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	if inc := file.Includes; len(inc) != 1 || inc[0].Pattern != "/etc/vips.conf" || inc[0].Files[0].Name != "vips.conf" {
		t.Errorf("%+v", inc)
	}
}
