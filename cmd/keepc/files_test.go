package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFiles prints what "keepc run" does with the files of real users, and the words responsible: those that stop a
// file, and those that are left out. It runs with "make files", reads as run reads, and judges nothing.
func TestFiles(t *testing.T) {
	if os.Getenv("KEEPC_FILES") == "" {
		t.Skip("a measurement: run it with make files")
	}
	dir := filepath.Join("..", "..", "..", "shared", "corpus")
	index, err := os.ReadFile(filepath.Join(dir, "index.tsv"))
	if err != nil {
		t.Skip("../shared/corpus is not here")
	}
	all, users := newTally(), newTally()
	for _, line := range strings.Split(strings.TrimSpace(string(index)), "\n")[1:] {
		cells := strings.Split(line, "\t")
		file, err := filepath.Abs(filepath.Join(dir, "files", cells[0]))
		if err != nil {
			t.Fatal(err)
		}
		answer, words, errors := started(t, file)
		all.add(answer, words, errors)
		if !strings.Contains(cells[4], "dev-test") && !strings.Contains(cells[4], "upstream") {
			users.add(answer, words, errors)
		}
	}
	users.print("files of users")
	all.print("files")
}

// The answers of run to a file.
const (
	whole   = "enforced completely"
	partly  = "started with something left out"
	stopped = "refused"
)

// started returns what run does with a file, the words that are the reason, and whether the file has errors that run
// starts with, as keepalived does.
func started(t *testing.T, file string) (answer string, words []string, errors bool) {
	app := App{Stdin: strings.NewReader(""), Stdout: t.Output(), Stderr: t.Output(), Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: filepath.Dir(file)}
	l := (&runRun{App: &app}).load(file)
	if l.Config == nil {
		for line := range strings.Lines(l.Refused) {
			if word := refusal(line); word != "" {
				words = append(words, word)
			}
		}
		return stopped, words, false
	}
	for _, u := range l.Config.NotEnforced {
		words = append(words, u.Keyword)
	}
	if len(words) > 0 {
		return partly, words, len(l.Faults) > 0
	}
	return whole, nil, len(l.Faults) > 0
}

var (
	ruleAtEnd = regexp.MustCompile(`\[([a-z0-9-]+)\]$`)
	pathFirst = regexp.MustCompile(`error: (.+) is not enforced yet`)
)

// refusal returns the word of a line that refuses a file: the rule of a finding, or the keyword.
func refusal(line string) string {
	line = strings.TrimSpace(line)
	if m := pathFirst.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	if m := ruleAtEnd.FindStringSubmatch(line); m != nil {
		return "[" + m[1] + "]"
	}
	return strings.TrimSpace(line[strings.LastIndex(line, ": ")+1:])
}

// A tally counts files by answer, and by answer and word.
type tally struct {
	files map[string]int
	wrong map[string]int // of these, the files that have errors
	words map[string]map[string]int
}

func newTally() tally { return tally{map[string]int{}, map[string]int{}, map[string]map[string]int{}} }

func (c tally) add(answer string, words []string, errors bool) {
	if errors {
		c.wrong[answer]++
	}
	c.files[answer]++
	if c.words[answer] == nil {
		c.words[answer] = map[string]int{}
	}
	for _, w := range slices.Compact(slices.Sorted(slices.Values(words))) {
		c.words[answer][w]++
	}
}

func (c tally) print(what string) {
	sum := 0
	for _, n := range c.files {
		sum += n
	}
	fmt.Printf("%d %s\n", sum, what)
	for _, answer := range []string{whole, partly, stopped} {
		fmt.Printf("  %4d  %4.1f %%  %s", c.files[answer], 100*float64(c.files[answer])/float64(sum), answer)
		if n := c.wrong[answer]; n > 0 {
			fmt.Printf("; %d of them have errors, with which keepalived starts too", n)
		}
		fmt.Println()
		words := slices.Sorted(maps.Keys(c.words[answer]))
		slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(c.words[answer][b], c.words[answer][a]) })
		for _, w := range words {
			fmt.Printf("        %4d  %s\n", c.words[answer][w], w)
		}
	}
	fmt.Println()
}
