package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/xeipuuv/gojsonschema"

	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// findings are many findings in files with odd names: everything that the texts in testdata/err produce, and texts
// that formats must escape.
func findings(t *testing.T) Check {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/err/*.conf")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no texts with mistakes: %v", err)
	}
	files := []File{{Name: "good.conf"}, {Name: "good.conf"}}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		src := source.New("a b/"+filepath.Base(path), text)
		tree, found := grammar.Parse(src)
		tree, _, more := schema.Decode(tree, "2.2.7")
		files = append(files, File{Name: src.Name, Findings: append(found, more...), Tree: tree})
	}
	odd := source.New("/etc/100%,<&>:ü.conf", []byte("a\tb \x00\n\"<]]>&amp;\n"))
	all := File{Name: odd.Name, Findings: diag.List{
		{Rule: "x-y", Severity: diag.Error, Message: "a\nb <c> & \"d\" 100% :: ]]> \x01\xff", Span: odd.Span(0, 8), Label: "e\r\nf", Notes: []diag.Note{{Message: "g", Span: odd.Span(6, 7)}}, IDs: []string{"lb1"}},
		{Rule: "x-z", Severity: diag.Info, Message: "nowhere"},
	}}
	files = append(files, all)
	for _, f := range files {
		f.Identify(nil)
	}
	c := NewCheck(files)
	if len(c.Findings) < 50 {
		t.Fatalf("only %d findings", len(c.Findings))
	}
	return c
}

// TestSARIF validates the text with the schema of the standard, and with what GitHub requires beyond it.
func TestSARIF(t *testing.T) {
	schema := sarifSchema(t)
	for name, c := range map[string]Check{"none": NewCheck(nil), "a clean file": NewCheck([]File{{Name: "good.conf"}}), "one of each": sample(), "many": findings(t), "unread": {Unread: []Unread{{"no.conf", "no.conf: no such file"}}}} {
		var b bytes.Buffer
		if err := SARIF(&b, c, false); err != nil {
			t.Fatal(err)
		}
		for _, f := range faults(t, schema, b.String()) {
			t.Errorf("%s: %s", name, f)
		}
		var log sarifLog
		if err := json.Unmarshal(b.Bytes(), &log); err != nil {
			t.Fatal(err)
		}
		run := log.Runs[0]
		if run.ColumnKind != "unicodeCodePoints" || run.Invocations[0].ExecutionSuccessful != (len(c.Unread) == 0) {
			t.Errorf("%s: %+v", name, run)
		}
		prints := map[string]bool{}
		for _, r := range run.Results {
			at := r.Locations[0].Physical
			if relative := !strings.HasPrefix(at.Artifact.URI, "file:///"); relative != (at.Artifact.Base == "%SRCROOT%") {
				t.Errorf("%s: %+v", name, at.Artifact)
			}
			if at.Region == nil || at.Region.StartLine < 1 {
				t.Errorf("%s: a result without a line: %+v", name, r)
			}
			print := r.Fingerprints["primaryLocationLineHash"]
			if print == "" || prints[at.Artifact.URI+print] {
				t.Errorf("%s: two results have the fingerprint %q", name, print)
			}
			prints[at.Artifact.URI+print] = true
		}
	}
	for _, broken := range []string{`{"version":"2.1.0","runs":[{}]}`, `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"k"}},"results":[{"ruleId":"x"}]}]}`, `{"runs":[],"version":"2.1.0","more":1}`} {
		if len(faults(t, schema, broken)) == 0 {
			t.Errorf("%s passes", broken)
		}
	}
}

// sarifSchema is the schema of the standard, which go-sarif carries and does not export.
func sarifSchema(t *testing.T) *gojsonschema.Schema {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", reflect.TypeFor[sarif.Report]().PkgPath()).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	literal, ok := file.Scope.Lookup("schema").Decl.(*ast.ValueSpec).Values[0].(*ast.BasicLit)
	if !ok {
		t.Fatal("the schema is no literal any more")
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gojsonschema.NewSchema(gojsonschema.NewStringLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// faults lists the violations of a schema in a text.
func faults(t *testing.T, schema *gojsonschema.Schema, text string) (all []string) {
	t.Helper()
	result, err := schema.Validate(gojsonschema.NewStringLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range result.Errors() {
		all = append(all, e.String())
	}
	return all
}

// TestSchemas validates what programs read with the schemas that we publish. If fields change their meaning or are
// removed, the version grows and the schema gets a new name.
func TestSchemas(t *testing.T) {
	unread := NewCheck([]File{{Name: "good.conf"}})
	unread.Unread = []Unread{{"no.conf", "no.conf: no such file"}}
	counted := findings(t)
	counted.Count()
	counted.Gone = []Known{{"0123456789abcdef:1", "value-range", "a.conf", ""}}
	counted.Summary.Known = 3
	var known Baseline
	for _, f := range counted.Findings {
		known.Findings = append(known.Findings, Known{f.Fingerprint, f.Rule, f.File, f.Path})
	}
	checks := map[string]Check{"none": NewCheck(nil), "one of each": sample(), "unread": unread, "many": counted}
	for _, f := range []struct {
		schema string
		write  func(Check, io.Writer) error
	}{
		{fmt.Sprintf("check-%d", CheckVersion), func(c Check, w io.Writer) error { return JSON(w, c, false) }},
		{fmt.Sprintf("baseline-%d", BaselineVersion), func(_ Check, w io.Writer) error { return known.Write(w) }},
		{"gitlab", func(c Check, w io.Writer) error { return GitLab(w, c, false) }},
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "schema", f.schema+".json"))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(text))
		if err != nil {
			t.Fatalf("%s: %v", f.schema, err)
		}
		for name, c := range checks {
			var b bytes.Buffer
			if err := f.write(c, &b); err != nil {
				t.Fatal(err)
			}
			for _, fault := range faults(t, schema, b.String()) {
				t.Errorf("%s: %s: %s", f.schema, name, fault)
			}
		}
		if len(faults(t, schema, `{"version": 99, "findings": [], "more": 1}`)) == 0 {
			t.Errorf("%s lets everything pass", f.schema)
		}
	}
}

// TestFingerprint checks that a finding keeps its fingerprint when its line moves or its value changes.
func TestFingerprint(t *testing.T) {
	prints := func(text, word string) string {
		src := source.New("f.conf", []byte(text))
		tree, _ := grammar.Parse(src)
		at := strings.LastIndex(text, word)
		f := File{Name: "f.conf", Tree: tree, Findings: diag.List{{Rule: "value-range", Severity: diag.Error, Span: src.Span(at, at+len(word))}}}
		f.Identify(nil)
		return f.Findings[0].Fingerprint
	}
	const text = "vrrp_instance A {\n  priority 300\n}\nvrrp_instance B {\n  priority 300\n}\n"
	first := prints(text, "300")
	if moved := prints("# a comment\n\n"+strings.ReplaceAll(text, "300", "400"), "400"); moved != first {
		t.Error("another fingerprint after the line moved")
	}
	if other := prints(text[:34], "300"); other == first {
		t.Error("one fingerprint for two instances")
	}
}

// TestXML validates JUnit and Checkstyle with schemas of what their readers agree on; neither has an official one.
func TestXML(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal("xmllint is not installed; `make deps` installs it")
	case err != nil:
		t.Skip("xmllint is not installed; `make deps` installs it")
	}
	valid := func(schema, text string) (string, error) {
		cmd := exec.Command(xmllint, "--noout", "--nonet", "--schema", filepath.Join("../../testdata/formats", schema), "-")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, f := range Formats() {
		schema := f.Name + ".xsd"
		if _, err := os.Stat(filepath.Join("../../testdata/formats", schema)); err != nil {
			continue
		}
		for name, c := range map[string]Check{"none": NewCheck(nil), "a clean file": NewCheck([]File{{Name: "good.conf"}}), "one of each": sample(), "many": findings(t), "unread": {Unread: []Unread{{"no.conf", "no.conf: no such file"}}}} {
			var b strings.Builder
			if err := f.Write(&b, c, false); err != nil {
				t.Fatal(err)
			}
			if out, err := valid(schema, b.String()); err != nil {
				t.Errorf("%s, %s: %v\n%s", f.Name, name, err, out)
			}
		}
	}
	for schema, text := range map[string]string{
		"junit.xsd":      `<testsuites><testsuite name="a"><testcase name="b"/></testsuite></testsuites>`,
		"checkstyle.xsd": `<checkstyle version="1"><file name="a"><error line="1" severity="loud" message="" source=""/></file></checkstyle>`,
	} {
		if _, err := valid(schema, text); err == nil {
			t.Errorf("%s lets %s pass", schema, text)
		}
	}
}

// TestGitHub checks the workflow commands: escaped, errors first, the count last.
func TestGitHub(t *testing.T) {
	var b strings.Builder
	if err := GitHub(&b, findings(t), false); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	last := lines[len(lines)-1]
	if !strings.HasSuffix(last, "infos") && !strings.HasSuffix(last, "info") || !strings.Contains(last, " errors, ") {
		t.Errorf("the last line does not count: %q", last)
	}
	order := []string{"::error ", "::warning ", "::notice "}
	at := 0
	for _, l := range lines[:len(lines)-1] {
		for at < len(order) && !strings.HasPrefix(l, order[at]) {
			at++
		}
		if at == len(order) {
			t.Fatalf("out of order or no command: %q", l)
		}
	}
	const odd = "::error file=/etc/100%25%2C<&>%3Aü.conf,line=1,endLine=2,title=x-y::a?b <c> & \"d\" 100%25 :: ]]> ?"
	if !strings.Contains(b.String(), odd) {
		t.Errorf("no %q in\n%s", odd, &b)
	}
}
