package compiler

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"keepc/compiler/lint"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// TestRepair checks that repairs make no file worse: no rule has more errors than before, for any version that reads
// the file, and repaired text stays as it is.
func TestRepair(t *testing.T) {
	texts := map[string]string{}
	for _, r := range lint.Rules() {
		texts["rule "+r.Name] = r.Page().Bad
	}
	for _, path := range files(t, "err") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(path)] = string(text)
	}
	own, err := txtar.ParseFile(filepath.Join("..", "testdata", "reference", "own.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range own.Files {
		texts[f.Name] = string(f.Data)
	}
	for name, text := range texts {
		for _, version := range []string{"", "2.0.20"} {
			before, _ := repaired(text, version)
			last := text
			for range 10 {
				_, next := repaired(last, version)
				if next == last {
					break
				}
				last = next
			}
			after, again := repaired(last, version)
			if again != last {
				t.Errorf("%s: there is always more to repair:\n%s", name, again)
			}
			if Worse(before, after) {
				t.Errorf("%s (%s): the repair makes errors:\n%s%v", name, version, last, messages(after))
			}
		}
	}
}

// TestRepairWithin checks the repair of lines that stand for several: those of one host, repeated ones, and
// definitions.
func TestRepairWithin(t *testing.T) {
	const script = "misc_path \"/bin/chk -t ${T}\"\n"
	for _, c := range []struct{ name, text, want string }{
		{"a condition is repeated", "vrrp_instance A {\n  @lb1 priority 100 state MASTER\n}\n", "vrrp_instance A {\n  @lb1 priority 100\n  @lb1 state MASTER\n}\n"},
		{"behind a brace", "virtual_server 10.0.0.1 80 {\n  real_server 10.0.0.2 80 { weight 1 TCP_CHECK { } }\n}\n", "virtual_server 10.0.0.1 80 {\n  real_server 10.0.0.2 80 { weight 1\n      TCP_CHECK { } }\n}\n"},
		{"a repeated line", "virtual_server 10.0.0.1 80 {\n  ~SEQ(i, 1, 5) real_server 10.1.1.$i 80 { weight 1 TCP_CHECK { } }\n}\n", ""},
		{"a definition that is right elsewhere", "$S=Master\nvrrp_instance $S {\n  state $S\n}\n", ""},
		{"a definition that a script has", "$T=10.0.0.1:80\nvirtual_server $T {\n  real_server 10.0.0.2 80 {\n    MISC_CHECK {\n" + script + "    }\n  }\n}\n", ""},
		{"a definition that is wrong everywhere", "$S=Master\nvrrp_instance A {\n  state $S\n}\nvrrp_instance B {\n  state $S\n}\n", "$S=MASTER\nvrrp_instance A {\n  state $S\n}\nvrrp_instance B {\n  state $S\n}\n"},
	} {
		found, _ := repaired(c.text, "")
		found = slices.DeleteFunc(found, func(d diag.Diagnostic) bool { return d.Rule == "script-security" })
		text := c.text
		if len(found) > 0 {
			after, _ := found.Repair(found[0].Span.Source)
			text = string(after)
		}
		if want := cmp.Or(c.want, c.text); text != want {
			t.Errorf("%s:\n%s\nwant:\n%s", c.name, text, want)
		}
	}
}

// repaired returns the findings in a text, and the text after one round of repairs.
func repaired(text, version string) (diag.List, string) {
	src := source.New("test.conf", []byte(text))
	found := Load(src, Options{Text: grammar.Options{ID: "lb1", Files: grammar.Files{Root: os.DirFS("/nonexistent"), Dir: "/"}, Version: version}, Host: caseHost{}}).Findings
	after, _ := found.Repair(src)
	return found, string(bytes.Clone(after))
}

func messages(found diag.List) (all []string) {
	for _, d := range found {
		if d.Severity == diag.Error {
			all = append(all, d.Span.String()+": "+d.Message)
		}
	}
	return all
}
