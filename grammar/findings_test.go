package grammar

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

var update = flag.Bool("update", false, "rewrite testdata/findings.txt")

// TestFindings checks every kind of finding, in full. The file is both read and written: its texts are the cases.
func TestFindings(t *testing.T) {
	const name = "testdata/findings.txt"
	golden, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{
		"etc/run.conf":  {Data: []byte("x"), Mode: 0o755},
		"etc/loop.conf": {Data: []byte("include loop.conf\n"), Mode: 0o644},
	}
	var out strings.Builder
	for i, part := range strings.Split(string(golden), "=== ") {
		if i == 0 {
			out.WriteString(part)
			continue
		}
		title, rest, _ := strings.Cut(part, "\n")
		text, _, _ := strings.Cut(rest, "---\n")
		raw := strings.NewReplacer(`<BOM>`, "\ufeff", `<NUL>`, "\x00", `<1100 x>`, strings.Repeat("x", 1100)).Replace(text)
		_, list := LoadText(source.New("test.conf", []byte(raw)), Options{
			ID: "lb1", IDs: []string{"lb1", "lb2"}, Files: Files{Root: files, Dir: "/etc"}, limit: 1 << 20,
		})
		list.Sort()
		fmt.Fprintf(&out, "=== %s\n%s---\n", title, text)
		for _, d := range list {
			describe(&out, d)
		}
		out.WriteByte('\n')
	}
	got := []byte(strings.TrimRight(out.String(), "\n") + "\n")
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(got, golden) {
		t.Errorf("other findings than in %s; go test -update rewrites it. Now:\n%s", name, got)
	}
}

func describe(out *strings.Builder, d diag.Diagnostic) {
	fmt.Fprintf(out, "%s: %s: %s [%s]\n", d.Span, d.Severity, d.Message, d.Rule)
	fmt.Fprintf(out, "    %.60q %s\n", d.Span.Text(), d.Label)
	for _, at := range d.More {
		fmt.Fprintf(out, "    also: %s %.60q\n", at, at.Text())
	}
	for _, n := range d.Notes {
		fmt.Fprintf(out, "    note: %s", n.Message)
		if !n.Span.IsZero() {
			fmt.Fprintf(out, " (%s %.60q)", n.Span, n.Span.Text())
		}
		out.WriteByte('\n')
	}
	if d.Help != "" {
		fmt.Fprintf(out, "    help: %s\n", d.Help)
	}
	for _, fix := range d.Fixes {
		fmt.Fprintf(out, "    fix: %s:", fix.Title)
		for _, e := range fix.Edits {
			fmt.Fprintf(out, " %s %.60q becomes %.60q", e.Span, e.Span.Text(), e.Text)
		}
		out.WriteByte('\n')
	}
}
