package script_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
	"keepc/runtime/router"
	"keepc/runtime/script"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs a command with a new Runner.
func run(ctx context.Context, t *testing.T, c script.Command) script.Result {
	t.Helper()
	r := script.NewRunner(t.Context())
	defer r.Close()
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	return r.Run(ctx, c)
}

func TestResults(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("exit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	unclear := func(why string) script.Result { return script.Result{Inconclusive: why} }
	for _, c := range []struct {
		name string
		args []string
		user ir.User
		want script.Result
	}{
		{"good", []string{"/bin/true"}, ir.User{}, script.Result{}},
		{"bad", []string{"/bin/false"}, ir.User{}, script.Result{Status: 1, Cause: "exit status 1"}},
		{"with arguments", []string{"/bin/sh", "-c", "exit 3"}, ir.User{}, script.Result{Status: 3, Cause: "exit status 3"}},
		{"killed", []string{"/bin/sh", "-c", "kill -9 $$"}, ir.User{}, script.Result{Cause: "signal: killed"}},
		{"slow", []string{"/bin/sleep", "60"}, ir.User{}, script.Result{Cause: "timed out after 100ms"}},
		{"missing", []string{"/bin/there-is-none"}, ir.User{}, unclear("/bin/there-is-none: no such file or directory")},
		{"a directory", []string{dir}, ir.User{}, unclear(dir + ": permission denied")},
		{"a text", []string{text}, ir.User{}, unclear(text + ": exec format error")},
		{"nothing", nil, ir.User{}, unclear("there is no command")},
		{"an empty word", []string{""}, ir.User{}, unclear("there is no command")},
		{"nobody's user", []string{"/bin/true"}, ir.User{Name: "there-is-none"}, unclear("/bin/true: this machine has no user there-is-none")},
		{"nobody's group", []string{"/bin/true"}, ir.User{Name: "root", Group: "there-is-none"}, unclear("/bin/true: this machine has no group there-is-none")},
	} {
		t.Run(c.name, func(t *testing.T) {
			timeout := 10 * time.Second
			if c.name == "slow" {
				timeout = 100 * time.Millisecond
			}
			if got := run(t.Context(), t, script.Command{Args: c.args, User: c.user, Timeout: timeout}); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may become somebody else")
	}
	args := []string{"/bin/sh", "-c", `test "$(id -un):$(id -gn):$(id -G | wc -w)" = nobody:daemon:1`}
	if got := run(t.Context(), t, script.Command{Args: args, User: ir.User{Name: "nobody", Group: "daemon"}}); got != (script.Result{}) {
		t.Error(got)
	}
}

// TestChildrenEnd checks that a script that exceeds its timeout ends with its children, even if it ignores SIGTERM.
func TestChildrenEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "child")
	args := []string{"/bin/sh", "-c", `trap "" TERM; sleep 60 & echo $! >` + file + `; wait; sleep 60`}
	if got := run(t.Context(), t, script.Command{Args: args, Timeout: 200 * time.Millisecond}); got.Cause != "timed out after 200ms" {
		t.Error(got)
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
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := run(ctx, t, script.Command{Args: []string{"/bin/true"}}); got.Inconclusive != context.Canceled.Error() {
		t.Errorf("got %+v", got)
	}
}

// elsewhere runs a test in a separate process, since it changes what the whole process may do, or inherits. It reports
// whether this is that process.
func elsewhere(t *testing.T, before ...string) bool {
	t.Helper()
	const mark = "KEEPC_ELSEWHERE"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	args := append(before, os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), mark+"="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// TestShortOfDescriptors runs sixty good scripts at once with 64 descriptors: none fails. With no descriptors left
// they have no result, and afterwards they are good again.
func TestShortOfDescriptors(t *testing.T) {
	if !elsewhere(t) {
		return
	}
	limit := syscall.Rlimit{Cur: 64, Max: 64}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	r := script.NewRunner(t.Context())
	defer r.Close()
	const scripts = 60
	results := func() (good int, unclear map[string]int) {
		unclear = map[string]int{}
		for range scripts {
			r.Start(router.StartScript{ID: router.ScriptID{Name: "x"}, Args: []string{"/bin/sh", "-c", "sleep 0.1"}, Timeout: 20 * time.Second})
		}
		for range scripts {
			switch d := <-r.Results(); {
			case d.Cause != "":
				t.Errorf("a good script fails: %s", d.Cause)
			case d.Inconclusive != "":
				unclear[d.Inconclusive]++
			default:
				good++
			}
		}
		return good, unclear
	}
	if good, unclear := results(); good != scripts {
		t.Errorf("%d are good, the others %v", good, unclear)
	}
	var hoard []*os.File
	for {
		f, err := os.Open("/dev/null")
		if err != nil {
			break
		}
		hoard = append(hoard, f)
	}
	if _, unclear := results(); unclear["start a script: too many open files"] != scripts {
		t.Errorf("without descriptors: %v", unclear)
	}
	for _, f := range hoard {
		_ = f.Close() // nothing was written
	}
	if good, unclear := results(); good != scripts {
		t.Errorf("afterwards %d are good, the others %v", good, unclear)
	}
}

// TestThreads checks that a running script occupies no thread: a machine that may not have another one ends the whole
// director.
func TestThreads(t *testing.T) {
	if !elsewhere(t) {
		return
	}
	r := script.NewRunner(t.Context())
	defer r.Close()
	const scripts = 100
	for range scripts {
		r.Start(router.StartScript{Args: []string{"/bin/sleep", "2"}, Timeout: time.Minute})
	}
	time.Sleep(time.Second)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil || len(threads) > scripts/4 {
		t.Errorf("%d threads %v", len(threads), err)
	}
	for range scripts {
		if d := <-r.Results(); d.Cause != "" || d.Inconclusive != "" {
			t.Errorf("got %+v", d)
		}
	}
}

// TestShortOfProcesses runs as a user who may not have another process: the script does not start, and has no result.
func TestShortOfProcesses(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may become somebody else")
	}
	if !elsewhere(t) {
		return
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = 0 // which does not limit root
	if err := unix.Setrlimit(unix.RLIMIT_NPROC, &limit); err != nil {
		t.Fatal(err)
	}
	r := script.NewRunner(t.Context())
	defer r.Close()
	file, nobody := filepath.Join(t.TempDir(), "first"), ir.User{Name: "nobody"}
	if err := errors.Join(os.Chmod(filepath.Dir(file), 0o777), os.Chmod(filepath.Dir(filepath.Dir(file)), 0o777)); err != nil {
		t.Fatal(err)
	}
	go r.Run(t.Context(), script.Command{Args: []string{"/bin/sh", "-c", "echo >" + file + "; exec sleep 60"}, User: nobody, Timeout: time.Minute})
	lab.Eventually(t, 10*time.Second, "the first one", func() bool { _, err := os.Stat(file); return err == nil })
	got := r.Run(t.Context(), script.Command{Args: []string{"/bin/true"}, User: nobody, Timeout: time.Minute})
	if got.Inconclusive != "start a script: resource temporarily unavailable" {
		t.Errorf("got %+v", got)
	}
}

// TestBirth checks that a script inherits what it does with keepalived 2.2.7, where the same was measured, whatever
// keepc inherited: here ignored and blocked signals, and a descriptor.
func TestBirth(t *testing.T) {
	if !elsewhere(t, "/bin/sh", "-c", `trap "" HUP INT QUIT PIPE USR1; exec "$0" "$@" 9</etc/passwd`) {
		return
	}
	runtime.LockOSThread() // and they end with it
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &unix.Sigset_t{Val: [16]uint64{1<<(syscall.SIGTERM-1) | 1<<(syscall.SIGCHLD-1)}}, nil); err != nil {
		t.Fatal(err)
	}
	script.Settle()
	file := filepath.Join(t.TempDir(), "seen")
	// A program that, like shells, does not change any of this by itself.
	see := `exec >` + file + `; umask; pwd; cd /proc/self/fd; for f in *; do readlink $f; done; grep -E "Sig(Blk|Ign)" /proc/self/status`
	if got := run(t.Context(), t, script.Command{Args: []string{"/bin/sh", "-c", see}}); got != (script.Result{}) {
		t.Fatal(got)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := "0177\n" + wd + "\n/dev/null\n" + file + "\n/dev/null\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
	// Signal 32 is the C library's own: what make starts has it ignored, and no Go program can change that.
	if got := strings.Replace(string(text), "SigIgn:\t0000000080000000", "SigIgn:\t0000000000000000", 1); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}

	group := filepath.Join(t.TempDir(), "group")
	if got := run(t.Context(), t, script.Command{Args: []string{"/bin/sh", "-c", `cut -d" " -f1,5 /proc/self/stat >` + group + `; echo $$ >>` + group}}); got != (script.Result{}) {
		t.Fatal(got)
	}
	text, err = os.ReadFile(group)
	if err != nil {
		t.Fatal(err)
	}
	if fields := strings.Fields(string(text)); len(fields) != 3 || fields[1] != fields[2] {
		t.Errorf("process and group of a child, process of the script: %v", fields)
	}
	info, err := os.Stat(group)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("what a script makes has mode %v", info.Mode())
	}
}
