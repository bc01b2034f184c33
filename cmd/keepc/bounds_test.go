package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A hostile is a kind of text that was written, or could be, to exhaust the memory or time of a check. It has about
// the given number of bytes.
type hostile struct {
	name  string
	text  func(bytes int) string
	fix   bool // it is repaired
	slow  bool // it takes long, but does not grow faster than the text
	peers bool // it is compared with itself; not measured at 10 MiB, for that is two files
}

// hostiles are the kinds; each of them once took quadratic time or memory, or multiplies its own text.
func hostiles() []hostile {
	again := func(text string) func(int) string {
		return func(n int) string { return strings.Repeat(text, n/len(text)) }
	}
	numbered := func(form string) func(int) string {
		return func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				b.WriteString(strings.ReplaceAll(strings.ReplaceAll(form, "ADDR", fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)), "N", fmt.Sprint(i)))
			}
			return b.String()
		}
	}
	inside := func(head string, text func(int) string, tail string) func(int) string {
		return func(n int) string { return head + text(n-len(head)-len(tail)) + tail }
	}
	return []hostile{
		{name: "statements", text: again("a\n")},
		{name: "one long line", text: again("a ")},
		{name: "blocks", text: again("a {\nb {\n}\n}\n")},
		{name: "braces without partners", text: again("a {\n}}\n")},
		{name: "quotes", text: again("\"a\n")},
		{name: "comments", text: again("#\n")},
		{name: "backslashes", text: again("\\\n")},
		{name: "ids", text: numbered("@idN a\n")},
		{name: "definitions for ids", text: numbered("@idN $XN=1\n")},
		{name: "references without an end", text: again("${")},
		{name: "references to nothing", text: numbered("a ${XN}\n")},
		{name: "definitions without a $ that refer to each other", text: numbered("AN=${BN}\nBN=${AN}\n")},
		{name: "quotes alone", text: again("\"\n")},
		{name: "templates on one line", text: inside("router_id "+strings.Repeat("{{a}} ", 1300), again("a"), "\n")},
		{name: "references on one line", text: inside("a ", numbered("${XN} "), "\n")},
		{name: "references and misspelt words", text: inside("vrrp_instance a {\n", numbered("priority ${XN}\nprioriti N\n"), "}\n")},
		{name: "uses of a definition", text: inside("$X=a b c d\n", again("$X\n"), ""), slow: true},
		{name: "lines of a definition", text: inside("$X=\\\n", again("a\\\n"), "\n$X\n")},
		{name: "sequences", text: again("~SEQ(i,9) a$i\n")},
		{name: "comments that silence", text: again("priority 1 # keepc: ignore value-range x\n")},
		{name: "comments that silence what follows", text: again("# keepc: ignore value-range x\n")},
		{name: "comments that silence all", text: inside("vrrp_instance a {\npriority 300\n}\n", again("# keepc: ignore-file value-range x\n"), "")},
		{name: "includes of braces", text: again("include {a,b}{a,b}{a,b}{a,b}*\n")},
		{name: "one include of braces", text: inside("include {", again(","), "}\n")},
		{name: "includes of nothing", text: numbered("include xN\n")},
		{name: "misspelt words", text: inside("vrrp_instance a {\n", numbered("pririty N\n"), "}\n"), fix: true, slow: true},
		{name: "unknown blocks", text: again("vrrp_instanc x {\nprioriti 3\n}\n"), fix: true},
		{name: "instances", text: numbered("vrrp_instance aN {\ninterface eN\nvirtual_router_id 1\nuse_vmac vN\nvirtual_ipaddress {\nADDR/24\n}\n}\n")},
		{name: "empty instances", text: numbered("vrrp_instance aN {\n}\n")},
		{name: "addresses", text: inside("vrrp_instance a {\nvirtual_ipaddress {\n", numbered("ADDR\n"), "}\n}\n")},
		{name: "trackers of nothing", text: inside("vrrp_instance a {\ntrack_script {\n", numbered("sN\n"), "}\n}\n")},
		{name: "members of a group", text: inside("vrrp_sync_group g {\ngroup {\n", numbered("aN\n"), "}\n}\n")},
		{name: "real servers", text: inside("virtual_server 10.0.0.1 80 {\n", numbered("real_server ADDR 80 {\n}\n"), "}\n")},
		{name: "checks", text: inside("virtual_server 10.0.0.1 80 {\nreal_server 10.0.0.1 80 {\n", again("TCP_CHECK {\n}\n"), "}\n}\n")},
		{name: "peers with comments that silence", peers: true, text: numbered("vrrp_instance aN {\ninterface eN\nvirtual_router_id 1\n" +
			"priority 100 # keepc: ignore equal-priority lab\nvirtual_ipaddress {\nADDR/24\n}\n}\n")},
		{name: "routes", text: inside("static_routes {\n", numbered("ADDR via 10.0.0.1 dev eth0\n"), "}\n")},
		{name: "tunnels", text: inside("static_routes {\n", numbered("ADDR nexthop via 10.0.0.1 dev eth0"+strings.Repeat(" encap ip", 900)+"\n"), "}\n")},
	}
}

// hostileFile is the size of a file that anybody may send.
const hostileFile = 10 << 20

// shipped returns the program as people get it, built once.
func shipped(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"KEEPC_BIN", builtHere} {
		if bin := os.Getenv(name); bin != "" {
			return bin
		}
	}
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

var (
	build      = sync.OnceValues(func() (string, error) { return buildWith("keepc", "CGO_ENABLED=0") })
	buildRaced = sync.OnceValues(func() (string, error) { return buildWith("raced/keepc", "CGO_ENABLED=1", "-race") })

	// built is the directory of what was built, which TestMain removes.
	built     string
	makeBuilt = sync.OnceValue(func() (err error) { built, err = os.MkdirTemp("", "keepc-"); return err })
)

// buildWith builds keepc with a setting of the environment and flags, and returns its path.
func buildWith(name, setting string, flags ...string) (string, error) {
	if err := makeBuilt(); err != nil {
		return "", err
	}
	bin := filepath.Join(built, name)
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", bin}, flags, []string{"."})...)
	cmd.Env = append(os.Environ(), setting)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build keepc: %w\n%s", err, out)
	}
	return bin, nil
}

// check runs the program on a text of that size and checks the limits. met: a limit of keepc must be reported. It
// returns the cost.
func (h hostile) check(t *testing.T, program string, met bool) (memory int64, computed time.Duration) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hostile.conf")
	text := h.text(hostileFile - 1024)
	if err := os.WriteFile(file, []byte(text[:min(len(text), hostileFile)]), 0o644); err != nil {
		t.Fatal(err)
	}
	out, memory, computed := within256(t, exec.Command(program, "check", "--format", "short", file))
	if n := strings.Count(out, "[limit-met]"); met && n != 1 || n > 1 {
		t.Errorf("%d findings about a limit: %.500s", n, out)
	}
	return memory, computed
}

// within256 runs a program with limits of 256 MiB of memory and 10 s of CPU time, and returns its output and cost.
func within256(t *testing.T, cmd *exec.Cmd) (said string, memory int64, computed time.Duration) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it has findings
	}()
	memory = peak(cmd.Process.Pid, ended)
	computed = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if memory > 256<<20 {
		t.Errorf("it takes %d MiB", memory>>20)
	}
	if computed > 10*time.Second {
		t.Errorf("it takes %v", computed)
	}
	return out.String(), memory, computed
}

// TestBounds checks that no file of 10 MiB takes more than 256 MiB of memory and 10 s of CPU time, and that a finding
// says so when a limit was reached. The other kinds are measured by make bench.
func TestBounds(t *testing.T) {
	t.Parallel()
	program := shipped(t)
	limited := map[string]bool{"statements": true, "uses of a definition": true, "empty instances": true, "addresses": true}
	for _, h := range hostiles() {
		if limited[h.name] {
			t.Run(h.name, func(t *testing.T) { h.check(t, program, true) })
		}
	}
}

func megabytes(n int64) string { return memory(float64(n) / 1024) }

// TestBenchBounds measures all kinds.
func TestBenchBounds(t *testing.T) {
	needBench(t)
	program := shipped(t)
	fmt.Printf("\nwhat keepc check needs for 10 MiB of\n")
	for _, h := range slices.DeleteFunc(hostiles(), func(h hostile) bool { return h.peers }) {
		peak, computed := h.check(t, program, false)
		fmt.Printf("%-40s %10s %10v\n", h.name, megabytes(peak), digits(computed))
	}
}

// cost runs keepc and returns the memory that it allocates and the CPU time of this process.
func cost(t *testing.T, args ...string) (memory uint64, computed time.Duration) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := computing(t)
	app := App{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: t.TempDir()}
	if code := app.Main(args); code == exitUsage || code == exitFailed {
		t.Fatalf("%v: exit code %d", args, code)
	}
	computed = computing(t) - start
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, computed
}

// computing returns the CPU time of this process so far.
func computing(t *testing.T) time.Duration {
	t.Helper()
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		t.Fatal(err)
	}
	return time.Duration(self.Utime.Nano() + self.Stime.Nano())
}

// TestGrowth checks that a text of four times the size takes about four times the memory and work. Other work of the
// machine does not count, because the least of several measurements is used: a quadratic algorithm takes sixteen times
// as long in each of them.
func TestGrowth(t *testing.T) {
	const factor, most, tries = 4, 9, 4
	const noise = 400 * time.Millisecond // indistinguishable from work
	for _, h := range hostiles() {
		t.Run(h.name, func(t *testing.T) {
			run := func(bytes int) (uint64, time.Duration) {
				file := filepath.Join(t.TempDir(), "hostile.conf")
				if err := os.WriteFile(file, []byte(h.text(bytes)), 0o644); err != nil {
					t.Fatal(err)
				}
				args := []string{"check", file}
				switch {
				case h.fix:
					args = []string{"check", "--diff", file}
				case h.peers:
					args = []string{"check", "--peers", file, file}
				}
				return cost(t, args...)
			}
			size := 64 << 10
			if h.slow {
				size = 16 << 10
			}
			memory, work := run(size)
			for range tries {
				more, longer := run(factor * size)
				if more < most*max(memory, 4<<20) && longer < most*work+noise {
					return
				}
				again, least := run(size)
				memory, work = min(memory, again), min(work, least)
				t.Logf("%d times the text takes %d times the memory (%d MB) and %v instead of %v", factor, more/max(memory, 1), more>>20, longer, work)
			}
			t.Error("it grows faster than the text")
		})
	}
}

// peak watches how much memory a program has until it ends. The kernel's figure at its end does not help: it includes
// the memory of this test, which started it.
func peak(pid int, ended <-chan struct{}) (bytes int64) {
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for {
		if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
			if _, rest, found := strings.Cut(string(status), "VmHWM:"); found {
				var kib int64
				if _, err := fmt.Sscan(rest, &kib); err == nil {
					bytes = max(bytes, kib<<10)
				}
			}
		}
		select {
		case <-ended:
			return bytes
		case <-look.C:
		}
	}
}
