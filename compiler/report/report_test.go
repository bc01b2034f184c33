package report

import (
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// sample is a finding with every field set.
func sample() Check {
	src := source.New("a.conf", []byte("vrrp_instance A {\n\tpriority 300\n\tauth_pass k2t9\n}\n"))
	f := File{Name: "a.conf", Fatal: diag.Error, Findings: diag.List{
		{
			Rule: "value-range", Severity: diag.Error, Message: "priority 300 is outside 1..255", Span: src.Span(28, 31), Label: "expected 1..255",
			Notes: []diag.Note{{Message: "the instance", Span: src.Span(0, 15)}, {Message: "keepalived uses 100"}},
			Help:  "write a number that is in the range", Fixes: []diag.Fix{{Title: "write 200", Edits: []diag.Edit{{Span: src.Span(28, 31), Text: "200"}}}},
		},
		{Rule: "x-y", Severity: diag.Warning, Message: "a password", Span: src.Span(43, 47)},
		{Rule: "x-z", Severity: diag.Info, Message: "nowhere"},
	}}
	f.Identify(nil)
	return NewCheck([]File{f})
}

func TestHuman(t *testing.T) {
	const want = `a.conf:2:11: error: priority 300 is outside 1..255 [value-range]
   |
 2 |         priority 300
   |                  ^^^ expected 1..255
  --> a.conf:1:1
   |
 1 | vrrp_instance A {
   | --------------- the instance
   |
 note: keepalived uses 100
 help: write a number that is in the range

a.conf:3:12: warning: a password [x-y]
   |
 3 |         auth_pass (hidden)
   |                   ^^^^^^^^

a.conf: info: nowhere [x-z]

1 error, 1 warning, 1 info. keepc check --fix repairs 1. More: keepc explain value-range
`
	var b strings.Builder
	if err := Human(&b, sample(), false); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s", &b)
	}
}

// TestModel checks that the screen is made only from the JSON form.
func TestModel(t *testing.T) {
	for _, f := range Formats() {
		var direct, again strings.Builder
		if err := f.Write(&direct, sample(), false); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(sample())
		if err != nil {
			t.Fatal(err)
		}
		var c Check
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatal(err)
		}
		if err := f.Write(&again, c, false); err != nil {
			t.Fatal(err)
		}
		if direct.String() != again.String() {
			t.Errorf("%s: another text after JSON:\n%s", f.Name, &again)
		}
	}
}

// TestColors checks that colour adds SGR codes and changes nothing else.
func TestColors(t *testing.T) {
	sgr := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, f := range Formats() {
		var plain, colored strings.Builder
		if err := f.Write(&plain, sample(), false); err != nil {
			t.Fatal(err)
		}
		if err := f.Write(&colored, sample(), true); err != nil {
			t.Fatal(err)
		}
		if sgr.ReplaceAllString(colored.String(), "") != plain.String() {
			t.Errorf("%s: colour changes the text:\n%q", f.Name, colored.String())
		}
	}
}

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, c := range []struct {
		name, text string
		from, to   int
		want       Excerpt
	}{
		{"a tab", "\ta b\n", 3, 4, Excerpt{1, "        a b", 10, 1}},
		{"a tab behind a word", "ab\tc\n", 3, 4, Excerpt{1, "ab      c", 8, 1}},
		{"characters, not bytes", "é ü\n", 3, 5, Excerpt{1, "é ü", 2, 1}},
		{"no character", "a\xff\x1bb\n", 3, 4, Excerpt{1, "a??b", 3, 1}},
		{"the end of the line", "ab\n", 2, 2, Excerpt{1, "ab", 2, 1}},
		{"the end of the text", "ab", 2, 2, Excerpt{1, "ab", 2, 1}},
		{"more than the line", "ab cd\nef\n", 3, 8, Excerpt{1, "ab cd", 3, 2}},
		{"an empty text", "", 0, 0, Excerpt{1, "", 0, 1}},
		{"CRLF", "ab\r\ncd\r\n", 4, 6, Excerpt{2, "cd", 0, 2}},
		{"a long line", long + "y" + long, 1000, 1001, Excerpt{1, "..." + long[:40] + "y" + long[:119] + "...", 43, 1}},
		{"a secret", "auth_pass abc # note\n", 0, 9, Excerpt{1, "auth_pass (hidden)", 0, 9}},
		{"a secret in a block", "a { auth_pass abc }\n", 0, 1, Excerpt{1, "a { auth_pass (hidden) }", 0, 1}},
		{"a part of a secret", "auth_pass abc\n", 11, 12, Excerpt{1, "auth_pass (hidden)", 10, 8}},
		{"a definition of a secret", "$PASS=abc\n", 0, 1, Excerpt{1, "$PASS=(hidden)", 0, 1}},
		{"no secret", "script /etc/passwd x\n", 0, 1, Excerpt{1, "script /etc/passwd x", 0, 1}},
	} {
		src := source.New("f", []byte(c.text))
		if got := (File{}).spot(src.Span(c.from, c.to)).excerpt(); !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.name, *got, c.want)
		}
	}
	src := source.New("f", []byte("key $x\n"))
	if got := (File{Secrets: []source.Span{src.Span(4, 6)}}).spot(src.Span(0, 3)).excerpt(); got.Text != "key (hidden)" {
		t.Errorf("a secret by its place: %q", got.Text)
	}
}

// TestScrub checks that a text about a secret does not quote it.
func TestScrub(t *testing.T) {
	src := source.New("f", []byte("auth_pass ab#cd\n"))
	c := NewCheck([]File{{Findings: diag.List{{
		Rule: "x-y", Severity: diag.Warning, Message: `"#" cuts the word`, Label: `keepalived reads "ab"`, Span: src.Span(12, 15),
	}}}})
	if got := c.Findings[0].Label; got != `keepalived reads "(hidden)"` {
		t.Errorf("got %q", got)
	}
}

// TestHide checks what is hidden in commands and addresses.
func TestHide(t *testing.T) {
	for line, want := range map[string]string{
		`misc_path "/bin/x -p abc -v"`:            `misc_path "/bin/x -p (hidden) -v"`,
		`misc_path "/bin/dig -p 53 x"`:            `misc_path "/bin/dig -p 53 x"`,
		"path /x?user=me&token=abc&v=1":           "path /x?user=me&token=(hidden)&v=1",
		`misc_path "/bin/dig -p 53; x"`:           `misc_path "/bin/dig -p 53; x"`,
		`misc_path "/bin/x -p 53;x"`:              `misc_path "/bin/x -p (hidden);x"`,
		"ipvsadm -A -u 192.0.2.1:80 -s rr":        "ipvsadm -A -u 192.0.2.1:80 -s rr",
		"curl -u 10.0.0.1:12345 x":                "curl -u 10.0.0.1:(hidden) x",
		"ipvsadm -Z; curl -u 10.0.0.1:12345 x":    "ipvsadm -Z; curl -u 10.0.0.1:(hidden) x",
		"path /x?KEY=abc":                         "path /x?KEY=(hidden)",
		"path /x?monkey=abc":                      "path /x?monkey=abc",
		"auth_pas abc # note":                     "auth_pas (hidden)",
		"authentication { auth_pass1234 } auth_x": "authentication { auth_pass(hidden) } auth_x",
	} {
		if got := Hide(line); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
	src := source.New("f", []byte("auth_pass abc # the rest\n"))
	c := NewCheck([]File{{Findings: diag.List{{Rule: "x-y", Message: "the abc ends", Span: src.Span(10, 13)}}}})
	if got := c.Findings[0].Message; got != "the (hidden) ends" {
		t.Errorf("a text about a secret: %q", got)
	}
}

// TestHideArgs checks that an argument that is a secret is hidden to its end, and that the others stay.
func TestHideArgs(t *testing.T) {
	for _, c := range []struct{ args, want []string }{
		{[]string{"x", "-p", "a;b", "-v"}, []string{"x", "-p", "(hidden)", "-v"}},
		{[]string{"x", "-p", "a b'c", "-v"}, []string{"x", "-p", "(hidden)", "-v"}},
		{[]string{"x", "-p", "80;b"}, []string{"x", "-p", "(hidden)"}},
		{[]string{"x", "-p", "80", "-v"}, []string{"x", "-p", "80", "-v"}},
		{[]string{"x", "--token=a&b", "-v"}, []string{"x", "--token=(hidden)", "-v"}},
		{[]string{"curl", "-u", `me:a"b c`, "x"}, []string{"curl", "-u", "me:(hidden)", "x"}},
		{[]string{"curl", "http://me:a@h/?token=b&v=1"}, []string{"curl", "http://me:(hidden)@h/?token=(hidden)&v=1"}},
		{[]string{"sh", "-c", "x -p a; y"}, []string{"sh", "-c", "x -p (hidden); y"}},
	} {
		if got := HideArgs(c.args); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.args, got, c.want)
		}
	}
}

// TestSaidOnce checks that people see a mistake that is repeated in very many places once, with its second place, and
// that programs see it everywhere.
func TestSaidOnce(t *testing.T) {
	src := source.New("f.conf", []byte(strings.Repeat("x\n", 30)))
	var found diag.List
	for i := range 30 {
		found.Add(diag.Diagnostic{Rule: "unknown-keyword", Severity: diag.Error, Message: "unknown", Span: src.Span(2*i, 2*i+1)})
	}
	c := NewCheck([]File{{Name: "f.conf", Findings: found}})
	var people, programs strings.Builder
	if err := errors.Join(Human(&people, c, false), Short(&programs, c, false)); err != nil {
		t.Fatal(err)
	}
	if text := people.String(); strings.Count(text, "error: unknown") != 1 || !strings.Contains(text, "the same at f.conf:2:1 and 28 places more") || !strings.Contains(text, "30 errors") {
		t.Errorf("people see\n%s", text)
	}
	if n := strings.Count(programs.String(), "error: unknown"); n != 30 {
		t.Errorf("programs see %d", n)
	}
}
