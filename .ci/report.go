//go:build ignore

// Command report runs `go test` with its arguments and tells the outcome in
// few words: a line per package, the output of what failed, and, at the end,
// every test that was skipped with its reason, and the slowest ones. A test that runs a second
// time, as those of the lab's virtual machine do, counts by its last result.
//
//	report FLAGS [-- ARGUMENTS]...
//
// Each -- begins the arguments of another run of `go test`, which follow FLAGS. A NAME=VALUE
// directly behind it is for its environment.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// An event is a line of `go test -json`.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

// A result is a test so far. Tests of a package come in the order of their
// first run.
type result struct {
	name, action string
	output       []string
	seconds      float64 // that it took
}

type report struct {
	tests   map[string][]*result // by package
	loose   map[string][]string  // by package: output of no test
	skipped []string
	passed  int
	failed  int
	strict  bool // CI=true: a missing program is a failure
}

func main() {
	start := time.Now()
	r := report{tests: map[string][]*result{}, loose: map[string][]string{}, strict: os.Getenv("CI") == "true"}
	failed := false
	for _, x := range runs(os.Args[1:]) {
		if err := r.run(x); err != nil {
			fmt.Fprintln(os.Stderr, "report:", err)
			failed = true
		}
	}
	r.end(time.Since(start))
	if failed || r.failed > 0 {
		fmt.Println("FAIL")
		os.Exit(1)
	}
	fmt.Println("PASS")
}

// A run is one run of `go test`.
type run struct{ env, args []string }

func runs(args []string) (all []run) {
	first := slices.Index(args, "--")
	if first < 0 {
		return []run{{args: args}}
	}
	for i, arg := range args[first:] {
		last := len(all) - 1
		switch {
		case arg == "--":
			all = append(all, run{args: slices.Clone(args[:first])})
		case args[first+i-1] == "--" && strings.Contains(arg, "="):
			all[last].env = []string{arg}
		default:
			all[last].args = append(all[last].args, arg)
		}
	}
	return all
}

func (r *report) run(x run) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, x.args...)...)
	cmd.Env = append(os.Environ(), x.env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // Wait below tells whether go test was content
		}
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			fmt.Print(line)
			continue
		}
		r.add(e)
	}
	return cmd.Wait()
}

func (r *report) add(e event) {
	switch {
	case e.Action == "build-output":
		fmt.Print(e.Output)
	case e.Package == "":
	case e.Test == "":
		r.addPackage(e)
	default:
		r.addTest(e)
	}
}

func (r *report) addTest(e event) {
	tests := r.tests[e.Package]
	i := slices.IndexFunc(tests, func(t *result) bool { return t.name == e.Test })
	if i < 0 {
		i = len(tests)
		tests = append(tests, &result{name: e.Test})
		r.tests[e.Package] = tests
	}
	t := tests[i]
	switch e.Action {
	case "run":
		t.action, t.output = "", nil
	case "output":
		t.output = append(t.output, e.Output)
	case "pass", "fail", "skip":
		t.action, t.seconds = e.Action, t.seconds+e.Elapsed
	}
}

// addPackage passes on what the virtual machine says of itself at once, and
// the rest if the package fails.
func (r *report) addPackage(e event) {
	switch e.Action {
	case "output":
		if strings.HasPrefix(e.Output, "lab: ") {
			fmt.Print(e.Output)
		}
		r.loose[e.Package] = append(r.loose[e.Package], e.Output)
	case "pass", "fail":
		r.close(e)
	}
}

// close prints a package that has ended.
func (r *report) close(e event) {
	count := map[string]int{}
	for _, t := range r.tests[e.Package] {
		switch why := reason(t.output); {
		case t.action == "":
			t.action = "fail" // the package ended before the test
		case t.action == "skip" && r.strict && (why == "" || strings.Contains(why, exec.ErrNotFound.Error())):
			t.action = "fail"
			t.output = append(t.output, "    a skip for want of a program, or of a reason, fails where CI=true\n")
		}
		count[t.action]++
		switch t.action {
		case "fail":
			fmt.Printf("%s", strings.Join(t.output, ""))
		case "skip":
			r.skipped = append(r.skipped, fmt.Sprintf("%s %s: %s", e.Package, t.name, reason(t.output)))
		}
	}
	r.passed += count["pass"]
	r.failed += count["fail"]
	verdict := map[string]string{"pass": "ok  ", "fail": "FAIL"}[e.Action]
	if e.Action == "fail" {
		fmt.Printf("%s", strings.Join(r.loose[e.Package], ""))
	}
	fmt.Printf("%s %-32s %6.1fs  %d passed", verdict, e.Package, e.Elapsed, count["pass"])
	for _, action := range []string{"fail", "skip"} {
		if n := count[action]; n > 0 {
			fmt.Printf(", %d %s", n, map[string]string{"fail": "failed", "skip": "skipped"}[action])
		}
	}
	fmt.Println()
}

// reason is what a skipped test logged last.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			return line
		}
	}
	return ""
}

func (r *report) end(took time.Duration) {
	if len(r.skipped) > 0 {
		fmt.Println("skipped, and why:")
	}
	for _, s := range r.skipped {
		fmt.Println("  " + s)
	}
	r.slowest()
	fmt.Printf("%d passed, %d failed, %d skipped, in %v\n", r.passed, r.failed, len(r.skipped), took.Round(time.Second))
}

// slowest prints where the time went: the tests that took longest, without
// their parts.
func (r *report) slowest() {
	type slow struct {
		name    string
		seconds float64
	}
	var all []slow
	for p, tests := range r.tests {
		for _, t := range tests {
			if !strings.Contains(t.name, "/") {
				all = append(all, slow{p + " " + t.name, t.seconds})
			}
		}
	}
	slices.SortFunc(all, func(a, b slow) int { return cmp.Compare(b.seconds, a.seconds) })
	fmt.Println("slowest:")
	for _, s := range all[:min(15, len(all))] {
		fmt.Printf("%7.1fs  %s\n", s.seconds, s.name)
	}
}
