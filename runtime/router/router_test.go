package router_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keepc/compiler/ir"
	"keepc/runtime/balance"
	"keepc/runtime/health"
	"keepc/runtime/router"
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

func eth0(addrs ...string) router.LinkChanged {
	l := router.LinkChanged{Name: "eth0", Present: true, Up: true}
	for _, a := range addrs {
		l.Addrs = append(l.Addrs, netip.MustParseAddr(a))
	}
	return l
}

// TestReloadWithEqualConfigChangesNothing checks that the only effect of a reload with an equal configuration is that
// its MASTERs advertise beforehand; the deadline and the situation are the same, and the future is that of a director
// whose MASTERs advertised and that was never reloaded.
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
		quiet, reloaded := newDirector(epoch, parse(), 7), newDirector(epoch, parse(), 7)
		now := epoch
		var asked []balance.CheckID
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			if at, ok := quiet.Deadline(); ok && at.After(now) && rapid.Bool().Draw(t, "wait") {
				now = at
			}
			ev := drawEvent(t, &asked)
			effects := quiet.Step(now, ev)
			for _, f := range effects {
				if p, ok := f.(balance.StartProbe); ok {
					asked = append(asked, p.ID)
				}
			}
			if a, b := fmt.Sprint(effects), fmt.Sprint(reloaded.Step(now, ev)); a != b {
				t.Fatalf("%v: the reloaded director says %s, the other %s", ev, b, a)
			}
			if a, b := fmt.Sprint(quiet.Step(now, router.Speak{})), fmt.Sprint(reloaded.Step(now, reload{parse()})); a != b {
				t.Fatalf("the reload says %s, and without one %s", b, a)
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

func drawEvent(t *rapid.T, asked *[]balance.CheckID) any {
	switch rapid.IntRange(0, 9).Draw(t, "event") {
	case 0:
		return router.LinkChanged{Name: "eth0"}
	case 1, 2:
		return eth0("192.0.2.2")
	case 3:
		return packet(rapid.SampledFrom([]uint8{51, 52}).Draw(t, "vrid"), rapid.Byte().Draw(t, "priority"))
	case 4, 5:
		if len(*asked) > 0 {
			id := (*asked)[0]
			*asked = (*asked)[1:]
			return balance.ProbeDone{ID: id, Result: health.Outcome(rapid.SampledFrom([]string{"", "connect: connection refused"}).Draw(t, "cause"))}
		}
	}
	return tick{}
}

func packet(vrid, priority uint8) router.PacketReceived {
	p := vrrp.Packet{Version: 2, VRID: vrid, Priority: priority, Interval: time.Second, AuthType: ir.AuthPass, Auth: ir.NewSecret("s3cr3t")}
	src, dst := netip.MustParseAddr("192.0.2.3"), ir.MulticastGroup(false)
	b, err := p.Marshal(src, dst)
	if err != nil {
		panic(err)
	}
	return router.PacketReceived{Interface: "eth0", Src: src, Dst: dst, TTL: 255, Payload: b}
}

// TestAdvertsComeFirst checks that in one step, advertisements come before everything else.
func TestAdvertsComeFirst(t *testing.T) {
	e := newDirector(epoch, mustParse(t, twoOfEach), 0)
	e.Step(epoch, eth0("192.0.2.2"))
	var effects []any
	effects = append(effects, e.Step(epoch.Add(time.Minute), tick{})...) // two masters, four probes
	seen := map[string]int{}
	for i, f := range effects {
		kind := fmt.Sprintf("%T", f)
		seen[kind]++
		if _, ok := f.(router.SendAdvert); ok && i >= 2 {
			t.Errorf("advert at place %d of %v", i+1, effects)
		}
	}
	if seen["router.SendAdvert"] != 2 || seen["router.RoleChanged"] != 2 || seen["balance.StartProbe"] != 4 {
		t.Errorf("%v in %v", seen, effects)
	}
}

func TestWaitsForItsInterfaces(t *testing.T) {
	e := newDirector(epoch, mustParse(t, "A priority 100"), 0)
	if at, ok := e.Deadline(); !ok || !at.Equal(epoch) {
		t.Errorf("deadline %v, %v; want the start", at, ok)
	}
	if effects := e.Step(epoch, reload{mustParse(t, "A priority 101")}); len(effects) > 0 {
		t.Errorf("a reload before the first Tick: %v", effects)
	}
	if got := fmt.Sprint(e.Step(epoch, tick{})); got != "[A FAULT: eth0 is missing]" {
		t.Error(got)
	}
	if _, ok := e.Deadline(); ok {
		t.Error("a deadline though everything waits for eth0")
	}
}

func TestStopIsTheEnd(t *testing.T) {
	e := newDirector(epoch, mustParse(t, twoOfEach), 0)
	e.Step(epoch, eth0("192.0.2.2"))
	e.Step(epoch.Add(4*time.Second), tick{})
	want := "[advert on eth0: v2 vrid 51 priority 0 every 1s 192.0.2.10 advert on eth0: v2 vrid 52 priority 0 every 1s 192.0.2.20 A STOP: stopping B STOP: stopping]"
	if got := fmt.Sprint(e.Step(epoch.Add(5*time.Second), stop{})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, ok := e.Deadline(); ok {
		t.Error("a deadline after the end")
	}
	for _, ev := range []any{tick{}, eth0("192.0.2.2"), packet(51, 0), stop{}, reload{mustParse(t, twoOfEach)}} {
		if effects := e.Step(epoch.Add(time.Hour), ev); len(effects) > 0 {
			t.Errorf("%v after the end: %v", ev, effects)
		}
	}
	if w := e.Want(); len(w.Addresses)+len(w.Services)+len(w.Destinations) > 0 {
		t.Errorf("after the end %v should exist", w)
	}
}

// TestProbeOutlivesItsCheck checks that a result that comes after its check has been removed is ignored.
func TestProbeOutlivesItsCheck(t *testing.T) {
	e := newDirector(epoch, mustParse(t, twoOfEach), 0)
	e.Step(epoch, tick{})
	var id balance.CheckID
	for _, f := range e.Step(epoch.Add(time.Minute), tick{}) {
		if p, ok := f.(balance.StartProbe); ok {
			id = p.ID
		}
	}
	e.Step(epoch.Add(time.Minute), reload{mustParse(t, "A priority 100")})
	if effects := e.Step(epoch.Add(time.Minute), balance.ProbeDone{ID: id, Result: health.Outcome("x")}); len(effects) > 0 {
		t.Errorf("%v", effects)
	}
	if s := e.Situation(); len(s.Down)+len(s.NoQuorum) > 0 {
		t.Errorf("%v", s)
	}
}

func TestEffectsDoNotPrintPasswords(t *testing.T) {
	e := newDirector(epoch, mustParse(t, "A priority 100"), 0)
	e.Step(epoch, eth0("192.0.2.2"))
	values := []any{packet(51, 1)}
	values = append(values, e.Step(epoch.Add(time.Minute), tick{})...)
	raw := fmt.Sprint([]byte("s3cr3t"))
	for _, v := range values {
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if s := fmt.Sprintf(format, v); strings.Contains(s, "s3cr3t") || strings.Contains(s, strings.Trim(raw, "[]")) || strings.Contains(s, "0x73, 0x33") {
				t.Errorf("%s of %T shows the password: %s", format, v, s)
			}
		}
	}
}

// TestQuorum checks that the quorum comes from the balance machine, as values for the keywords that depend on it.
func TestQuorum(t *testing.T) {
	d := newDirector(epoch, mustParse(t, twoOfEach), 0)
	lost := ir.ServiceKey{Protocol: ir.TCP, Addr: netip.MustParseAddr("192.0.2.10"), Port: 80}
	if effects := d.Step(epoch, router.Quorum{Lost: map[ir.ServiceKey]bool{lost: true}}); len(effects) > 0 || !d.routers.QuorumLost(lost) {
		t.Errorf("%v; lost: %v", effects, d.routers.QuorumLost(lost))
	}
	if d.Step(epoch, router.Quorum{}); d.routers.QuorumLost(lost) {
		t.Error("the quorum is still lost")
	}
}

// TestCounters checks what is counted besides the instances' own statistics: packets for other virtual routers, and
// runs of scripts.
func TestCounters(t *testing.T) {
	d := newDirector(epoch, mustParse(t, "script web fall 2\nA vrid 51 priority 100 track script:web"), 0)
	d.Step(epoch, eth0("192.0.2.2"))
	for range 3 {
		d.Step(epoch, packet(77, 100))
	}
	if n := d.routers.VRIDErrors(); n != 3 {
		t.Errorf("%d packets for others, want 3", n)
	}
	for _, cause := range []string{"", "exit status 1", "", "exit status 2"} {
		at, _ := d.routers.Deadline()
		for _, f := range d.Step(at, router.Tick{}) {
			if s, ok := f.(router.StartScript); ok {
				d.Step(at, router.ScriptDone{ID: s.ID, Cause: cause})
			}
		}
	}
	if got, want := fmt.Sprintf("%+v", d.routers.Scripts()), "[{Name:web Status:{Known:true Good:true Value:0} Counts:{Runs:4 Failures:2}}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
