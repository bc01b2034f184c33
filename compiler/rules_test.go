package compiler

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"keepc/compiler/lint"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/source"
)

// unmet has the rules that neither a real file nor a text of testdata meets, and why there are such rules.
var unmet = map[string]string{
	"announce-connected": "measured with FRR, which exports nothing for such an address",
	"announce-instance":  "measured: a BACKUP announces the address as well",
	"carriage-return":    "keepalived reads the whole file as one line",
	"group-with-unicast": "keepalived reports mcast_dst_ip",
	"include-wide":       "a bound: the files behind it are not judged, and nobody else says so",
	"invalid-regex":      "keepalived 2.2.7 goes on with freed memory",
	"large-group":        "a bound: the services behind it are not made",
	"ops-persistence":    "the two words of a service exclude each other, and keepalived says nothing",
	"readable-password":  "about the machine: only check --host reports it",
	"relative-script":    "the script is looked for in the working directory of the daemon",
	"services-part":      "two addresses that have to be on one director",
	"tracked-in-group":   "keepalived reports the second place",
	"unset-variable":     "about the environment of keepalived",
}

// TestRulesAreMet prints, with -v, how many real files each rule fires for, and checks that every rule fires for one of
// them, or is in the golden texts of testdata (files that keepalived was run on, files of several directors, texts with
// mistakes), or has a reason of its own.
func TestRulesAreMet(t *testing.T) {
	met, tested := metRules(t), namedRules(t)
	var table strings.Builder
	var fired, held int
	for _, r := range lint.Rules() {
		reason, listed := unmet[r.Name]
		if listed && (met[r.Name] > 0 || tested[r.Name]) {
			t.Errorf("%s fires (%d real files, testdata: %t): it is not unmet any longer", r.Name, met[r.Name], tested[r.Name])
		}
		switch {
		case met[r.Name] > 0:
			fired++
			fmt.Fprintf(&table, "%5d  %s\n", met[r.Name], r.Name)
		case tested[r.Name]:
			held++
			fmt.Fprintf(&table, "       %s: testdata\n", r.Name)
		case listed:
			fmt.Fprintf(&table, "       %s: %s\n", r.Name, reason)
		default:
			t.Errorf("%s fires for no real file and no text of testdata: why is there such a rule?", r.Name)
		}
	}
	all := len(lint.Rules())
	t.Logf("%d rules: %d fire for real files, %d more for texts of testdata, %d for other reasons\n%s", all, fired, held, all-fired-held, &table)
}

// metRules counts the real files that each rule fires for.
func metRules(t *testing.T) map[string]int {
	met := map[string]int{}
	for _, dir := range []string{"corpus/files", "cases"} {
		dir := shared(t, dir)
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				continue // a directory
			}
			var rules []string
			opts := grammar.Options{Files: grammar.Files{Root: os.DirFS("/nonexistent"), Dir: "/"}, Nests: schema.Nests()}
			for _, d := range Load(source.New(f.Name(), text), Options{Text: opts}).Findings {
				rules = append(rules, d.Rule)
			}
			slices.Sort(rules)
			for _, rule := range slices.Compact(rules) {
				met[rule]++
			}
		}
	}
	return met
}

// namedRules returns the words of the golden texts that may be names of rules.
func namedRules(t *testing.T) map[string]bool {
	words, named := regexp.MustCompile(`[a-z0-9]+(-[a-z0-9]+)+`), map[string]bool{}
	for _, pattern := range []string{"testdata/reference/*.txt", "testdata/peers/*", "testdata/err/*.out", "testdata/cli/*", "grammar/testdata/findings.txt"} {
		paths, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range words.FindAllString(string(text), -1) {
				named[word] = true
			}
		}
	}
	return named
}
