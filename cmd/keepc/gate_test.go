package main

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
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

// The gate: whatever else a director does, its advertisements are on time. Two directors of one program share an
// address with VRRP version 3 and advert_int 50 ms; while the master reloads, or its machine is busy, a third host
// records when advertisements pass. Both programs play the same rounds, in alternating blocks.

const (
	gateInterval = 50 * time.Millisecond
	gateRounds   = 20                   // for each scenario and program; KEEPC_ROUNDS asks for fewer
	onTime       = 5 * time.Millisecond // after an interval
	gateBlock    = 5                    // rounds that a pair plays before it is the other program's turn
)

// A pressure is what disturbs the master.
type pressure struct {
	name   string
	what   string                   // for people
	config func(round int) []byte   // the master's configuration besides its instance
	track  string                   // what its instance tracks
	busy   int                      // processes that never sleep, in addition to the directors
	length time.Duration            // of a round
	act    func(p *gatePair, n int) // what happens in the round; nil: nothing
	more   bool                     // keepalived advertises more often than once an interval: once more at each reload
}

func pressures(t *testing.T) []pressure {
	none := func(int) []byte { return nil }
	large := func(round int) []byte { return reweighted(round) }
	script := filepath.Join(t.TempDir(), "hungry")
	text := "#!/bin/sh\nfor i in 1 2 3 4; do timeout 0.8 sh -c 'while :; do :; done' & done\nwait\nexit 0\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	hungry := func(int) []byte {
		return fmt.Appendf(nil, "vrrp_script hungry {\n\tscript %s\n\tinterval 1\n\ttimeout 5\n\tuser root\n}\n", script)
	}
	return []pressure{
		{name: "reload", what: "reload of 1,000 virtual servers x 50 real servers with new weights",
			config: large, length: 4 * time.Second, act: (*gatePair).reload},
		{name: "hups", what: "100 HUPs a second for 10 s, one instance", config: none, length: 10 * time.Second, act: (*gatePair).storm, more: true},
		{name: "busy", what: "four busy processes, one instance", config: none, busy: 4, length: 5 * time.Second},
		{name: "script", what: "a tracked script that forks and eats CPU", config: hungry, track: "\ttrack_script {\n\t\thungry\n\t}\n", length: 5 * time.Second},
		{name: "busy-reload", what: "that reload beside four busy processes",
			config: large, busy: 4, length: 8 * time.Second, act: (*gatePair).reload},
	}
}

// reweighted returns a large configuration whose weights differ from round to round. Checks come once a minute: with
// more, the checks of keepc would be measured, which keepalived does not make on a kernel without ip_vs.
func reweighted(round int) []byte {
	text := bytes.ReplaceAll(bigConfig(1000, 50), []byte("delay_loop 6\n"), []byte("delay_loop 60\n"))
	text = text[bytes.IndexByte(text, '}')+2:] // the pair has its own global part
	return bytes.ReplaceAll(text, []byte("\t\tweight 1\n"), fmt.Appendf(nil, "\t\tweight %d\n", 1+round%100))
}

// A gatePair is two directors of one program and the listener.
type gatePair struct {
	t        *testing.T
	program  program
	pressure pressure
	lb01     *lab.Host
	wire     *lab.Capture
	master   *lab.Process
}

var (
	gateMaster = netip.MustParseAddr("10.0.0.5")
	gateBackup = netip.MustParseAddr("10.0.0.6")
)

// newGatePair starts both directors and waits until the first is the master.
func newGatePair(t *testing.T, program program, pressure pressure) *gatePair {
	n := lab.New(t)
	lan := n.Segment("lan")
	host := func(name, addr string) *lab.Host { return n.Host(name, lab.On(lan, "eth0", addr)) }
	p := &gatePair{t: t, program: program, pressure: pressure, lb01: host("lb01", gateMaster.String()+"/24")}
	lb02, web := host("lb02", gateBackup.String()+"/24"), host("web", "10.0.0.7/24")
	p.wire = host("wire", "10.0.0.100/24").Capture("eth0")

	// Every real server answers: the web server is all of them.
	const servers = "192.168.0.0/16"
	web.Run("ip", "route", "add", "local", servers, "dev", "lo")
	l, err := web.Listen("tcp", "0.0.0.0:80")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-accepted })
	for _, h := range []*lab.Host{p.lb01, lb02} {
		h.Run("ip", "route", "add", servers, "via", "10.0.0.7")
	}
	for i := range pressure.busy {
		p.lb01.Start("sh", "-c", fmt.Sprintf(": busy %d; while :; do :; done", i))
	}
	p.start(lb02, 50)
	p.master = p.start(p.lb01, 100)
	p.settle()
	return p
}

// flags returns the command line of the program, without its file.
func (p *gatePair) flags() []string { return gateFlags(p.t, p.program) }

func gateFlags(t *testing.T, p program) []string {
	if p == keepalived {
		return []string{"keepalived", "--dont-fork", "--log-console", "--vrrp", "--use-file"}
	}
	return keepcArgs(t, "run")
}

func (p *gatePair) start(h *lab.Host, priority int) *lab.Process {
	p.write(h, priority, 0)
	args := append(p.flags(), p.file(h))
	return h.Start(args[0], args[1:]...)
}

func (p *gatePair) file(h *lab.Host) string { return filepath.Join(h.Dir(), "keepalived.conf") }

// write replaces a director's file as an editor does.
func (p *gatePair) write(h *lab.Host, priority, round int) {
	p.t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "global_defs {\n\trouter_id %s\n\tvrrp_version 3\n}\n", h.Name())
	track := ""
	if priority == 100 {
		b.Write(p.pressure.config(round))
		track = p.pressure.track
	}
	fmt.Fprintf(&b, "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority %d\n\tadvert_int %v\n%s\tvirtual_ipaddress {\n\t\t10.0.0.3/24\n\t}\n}\n",
		priority, gateInterval.Seconds(), track)
	file := p.file(h)
	err := os.WriteFile(file+"~", b.Bytes(), 0o644)
	if err == nil {
		err = os.Rename(file+"~", file)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// reload writes a file with new weights and sends SIGHUP.
func (p *gatePair) reload(round int) {
	p.write(p.lb01, 100, round+1)
	p.master.Signal(syscall.SIGHUP)
}

// storm sends 100 SIGHUPs a second.
func (p *gatePair) storm(int) {
	begun := time.Now()
	for i := range int(p.pressure.length.Seconds() * 100) {
		time.Sleep(time.Until(begun.Add(time.Duration(i) * 10 * time.Millisecond)))
		p.master.Signal(syscall.SIGHUP)
	}
}

// adverts lists the advertisements since a time.
func (p *gatePair) adverts(since time.Time) []advert { return advertsIn(p.wire, since) }

// settle waits until only lb01 has advertised for a while.
func (p *gatePair) settle() {
	p.t.Helper()
	const calm = time.Second
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		all := p.adverts(time.Now().Add(-calm))
		others := slices.ContainsFunc(all, func(a advert) bool { return a.from != gateMaster || a.priority == 0 })
		if !others && len(all) >= int(calm/gateInterval)*9/10 {
			return
		}
	}
	p.t.Fatalf("%s: lb01 is not the only master within a minute:\n%s", p.program, p.master.Log())
}

// A silence is the result of a round on the wire.
type silence struct {
	longest time.Duration // between two advertisements of the master
	taken   bool          // the backup became the master
	stolen  time.Duration // what the host of a virtual machine took from its processors meanwhile
}

// stolen is how long the host of this virtual machine has let its processors wait since it started, in steps of 10 ms.
func stolen(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	const steal = 8 // the field of the line "cpu", in hundredths of a second
	words := strings.Fields(string(text))
	n, err := strconv.Atoi(words[steal])
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n) * 10 * time.Millisecond
}

// round plays one round and measures it.
func (p *gatePair) round(n int) silence {
	p.t.Helper()
	begun, taken := time.Now(), stolen(p.t)
	if p.pressure.act != nil {
		p.pressure.act(p, n)
	}
	time.Sleep(time.Until(begun.Add(p.pressure.length)))
	end := time.Now()
	time.Sleep(20 * time.Millisecond) // for frames that wait in the socket
	s := silence{stolen: stolen(p.t) - taken}
	last := begun
	for _, a := range p.adverts(begun.Add(-4 * gateInterval)) {
		switch {
		case a.at.After(end):
		case a.from == gateBackup && a.priority > 0:
			s.taken = s.taken || a.at.After(begun)
		case a.from == gateMaster && a.at.Before(begun):
			last = a.at
		case a.from == gateMaster:
			s.longest = max(s.longest, a.at.Sub(last))
			last = a.at
		}
	}
	s.longest = max(s.longest, end.Sub(last))
	return s
}

// rounds returns the number of rounds.
func rounds(t *testing.T) int {
	text := os.Getenv("KEEPC_ROUNDS")
	if text == "" {
		return gateRounds
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("KEEPC_ROUNDS=%s is not a number of rounds", text)
	}
	return n
}

// TestBenchGate plays every pressure with both programs and prints the longest silences. The gate is met if the
// longest silence of keepc is not longer than that of keepalived, and no backup of keepc took over in any round.
// KEEPC_GATE names the pressures to play.
func TestBenchGate(t *testing.T) {
	needBench(t)
	lab.NeedPrograms(t, "keepalived")
	n := rounds(t)
	fmt.Printf("\nthe gate: longest gap between two advertisements of the master, VRRP version 3, advert_int %v, %d rounds each, in turn, kernel %s\n",
		gateInterval, n, lab.Kernel())
	for _, p := range []program{keepalived, keepc} {
		fmt.Printf("%-11s is: %s FILE\n", p, strings.Join(gateFlags(t, p), " "))
	}
	fmt.Print("keepalived does VRRP alone here (--vrrp): without ip_vs in the kernel its checker ends the daemon; keepc also does 50,000 checks a minute\n")
	fmt.Printf("%-64s %-11s %9s %9s %9s %9s\n", "", "", "min", "median", "longest", "taken over")
	for _, pressure := range pressures(t) {
		if only := os.Getenv("KEEPC_GATE"); only != "" && !slices.Contains(strings.Split(only, ","), pressure.name) {
			continue
		}
		all := map[program][]silence{}
		for begun := 0; begun < n; begun += gateBlock {
			for _, p := range []program{keepalived, keepc} {
				t.Run(fmt.Sprintf("%s/%s/%d", pressure.name, p, begun), func(t *testing.T) {
					pair := newGatePair(t, p, pressure)
					for i := begun; i < min(begun+gateBlock, n); i++ {
						all[p] = append(all[p], pair.round(i))
						pair.settle()
					}
				})
			}
		}
		worst := map[program]silence{}
		for _, p := range []program{keepalived, keepc} {
			taken := 0
			for _, s := range all[p] {
				if s.taken {
					taken++
				}
			}
			gaps := all[p]
			slices.SortFunc(gaps, func(a, b silence) int { return cmp.Compare(a.longest, b.longest) })
			if len(gaps) == 0 {
				continue
			}
			worst[p] = silence{longest: gaps[len(gaps)-1].longest, taken: taken > 0, stolen: gaps[len(gaps)-1].stolen}
			fmt.Printf("%-64s %-11s %9v %9v %9v %5d of %d\n", pressure.what, p, digits(gaps[0].longest), digits(gaps[len(gaps)/2].longest),
				digits(worst[p].longest), taken, len(gaps))
			if worst[p].stolen > 0 {
				fmt.Printf("%-64s %-11s the host took %v from the processors of this machine in the round with the longest\n", "", p, worst[p].stolen)
			}
		}
		// A gap of one interval is the best possible for a program that advertises once per interval.
		bar, verdict := worst[keepalived].longest, "met"
		if pressure.more {
			bar = max(bar, gateInterval+onTime)
		}
		switch {
		case len(all[keepc]) < n || len(all[keepalived]) < n:
			verdict = "not measured"
		case worst[keepc].taken:
			verdict = "missed: the backup took over"
		case worst[keepc].longest > bar:
			verdict = "missed: longer than keepalived"
		case worst[keepc].longest > worst[keepalived].longest:
			verdict = fmt.Sprintf("met: on time, within %v (keepalived advertises once more at each reload)", onTime)
		}
		fmt.Printf("%-64s gate        %s\n", "", verdict)
	}
}
