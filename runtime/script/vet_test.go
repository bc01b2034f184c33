package script_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
	"keepc/runtime/lab"
	"keepc/runtime/script"
)

// A vetCase is one script in a directory of its own, where s.sh is a good script. The directory and everything above
// it belong to root.
type vetCase struct {
	name    string
	prepare func(d dir)
	command string // "": s.sh; otherwise in the directory, unless it begins with one of / and =
	user    string // of the block; "": script_user, which is root
	open    bool   // keepalived runs it without enable_script_security
	runs    bool   // keepalived runs it with enable_script_security
	says    string // why not, with DIR for the directory; for open cases, reported without enable_script_security too
}

// vetCases are scripts, with what Debian's keepalived 2.2.7 does with each: TestVetAsKeepalived runs it.
var vetCases = []vetCase{
	{name: "good", runs: true, open: true},
	{name: "file that everybody can write", prepare: mode("s.sh", 0o757), open: true, says: "DIR/s.sh can be written by everybody (mode 0757)"},
	{name: "file that group root can write", prepare: mode("s.sh", 0o775), runs: true, open: true},
	{name: "file that another group can write", prepare: all(owner("s.sh", 0, 1), mode("s.sh", 0o775)), open: true, says: "DIR/s.sh can be written by group 1 (mode 0775)"},
	{name: "file of another user", prepare: owner("s.sh", 65534, 0), open: true, says: "DIR/s.sh belongs to user 65534, not to root"},
	{name: "sticky file that everybody can write", prepare: mode("s.sh", 0o757|os.ModeSticky), open: true, says: "DIR/s.sh can be written by everybody (mode 0757)"},
	{name: "directory that everybody can write", prepare: mode("", 0o757), open: true, says: "DIR can be written by everybody (mode 0757)"},
	{name: "directory like /tmp", prepare: mode("", 0o777|os.ModeSticky), runs: true, open: true},
	{name: "directory that another group can write", prepare: all(owner("", 0, 1), mode("", 0o775)), open: true, says: "DIR can be written by group 1 (mode 0775)"},
	{name: "directory that group root can write", prepare: mode("", 0o775), runs: true, open: true},
	{name: "directory of another user", prepare: owner("", 65534, 0), open: true, says: "DIR belongs to user 65534, not to root"},
	{name: "directory above that everybody can write", prepare: all(move("s.sh", "a/b/s.sh"), mode("a", 0o777)), command: "a/b/s.sh", open: true, says: "DIR/a can be written by everybody (mode 0777)"},

	{name: "link into the directory of a user", prepare: all(move("s.sh", "home/s.sh"), link("home/s.sh", "l"), owner("home", 65534, 0)), command: "l", open: true, says: "DIR/home belongs to user 65534, not to root"},
	{name: "link of a user beside the file", prepare: all(link("s.sh", "l"), owner("l", 65534, 0)), command: "l", open: true, says: "DIR/l belongs to user 65534, not to root"},
	{name: "link of root to a link of a user", prepare: all(link("s.sh", "l2"), link("l2", "l"), owner("l2", 65534, 0)), command: "l", runs: true, open: true},
	{name: "link to a file that everybody can write", prepare: all(link("s.sh", "l"), mode("s.sh", 0o757)), command: "l", open: true, says: "DIR/l can be written by everybody (mode 0757)"},
	{name: "link in an open directory, followed once", prepare: all(mkdir("w"), link("../s.sh", "w/l"), mode("w", 0o777)), command: "w/l", runs: true, open: true},
	{name: "link to a directory", prepare: all(move("s.sh", "h/s.sh"), link("h", "l")), command: "l/s.sh", runs: true, open: true},
	{name: "link of a user to a directory, followed once", prepare: all(move("s.sh", "h/s.sh"), link("h", "l"), owner("l", 65534, 0)), command: "l/s.sh", runs: true, open: true},
	{name: "link to nothing", prepare: link("none", "l"), command: "l", says: "DIR/l: no such file or directory"},

	{name: "missing", command: "none", says: "DIR/none: no such file or directory"},
	{name: "a directory", prepare: mkdir("h"), command: "h", says: "DIR/h is not a file"},
	{name: "not executable", prepare: mode("s.sh", 0o644), says: "DIR/s.sh cannot be run: permission denied"},
	{name: "no program", command: "=there-is-none x", says: "there is no program there-is-none in "},
	{name: "program by its name, script as argument", prepare: mode("s.sh", 0o757), command: "=sh DIR/s.sh", runs: true, open: true},
	{name: "path with dots", prepare: mkdir("h"), command: "h/..//s.sh", runs: true, open: true},

	{name: "another user may run what he could write", prepare: mode("s.sh", 0o777), user: "nobody", runs: true, open: true},
	{name: "another user with the group of root may not", prepare: mode("s.sh", 0o777), user: "nobody root", open: true, says: "DIR/s.sh can be written by everybody (mode 0777)"},
	{name: "nor one with a setuid program", prepare: mode("s.sh", 0o777|os.ModeSetuid), user: "nobody", open: true, says: "DIR/s.sh can be written by everybody (mode 0777)"},
	{name: "nor one with a setgid program", prepare: mode("s.sh", 0o777|os.ModeSetgid), user: "nobody", open: true, says: "DIR/s.sh can be written by everybody (mode 0777)"},
	{name: "directory that the user may not enter", prepare: mode("", 0o700), user: "nobody", says: "DIR/s.sh cannot be run: permission denied"},
	{name: "file that the user may not run", prepare: mode("s.sh", 0o744), user: "nobody", says: "DIR/s.sh cannot be run: permission denied"},
	{name: "unknown user", user: "nosuch", says: "this machine has no user nosuch"},
	{name: "unknown group", user: "root nosuch", says: "this machine has no group nosuch"},
}

// unstartable are files that keepalived takes for programs; it cannot start them either, and treats that as success.
// For keepc they do not exist.
var unstartable = []vetCase{
	{name: "no interpreter line", prepare: write("s.sh", "exit 1\n"), says: "DIR/s.sh cannot be run: it has no #! line that names an interpreter"},
	{name: "interpreter missing", prepare: write("s.sh", "#! /there/is/none -x\nexit 1\n"), says: "DIR/s.sh cannot be run: its interpreter /there/is/none: no such file or directory"},
	{name: "interpreter without a name", prepare: write("s.sh", "#!\nexit 1\n"), says: "DIR/s.sh cannot be run: its #! line names no interpreter"},
}

// A dir is the directory of a case.
type dir struct {
	t    *testing.T
	path string
}

func (d dir) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d dir) at(name string) string { return filepath.Join(d.path, name) }

func mode(name string, mode os.FileMode) func(dir) {
	return func(d dir) { d.must(os.Chmod(d.at(name), mode)) }
}

func owner(name string, uid, gid int) func(dir) {
	return func(d dir) { d.must(os.Lchown(d.at(name), uid, gid)) }
}

func link(to, name string) func(dir) {
	return func(d dir) { d.must(os.Symlink(to, d.at(name))) }
}

func mkdir(name string) func(dir) {
	return func(d dir) { d.must(os.MkdirAll(d.at(name), 0o755)) }
}

func move(from, to string) func(dir) {
	return func(d dir) {
		d.must(os.MkdirAll(filepath.Dir(d.at(to)), 0o755))
		d.must(os.Rename(d.at(from), d.at(to)))
	}
}

func write(name, text string) func(dir) {
	return func(d dir) { d.must(os.WriteFile(d.at(name), []byte(text), 0o755)) }
}

func all(steps ...func(dir)) func(dir) {
	return func(d dir) {
		for _, s := range steps {
			s(d)
		}
	}
}

// vetFile makes the directories of the cases and a configuration: for each case a vrrp_script, and an instance that
// tracks it and runs the same command when it starts. What runs writes a line to a file of its case in out.
func vetFile(t *testing.T, cases []vetCase, global, out string) (text, base string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "global_defs {\n%s}\n", global)
	base = openDir(t)
	for i, c := range cases {
		d := dir{t, filepath.Join(base, fmt.Sprintf("c%d", i))}
		d.must(os.Mkdir(d.path, 0o755))
		write("s.sh", fmt.Sprintf("#!/bin/sh\necho \"$1 $(id -un):$(id -gn)\" >> %s/c%d\n", out, i))(d)
		if c.prepare != nil {
			c.prepare(d)
		}
		command, named := strings.CutPrefix(c.command, "=")
		switch {
		case c.command == "":
			command = d.at("s.sh")
		case !named:
			command = d.path + "/" + c.command
		}
		command = strings.ReplaceAll(command, "DIR", d.path)
		user := ""
		if c.user != "" {
			user = "    user " + c.user + "\n"
		}
		fmt.Fprintf(&b, "vrrp_script c%d {\n    script \"%s script\"\n    interval 1\n%s}\n", i, command, user)
		fmt.Fprintf(&b, "vrrp_instance c%d {\n    state BACKUP\n    interface eth0\n    virtual_router_id %d\n    track_script {\n        c%d weight 1\n    }\n", i, i+1, i)
		fmt.Fprintf(&b, "    virtual_ipaddress {\n        192.0.2.%d\n    }\n    notify_backup \"%s notify\" %s\n}\n", i+100, command, c.user)
	}
	return b.String(), base
}

// openDir is a directory of root that everybody can enter.
func openDir(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	for _, p := range []string{filepath.Dir(path), path} {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func compile(t *testing.T, text string) *ir.Config {
	t.Helper()
	u := compiler.Load(source.New("keepalived.conf", []byte(text)), compiler.Options{})
	for _, f := range u.All {
		if f.Severity == diag.Error {
			t.Fatalf("%v: %s", f.Span, f.Message)
		}
	}
	return u.Config
}

// needVet skips a test unless it runs as root, with a user nobody and without a user keepalived_script.
func needVet(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may make files of others")
	}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil || !strings.Contains(string(passwd), "\nnobody:x:65534:") || strings.Contains(string(passwd), "keepalived_script") {
		t.Skip("needs a user nobody, and no user keepalived_script")
	}
}

const (
	securely = "    script_user root\n    enable_script_security\n"
	openly   = "    script_user root\n"
)

func TestVet(t *testing.T) {
	needVet(t)
	cases := slices.Concat(vetCases, unstartable)
	for _, mode := range []struct {
		name, global string
		runs         func(vetCase) bool
	}{
		{"security", securely, func(c vetCase) bool { return c.runs }},
		{"none", openly, func(c vetCase) bool { return c.open }},
	} {
		text, base := vetFile(t, cases, mode.global, t.TempDir())
		cfg := compile(t, text)
		vetted, findings := script.Vet(cfg)
		for i, c := range cases {
			t.Run(mode.name+"/"+c.name, func(t *testing.T) {
				name := fmt.Sprintf("c%d", i)
				at := slices.IndexFunc(vetted.Scripts, func(s *ir.Script) bool { return s.Name == name })
				v := vetted.Instances[i]
				if got := at >= 0; got != mode.runs(c) {
					t.Errorf("runs: %v, want %v", got, mode.runs(c))
				}
				if got := len(v.Notify.Backup.Args) > 0; got != mode.runs(c) {
					t.Errorf("notify_backup runs: %v, want %v", got, mode.runs(c))
				}
				if got := len(v.TrackScripts) > 0; got != mode.runs(c) {
					t.Errorf("the instance tracks it: %v, want %v", got, mode.runs(c))
				}
				if !mode.runs(c) {
					want := "script of vrrp_script " + name + ": not run: " + c.says
					if mode.global == securely && c.open {
						want += ", and enable_script_security is set"
					}
					want = strings.ReplaceAll(want, "DIR", filepath.Join(base, name))
					if !slices.ContainsFunc(findings, func(d diag.Diagnostic) bool {
						return d.Severity == diag.Error && strings.HasPrefix(d.Message, want) && d.Span.String() == cfg.Scripts[i].Command.Span().String()
					}) {
						t.Errorf("no finding %q", want)
					}
				}
			})
		}
		if len(cfg.Scripts) != len(cases) {
			t.Error("the configuration itself changed")
		}
	}
}

// TestVetThreads checks that no thread keeps the user that a script was checked for: the first one never ends, and
// with the user it would lose capabilities.
func TestVetThreads(t *testing.T) {
	needVet(t)
	cfg := compile(t, "vrrp_script s {\n    script /bin/true\n    user nobody\n}\nvrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    notify \"/bin/true\" nobody\n    notify_master \"/bin/true\" daemon\n}\n")
	for range 200 {
		script.Vet(cfg)
	}
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		text, _ := os.ReadFile(thread)
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if (f[0] == "Uid:" || f[0] == "Gid:") && f[4] != f[1] {
				t.Errorf("a thread has %s", line)
			}
		}
	}
}

// TestVetWithoutUser checks that without a user for its scripts, a director with enable_script_security runs none;
// without it, they run as root.
func TestVetWithoutUser(t *testing.T) {
	needVet(t)
	text := "global_defs {\n    startup_script /bin/true\n    notify_fifo_script /bin/true\n    %s}\n" +
		"vrrp_script web {\n    script /bin/true\n}\n" +
		"vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    virtual_ipaddress {\n        192.0.2.10\n    }\n    track_script {\n        web\n    }\n    notify /bin/true\n}\n" +
		"virtual_server 192.0.2.10 80 {\n    protocol TCP\n    lb_algo rr\n    lb_kind NAT\n    quorum_up /bin/true\n    real_server 192.0.2.20 80 {\n        notify_up /bin/true\n        MISC_CHECK {\n            misc_path /bin/true\n        }\n    }\n}\n"
	for _, c := range []struct {
		global string
		left   []string
	}{
		{"", []string{"startup_script", "notify_fifo_script", "script", "notify", "quorum_up", "notify_up", "misc_path"}},
		{"enable_script_security\n", nil},
		{"enable_script_security\n    script_user root\n", []string{"script", "notify", "quorum_up", "notify_up", "misc_path"}}, // keepalived reads the other two before
	} {
		vetted, findings := script.Vet(compile(t, fmt.Sprintf(text, c.global)))
		var left []string
		vetted.MapCommands(func(what string, c ir.Command) ir.Command {
			word, _, _ := strings.Cut(what, " ")
			left = append(left, word)
			return c
		})
		if !slices.Equal(left, c.left) {
			t.Errorf("%q: %v are left, want %v", c.global, left, c.left)
		}
		if n := findings.Count(diag.Error); n != 7-len(c.left) {
			t.Errorf("%q: %d findings: %v", c.global, n, findings)
		}
	}
}

// TestVetAsKeepalived checks that the table of TestVet is what the real program does.
func TestVetAsKeepalived(t *testing.T) {
	needVet(t)
	lab.NeedPrograms(t, "keepalived")
	for _, mode := range []struct {
		name, global string
		runs         func(vetCase) bool
	}{
		{"security", securely, func(c vetCase) bool { return c.runs }},
		{"none", openly, func(c vetCase) bool { return c.open }},
	} {
		t.Run(mode.name, func(t *testing.T) {
			n := lab.New(t)
			host := n.Host("lb", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
			out := openDir(t)
			if err := os.Chmod(out, 0o777); err != nil {
				t.Fatal(err)
			}
			conf := filepath.Join(host.Dir(), "keepalived.conf")
			text, _ := vetFile(t, vetCases, mode.global, out)
			if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			host.Start("keepalived", lab.KeepalivedFlags("/run", conf, "-P", "-D")...)
			want, got := map[string]bool{}, map[string]bool{}
			for i, c := range vetCases {
				if mode.runs(c) {
					want[fmt.Sprintf("c%d %s: script", i, c.name)], want[fmt.Sprintf("c%d %s: notify", i, c.name)] = true, true
				}
			}
			look := func() bool {
				for i, c := range vetCases {
					text, _ := os.ReadFile(filepath.Join(out, fmt.Sprintf("c%d", i)))
					for line := range strings.Lines(string(text)) {
						kind, _, _ := strings.Cut(line, " ")
						got[fmt.Sprintf("c%d %s: %s", i, c.name, kind)] = true
					}
				}
				return len(got) >= len(want)
			}
			lab.Eventually(t, 20*time.Second, "the scripts to run", look)
			time.Sleep(2 * time.Second) // time for a script that must not run
			look()
			for _, k := range slices.Sorted(maps.Keys(want)) {
				if !got[k] {
					t.Errorf("%s does not run", k)
				}
			}
			for _, k := range slices.Sorted(maps.Keys(got)) {
				if !want[k] {
					t.Errorf("%s runs", k)
				}
			}
		})
	}
}
