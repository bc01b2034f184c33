package balance_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/health"
	"keepc/runtime/notify"
	"keepc/runtime/track"
)

var epoch = time.Unix(1_000_000, 0)

// TestWarmupIsSpread checks that the first checks of a start are spread over the warm-up by the seed.
func TestWarmupIsSpread(t *testing.T) {
	cfg := farm(1, 1000)
	firsts := func(seed uint64) (first, last time.Duration, trace string) {
		m := balance.New(epoch, balance.Prepare(cfg, balance.Start(seed)))
		m.Step(epoch, balance.Tick{})
		for range 1000 {
			at, _ := m.Deadline()
			m.Step(at, balance.Tick{})
			last = at.Sub(epoch)
			if first == 0 {
				first = last
			}
			trace += last.String() + " "
		}
		return first, last, trace
	}
	first, last, trace := firsts(1)
	if first < time.Second || first > 1100*time.Millisecond || last < 10*time.Second || last > 11*time.Second {
		t.Errorf("from %v to %v", first, last)
	}
	if _, _, again := firsts(1); again != trace {
		t.Error("the same seed spreads otherwise")
	}
	if _, _, other := firsts(2); other == trace {
		t.Error("another seed spreads the same way")
	}
}

// TestRoles checks that roles come from the router machine, as values for the keywords that depend on them.
func TestRoles(t *testing.T) {
	m := balance.New(epoch, balance.Prepare(farm(1, 1), balance.Start(0)))
	key := ir.InstanceKey{Interface: "eth0", VRID: 51}
	if effects := m.Step(epoch, balance.Roles{Master: map[ir.InstanceKey]bool{key: true}}); len(effects) > 0 || !m.Master(key) {
		t.Errorf("%v; master: %v", effects, m.Master(key))
	}
	if m.Step(epoch, balance.Roles{}); m.Master(key) {
		t.Error("still master")
	}
}

// TestStatistics checks that the checks of a server count together.
func TestStatistics(t *testing.T) {
	m := balance.New(epoch, balance.Prepare(farm(1, 2), balance.Start(0)))
	for range 4 { // two for each check
		at, _ := m.Deadline()
		for _, f := range m.Step(at, balance.Tick{}) {
			p := f.(balance.StartProbe)
			cause := ""
			if p.Server.Server.Addr().As4()[3] == 1 {
				cause = "connect: connection refused"
			}
			m.Step(at.Add(time.Millisecond), balance.ProbeDone{ID: p.ID, Result: health.Outcome(cause)})
		}
	}
	for k, s := range m.Statistics() {
		want := health.Statistics{Checks: 2, Duration: 2 * time.Millisecond}
		if k.Server.Addr().As4()[3] == 1 {
			want.Failures = 2
		}
		if s != want {
			t.Errorf("%v: %+v, want %+v", k, s, want)
		}
	}
	if n := len(m.Statistics()); n != 2 {
		t.Errorf("%d servers", n)
	}
}

// TestScripts checks that scripts run in the order of keepalived 2.2.7. A start runs only quorum_up; with omega a stop
// runs what a failure of all servers would. An address of a quorum is not a script.
func TestScripts(t *testing.T) {
	script := func(name string) *ir.Command { return &ir.Command{Args: []string{name}} }
	for _, c := range []struct {
		name         string
		alpha, omega bool
		address      bool
		want         string
	}{
		{"plain", false, false, false, "[up] [server-down down] [server-up up] []"},
		{"omega", false, true, false, "[up] [server-down down] [server-up up] [server-down down]"},
		{"alpha", true, false, false, "[] [] [server-up up] []"},
		{"address", false, true, true, "[] [server-down] [server-up] [server-down]"},
	} {
		cfg := farm(1, 1)
		v := cfg.VirtualServers[0]
		v.Alpha, v.Omega, v.QuorumUp, v.QuorumDown = c.alpha, c.omega, script("up"), script("down")
		v.RealServers[0].NotifyUp, v.RealServers[0].NotifyDown = script("server-up"), script("server-down")
		if c.address {
			v.QuorumAddress = &ir.Address{}
		}
		m := balance.New(epoch, balance.Prepare(cfg, balance.Start(0)))
		now := epoch
		var id balance.CheckID
		step := func(ev balance.Event) []string {
			ran := []string{}
			for _, f := range m.Step(now, ev) {
				switch f := f.(type) {
				case balance.Told:
					for _, c := range notify.OfBalance(f).Scripts {
						ran = append(ran, c.Args[0])
					}
				case balance.StartProbe:
					id = f.ID
				}
			}
			return ran
		}
		probe := func(cause string) []string {
			now, _ = m.Deadline()
			step(balance.Tick{})
			return step(balance.ProbeDone{ID: id, Result: health.Outcome(cause)})
		}
		got := fmt.Sprint(step(balance.Tick{}), probe("connection refused"), probe(""), step(balance.Stop{}))
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// TestScriptNotRun checks that alpha keeps a server out whose MISC_CHECK is not run, as with keepalived 2.2.7, until
// the script is there or the line is gone. A server that serves continues to.
func TestScriptNotRun(t *testing.T) {
	config := func(alpha, missing bool) *ir.Config {
		cfg := farm(1, 1)
		r := cfg.VirtualServers[0].RealServers[0]
		r.Alpha = alpha
		if missing {
			r.NotRun = []*ir.Check{{Checker: &ir.MiscCheck{}}}
		}
		return cfg
	}
	for _, c := range []struct {
		name            string
		alpha, missing  bool
		reloadedMissing bool
		want            string // after a good probe, and after a reload and a good probe
	}{
		{"missing", true, true, true, "down down"},
		{"missing, then there", true, true, false, "down up"},
		{"there, then missing", true, false, true, "up up"},
		{"without alpha", false, true, true, "up up"},
	} {
		first := balance.Prepare(config(c.alpha, c.missing), balance.Start(0))
		m, now := balance.New(epoch, first), epoch
		said := 0
		state := func() string {
			now, _ = m.Deadline()
			for _, f := range m.Step(now, balance.Tick{}) {
				switch f := f.(type) {
				case balance.StartProbe:
					m.Step(now, balance.ProbeDone{ID: f.ID, Result: health.Result{Up: true}})
				case balance.Note:
					said++
				}
			}
			if len(m.Situation().Down) > 0 {
				return "down"
			}
			return "up"
		}
		got := state()
		m.Step(now, balance.Swap{Next: balance.Prepare(config(c.alpha, c.reloadedMissing), m.Current())})
		if got += " " + state(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if (said == 1) != (c.alpha && c.missing) || said > 1 {
			t.Errorf("%s: said %d times that it stays out", c.name, said)
		}
	}
}

// farm is a configuration of many services with many servers each, one check per server.
func farm(services, servers int) *ir.Config {
	cfg := &ir.Config{}
	for i := range services {
		v := &ir.VirtualServer{Quorum: 1, Key: ir.ServiceKey{Protocol: ir.TCP, Addr: netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), Port: 80}}
		for j := range servers {
			a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(j >> 16), byte(j >> 8), byte(j)}), 80)
			c := &ir.Check{
				Checker: &ir.TCPCheck{}, Connection: ir.Connection{Target: a},
				CheckTiming: ir.CheckTiming{DelayLoop: 10 * time.Second, Warmup: 10 * time.Second, ConnectTimeout: time.Second},
			}
			v.RealServers = append(v.RealServers, &ir.RealServer{Addr: a, Weight: 1, Checks: []*ir.Check{c}})
		}
		cfg.VirtualServers = append(cfg.VirtualServers, v)
	}
	return cfg
}

// BenchmarkProbeOf50000 measures one probe of 50,000: the deadline, the tick, the result.
func BenchmarkProbeOf50000(b *testing.B) {
	for _, shape := range []struct{ services, servers int }{{3125, 16}, {1, 50000}} {
		b.Run(fmt.Sprintf("%dx%d", shape.services, shape.servers), func(b *testing.B) {
			m := balance.New(epoch, balance.Prepare(farm(shape.services, shape.servers), balance.Start(0)))
			m.Step(epoch, balance.Tick{})
			flip := ""
			b.ReportAllocs()
			for b.Loop() {
				at, _ := m.Deadline()
				for _, f := range m.Step(at, balance.Tick{}) {
					if p, ok := f.(balance.StartProbe); ok {
						m.Step(at, balance.ProbeDone{ID: p.ID, Result: health.Outcome(flip)})
					}
				}
				if flip == "" {
					flip = "connect: connection refused"
				} else {
					flip = ""
				}
			}
		})
	}
}

// BenchmarkPrepare50000 measures a reload of 50,000 servers with an equal configuration, beside the loop and on it.
func BenchmarkPrepare50000(b *testing.B) {
	m := balance.New(epoch, balance.Prepare(farm(3125, 16), balance.Start(0)))
	again := farm(3125, 16)
	for b.Loop() {
		balance.Prepare(again, m.Current())
	}
}

func BenchmarkSwap50000(b *testing.B) {
	m := balance.New(epoch, balance.Prepare(farm(3125, 16), balance.Start(0)))
	again := farm(3125, 16)
	for b.Loop() {
		b.StopTimer()
		next := balance.Prepare(again, m.Current())
		b.StartTimer()
		m.Step(epoch, balance.Swap{Next: next})
	}
}

// TestLacking checks that what this machine lacks is reported when the first check lacks it, and when no check does
// any longer, even because the check is gone; servers keep their state.
func TestLacking(t *testing.T) {
	m := balance.New(epoch, balance.Prepare(farm(1, 3), balance.Start(0)))
	var started []balance.StartProbe
	now := epoch
	for range 3 {
		now, _ = m.Deadline()
		for _, f := range m.Step(now, balance.Tick{}) {
			started = append(started, f.(balance.StartProbe))
		}
	}
	slices.SortFunc(started, func(a, b balance.StartProbe) int { return a.Server.Server.Compare(b.Server.Server) })
	const files, ports = "socket: too many open files", "connect: cannot assign requested address"
	say := func(ev balance.Event) (said []string) {
		for _, f := range m.Step(now, ev) {
			said = append(said, fmt.Sprint(f))
		}
		return said
	}
	lacks := func(i int, what string) balance.Event {
		return balance.ProbeDone{ID: started[i].ID, Result: health.Result{Inconclusive: what}}
	}
	for i, c := range []struct {
		event balance.Event
		want  string
	}{
		{lacks(0, files), "[checks: " + files + ": no verdict on a server; all keep their state]"},
		{lacks(1, files), "[]"},
		{lacks(2, ports), "[checks: " + ports + ": no verdict on a server; all keep their state]"},
		{balance.Swap{Next: balance.Prepare(farm(1, 2), m.Current())}, "[checks: " + ports + ": over; checks have a verdict again]"},
	} {
		if got := fmt.Sprint(say(c.event)); got != c.want {
			t.Errorf("%d: got %s, want %s", i, got, c.want)
		}
	}
	for i, want := range []string{"[]", "[checks: " + files + ": over; checks have a verdict again]"} {
		now = now.Add(time.Minute)
		m.Step(now, balance.Tick{})
		if got := fmt.Sprint(say(balance.ProbeDone{ID: started[i].ID, Result: health.Outcome("")})); got != want {
			t.Errorf("after it: got %s, want %s", got, want)
		}
	}
	if len(m.Situation().Down) > 0 {
		t.Errorf("down: %v", m.Situation().Down)
	}
}

// TestWeights checks that a check may set the weight of its server, which counts for the quorum too. A reload keeps it
// until the file has a different weight.
func TestWeights(t *testing.T) {
	dynamic := func(weight int) *ir.Config {
		cfg := farm(1, 2)
		v := cfg.VirtualServers[0]
		v.Quorum = 3
		for _, r := range v.RealServers {
			r.Weight = weight
			r.Checks[0].Checker = &ir.MiscCheck{Dynamic: true}
		}
		return cfg
	}
	m := balance.New(epoch, balance.Prepare(dynamic(2), balance.Start(0)))
	key := m.Config().VirtualServers[0].Key
	round := func(weights ...int) (said []string) {
		for range weights {
			at, _ := m.Deadline()
			for _, f := range m.Step(at, balance.Tick{}) {
				p, ok := f.(balance.StartProbe)
				if !ok {
					continue
				}
				r := health.Result{Up: true}
				if w := weights[p.Server.Server.Addr().As4()[3]]; w >= 0 {
					r.Weight = &w
				}
				for _, f := range m.Step(at, balance.ProbeDone{ID: p.ID, Result: r}) {
					said = append(said, fmt.Sprint(f))
				}
			}
		}
		slices.Sort(said)
		return said
	}
	is := func(i int) int {
		cfg := m.Config()
		d := state.Balance(cfg, m.Situation()).Destinations[state.DestinationKey{Service: key, Server: cfg.VirtualServers[0].RealServers[i].Addr}]
		return d.Weight
	}
	if said := round(-1, -1); len(said) > 0 || is(0) != 2 {
		t.Errorf("nothing was said: %v", said)
	}
	if got, want := fmt.Sprint(round(0, 1)), "[10.0.0.0:80 of tcp 192.0.0.0:80 its check set the weight to 0 (2 in the file)"+
		" 10.0.0.1:80 of tcp 192.0.0.0:80 its check set the weight to 1 (2 in the file)"+
		" tcp 192.0.0.0:80 lost its quorum: weight "; !strings.HasPrefix(got, want) {
		t.Errorf("got %s", got)
	}
	if is(0) != 0 || is(1) != 1 {
		t.Errorf("weights %d and %d", is(0), is(1))
	}
	if said := round(-1, -1); len(said) > 0 || is(1) != 1 {
		t.Errorf("what a check said holds on: %v", said)
	}
	m.Step(epoch, balance.Swap{Next: balance.Prepare(dynamic(2), m.Current())})
	if is(0) != 0 || is(1) != 1 {
		t.Errorf("after a reload of the same: weights %d and %d", is(0), is(1))
	}
	if got, want := fmt.Sprint(round(2, 1)), "[10.0.0.0:80 of tcp 192.0.0.0:80 its check set the weight to 2 (2 in the file)"+
		" tcp 192.0.0.0:80 has its quorum: weight 3 of 3 is alive, quorum 3]"; got != want {
		t.Errorf("got %s", got)
	}
	m.Step(epoch, balance.Swap{Next: balance.Prepare(dynamic(7), m.Current())})
	if is(0) != 7 || is(1) != 7 || len(m.Situation().Weight) > 0 {
		t.Errorf("after a change of the file: weights %d and %d", is(0), is(1))
	}
}

// TestFiles checks what keepalived 2.2.7 was seen to do with a real server of weight 10 for various numbers in a file.
func TestFiles(t *testing.T) {
	const down = -1
	for _, c := range []struct {
		name    string
		weight  ir.Weight
		numbers []int
		want    []int
	}{
		{"weight 1", ir.Weight{N: 1}, []int{0, 1, -1, 3, -20, 0, 100000, 2147483647, -2147483648, 0}, []int{10, 11, 9, 13, 0, 10, 100010, 2147483647, down, 10}},
		{"weight 2", ir.Weight{N: 2}, []int{0, 1, -1, 3, -20, 0, 100000, 2147483647, -2147483648, 0}, []int{10, 12, 8, 16, 0, 10, 200010, 2147483647, down, 10}},
		{"weight 2 reverse", ir.Weight{N: 2, Reverse: true}, []int{1, -1, 3, -20, 100000, 2147483647, -2147483648, 0}, []int{8, 12, 4, 50, 0, down, 2147483647, 10}},
		{"weight -1", ir.Weight{N: -1}, []int{1, -1, 3, -20, 100000, 2147483647, -2147483648, 0}, []int{9, 11, 7, 30, 0, 0, 2147483647, 10}},
		{"weight 0", ir.Weight{}, []int{0, 1, -1, 0}, []int{10, down, down, 10}},
	} {
		cfg := farm(1, 1)
		f := &ir.TrackFile{Name: "load", File: "/run/load", Weight: c.weight}
		cfg.TrackFiles = []*ir.TrackFile{f, {Name: "load", File: "/run/second"}}
		r := cfg.VirtualServers[0].RealServers[0]
		r.Weight, r.Checks[0].Checker = 10, &ir.FileCheck{TrackFile: ir.Name{Text: "load"}, Weight: &f.Weight}
		m := balance.New(epoch, balance.Prepare(cfg, balance.Start(0)))
		if at, ok := m.Deadline(); ok {
			t.Errorf("%s: it asks somebody at %v", c.name, at)
		}
		key := state.DestinationKey{Service: cfg.VirtualServers[0].Key, Server: r.Addr}
		for i, n := range c.numbers {
			m.Step(epoch, balance.FileSeen{File: track.OfFile(f), Value: n})
			got := down
			if d, ok := state.Balance(cfg, m.Situation()).Destinations[key]; ok {
				got = d.Weight
			}
			if got != c.want[i] {
				t.Errorf("%s: %d gives %d, want %d", c.name, n, got, c.want[i])
			}
			m.Step(epoch, balance.Swap{Next: balance.Prepare(cfg, m.Current())}) // changes nothing
		}
	}
}
