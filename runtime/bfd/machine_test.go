package bfd_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keepc/compiler/ir"
	"keepc/runtime/bfd"
)

func session(name, source, neighbor string) *ir.BFD {
	b := &ir.BFD{
		Name: name, Neighbor: netip.MustParseAddr(neighbor), MinRX: 100 * ms, MinTX: 100 * ms, IdleTX: time.Second, Multiplier: 3, TTL: 255,
	}
	if source != "" {
		b.Source = netip.MustParseAddr(source)
	}
	return b
}

func from(src, dst string, ttl int, p bfd.Packet) bfd.PacketReceived {
	return bfd.PacketReceived{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), TTL: ttl, Payload: p.Marshal()}
}

// TestDemultiplexing checks section 6.3, and RFC 5881 section 3: before the discriminators are known the addresses
// decide, and the TTL must be that of keepalived's ttl and max_hops.
func TestDemultiplexing(t *testing.T) {
	t.Parallel()
	far := session("far", "10.0.0.1", "10.1.0.9")
	far.MaxHops = 2
	anywhere := session("anywhere", "", "10.2.0.9")
	anywhere.MaxHops = -1
	now := time.Unix(0, 0)
	m := bfd.New(1)
	m.Step(now, bfd.Configure{Sessions: []*ir.BFD{
		session("any", "", "10.0.0.9"), session("own", "10.0.0.1", "10.0.0.9"), session("v6", "fd00::1", "fd00::9"), far, anywhere,
		session("own", "10.0.0.7", "10.0.0.8"), // a second one with the same name: keepalived drops it
		{Name: "nobody"},
	}})
	discr := map[string]uint32{}
	for _, s := range m.Standings() {
		discr[s.Config.Name] = s.LocalDiscr
	}
	if len(discr) != 5 {
		t.Fatalf("sessions %v", discr)
	}
	down := bfd.Packet{State: bfd.Down, DetectMult: 3, MyDiscriminator: 77, DesiredMinTxInterval: time.Second, RequiredMinRxInterval: 100 * ms}
	to := func(name string) bfd.Packet { p := down; p.YourDiscriminator = discr[name]; return p }
	bad := from("10.0.0.9", "10.0.0.1", 255, down)
	bad.Payload[2] = 0
	for _, c := range []struct {
		name string
		ev   bfd.PacketReceived
		want string // the first effect
	}{
		{"by both addresses", from("10.0.0.9", "10.0.0.1", 255, down), "own Down -> Init"},
		{"by the neighbour", from("10.0.0.9", "10.0.0.2", 255, down), "any Down -> Init"},
		{"IPv4 in IPv6", from("::ffff:10.1.0.9", "::ffff:10.0.0.1", 253, down), "far Down -> Init"},
		{"IPv6", from("fd00::9", "fd00::1", 255, down), "v6 Down -> Init"},
		{"from afar", from("10.2.0.9", "10.0.0.1", 1, down), "anywhere Down -> Init"},
		{"by the discriminator, whatever its own address is", from("10.0.0.9", "10.0.0.3", 255, to("own")), "own Init -> Up"},
		{"the discriminator of another neighbour's session", from("10.1.0.9", "10.0.0.1", 255, to("any")), "discard a packet from 10.1.0.9: " + bfd.ErrNoSession.Error()},
		{"an unknown discriminator", from("10.0.0.9", "10.0.0.1", 255, func() bfd.Packet { p := down; p.YourDiscriminator = 1; return p }()), "discard a packet from 10.0.0.9: " + bfd.ErrNoSession.Error()},
		{"a stranger", from("10.0.0.8", "10.0.0.1", 255, down), "discard a packet from 10.0.0.8: " + bfd.ErrNoSession.Error()},
		{"routed", from("10.0.0.9", "10.0.0.2", 254, down), "discard a packet from 10.0.0.9: " + bfd.ErrTTL.Error()},
		{"routed too often", from("10.1.0.9", "10.0.0.1", 252, down), "discard a packet from 10.1.0.9: " + bfd.ErrTTL.Error()},
		{"against section 6.8.6", bad, "discard a packet from 10.0.0.9: " + bfd.ErrDetectMult.Error()},
	} {
		if c.name == "by the discriminator, whatever its own address is" {
			p := to("own")
			p.State = bfd.Init
			c.ev = from("10.0.0.9", "10.0.0.3", 255, p)
		}
		effects := m.Step(now, c.ev)
		if len(effects) == 0 || fmt.Sprint(effects[0]) != c.want {
			t.Errorf("%s: got %v, want %s", c.name, effects, c.want)
		}
	}
	if m.Ignored() != 3 {
		t.Errorf("%d packets for no session, want 3", m.Ignored())
	}
}

// TestConfigure checks that a session continues over a reload with its discriminator, as with keepalived 2.2.7, and
// that one whose ends change is a different session.
func TestConfigure(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	m := bfd.New(1)
	one := session("b", "10.0.0.1", "10.0.0.9")
	m.Step(now, bfd.Configure{Sessions: []*ir.BFD{one}})
	m.Step(now, from("10.0.0.9", "10.0.0.1", 255, bfd.Packet{State: bfd.Init, DetectMult: 3, MyDiscriminator: 7, YourDiscriminator: m.Standings()[0].LocalDiscr, RequiredMinRxInterval: 100 * ms}))
	was := m.Standings()[0]
	if was.State != bfd.Up {
		t.Fatal("not up")
	}
	if e := m.Step(now, bfd.Configure{Sessions: []*ir.BFD{session("b", "10.0.0.1", "10.0.0.9")}}); len(e) != 0 {
		t.Errorf("nothing changed, but %v", e)
	}
	changed := session("b", "10.0.0.1", "10.0.0.9")
	changed.Multiplier, changed.Passive = 5, true
	m.Step(now, bfd.Configure{Sessions: []*ir.BFD{changed}})
	if is := m.Standings()[0]; is.State != bfd.Up || is.LocalDiscr != was.LocalDiscr || is.Config.Multiplier != 5 {
		t.Errorf("it does not go on: %+v", is)
	}
	other := session("b", "10.0.0.1", "10.0.0.8")
	if e := m.Step(now, bfd.Configure{Sessions: []*ir.BFD{other}, Keep: true}); len(e) != 0 || len(m.Standings()) != 2 || m.Standings()[1].State != bfd.Up {
		t.Errorf("the old one is not kept: %v", e)
	}
	e := m.Step(now, bfd.Configure{Sessions: []*ir.BFD{other}})
	if got := fmt.Sprint(e); len(m.Standings()) != 1 || len(e) != 2 || fmt.Sprint(e[0]) != "b Up -> AdminDown (Administratively Down)" {
		t.Errorf("the old one ends with %s", got)
	}
	m.Step(now, bfd.Stop{})
	if _, some := m.Deadline(); some {
		t.Error("a deadline without sessions")
	}
}

// TestAgreement lets two ends talk over a wire that loses and delays packets, then heals, then is cut. After healing
// both are up, and after the cut both are down within a Detection Time; neither is Up without having heard the other
// within one.
func TestAgreement(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ends := [2]*bfd.Session{}
		now := time.Unix(0, 0)
		for i := range ends {
			ends[i] = bfd.NewSession(now, bfd.Config{
				MinTX: time.Duration(rapid.IntRange(10, 300).Draw(t, "tx")) * ms, MinRX: time.Duration(rapid.IntRange(10, 300).Draw(t, "rx")) * ms,
				IdleTX: time.Duration(rapid.IntRange(1000, 3000).Draw(t, "idle")) * ms, Multiplier: uint8(rapid.IntRange(2, 6).Draw(t, "mult")),
				Passive: i == 1 && rapid.Bool().Draw(t, "passive"),
			}, uint32(i+1), rapid.Uint64().Draw(t, "seed"))
		}
		type flight struct {
			at time.Time
			to int
			p  bfd.Packet
		}
		var air []flight
		loss, delay := rapid.IntRange(0, 60).Draw(t, "loss"), rapid.IntRange(0, 5).Draw(t, "delay")
		heard := [2]time.Time{}
		step := func(i int, ev bfd.Event) {
			for _, e := range ends[i].Step(now, ev) {
				if s, ok := e.(bfd.Send); ok && rapid.IntRange(0, 99).Draw(t, "lost") >= loss {
					air = append(air, flight{now.Add(time.Duration(delay) * ms), 1 - i, s.Packet})
				}
			}
		}
		run := func(d time.Duration) {
			for end := now.Add(d); ; {
				next, what := end, -1
				for i, f := range air {
					if f.at.Before(next) {
						next, what = f.at, i
					}
				}
				timed := -1
				for i, s := range ends {
					if at, ok := s.Deadline(); ok && at.Before(next) {
						next, timed = at, i
					}
				}
				if !next.Before(end) {
					now = end
					return
				}
				now = next
				switch {
				case timed >= 0:
					limit := ends[timed].DetectionTime()
					step(timed, bfd.Tick{})
					if ends[timed].SessionState == bfd.Up && now.Sub(heard[timed]) >= max(limit, time.Millisecond) {
						t.Fatalf("end %d is Up and has heard nothing for %v", timed, now.Sub(heard[timed]))
					}
				default:
					f := air[what]
					air = append(air[:what], air[what+1:]...)
					heard[f.to] = now
					step(f.to, bfd.Received{Packet: f.p})
				}
			}
		}
		run(time.Duration(rapid.IntRange(0, 5000).Draw(t, "lossy")) * ms)
		loss = 0
		run(20 * time.Second)
		if ends[0].SessionState != bfd.Up || ends[1].SessionState != bfd.Up {
			t.Fatalf("on a good wire they are %v and %v", ends[0].SessionState, ends[1].SessionState)
		}
		for i, s := range ends { // section 6.8.4, at both ends
			o := ends[1-i]
			if want := time.Duration(o.Multiplier) * max(s.MinRX, o.MinTX); s.DetectionTime() != want {
				t.Errorf("end %d has the Detection Time %v, want %v", i, s.DetectionTime(), want)
			}
		}
		loss = 100
		run(max(ends[0].DetectionTime(), ends[1].DetectionTime()) + 6*ms)
		if ends[0].SessionState == bfd.Up || ends[1].SessionState == bfd.Up {
			t.Fatalf("on a dead wire they are %v and %v", ends[0].SessionState, ends[1].SessionState)
		}
	})
}
