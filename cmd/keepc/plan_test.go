package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/compiler/report"
	"keepc/runtime/lab"
	"keepc/runtime/lab/tutorial"
)

// plan runs "keepc plan" on lb01 with its repaired file, and returns what it printed.
func (s *stage) plan(args ...string) string {
	s.t.Helper()
	line := keepcArgs(s.t, append([]string{"plan", repaired(s.t, "lb01")}, args...)...)
	return s.LB01.Run(line[0], line[1:]...)
}

// TestPlan plays the tutorial's plans: an empty host, a host where the tutorial's commands were typed by hand, and a
// host where keepc enforces the file.
func TestPlan(t *testing.T) {
	s := newStage(t)

	golden(t, "empty", s.plan("--as", "master"))
	var m report.Plan
	if err := json.Unmarshal([]byte(s.plan("--as", "master", "--format", "json")), &m); err != nil {
		t.Fatal(err)
	}
	if want := (report.PlanSummary{Add: 4}); m.Version != report.PlanVersion || m.Summary != want {
		t.Errorf("JSON plan: version %d, summary %+v; want %+v", m.Version, m.Summary, want)
	}
	for _, c := range m.Changes {
		if c.Action == "foreign" {
			continue // the host's own addresses
		}
		if c.Why == "" || c.At == nil || c.At.Line == 0 {
			t.Errorf("JSON plan: %s %s has no reason or no line: %+v", c.Action, c.Name, c)
		}
	}
	line := keepcArgs(t, "plan", "--exit-code", "--as", "master", repaired(t, "lb01"))
	if out, err := s.LB01.Try(line[0], line[1:]...); err == nil || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("--exit-code with changes: %v, want exit status 4\n%s", err, out)
	}

	// Planning changed nothing.
	if rules := s.LB01.Run("ipvsadm", "-Sn"); strings.TrimSpace(rules) != "" || s.LB01.HasAddr(tutorial.VIP) {
		t.Errorf("plan changed the host:\n%s", rules)
	}

	s.LB01.Run("ip", "addr", "add", "10.0.0.3/24", "dev", "eth0", "label", "eth0:0")
	s.LB01.Run("ipvsadm", "--set", "30", "5", "60")
	s.LB01.Run("ipvsadm", "-A", "-t", "10.0.0.3:80", "-s", "wrr", "-p", "20")
	for _, web := range []string{"10.0.0.7:80", "10.0.0.8:80"} {
		s.LB01.Run("ipvsadm", "-a", "-t", "10.0.0.3:80", "-r", web, "-g", "-w", "1")
	}
	golden(t, "by-hand", s.plan("--as", "master"))

	// Reading the table needs CAP_NET_ADMIN, and the message says so.
	line = append([]string{"setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"}, keepcArgs(t, "plan", repaired(t, "lb01"))...)
	if out, err := s.LB01.Try(line[0], line[1:]...); err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(out, "CAP_NET_ADMIN") {
		t.Errorf("without CAP_NET_ADMIN: %v, want exit status 3 and the capability's name\n%s", err, out)
	}

	s.lb01 = s.start(s.LB01, keepc)
	s.lb01.WaitLog("oldboy MASTER  its addresses are here already", 15*time.Second) // it continues from what was typed by hand
	s.lb01.WaitLog("set service tcp 10.0.0.3:80", 10*time.Second)
	golden(t, "enforced", s.plan("--as", "master"))
	s.plan("--as", "master", "--exit-code")
	if live := s.plan(); !strings.Contains(live, "with the roles and health of the running daemon. Running daemon: pid") || !strings.Contains(live, "No changes.") {
		t.Errorf("the plan of a running director:\n%s", live)
	}
}

var (
	lineOf = regexp.MustCompile(`\S*/(lb0[12]\.conf)`)
	pidOf  = regexp.MustCompile(`pid \d+`)
)

// golden compares a screen with testdata/plan/NAME.txt. The test runs where nothing can be written, so the text that
// it prints must be copied by hand.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = pidOf.ReplaceAllString(lineOf.ReplaceAllString(got, "$1"), "pid N")
	want, err := os.ReadFile(filepath.Join("..", "..", "testdata", "plan", name+".txt"))
	if err != nil || got != string(want) {
		t.Errorf("%s (%v):\n%s\nwant\n%s", name, err, got, want)
	}
}

// TestSameKernelState is scenario h: as MASTER, keepc makes the addresses and virtual servers that keepalived makes.
func TestSameKernelState(t *testing.T) {
	s := newStage(t)
	traces := map[program]string{}
	for _, p := range []program{keepalived, keepc} {
		start := time.Now()
		s.lb01 = s.start(s.LB01, p)
		s.eventually(15*time.Second, "lb01 holds the address", func() error { return s.held("lb01") })
		s.eventually(10*time.Second, "both real servers are in", func() error { return s.destinations("10.0.0.7:80", "10.0.0.8:80") })
		s.firstFrom("10.0.0.5", start, 10*time.Second)
		traces[p] = "# ip -j addr\n" + indent(t, s.LB01.Run("ip", "-j", "addr")) + "\n# ipvsadm -Sn\n" + s.LB01.Run("ipvsadm", "-Sn")
		s.lb01.Stop()
		s.eventually(5*time.Second, "lb01 gives up the address", func() error { return s.held("") })
	}
	if traces[keepc] != traces[keepalived] {
		t.Errorf("keepc leaves\n%s\nkeepalived leaves\n%s", traces[keepc], traces[keepalived])
	}
	t.Log(traces[keepc])
}

// indent formats JSON so that two texts can be compared line by line.
func indent(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSameWire is the other half of scenario h: tshark decodes the advertisements of both in the same way. It needs no
// ip_vs.
func TestSameWire(t *testing.T) {
	lab.NeedPrograms(t, "keepalived", "tshark")
	decoded := map[program][]string{}
	for _, p := range []program{keepalived, keepc} {
		s := newPair(t)
		s.lb01 = s.start(s.LB01, p)
		s.eventually(15*time.Second, "five advertisements", func() error {
			if n := len(s.adverts(time.Time{})); n < 5 {
				return fmt.Errorf("%d so far", n)
			}
			return nil
		})
		s.lb01.Stop()
		time.Sleep(100 * time.Millisecond)
		s.wire.Stop()
		decoded[p] = decode(t, s.wire.File())
	}
	for _, p := range []program{keepalived, keepc} {
		if slices.ContainsFunc(decoded[p], func(line string) bool { return !strings.Contains(line, "62|") }) || len(decoded[p]) < 2 {
			t.Errorf("%s: tshark reads\n%s", p, strings.Join(decoded[p], "\n"))
		}
	}
	if !slices.Equal(decoded[keepc], decoded[keepalived]) {
		t.Errorf("tshark reads of keepc\n%s\nof keepalived\n%s", strings.Join(decoded[keepc], "\n"), strings.Join(decoded[keepalived], "\n"))
	}
	t.Logf("tshark reads of both:\n%s", strings.Join(decoded[keepc], "\n"))
}

// decode lists the distinct advertisements of a capture as tshark reads them, with their Ethernet and IP fields. The
// last field is the verdict on the checksum: 1 is good.
func decode(t *testing.T, file string) []string {
	t.Helper()
	args := []string{"-r", file, "-Y", "vrrp", "-T", "fields", "-E", "separator=|"}
	for _, f := range []string{"ip.src", "ip.dst", "ip.ttl", "ip.dsfield", "ip.len", "eth.dst", "vrrp.version", "vrrp.virt_rtr_id", "vrrp.prio", "vrrp.adver_int", "vrrp.addr_count", "vrrp.auth_type", "vrrp.auth_string", "vrrp.ip_addr", "vrrp.checksum", "vrrp.checksum.status"} {
		args = append(args, "-e", f)
	}
	cmd := exec.Command("tshark", args...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}
