package watch

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"keepc/compiler/ir"
	"keepc/runtime/router"
	"keepc/runtime/track"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a watcher that looks at what one instance tracks.
func start(t *testing.T, cfg *ir.Config) *Watcher {
	t.Helper()
	v := &ir.VRRPInstance{Name: "VI_1"}
	for _, f := range cfg.TrackFiles {
		v.TrackFiles = append(v.TrackFiles, ir.Track{Name: f.Name, Weight: &f.Weight})
	}
	for _, p := range cfg.TrackProcesses {
		v.TrackProcesses = append(v.TrackProcesses, ir.Track{Name: p.Name, Weight: &p.Weight})
	}
	cfg.Instances = []*ir.VRRPInstance{v}
	w := New()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(t.Context(), func(err error) { t.Log(err) })
	}()
	t.Cleanup(func() { <-done })
	w.Look(cfg)
	return w
}

// expect waits for the next report.
func expect(t *testing.T, w *Watcher, name string, want track.Status) {
	t.Helper()
	select {
	case got := <-w.Seen():
		if got.Thing.Name != name || got.Status != want {
			t.Fatalf("got %v, want %s %v", got, name, want)
		}
	case <-time.After(15 * time.Second):
		t.Fatalf("%s %v does not come", name, want)
	}
}

func quiet(t *testing.T, w *Watcher) {
	t.Helper()
	select {
	case got := <-w.Seen():
		t.Fatalf("nothing changed, got %v", got)
	case <-time.After(200 * time.Millisecond):
	}
}

func number(n int) track.Status { return track.Status{Known: true, Value: n} }

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	file := filepath.Join(dir, "load")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := start(t, &ir.Config{TrackFiles: []*ir.TrackFile{{Name: "load", File: file, Weight: ir.Weight{N: 1}, InitFile: &ir.InitFile{Value: 4}}}})
	expect(t, w, "load", number(4))
	write("17\n")
	expect(t, w, "load", number(17))
	write("17")
	quiet(t, w)
	write(" -3 of 5")
	expect(t, w, "load", number(-3))
	write("many")
	expect(t, w, "load", number(0))

	// Editors replace the file.
	if err := os.WriteFile(file+".new", []byte("5"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	expect(t, w, "load", number(5))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	expect(t, w, "load", number(0))
}

// TestFilesOfChecks checks that a file that only a check of a real server follows is reported to those who make
// checks.
func TestFilesOfChecks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "load")
	f := &ir.TrackFile{Name: "load", File: file, Weight: ir.Weight{N: 1}, InitFile: &ir.InitFile{Value: 4}}
	check := &ir.Check{Checker: &ir.FileCheck{TrackFile: ir.Name{Text: "load"}, Weight: &f.Weight}}
	w := New()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx, func(err error) { t.Error(err) }) }()
	defer func() { cancel(); <-done }()
	w.Look(&ir.Config{
		TrackFiles:     []*ir.TrackFile{f},
		VirtualServers: []*ir.VirtualServer{{RealServers: []*ir.RealServer{{Checks: []*ir.Check{check}}}}},
	})
	for _, want := range []int{4, 17} {
		select {
		case got := <-w.Files():
			if got.File != track.OfFile(f) || got.Value != want {
				t.Errorf("got %+v, want %d", got, want)
			}
		case got := <-w.Seen():
			t.Errorf("no instance tracks it: %+v", got)
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing is told; want %d", want)
		}
		if err := os.WriteFile(file, []byte("17"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProcesses(t *testing.T) {
	if _, err := os.Stat("/proc/self/comm"); err != nil {
		t.Skip("no /proc here")
	}
	// A name that nothing else has.
	sleep, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Skip(err)
	}
	program := filepath.Join(t.TempDir(), "keepc-watched-process")
	if err := os.WriteFile(program, sleep, 0o755); err != nil {
		t.Fatal(err)
	}
	good, bad := track.Status{Known: true, Good: true}, track.Status{Known: true}
	w := start(t, &ir.Config{TrackProcesses: []*ir.TrackProcess{
		{Name: "any", Process: []string{program}, Quorum: 1},
		{Name: "exact", Process: []string{program, "61"}, Quorum: 1},
	}})
	expect(t, w, "any", bad)
	expect(t, w, "exact", bad)
	run := func(seconds string) *exec.Cmd {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, seconds)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	one := run("60")
	expect(t, w, "any", good)
	two := run("61")
	expect(t, w, "exact", good)
	for _, cmd := range []*exec.Cmd{two, one} {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}
	var seen [2]router.Tracked
	for i := range seen {
		seen[i] = <-w.Seen()
	}
	for _, s := range seen {
		if s.Status != bad {
			t.Errorf("got %v", seen)
		}
	}
}

// TestMoments checks that the kernel tells of a process that begins, becomes another program and ends.
func TestMoments(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	seen, err := moments(ctx)
	if err != nil {
		stop()
		t.Skip(err)
	}
	defer func() {
		stop()
		for range seen { // it ends with ctx
		}
	}()
	cmd := exec.CommandContext(t.Context(), "/bin/true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	var got []moment
	for silence := time.After(5 * time.Second); ; {
		select {
		case m := <-seen:
			if m.pid != pid {
				continue
			}
			if m.parent != 0 && m.parent != os.Getpid() {
				t.Errorf("a child of %d, not of %d", m.parent, os.Getpid())
			}
			m.parent = min(m.parent, 1)
			if got = append(got, m); !m.ended {
				continue
			}
		case <-silence:
			if len(got) == 0 {
				t.Skip("the kernel tells nothing of processes here")
			}
		}
		break
	}
	got = slices.Compact(got) // a new program has a new name: two moments
	if want := []moment{{pid: pid, parent: 1}, {pid: pid}, {pid: pid, ended: true}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestLook checks that what nothing tracks is not looked at; a reload changes that.
func TestLook(t *testing.T) {
	w := start(t, &ir.Config{})
	quiet(t, w)
	f := &ir.TrackFile{Name: "load", File: filepath.Join(t.TempDir(), "load"), Weight: ir.Weight{N: 1}}
	w.Look(&ir.Config{TrackFiles: []*ir.TrackFile{f}})
	quiet(t, w)
	w.Look(&ir.Config{TrackFiles: []*ir.TrackFile{f}, Instances: []*ir.VRRPInstance{{Tracked: ir.Tracked{TrackFiles: []ir.Track{{Name: "load", Weight: &f.Weight}}}}}})
	expect(t, w, "load", number(0))
}

func TestMatches(t *testing.T) {
	running := []process{
		{1, "nginx", []string{"/usr/sbin/nginx", "-c", "/etc/nginx.conf"}},
		{2, "nginx", []string{"nginx: worker process"}},
		{3, "systemd-timesyn", []string{"/lib/systemd/systemd-timesyncd"}},
		{4, "kthreadd", nil},
	}
	two := 2
	none := 0
	for _, c := range []struct {
		name string
		want ir.TrackProcess
		good bool
	}{
		{"by name", ir.TrackProcess{Process: []string{"nginx"}, Quorum: 2}, true},
		{"by the name in a path", ir.TrackProcess{Process: []string{"/opt/nginx"}, Quorum: 2}, true},
		{"a long name", ir.TrackProcess{Process: []string{"systemd-timesyncd"}, Quorum: 1}, true},
		{"a kernel thread", ir.TrackProcess{Process: []string{"kthreadd"}, Quorum: 1}, true},
		{"too few", ir.TrackProcess{Process: []string{"nginx"}, Quorum: 3}, false},
		{"not too many", ir.TrackProcess{Process: []string{"nginx"}, Quorum: 1, QuorumMax: &two}, true},
		{"must not run", ir.TrackProcess{Process: []string{"nginx"}, Quorum: 1, QuorumMax: &none}, false},
		{"does not run", ir.TrackProcess{Process: []string{"bird"}, Quorum: 1, QuorumMax: &none}, true},
		{"the whole command", ir.TrackProcess{Process: []string{"/usr/sbin/nginx"}, FullCommand: true, Quorum: 1}, true},
		{"the whole command of another", ir.TrackProcess{Process: []string{"nginx"}, FullCommand: true, Quorum: 1}, false},
		{"all parameters", ir.TrackProcess{Process: []string{"/usr/sbin/nginx", "-c", "/etc/nginx.conf"}, Quorum: 1}, true},
		{"not all parameters", ir.TrackProcess{Process: []string{"/usr/sbin/nginx", "-c"}, Quorum: 1}, false},
		{"the first parameters", ir.TrackProcess{Process: []string{"/usr/sbin/nginx", "-c"}, ParamMatch: partial, Quorum: 1}, true},
		{"the beginning of the last", ir.TrackProcess{Process: []string{"/usr/sbin/nginx", "-c", "/etc/"}, ParamMatch: initial, Quorum: 1}, true},
		{"no parameters", ir.TrackProcess{Process: []string{"/usr/sbin/nginx"}, ParamMatch: exact, Quorum: 1}, false},
	} {
		n := 0
		for _, x := range running {
			if matches(&c.want, x) {
				n++
			}
		}
		if got := enough(&c.want, n); got != c.good {
			t.Errorf("%s: %d run, got %v", c.name, n, got)
		}
	}
}

// TestDelays checks that a change counts when it has lasted; what comes back in time was never away.
func TestDelays(t *testing.T) {
	p := &ir.TrackProcess{Name: "p", Process: []string{"nginx"}, Quorum: 1, TerminateDelay: 3 * time.Second, ForkDelay: 2 * time.Second}
	var c census
	c.look([]*ir.TrackProcess{p})
	var got []byte
	for i, runs := range "rrmrmmmmmrrr" { // r: runs, m: missing; one second each
		var all []process
		if runs == 'r' {
			all = []process{{comm: "nginx"}}
		}
		c.count(time.Unix(int64(i), 0), all, func(_ track.Thing, s track.Status) {
			got = append(got, map[bool]byte{true: 'r', false: 'm'}[s.Good])
		})
	}
	if want := "rrrrrrrmmmmr"; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}

	// A block that gets a different process starts again.
	other := *p
	other.Process = []string{"haproxy"}
	c.look([]*ir.TrackProcess{&other})
	c.count(time.Unix(100, 0), nil, func(x track.Thing, s track.Status) {
		if s.Good || x == track.OfProcess(p) {
			t.Errorf("got %v %v", x, s)
		}
	})
}
