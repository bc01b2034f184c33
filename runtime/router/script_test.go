package router_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the traces below testdata with what happens now")

// TestScripts plays the scenarios of testdata. A script is a list of blocks, with an empty line between them: commands, a line "----",
// and the complete trace of what they make the directors say. Lines that begin with # are comments. world_test.go knows the commands.
//
// After -update, read the difference: a trace is right because the protocol says so, not because the program does.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := play(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if got == string(text) {
				return
			}
			if !*update {
				t.Errorf("%s differs; -update rewrites it\n%s", file, firstDifference(string(text), got))
				return
			}
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// play runs a script in a new world and returns it with the actual traces.
func play(text string) (string, error) {
	w := newWorld()
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			out.WriteString("\n")
		}
		input, _, isBlock := strings.Cut(block, "\n----")
		fmt.Fprintln(&out, strings.TrimSpace(input))
		if !isBlock {
			if !onlyComments(block) {
				return "", fmt.Errorf("no ---- below %q", block)
			}
			continue
		}
		var commands [][]string
		for line := range strings.Lines(input) {
			line = strings.TrimRight(line, "\n")
			switch {
			case strings.HasPrefix(line, "#"):
			case strings.HasPrefix(line, " "):
				last := &commands[len(commands)-1]
				*last = append(*last, strings.TrimSpace(line))
			default:
				commands = append(commands, []string{line})
			}
		}
		for _, c := range commands {
			if err := w.do(strings.Fields(c[0]), c[1:]); err != nil {
				return "", fmt.Errorf("%s: %w", c[0], err)
			}
		}
		fmt.Fprintf(&out, "----\n%s", w.takeTrace())
	}
	return out.String(), nil
}

func onlyComments(block string) bool {
	for line := range strings.Lines(block) {
		if !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
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
