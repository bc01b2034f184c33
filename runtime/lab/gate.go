package lab

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// deferEnv names the file in which NeedIPVS records the names of tests for the virtual machine. Main sets it, and
// reads the file.
const deferEnv = "KEEPC_DEFERRED_TESTS"

// besideEnv names the tests that run in the virtual machine already, if it was started beside the tests here.
const besideEnv = "KEEPC_TESTS_BESIDE"

// NeedIPVS is the first line of a test or benchmark that needs a kernel with ip_vs. If the kernel has none, the test
// is skipped, and the TestMain of its package, with [Main], runs it in a virtual machine, beside the others or
// afterwards. If that is not available either, the test is skipped, or fails if CI=true.
func NeedIPVS(t T) {
	t.Helper()
	if hasIPVS() {
		t.Logf("kernel: %s", Kernel())
		return
	}
	if machine := os.Getenv(machineEnv); machine != "" {
		t.Fatalf("lab: the virtual machine's kernel %s has no ip_vs", Kernel())
	}
	if err := VMReady(); err != nil {
		Missing(t, "kernel %s has no ip_vs, and no virtual machine starts here: %v", Kernel(), err)
	}
	list := os.Getenv(deferEnv)
	if list == "" {
		t.Fatalf("lab: a package with tests of IPVS needs a TestMain with lab.Main")
	}
	name, _, _ := strings.Cut(t.Name(), "/")
	if slices.Contains(strings.Fields(os.Getenv(besideEnv)), name) {
		t.Skipf("kernel %s has no ip_vs: runs in the virtual machine, beside", Kernel())
	}
	f, err := os.OpenFile(list, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err == nil {
		_, err = fmt.Fprintln(f, name)
		_ = f.Close()
	}
	if err != nil {
		t.Fatalf("lab: note the test for the virtual machine: %v", err)
	}
	t.Skipf("kernel %s has no ip_vs: runs in the virtual machine, below", Kernel())
}

// A Suite is the run of a test binary, with a second part in a virtual machine for the tests that need one.
type Suite struct {
	m interface{ Run() int }
	// Prepare, if it is not nil, runs here before the second part, and adds to its environment (NAME=VALUE): what it
	// builds, the slow machine need not build.
	Prepare func() ([]string, error)
	// Beside names tests that need ip_vs and take long. If all tests run, these need not wait for the others to end,
	// most of which wait themselves: the virtual machine starts with them.
	Beside []string
}

// Main wraps the m of a TestMain. Use it as
//
//	func TestMain(m *testing.M) { os.Exit(lab.Main(m).Run()) }
//
// or, for packages that check for leaks, as
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(lab.Main(m)) }
func Main(m interface{ Run() int }) Suite { return Suite{m: m} }

// Run runs the tests here, and those that NeedIPVS has deferred, and returns the combined exit status. The output of
// the part in the virtual machine is the plain output of the same binary and follows the other, so that everything that
// reads the output of tests reads it as well.
func (s Suite) Run() int {
	start := time.Now()
	dir, err := os.MkdirTemp("", "keepc-lab-")
	if err != nil {
		fmt.Fprintf(os.Stderr, "lab: %v\n", err)
		return 1
	}
	defer os.RemoveAll(dir)
	list := filepath.Join(dir, "deferred")
	if err := os.Setenv(deferEnv, list); err != nil {
		fmt.Fprintf(os.Stderr, "lab: %v\n", err)
		return 1
	}
	if !flag.Parsed() { // the tests would do so when they run
		flag.Parse()
	}
	ended := func() int { return 0 }
	if len(s.Beside) > 0 && all() && !hasIPVS() && VMReady() == nil {
		ended = s.beside(start)
		if err := os.Setenv(besideEnv, strings.Join(s.Beside, " ")); err != nil {
			fmt.Fprintf(os.Stderr, "lab: %v\n", err)
			return max(1, ended())
		}
	}
	status := s.m.Run()
	status = max(status, ended())
	text, err := os.ReadFile(list)
	if err != nil {
		return status // nothing was deferred
	}
	names := strings.Fields(string(text))
	slices.Sort(names)
	return max(status, s.deferred(os.Stdout, slices.Compact(names), start))
}

// all reports whether this process was started to run all tests.
func all() bool {
	is := func(name, value string) bool {
		f := flag.Lookup(name)
		return f != nil && f.Value.String() == value
	}
	return is("test.run", "") && is("test.list", "") && is("test.short", "false")
}

// beside starts the tests that are named in advance. The function that it returns waits for them, prints what they
// printed, and returns their status.
func (s Suite) beside(start time.Time) func() int {
	var output bytes.Buffer
	status := make(chan int)
	go func() { status <- s.deferred(&output, s.Beside, start) }()
	return func() int {
		n := <-status
		_, _ = output.WriteTo(os.Stdout) // nobody is left to be told
		return n
	}
}

// deferred runs the named tests and benchmarks in the virtual machine, and returns their status.
func (s Suite) deferred(output io.Writer, names []string, start time.Time) int {
	env := os.Environ()
	if s.Prepare != nil {
		more, err := s.Prepare()
		if err != nil {
			fmt.Fprintf(output, "FAIL: lab: prepare for the virtual machine: %v\n", err)
			return 1
		}
		env = append(env, more...)
	}
	status, err := runDeferred(names, start, env, output)
	if err != nil {
		fmt.Fprintf(output, "FAIL: lab: %v\n", err)
		return 1
	}
	return status
}

// runDeferred runs the named tests and benchmarks in the virtual machine.
func runDeferred(names []string, start time.Time, env []string, output io.Writer) (status int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	ctx := context.Background()
	args := append([]string{self}, passedFlags()...)
	if limit := time.Until(start.Add(timeout())); timeout() > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
		// The machine's own limit applies first and reports what was running.
		args = append(args, fmt.Sprintf("-test.timeout=%v", max(limit-30*time.Second, time.Second)))
	}
	pattern := "^(" + strings.Join(names, "|") + ")$"
	args = append(args, "-test.run="+pattern)
	if b := flag.Lookup("test.bench"); b != nil && b.Value.String() != "" {
		args = append(args, "-test.bench="+pattern)
	}
	args = append(args, flag.Args()...)
	return RunInVM(ctx, &exec.Cmd{Args: args, Env: env, Stdout: output})
}

// passedFlags are the flags of this process that also apply in the machine.
func passedFlags() []string {
	own := []string{
		"test.run", "test.bench", "test.timeout", "test.testlogfile", "test.paniconexit0",
		"test.coverprofile", "test.gocoverdir", "test.outputdir",
	}
	var flags []string
	flag.Visit(func(f *flag.Flag) {
		if slices.Contains(own, f.Name) {
			return
		}
		value := any(f.Value)
		if g, ok := f.Value.(flag.Getter); ok {
			value = g.Get() // test.v has no other way to return its value
		}
		flags = append(flags, fmt.Sprintf("-%s=%v", f.Name, value))
	})
	return flags
}

// timeout is the limit that `go test -timeout` sets; 0 is none.
func timeout() time.Duration {
	if f := flag.Lookup("test.timeout"); f != nil {
		if g, ok := f.Value.(flag.Getter); ok {
			if d, ok := g.Get().(time.Duration); ok {
				return d
			}
		}
	}
	return 0
}
