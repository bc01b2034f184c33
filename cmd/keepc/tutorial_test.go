package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"keepc/runtime/lab"
	"keepc/runtime/lab/tutorial"
)

// The scenarios of this file play the tutorial on a real kernel: two directors, two real servers, two clients. Times
// are those of the guest's clock if the kernel runs in a virtual machine.

const (
	interval = time.Second
	skew     = (256 - 50) * time.Second / 256 // of lb02, priority 50
	down     = 3*interval + skew              // its master-down interval
)

// A program is one of the two programs that a director can run.
type program string

const (
	keepc      program = "keepc"
	keepalived program = "keepalived"
)

// builtHere in the environment of the virtual machine is the program that was built outside it.
const builtHere = "KEEPC_TEST_BUILT"

// asKeepc in the environment makes the test binary behave as keepc.
const asKeepc = "KEEPC_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(asKeepc) {
	case "":
	case fakedIPVS:
		keepcWithoutIPVS()
	default:
		main()
		return
	}
	s := suite{lab.Main(m)}
	s.Prepare = func() ([]string, error) { // building takes minutes in the virtual machine
		bin, err := build()
		return []string{builtHere + "=" + bin}, err
	}
	s.Beside = []string{
		"TestPlan", "TestSameKernelState", "TestCheckerDumpFiles", "TestCheckerDumps", "TestImport", "TestIPVLAN",
		"TestRealServer", "TestRealServerNAT", "TestSameTable", "TestPages", "TestFailover", "TestHealth", "TestReload",
	}
	goleak.VerifyTestMain(s)
}

// A suite removes the program that it built.
type suite struct{ lab.Suite }

func (s suite) Run() int {
	status := s.Suite.Run()
	_ = os.RemoveAll(built)
	return status
}

// keepcArgs returns the command line of keepc: the program as people get it, or, if make test asks for it and not in the
// virtual machine, where it would be too slow, the same with the race detector.
func keepcArgs(t testing.TB, args ...string) []string {
	t.Helper()
	if os.Getenv("KEEPC_RACE") == "" || os.Getenv("KEEPC_BIN") != "" || os.Getenv(builtHere) != "" {
		return append([]string{shipped(t)}, args...)
	}
	bin, err := buildRaced()
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{bin}, args...)
}

// A stage is a running cluster with a capture of what lb02 receives and sends.
type stage struct {
	*tutorial.Cluster
	t          *testing.T
	lb01, lb02 *lab.Process
	web        map[string]*lab.Process
	wire       *lab.Capture
}

// newStage builds the network and starts the real servers, not the directors.
func newStage(t *testing.T) *stage {
	lab.NeedIPVS(t)
	s := &stage{Cluster: tutorial.New(lab.New(t)), t: t, web: map[string]*lab.Process{}}
	for _, h := range []*lab.Host{s.Web01, s.Web02} {
		s.serve(h)
	}
	s.wire = s.Second.Capture("eth0")
	return s
}

func (s *stage) serve(web *lab.Host) {
	s.t.Helper()
	p, err := tutorial.Serve(web)
	if err != nil {
		s.t.Fatal(err)
	}
	s.web[web.Name()] = p
}

// start starts a program on a director with its repaired file, which is copied into the host's directory for edits.
func (s *stage) start(h *lab.Host, p program) *lab.Process {
	s.t.Helper()
	text, err := os.ReadFile(repaired(s.t, h.Name()))
	if err != nil {
		s.t.Fatal(err)
	}
	file := s.file(h)
	if err := os.WriteFile(file, text, 0o644); err != nil {
		s.t.Fatal(err)
	}
	if p == keepalived {
		path, err := exec.LookPath("keepalived")
		if err != nil {
			lab.Missing(s.t, "keepalived is not installed")
		}
		args := []string{"--dont-fork", "--log-console", "--log-detail", "--use-file", file}
		if len(s.web) == 0 { // only VRRP
			args = append(args, "--vrrp")
		}
		return h.Start(path, args...)
	}
	args := keepcArgs(s.t, "run", "-v", "--watch", file)
	return h.Start(args[0], args[1:]...)
}

func (s *stage) file(h *lab.Host) string { return filepath.Join(h.Dir(), h.Name()+".conf") }

// direct starts both directors and waits until lb01 holds the address.
func (s *stage) direct(first, second program) {
	s.t.Helper()
	s.lb02 = s.start(s.LB02, second)
	s.lb01 = s.start(s.LB01, first)
	s.eventually(15*time.Second, "lb01 holds the address", func() error { return s.held("lb01") })
	s.pages("the client gets pages")
}

func (s *stage) held(by string) error {
	if got := s.Holders(); got != by {
		return fmt.Errorf("%s is held by %q, not by %s", tutorial.VIP, got, by)
	}
	return nil
}

func (s *stage) page() error { _, err := s.get(s.Client); return err }

func (s *stage) get(client *lab.Host) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lab.Patience(2*time.Second))
	defer cancel()
	return tutorial.Get(ctx, client)
}

// eventually polls until f returns nil.
func (s *stage) eventually(limit time.Duration, what string, f func() error) {
	s.t.Helper()
	var err error
	for end := time.Now().Add(lab.Patience(limit)); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	s.t.Fatalf("%s: not within %v: %v", what, lab.Patience(limit), err)
}

// pages waits until the client gets pages, on a stage with real servers.
func (s *stage) pages(what string) {
	s.t.Helper()
	if len(s.web) > 0 {
		s.eventually(5*time.Second, what, s.page)
	}
}

// slack returns how late a takeover may be. An emulated processor is some 25 times slower, and both directors share
// two of them with everything else; there it is twice as much.
func slack(d time.Duration) time.Duration {
	if strings.Contains(lab.Kernel(), "qemu/tcg") {
		return 2 * d
	}
	return d
}

// An advert is a VRRP packet on the wire.
type advert struct {
	at       time.Time
	from     netip.Addr
	priority uint8
}

// adverts lists the advertisements since a time.
func (s *stage) adverts(since time.Time) []advert { return advertsIn(s.wire, since) }

// advertsIn lists the advertisements of a capture since a time.
func advertsIn(wire *lab.Capture, since time.Time) (all []advert) {
	for _, f := range wire.Frames() {
		d := f.Data
		if f.Time.Before(since) || len(d) < 14+20+8 || d[12] != 8 || d[13] != 0 || d[23] != 112 {
			continue
		}
		from, _ := netip.AddrFromSlice(d[26:30])
		all = append(all, advert{f.Time, from, d[14+20+2]})
	}
	return all
}

// firstFrom waits for the first advertisement of a director since a time.
func (s *stage) firstFrom(from string, since time.Time, limit time.Duration) advert {
	s.t.Helper()
	var found advert
	s.eventually(limit, "an advertisement of "+from, func() error {
		for _, a := range s.adverts(since) {
			if a.from == netip.MustParseAddr(from) && a.priority > 0 {
				found = a
				return nil
			}
		}
		return errors.New("none")
	})
	return found
}

// firstARP finds the first gratuitous ARP of a director for the virtual address since a time.
func (s *stage) firstARP(h *lab.Host, since time.Time) (at time.Time, ok bool) {
	mac := h.Link("eth0").MAC()
	for _, f := range s.wire.Frames() {
		d := f.Data
		if f.Time.Before(since) || len(d) < 42 || d[12] != 8 || d[13] != 6 {
			continue
		}
		if slices.Equal(d[22:28], mac) && slices.Equal(d[28:32], tutorial.VIP.AsSlice()) && slices.Equal(d[38:42], tutorial.VIP.AsSlice()) {
			return f.Time, true
		}
	}
	return time.Time{}, false
}

// TestPages is scenario a: pages through the virtual address; persistence keeps one client on one server.
func TestPages(t *testing.T) {
	s := newStage(t)
	s.direct(keepc, keepc)
	servers := map[string]bool{}
	for _, client := range []*lab.Host{s.Client, s.Second} {
		var first string
		for i := range 10 {
			server, err := s.get(client)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = server
				servers[server] = true
			} else if server != first {
				t.Errorf("persistence 50: %s moved from %s to %s", client.Name(), first, server)
			}
		}
	}
	if len(servers) != 2 {
		t.Errorf("wrr: both clients got %v; two clients should get two servers", servers)
	}
}

// TestFailover is scenarios b and c for every pair of programs: a director that is cut off, and one that stops.
func TestFailover(t *testing.T) { failover(t, newStage, false) }

// TestFailoverHere is TestFailover for VRRP only, on this machine's kernel, whose clock is not emulated.
func TestFailoverHere(t *testing.T) { failover(t, newPair, true) }

// failover plays the pairs one after the other, or concurrently if the processors are real.
func failover(t *testing.T, build func(*testing.T) *stage, beside bool) {
	for _, pair := range []struct{ first, second program }{{keepc, keepc}, {keepc, keepalived}, {keepalived, keepc}} {
		t.Run(fmt.Sprintf("%s and %s", pair.first, pair.second), func(t *testing.T) {
			if beside {
				t.Parallel()
			}
			s := build(t)
			s.direct(pair.first, pair.second)
			s.cutAndHeal()
			s.stopFirst()
		})
	}
}

// cutAndHeal is scenario b.
func (s *stage) cutAndHeal() {
	s.t.Helper()
	time.Sleep(2 * interval) // the second burst of announcements belongs to the start
	cut := time.Now()
	s.LB01.Link("eth0").Down()
	took := s.firstFrom("10.0.0.6", cut, down+5*time.Second)
	s.t.Logf("lb01 is cut off: lb02 advertises after %v (master-down interval %v)", took.at.Sub(cut).Round(time.Millisecond), down.Round(time.Millisecond))
	if after := took.at.Sub(cut); after > down+slack(500*time.Millisecond) {
		s.t.Errorf("lb02 took over after %v, want at most %v + 0.5 s", after, down)
	}
	s.eventually(2*time.Second, "lb02 announces the address", func() error {
		if _, ok := s.firstARP(s.LB02, cut); !ok {
			return errors.New("no gratuitous ARP")
		}
		return nil
	})
	s.eventually(2*time.Second, "lb02 holds the address", func() error {
		if !s.LB02.HasAddr(tutorial.VIP) {
			return errors.New("it does not")
		}
		return nil
	})
	s.pages("the client gets pages again")

	healed := time.Now()
	s.LB01.Link("eth0").Up()
	back := s.firstFrom("10.0.0.5", healed, 10*time.Second)
	s.t.Logf("lb01 is back: it advertises after %v", back.at.Sub(healed).Round(time.Millisecond))
	time.Sleep(time.Until(back.at.Add(slack(interval))))
	if err := s.held("lb01"); err != nil {
		s.t.Errorf("one interval after lb01 took it back: %v", err)
	}
	s.pages("the client gets pages from lb01")
}

// stopFirst is scenario c.
func (s *stage) stopFirst() {
	s.t.Helper()
	stopped := time.Now()
	s.lb01.Signal(syscall.SIGTERM)
	took := s.firstFrom("10.0.0.6", stopped, 5*time.Second)
	var zero advert
	for _, a := range s.adverts(stopped) {
		if a.priority == 0 && a.from == netip.MustParseAddr("10.0.0.5") {
			zero = a
			break
		}
	}
	if zero.at.IsZero() {
		s.t.Fatalf("lb01 said no farewell: no advertisement of priority 0")
	}
	s.t.Logf("lb01 stops: lb02 advertises %v after its farewell (skew %v)", took.at.Sub(zero.at).Round(time.Millisecond), skew.Round(time.Millisecond))
	if after := took.at.Sub(zero.at); after > skew+slack(300*time.Millisecond) {
		s.t.Errorf("lb02 took over %v after priority 0, want at most %v + 0.3 s", after, skew)
	}
	if err := s.lb01.Wait(10 * time.Second); err != nil {
		s.t.Errorf("lb01 ended with %v\n%s", err, s.lb01.Log())
	}
	s.eventually(2*time.Second, "lb02 alone holds the address", func() error { return s.held("lb02") })
	if len(s.web) > 0 {
		if rules := strings.TrimSpace(s.LB01.Run("ipvsadm", "-Sn")); rules != "" {
			s.t.Errorf("lb01 left virtual servers behind:\n%s", rules)
		}
	}
	s.pages("the client gets pages from lb02")
}

// TestHealth is scenario d: a real server that stops listening is removed after its retries and comes back with the
// first good check.
func TestHealth(t *testing.T) {
	s := newStage(t)
	s.direct(keepc, keepc)
	time.Sleep(8 * time.Second) // past the first check, within 1 s + delay_loop: before it, one failure is enough
	stopped := time.Now()
	s.web["web01"].Stop()
	s.eventually(40*time.Second, "10.0.0.7 leaves", func() error { return s.destinations("10.0.0.8:80") })
	left := time.Since(stopped)
	t.Logf("web01 left the table %v after it stopped listening (at least 3 retries x 3 s, at most + delay_loop 6 s)", left.Round(time.Millisecond))
	if left < 9*time.Second {
		t.Errorf("10.0.0.7 left after %v: before its three retries, 3 s apart", left)
	}
	for range 4 {
		if server, err := s.get(s.Client); err != nil || server != "web02" {
			t.Errorf("with web01 gone the client got %q, %v", server, err)
		}
	}
	s.serve(s.Web01)
	back := time.Now()
	s.eventually(20*time.Second, "10.0.0.7 comes back", func() error { return s.destinations("10.0.0.7:80", "10.0.0.8:80") })
	t.Logf("web01 came back %v after it listened again (delay_loop 6 s)", time.Since(back).Round(time.Millisecond))
}

// destinations compares the real servers in lb01's kernel.
func (s *stage) destinations(want ...string) error {
	var got []string
	for line := range strings.Lines(s.LB01.Run("ipvsadm", "-Sn")) {
		if f := strings.Fields(line); len(f) > 4 && f[0] == "-a" {
			got = append(got, f[4])
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fmt.Errorf("real servers %v, want %v", got, want)
	}
	return nil
}

// TestReload is scenarios e and f: edits are applied automatically; only what changed is touched; a broken file is
// refused.
func TestReload(t *testing.T) {
	s := newStage(t)
	s.direct(keepc, keepc)
	time.Sleep(7 * interval) // past the second burst and the first checks
	conn := s.hold()
	start, said := time.Now(), len(s.lb02.Log())

	edits := []struct {
		name   string
		old    string
		new    string
		rename bool // the editor writes a new file and renames it
		writes []string
	}{
		{"a weight", "real_server 10.0.0.7 80 {\n\t\tweight 1", "real_server 10.0.0.7 80 {\n\t\tweight 3", false,
			[]string{"set destination 10.0.0.7:80 of tcp 10.0.0.3:80"}},
		{"a third real server", "\treal_server 10.0.0.7 80 {", "\treal_server 10.0.0.9 80 {\n\t\tweight 1\n\t}\n\treal_server 10.0.0.7 80 {", true,
			[]string{"set destination 10.0.0.9:80 of tcp 10.0.0.3:80"}},
		{"the label", "label eth0:0", "label eth0:1", true,
			[]string{"delete address 10.0.0.3/24 dev eth0", "set address 10.0.0.3/24 dev eth0"}},
	}
	for _, e := range edits {
		before := len(s.writes())
		s.edit(e.old, e.new, e.rename)
		s.eventually(5*time.Second, e.name+" is applied", func() error {
			if n := strings.Count(s.lb01.Log(), " done in "); n == 0 || len(s.writes()) < before+len(e.writes) {
				return fmt.Errorf("writes %v", s.writes()[before:])
			}
			return nil
		})
		time.Sleep(interval)
		if got := s.writes()[before:]; !slices.Equal(got, e.writes) {
			t.Errorf("%s: the kernel saw %q, want %q", e.name, got, e.writes)
		}
		conn.get(t)
	}

	good, before := s.LB01.Run("ipvsadm", "-Sn"), len(s.writes())
	s.edit("priority 100", "prioritty 100", true)
	s.lb01.WaitLog(`unknown keyword "prioritty"`, 5*time.Second)
	s.lb01.WaitLog("still enforcing", 5*time.Second)
	if now := s.LB01.Run("ipvsadm", "-Sn"); now != good || len(s.writes()) != before {
		t.Errorf("a broken file changed the kernel:\n%s\nwas\n%s", now, good)
	}
	s.edit("prioritty 100", "priority 101", false)
	s.eventually(5*time.Second, "the next good file is applied", func() error { return s.priority("10.0.0.5", 101) })

	// kill -HUP reloads, too: the same bytes change nothing in the kernel.
	before = len(s.writes())
	s.lb01.Signal(syscall.SIGHUP)
	time.Sleep(2 * interval)
	if now := s.writes()[before:]; len(now) > 0 {
		t.Errorf("a reload of an unchanged file wrote %q", now)
	}
	conn.get(t)

	s.steady(start)
	if log := s.lb02.Log()[said:]; strings.Contains(log, " MASTER ") {
		t.Errorf("lb02 became MASTER during reloads of lb01:\n%s", log)
	}
}

// edit replaces text in lb01's file, in place or by a rename.
func (s *stage) edit(old, new string, rename bool) {
	s.t.Helper()
	file := s.file(s.LB01)
	text, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	if strings.Count(string(text), old) != 1 {
		s.t.Fatalf("%q does not stand once in\n%s", old, text)
	}
	text = []byte(strings.Replace(string(text), old, new, 1))
	if !rename {
		err = os.WriteFile(file, text, 0o644)
	} else if err = os.WriteFile(file+"~", text, 0o644); err == nil {
		err = os.Rename(file+"~", file)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

var writeLine = regexp.MustCompile(`(?m)^\S+ kernel +(.*)$`)

// writes lists what lb01 has written to its kernel so far.
func (s *stage) writes() (all []string) {
	for _, m := range writeLine.FindAllStringSubmatch(s.lb01.Log(), -1) {
		all = append(all, m[1])
	}
	return all
}

// priority reports whether the last advertisement of a director has the priority.
func (s *stage) priority(from string, want uint8) error {
	all := s.adverts(time.Time{})
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].from == netip.MustParseAddr(from) {
			if all[i].priority == want {
				return nil
			}
			return fmt.Errorf("priority %d", all[i].priority)
		}
	}
	return errors.New("no advertisement")
}

// steady checks that lb01 has advertised without a gap since a time and that nobody else did.
func (s *stage) steady(since time.Time) {
	s.t.Helper()
	late := slack(250 * time.Millisecond)
	all := s.adverts(since)
	worst := time.Duration(0)
	for i, a := range all {
		if a.from != netip.MustParseAddr("10.0.0.5") {
			s.t.Errorf("%v advertised", a.from)
		}
		if i > 0 {
			worst = max(worst, a.at.Sub(all[i-1].at))
		}
	}
	s.t.Logf("%d advertisements, at most %v apart", len(all), worst.Round(time.Millisecond))
	if worst > interval+late {
		s.t.Errorf("an advertisement came %v after the one before, want at most %v + %v", worst, interval, late)
	}
}

// A held is a held connection through the virtual address.
type held struct {
	net.Conn
	r *bufio.Reader
}

func (s *stage) hold() *held {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lab.Patience(5*time.Second))
	defer cancel()
	conn, err := s.Client.Dial(ctx, "tcp", "10.0.0.3:80")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return &held{conn, bufio.NewReader(conn)}
}

// get asks for a page over the held connection.
func (h *held) get(t *testing.T) {
	t.Helper()
	if err := h.SetDeadline(time.Now().Add(lab.Patience(5 * time.Second))); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(h, "GET / HTTP/1.1\r\nHost: 10.0.0.3\r\n\r\n"); err != nil {
		t.Fatalf("the held connection broke: %v", err)
	}
	resp, err := http.ReadResponse(h.r, nil)
	if err != nil {
		t.Fatalf("the held connection broke: %v", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatalf("the held connection broke: %v", err)
	}
}
