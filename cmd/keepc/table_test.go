package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/lab"
)

// tablesAlways are the files that every run compares: each takes minutes in the virtual machine.
var tablesAlways = []string{"backup.conf", "both.conf", "roles.conf", "services.conf"}

// needInterop skips what takes minutes in the virtual machine.
func needInterop(t *testing.T) {
	t.Helper()
	if os.Getenv("KEEPC_INTEROP") == "" {
		t.Skip("takes minutes: make interop runs it")
	}
}

// TestSameTable checks that keepc makes the kernel state that keepalived 2.2.7 makes for the same file: virtual and
// real servers, thresholds, timeouts, sync daemons, addresses, routes and rules, with all servers up, with one of each
// service down, with all down, with all back, and after a stop. The files are some of testdata/table; with
// KEEPC_INTEROP=1 all of them and those of the corpus with virtual servers, too, or those whose names match
// a pattern of KEEPC_TABLE; with KEEPC_PART=2/10 the second of ten parts of them, because all take hours in an emulated machine.
//
// It runs alone: its directors remove everything within 5 s of their stop, as keepalived has to, and other tests
// beside it slow an emulated machine down too much.
func TestSameTable(t *testing.T) {
	lab.NeedPrograms(t, "keepalived", "ipvsadm", "ip")
	lab.NeedIPVS(t)
	files, err := filepath.Glob("../../testdata/table/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	switch {
	case os.Getenv("KEEPC_INTEROP") != "":
		files = append(files, tableCorpus(t)...)
	case os.Getenv("KEEPC_TABLE") == "":
		files = slices.DeleteFunc(files, func(f string) bool { return !slices.Contains(tablesAlways, filepath.Base(f)) })
	}
	if patterns := os.Getenv("KEEPC_TABLE"); patterns != "" {
		files = slices.DeleteFunc(files, func(f string) bool {
			return !slices.ContainsFunc(strings.Fields(patterns), func(p string) bool {
				ok, err := filepath.Match(p, filepath.Base(f))
				return err == nil && ok
			})
		})
	}
	files = partOf(t, files)
	run := &tableRun{T: t, unequal: map[string]bool{}}
	run.meant = append(run.meant, tableDifferences(t)...)
	net, work := lab.New(t), make(chan func())
	var hands sync.WaitGroup
	for range 8 {
		hands.Go(func() {
			for f := range work {
				f()
			}
		})
	}
	for i, file := range files {
		a := net.Host(fmt.Sprintf("ka%d", i), lab.On(net.Segment(fmt.Sprintf("a%d", i)), "eth0", "10.0.0.1/24"))
		b := net.Host(fmt.Sprintf("kc%d", i), lab.On(net.Segment(fmt.Sprintf("b%d", i)), "eth0", "10.0.0.1/24"))
		for _, h := range []*lab.Host{a, b} {
			for _, args := range [][]string{{"ip", "link", "set", "lo", "up"}, {"ipvsadm", "-A", "-t", "10.99.0.1:80", "-s", "rr"}} { // foreign objects
				if _, err := tell(h, args[0], args[1:]...); err != nil {
					t.Fatal(err)
				}
			}
		}
		work <- func() { run.compare(file, a, b) }
	}
	close(work)
	hands.Wait()
	for _, m := range run.meant {
		if !m.used && slices.ContainsFunc(files, func(f string) bool { return filepath.Base(f) == m.file }) {
			t.Errorf("%s, %q: listed as a difference and is none", m.file, m.line)
		}
	}
	t.Logf("%d/%d files are equal, in %d states with %d lines; keepalived does not run with %d more", run.files-len(run.unequal), run.files, run.states, run.lines, run.idle)
}

// partOf returns every nth file, from the kth on, if KEEPC_PART is k/n, and all of them without it.
func partOf(t *testing.T, files []string) (part []string) {
	text := os.Getenv("KEEPC_PART")
	if text == "" {
		return files
	}
	var k, n int
	if _, err := fmt.Sscanf(text, "%d/%d", &k, &n); err != nil || k < 1 || k > n {
		t.Fatalf("KEEPC_PART=%s: want a part of the files, as 2/10", text)
	}
	for i := k - 1; i < len(files); i += n {
		part = append(part, files[i])
	}
	return part
}

// tableCorpus lists the files of the corpus that have virtual servers, except for those with very many.
func tableCorpus(t *testing.T) (files []string) {
	all, err := filepath.Glob(filepath.Join(sharedCorpus, "files", "*"))
	if err != nil || len(all) == 0 {
		t.Log("the corpus is not here: only the project's own files are compared")
	}
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(slices.Concat(inLab(string(text)).services...)); n > 0 && n <= 24 {
			files = append(files, name)
		}
	}
	return files
}

// A tableDifference is a deliberate difference: in the lines of a file with this beginning.
type tableDifference struct {
	file, line string
	used       bool
}

// tableDifferences reads testdata/reference/table.txt: a file, the beginning of the lines, and the reason, separated
// by tabs.
func tableDifferences(t *testing.T) (all []*tableDifference) {
	text, err := os.ReadFile("../../testdata/reference/table.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 && !strings.HasPrefix(line, "#") {
			all = append(all, &tableDifference{file: f[0], line: f[1]})
		}
	}
	return all
}

// A tableRun compares files.
type tableRun struct {
	*testing.T
	mu                         sync.Mutex
	meant                      []*tableDifference
	files, states, lines, idle int
	unequal                    map[string]bool // files with a difference that is not intended
}

// compare runs a file under keepalived on one host and under keepc on the other, side by side.
func (r *tableRun) compare(name string, a, b *lab.Host) {
	text, err := os.ReadFile(name)
	if err != nil {
		r.Error(err)
		return
	}
	f, file := inLab(string(text)), filepath.Base(name)
	conf := filepath.Join(a.Dir(), "keepalived.conf")
	if err := os.WriteFile(conf, []byte(f.text), 0o600); err != nil {
		r.Error(err)
		return
	}
	doors := []*doorman{{host: a}, {host: b}}
	for _, d := range doors {
		defer d.keep(nil)
		if err := d.keep(slices.Concat(f.services...)); err != nil {
			r.Errorf("%s: %v", file, err)
			return
		}
	}
	args := keepcArgs(r.T, "run", conf)
	programs := []*lab.Process{a.Start("keepalived", lab.KeepalivedFlags(a.Dir(), conf)...), b.Start(args[0], args[1:]...)}

	var rest []int // all but the first of each service
	for _, s := range f.services {
		rest = append(rest, s[min(1, len(s)):]...)
	}
	states := []struct {
		name string
		open []int
	}{{"all up", slices.Concat(f.services...)}, {"one down", rest}, {"all down", nil}, {"all back", slices.Concat(f.services...)}}
	if len(states[0].open) == 0 {
		states = states[:1]
	}
	for i, s := range states {
		least := 4 * time.Second
		if i == 0 {
			least = 8 * time.Second // instances become MASTER
		}
		for _, d := range doors {
			if err := d.keep(s.open); err != nil {
				r.Errorf("%s: %v", file, err)
				return
			}
		}
		if i == 0 {
			begun(a, b, programs)
		}
		have := sameAgain(a, b, least)
		if i == 0 {
			have[0], have[1] = append(have[0], hashOrder(have[0])...), append(have[1], hashOrder(have[1])...)
		}
		r.judge(file, s.name, have)
		select {
		case <-programs[0].Done():
			r.mu.Lock()
			r.idle++
			r.mu.Unlock()
			r.Logf("%s: keepalived does not run with it", file)
			return
		default:
		}
	}
	for _, h := range []*lab.Host{a, b} {
		if _, err := tell(h, "ipvsadm", "-A", "-t", "10.99.0.2:80", "-s", "rr"); err != nil {
			r.Error(err)
		}
	}
	for i, p := range programs {
		if i == 1 && strings.Contains(p.Log(), "there is nothing to enforce") {
			continue // it has ended; keepalived runs and does nothing
		}
		p.Signal(syscall.SIGTERM)
		if err := p.Wait(30 * time.Second); err != nil && !strings.Contains(err.Error(), "exit status") {
			r.Errorf("%s: %v", file, err)
		}
	}
	r.judge(file, "after the stop", sameAgain(a, b, time.Second))
	r.Logf("%s: compared", file)
	r.mu.Lock()
	r.files++
	r.mu.Unlock()
}

// judge compares two kernels, that of keepalived first.
func (r *tableRun) judge(file, when string, have [2][]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	meant := func(line string) bool {
		for _, m := range r.meant {
			if m.file == file && strings.HasPrefix(line, m.line) {
				m.used = true
				return true
			}
		}
		return false
	}
	r.states++
	r.lines += len(have[0])
	for i, who := range []string{"keepalived", "keepc"} {
		for _, line := range have[i] {
			// When keepalived stops, it gives scripts a second; on a busy machine the script that removes the address
			// does not run in that time.
			if who == "keepalived" && when == "after the stop" && strings.HasPrefix(line, "address 10.9.9.9/32 dev lo ") {
				r.Logf("%s, %s: keepalived did not come to its script: %q", file, when, line)
				continue
			}
			if !slices.Contains(have[1-i], line) && !meant(line) {
				r.unequal[file] = true
				r.Errorf("%s, %s: %s alone has %q", file, when, who, line)
			}
		}
	}
}

// sameAgain waits until both kernels are equal, or both stable, and returns their state. By then a program has checked
// each server.
func sameAgain(a, b *lab.Host, least time.Duration) (have [2][]string) {
	most, rest := lab.Patience(5*time.Second), lab.Patience(1200*time.Millisecond)
	time.Sleep(least)
	last, since, alike := "", time.Now(), 0
	for began := time.Now(); time.Since(began) < most; time.Sleep(500 * time.Millisecond) {
		one, other := strings.Join(kernelObjects(a), "\n"), strings.Join(kernelObjects(b), "\n")
		if one == other {
			if alike++; alike > 1 {
				break
			}
		} else {
			alike = 0
		}
		if text := one + other; text != last {
			last, since = text, time.Now()
		}
		if time.Since(since) > rest {
			break
		}
	}
	return [2][]string{kernelState(a), kernelState(b)}
}

// begun waits until both programs have made virtual servers, or one has ended: a busy emulated machine starts them
// slowly.
func begun(a, b *lab.Host, programs []*lab.Process) {
	made := func(h *lab.Host) bool {
		return slices.ContainsFunc(kernelObjects(h), func(line string) bool {
			return strings.HasPrefix(line, "service ") && !strings.Contains(line, " 10.99.0.")
		})
	}
	for limit := time.Now().Add(lab.Patience(10 * time.Second)); time.Now().Before(limit); time.Sleep(500 * time.Millisecond) {
		for _, p := range programs {
			select {
			case <-p.Done():
				return
			default:
			}
		}
		if made(a) && made(b) {
			return
		}
	}
}

// kernelObjects lists what the kernel of a host has, sorted: virtual and real servers, timeouts, sync daemons,
// addresses, routes and rules.
func kernelObjects(h *lab.Host) (lines []string) {
	err := h.Do(func() error {
		k, err := kernel.Open()
		if err != nil {
			return err
		}
		defer k.Close()
		kinds := []state.AnyKind{
			state.TimeoutsKind, state.ServiceKind, state.DestinationKind, state.SyncDaemonKind, state.AddressKind, state.RouteKind, state.RuleKind,
		}
		have, unread := k.Read(kernel.Scope{Kinds: kinds})
		for _, kind := range kinds {
			for key, o := range kind.All(have) {
				line := fmt.Sprintf("%s %v %v", kind.About().Name, key, o.Fields())
				if !strings.Contains(line, "fe80:") { // derived from the address of the interface
					lines = append(lines, line)
				}
			}
		}
		return unread.Err()
	})
	if err != nil {
		lines = append(lines, err.Error())
	}
	slices.Sort(lines)
	return lines
}

// kernelState returns kernelObjects, with the output of ipvsadm.
func kernelState(h *lab.Host) []string {
	text, err := tell(h, "ipvsadm", "-Sn")
	if err != nil {
		return []string{err.Error()}
	}
	lines := kernelObjects(h)
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// tell runs a program on a host to its end, however slow the machine is.
func tell(h *lab.Host, name string, args ...string) (text string, err error) {
	err = h.Do(func() error {
		out, err := exec.Command(name, args...).CombinedOutput()
		if text = string(out); err != nil {
			return fmt.Errorf("%s: %s %s: %w: %s", h.Name(), name, strings.Join(args, " "), err, out)
		}
		return nil
	})
	return text, err
}

// A doorman accepts connections on ports of a host, and says nothing.
type doorman struct {
	host *lab.Host
	open map[int]net.Listener
}

// keep opens and closes ports so that exactly these are open.
func (d *doorman) keep(ports []int) error {
	for p, l := range d.open {
		if !slices.Contains(ports, p) {
			_ = l.Close() // connections are refused then
			delete(d.open, p)
		}
	}
	for _, p := range ports {
		if d.open[p] != nil {
			continue
		}
		l, err := d.host.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err != nil {
			return err
		}
		if d.open == nil {
			d.open = map[int]net.Listener{}
		}
		d.open[p] = l
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.Close()
			}
		}()
	}
	return nil
}

// hashOrder lists the servers of services whose scheduler hashes by their order, in that order, because all directors
// must fill the same table.
func hashOrder(lines []string) (places []string) {
	hashes, place := false, 0
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "-A "):
			hashes, place = strings.Contains(line, "-s mh"), 0
		case strings.HasPrefix(line, "-a ") && hashes:
			place++
			places = append(places, fmt.Sprintf("place %d: %s", place, line))
		}
	}
	return places
}
