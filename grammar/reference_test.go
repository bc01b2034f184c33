package grammar

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"keepc/grammar/source"
)

// asRead is read by keepalived itself, inside an instance. Its complaints about states show which word it took for the
// state; ours must be the same.
var asRead = []struct {
	text  string
	words []string
}{
	{`state a b`, []string{"a"}},
	{"state\ta\fb", []string{"a"}},
	{`state ab#cd`, []string{"ab"}},
	{`state ab!cd`, []string{"ab"}},
	{`state ab\#cd`, []string{"ab"}},
	{`state ab\\#cd`, []string{`ab\\`}},
	{`state ab\\\#cd`, []string{`ab\\`}},
	{`state "a b" c`, []string{"a b"}},
	{`state "a#b!c{d}"`, []string{"a#b!c{d}"}},
	{`state 'a b'`, []string{"'a"}},
	{`state ab"cd"ef`, []string{"ab"}},
	{`state ""`, []string{""}},
	{`"state" a`, []string{"a"}},
	{`state a\b`, []string{`a\b`}},
	{"state a\r", []string{"a"}},
	{"state \u00e4\u00a0b", []string{"\u00e4\u00a0b"}},
	{"track_interface { } state a", []string{"a"}},
	{"track_interface\n\n# note\n{\n}\nstate a", []string{"a"}},
	{"state $X", []string{"$X"}},

	{"$X=a\nstate $X\nstate b$X\nstate ${X}c\nstate $X,d\nstate $X)e\nstate $X.f\nstate $X-g", []string{"a", "ba", "ac", "a,d", "a)e", "$X.f", "$X-g"}},
	{"$X=\"a b\"\nstate $X\nstate c${X}d", []string{"a b", "c"}},
	{"$X=a$Y\n$Y=b\nstate $X\n$Y=c\nstate $X", []string{"ab", "ac"}},
	{"$K=state\n${K} a\n$K b", []string{"a", "b"}},
	{"$X= \\\n state a \\\n state b\n$X\nstate c", []string{"a", "b", "c"}},
	{"$X=tate a \\\n state b\ns$X", []string{"a", "b"}},
	{"$X=state a \\\n state b\n$Y=$X \\\n state c\n$Y", []string{"a", "b", "c"}},
	{"$X=a \\\n b\nstate $X c", []string{"$X"}},
	{"$X=state a \\\n @lb1 state b \\\n @lb2 state c\n$X", []string{"a", "b"}},
	{"@lb1 state a\n@lb2 state b\n@^lb1 state c\n@^lb2 state d", []string{"a", "d"}},
	{"$OFF=${_HASH}\n$OFF state a\nstate \"${_HASH}\"\nstate \"${_BANG}\"", []string{"#", "!"}},
	{"state ${_INSTANCE}\nstate ${_RANDOM 7 7}", []string{"lb1", "7"}},

	{"~SEQ(i, 3) state $i", []string{"1", "2", "3"}},
	{"~SEQ(i, -2) state $i", []string{"-1", "-2"}},
	{"~SEQ(i, 0) state $i", []string{"1", "0"}},
	{"~SEQ(i, 2, 1) state $i", []string{"2", "1"}},
	{"~SEQ( i , 0x10 , -8 , 010 ) state $i", []string{"16", "8"}},
	{"~SEQx(i, 9, 11) state $i", []string{"9", "a", "b"}},
	{"~SEQ(i, 2) ~SEQ(j, 2) state ${i}${j}", []string{"11", "12", "21", "22"}},
	{"$N=2\n~SEQ(i, $N) state $i", []string{"1", "2"}},
	{"$B=state a$i \\\n state b$i\n~SEQ(i, 2) $B", []string{"a1", "b1", "a2", "b2"}},
	{"~LST(i, a, b) state $i", []string{"a", "b"}},
	{"~LST({i, j}, {a,1},{b,2}) state ${i}${j}", []string{"a1", "b2"}},
}

func TestReadsAsKeepalived(t *testing.T) {
	keepalived, err := exec.LookPath("keepalived")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("keepalived is not installed, and CI must compare with it")
	}
	complaint := regexp.MustCompile(`unknown state '(.*)', defaulting`)
	name := filepath.Join(t.TempDir(), "k.conf")
	for _, c := range asRead {
		text := "vrrp_instance A {\n" + c.text + "\n}\n"
		file, _ := LoadText(source.New("k.conf", []byte(text)), Options{ID: "lb1"})
		var ours []string
		for _, s := range file.Stmts[0].Block.Stmts {
			if s.Keyword() == "state" && len(s.Words) > 1 {
				ours = append(ours, s.Words[1].Text)
			}
		}
		if !slices.Equal(ours, c.words) {
			t.Errorf("%q\nkeepc reads %q, want %q", c.text, ours, c.words)
		}
		if keepalived == "" {
			continue
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command(keepalived, "-t", "-i", "lb1", "-f", name).CombinedOutput()
		var theirs []string
		for _, m := range complaint.FindAllSubmatch(out, -1) {
			theirs = append(theirs, string(m[1]))
		}
		if !slices.Equal(theirs, c.words) {
			t.Errorf("%q\nkeepalived reads %q, want %q\n%s", c.text, theirs, c.words, out)
		}
	}
	if keepalived == "" {
		t.Skip("keepalived is not installed: only half of the test was run")
	}
}
