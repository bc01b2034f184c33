package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestSoakFailover plays failures at random moments for as long as KEEPC_SOAK says: after each of them one director,
// the right one, holds the address.
func TestSoakFailover(t *testing.T) {
	t.Parallel()
	limit := soakTime(t)
	s := newPair(t)
	s.lb02 = s.start(s.LB02, keepc)
	s.lb01 = s.start(s.LB01, keepc)
	holds := func(name string) {
		t.Helper()
		s.eventually(12*time.Second, name+" alone holds the address", func() error { return s.held(name) })
	}
	holds("lb01")
	failures := 0
	for end := time.Now().Add(limit); time.Now().Before(end); failures++ {
		time.Sleep(rand.N(3 * time.Second))
		switch rand.IntN(4) {
		case 0:
			s.LB01.Link("eth0").Down()
			holds("lb02")
			s.LB01.Link("eth0").Up()
		case 1:
			s.lb01.Signal(syscall.SIGTERM)
			_ = s.lb01.Wait(10 * time.Second)
			holds("lb02")
			s.lb01 = s.start(s.LB01, keepc)
		case 2: // a crash leaves the address in place; the next start clears it
			s.lb01.Kill()
			s.firstFrom("10.0.0.6", time.Now(), 10*time.Second)
			s.lb01 = s.start(s.LB01, keepc)
		case 3:
			s.lb01.Signal(syscall.SIGHUP)
		}
		holds("lb01")
	}
	t.Logf("%d failures in %v on kernel %s", failures, limit, lab.Kernel())
}

// soakFile is the file of a director with scripts, a file and a process that are tracked, whose priority and last
// address change with each round.
func soakFile(dir string, priority, round int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global_defs {\n enable_script_security\n script_user root\n}\nvrrp_script good {\n script /bin/true\n interval 1\n}\n"+
		"vrrp_track_file weight {\n file %s\n weight 1\n}\nvrrp_track_process sleeps {\n process sleep\n weight 1\n}\n", filepath.Join(dir, "weight"))
	for i := range 20 {
		fmt.Fprintf(&b, "vrrp_instance VI_%d {\n interface eth0\n virtual_router_id %d\n priority %d\n advert_int 1\n notify /bin/true\n virtual_ipaddress {\n  10.0.1.%d/32\n  10.0.%d.%d/32\n }\n"+
			" track_script {\n  good\n }\n track_file {\n  weight\n }\n track_process {\n  sleeps\n }\n}\n", i+1, i+1, priority+round%5, i+1, i+2, 1+round%250)
	}
	return b.String()
}

// TestSoakGrowth runs a pair of directors for as long as KEEPC_SOAK says, beside everything that touches them without
// moving a role: reloads, questions, followers, scrapes, changes of what is tracked. No instance changes its role, and
// neither goroutines nor descriptors nor memory grow after the first tenth of the time.
func TestSoakGrowth(t *testing.T) {
	t.Parallel()
	limit := soakTime(t)
	n := lab.New(t)
	lan := n.Segment("lan")
	hosts := []*lab.Host{n.Host("lb01", lab.On(lan, "eth0", "10.0.0.5/16")), n.Host("lb02", lab.On(lan, "eth0", "10.0.0.6/16"))}
	write := func(round int) {
		for i, h := range hosts {
			if err := errors.Join(os.WriteFile(filepath.Join(h.Dir(), "keepalived.conf"), []byte(soakFile(h.Dir(), 150-100*i, round)), 0o600),
				os.WriteFile(filepath.Join(h.Dir(), "weight"), fmt.Appendln(nil, round%7), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(0)
	var directors []*lab.Process
	for _, h := range hosts {
		args := keepcArgs(t, "run", "--http", "127.0.0.1:9650", filepath.Join(h.Dir(), "keepalived.conf"))
		directors = append(directors, h.Start(args[0], args[1:]...))
	}
	masters := func() int { return strings.Count(hosts[0].Run("ip", "-o", "address"), "10.0.1.") }
	lab.Eventually(t, 30*time.Second, "lb01 is MASTER of all", func() bool { return masters() == 20 })
	time.Sleep(10 * time.Second)

	samples := [2][]soakSample{}
	ask, follow := keepcArgs(t, "status", "--format", "json"), keepcArgs(t, "status", "--follow")
	round := 1
	for begun := time.Now(); time.Since(begun) < limit; round++ {
		write(round)
		for i, h := range hosts {
			sleeper := h.Start("sleep", "1000")
			follower := h.Start(follow[0], follow[1:]...)
			directors[i].Signal(syscall.SIGHUP)
			time.Sleep(2 * time.Second)
			h.Try(ask[0], ask[1:]...)
			follower.Stop()
			sleeper.Stop()
		}
		time.Sleep(time.Second)
		for i, h := range hosts {
			samples[i] = append(samples[i], sampleOf(t, h))
		}
	}
	if n := masters(); n != 20 {
		t.Errorf("at the end lb01 holds %d of 20 addresses", n)
	}
	for i, h := range hosts {
		early, late := middle(samples[i][len(samples[i])/10:len(samples[i])/5+1]), middle(samples[i][len(samples[i])*9/10:])
		fmt.Printf("%s after %d reloads in %v: goroutines %.0f, then %.0f; descriptors %.0f, then %.0f; memory %.1f MB, then %.1f MB; transitions %.0f, late advertisements %.0f\n", h.Name(), round-1, limit,
			early.goroutines, late.goroutines, early.descriptors, late.descriptors, early.memory/1e6, late.memory/1e6, late.transitions-early.transitions, late.late)
		if late.transitions != samples[i][0].transitions || late.goroutines > early.goroutines+2 || late.descriptors > early.descriptors+2 || late.memory > early.memory*1.2 {
			t.Errorf("%s: %+v became %+v\n%s", h.Name(), early, late, directors[i].Log())
		}
	}
}

// A soakSample is what a director's metrics say: numbers, and bytes of memory.
type soakSample struct{ goroutines, descriptors, memory, transitions, late float64 }

func sampleOf(t *testing.T, h *lab.Host) (s soakSample) {
	t.Helper()
	code, text, err := h.HTTPGet(t.Context(), "http://127.0.0.1:9650/metrics")
	if err != nil || code != 200 {
		t.Fatalf("%s: the metrics: %d, %v", h.Name(), code, err)
	}
	into := map[string]*float64{
		"go_goroutines": &s.goroutines, "process_open_fds": &s.descriptors, "process_resident_memory_bytes": &s.memory,
		"keepc_instance_transitions_total": &s.transitions, "keepc_advertisements_late_total": &s.late,
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		end := strings.LastIndexByte(line, ' ') + 1
		name, _, _ := strings.Cut(strings.TrimSpace(line[:end]), "{")
		if to := into[name]; to != nil {
			value, err := strconv.ParseFloat(line[end:], 64)
			if err != nil {
				t.Fatal(err)
			}
			*to += value
		}
	}
	return s
}

// middle is the median of each number.
func middle(all []soakSample) (m soakSample) {
	for _, of := range []func(*soakSample) *float64{
		func(s *soakSample) *float64 { return &s.goroutines }, func(s *soakSample) *float64 { return &s.descriptors },
		func(s *soakSample) *float64 { return &s.memory }, func(s *soakSample) *float64 { return &s.transitions }, func(s *soakSample) *float64 { return &s.late },
	} {
		var values []float64
		for i := range all {
			values = append(values, *of(&all[i]))
		}
		slices.Sort(values)
		*of(&m) = values[len(values)/2]
	}
	return m
}

// soakTime is how long a test of hours runs.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	limit, err := time.ParseDuration(os.Getenv("KEEPC_SOAK"))
	if err != nil {
		t.Skip("a test of hours: run it with make soak")
	}
	return limit
}
