package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"keepc/compiler"
	"keepc/grammar/source"
	"keepc/runtime/lab"
)

// TestRandom checks that random_seed gives ${_RANDOM} the numbers that keepalived draws with that seed. keepalived 2.2.7
// itself takes the second in which it reads the file: it draws the numbers before it reads random_seed.
func TestRandom(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived")
	const lines = "y${_RANDOM}\ny${_RANDOM 10 99}\ny${_RANDOM 0 1000000000}\ny${_RANDOM}\n"
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(file, []byte("global_defs {\nrandom_seed 5\n}\n"+lines), 0o644); err != nil {
		t.Fatal(err)
	}
	from := time.Now().Unix()
	out, _ := exec.Command("keepalived", "-t", "-f", file).CombinedOutput() // it leaves with 5: none of these is a keyword
	to := time.Now().Unix()
	var theirs []string
	for _, m := range regexp.MustCompile(`Unknown keyword '(y\d+)'`).FindAllSubmatch(out, 4) {
		theirs = append(theirs, string(m[1]))
	}
	if len(theirs) != 4 {
		t.Fatalf("keepalived draws %q:\n%s", theirs, out)
	}
	var ours [][]string
	for seed := from; seed <= to; seed++ {
		text := fmt.Sprintf("%sglobal_defs {\nrandom_seed %d\n}\n", lines, seed)
		var drawn []string
		for _, s := range compiler.Load(source.New("x.conf", []byte(text)), compiler.Options{}).Tree.Stmts {
			if s.Keyword() != "global_defs" {
				drawn = append(drawn, s.Keyword())
			}
		}
		if slices.Equal(drawn, theirs) {
			return
		}
		ours = append(ours, drawn)
	}
	t.Errorf("between %d and %d keepalived draws %q, keepc %q", from, to, theirs, ours)
}
