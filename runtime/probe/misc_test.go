package probe_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/balance"
	"keepc/runtime/lab"
	"keepc/runtime/probe"
	"keepc/runtime/script"
)

// misc is a MISC_CHECK that runs a line of a shell.
func misc(line string, change func(*ir.MiscCheck)) *ir.Check {
	m := &ir.MiscCheck{Command: ir.Command{Args: []string{"/bin/sh", "-c", line}}, Timeout: 5 * time.Second}
	change(m)
	return &ir.Check{Checker: m}
}

func TestMisc(t *testing.T) {
	scripts := script.NewRunner(t.Context())
	t.Cleanup(scripts.Close)
	plain, dynamic := func(*ir.MiscCheck) {}, func(m *ir.MiscCheck) { m.Dynamic = true }
	short := func(m *ir.MiscCheck) { m.Timeout = 100 * time.Millisecond }
	for _, c := range []struct {
		name  string
		check *ir.Check
		want  string
	}{
		{"good", misc("exit 0", plain), ""},
		{"bad", misc("exit 1", plain), "exit status 1"},
		{"a weight that nobody wants", misc("exit 7", plain), "exit status 7"},
		{"no weight", misc("exit 0", dynamic), ""},
		{"bad, and no weight", misc("exit 1", dynamic), "exit status 1"},
		{"the least weight", misc("exit 2", dynamic), "weight 0"},
		{"a weight", misc("exit 7", dynamic), "weight 5"},
		{"the greatest weight", misc("exit 255", dynamic), "weight 253"},
		{"killed", misc("kill -9 $$", dynamic), "signal: killed"},
		{"hangs", misc("sleep 60", short), "timed out after 100ms"},
		{"hangs, and does not listen", misc("trap '' TERM; while :; do sleep 0.05; done", short), "timed out after 100ms"},
		{"as a user", misc("test $(id -un) = nobody", func(m *ir.MiscCheck) { m.Command.User = ir.User{Name: "nobody"} }), ""},
		{"writes much", misc("head -c 10000000 /dev/zero; exit 3", dynamic), "weight 1"},
		{"is not there", &ir.Check{Checker: &ir.MiscCheck{Command: ir.Command{Args: []string{"/nowhere"}}, Timeout: time.Second}}, "no verdict: /nowhere: no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := probe.Do(t.Context(), probe.Ask{Check: c.check, Run: scripts.Run})
			got := said(r)
			if r.Weight != nil {
				got += "weight " + strconv.Itoa(*r.Weight)
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if r.Up != (c.want == "" || r.Weight != nil) {
				t.Errorf("up: %v", r.Up)
			}
		})
	}
}

// TestMiscGroup checks that the children of a hanging program end with it, and that 300 hanging programs keep no other
// check waiting.
func TestMiscGroup(t *testing.T) {
	good, _ := listen(t, "127.0.0.1:0")
	file := filepath.Join(t.TempDir(), "pid")
	r := probe.NewRunner(t.Context(), 2)
	defer r.Close()
	hangs := misc("sleep 300 & echo $! > "+file+"; wait", func(m *ir.MiscCheck) { m.Timeout = 300 * time.Millisecond })
	r.Start(balance.StartProbe{ID: 1, Check: hangs})
	if done := <-r.Results(); done.Detail != "timed out after 300ms" {
		t.Errorf("got %+v", done)
	}
	lab.Eventually(t, 5*time.Second, "the child to end", func() bool {
		text, err := os.ReadFile(file)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil && pid > 0 && (syscall.Kill(pid, 0) != nil || zombie(pid))
	})
	slow := misc("sleep 300", func(m *ir.MiscCheck) { m.Timeout = time.Minute })
	for range 300 {
		r.Start(balance.StartProbe{ID: 3, Check: slow})
	}
	r.Start(balance.StartProbe{ID: 2, Check: tcp(good), Timeout: time.Minute})
	if done := <-r.Results(); done.ID != 2 || !done.Up {
		t.Errorf("got %+v", done)
	}
}

// zombie reports whether a process has ended and has not been waited for.
func zombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(text), ") Z ")
}
