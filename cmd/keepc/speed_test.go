package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/bpf"

	"keepc/runtime/lab"
)

// How fast a backup takes over, beside keepalived 2.2.7: at three intervals, after a loss of the link and after a stop, with what a client
// misses meanwhile that asks a thousand times a second.

const (
	speedRounds = 50 // of each interval and program; KEEPC_ROUNDS asks for fewer
	speedBlock  = 10 // rounds that a pair plays
	echoPort    = 7007
)

// A pace is an advertisement interval, and how many pairs of a program play its rounds side by side: long intervals wait most of the time.
type pace struct {
	every  time.Duration
	beside int
}

// formula is the master-down interval of lb02 for three missed advertisements (RFC 9568 section 6.1), and its skew.
func (p pace) formula() (down, skew time.Duration) {
	skew = p.every * (256 - 50) / 256
	return 3*p.every + skew, skew
}

// A speedPair is two directors of one program, who listens on their wire, and a client.
type speedPair struct {
	t      *testing.T
	pace   pace
	who    program
	lb01   *lab.Host
	first  *lab.Process // on lb01
	heard  time.Time    // since then lb01 has advertised
	wire   *lab.Capture
	client *asker
}

// speeds are the measurements of one program at one interval.
type speeds struct {
	mu                         sync.Mutex
	cut, cutGap, stop, stopGap []time.Duration
	cutARP                     []time.Duration // from the first advertisement to the first gratuitous ARP
}

func newSpeedPair(t *testing.T, who program, p pace) *speedPair {
	n := lab.New(t)
	lan := n.Segment("lan")
	s := &speedPair{t: t, pace: p, who: who, lb01: n.Host("lb01", lab.On(lan, "eth0", gateMaster.String()+"/24"))}
	lb02 := n.Host("lb02", lab.On(lan, "eth0", gateBackup.String()+"/24"))
	s.wire = n.Host("wire", lab.On(lan, "eth0", "10.0.0.100/24")).Capture("eth0", vrrpAndARP()...)
	for _, h := range []*lab.Host{s.lb01, lb02} {
		answerEchoes(t, h)
	}
	s.client = questions(t, n.Host("client", lab.On(lan, "eth0", "10.0.0.101/24")), netip.MustParseAddr("10.0.0.3"))
	s.start(lb02, 50)
	s.first = s.start(s.lb01, 100)
	s.settle()
	return s
}

// vrrpAndARP keeps VRRP over IPv4 and ARP.
func vrrpAndARP() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x0806, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x0800, SkipFalse: 3},
		bpf.LoadAbsolute{Off: 14 + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 112, SkipFalse: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{Val: 0},
	}
}

func (s *speedPair) start(h *lab.Host, priority int) *lab.Process {
	file := filepath.Join(h.Dir(), "keepalived.conf")
	text := fmt.Sprintf("global_defs {\n\tvrrp_version 3\n}\nvrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority %d\n\tadvert_int %v\n\tvirtual_ipaddress {\n\t\t10.0.0.3/24\n\t}\n}\n",
		priority, s.pace.every.Seconds())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return director(s.t, h, s.who, file)
}

// director starts a program on a host for VRRP alone.
func director(t *testing.T, h *lab.Host, who program, file string) *lab.Process {
	args := keepcArgs(t, "run", file)
	if who == keepalived {
		args = append([]string{"keepalived"}, lab.KeepalivedFlags("/run", file, "-P")...)
	}
	return h.Start(args[0], args[1:]...)
}

// settle waits until lb01 alone has advertised for a while.
func (s *speedPair) settle() {
	s.t.Helper()
	calm := max(2*s.pace.every, 200*time.Millisecond) * 3 / 2
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		s.heard = time.Now().Add(-calm)
		all := advertsIn(s.wire, s.heard)
		if len(all) > 0 && !slices.ContainsFunc(all, func(a advert) bool { return a.from != gateMaster || a.priority == 0 }) {
			return
		}
	}
	s.t.Fatalf("%s: lb01 is not the only master within a minute:\n%s", s.who, s.first.Log())
}

// taken waits until lb02 advertises, and returns the first time that it does and the last of lb01 before it.
func (s *speedPair) taken(since time.Time) (last, first advert) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, a := range advertsIn(s.wire, s.heard) {
			switch {
			case a.from == gateMaster:
				last = a
			case a.priority > 0 && a.at.After(since):
				return last, a
			}
		}
	}
	s.t.Fatalf("%s: lb02 does not take over within a minute", s.who)
	return last, first
}

// round cuts lb01 off and heals it, stops it and starts it again.
func (s *speedPair) round(n int, r *speeds) {
	s.t.Helper()
	time.Sleep(s.pace.every * time.Duration(n%speedBlock) / speedBlock) // at every phase of the interval
	calm := 500 * time.Millisecond
	begun := time.Now()
	s.lb01.Link("eth0").Down()
	last, first := s.taken(begun)
	time.Sleep(calm)
	gap := s.client.gap(begun.Add(-calm), time.Now())
	r.mu.Lock()
	r.cut, r.cutGap = append(r.cut, first.at.Sub(last.at)), append(r.cutGap, gap)
	if at, ok := firstGratuitous(s.wire, begun); ok {
		r.cutARP = append(r.cutARP, at.Sub(first.at))
	}
	r.mu.Unlock()
	s.lb01.Link("eth0").Up()
	s.settle()

	begun = time.Now()
	s.first.Signal(syscall.SIGTERM)
	last, first = s.taken(begun)
	if last.priority != 0 {
		s.t.Errorf("%s: lb01 says no farewell", s.who)
	}
	time.Sleep(calm)
	gap = s.client.gap(begun.Add(-calm), time.Now())
	r.mu.Lock()
	r.stop, r.stopGap = append(r.stop, first.at.Sub(last.at)), append(r.stopGap, gap)
	r.mu.Unlock()
	_ = s.first.Wait(10 * time.Second)
	s.first = s.start(s.lb01, 100)
	s.settle()
}

// firstGratuitous finds the first ARP that announces 10.0.0.3 since a time.
func firstGratuitous(wire *lab.Capture, since time.Time) (time.Time, bool) {
	virtual := []byte{10, 0, 0, 3}
	for _, f := range wire.Frames() {
		d := f.Data
		if !f.Time.Before(since) && len(d) >= 42 && d[12] == 8 && d[13] == 6 && bytes.Equal(d[28:32], virtual) && bytes.Equal(d[38:42], virtual) {
			return f.Time, true
		}
	}
	return time.Time{}, false
}

// answerEchoes sends back every datagram that a host receives.
func answerEchoes(t *testing.T, h *lab.Host) {
	var c net.PacketConn
	if err := h.Do(func() (err error) { c, err = net.ListenPacket("udp4", fmt.Sprintf(":%d", echoPort)); return err }); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 64)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(b[:n], from) // one that is lost is a gap
		}
	}()
	t.Cleanup(func() { _ = c.Close(); <-done })
}

// asker is a client that asks an address a thousand times a second, and remembers which questions were answered.
type asker struct {
	begun time.Time
	mu    sync.Mutex
	asked []time.Time // of each question that was answered
}

func questions(t *testing.T, h *lab.Host, address netip.Addr) *asker {
	e := &asker{begun: time.Now()}
	var c *net.UDPConn
	if err := h.Do(func() (err error) { c, err = net.ListenUDP("udp4", nil); return err }); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		var b [8]byte
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				binary.BigEndian.PutUint64(b[:], uint64(time.Since(e.begun)))
				_, _ = c.WriteToUDPAddrPort(b[:], netip.AddrPortFrom(address, echoPort)) // nobody has the address: a gap
			}
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		b := make([]byte, 64)
		for {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if n == 8 {
				e.mu.Lock()
				e.asked = append(e.asked, e.begun.Add(time.Duration(binary.BigEndian.Uint64(b))))
				e.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { close(stop); _ = c.Close(); <-done; <-done })
	return e
}

// gap is the longest time without an answered question. It forgets what was before.
func (e *asker) gap(from, until time.Time) (longest time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	slices.SortFunc(e.asked, time.Time.Compare)
	var last time.Time
	for _, at := range e.asked {
		if at.After(from) && at.Before(until) {
			if !last.IsZero() {
				longest = max(longest, at.Sub(last))
			}
			last = at
		}
	}
	e.asked = e.asked[:0]
	return max(longest, until.Sub(last)-20*time.Millisecond) // the last answers may be on their way
}

// paces are those that KEEPC_PACE names, or all.
func paces() (all []pace) {
	only := os.Getenv("KEEPC_PACE")
	for _, p := range []pace{{time.Second, 3}, {100 * time.Millisecond, 1}, {10 * time.Millisecond, 1}} {
		if only == "" || slices.Contains(strings.Split(only, ","), p.every.String()) {
			all = append(all, p)
		}
	}
	return all
}

// TestBenchSpeed prints how long lb02 needs after the last advertisement of lb01, and what the client misses. KEEPC_PACE names the intervals.
func TestBenchSpeed(t *testing.T) {
	needBench(t)
	lab.NeedPrograms(t, "keepalived")
	n := speedRounds
	if os.Getenv("KEEPC_ROUNDS") != "" {
		n = rounds(t)
	}
	fmt.Printf("\ntakeover by lb02 (version 3, priority 50), %d rounds of each program, side by side, kernel %s\n", n, lab.Kernel())
	for _, p := range paces() {
		results := map[program]*speeds{keepalived: {}, keepc: {}}
		t.Run(p.every.String(), func(t *testing.T) {
			for who, r := range results {
				for k := range p.beside {
					t.Run(fmt.Sprintf("%s/%d", who, k), func(t *testing.T) {
						t.Parallel()
						s := newSpeedPair(t, who, p)
						for i := k; i < n; i += p.beside {
							s.round(i/p.beside, r)
						}
					})
				}
			}
		})
		down, skew := p.formula()
		printSpeeds(p, "link loss: last advertisement to the next master's", down, results, func(r *speeds) []time.Duration { return r.cut })
		printSpeeds(p, "           that to the first gratuitous ARP", 0, results, func(r *speeds) []time.Duration { return r.cutARP })
		printSpeeds(p, "           longest gap of the client", 0, results, func(r *speeds) []time.Duration { return r.cutGap })
		printSpeeds(p, "stop: farewell to the next master's advertisement", skew, results, func(r *speeds) []time.Duration { return r.stop })
		printSpeeds(p, "           longest gap of the client", 0, results, func(r *speeds) []time.Duration { return r.stopGap })
	}
}

// printSpeeds prints a row for each program. A formula is what the protocol asks for; 5 ms more are met.
func printSpeeds(p pace, what string, formula time.Duration, results map[program]*speeds, of func(*speeds) []time.Duration) {
	for _, who := range []program{keepalived, keepc} {
		d := slices.Sorted(slices.Values(of(results[who])))
		if len(d) == 0 {
			fmt.Printf("%6v  %-52s %-11s no result\n", p.every, what, who)
			continue
		}
		p99 := d[(len(d)*99+99)/100-1]
		fmt.Printf("%6v  %-52s %-11s median %8v  p99 %8v", p.every, what, who, fine(d[len(d)/2]), fine(p99))
		if formula > 0 {
			verdict := "met"
			if p99 > formula+onTime {
				verdict = "MISSED"
			}
			fmt.Printf("  formula %8v + %v  %s", fine(formula), fine(p99-formula), verdict)
		}
		fmt.Println()
	}
}

// fine rounds to hundredths of a millisecond.
func fine(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
