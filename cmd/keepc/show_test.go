package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keepc/compiler/report"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/source"
)

// showFiles are the files that the tests of show read: those of the project, and without -short real ones that lie beside it.
func showFiles(t *testing.T) (files []string) {
	t.Helper()
	root := filepath.Join("..", "..")
	patterns := []string{"testdata/*/*.conf", "testdata/tutorial/repaired/*.conf"}
	if !testing.Short() {
		patterns = append(patterns, "../shared/corpus/files/*")
	}
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// call runs the program on the files of this machine and returns what it prints.
func call(t *testing.T, args ...string) (stdout string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir}
	code = app.Main(args)
	return out.String(), code
}

// TestShow holds three things on real files: what show --expand prints is read as what it was made from, show prints JSON,
// and no form of it prints a secret.
func TestShow(t *testing.T) {
	t.Parallel()
	if files := showFiles(t); len(files) > 0 {
		for part := range slices.Chunk(files, (len(files)+3)/4) { // processors need not wait for the last one
			t.Run(filepath.Base(part[0]), func(t *testing.T) {
				t.Parallel()
				for _, name := range part {
					showsAll(t, name)
				}
			})
		}
	}
}

func showsAll(t *testing.T, name string) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := grammar.LoadText(source.New(name, text), grammar.Options{
		Files: grammar.Files{Root: os.DirFS("/"), Dir: dir}, ID: "lb1", Env: func(string) string { return "" }, Nests: schema.Nests(),
	})
	expanded, _ := call(t, "show", "--expand", "--id", "lb1", name)
	if len(expanded) > 4<<20 {
		return // one that expands to 273,000 lines shows nothing that the others do not, and takes minutes with the race detector
	}
	again, _ := grammar.Parse(source.New(name, []byte(expanded)))
	read := outline(again.Stmts)
	for i, line := range outline(first.Stmts) {
		if i >= len(read) || read[i] != line && read[i] != "(hidden)" { // a secret in the place of a keyword is known by its block
			t.Errorf("%s: statement %d is %s; expanded, it is read otherwise: %q", name, i, line, read[min(i, len(read)):])
			break
		}
	}
	tree, _ := call(t, "show", "--tree", name)
	config, _ := call(t, "show", name)
	var object struct{ Version int }
	if err := json.Unmarshal([]byte(config), &object); err != nil || object.Version != 1 {
		t.Errorf("%s: %v", name, err)
	}
	for _, secret := range secretsOf(first) {
		for _, shown := range []string{expanded, tree, config} {
			if slices.Contains(strings.Fields(shown), secret) || strings.Contains(shown, `"`+secret+`"`) {
				t.Errorf("%s: %q is shown", name, secret)
			}
		}
	}
}

// outline is the words of every statement, with those that show hides hidden.
func outline(stmts []*grammar.Stmt) (lines []string) {
	grammar.Walk(stmts, func(s *grammar.Stmt, depth int) {
		line := strings.Repeat("\t", depth)
		for _, w := range s.Words {
			line += "<" + w.Text + ">"
		}
		if report.Hide(s.String()) != s.String() || strings.Contains(line, "(hidden)") {
			line = "(hidden)"
		}
		lines = append(lines, line)
	})
	return lines
}

// secretsOf lists the passwords of a file that are not also words of it elsewhere.
func secretsOf(file *grammar.File) (secrets []string) {
	count := map[string]int{}
	grammar.Walk(file.Stmts, func(s *grammar.Stmt, _ int) {
		for _, w := range s.Words {
			count[w.Text]++
		}
		if s.Keyword() == "auth_pass" && len(s.Words) > 1 {
			secrets = append(secrets, s.Words[1].Text)
			count[s.Words[1].Text]--
		}
	})
	return slices.DeleteFunc(secrets, func(s string) bool { return count[s] > 0 || len(s) < 5 })
}
