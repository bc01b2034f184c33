package lab

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// deferEnv names the file in which NeedIPVS leaves the names of tests for the
// virtual machine. Main sets it, and reads the file.
const deferEnv = "KEEPC_DEFERRED_TESTS"

// NeedIPVS is the first line of a test or benchmark that needs a kernel with
// ip_vs. Where the kernel has none, the test is skipped, and the TestMain of
// its package, with [Main], runs it in a virtual machine afterwards. Where
// that is not to be had either, it is skipped, and fails if CI=true.
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
	f, err := os.OpenFile(list, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err == nil {
		name, _, _ := strings.Cut(t.Name(), "/")
		_, err = fmt.Fprintln(f, name)
		_ = f.Close()
	}
	if err != nil {
		t.Fatalf("lab: note the test for the virtual machine: %v", err)
	}
	t.Skipf("kernel %s has no ip_vs: runs in the virtual machine, below", Kernel())
}

// A Suite is a test binary's run, with a second part in a virtual machine for
// what needs one.
type Suite struct{ m interface{ Run() int } }

// Main wraps the m of a TestMain. Use it as
//
//	func TestMain(m *testing.M) { os.Exit(lab.Main(m).Run()) }
//
// or, for packages that check for leaks, as
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(lab.Main(m)) }
func Main(m interface{ Run() int }) Suite { return Suite{m} }

// Run runs the tests here, then those that NeedIPVS has put aside, and
// returns the exit status of both. The output of the second part is the plain
// output of the same binary, so that everything that reads the output of
// tests reads it as well.
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
	status := s.m.Run()
	text, err := os.ReadFile(list)
	if err != nil {
		return status // nothing was put aside
	}
	names := strings.Fields(string(text))
	slices.Sort(names)
	status2, err := runDeferred(slices.Compact(names), start)
	if err != nil {
		fmt.Printf("FAIL: lab: %v\n", err)
		return 1
	}
	return max(status, status2)
}

// runDeferred runs the named tests and benchmarks in the virtual machine.
func runDeferred(names []string, start time.Time) (status int, err error) {
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
		// The machine's own limit strikes first and tells who was running.
		args = append(args, fmt.Sprintf("-test.timeout=%v", max(limit-30*time.Second, time.Second)))
	}
	pattern := "^(" + strings.Join(names, "|") + ")$"
	args = append(args, "-test.run="+pattern)
	if b := flag.Lookup("test.bench"); b != nil && b.Value.String() != "" {
		args = append(args, "-test.bench="+pattern)
	}
	args = append(args, flag.Args()...)
	return RunInVM(ctx, &exec.Cmd{Args: args, Stdout: os.Stdout})
}

// passedFlags are the flags of this process that hold in the machine as well.
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
			value = g.Get() // test.v tells its value in no other way
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
