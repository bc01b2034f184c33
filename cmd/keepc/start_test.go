package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/grammar/diag"
	"keepc/runtime/lab"
	"keepc/runtime/status"
)

// TestStarts checks that keepc run starts with a real file exactly if Debian's keepalived does, on a host that has
// everything that the file names: both its VRRP process (-P) and its checkers (-C) must run. Deliberate differences
// are in testdata/reference/start.txt, each with its reason. What keepc refuses because it cannot do it yet is counted
// separately. Every third user's file is tried; KEEPC_START=users tries all of those, and KEEPC_START=all every file
// of the corpus.
func TestStarts(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "chroot")
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	meant := readStartDifferences(t)
	var both, neither, refused, surroundings, slow atomic.Int32
	t.Run("files", func(t *testing.T) {
		for n, file := range corpusFiles(t, os.Getenv("KEEPC_START") == "all") {
			if n%3 != 0 && os.Getenv("KEEPC_START") == "" {
				continue
			}
			name := filepath.Base(file)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				why := starts(t, file)
				l := startOf(file)
				switch {
				case strings.Contains(why, "network namespace"):
					surroundings.Add(1) // the host lacks something that the file names
				case why == tooSlow:
					slow.Add(1)
				case l.Config != nil && why == "":
					both.Add(1)
					if notYet(l.Config) != "" {
						refused.Add(1)
					}
				case l.Config == nil && why != "":
					neither.Add(1)
				case meant.cover(name):
				case why != "":
					t.Errorf("keepc starts, keepalived does not: %s", why)
				default:
					t.Errorf("keepalived starts, keepc does not: %s", l.Refused)
				}
			})
		}
	})
	t.Logf("both start: %d, of which keepc refuses %d for what it cannot do yet; neither starts: %d; %d name a network namespace that is not here; "+
		"with %d, keepalived needs longer than the test waits", both.Load(), refused.Load(), neither.Load(), surroundings.Load(), slow.Load())
	if n := slow.Load(); n > 3 {
		t.Errorf("with %d files keepalived is not up in time: nothing is compared with them", n)
	}
	if os.Getenv("KEEPC_START") == "all" {
		for _, m := range meant {
			if !m.used.Load() {
				t.Errorf("start.txt: %s is listed as a difference and is none", m.file)
			}
		}
	}
}

// startOf returns what keepc run makes of a file, before it asks whether everything is supported.
func startOf(file string) loaded {
	a := &App{Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: "/"}
	a.ids = []string{dumpHost}
	a.outside, a.env = true, true
	return a.load(file)
}

// starts starts keepalived with a file, and returns why one of its two processes does not run; empty: they run. If the
// kernel has no ip_vs, checkers that get as far as asking for it count as running.
func starts(t *testing.T, file string) (why string) {
	t.Helper()
	host, root := dumpHostFor(t, file, configOf(t, file))
	for _, part := range []string{"-P", "-C"} {
		p := startSandboxed(t, host, root, file, part)
		why := comesUp(p)
		p.Stop()
		switch why {
		case "":
		case tooSlow:
			return why
		default:
			return part + ": " + why
		}
	}
	return ""
}

// tooSlow is the answer about a keepalived that neither runs nor ends in the time that the test has: some files of
// thousands of instances take it minutes.
const tooSlow = "not up yet"

// comesUp waits until a keepalived runs, or returns why it does not.
func comesUp(p *lab.Process) (why string) {
	ended, deadline := false, time.Now().Add(lab.Patience(10*time.Second))
	for {
		log := p.Log()
		switch {
		case strings.Contains(log, "Initializing ipvs"), strings.Contains(log, "no configuration to run"):
			return ""
		case strings.Contains(log, "Respawning"), strings.Contains(log, "segmentation fault"), strings.Contains(log, "permanent error"):
			return lastWords(log)
		case strings.Contains(log, " STATE"), strings.Contains(log, "Startup complete"):
			return ""
		}
		select {
		case <-p.Done():
			if ended { // the whole log has been read
				return lastWords(log)
			}
			ended = true
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return tooSlow
		}
	}
}

// lastWords returns the last lines of a log before the program stopped, without their times.
func lastWords(log string) string {
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(log), "\n"), func(line string) bool { return strings.Contains(line, "Stopped") })
	for i, line := range lines {
		lines[i] = timeOfLog.ReplaceAllString(line, "")
	}
	return strings.Join(lines[max(0, len(lines)-3):], " / ")
}

// timeOfLog is what a line of keepalived's log begins with: "Sun Nov 29 23:30:00 2026: ".
var timeOfLog = regexp.MustCompile(`^\w+ \w+ +\d+ [\d:]+ \d{4}: `)

// corpusFiles lists the real files: those of users, or all.
func corpusFiles(t *testing.T, all bool) (files []string) {
	t.Helper()
	index, err := os.Open(filepath.Join(sharedCorpus, "index.tsv"))
	if err != nil {
		t.Skip("../shared/corpus is not here")
	}
	defer index.Close()
	s := bufio.NewScanner(index)
	s.Scan() // the head
	for s.Scan() {
		row := strings.Split(s.Text(), "\t")
		if all || !strings.Contains(row[4], "dev-test") && !strings.Contains(row[4], "upstream") {
			files = append(files, absolute(t, filepath.Join(sharedCorpus, "files", row[0])))
		}
	}
	return files
}

// A startDifference is a file with which only one program starts, and the reason why that is intended.
type startDifference struct {
	file, why string
	used      atomic.Bool
}

type startDifferences []*startDifference

// cover reports whether the difference is intended.
func (l startDifferences) cover(file string) bool {
	i := slices.IndexFunc(l, func(m *startDifference) bool { return m.file == file })
	if i >= 0 {
		l[i].used.Store(true)
	}
	return i >= 0
}

// readStartDifferences reads testdata/reference/start.txt: one "FILE: REASON" per line.
func readStartDifferences(t *testing.T) (list startDifferences) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "reference", "start.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		file, why, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("start.txt: %q is not FILE: REASON", line)
		}
		list = append(list, &startDifference{file: file, why: why})
	}
	return list
}

// TestElections checks that what keepc run starts with is what keepalived runs with: for users' files, the instances,
// their roles after the first election and all addresses are equal, for both programs one after the other on equal
// hosts. -short skips it, and every ninth file is played unless KEEPC_START is set: elections take time.
func TestElections(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "chroot")
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	var played, left, refused atomic.Int32
	t.Run("files", func(t *testing.T) {
		for n, file := range corpusFiles(t, false) {
			if n%9 != 0 && os.Getenv("KEEPC_START") == "" {
				continue
			}
			l := startOf(file)
			switch {
			case l.Config == nil || len(l.Config.Instances) == 0:
				left.Add(1)
				continue
			case notYet(l.Config) != "":
				refused.Add(1)
				continue
			}
			t.Run(filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				reference := elect(t, file, l.Config, false)
				ours := elect(t, file, l.Config, true)
				if reference != ours {
					t.Errorf("keepalived:\n%skeepc:\n%s", reference, ours)
				}
				played.Add(1)
			})
		}
	})
	t.Logf("%d files played; %d without an instance, or with which keepalived does not start; %d that keepc refuses for what it cannot do yet", played.Load(), left.Load(), refused.Load())
}

// elect runs a program with a file until its first election is over, and returns the role of every instance and the
// addresses.
func elect(t *testing.T, file string, cfg *ir.Config, keepc bool) string {
	t.Helper()
	host, root := dumpHostFor(t, file, cfg)
	longest := time.Duration(0)
	for _, v := range cfg.Instances {
		longest = max(longest, 4*v.AdvertInterval+v.PreemptDelay)
	}
	longest += cfg.Global.StartupDelay
	var p *lab.Process
	if keepc {
		args := append([]string{"env", "PATH=/stubs:/usr/bin:/bin", "/usr/sbin/chroot", root}, keepcArgs(t, "run", "--id", dumpHost, file)...)
		p = host.Start(args[0], args[1:]...)
	} else {
		p = startSandboxed(t, host, root, file, "-P")
		if why := comesUp(p); why != "" {
			t.Skip("keepalived does not run here: " + why)
		}
	}
	defer p.Stop()
	time.Sleep(longest + 2*time.Second)
	said := standing(t, host, p, keepc)
	for deadline := time.Now().Add(lab.Patience(10 * time.Second)); time.Now().Before(deadline); {
		time.Sleep(time.Second)
		next := standing(t, host, p, keepc)
		if next == said {
			break
		}
		said = next
	}
	if strings.Contains(p.Log(), "Can't initialize ipvs") {
		t.Skip("this kernel has no ip_vs, which keepalived wants for lvs_sync_daemon")
	}
	return said
}

// standing returns the role of every instance, and the addresses.
func standing(t *testing.T, host *lab.Host, p *lab.Process, keepc bool) string {
	t.Helper()
	roles := map[string]string{}
	if keepc {
		args := keepcArgs(t, "status", "--format", "json")
		var d status.Document
		out, err := host.Try(args[0], args[1:]...) // exit code 1 if an instance is in FAULT
		if json.Unmarshal([]byte(out), &d) != nil {
			t.Fatalf("%v\n%s", err, p.Log())
		}
		for _, i := range d.Instances {
			roles[i.Name] = i.Role
		}
	} else {
		for line := range strings.Lines(p.Log()) {
			if m := enteredState.FindStringSubmatch(line); m != nil {
				roles[m[1]] = m[2]
			}
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(roles)) {
		fmt.Fprintf(&b, "  %s %s\n", name, roles[name])
	}
	addrs := host.Addrs("")
	slices.SortFunc(addrs, netip.Prefix.Compare)
	for _, a := range addrs {
		if !a.Addr().IsLoopback() && !(a.Addr().Is6() && a.Addr().IsLinkLocalUnicast()) {
			fmt.Fprintf(&b, "  %s\n", a)
		}
	}
	return b.String()
}

var enteredState = regexp.MustCompile(`\((.+)\) Entering (\w+) STATE`)

// TestLossOfRules checks what the rules say that keepalived does with their example: keepc refuses to start with it
// exactly if keepalived does not start.
func TestLossOfRules(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "chroot")
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	for _, r := range lint.Rules() {
		text := r.Page().Bad
		if text == "" || r.Severity != diag.Error || r.Peers != nil {
			continue
		}
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "keepalived.conf")
			if !strings.Contains(text, "vrrp_instance") { // so that there is something to start
				text += "vrrp_instance Z {\n    interface eth0\n    virtual_router_id 99\n    virtual_ipaddress {\n        192.0.2.99/24\n    }\n}\n"
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			why, l := starts(t, file), startOf(file)
			if (why == "") != (l.Config != nil) {
				t.Errorf("keepalived: %q, keepc: %q, of\n%s", why, l.Refused, text)
			}
		})
	}
}
