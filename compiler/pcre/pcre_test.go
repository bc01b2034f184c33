package pcre

import (
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
)

// TestMatch compares with PCRE2. Each row is a pattern, its options, a text, and what PCRE2 says: "yes", "no", or what
// is wrong with the pattern.
func TestMatch(t *testing.T) {
	for _, c := range []struct{ pattern, options, text, want string }{
		{"world", "", "hello world", "yes"},
		{"World", "", "hello world", "no"},
		{"World", "caseless", "hello world", "yes"},
		{"(?i)World", "", "hello world", "yes"},
		{"^world", "", "hello\nworld", "no"},
		{"^world", "multiline", "hello\nworld", "yes"},
		{"hello$", "", "hello\n", "yes"},
		{"hello$", "", "hello\nworld", "no"},
		{"hello$", "dollar_endonly", "hello\n", "no"},
		{"hello$", "multiline", "hello\nworld", "yes"},
		{"hello.world", "", "hello\nworld", "no"},
		{"hello.world", "dotall", "hello\nworld", "yes"},
		{"hel lo # text", "extended", "hello", "yes"},
		{"world", "firstline", "hello\nworld", "no"},
		{"hello", "firstline", "hello\nworld", "yes"},
		{".{5}", "", "é12", "no"},
		{".{4}", "", "é12", "yes"},
		{".{4}", "utf", "é12", "no"},
		{".{3}", "utf", "é12", "yes"},
		{"é", "", "né", "yes"},
		{".", "utf", "\xff", "no"},
		{`^\w+$`, "", "abc_1", "yes"},
		{`\d`, "utf", "٣", "no"},
		{`a\hb`, "", "a\tb", "yes"},
		{`a\Rb`, "", "a\r\nb", "yes"},
		{`a\vb`, "", "a\rb", "yes"},
		{`\Qa.b(\E+c`, "", "a.b((c", "yes"},
		{`[\d\h]x`, "", "\tx", "yes"},
		{`[]a]b`, "", "]b", "yes"},
		{`[^]]b`, "", "]b", "no"},
		{`[[:alpha:]]{3}`, "", "12abc", "yes"},
		{`[a[]z`, "", "[z", "yes"},
		{`(?P<x>a|b)\k<x>`, "", "abb", "yes"},
		{`(a)\1`, "", "aa", "yes"},
		{`foo(?=bar)(?!baz)`, "", "foobar", "yes"},
		{`(?<=foo)bar(?<!x)`, "", "foobar", "yes"},
		{`(?>a+)b`, "", "aaab", "yes"},
		{`(?# a comment)a`, "", "a", "yes"},
		{`a{,3}b`, "", "a{,3}b", "yes"},
		{`\x41\x{42}\103`, "", "ABC", "yes"},

		{`(ok`, "", "", "missing closing )"},
		{`a++`, "", "", "++ is not known here"},
		{`(?R)`, "", "", "(?R is not known here"},
		{`(?|a|b)`, "", "", "(?| is not known here"},
		{`(?m)a$`, "", "", "(?m is not known here"},
		{`(*COMMIT)a`, "", "", "(* is not known here"},
		{`a\Kb`, "", "", `\K is not known here`},
		{`a\gb`, "", "", `\g is not known here`},
		{`[]`, "allow_empty_class", "", "the option allow_empty_class is not known here"},
	} {
		r := ir.Regex{Pattern: c.pattern, Options: strings.Fields(c.options)}
		if got := match(r, c.text); got != c.want && (len(c.want) <= 3 || !strings.Contains(got, c.want)) {
			t.Errorf("%q with %q on %q: got %s, want %s", c.pattern, c.options, c.text, got, c.want)
		}
	}
}

func match(r ir.Regex, text string) string {
	x, err := Compile(r)
	if err != nil {
		return err.Error()
	}
	switch found, err := x.Match([]byte(text)); {
	case err != nil:
		return err.Error()
	case found:
		return "yes"
	}
	return "no"
}

// TestOffsets checks what keepalived 2.2.7 was seen to do; offsets count from the start of the whole answer, which
// begins with its status.
func TestOffsets(t *testing.T) {
	const text = "HTTP/1.0 200 OK\r\nServer: x\r\n\r\nHello world"
	for _, c := range []struct {
		pattern    string
		min, after int
		want       string
	}{
		{"world", 0, 35 + 1, "no"}, {"world", 0, 36 + 1, "yes"}, {"world", 36, 0, "yes"}, {"world", 37, 0, "no"}, {"world", 1000, 0, "no"},
		{"Server", 0, 0, "yes"}, {"^Hello", 0, 0, "no"}, {"^Hello", 30, 0, "no"}, {"(?<=Hel)lo", 33, 0, "yes"},
	} {
		if got := match(ir.Regex{Pattern: c.pattern, MinOffset: c.min, EndOffset: c.after}, text); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	began := time.Now()
	if got := match(ir.Regex{Pattern: `(a+)+$`}, strings.Repeat("a", 5000)+"b"); got != "the regex takes more than 2s" {
		t.Errorf("got %s", got)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add(`[a-z]+(?=\Q.\E)$`, "abc.")
	f.Add(`\`, "")
	f.Add(`(?<`, "x")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) < 200 && len(text) < 1000 {
			match(ir.Regex{Pattern: pattern}, text)
			match(ir.Regex{Pattern: pattern, Options: []string{"utf", "extended"}}, text)
		}
	})
}
