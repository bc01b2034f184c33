package main

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
	"keepc/runtime/sim"
)

// Real and simulated time are compared as follows. Daemons take a while to start, so their advertisements come at
// different moments: a change may be an interval earlier or later, which is at most a second in the timelines, and the
// machine may be slow. What lasts less than an interval may be missing on either side.
const tolerance = interval + 300*time.Millisecond

// A play is measured badly if the machine was very late with an action or observation of this test: then its daemons
// were late, too; or if these reported their first roles far apart: a later start is a later win, and between two
// priorities there may be less than 0.2 s. Such a play is repeated if it does not agree, beside fewer others, and
// finally judged as it is; and so is each in which keepalived takes part: it runs without real-time priority, and what a
// busy machine does to it says nothing about keepc.
const (
	badlyMeasured = 100 * time.Millisecond
	plays         = 4
)

// TestTimelines plays the timelines of testdata/sim with real daemons, keepc and keepalived, each pair on a segment of
// its own, and compares who held each address when, and the order of roles, with what simulate says; and what both
// reported with each other.
func TestTimelines(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	lab.NeedPrograms(t, "keepalived", "nft")
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "sim", "*.txtar"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d timelines, %v", len(files), err)
	}
	type part struct {
		file    string
		program program
	}
	var left []part
	for _, file := range files {
		left = append(left, part{file, keepc}, part{file, keepalived})
		if slices.Contains(interop, filepath.Base(file)) || os.Getenv("KEEPC_INTEROP") != "" {
			left = append(left, part{file, keepcFirst}, part{file, keepalivedFirst})
		}
	}
	keepcProgram := shipped(t) // a hundred of them start at once
	stories := map[string]map[program]story{}
	for _, file := range files {
		stories[file] = map[program]story{}
	}
	for play := 1; len(left) > 0; play++ {
		n := lab.New(t)
		var all []*timeline
		for _, p := range left {
			x := newTimeline(t, n, p.file, p.program, len(all))
			x.keepc = keepcProgram
			all = append(all, x)
		}
		playAll(all)
		n.Close()
		var again []part
		for i, x := range all {
			complaints := x.compare()
			if len(complaints) > 0 && play < plays && (x.late > badlyMeasured || x.program != keepc) {
				t.Logf("%s/%s is played again: this test was late by %v; %s", x.name, x.program, x.late.Round(time.Millisecond), complaints[0])
				again = append(again, left[i])
				continue
			}
			t.Run(x.name+"/"+string(x.program), func(t *testing.T) {
				t.Logf("times differ by %v at most; this test was late by %v", x.largest.Round(time.Millisecond), x.late.Round(time.Millisecond))
				for _, c := range complaints {
					t.Error(c)
				}
			})
			stories[left[i].file][x.program] = x.told
		}
		left = again
	}
	for _, file := range files {
		if filepath.Base(file) == "crash.txtar" {
			continue // keepc remains MASTER where keepalived starts from scratch
		}
		for _, c := range stories[file][keepc].differs(stories[file][keepalived], slices.Contains(holds, filepath.Base(file))) {
			t.Errorf("%s: %s", filepath.Base(file), c)
		}
	}
}

// Directors of both programs alternately.
const (
	keepcFirst      program = "keepc with keepalived"
	keepalivedFirst program = "keepalived with keepc"
)

// interop are the timelines that mixed directors play too; all of them with KEEPC_INTEROP=1, as in "make interop".
var interop = []string{"ah.txtar", "twins.txtar", "unicast.txtar", "unicast6.txtar"}

// programOf returns the program of a host.
func (x *timeline) programOf(i int) program {
	switch {
	case x.program == keepcFirst && i%2 == 0, x.program == keepalivedFirst && i%2 == 1:
		return keepc
	case x.program == keepcFirst, x.program == keepalivedFirst:
		return keepalived
	}
	return x.program
}

// A timeline is one script with its cluster, simulated and real.
type timeline struct {
	t         *testing.T
	name      string
	program   program
	keepc     string // the program of that name
	cluster   *sim.Cluster
	deeds     []sim.Deed
	run       sim.Run
	hosts     []*lab.Host
	listeners []*listener // by host
	told      story       // what they received
	daemons   []*lab.Process
	logs      []string          // of daemons that have ended, by host
	deaf      map[[2]int]bool   // who does not hear whom
	unplugged map[int]bool      // whose addresses others do not see
	dir       string            // of files for reload
	zero      time.Time         // when it starts
	observed  map[string][]span // by address
	late      time.Duration     // the largest delay of an action or observation of this test
	largest   time.Duration     // the largest difference of times
}

// A span is a period in which the same hosts held an address.
type span struct {
	from  time.Duration
	hosts string // "lb1+lb2"
}

func newTimeline(t *testing.T, n *lab.Net, file string, p program, number int) *timeline {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	x := &timeline{
		t: t, name: strings.TrimSuffix(filepath.Base(file), ".txtar"), program: p, dir: t.TempDir(),
		deaf: map[[2]int]bool{}, unplugged: map[int]bool{}, observed: map[string][]span{},
	}
	var script string
	var names []string
	for _, f := range a.Files {
		if f.Name == "script" {
			script = string(f.Data)
		}
		if filepath.Ext(f.Name) != ".conf" {
			continue
		}
		path := filepath.Join(x.dir, f.Name)
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(f.Name, "lb") {
			names = append(names, path)
		}
	}
	x.simulate(names, script)

	lan := n.Segment(fmt.Sprintf("timeline%d", number))
	for i, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		plugs := []lab.Port{lab.On(lan, "eth0", fmt.Sprintf("192.0.2.%d/24", i+1), fmt.Sprintf("fe80::%d/64", i+1))}
		if bytes.Contains(text, []byte("eth1")) {
			plugs = append(plugs, lab.On(n.Segment(fmt.Sprintf("other%d-%d", number, i)), "eth1", "198.51.100.1/24"))
		}
		h := n.Host(fmt.Sprintf("lb%d-%d", i+1, number), plugs...)
		l := listen(t, h)
		if err := os.WriteFile(x.conf(h), l.asked(bytes.ReplaceAll(text, []byte("/run/timeline"), []byte(h.Dir()))), 0o600); err != nil {
			t.Fatal(err)
		}
		h.Run("nft", "add table inet wire; add chain inet wire in { type filter hook input priority 0; }")
		x.hosts, x.listeners = append(x.hosts, h), append(x.listeners, l)
	}
	x.daemons, x.logs = make([]*lab.Process, len(x.hosts)), make([]string, len(x.hosts))
	return x
}

func (x *timeline) conf(h *lab.Host) string { return filepath.Join(h.Dir(), "test.conf") }

// simulate plays the script as the verb does.
func (x *timeline) simulate(names []string, script string) {
	x.t.Helper()
	r := simulateRun{App: &App{Stderr: x.t.Output(), Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: x.dir}}
	c, err := r.cluster(names)
	if err != nil {
		x.t.Fatal(err)
	}
	s, found := sim.Parse(script, c, func(file string) (*ir.Config, error) { return r.load(filepath.Join(x.dir, file)).Config, nil })
	if len(found) > 0 {
		x.t.Fatal(found)
	}
	var clears []string
	for i, name := range c.Names() {
		if x.programOf(i) == keepalived {
			clears = append(clears, name)
		}
	}
	x.cluster, x.deeds, x.run = c, s.Deeds(), sim.Play(c, s, sim.Options{Clears: clears})
}

// An action is something that happens to a timeline in real time.
type action struct {
	at time.Time
	do func()
}

// playAll plays all timelines at once, each on its own goroutine, slightly staggered so that their starts do not
// overlap.
func playAll(all []*timeline) {
	const apart = 400 * time.Millisecond
	var players sync.WaitGroup
	start := time.Now().Add(apart)
	for i, x := range all {
		x.zero = start.Add(time.Duration(i) * apart)
		players.Go(x.play)
	}
	players.Wait()
}

// play performs each action at its time, and repeatedly looks who holds which address.
func (x *timeline) play() {
	const look = 40 * time.Millisecond
	actions := []action{{x.zero, func() { x.each(x.start) }}}
	for _, d := range x.deeds {
		actions = append(actions, action{x.zero.Add(d.At), func() { x.perform(d.Words) }})
	}
	actions = append(actions, action{x.zero.Add(x.run.End), x.end})
	time.Sleep(time.Until(x.zero))
	for next := x.zero; len(actions) > 0; {
		x.late = max(x.late, time.Since(next))
		for len(actions) > 0 && !time.Now().Before(actions[0].at) {
			actions[0].do()
			actions = actions[1:]
		}
		looks := time.Now()
		x.look()
		x.late = max(x.late, time.Since(looks))
		next = time.Now().Add(look)
		if len(actions) > 0 && actions[0].at.Before(next) {
			next = actions[0].at
		}
		time.Sleep(time.Until(next))
	}
}

func (x *timeline) each(do func(host int)) {
	for i := range x.hosts {
		do(i)
	}
}

func (x *timeline) start(i int) {
	x.crash(i) // it has stopped: its log counts
	h := x.hosts[i]
	if x.programOf(i) == keepalived {
		x.daemons[i] = h.Start("keepalived", "--dont-fork", "--log-console", "--log-detail", "--vrrp", "--use-file", x.conf(h))
		return
	}
	x.daemons[i] = h.Start(x.keepc, "run", x.conf(h))
}

// end ends all daemons; time after it is not looked at.
func (x *timeline) end() {
	x.each(x.crash)
	var first []time.Time
	for _, l := range x.listeners {
		lines, scripts := l.end(x.t)
		if len(l.lines) > 0 {
			first = append(first, l.first)
		}
		x.told.lines, x.told.scripts = append(x.told.lines, lines), append(x.told.scripts, scripts)
	}
	x.hosts = nil
	if len(first) > 0 {
		x.late = max(x.late, slices.MaxFunc(first, time.Time.Compare).Sub(slices.MinFunc(first, time.Time.Compare)))
	}
}

// perform carries out a statement.
func (x *timeline) perform(words []string) {
	verb, node := words[0], words[1]
	if verb == "cut" || verb == "heal" {
		x.cut(words[1:], verb == "cut")
		return
	}
	x.each(func(i int) {
		if node != "all" && node != x.node(i) {
			return
		}
		switch verb {
		case "start":
			x.start(i)
		case "stop":
			x.daemons[i].Signal(syscall.SIGTERM)
		case "crash":
			x.crash(i)
		case "kill":
			x.crash(i)
			x.flush(i)
		case "pause":
			x.signal(i, syscall.SIGSTOP, syscall.SIGSTOP)
		case "resume":
			x.signal(i, syscall.SIGCONT, syscall.SIGCONT)
		case "down":
			x.hosts[i].Link(words[2]).Down()
			x.unplugged[i] = x.unplugged[i] || words[2] == "eth0"
		case "up":
			x.hosts[i].Link(words[2]).Up()
			x.unplugged[i] = x.unplugged[i] && words[2] != "eth0"
		case "reload":
			x.reload(i, words[2])
		case "fail":
			x.write(i, words[2]+".failed", "")
		case "mend":
			if err := os.Remove(filepath.Join(x.hosts[i].Dir(), words[2]+".failed")); err != nil {
				x.t.Error(err)
			}
		case "write":
			x.write(i, words[2], words[3])
		default:
			x.t.Errorf("%s: %q is not played here", x.name, verb)
		}
	})
}

func (x *timeline) node(i int) string { return x.cluster.Names()[i] }

// crash kills the daemon and its children: an orphan would say farewell, and a parent would have time to start another
// child.
func (x *timeline) crash(i int) {
	if x.daemons[i] == nil {
		return
	}
	x.signal(i, syscall.SIGSTOP, syscall.SIGKILL)
	<-x.daemons[i].Done()
	x.logs[i] += x.daemons[i].Log()
	x.daemons[i] = nil
}

// signal sends one signal to the daemon, then another to its children and to itself.
func (x *timeline) signal(i int, first, second syscall.Signal) {
	select {
	case <-x.daemons[i].Done():
		return
	default:
	}
	pid := x.daemons[i].Pid()
	_ = syscall.Kill(pid, first) // it may have ended
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, child := range append(strings.Fields(string(children)), strconv.Itoa(pid)) {
		if n, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(n, second)
		}
	}
}

// flush removes what a host without power does not have.
func (x *timeline) flush(i int) {
	for _, p := range x.hosts[i].Addrs("eth0") {
		if slices.Contains(x.cluster.Addresses(), p.Addr()) {
			x.hosts[i].DelAddr("eth0", p.String())
		}
	}
}

func (x *timeline) reload(i int, file string) {
	text, err := os.ReadFile(filepath.Join(x.dir, file))
	if err == nil {
		err = os.WriteFile(x.conf(x.hosts[i]), x.listeners[i].asked(text), 0o600)
	}
	if err != nil {
		x.t.Error(err)
	}
	x.daemons[i].Signal(syscall.SIGHUP)
}

// write writes a text to a file of the host, where its configuration finds it below /run/timeline.
func (x *timeline) write(i int, name, text string) {
	if err := os.WriteFile(filepath.Join(x.hosts[i].Dir(), name), []byte(text), 0o600); err != nil {
		x.t.Error(err)
	}
}

// cut drops packets at the receivers: from one node to others, or in both directions.
func (x *timeline) cut(words []string, lost bool) {
	from, to, oneWay := words[0], "all", len(words) > 1
	if oneWay {
		to = words[2]
	}
	x.each(func(i int) {
		x.each(func(j int) {
			f, t := x.node(i), x.node(j)
			if is := func(name, word string) bool { return word == "all" || word == name }; is(f, from) && is(t, to) || !oneWay && is(t, from) && is(f, to) {
				x.deaf[[2]int{j, i}] = lost && i != j
			}
		})
	})
	x.each(func(j int) {
		rules := "flush chain inet wire in; "
		x.each(func(i int) {
			if x.deaf[[2]int{j, i}] {
				rules += fmt.Sprintf("add rule inet wire in ip saddr 192.0.2.%d ip protocol 112 drop; ", i+1)
			}
		})
		x.hosts[j].Run("nft", rules)
	})
}

// look records who holds which address now.
func (x *timeline) look() {
	now := time.Since(x.zero)
	if now < 0 || x.hosts == nil {
		return
	}
	holders := map[netip.Addr][]string{}
	x.each(func(i int) {
		if x.unplugged[i] {
			return
		}
		for _, p := range x.hosts[i].Addrs("eth0") {
			holders[p.Addr()] = append(holders[p.Addr()], x.node(i))
		}
	})
	for _, a := range x.cluster.Addresses() {
		h, spans := strings.Join(holders[a], "+"), x.observed[a.String()]
		if len(spans) == 0 || spans[len(spans)-1].hosts != h {
			x.observed[a.String()] = append(spans, span{now, h})
		}
	}
}

// compare compares the observation with the simulation, and returns where they differ.
func (x *timeline) compare() (complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	for _, h := range x.run.History {
		var want []span
		for _, s := range h.Spans {
			var names []string
			for _, n := range s.Nodes {
				names = append(names, x.node(n))
			}
			want = append(want, span{s.From, strings.Join(names, "+")})
		}
		got := x.observed[h.Address.String()]
		pairs, ok := align(want, got, x.run.End, "start")
		if !ok {
			complain("%v: simulated %v\nobserved %v", h.Address, want, got)
		}
		for _, p := range pairs {
			d := (p[1].from - p[0].from).Abs()
			x.largest = max(x.largest, d)
			if d > tolerance {
				complain("%v: %q simulated at %v, observed at %v", h.Address, p[0].hosts, p[0].from, p[1].from)
			}
		}
	}
	for i := range x.daemons {
		if want, got := x.simulatedRoles(i), roles(x.programOf(i), x.logs[i]); !maps.EqualFunc(want, got, slices.Equal) {
			complain("%s: simulated roles %v\nobserved %v", x.node(i), want, got)
		}
	}
	return complaints
}

// align pairs the spans of two observations of the same events; false: they differ. Either may have spans of less than
// an interval that the other lacks. before is who held the address before.
func align(a, b []span, end time.Duration, before string) (pairs [][2]span, ok bool) {
	for len(a) > 0 && a[0].hosts == before {
		a = a[1:]
	}
	for len(b) > 0 && b[0].hosts == before {
		b = b[1:]
	}
	if len(a) > 0 && len(b) > 0 && a[0].hosts == b[0].hosts {
		if pairs, ok = align(a[1:], b[1:], end, a[0].hosts); ok {
			return append([][2]span{{a[0], b[0]}}, pairs...), true
		}
	}
	if short(a, end) {
		if pairs, ok = align(a[1:], b, end, before); ok {
			return pairs, true
		}
	}
	if short(b, end) {
		return align(a, b[1:], end, before)
	}
	return nil, len(a)+len(b) == 0
}

// short reports whether the first span exists and is shorter than an interval.
func short(spans []span, end time.Duration) bool {
	switch len(spans) {
	case 0:
		return false
	case 1:
		return end-spans[0].from < interval
	}
	return spans[1].from-spans[0].from < interval
}

// simulatedRoles lists the roles of a node's instances in order, without the stop of the program, which keepalived
// does not report.
func (x *timeline) simulatedRoles(i int) map[string][]string {
	list := map[string][]string{}
	for _, e := range x.run.Trace {
		if e.Kind == sim.Role && e.Node == x.node(i) && e.State != "STOP" {
			list[e.Subject] = append(list[e.Subject], e.State)
		}
	}
	return list
}

// roles lists the roles that a log reports, by instance.
func roles(p program, log string) map[string][]string {
	role := regexp.MustCompile(`(?m)^\S+ (\S+) (MASTER|BACKUP|FAULT) `)
	if p == keepalived {
		role = regexp.MustCompile(`\((\S+)\) Entering (MASTER|BACKUP|FAULT) STATE`)
	}
	list := map[string][]string{}
	for _, m := range role.FindAllStringSubmatch(log, -1) {
		list[m[1]] = append(list[m[1]], m[2])
	}
	return list
}

func TestAlign(t *testing.T) {
	spans := func(text string) (list []span) {
		for i, h := range strings.Fields(text) {
			at, hosts, _ := strings.Cut(h, ":")
			d, err := time.ParseDuration(at + "ms")
			if err != nil {
				t.Fatal(i, err)
			}
			list = append(list, span{d, hosts})
		}
		return list
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"0: 3414:lb1 7000: 10023:lb2", "50: 3600:lb1 7010: 9800:lb2", true},
		{"0: 3414:lb1 7000: 7800:lb2", "50: 3600:lb1 7010:lb2", true},
		{"0: 3414:lb1 7000: 7800:lb1", "50: 3600:lb1", true},
		{"0: 3414:lb1", "50: 3300:lb2 3600:lb1", true},
		{"0: 3414:lb1 7000: 10023:lb2", "50: 3600:lb1", false},
		{"0: 3414:lb1", "50: 3600:lb2", false},
		{"0: 3414:lb1", "50: 3600:lb1 8000:lb1+lb2", false},
		{"0: 3414:lb1", "", false},
	} {
		if _, same := align(spans(c.a), spans(c.b), 20*time.Second, "start"); same != c.same {
			t.Errorf("%q and %q: %v", c.a, c.b, same)
		}
	}
}
