package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestSameTable holds that keepc leaves the kernel as keepalived 2.2.7 does for the same file, at rest and after a stop: virtual and real
// servers, timeouts, sync daemons and addresses. The files are those of testdata/table; with KEEPC_INTEROP=1 those of the corpus with
// virtual servers and without checks that fail, too.
func TestSameTable(t *testing.T) {
	lab.NeedPrograms(t, "keepalived", "ipvsadm", "ip")
	lab.NeedIPVS(t)
	files, err := filepath.Glob("../../testdata/table/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	if os.Getenv("KEEPC_INTEROP") != "" {
		for _, f := range dumpFiles(t) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			// What is checked is down here for both, but at other moments, and scripts are others' business.
			if strings.Contains(f, "corpus") && !strings.Contains(string(text), "_CHECK") && !strings.Contains(string(text), "_GET") && !strings.Contains(string(text), "notify") {
				files = append(files, f)
			}
		}
	}
	net, work := lab.New(t), make(chan func())
	var hands sync.WaitGroup
	for range 4 {
		hands.Go(func() {
			for f := range work {
				f()
			}
		})
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".conf")
		a := net.Host("ka-"+name, lab.On(net.Segment("a-"+name), "eth0", "10.0.0.1/24"))
		b := net.Host("kc-"+name, lab.On(net.Segment("b-"+name), "eth0", "10.0.0.1/24"))
		work <- func() { sameTable(t, file, a, b) }
	}
	close(work)
	hands.Wait()
	t.Logf("%d files compared", len(files))
}

// sameTable runs a file under keepalived on one host, and under keepc on the other.
func sameTable(t *testing.T, file string, a, b *lab.Host) {
	file = absolute(t, file)
	want := programs(t, a, file, "keepalived", "-n", "-l", "-f", file, "-p", filepath.Join(a.Dir(), "p"), "-r", filepath.Join(a.Dir(), "r"),
		"-c", filepath.Join(a.Dir(), "c"), "-b", filepath.Join(a.Dir(), "b"))
	got := programs(t, b, file, keepcArgs(t, "run", file)...)
	for i, when := range []string{"at rest", "after the stop"} {
		for _, line := range got[i] {
			if !slices.Contains(want[i], line) {
				t.Errorf("%s, %s: keepc alone has %q", filepath.Base(file), when, line)
			}
		}
		for _, line := range want[i] {
			if !slices.Contains(got[i], line) {
				t.Errorf("%s, %s: keepalived alone has %q", filepath.Base(file), when, line)
			}
		}
	}
	t.Logf("%s: %d lines are equal", filepath.Base(file), len(want[0]))
}

// programs runs a program, waits until the kernel stays as it is, stops the program, and returns both states.
func programs(t *testing.T, h *lab.Host, file string, args ...string) (states [2][]string) {
	h.Run("ip", "link", "set", "lo", "up")
	p := h.Start(args[0], args[1:]...)
	text, last, since := "", "", time.Now()
	lab.Eventually(t, time.Minute, "the state of "+filepath.Base(file)+" to rest", func() bool {
		if text = strings.Join(kernelState(h), "\n"); text != last {
			last, since = text, time.Now()
		}
		time.Sleep(200 * time.Millisecond)
		return time.Since(since) > 6*time.Second && strings.Contains(text, "-A ")
	})
	states[0] = strings.Split(text, "\n")
	p.Signal(syscall.SIGTERM)
	if err := p.Wait(30 * time.Second); err != nil && !strings.Contains(err.Error(), "exit status") {
		t.Errorf("%s: %s: %v", filepath.Base(file), args[0], err)
	}
	time.Sleep(time.Second) // scripts of the stop
	states[1] = kernelState(h)
	return states
}

// kernelState is what ipvsadm and ip tell, in order.
func kernelState(h *lab.Host) (lines []string) {
	for _, args := range [][]string{{"ipvsadm", "-Sn"}, {"ipvsadm", "-Ln", "--thresholds"}, {"ipvsadm", "-L", "--timeout"}, {"ipvsadm", "-L", "--daemon"}, {"ip", "-o", "addr"}} {
		for line := range strings.Lines(h.Run(args[0], args[1:]...)) {
			f := strings.Fields(line)
			if args[0] == "ip" {
				if strings.HasPrefix(f[3], "fe80:") {
					continue
				}
				f = f[1:min(len(f), 9)]
			}
			lines = append(lines, strings.Join(f, " "))
		}
	}
	slices.Sort(lines)
	return lines
}
