package compiler

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/compiler/lint"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// The tests of this file read files that are beside the project and not in it.

// shared returns the path of such a file, or skips the test.
func shared(t *testing.T, path string) string {
	t.Helper()
	full := filepath.Join("..", "..", "shared", path)
	if _, err := os.Stat(full); err != nil {
		t.Skipf("../shared/%s is not here", path)
	}
	return full
}

// rows reads a table of tab-separated values without its header.
func rows(t *testing.T, path string) (all [][]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		all = append(all, strings.Split(line, "\t"))
	}
	return all
}

func findings(t *testing.T, path string, opts Options) diag.List {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	opts.Text = grammar.Options{Files: grammar.Files{Root: os.DirFS("/"), Dir: dir}, Nests: schema.Nests()}
	all := Load(source.New(filepath.Base(path), text), opts).Findings
	for _, d := range all {
		if d.Severity == diag.Error && d.Loss == 0 {
			t.Errorf("%v: nobody says what keepalived does with this %s", d.Span, d.Rule)
		}
		if is, _ := lint.Find(d.Rule); d.Severity > max(is.Severity, is.Worst) {
			t.Errorf("%v: a finding of %s is of severity %v", d.Span, d.Rule, d.Severity)
		}
	}
	return all
}

// A caseHost is the machine that the cases are for.
type caseHost struct{}

func (caseHost) Networks(name string) ([]netip.Prefix, bool) {
	switch name {
	case "eth0":
		return []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("2001:db8::1/64")}, true
	case "eth1":
		return []netip.Prefix{netip.MustParsePrefix("10.0.1.1/24")}, true
	}
	return nil, false
}
func (h caseHost) Holds(addr netip.Addr) bool {
	for _, name := range []string{"eth0", "eth1"} {
		networks, _ := h.Networks(name)
		if slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Addr() == addr }) {
			return true
		}
	}
	return false
}
func (caseHost) User(name string) bool          { return name == "root" || name == "nobody" }
func (caseHost) Owner(string) (uid, gid uint32) { return 0, 0 }
func (caseHost) Mode(path string) (fs.FileMode, bool) {
	switch path {
	case "/run", "/tmp", "/var/tmp", "/etc/keepalived":
		return fs.ModeDir | 0o755, true
	}
	return 0o755, strings.HasPrefix(path, "/bin/") || strings.HasPrefix(path, "/usr/bin/")
}

// TestCases checks the findings in small files with one mistake each: testdata/reference/cases.txt has them, and the
// answer that a user would want.
func TestCases(t *testing.T) {
	dir := shared(t, "cases")
	var b strings.Builder
	for _, row := range rows(t, filepath.Join(dir, "index.tsv")) {
		fmt.Fprintf(&b, "%s: %s\n", row[0], row[2])
		for _, d := range findings(t, filepath.Join(dir, row[0]+".conf"), Options{Host: caseHost{}}) {
			if strings.HasPrefix(d.Rule, "well-known-") || d.Rule == "no-check" && row[0] != "vs-nochk" {
				continue // almost all of them have these
			}
			fmt.Fprintf(&b, "    %d %s %s\n", d.Span.Position().Line, d.Severity, d.Rule)
		}
	}
	golden := filepath.Join("..", "testdata", "reference", "cases.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(b.String(), "\n"); b.String() != string(want) {
		for i, line := range strings.Split(string(want), "\n") {
			if i >= len(got) || got[i] != line {
				t.Fatalf("line %d: want %q; all:\n%s", i+1, line, &b)
			}
		}
	}
}

// TestCorpus checks the agreement with keepalived -t on real files: what it accepts has no error, and what it rejects
// has one, or is among the files that the Differences count. The exceptions are in testdata/reference/corpus.txt, each
// with its reason.
func TestCorpus(t *testing.T) {
	dir := shared(t, "corpus")
	reasons := map[string]string{}
	text, err := os.ReadFile(filepath.Join("..", "testdata", "reference", "corpus.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, why, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && !strings.HasPrefix(name, "#") {
			reasons[name] = why
		}
	}
	agree, faulty := map[string]int{}, 0
	differences := lint.Differences()
	milder := make([]int, len(differences)) // files, by the first difference that they show
	for _, row := range rows(t, filepath.Join(dir, "index.tsv")) {
		name, verdict := row[0], row[6]
		start := time.Now()
		found := findings(t, filepath.Join(dir, "files", name), Options{})
		if d := time.Since(start); d > time.Minute { // a hang; speed is measured by the benchmark
			t.Errorf("%s takes %v", name, d)
		}
		var wrong string
		switch verdict {
		case "accept", "deprecated-only", "env-noise-only":
			for _, d := range found {
				if d.Severity == diag.Error {
					wrong = fmt.Sprintf("%s (%s) has an error: %s: %s [%s]", name, verdict, d.Span, d.Message, d.Rule)
					break
				}
			}
		case "config-errors":
			faulty++
			i := slices.IndexFunc(differences, func(d lint.Difference) bool {
				return slices.ContainsFunc(found, func(f diag.Diagnostic) bool { return slices.Contains(d.Milder, f.Rule) })
			})
			switch {
			case found.Has(diag.Error):
			case i < 0:
				wrong = name + " has errors, and none is found"
			default:
				milder[i]++
			}
		}
		_, excused := reasons[name]
		switch {
		case wrong == "" && !excused:
			agree[verdict]++
		case wrong == "":
			t.Errorf("%s needs no excuse any more", name)
		case !excused:
			t.Error(wrong)
		}
	}
	for i, d := range differences {
		if milder[i] != d.Files {
			t.Errorf("%d files have nothing worse than %v; the difference says %d", milder[i], d.Milder, d.Files)
		}
	}
	if faulty != lint.Faulty {
		t.Errorf("%d files are faulty; the differences say %d", faulty, lint.Faulty)
	}
	t.Logf("agreement: %v; %d exceptions", agree, len(reasons))
}
