package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestDiff compares the files of testdata/diff. Every archive has a sentence, the command, its files, and its output.
// UPDATE=1 in the environment rewrites the output: read the difference.
func TestDiff(t *testing.T) {
	archives, err := filepath.Glob(filepath.Join("..", "..", "testdata", "diff", "*.txtar"))
	if err != nil || len(archives) < 25 {
		t.Fatal("too few cases", len(archives), err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			comment := strings.Split(strings.TrimSpace(string(a.Comment)), "\n")
			command := strings.Fields(comment[len(comment)-1])
			if len(command) < 2 || command[0] != "keepc" {
				t.Fatalf("the last line before the files is no command: %q", command)
			}
			files := fstest.MapFS{}
			want := &a.Files[len(a.Files)-1]
			for _, f := range a.Files[:len(a.Files)-1] {
				files["w/"+f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
			}
			var out bytes.Buffer
			app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Env: func(string) string { return "" }, FS: files, Dir: "/w"}
			app.Main(command[1:])
			switch {
			case bytes.Equal(out.Bytes(), want.Data):
			case os.Getenv("UPDATE") != "":
				want.Data = out.Bytes()
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("got:\n%s\nwant:\n%s", &out, want.Data)
			}
		})
	}
}

// TestDiffWithoutGit checks the message if git is not installed.
func TestDiffWithoutGit(t *testing.T) {
	t.Setenv("PATH", "")
	var out bytes.Buffer
	app := App{Stdout: &out, Stderr: &out, Env: os.Getenv, FS: fstest.MapFS{}, Dir: t.TempDir()}
	code := app.Main([]string{"diff", "HEAD:lb1.conf", "lb1.conf"})
	if want := "keepc: HEAD:lb1.conf: no such file, and git, which reads revisions, is not installed\n"; code != exitFailed || out.String() != want {
		t.Errorf("exit code %d, said %q, want %q", code, out.String(), want)
	}
}
