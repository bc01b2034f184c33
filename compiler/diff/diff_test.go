package diff_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/compiler/diff"
	"keepc/compiler/report"
	"keepc/grammar"
	"keepc/grammar/source"
)

func read(text []byte, dir string) (side diff.Side, balanced bool) {
	u := compiler.Load(source.New("x.conf", text), compiler.Options{Text: grammar.Options{Files: grammar.Files{Root: os.DirFS("/"), Dir: dir}}})
	balanced = true
	for _, d := range u.Findings {
		balanced = balanced && d.Rule != "unclosed-block" && !strings.HasSuffix(d.Rule, "-brace")
	}
	return diff.Side{File: u.Tree, Config: u.Config}, balanced
}

// empty reports whether people see a diff as no changes.
func empty(d diff.Diff) bool { return report.NewDirectorDiff("", "", "", "", d).Empty() }

// TestEqual compares every real file with itself, with its formatted text, and with the text that it is read as. Where
// braces are missing, the layout is a guess at where they belong, and formatting leads to a different guess: such
// files are compared only with themselves.
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
			continue // it differs each time it is read
		}
		dir, err := filepath.Abs(filepath.Dir(name))
		if err != nil {
			t.Fatal(err)
		}
		before, balanced := read(text, dir)
		after, _ := read(text, dir)
		if d := diff.Compare(before, after, diff.Master); !empty(d) {
			t.Errorf("%s differs from itself: %s", filepath.Base(name), summary(d))
		}
		laidOut, _ := read(grammar.Format(text), dir)
		if d := diff.Compare(before, laidOut, diff.Master); balanced && !empty(d) {
			t.Errorf("%s differs from itself laid out anew: %s", filepath.Base(name), summary(d))
		}
		asRead := before.File.Text()
		if !balanced || strings.Contains(string(asRead), "~SEQ") {
			continue // a sequence that is plain words here would expand elsewhere
		}
		if again, _ := read(asRead, "/nowhere"); !empty(diff.Compare(before, again, diff.Master)) {
			t.Errorf("%s differs from itself as it is read: %s", filepath.Base(name), summary(diff.Compare(before, again, diff.Master)))
		}
	}
	t.Log(len(files), "files")
}

// TestRestart expects a restart for everything that keepalived cannot change by a reload, and for nothing else in
// global_defs.
func TestRestart(t *testing.T) {
	const instance = "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n  192.0.2.10/24\n }\n}\n"
	for _, k := range []struct {
		text string
		want diff.Verdict
	}{
		{"net_namespace blue", diff.Restart},
		{"net_namespace_ipvs blue", diff.Restart},
		{"instance blue", diff.Restart},
		{"global_defs {\n nftables blue\n}", diff.Restart},
		{"global_defs {\n nftables_ipvs blue\n}", diff.Restart},
		{"global_defs {\n tmp_config_directory /tmp\n}", diff.Restart},
		{"global_defs {\n disable_local_igmp\n}", diff.Restart},
		{"global_defs {\n dynamic_interfaces\n}", diff.Restart},
		{"global_defs {\n router_id blue\n}", diff.Untouched},
		{"global_defs {\n vrrp_garp_master_delay 9\n}", diff.Retuned},
		{"vrrp_script chk {\n script /bin/true\n}", diff.Untouched},
	} {
		before, _ := read([]byte(instance), "/")
		after, _ := read([]byte(k.text+"\n"+instance), "/")
		if got := diff.Compare(before, after, diff.Master).Instances[0]; got.Verdict != k.want {
			t.Errorf("%s: %s (%s), want %s", k.text, got.Verdict, got.Reason, k.want)
		}
	}
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
