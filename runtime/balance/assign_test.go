package balance_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/health"
)

// effects are those of an event, one per line.
func effects(m *balance.Machine, at time.Time, ev balance.Event) string {
	var lines []string
	for _, f := range m.Step(at, ev) {
		lines = append(lines, fmt.Sprint(f))
	}
	return strings.Join(lines, "\n")
}

// TestAssign checks that an operator's weight takes precedence over that of the file, over a reload too, and counts
// for the quorum; enable undoes it.
func TestAssign(t *testing.T) {
	m := balance.New(epoch, balance.Prepare(farm(1, 2), balance.Start(0)))
	var keys []state.DestinationKey
	for k := range m.Statistics() {
		keys = append(keys, k)
	}
	zero := 0
	got := effects(m, epoch, balance.Assign{Servers: keys[:1], Weight: &zero})
	if want := fmt.Sprintf("%v an operator set the weight to 0 (1 in the file)", keys[0]); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	weight := func() int { return m.Want()().Destinations[keys[0]].Weight }
	if weight() != 0 {
		t.Errorf("the weight is %d", weight())
	}
	if got := effects(m, epoch, balance.Swap{Next: balance.Prepare(farm(1, 2), m.Current())}); got != "" || weight() != 0 {
		t.Errorf("a reload: %q, weight %d", got, weight())
	}
	if got := effects(m, epoch, balance.Assign{Servers: keys[1:], Weight: &zero}); !strings.Contains(got, "lost its quorum: weight 0 of 0") {
		t.Errorf("the last one: %q", got)
	}
	if s := m.Situation(); len(s.Assigned) != 2 || len(s.Weight) != 0 || len(s.Down) != 0 {
		t.Errorf("%+v", s)
	}
	got = effects(m, epoch, balance.Assign{Servers: keys})
	if !strings.Contains(got, "its weight is that of the file again, 1") || !strings.Contains(got, "has its quorum") || weight() != 1 || len(m.Situation().Assigned) != 0 {
		t.Errorf("taken back: %q, weight %d", got, weight())
	}
	if got := effects(m, epoch, balance.Assign{Servers: []state.DestinationKey{{}}, Weight: &zero}); got != "" {
		t.Errorf("nobody: %q", got)
	}
}

// TestDrainKeepsConnections checks that a drained server stays with weight 0 when the sorry server takes over.
func TestDrainKeepsConnections(t *testing.T) {
	cfg := farm(1, 1)
	cfg.VirtualServers[0].SorryServer = &ir.RealServer{Addr: netip.MustParseAddrPort("10.9.9.9:80"), Weight: 1}
	m := balance.New(epoch, balance.Prepare(cfg, balance.Start(0)))
	var key state.DestinationKey
	for k := range m.Statistics() {
		key = k
	}
	m.Step(epoch, balance.Assign{Servers: []state.DestinationKey{key}, Weight: new(int)})
	have := m.Want()().Destinations
	if d, there := have[key]; !there || d.Weight != 0 || len(have) != 2 {
		t.Errorf("%v", have)
	}
}

// TestSuspend checks that with ha_suspend servers are checked only while the address of their service is on this host,
// at their earlier pace.
func TestSuspend(t *testing.T) {
	cfg := farm(1, 1)
	v := cfg.VirtualServers[0]
	v.HASuspend = true
	instance := &ir.VRRPInstance{Name: "VI_1", Interface: "eth0", VRID: 51}
	instance.Addresses = []ir.Address{{Dev: "eth0", Prefix: netip.PrefixFrom(v.Key.Addr, 32)}}
	cfg.Instances = []*ir.VRRPInstance{instance}
	m := balance.New(epoch, balance.Prepare(cfg, balance.Start(0)))
	probes := func(n int) (count int) {
		for range n {
			at, some := m.Deadline()
			if !some {
				return count
			}
			for _, f := range m.Step(at, balance.Tick{}) {
				if p, ok := f.(balance.StartProbe); ok {
					count++
					m.Step(at, balance.ProbeDone{ID: p.ID, Result: health.Outcome("")})
				}
			}
		}
		return count
	}
	key := instance.Key()
	if n := probes(5); n != 0 {
		t.Errorf("%d checks of a BACKUP", n)
	}
	if got := effects(m, epoch, balance.Roles{Master: map[ir.InstanceKey]bool{key: true}}); !strings.Contains(got, "checks are active") || probes(5) != 5 {
		t.Errorf("MASTER: %q", got)
	}
	if got := effects(m, epoch, balance.Local{Addrs: map[netip.Addr]bool{}}); !strings.Contains(got, "checks are suspended") || probes(5) != 0 {
		t.Errorf("MASTER whose address somebody took: %q", got)
	}
	m.Step(epoch, balance.Local{Addrs: map[netip.Addr]bool{v.Key.Addr: true}})
	if m.Step(epoch, balance.Roles{}); probes(5) != 5 {
		t.Error("BACKUP that has the address all the same")
	}
	m.Step(epoch, balance.Local{Addrs: map[netip.Addr]bool{}})
	plain := farm(1, 1)
	if got := effects(m, epoch, balance.Swap{Next: balance.Prepare(plain, m.Current())}); !strings.Contains(got, "checks are active") || probes(5) != 5 {
		t.Errorf("without ha_suspend: %q", got)
	}
}

// TestLogAllFailures checks that each failure of a check is reported, and the one that counts only once.
func TestLogAllFailures(t *testing.T) {
	cfg := farm(1, 1)
	cfg.Global.CheckerLogAllFailures = true
	cfg.VirtualServers[0].RealServers[0].Checks[0].Retry = 1
	m := balance.New(epoch, balance.Prepare(cfg, balance.Start(0)))
	var told []string
	for _, cause := range []string{"", "a", "b", "c", ""} {
		at, _ := m.Deadline()
		for _, f := range m.Step(at, balance.Tick{}) {
			if p, ok := f.(balance.StartProbe); ok {
				for _, e := range m.Step(at, balance.ProbeDone{ID: p.ID, Result: health.Outcome(cause)}) {
					switch e.(type) {
					case balance.Note, balance.ServerChanged:
						told = append(told, fmt.Sprintf("%T", e))
					}
				}
			}
		}
	}
	if got := strings.Join(told, " "); got != "balance.Note balance.ServerChanged balance.Note balance.ServerChanged" {
		t.Errorf("told %s", got)
	}
}
