package script_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
	"keepc/runtime/router"
	"keepc/runtime/script"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDo(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name  string
		args  []string
		user  ir.User
		cause string
	}{
		{"good", []string{"/bin/true"}, ir.User{}, ""},
		{"bad", []string{"/bin/false"}, ir.User{}, "exit status 1"},
		{"with arguments", []string{"/bin/sh", "-c", "exit 3"}, ir.User{}, "exit status 3"},
		{"killed", []string{"/bin/sh", "-c", "kill -9 $$"}, ir.User{}, "signal: killed"},
		{"slow", []string{"/bin/sleep", "60"}, ir.User{}, "timed out after 100ms"},
		{"missing", []string{"/bin/there-is-none"}, ir.User{}, "/bin/there-is-none: no such file or directory"},
		{"a directory", []string{dir}, ir.User{}, dir + ": permission denied"},
		{"nothing", nil, ir.User{}, "there is no command"},
		{"an empty word", []string{""}, ir.User{}, "there is no command"},
		{"nobody's user", []string{"/bin/true"}, ir.User{Name: "there-is-none"}, "this machine has no user there-is-none"},
		{"nobody's group", []string{"/bin/true"}, ir.User{Name: "root", Group: "there-is-none"}, "this machine has no group there-is-none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			timeout := 10 * time.Second
			if c.name == "slow" {
				timeout = 100 * time.Millisecond
			}
			cause := ""
			if err := script.Do(t.Context(), c.args, c.user, timeout); err != nil {
				cause = err.Error()
			}
			if cause != c.cause {
				t.Errorf("got %q, want %q", cause, c.cause)
			}
		})
	}
}

func TestUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may become somebody else")
	}
	args := []string{"/bin/sh", "-c", `test "$(id -un):$(id -gn):$(id -G | wc -w)" = nobody:daemon:1`}
	if err := script.Do(t.Context(), args, ir.User{Name: "nobody", Group: "daemon"}, 10*time.Second); err != nil {
		t.Error(err)
	}
}

// A script that overstays ends with its children, also where it does not listen.
func TestChildrenEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "child")
	err := script.Do(t.Context(), []string{"/bin/sh", "-c", `trap "" TERM; sleep 60 & echo $! >` + file + `; wait; sleep 60`}, ir.User{}, 200*time.Millisecond)
	if err == nil || err.Error() != "timed out after 200ms" {
		t.Error(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, 5*time.Second, "the child to end", func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || err == nil && strings.Contains(string(stat), ") Z ")
	})
}

func TestRunner(t *testing.T) {
	r := script.NewRunner(t.Context())
	good, bad, slow := router.ScriptID{Name: "good"}, router.ScriptID{Name: "bad"}, router.ScriptID{Name: "slow"}
	r.Start(router.StartScript{ID: good, Args: []string{"/bin/true"}, Timeout: time.Minute})
	r.Start(router.StartScript{ID: bad, Args: []string{"/bin/false"}, Timeout: time.Minute})
	r.Start(router.StartScript{ID: slow, Args: []string{"/bin/sleep", "60"}, Timeout: time.Minute})
	causes := map[string]string{}
	for range 2 {
		d := <-r.Results()
		causes[d.ID.Name] = d.Cause
	}
	if len(causes) != 2 || causes["good"] != "" || causes["bad"] != "exit status 1" {
		t.Errorf("got %v", causes)
	}
	r.Close() // ends the slow one; TestMain sees whether a goroutine is left
	if err := script.Do(canceled(t), []string{"/bin/true"}, ir.User{}, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
