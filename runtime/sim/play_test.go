package sim

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

var update = flag.Bool("update", false, "rewrite the traces of testdata/sim with what happens now")

// TestPlays plays the timelines of testdata/sim. Every archive has a file for each node, lb1.conf and so on, other files for reload,
// a script, and the screen that follows from it. The same timelines are played by real programs in cmd/keepc.
//
// After -update, read the difference: a trace is right because the protocol says so, not because the program does.
func TestPlays(t *testing.T) {
	files, err := filepath.Glob("../../testdata/sim/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no timelines", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, s := read(t, a)
			r := Play(c, s, Options{})
			var got bytes.Buffer
			if err := c.Screen(&got, r, false); err != nil {
				t.Fatal(err)
			}
			trace := &a.Files[len(a.Files)-1]
			if !*update {
				if !bytes.Equal(trace.Data, got.Bytes()) {
					t.Errorf("%s differs; -update rewrites it\n%s", file, firstDifference(string(trace.Data), got.String()))
				}
				return
			}
			trace.Data = got.Bytes()
			if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// read returns the cluster and the script of an archive.
func read(t testing.TB, a *txtar.Archive) (*Cluster, Script) {
	t.Helper()
	text := map[string]string{}
	var nodes []Node
	for _, f := range a.Files {
		text[f.Name] = string(f.Data)
		if name, conf := strings.CutSuffix(f.Name, ".conf"); conf && strings.HasPrefix(name, "lb") {
			cfg, err := compile(f.Name, f.Data)
			if err != nil {
				t.Fatal(err)
			}
			nodes = append(nodes, Node{name, cfg})
		}
	}
	c := newCluster(t, nodes...)
	s, found := Parse(text["script"], c, func(file string) (*ir.Config, error) { return compile(file, []byte(text[file])) })
	if len(found) > 0 {
		t.Fatal(found)
	}
	return c, s
}

func compile(name string, text []byte) (*ir.Config, error) {
	u := compiler.Load(source.New(name, text), compiler.Options{Text: grammar.Options{Env: func(string) string { return "" }}})
	for _, d := range u.All {
		if d.Severity == diag.Error {
			return nil, fmt.Errorf("%s: %s", name, d.Message)
		}
	}
	return u.Config, nil
}

// TestColours checks that colours change nothing but SGR codes.
func TestColours(t *testing.T) {
	c := twoNodes(t)
	r := Play(c, parse(t, c, "at 5s cut lb1; expect lb2 fault; expect lb1 master; at 20s heal lb1"), Options{Packets: true})
	var verdicts []Verdict
	cases, _ := c.Cases(Options{})
	for _, k := range cases {
		verdicts = append(verdicts, k.Play())
	}
	write := func(colors report.Colors) string {
		var b bytes.Buffer
		if err := errors.Join(c.Screen(&b, r, colors), c.CasesScreen(&b, verdicts, colors, true)); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	plain, coloured := write(false), write(true)
	if stripped := regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(coloured, ""); stripped != plain || coloured == plain {
		t.Error(firstDifference(plain, stripped))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %s\n got %s", i+1, w[i], g[i])
		}
	}
	return "one is longer"
}
