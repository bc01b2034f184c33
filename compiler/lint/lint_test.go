package lint_test

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"keepc/compiler"
	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// check judges a file as that of lb1, by itself.
func check(text string) diag.List {
	_, found := read(text, "lb1", false)
	return found
}

// read returns what a file means for a director and what is wrong with it. peers leaves out what a comparison decides
// better.
func read(text, id string, peers bool) (*ir.Config, diag.List) {
	text, said, _ := strings.Cut(text, beside)
	reading := grammar.Options{ID: id, IDs: []string{"lb1", "lb2"}, Files: grammar.Files{Root: fstest.MapFS{}, Dir: "/"}, Env: func(string) string { return "" }}
	settings, wrong := compiler.Settings(grammar.LoadText(source.New(".keepc.conf", []byte(said)), reading))
	u := compiler.Load(source.New("test.conf", []byte(text)), compiler.Options{Text: reading, Host: machine{}, Peers: peers, Settings: settings})
	return u.Config, append(u.Findings, wrong...)
}

// beside separates a file from its .keepc.conf.
const beside = "\x00"

// TestLosses checks that every error says what keepalived does there, whatever its rule is by itself, and that its rule
// says that it can be an error.
func TestLosses(t *testing.T) {
	for _, r := range lint.Rules() {
		page := r.Page()
		for _, text := range []string{page.Bad, page.Good, "vrrp_instance VI_1 {\n    vrrp_strict\n" + strings.TrimPrefix(page.Bad, "vrrp_instance VI_1 {\n")} {
			for _, d := range append(check(text), compare(text)...) {
				if d.Severity == diag.Error && d.Loss == 0 {
					t.Errorf("%s: %v: %s has no loss", r.Name, d.Span, d.Rule)
				}
				if is, _ := lint.Find(d.Rule); d.Severity > max(is.Severity, is.Worst) {
					t.Errorf("%s: %v: a finding of %s is of severity %v", r.Name, d.Span, d.Rule, d.Severity)
				}
			}
		}
	}
}

// compare judges a file for lb1 and lb2, separately and together.
func compare(text string) (all diag.List) {
	var nodes []cluster.Node
	var about []lint.About
	for _, id := range []string{"lb1", "lb2"} {
		cfg, found := read(text, id, true)
		nodes = append(nodes, cluster.Node{Name: id, Config: cfg})
		about = append(about, lint.About{Findings: found})
		all = append(all, found...)
	}
	for _, found := range lint.Compare(cluster.New(nodes), about).Findings {
		all = append(all, found...)
	}
	return all
}

// A machine is the one that Bad and Good are judged for.
type machine struct{}

func (machine) Networks(name string) ([]netip.Prefix, bool) {
	switch name {
	case "eth0":
		return []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("192.0.2.10/24"), netip.MustParsePrefix("2001:db8::2/64")}, true
	case "eth1":
		return nil, true
	case "eth2":
		return []netip.Prefix{netip.MustParsePrefix("198.51.100.2/24")}, true
	}
	return nil, false
}

func (m machine) Holds(addr netip.Addr) bool {
	if addr.String() == "192.0.2.3" || addr.String() == "198.51.100.3" {
		return true // lb2, which is judged here too, has the address
	}
	for _, name := range []string{"eth0", "eth2"} {
		networks, _ := m.Networks(name)
		if slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Addr() == addr }) {
			return true
		}
	}
	return false
}

func (machine) User(name string) bool { return name == "root" }

func (machine) Owner(string) (uid, gid uint32) { return 0, 0 }
func (machine) Mode(name string) (fs.FileMode, bool) {
	switch path.Dir(name) {
	case "/usr/bin", "/bin", "/tmp", "/srv/open":
		return 0o755, path.Base(name) != "nothere"
	}
	switch name {
	case "/srv/open":
		return fs.ModeDir | 0o777, true
	case "/run", "/srv", "/usr/bin":
		return fs.ModeDir | 0o755, true
	}
	if name == "open.conf" {
		return 0o644, true
	}
	return 0o600, name == "test.conf"
}

// TestRules tries Bad and Good of every rule: Bad has exactly this mistake, Good has no finding.
func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range lint.Rules() {
		t.Run(r.Name, func(t *testing.T) {
			if !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`).MatchString(r.Name) || seen[r.Name] {
				t.Errorf("the name is no unique kebab-case name")
			}
			seen[r.Name] = true
			page := r.Page()
			if page.Title == "" || page.Text == "" || !strings.HasSuffix(page.Title, ".") || r.Severity == 0 {
				t.Errorf("title, text or severity is missing: %+v", r)
			}
			if r.Severity == diag.Error && r.Loss == 0 {
				t.Error("nobody says what keepalived does there")
			}
			if page.Bad == "" {
				if (r.Check != nil || r.Peers != nil) && !slices.Contains([]string{"readable-password", "hmac-version", "too-many-addresses"}, r.Name) { // see TestReadable, TestVersions, TestCrowded
					t.Errorf("no Bad")
				}
				return
			}
			if r.Check != nil || r.Peers == nil {
				try(t, r, check)
			}
			if r.Peers != nil {
				try(t, r, compare)
			}
		})
	}
}

// TestPages checks that every page in the folder belongs to a rule.
func TestPages(t *testing.T) {
	files, err := os.ReadDir("rules")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".txtar")
		if !ok || !slices.ContainsFunc(lint.Rules(), func(r lint.Rule) bool { return r.Name == name }) {
			t.Errorf("rules/%s is the page of no rule", f.Name())
		}
	}
}

// try checks that a way of judging finds exactly the mistake of a rule in its Bad, and nothing in its Good.
func try(t *testing.T, r lint.Rule, judge func(string) diag.List) {
	t.Helper()
	page := r.Page()
	found := mistakes(judge(page.Bad+beside+page.BadSettings), r)
	if len(found) == 0 {
		t.Errorf("Bad has no finding:\n%s", page.Bad)
	}
	for _, d := range found {
		if d.Rule != r.Name || d.Severity != r.Severity {
			t.Errorf("Bad has another finding: %s: %s: %s [%s]\n%s", d.Span, d.Severity, d.Message, d.Rule, page.Bad)
		}
	}
	for _, d := range mistakes(judge(page.Good+beside+page.GoodSettings), r) {
		t.Errorf("Good has a finding: %s: %s [%s]\n%s", d.Span, d.Message, d.Rule, page.Good)
	}
}

// mistakes leaves out findings that only say which keepalived can read an example of a rule about something else.
func mistakes(found diag.List, about lint.Rule) diag.List {
	return slices.DeleteFunc(found, func(d diag.Diagnostic) bool {
		return d.Rule != about.Name && (d.Rule == "needs-build" || d.Rule == "recent-keyword" || d.Rule == "unicast-interface")
	})
}

// TestReadable tries the rule about the mode of the file itself, which is the same for every Bad.
func TestReadable(t *testing.T) {
	const text = "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    authentication {\n        auth_type PASS\n        auth_pass k2t9\n    }\n    virtual_ipaddress {\n        192.0.2.10/24\n    }\n}\n"
	for name, want := range map[string]int{"open.conf": 1, "test.conf": 0} {
		if found := compiler.Load(source.New(name, []byte(text)), compiler.Options{Host: machine{}}).All; len(found) != want {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// TestVersions tries the rule about versions of keepalived, which a file does not state.
func TestVersions(t *testing.T) {
	const text = "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n@lb1 priority 150\n@lb2 priority 100\n    auth_hmac {\n        key 1 k2t9k2t9k2t9k2t9k2t9k2t9k2t9k2t9\n    }\n    virtual_ipaddress {\n        192.0.2.10/24\n    }\n}\n"
	for _, k := range []struct {
		a, b string
		want int
	}{
		{"2.4.2", "2.4.3", 0}, {"2.4.0", "2.4.1", 1}, {"2.4.1", "2.4.2", 1}, {"2.4", "2.4.10", 1}, {"2.3.4", "2.4.2", 1}, {"", "2.4.2", 0},
	} {
		var nodes []cluster.Node
		for _, id := range []string{"lb1", "lb2"} {
			cfg, _ := read(text, id, true)
			nodes = append(nodes, cluster.Node{Name: id, Config: cfg})
		}
		done := lint.Compare(cluster.New(nodes), []lint.About{{Version: k.a}, {Version: k.b}})
		if got := len(done.Findings[0]) + len(done.Findings[1]); got != k.want {
			t.Errorf("%s and %s: %v", k.a, k.b, done.Findings)
		}
	}
}

// TestReturns tries the rule whose example a terminal cannot show.
func TestReturns(t *testing.T) {
	for text, want := range map[string]int{"global_defs {\r    router_id lb1\r}\r": 1, "global_defs {\r\n    router_id lb1\r\n}\r\n": 0} {
		if found := check(text); len(found) != want || want > 0 && found[0].Rule != "carriage-return" {
			t.Errorf("%q: %v", text, found)
		}
	}
}

// TestCrowded tries the rule whose example would fill several screens.
func TestCrowded(t *testing.T) {
	for n, want := range map[int]int{255: 0, 256: 1, 300: 1} {
		var b strings.Builder
		b.WriteString("vrrp_instance VI_1 {\ninterface eth1\nvirtual_router_id 7\nvirtual_ipaddress {\n")
		for i := range n {
			fmt.Fprintf(&b, "10.0.%d.%d/16\n", i/100, 1+i%100)
		}
		found := check(b.String() + "}\nvirtual_ipaddress_excluded {\n10.0.9.1/16\n}\n}\n")
		if got := slices.DeleteFunc(found, func(d diag.Diagnostic) bool { return d.Rule != "too-many-addresses" }); len(got) != want {
			t.Errorf("%d addresses: %v", n, got)
		}
	}
}

// TestRepairs tries the repair of every Bad that has one: what is left has no such finding.
func TestRepairs(t *testing.T) {
	for _, r := range lint.Rules() {
		bad := r.Page().Bad
		src := source.New("test.conf", []byte(bad))
		text, done := check(bad).Repair(src)
		if len(done) == 0 {
			continue
		}
		for _, d := range check(string(text)) {
			if d.Rule == r.Name {
				t.Errorf("%s: still there after the repair:\n%s", r.Name, text)
			}
		}
	}
}

// TestMessages checks the style of messages: lower case unless a name comes first, no full stop, no "I", no "please".
func TestMessages(t *testing.T) {
	for _, r := range lint.Rules() {
		bad := r.Page().Bad
		for _, d := range append(check(bad), compare(bad)...) {
			for _, s := range append([]string{d.Message, d.Label, d.Help}, notes(d)...) {
				words := strings.Fields(s)
				if strings.HasSuffix(s, ".") || slices.Contains(words, "I") || strings.Contains(strings.ToLower(s), "please") {
					t.Errorf("%s: %q", r.Name, s)
				}
			}
		}
	}
}

func notes(d diag.Diagnostic) (all []string) {
	for _, n := range d.Notes {
		all = append(all, n.Message)
	}
	return all
}

// TestNames checks that every finding that the code can report has its rule here.
func TestNames(t *testing.T) {
	known := map[string]bool{}
	for _, r := range lint.Rules() {
		known[r.Name] = true
	}
	made := regexp.MustCompile(`Rule(?: =|:|,[^=\n]*=)\s*"([a-z0-9-]+)"`)
	files := 0
	for _, pattern := range []string{"../../grammar/*.go", "../schema/*.go", "../*.go"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			if strings.HasSuffix(p, "_test.go") {
				continue
			}
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			files++
			for _, m := range made.FindAllStringSubmatch(string(text), -1) {
				if !known[m[1]] {
					t.Errorf("%s makes %s, which is no rule", p, m[1])
				}
			}
		}
	}
	if files < 10 {
		t.Errorf("only %d files looked at", files)
	}
}

// TestDifferences checks that the list of differences names existing rules, and that they are indeed milder.
func TestDifferences(t *testing.T) {
	for _, d := range lint.Differences() {
		if d.Keepalived == "" || d.Keepc == "" || d.Why == "" {
			t.Errorf("something is missing: %+v", d)
		}
		for _, name := range d.Milder {
			i := slices.IndexFunc(lint.Rules(), func(r lint.Rule) bool { return r.Name == name })
			if i < 0 || lint.Rules()[i].Severity == diag.Error || !lint.Milder(name) {
				t.Errorf("%s is no rule that is milder than keepalived", name)
			}
		}
	}
}
