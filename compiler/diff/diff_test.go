package diff_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/compiler/diff"
	"keepc/grammar"
	"keepc/grammar/source"
)

func read(text []byte, dir string) (side diff.Side, balanced bool) {
	file, found := grammar.LoadText(source.New("x.conf", text), grammar.Options{Files: grammar.Files{Root: os.DirFS("/"), Dir: dir}})
	cfg, more := compiler.Compile(file, compiler.Options{})
	balanced = true
	for _, d := range compiler.Merge(file, found, more) {
		balanced = balanced && d.Rule != "unclosed-block" && !strings.HasSuffix(d.Rule, "-brace")
	}
	return diff.Side{File: file, Config: cfg}, balanced
}

// TestEqual compares every real file with itself, and with itself laid out anew. Where braces are missing the layout is a guess at
// where they belong, and a file laid out anew asks for another guess: such files are compared with themselves only.
func TestEqual(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "testdata", "*", "*.conf"))
	for _, dir := range []string{"corpus/files/*", "cases/*.conf"} {
		more, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", filepath.FromSlash(dir)))
		if len(more) == 0 {
			t.Logf("../shared/%s is not here", dir)
		}
		files = append(files, more...)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "RANDOM") {
			continue // it is another file whenever it is read
		}
		dir, err := filepath.Abs(filepath.Dir(name))
		if err != nil {
			t.Fatal(err)
		}
		before, balanced := read(text, dir)
		after, _ := read(text, dir)
		if d := diff.Compare(before, after, diff.Master); !d.Empty() {
			t.Errorf("%s differs from itself: %s", filepath.Base(name), summary(d))
		}
		laidOut, _ := read(grammar.Format(text), dir)
		if d := diff.Compare(before, laidOut, diff.Master); balanced && !d.Empty() {
			t.Errorf("%s differs from itself laid out anew: %s", filepath.Base(name), summary(d))
		}
	}
	t.Log(len(files), "files")
}

func summary(d diff.Diff) string {
	var b strings.Builder
	for _, s := range d.Settings {
		b.WriteString("\n  " + s.Path + " in " + s.Block + ": " + s.String())
	}
	for _, i := range d.Instances {
		b.WriteString("\n  " + i.Name + ": " + string(i.Verdict) + ": " + i.Reason)
	}
	for _, s := range d.Servers {
		b.WriteString("\n  " + s.Key.String() + ": " + string(s.Verdict))
	}
	return b.String()
}
