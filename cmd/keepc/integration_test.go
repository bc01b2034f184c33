package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"keepc/compiler/report"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// The files through which other programs call keepc: each is read as they read it, and tried in a repository made for
// it.

const (
	cleanConf  = "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 7\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\n"
	faultyConf = "vrrp_instance VI_1 {\n  interface eth0\n\tvirtual_router_id 7\n\tpriority 300\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\n"
)

// scratch makes a directory with files in it.
func scratch(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func readYAML(t *testing.T, name string, to any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err == nil {
		err = yaml.Unmarshal(text, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type hook struct {
	ID, Entry, Language, Files string
	Serial                     bool `yaml:"require_serial"`
}

// TestHooks runs every hook of .pre-commit-hooks.yaml as pre-commit does: its entry with the names of the files that
// its pattern matches, in the root of the repository.
func TestHooks(t *testing.T) {
	t.Parallel()
	var hooks []hook
	readYAML(t, "../../.pre-commit-hooks.yaml", &hooks)
	path := installed(t) + ":" + os.Getenv("PATH")
	var ids []string
	for _, h := range hooks {
		ids = append(ids, h.ID)
		files := map[string]string{
			"keepalived.conf": faultyConf, "etc/keepalived/conf.d/vips.conf": cleanConf, "hosts/keepalived-lb2.conf": cleanConf,
			"nginx.conf": "no keepalived\n", "keepalived.conf.j2": "{{ x }}\n", ".keepc.conf": "fail_on warning\n",
		}
		dir := scratch(t, files)
		pattern := regexp.MustCompile(h.Files)
		var names []string
		for name := range files {
			if pattern.MatchString(name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		if want := []string{".keepc.conf", "etc/keepalived/conf.d/vips.conf", "hosts/keepalived-lb2.conf", "keepalived.conf"}; !slices.Equal(names, want) {
			t.Errorf("%s: is for %v, not for %v", h.ID, names, want)
		}
		run := func(names []string) (string, int) {
			entry := strings.Fields(h.Entry)
			cmd := exec.Command("env", append(append([]string{"PATH=" + path}, entry...), names...)...)
			cmd.Dir = dir
			out, _ := cmd.CombinedOutput() // the exit code is checked below
			return string(out), cmd.ProcessState.ExitCode()
		}
		out, code := run(names)
		if strings.Contains(h.Entry, "fmt") {
			text, err := os.ReadFile(filepath.Join(dir, "keepalived.conf"))
			if err != nil || code != 0 || !strings.Contains(string(text), "\n\tinterface eth0\n") {
				t.Errorf("%s: exit code %d, %v\n%s%s", h.ID, code, err, out, text)
			}
			continue
		}
		if code != 1 || !strings.Contains(out, "keepalived.conf:4:11: error: ") {
			t.Errorf("%s: exit code %d\n%s", h.ID, code, out)
		}
		if out, code := run(names[:3]); code != 0 {
			t.Errorf("%s: exit code %d for files without mistakes\n%s", h.ID, code, out)
		}
	}
	if want := []string{"keepc", "keepc-fmt", "keepc-system"}; !slices.Equal(ids, want) {
		t.Errorf("the hooks are %v", ids)
	}
}

// TestPreCommit lets pre-commit itself run the hook of the installed keepc.
func TestPreCommit(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"pre-commit", "git"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed; TestHooks does what it would do", program)
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	hooks, err := os.ReadFile(filepath.Join(root, ".pre-commit-hooks.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := scratch(t, map[string]string{"keepalived.conf": faultyConf, "clean/keepalived.conf": cleanConf, "hooks/.pre-commit-hooks.yaml": string(hooks)})
	home := t.TempDir()
	call := func(where string, args ...string) (string, int) {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = where
		cmd.Env = append(os.Environ(), "PATH="+installed(t)+":"+os.Getenv("PATH"), "HOME="+home, "PRE_COMMIT_HOME="+home+"/cache", "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
		out, _ := cmd.CombinedOutput() // the exit code is checked below
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, repo := range []string{filepath.Join(dir, "hooks"), dir} {
		for _, args := range [][]string{{"git", "init", "-q"}, {"git", "add", "."}, {"git", "commit", "-q", "-m", "all"}} {
			if out, code := call(repo, args...); code != 0 {
				t.Fatalf("%v: %s", args, out)
			}
		}
	}
	if out, code := call(dir, "pre-commit", "try-repo", filepath.Join(dir, "hooks"), "keepc-system", "--verbose", "--files", "keepalived.conf"); code != 1 || !strings.Contains(out, "keepalived.conf:4:11: error: ") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if out, code := call(dir, "pre-commit", "try-repo", filepath.Join(dir, "hooks"), "keepc-system", "--verbose", "--files", "clean/keepalived.conf"); code != 0 || !strings.Contains(out, "Passed") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// A composite is the content of action.yml for a composite action.
type composite struct {
	Inputs map[string]struct{ Default string }
	Runs   struct{ Steps []step }
}

type step struct {
	ID, Run string
	Env     map[string]string
}

// TestAction runs the check step of cmd/action/action.yml in a repository, with the environment that GitHub provides.
func TestAction(t *testing.T) {
	t.Parallel()
	var a composite
	readYAML(t, "../action/action.yml", &a)
	i := slices.IndexFunc(a.Runs.Steps, func(s step) bool { return s.ID == "check" })
	if i < 0 {
		t.Fatal("no step checks")
	}
	check := a.Runs.Steps[i]
	program := filepath.Join(installed(t), "keepc")
	expression := regexp.MustCompile(`^\$\{\{ inputs\.([a-z-]+) \}\}$`)
	for _, c := range []struct {
		name   string
		inputs map[string]string
		code   int
		want   string // in the log
	}{
		{"a file with a mistake", map[string]string{"files": "bad.conf"}, 1, "::error file=bad.conf,line=4,"},
		{"a clean one", map[string]string{"files": "conf/keepalived.conf"}, 0, ""},
		{"patterns on two lines", map[string]string{"files": "*.conf\n**/keepalived.conf\n"}, 1, "::error file=bad.conf,"},
		{"no such file", map[string]string{"files": "no/*.conf"}, 2, "::error::no file matches no/*.conf"},
		{"a file that cannot be read", map[string]string{"files": "nothing.conf"}, 3, "nothing.conf: no such file or directory"},
		{"warnings fail", map[string]string{"files": "warn.conf"}, 1, "::warning file=warn.conf,"},
		{"warnings pass", map[string]string{"files": "warn.conf", "fail-on": "error"}, 0, "::warning file=warn.conf,"},
		{"peers", map[string]string{"files": "bad.conf conf/keepalived.conf", "peers": "true"}, 1, "::error file=bad.conf,"},
		{"the clusters of the settings", nil, 1, "::error file=bad.conf,"},
		{"SARIF", map[string]string{"files": "bad.conf", "sarif": "out.sarif"}, 1, "::error file=bad.conf,"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := scratch(t, map[string]string{
				"bad.conf": faultyConf, "conf/keepalived.conf": cleanConf, "warn.conf": strings.Replace(cleanConf, "_id 7", "_id 7 8", 1),
				".keepc.conf": "cluster edge {\n  member a { file bad.conf }\n}\n",
			})
			output := filepath.Join(t.TempDir(), "output")
			env := append(os.Environ(), "GITHUB_WORKSPACE="+dir, "GITHUB_OUTPUT="+output, "GITHUB_ACTIONS=true", "RUNNER_TEMP="+t.TempDir())
			for name, value := range check.Env {
				m := expression.FindStringSubmatch(value)
				if m == nil {
					t.Fatalf("%s is %q, which this test cannot read", name, value)
				}
				input, known := a.Inputs[m[1]]
				if !known {
					t.Fatalf("%s is of an input %q that there is not", name, m[1])
				}
				text := input.Default
				if given, ok := c.inputs[m[1]]; ok {
					text = given
				}
				if m[1] == "keepc" {
					text = program
				}
				env = append(env, name+"="+text)
			}
			// What GitHub runs for "shell: bash".
			cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", check.Run)
			cmd.Dir, cmd.Env = dir, env
			out, _ := cmd.CombinedOutput() // the exit code is checked below
			if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.want) || c.want == "" && len(out) > 0 {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, c.code, c.want, out)
			}
			if c.code != 2 {
				said, err := os.ReadFile(output)
				if want := "code=" + string(rune('0'+c.code)) + "\n"; err != nil || string(said) != want {
					t.Errorf("GITHUB_OUTPUT has %q, want %q: %v", said, want, err)
				}
			}
			if name := c.inputs["sarif"]; name != "" {
				text, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil || !json.Valid(text) || !strings.Contains(string(text), `"2.1.0"`) {
					t.Errorf("SARIF: %v\n%s", err, text)
				}
			}
		})
	}
}

// TestProblemMatcher reads lines of the format short as GitHub's runner does, plain and with colours.
func TestProblemMatcher(t *testing.T) {
	var file struct {
		Matchers []struct {
			Owner, Severity string
			Pattern         []struct {
				Regexp                                      string
				File, Line, Column, Severity, Message, Code int
			}
		} `json:"problemMatcher"`
	}
	text, err := os.ReadFile("../action/problem-matcher.json")
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	src := source.New("a b/x:1.conf", []byte("one two [three]\n"))
	for _, want := range []struct {
		severity diag.Severity
		command  string
	}{{diag.Error, "error"}, {diag.Warning, "warning"}, {diag.Info, "notice"}} {
		const message = "b: error: [c] is no d"
		model := report.NewCheck([]report.File{{Name: src.Name, Findings: diag.List{{Rule: "e-f2", Severity: want.severity, Message: message, Span: src.Span(4, 7)}}}})
		for _, colors := range []report.Colors{false, true} {
			var b strings.Builder
			if err := report.Short(&b, model, colors); err != nil {
				t.Fatal(err)
			}
			line, found := strings.TrimSuffix(b.String(), "\n"), 0
			for _, matcher := range file.Matchers {
				p := matcher.Pattern[0]
				m := regexp.MustCompile(p.Regexp).FindStringSubmatch(line)
				if m == nil {
					continue
				}
				found++
				severity := matcher.Severity
				if p.Severity > 0 {
					severity = m[p.Severity]
				}
				if m[p.File] != src.Name || m[p.Line] != "1" || m[p.Column] != "5" || severity != want.command || m[p.Message] != message || m[p.Code] != "e-f2" {
					t.Errorf("%s reads %q as %q, %s", matcher.Owner, line, m, severity)
				}
			}
			if found != 1 {
				t.Errorf("%d matchers read %q", found, line)
			}
		}
	}
}
