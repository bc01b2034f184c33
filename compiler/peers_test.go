package compiler

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"keepc/compiler/cluster"
	"keepc/compiler/lint"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// A director is a file as one director of a cluster reads it.
type director struct {
	name, id string
	file     *source.Source
	settings *source.Source // its .keepc.conf; nil: there is none
}

// together compares directors and returns the findings of the rules about several of them.
func together(directors []director) (all diag.List) {
	var nodes []cluster.Node
	var about []lint.About
	for _, d := range directors {
		opts := Options{Text: grammar.Options{ID: d.id, Files: grammar.Files{Root: os.DirFS("/nonexistent"), Dir: "/"}}, Peers: true}
		if d.settings != nil {
			opts.Settings, _ = Settings(grammar.Parse(d.settings))
		}
		u := Load(d.file, opts)
		nodes = append(nodes, cluster.Node{Name: d.name, Config: u.Config})
		about = append(about, lint.About{Findings: u.All})
	}
	for _, found := range lint.Compare(cluster.New(nodes), about).Findings {
		all = append(all, found...)
	}
	all.Sort()
	return all
}

// TestPeers checks the findings of testdata/peers: each is a cluster, with a file for each director, or one file with
// @ lines for the ids in its comment. "want" has a line for each finding.
func TestPeers(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("..", "testdata", "peers", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no clusters", err)
	}
	fires, clusters := map[string]int{}, 0
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range clustersOf(a) {
				clusters++
				var b strings.Builder
				for _, d := range together(c.directors) {
					fires[d.Rule]++
					at := d.Span.Position()
					fmt.Fprintf(&b, "%s:%d: %s: %s [%s]\n", at.File, at.Line, d.Severity, d.Message, d.Rule)
				}
				if *update {
					a.Files[c.want].Data = []byte(b.String())
				} else if got, want := b.String(), string(a.Files[c.want].Data); got != want {
					t.Errorf("%s: got\n%swant\n%s", a.Files[c.want].Name, got, want)
				}
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if clusters < 40 {
		t.Errorf("only %d clusters", clusters)
	}
	for _, r := range lint.Rules() {
		if r.Peers != nil && fires[r.Name] == 0 && r.Page().Bad != "" {
			t.Errorf("no cluster has %s", r.Name)
		}
	}
}

// A clusterCase is a cluster of an archive: the files up to a "want".
type clusterCase struct {
	directors []director
	want      int // index of the file with the findings
}

// clustersOf reads an archive. Files are called "lb1.conf"; a file "both.conf lb1 lb2" is read by those directors. A
// file ".keepc.conf" holds the settings of those before it.
func clustersOf(a *txtar.Archive) (all []clusterCase) {
	var c clusterCase
	for i, f := range a.Files {
		if f.Name == "want" || strings.HasPrefix(f.Name, "want ") {
			c.want = i
			all, c = append(all, c), clusterCase{}
			continue
		}
		words := strings.Fields(f.Name)
		src := source.New(words[0], f.Data)
		if words[0] == ".keepc.conf" {
			for i := range c.directors {
				if d := &c.directors[i]; d.settings == nil {
					d.settings = src
				}
			}
			continue
		}
		if len(words) == 1 {
			words = append(words, strings.TrimSuffix(words[0], ".conf"))
		}
		for _, id := range words[1:] {
			c.directors = append(c.directors, director{id, id, src, nil})
		}
	}
	return all
}

// TestPeersOfCorpus checks the findings in the clusters among real files: testdata/reference/peers.txt has the rules
// and lines, and says which of them are not clusters.
func TestPeersOfCorpus(t *testing.T) {
	dir := shared(t, "corpus")
	groups := map[string][]director{}
	var order []string
	for _, row := range rows(t, filepath.Join(dir, "index.tsv")) {
		name, pair := row[0], row[3]
		if pair == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, "files", name))
		if err != nil {
			t.Fatal(err)
		}
		if groups[pair] == nil {
			order = append(order, pair)
		}
		called := fmt.Sprintf("%s.%d", pair, len(groups[pair])+1)
		groups[pair] = append(groups[pair], director{called, called, source.New(called, text), nil})
	}
	slices.Sort(order)
	golden := filepath.Join("..", "testdata", "reference", "peers.txt")
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			break
		}
		b.WriteString(line)
	}
	for _, pair := range order {
		fmt.Fprintf(&b, "%s: %d files\n", pair, len(groups[pair]))
		for _, d := range together(groups[pair]) {
			at := d.Span.Position()
			fmt.Fprintf(&b, "    %s:%d %s %s\n", at.File, at.Line, d.Severity, d.Rule)
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if len(order) < 29 || !*update && b.String() != string(text) {
		t.Errorf("the findings differ; go test -update rewrites them:\n%s", &b)
	}
}

// FuzzPeers checks that no two files make a comparison panic or hang, and that each finding has its place in them.
func FuzzPeers(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join("..", "testdata", "peers", "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, c := range clustersOf(a) {
			f.Add(c.directors[0].file.Text, c.directors[1].file.Text)
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		start := time.Now()
		for _, d := range together([]director{{"lb1", "lb1", source.New("a", a), nil}, {"lb2", "lb2", source.New("b", b), nil}}) {
			if d.Span.IsZero() || d.Message == "" {
				t.Errorf("%s has no place, or no text: %+v", d.Rule, d)
			}
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%v for %d bytes", d, len(a)+len(b))
		}
	})
}
