package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/xeipuuv/gojsonschema"
)

// TestSchemas validates what plan, diff and simulate write for programs with the schemas that we publish: for every
// archive of testdata that these verbs have. If fields change their meaning or are removed, the version grows and the
// schema gets a new name.
func TestSchemas(t *testing.T) {
	t.Parallel()
	simulated := func(files []txtar.File) []string {
		args := []string{"simulate", "-v"}
		for _, f := range files {
			if strings.HasPrefix(f.Name, "lb") && !strings.Contains(f.Name, "new") {
				args = append(args, f.Name)
			}
		}
		return args
	}
	for _, c := range []struct {
		schema, archives string
		lines            bool // each line is a document
		args             func(a *txtar.Archive) []string
	}{
		{"diff-1", "diff/*.txtar", false, func(a *txtar.Archive) []string {
			comment := strings.Split(strings.TrimSpace(string(a.Comment)), "\n")
			return strings.Fields(comment[len(comment)-1])[1:]
		}},
		{"plan-1", "cli/plan.txtar", false, func(*txtar.Archive) []string {
			return []string{"plan", "--facts", "lb01.json", "--all", "lb01.conf"}
		}},
		{"simulate-1", "sim/*.txtar", true, func(a *txtar.Archive) []string { return append(simulated(a.Files), "-s", "script") }},
		{"simulate-1", "sim/[a-c]*.txtar", true, func(a *txtar.Archive) []string { return simulated(a.Files) }},
	} {
		schema := readSchema(t, c.schema)
		names, err := filepath.Glob(filepath.Join("..", "..", "testdata", filepath.FromSlash(c.archives)))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d archives, %v", c.archives, len(names), err)
		}
		written := 0
		for _, name := range names {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files := fstest.MapFS{}
			for _, f := range a.Files {
				files["w/"+f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
			}
			args := c.args(a)
			if !slices.Contains(args, "--format") {
				args = append(args, "--format", "json")
			}
			var out, errs bytes.Buffer
			app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Env: func(string) string { return "" }, FS: files, Dir: "/w"}
			if code := app.Main(args); out.Len() == 0 && code != exitOK && code != exitFindings {
				continue // a refused one
			}
			documents := []string{out.String()}
			if c.lines {
				documents = strings.Split(strings.TrimSpace(out.String()), "\n")
			}
			for _, d := range documents {
				result, err := schema.Validate(gojsonschema.NewStringLoader(d))
				if err != nil {
					t.Fatalf("%s: keepc %s: %v\n%s%s", name, strings.Join(args, " "), err, &out, &errs)
				}
				written++
				for _, e := range result.Errors() {
					t.Errorf("%s: %s: %s: %v", c.schema, filepath.Base(name), e, e.Value())
				}
			}
		}
		if written == 0 || written < len(names)/2 {
			t.Errorf("%s: %d documents from %d archives", c.schema, written, len(names))
		}
		if result, err := schema.Validate(gojsonschema.NewStringLoader(`{"version": 99, "event": "start", "more": 1}`)); err != nil || result.Valid() {
			t.Errorf("%s lets everything pass: %v", c.schema, err)
		}
	}
}

// readSchema reads a schema of testdata/schema.
func readSchema(t *testing.T, name string) *gojsonschema.Schema {
	t.Helper()
	abs, err := filepath.Abs(filepath.Join("..", "..", "testdata", "schema", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gojsonschema.NewSchema(gojsonschema.NewReferenceLoader("file://" + filepath.ToSlash(abs)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return schema
}
