package engine_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keepc/compiler/ir"
	"keepc/runtime/engine"
	"keepc/runtime/vrrp"
)

var epoch = time.Unix(1_000_000, 0)

func mustParse(t testing.TB, text string) *ir.Config {
	t.Helper()
	cfg, err := parseConfig(strings.Split(strings.TrimSpace(text), "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

const twoOfEach = `
A vrid 51 priority 150 addresses 192.0.2.10/24
B vrid 52 priority 100 addresses 192.0.2.20/24 garp_refresh 3s
service 192.0.2.10:80 quorum 2 sorry 10.0.0.9:80
server 10.0.0.2:80 warmup 10s
server 10.0.0.3:80 retry 2 also 10.0.0.3:8080
service 192.0.2.20:80 alpha
server 10.0.0.2:80 delay_loop 3s
`

func eth0(addrs ...string) engine.LinkChanged {
	l := engine.LinkChanged{Name: "eth0", Present: true, Up: true}
	for _, a := range addrs {
		l.Addrs = append(l.Addrs, netip.MustParseAddr(a))
	}
	return l
}

// A reload with an equal configuration is no event: not one effect, the same deadline, the same situation, and the future is that of
// an engine that was never reloaded.
func TestReloadWithEqualConfigChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.TrimSpace(twoOfEach)
		parse := func() *ir.Config {
			cfg, err := parseConfig(strings.Split(text, "\n"))
			if err != nil {
				t.Fatal(err)
			}
			return cfg
		}
		quiet, reloaded := engine.New(epoch, parse(), engine.Options{Seed: 7}), engine.New(epoch, parse(), engine.Options{Seed: 7})
		now := epoch
		var asked []engine.CheckID
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			if at, ok := quiet.Deadline(); ok && at.After(now) && rapid.Bool().Draw(t, "wait") {
				now = at
			}
			ev := drawEvent(t, &asked)
			effects := quiet.Step(now, ev)
			for _, f := range effects {
				if p, ok := f.(engine.StartProbe); ok {
					asked = append(asked, p.ID)
				}
			}
			if a, b := fmt.Sprint(effects), fmt.Sprint(reloaded.Step(now, ev)); a != b {
				t.Fatalf("%v: the reloaded engine says %s, the other %s", ev, b, a)
			}
			if effects := reloaded.Step(now, engine.Reload{Config: parse()}); len(effects) > 0 {
				t.Fatalf("the reload says %v", effects)
			}
			at, ok := quiet.Deadline()
			if at2, ok2 := reloaded.Deadline(); ok != ok2 || !at.Equal(at2) {
				t.Fatalf("deadline %v after the reload, %v without", at2, at)
			}
			if a, b := fmt.Sprint(quiet.Situation()), fmt.Sprint(reloaded.Situation()); a != b {
				t.Fatalf("situation %s after the reload, %s without", b, a)
			}
		}
	})
}

func drawEvent(t *rapid.T, asked *[]engine.CheckID) engine.Event {
	switch rapid.IntRange(0, 9).Draw(t, "event") {
	case 0:
		return engine.LinkChanged{Name: "eth0"}
	case 1, 2:
		return eth0("192.0.2.2")
	case 3:
		return packet(rapid.SampledFrom([]uint8{51, 52}).Draw(t, "vrid"), rapid.Byte().Draw(t, "priority"))
	case 4, 5:
		if len(*asked) > 0 {
			id := (*asked)[0]
			*asked = (*asked)[1:]
			return engine.ProbeDone{ID: id, Cause: rapid.SampledFrom([]string{"", "connect: connection refused"}).Draw(t, "cause")}
		}
	}
	return engine.Tick{}
}

func packet(vrid, priority uint8) engine.PacketReceived {
	p := vrrp.Packet{Version: 2, VRID: vrid, Priority: priority, Interval: time.Second, AuthType: ir.AuthPass, Auth: ir.NewSecret("s3cr3t")}
	src, dst := netip.MustParseAddr("192.0.2.3"), vrrp.Group(false)
	b, err := p.Marshal(src, dst)
	if err != nil {
		panic(err)
	}
	return engine.PacketReceived{Interface: "eth0", Src: src, Dst: dst, TTL: 255, Payload: b}
}

// In one step the wire comes before everything else.
func TestAdvertsComeFirst(t *testing.T) {
	e := engine.New(epoch, mustParse(t, twoOfEach), engine.Options{})
	e.Step(epoch, eth0("192.0.2.2"))
	var effects []engine.Effect
	effects = append(effects, e.Step(epoch.Add(time.Minute), engine.Tick{})...) // two masters, four probes
	seen := map[string]int{}
	for i, f := range effects {
		kind := fmt.Sprintf("%T", f)
		seen[kind]++
		if _, ok := f.(engine.SendAdvert); ok && i >= 2 {
			t.Errorf("advert at place %d of %v", i+1, effects)
		}
	}
	if seen["engine.SendAdvert"] != 2 || seen["engine.RoleChanged"] != 2 || seen["engine.StartProbe"] != 4 {
		t.Errorf("%v in %v", seen, effects)
	}
}

func TestEngineWaitsForItsInterfaces(t *testing.T) {
	e := engine.New(epoch, mustParse(t, "A priority 100"), engine.Options{})
	if at, ok := e.Deadline(); !ok || !at.Equal(epoch) {
		t.Errorf("deadline %v, %v; want the start", at, ok)
	}
	if effects := e.Step(epoch, engine.Reload{Config: mustParse(t, "A priority 101")}); len(effects) > 0 {
		t.Errorf("a reload before the first Tick: %v", effects)
	}
	if got := fmt.Sprint(e.Step(epoch, engine.Tick{})); got != "[A FAULT: eth0 is missing]" {
		t.Error(got)
	}
	if _, ok := e.Deadline(); ok {
		t.Error("a deadline though everything waits for eth0")
	}
}

func TestStopIsTheEnd(t *testing.T) {
	e := engine.New(epoch, mustParse(t, twoOfEach), engine.Options{})
	e.Step(epoch, eth0("192.0.2.2"))
	e.Step(epoch.Add(4*time.Second), engine.Tick{})
	want := "[advert on eth0: v2 vrid 51 priority 0 every 1s 192.0.2.10 advert on eth0: v2 vrid 52 priority 0 every 1s 192.0.2.20 A STOP: stopping B STOP: stopping]"
	if got := fmt.Sprint(e.Step(epoch.Add(5*time.Second), engine.Stop{})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, ok := e.Deadline(); ok {
		t.Error("a deadline after the end")
	}
	for _, ev := range []engine.Event{engine.Tick{}, eth0("192.0.2.2"), packet(51, 0), engine.Stop{}, engine.Reload{Config: mustParse(t, twoOfEach)}} {
		if effects := e.Step(epoch.Add(time.Hour), ev); len(effects) > 0 {
			t.Errorf("%v after the end: %v", ev, effects)
		}
	}
	if w := e.Want(); len(w.Addresses)+len(w.Services)+len(w.Destinations) > 0 {
		t.Errorf("after the end %v should exist", w)
	}
}

// A result that comes after its check has gone is nobody's.
func TestProbeOutlivesItsCheck(t *testing.T) {
	e := engine.New(epoch, mustParse(t, twoOfEach), engine.Options{})
	e.Step(epoch, engine.Tick{})
	var id engine.CheckID
	for _, f := range e.Step(epoch.Add(time.Minute), engine.Tick{}) {
		if p, ok := f.(engine.StartProbe); ok {
			id = p.ID
		}
	}
	e.Step(epoch.Add(time.Minute), engine.Reload{Config: mustParse(t, "A priority 100")})
	if effects := e.Step(epoch.Add(time.Minute), engine.ProbeDone{ID: id, Cause: "x"}); len(effects) > 0 {
		t.Errorf("%v", effects)
	}
	if s := e.Situation(); len(s.Down)+len(s.NoQuorum) > 0 {
		t.Errorf("%v", s)
	}
}

func TestEffectsDoNotPrintPasswords(t *testing.T) {
	e := engine.New(epoch, mustParse(t, "A priority 100"), engine.Options{})
	e.Step(epoch, eth0("192.0.2.2"))
	values := []any{packet(51, 1)}
	for _, f := range e.Step(epoch.Add(time.Minute), engine.Tick{}) {
		values = append(values, f)
	}
	raw := fmt.Sprint([]byte("s3cr3t"))
	for _, v := range values {
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if s := fmt.Sprintf(format, v); strings.Contains(s, "s3cr3t") || strings.Contains(s, strings.Trim(raw, "[]")) || strings.Contains(s, "0x73, 0x33") {
				t.Errorf("%s of %T shows the password: %s", format, v, s)
			}
		}
	}
}

// The first checks of a start are spread over the warm-up, by the seed.
func TestWarmupIsSpread(t *testing.T) {
	cfg := farm(1, 1000)
	firsts := func(seed uint64) (first, last time.Duration, trace string) {
		e := engine.New(epoch, cfg, engine.Options{Seed: seed})
		e.Step(epoch, engine.Tick{})
		for range 1000 {
			at, _ := e.Deadline()
			e.Step(at, engine.Tick{})
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

// farm is a configuration of many services with many servers each, one check per server.
func farm(services, servers int) *ir.Config {
	cfg := &ir.Config{}
	for i := range services {
		v := &ir.VirtualServer{Quorum: 1, Key: ir.ServiceKey{Protocol: ir.TCP, Addr: netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), Port: 80}}
		for j := range servers {
			a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(j >> 16), byte(j >> 8), byte(j)}), 80)
			spec := ir.CheckSpec{Kind: ir.TCPCheck, Target: a, DelayLoop: 10 * time.Second, Warmup: 10 * time.Second, ConnectTimeout: time.Second}
			v.RealServers = append(v.RealServers, &ir.RealServer{Addr: a, Weight: 1, Checks: []*ir.Check{{CheckSpec: spec}}})
		}
		cfg.VirtualServers = append(cfg.VirtualServers, v)
	}
	return cfg
}

// One probe of 50,000: the deadline, the tick, the result.
func BenchmarkProbeOf50000(b *testing.B) {
	for _, shape := range []struct{ services, servers int }{{3125, 16}, {1, 50000}} {
		b.Run(fmt.Sprintf("%dx%d", shape.services, shape.servers), func(b *testing.B) {
			e := engine.New(epoch, farm(shape.services, shape.servers), engine.Options{})
			e.Step(epoch, engine.Tick{})
			flip := ""
			b.ReportAllocs()
			for b.Loop() {
				at, _ := e.Deadline()
				for _, f := range e.Step(at, engine.Tick{}) {
					if p, ok := f.(engine.StartProbe); ok {
						e.Step(at, engine.ProbeDone{ID: p.ID, Cause: flip})
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

// A reload of 50,000 servers with an equal configuration.
func BenchmarkReload50000(b *testing.B) {
	a, c := farm(3125, 16), farm(3125, 16)
	e := engine.New(epoch, a, engine.Options{})
	e.Step(epoch, engine.Tick{})
	for b.Loop() {
		e.Step(epoch, engine.Reload{Config: c})
		a, c = c, a
	}
}
