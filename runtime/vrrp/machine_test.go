package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keepc/compiler/ir"
)

var epoch = time.Unix(1_000_000, 0)

func instance(changes ...func(*ir.VRRPInstance)) *ir.VRRPInstance {
	v := &ir.VRRPInstance{
		Name: "VI_1", Interface: "eth0", VRID: 51, Priority: 100, Version: 2, AdvertInterval: time.Second, DownTimerAdverts: 3,
		Addresses:       []ir.Address{{Prefix: netip.MustParsePrefix("192.0.2.10/24"), Dev: "eth0"}},
		GARPMasterDelay: 5 * time.Second, GARPMasterRepeat: 5, GARPLowerPrioDelay: 5 * time.Second, GARPLowerPrioRepeat: 5,
	}
	for _, f := range changes {
		f(v)
	}
	return v
}

func priority(n uint8) func(*ir.VRRPInstance) {
	return func(v *ir.VRRPInstance) { v.Priority = n }
}

// from is an advertisement of a router like ours at an address.
func from(addr string, priority uint8, changes ...func(*Packet)) Received {
	p := Packet{Version: 2, VRID: 51, Priority: priority, Interval: time.Second, Addresses: addrs("192.0.2.10")}
	for _, f := range changes {
		f(&p)
	}
	src := netip.MustParseAddr(addr)
	b, err := p.Marshal(src, ir.MulticastGroup(false))
	if err != nil {
		panic(err)
	}
	return Received{Src: src, Dst: ir.MulticastGroup(false), TTL: 255, Payload: b}
}

// bench holds a machine in a role, at a time.
type bench struct {
	*Machine
	now time.Time
}

func newBench(t *testing.T, cfg *ir.VRRPInstance, role Role) *bench {
	t.Helper()
	b := &bench{New(cfg), epoch}
	if role == Init {
		return b
	}
	b.Step(b.now, Ready{Source: netip.MustParseAddr("192.0.2.2")})
	if role == Master && b.Role() != Master {
		b.due()
	}
	if b.Role() != role {
		t.Fatalf("the machine is %v, want %v", b.Role(), role)
	}
	return b
}

// do passes an event after a time and returns its effects as text.
func (b *bench) do(after time.Duration, ev Event) string {
	b.now = b.now.Add(after)
	var out []string
	for _, f := range b.Step(b.now, ev) {
		switch f := f.(type) {
		case *Send:
			p, err := Unmarshal(f.Payload, f.Src, f.Dst)
			if err != nil {
				out = append(out, err.Error())
			}
			out = append(out, fmt.Sprintf("send %d", p.Priority))
		case Become:
			out = append(out, f.Role.String())
		case Announce:
			out = append(out, fmt.Sprintf("announce %d×%d", len(f.Addresses), f.Repeat))
		case Note:
			out = append(out, "note")
		}
	}
	return strings.Join(out, ", ")
}

// due lets time pass until the deadline.
func (b *bench) due() string {
	at, ok := b.Deadline()
	if !ok {
		return "no deadline"
	}
	return b.do(at.Sub(b.now), Tick{})
}

// left returns the time to the deadline.
func (b *bench) left() time.Duration {
	at, ok := b.Deadline()
	if !ok {
		return -1
	}
	return at.Sub(b.now)
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

const (
	wait100 = 3*time.Second + 156*time.Second/256 // Master_Down_Interval at priority 100
	skew100 = 156 * time.Second / 256             // Skew_Time
)

func TestRFC9568Section6_4_1Initialize(t *testing.T) {
	t.Run("If the Priority is 255: send an ADVERTISEMENT, announce, set the Adver_Timer, become Active", func(t *testing.T) {
		b := newBench(t, instance(priority(255), func(v *ir.VRRPInstance) { v.State = ir.Master }), Init)
		want(t, "effects", b.do(0, Ready{Source: netip.MustParseAddr("192.0.2.2")}), "send 255, MASTER, announce 1×5")
		want(t, "deadline", b.left(), time.Second)
	})
	t.Run("else set the Active_Down_Timer to Active_Down_Interval, become Backup", func(t *testing.T) {
		b := newBench(t, instance(), Init)
		want(t, "effects", b.do(0, Ready{Source: netip.MustParseAddr("192.0.2.2")}), "BACKUP")
		want(t, "deadline", b.left(), wait100)
	})
	t.Run("keepalived: state MASTER below 255 waits just as long", func(t *testing.T) {
		b := newBench(t, instance(func(v *ir.VRRPInstance) { v.State = ir.Master }), Init)
		want(t, "effects", b.do(0, Ready{Source: netip.MustParseAddr("192.0.2.2")}), "BACKUP")
		want(t, "deadline", b.left(), wait100)
	})
	t.Run("before the startup event nothing is heard and nothing expires", func(t *testing.T) {
		b := newBench(t, instance(), Init)
		want(t, "effects", b.do(0, from("192.0.2.3", 0)), "")
		want(t, "deadline", b.due(), "no deadline")
	})
}

func TestRFC9568Section6_4_2Backup(t *testing.T) {
	t.Run("If the Active_Down_Timer fires: send an ADVERTISEMENT, announce, set the Adver_Timer, become Active", func(t *testing.T) {
		b := newBench(t, instance(), Backup)
		want(t, "early", b.do(wait100-1, Tick{}), "")
		want(t, "due", b.do(1, Tick{}), "send 100, MASTER, announce 1×5")
		want(t, "deadline", b.left(), time.Second)
	})
	t.Run("If the Priority in the ADVERTISEMENT is 0: set the Active_Down_Timer to Skew_Time", func(t *testing.T) {
		b := newBench(t, instance(), Backup)
		want(t, "effects", b.do(time.Second, from("192.0.2.3", 0)), "")
		want(t, "deadline", b.left(), skew100)
	})
	t.Run("If the Priority is greater than or equal to the local one: reset the Active_Down_Timer", func(t *testing.T) {
		for _, p := range []uint8{100, 101, 255} {
			b := newBench(t, instance(), Backup)
			b.do(3*time.Second, from("192.0.2.3", p))
			want(t, "deadline", b.left(), wait100)
		}
	})
	t.Run("If Preempt_Mode is False: reset the Active_Down_Timer", func(t *testing.T) {
		b := newBench(t, instance(func(v *ir.VRRPInstance) { v.NoPreempt = true }), Backup)
		b.do(3*time.Second, from("192.0.2.3", 1))
		want(t, "deadline", b.left(), wait100)
	})
	t.Run("else discard the ADVERTISEMENT", func(t *testing.T) {
		b := newBench(t, instance(), Backup)
		want(t, "effects", b.do(3*time.Second, from("192.0.2.3", 99)), "")
		want(t, "deadline", b.left(), wait100-3*time.Second)
	})
	t.Run("the silence after priority 0 ends with the next acceptable ADVERTISEMENT", func(t *testing.T) {
		b := newBench(t, instance(), Backup)
		b.do(time.Second, from("192.0.2.3", 0))
		b.do(time.Millisecond, from("192.0.2.4", 100))
		want(t, "deadline", b.left(), wait100)
	})
	t.Run("Shutdown: cancel the Active_Down_Timer, say nothing", func(t *testing.T) {
		b := newBench(t, instance(), Backup)
		want(t, "effects", b.do(0, Stop{}), "STOP")
		want(t, "deadline", b.due(), "no deadline")
		want(t, "afterwards", b.do(0, Ready{}), "")
	})
	t.Run("version 3 learns Active_Adver_Interval; the skew follows it", func(t *testing.T) {
		b := newBench(t, instance(func(v *ir.VRRPInstance) { v.Version = 3 }), Backup)
		b.do(0, from("192.0.2.3", 100, func(p *Packet) { p.Version, p.Interval = 3, 4*time.Second }))
		want(t, "deadline", b.left(), 4*wait100)
	})
	t.Run("version 3: an interval of 0 is dropped, it would let everybody take over", func(t *testing.T) {
		b := newBench(t, instance(func(v *ir.VRRPInstance) { v.Version = 3 }), Backup)
		r := from("192.0.2.3", 100, func(p *Packet) { p.Version, p.Interval = 3, 10*time.Millisecond })
		r.Payload[5]--
		r.Payload[7]++
		want(t, "effects", b.do(time.Second, r), "note")
		want(t, "deadline", b.left(), wait100-time.Second)
	})
}

func TestRFC9568Section6_4_3Active(t *testing.T) {
	t.Run("If the Adver_Timer fires: send an ADVERTISEMENT, reset the Adver_Timer", func(t *testing.T) {
		b := newBench(t, instance(), Master)
		for range 4 {
			want(t, "effects", b.due(), "send 100")
			want(t, "deadline", b.left(), time.Second)
		}
	})
	t.Run("Shutdown: send an ADVERTISEMENT with Priority = 0", func(t *testing.T) {
		b := newBench(t, instance(), Master)
		want(t, "effects", b.do(0, Stop{}), "send 0, STOP")
		want(t, "deadline", b.due(), "no deadline")
	})
	t.Run("If the Priority in the ADVERTISEMENT is 0: send an ADVERTISEMENT, reset the Adver_Timer", func(t *testing.T) {
		b := newBench(t, instance(), Master)
		want(t, "effects", b.do(300*time.Millisecond, from("192.0.2.3", 0)), "send 100")
		want(t, "deadline", b.left(), time.Second)
	})
	t.Run("If the Priority is greater than the local one: cancel the Adver_Timer, set the Active_Down_Timer, become Backup", func(t *testing.T) {
		b := newBench(t, instance(), Master)
		want(t, "effects", b.do(0, from("192.0.2.1", 101)), "BACKUP")
		want(t, "deadline", b.left(), wait100)
	})
	t.Run("If the Priority is equal and the sender's address is greater: the same", func(t *testing.T) {
		b := newBench(t, instance(), Master)
		want(t, "effects", b.do(0, from("192.0.2.3", 100)), "BACKUP")
	})
	t.Run("else discard and send an ADVERTISEMENT at once; keepalived announces the addresses too", func(t *testing.T) {
		for _, r := range []Received{from("192.0.2.3", 99), from("192.0.2.1", 100)} {
			b := newBench(t, instance(), Master)
			want(t, "effects", b.do(300*time.Millisecond, r), "send 100, announce 1×5, note")
			want(t, "deadline", b.left(), time.Second)
		}
	})
	t.Run("an ADVERTISEMENT of equal priority from our own address is no contest", func(t *testing.T) {
		b := newBench(t, instance(), Master)
		want(t, "effects", b.do(0, from("192.0.2.2", 100)), "note")
	})
	t.Run("who learns the interval of a new master counts with it", func(t *testing.T) {
		b := newBench(t, instance(func(v *ir.VRRPInstance) { v.Version = 3 }), Master)
		b.do(0, from("192.0.2.3", 101, func(p *Packet) { p.Version, p.Interval = 3, 2*time.Second }))
		want(t, "deadline", b.left(), 2*wait100)
	})
}

func TestPreemptDelay(t *testing.T) {
	b := newBench(t, instance(func(v *ir.VRRPInstance) { v.PreemptDelay = 2500 * time.Millisecond }), Backup)
	for i, left := range []time.Duration{
		wait100, wait100, wait100, // the first lower priority starts the delay; what comes while it runs is accepted
		wait100 - time.Second, wait100 - 2*time.Second, // what comes later is not accepted
	} {
		b.do(time.Second, from("192.0.2.3", 50))
		want(t, fmt.Sprintf("deadline after advert %d", i+1), b.left(), left)
	}
	b.do(time.Second, from("192.0.2.4", 200))
	b.do(time.Second, from("192.0.2.3", 50))
	want(t, "a better master in between ends the delay, the next lower priority begins it again", b.left(), wait100)
}

func TestFaultAndRecovery(t *testing.T) {
	b := newBench(t, instance(), Master)
	want(t, "fault", b.do(0, Fault{Reason: "eth0 is down"}), "send 0, FAULT")
	want(t, "still", b.do(0, Fault{Reason: "eth0 is missing"}), "")
	want(t, "deaf", b.do(0, from("192.0.2.3", 0)), "")
	want(t, "no timer", b.due(), "no deadline")
	want(t, "recovery", b.do(0, Ready{Source: netip.MustParseAddr("192.0.2.2")}), "BACKUP")
	want(t, "deadline", b.left(), wait100)
}

func TestLatenessDoesNotAddUp(t *testing.T) {
	b := newBench(t, instance(), Master)
	start := b.now
	for i := 1; i <= 4; i++ {
		at, _ := b.Deadline()
		want(t, "due", at.Sub(start), time.Duration(i)*time.Second)
		want(t, "effects", b.do(at.Sub(b.now)+7*time.Millisecond, Tick{}), "send 100")
	}
	b.do(b.left(), Tick{})
	want(t, "one advert after a long pause", b.do(time.Minute, Tick{}), "send 100")
	want(t, "and the next an interval later", b.left(), time.Second)
}

func TestBursts(t *testing.T) {
	cfg := instance(func(v *ir.VRRPInstance) {
		v.AdvertInterval, v.GARPMasterDelay, v.GARPMasterRefresh, v.GARPMasterRefreshRepeat = 100*time.Second, 5*time.Second, 20*time.Second, 2
	})
	b := newBench(t, cfg, Master)
	start := b.now
	var got []string
	for range 5 {
		what := b.due()
		got = append(got, fmt.Sprintf("%v %s", b.now.Sub(start), what))
	}
	want(t, "schedule", strings.Join(got, "; "), "5s announce 1×5; 20s announce 1×2; 40s announce 1×2; 1m0s announce 1×2; 1m20s announce 1×2")

	b.do(0, from("192.0.2.3", 1, func(p *Packet) { p.Interval = 100 * time.Second }))
	start = b.now
	want(t, "garp_lower_prio_delay", b.due(), "announce 1×5")
	want(t, "after", b.now.Sub(start), 5*time.Second)
}

func TestReconfigureKeepsRoleAndTimers(t *testing.T) {
	for _, c := range []struct {
		name   string
		role   Role
		change func(*ir.VRRPInstance)
		left   time.Duration // 300 ms after the last timer started
		said   string
	}{
		{"backup, nothing", Backup, func(*ir.VRRPInstance) {}, wait100 - 300*time.Millisecond, ""},
		{"master, nothing", Master, func(*ir.VRRPInstance) {}, 700 * time.Millisecond, ""},
		{"backup, priority", Backup, priority(200), 3*time.Second + 56*time.Second/256 - 300*time.Millisecond, ""},
		{"master, priority", Master, priority(1), 700 * time.Millisecond, ""},
		{"backup, interval", Backup, func(v *ir.VRRPInstance) { v.AdvertInterval = 2 * time.Second }, 3*time.Second + wait100 - 300*time.Millisecond, ""},
		{"master, longer interval", Master, func(v *ir.VRRPInstance) { v.AdvertInterval = 2 * time.Second }, 1700 * time.Millisecond, ""},
		{"master, shorter interval", Master, func(v *ir.VRRPInstance) { v.Version, v.AdvertInterval = 3, 100*time.Millisecond }, -200 * time.Millisecond, ""},
		{"master, password", Master, func(v *ir.VRRPInstance) { v.Auth = ir.Authentication{Type: ir.AuthPass, Pass: ir.NewSecret("x")} }, 700 * time.Millisecond, ""},
		{"master, one more address", Master, func(v *ir.VRRPInstance) {
			v.Addresses = append(slices.Clone(v.Addresses), ir.Address{Prefix: netip.MustParsePrefix("192.0.2.11/24"), Dev: "eth0"})
		}, 700 * time.Millisecond, "announce 1×5"},
		{"master, no address any more", Master, func(v *ir.VRRPInstance) { v.Addresses = nil }, 700 * time.Millisecond, ""},
		{"backup, one more address", Backup, func(v *ir.VRRPInstance) {
			v.Addresses = append(slices.Clone(v.Addresses), ir.Address{Prefix: netip.MustParsePrefix("192.0.2.11/24"), Dev: "eth0"})
		}, wait100 - 300*time.Millisecond, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, instance(), c.role)
			want(t, "effects", b.do(300*time.Millisecond, Reconfigure{Config: instance(c.change)}), c.said)
			want(t, "role", b.Role(), c.role)
			want(t, "deadline", b.left(), c.left)
		})
	}
}

// TestReconfigureWithEqualConfigChangesNothing checks that a reload with an equal configuration changes nothing, in
// any state and however often.
func TestReconfigureWithEqualConfigChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawInstance(t)
		twin := *cfg
		m, reloaded := New(cfg), New(cfg)
		now := epoch
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			ev := drawEvent(t)
			now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
			a, b := m.Step(now, ev), reloaded.Step(now, ev)
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Fatalf("the reloaded machine says %v, the other %v", b, a)
			}
			if effects := reloaded.Step(now, Reconfigure{Config: &twin}); len(effects) > 0 {
				t.Fatalf("a reload says %v", effects)
			}
			at, ok := m.Deadline()
			if at2, ok2 := reloaded.Deadline(); ok != ok2 || !at.Equal(at2) {
				t.Fatalf("deadline %v after the reload, %v without", at2, at)
			}
		}
	})
}

// TestTwoOnALosslessWireElectOne checks that two routers that hear each other end with exactly one master, whatever
// their configurations and the times of their starts.
func TestTwoOnALosslessWireElectOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfgs := [2]*ir.VRRPInstance{drawInstance(t), drawInstance(t)}
		cfgs[1].Version, cfgs[1].AdvertInterval, cfgs[1].Auth = cfgs[0].Version, cfgs[0].AdvertInterval, cfgs[0].Auth
		sources := addrs("192.0.2.2", "192.0.2.3")
		var m [2]*Machine
		var starts [2]time.Time
		for i := range m {
			m[i] = New(cfgs[i])
			starts[i] = epoch.Add(time.Duration(rapid.IntRange(0, 20000).Draw(t, "start")) * time.Millisecond)
		}
		latency := time.Duration(rapid.IntRange(0, 3).Draw(t, "latency")) * time.Millisecond
		type packet struct {
			at time.Time
			to int
			r  Received
		}
		var wire []packet
		end := epoch.Add(20*time.Second + 20*cfgs[0].AdvertInterval + 2*time.Minute)
		for now := epoch; now.Before(end); {
			step := func(i int, ev Event) {
				for _, f := range m[i].Step(now, ev) {
					if s, ok := f.(*Send); ok && m[1-i].Role() != Init {
						wire = append(wire, packet{now.Add(latency), 1 - i, Received{Src: s.Src, Dst: s.Dst, TTL: 255, Payload: s.Payload}})
					}
				}
			}
			next := end
			for len(wire) > 0 && !wire[0].at.After(now) {
				p := wire[0]
				wire = wire[1:]
				step(p.to, p.r)
			}
			if len(wire) > 0 {
				next = wire[0].at
			}
			for i := range m {
				if m[i].Role() == Init {
					if starts[i].After(now) {
						next = earlier(next, starts[i])
						continue
					}
					step(i, Ready{Source: sources[i]})
				}
				step(i, Tick{})
				if at, ok := m[i].Deadline(); ok {
					next = earlier(next, at)
				}
			}
			if len(wire) > 0 {
				next = earlier(next, wire[0].at)
			}
			now = next
		}
		if (m[0].Role() == Master) == (m[1].Role() == Master) {
			t.Fatalf("roles %v and %v", m[0].Role(), m[1].Role())
		}
	})
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func drawInstance(t *rapid.T) *ir.VRRPInstance {
	return instance(func(v *ir.VRRPInstance) {
		v.Priority = rapid.Uint8Range(1, 255).Draw(t, "priority")
		v.State = ir.State(rapid.IntRange(0, 1).Draw(t, "state"))
		v.Version = rapid.Uint8Range(2, 3).Draw(t, "version")
		v.AdvertInterval = time.Duration(rapid.IntRange(1, 3).Draw(t, "interval")) * time.Second
		v.NoPreempt = rapid.Bool().Draw(t, "nopreempt") && v.State == ir.Backup && v.Priority < 255
		v.PreemptDelay = time.Duration(rapid.IntRange(0, 5).Draw(t, "preempt_delay")) * time.Second
		v.LowerPrioNoAdvert = rapid.Bool().Draw(t, "lower_prio_no_advert")
		v.HigherPrioSendAdvert = rapid.Bool().Draw(t, "higher_prio_send_advert")
		v.GARPMasterRefresh = time.Duration(rapid.IntRange(0, 4).Draw(t, "refresh")) * time.Second
	})
}

func drawEvent(t *rapid.T) Event {
	switch rapid.IntRange(0, 9).Draw(t, "event") {
	case 0:
		return Fault{Reason: "eth0 is down"}
	case 1, 2:
		return Ready{Source: netip.MustParseAddr("192.0.2.2")}
	case 3, 4, 5:
		return Tick{}
	}
	return from(rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}).Draw(t, "from"), rapid.Byte().Draw(t, "their priority"), func(p *Packet) {
		p.Version = rapid.Uint8Range(2, 3).Draw(t, "their version")
		p.Interval = time.Duration(rapid.IntRange(1, 3).Draw(t, "their interval")) * time.Second
	})
}

// TestSpeak checks that a router that is asked to advertise at once does so, unless it must first listen whether there
// is a master.
func TestSpeak(t *testing.T) {
	noPreempt := func(v *ir.VRRPInstance) { v.NoPreempt = true }
	delayed := func(v *ir.VRRPInstance) { v.PreemptDelay = time.Minute }
	here := Ready{Source: netip.MustParseAddr("192.0.2.2"), Here: true}
	for _, c := range []struct {
		name  string
		cfg   *ir.VRRPInstance
		start Ready
		wait  time.Duration
		says  string
		next  time.Duration
	}{
		{"a BACKUP", instance(), Ready{Source: here.Source}, time.Second, "", wait100 - time.Second},
		{"a MASTER", instance(), Ready{Source: here.Source}, wait100 + 300*time.Millisecond, "send 100", time.Second},
		{"a start that finds its addresses here", instance(), here, 300 * time.Millisecond, "send 100", 700 * time.Millisecond},
		{"one that lets another master be", instance(noPreempt), here, 300 * time.Millisecond, "", 950 * time.Millisecond},
		{"one that does for a while", instance(delayed), here, 300 * time.Millisecond, "", 950 * time.Millisecond},
		{"it has heard none", instance(noPreempt), here, 1350 * time.Millisecond, "send 100", time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.cfg, Init)
			b.do(0, c.start)
			b.until(b.now.Add(c.wait))
			want(t, "says", b.do(0, Speak{}), c.says)
			want(t, "deadline", b.left(), c.next)
		})
	}
}
