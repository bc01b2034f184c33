package main

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
	"keepc/runtime/lab/tutorial"
)

// The measurements of this file run with "make bench". They print tables and judge nothing: timing never fails a test.

func needBench(t *testing.T) {
	if os.Getenv("KEEPC_BENCH") == "" {
		t.Skip("a measurement: run it with make bench")
	}
}

// bigConfig is the configuration that both programs check: virtual servers with real servers and a TCP_CHECK each.
func bigConfig(virtual, real int) []byte {
	var b bytes.Buffer
	b.WriteString("global_defs {\n\trouter_id bench\n}\n")
	for i := range virtual {
		fmt.Fprintf(&b, "virtual_server 10.%d.%d.1 80 {\n\tdelay_loop 6\n\tlb_algo wrr\n\tlb_kind DR\n\tprotocol TCP\n", 1+i/250, i%250)
		for j := range real {
			fmt.Fprintf(&b, "\treal_server 192.168.%d.%d 80 {\n\t\tweight 1\n\t\tTCP_CHECK {\n\t\t\tconnect_timeout 3\n\t\t\tretry 3\n\t\t\tdelay_before_retry 3\n\t\t\tconnect_port 80\n\t\t}\n\t}\n", i%250, j+1)
		}
		b.WriteString("}\n")
	}
	return b.Bytes()
}

// A contender is a program whose runs are measured.
type contender struct {
	name string
	args []string
	wall []time.Duration
	peak int64 // KiB
}

// run runs the program once, in a network namespace of its own, and records the cost.
func (p *contender) run(t *testing.T, host *lab.Host) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	var wall time.Duration
	err := host.Do(func() error {
		start := time.Now()
		defer func() { wall = time.Since(start) }()
		return cmd.Run()
	})
	if err != nil {
		t.Fatalf("%s: %v\n%.2000s", p.name, err, out.String())
	}
	p.wall = append(p.wall, wall)
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		t.Fatal(err)
	}
	// The kernel counts what this test has in memory when it starts the program; a program that needs less has no
	// figure.
	if peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss; peak > self.Maxrss {
		p.peak = max(p.peak, peak)
	}
}

// memory formats a peak in MB; "-" if unknown.
func memory(kib float64) string {
	if kib == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f MB", kib/1024)
}

// duel runs two programs alternately, once to warm the page cache and then n times, and prints the cost.
func duel(t *testing.T, what string, runs int, reference, ours *contender) {
	t.Helper()
	host := lab.New(t).Host("lb01")
	both := []*contender{reference, ours}
	for i := range runs + 1 {
		for _, p := range both {
			if p.run(t, host); i == 0 {
				p.wall, p.peak = nil, 0
			}
		}
	}
	fmt.Printf("\n%s, %d runs each, in turn\n%-14s %10s %10s %10s %12s\n", what, runs, "", "min", "median", "max", "peak memory")
	for _, p := range both {
		slices.Sort(p.wall)
		fmt.Printf("%-14s %10v %10v %10v %12s\n", p.name, digits(p.wall[0]), digits(p.wall[runs/2]), digits(p.wall[runs-1]), memory(float64(p.peak)))
	}
	fmt.Printf("ratio          %9.2fx %9.2fx %9.2fx", ratio(ours.wall[0], reference.wall[0]), ratio(ours.wall[runs/2], reference.wall[runs/2]), ratio(ours.wall[runs-1], reference.wall[runs-1]))
	if ours.peak > 0 && reference.peak > 0 {
		fmt.Printf(" %11.2fx", ratio(ours.peak, reference.peak))
	}
	fmt.Println()
}

// config writes a configuration of a number of real servers and returns its name and size.
func config(t *testing.T, virtual, real int) (file string, size int) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "bench.conf")
	text := bigConfig(virtual, real)
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file, len(text)
}

// TestBenchCheck compares "keepc check" with "keepalived -t": a large file, and start to exit with a small one. For
// the large file keepc should need a third of the time and at most 2.5 times the memory; for the small one less than
// 20 ms, and not more than keepalived.
func TestBenchCheck(t *testing.T) {
	needBench(t)
	lab.NeedPrograms(t, "keepalived")
	for _, c := range []struct {
		what          string
		virtual, real int
		runs          int
	}{
		{"check of 1,000 virtual servers x 50 real servers with TCP_CHECK, %.1f MB", 1000, 50, 9},
		{"check of a file of 100 lines, from start to exit, %.4f MB", 1, 10, 201},
	} {
		file, size := config(t, c.virtual, c.real)
		duel(t, fmt.Sprintf(c.what, float64(size)/1e6), c.runs,
			&contender{name: "keepalived -t", args: []string{"keepalived", "-t", "-f", file}},
			&contender{name: "keepc check", args: keepcArgs(t, "check", file)})
	}
}

// TestBenchGrowth checks files of 1, 8 and 64 MB: time and memory per megabyte should stay the same.
func TestBenchGrowth(t *testing.T) {
	needBench(t)
	lab.NeedPrograms(t, "keepalived")
	host := lab.New(t).Host("lb01")
	const runs = 3
	fmt.Printf("\ngrowth, best of %d\n%-14s %10s %10s %14s %14s\n", runs, "", "size", "time", "time for 1 MB", "peak for 1 MB")
	for _, virtual := range []int{140, 1120, 8960} {
		file, size := config(t, virtual, 50)
		mb := float64(size) / 1e6
		for _, p := range []*contender{
			{name: "keepalived -t", args: []string{"keepalived", "-t", "-f", file}},
			{name: "keepc check", args: keepcArgs(t, "check", file)},
		} {
			for range runs {
				p.run(t, host)
			}
			best := slices.Min(p.wall)
			fmt.Printf("%-14s %7.1f MB %10v %14v %14s\n", p.name, mb, digits(best), digits(time.Duration(float64(best)/mb)), memory(float64(p.peak)/mb))
		}
	}
}

// TestBenchMany checks 10,000 files of 100 lines: keepc in one call on all processors, keepalived in a shell loop,
// which should take at least ten times as long. The loop has a tenth of the files, and the result is scaled up.
func TestBenchMany(t *testing.T) {
	needBench(t)
	lab.NeedPrograms(t, "keepalived")
	host := lab.New(t).Host("lb01")
	dir := t.TempDir()
	const files, looped = 10_000, 1000
	text := bigConfig(1, 10)
	args := keepcArgs(t, "check")
	for i := range files {
		name := filepath.Join(dir, fmt.Sprintf("%05d.conf", i))
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	ours := &contender{name: "keepc check", args: args}
	loop := &contender{name: "keepalived -t", args: []string{"sh", "-c", fmt.Sprintf("for f in %s/0[0-%d]*.conf; do keepalived -t -f $f; done", dir, looped*10/files-1)}}
	for range 3 {
		ours.run(t, host)
	}
	loop.run(t, host)
	all := loop.wall[0] * (files / looped)
	best := slices.Min(ours.wall)
	fmt.Printf("\n%d files of %d lines\n", files, bytes.Count(text, []byte("\n")))
	fmt.Printf("%-14s %10v  in a loop (measured: %d files in %v)\n", loop.name, digits(all), looped, digits(loop.wall[0]))
	fmt.Printf("%-14s %10v  in one call on %d processors, best of 3; peak memory %s\n", ours.name, digits(best), runtime.GOMAXPROCS(0), memory(float64(ours.peak)))
	fmt.Printf("ratio          %9.1fx\n", ratio(all, best))
}

func ratio[T ~int64](a, b T) float64 { return float64(a) / float64(b) }

// digits rounds a time to about three digits.
func digits(d time.Duration) time.Duration {
	if d < 100*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// TestBenchTakeover measures, for a pair of keepc and a pair of keepalived side by side, how long lb02 needs after
// lb01 lost its link, and after lb01 was stopped.
func TestBenchTakeover(t *testing.T) {
	needBench(t)
	lab.NeedPrograms(t, "keepalived")
	const times = 20
	results := map[program]*takeovers{}
	var wg sync.WaitGroup
	for _, p := range []program{keepc, keepalived} {
		r := &takeovers{stage: newPair(t), program: p}
		results[p] = r
		wg.Go(func() { r.run(times) })
	}
	wg.Wait()
	fmt.Printf("\ntakeover by lb02 (priority 50, interval 1s), %d times each, both pairs side by side, kernel %s\n", times, lab.Kernel())
	fmt.Printf("%-44s %-11s %8s %8s %8s\n", "", "", "min", "median", "max")
	for _, m := range []struct {
		what, formula string
		of            func(*takeovers) []time.Duration
	}{
		{"last advertisement of lb01 to first of lb02", "3s + skew = " + ms(down).String(), func(r *takeovers) []time.Duration { return r.silence }},
		{"link loss of lb01 to first of lb02", "at most " + ms(down).String(), func(r *takeovers) []time.Duration { return r.cut }},
		{"link loss of lb01 to gratuitous ARP of lb02", "", func(r *takeovers) []time.Duration { return r.arp }},
		{"farewell of lb01 to first of lb02", "skew = " + ms(skew).String(), func(r *takeovers) []time.Duration { return r.stop }},
		{"SIGTERM of lb01 to first of lb02", "", func(r *takeovers) []time.Duration { return r.term }},
	} {
		for _, p := range []program{keepalived, keepc} {
			d := slices.Sorted(slices.Values(m.of(results[p])))
			if len(d) == 0 {
				fmt.Printf("%-44s %-11s no result\n", m.what, p)
				continue
			}
			fmt.Printf("%-44s %-11s %8v %8v %8v\n", m.what, p, ms(d[0]), ms(d[len(d)/2]), ms(d[len(d)-1]))
		}
		if m.formula != "" {
			fmt.Printf("%-44s %-11s %s\n", "", "formula", m.formula)
		}
	}
}

// takeovers is one pair with its measurements.
type takeovers struct {
	*stage
	program                       program
	silence, cut, arp, stop, term []time.Duration
}

// newPair makes a stage for VRRP only, which needs no ip_vs.
func newPair(t *testing.T) *stage {
	s := &stage{Cluster: tutorial.New(lab.New(t)), t: t, web: map[string]*lab.Process{}}
	s.wire = s.Second.Capture("eth0")
	return s
}

func (r *takeovers) run(times int) {
	r.lb02 = r.start(r.LB02, r.program)
	r.lb01 = r.start(r.LB01, r.program)
	for range times {
		if !r.wait("10.0.0.5", time.Now(), 15*time.Second) {
			return
		}
		time.Sleep(interval + time.Duration(len(r.cut))*interval/20) // cuts at every phase of the interval
		cut := time.Now()
		last := r.last("10.0.0.5")
		r.LB01.Link("eth0").Down()
		if !r.wait("10.0.0.6", cut, 10*time.Second) {
			return
		}
		first := r.first("10.0.0.6", cut)
		time.Sleep(100 * time.Millisecond)
		r.silence = append(r.silence, first.Sub(last))
		r.cut = append(r.cut, first.Sub(cut))
		if at, ok := r.firstARP(r.LB02, cut); ok {
			r.arp = append(r.arp, at.Sub(cut))
		}
		healed := time.Now()
		r.LB01.Link("eth0").Up()
		if !r.wait("10.0.0.5", healed, 15*time.Second) {
			return
		}
		time.Sleep(2 * interval)
		stopped := time.Now()
		r.lb01.Signal(syscall.SIGTERM)
		if !r.wait("10.0.0.6", stopped, 10*time.Second) {
			return
		}
		first = r.first("10.0.0.6", stopped)
		r.term = append(r.term, first.Sub(stopped))
		for _, a := range r.adverts(stopped) {
			if a.priority == 0 {
				r.stop = append(r.stop, first.Sub(a.at))
				break
			}
		}
		_ = r.lb01.Wait(10 * time.Second)
		r.lb01 = r.start(r.LB01, r.program)
	}
}

// wait waits for an advertisement of a director after a time.
func (r *takeovers) wait(from string, since time.Time, limit time.Duration) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if !r.first(from, since).IsZero() {
			return true
		}
	}
	r.t.Errorf("%s: no advertisement of %s within %v", r.program, from, limit)
	return false
}

func (r *takeovers) first(from string, since time.Time) time.Time {
	for _, a := range r.adverts(since) {
		if a.from == netip.MustParseAddr(from) && a.priority > 0 {
			return a.at
		}
	}
	return time.Time{}
}

func (r *takeovers) last(from string) time.Time {
	all := slices.DeleteFunc(r.adverts(time.Time{}), func(a advert) bool { return a.from != netip.MustParseAddr(from) })
	if len(all) == 0 {
		return time.Time{}
	}
	return slices.MaxFunc(all, func(a, b advert) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) }).at
}
