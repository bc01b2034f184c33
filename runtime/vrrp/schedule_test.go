package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keepc/compiler/ir"
)

// TestRandomSchedules plays up to three routers through random schedules: packets are lost, late and in another order, interfaces fail,
// processes stand still, clocks step forward, files and priorities change, routers stop. After that the wire is whole. It holds
//
//   - at every step: addresses are where a MASTER is, and announced by no other; a deadline that was served lies ahead; a router that was
//     stopped does nothing;
//   - once the wire is whole for four intervals: two are MASTER for no longer than a packet takes there and back;
//   - at last: one is MASTER, and with preemption no other one has a higher priority.
func TestRandomSchedules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchedule(t)
		for range rapid.IntRange(0, 25).Draw(t, "deeds") {
			s.run(s.now.Add(s.fraction("wait")))
			s.deed(rapid.SampledFrom(s.routers).Draw(t, "router"))
		}
		s.repair()
		settled := s.now.Add(4 * s.interval)
		s.run(settled)
		s.calm = true
		// A rival is preempted when the delay is over, and after it the timer.
		s.run(settled.Add(longestDelay + 8*s.interval))
		s.end()
	})
}

// longestDelay is the longest delay before a preemption.
const longestDelay = 5 * time.Second

// A schedule is a wire with routers on it, and what happens to them.
type schedule struct {
	*rapid.T
	now      time.Time
	interval time.Duration
	latency  time.Duration // of the whole wire
	whole    bool
	calm     bool // two masters are an error now
	routers  []*scheduled
	wire     []flying
	both     time.Time // since when there are two masters; zero: there is at most one
}

type scheduled struct {
	*Machine
	name   string
	cfg    *ir.VRRPInstance
	src    netip.Addr
	holds  bool          // its addresses, according to Become
	ahead  time.Duration // its clock relative to that of the wire
	stands time.Time     // until when its process is stopped
	waits  []Received    // until then
	id     uint16        // of its last packet
}

type flying struct {
	at time.Time
	to *scheduled
	Received
}

func drawSchedule(t *rapid.T) *schedule {
	s := &schedule{T: t, now: epoch, latency: time.Duration(rapid.IntRange(0, 3).Draw(t, "latency")) * time.Millisecond}
	version := rapid.Uint8Range(2, 3).Draw(t, "version")
	s.interval = time.Duration(rapid.IntRange(1, 3).Draw(t, "interval")) * time.Second
	if version == 3 {
		s.interval /= 10
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "routers") {
		r := &scheduled{name: fmt.Sprintf("lb%d", i+1), cfg: s.draw(version), src: netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)})}
		r.Machine = New(r.cfg)
		s.routers = append(s.routers, r)
		s.step(r, Ready{Source: r.src})
	}
	return s
}

// draw makes up a configuration that fits the others.
func (s *schedule) draw(version uint8) *ir.VRRPInstance {
	v := drawInstance(s.T)
	v.Version, v.AdvertInterval = version, s.interval
	v.PreemptDelay = min(v.PreemptDelay, longestDelay)
	if rapid.Bool().Draw(s.T, "another address") {
		v.Addresses = append(slices.Clone(v.Addresses), ir.Address{Prefix: netip.MustParsePrefix("192.0.2.11/24"), Dev: "eth0"})
	}
	return v
}

// fraction makes up a time of up to four intervals.
func (s *schedule) fraction(what string) time.Duration {
	return time.Duration(rapid.IntRange(0, 400).Draw(s.T, what)) * s.interval / 100
}

func (s *schedule) deed(r *scheduled) {
	switch rapid.IntRange(0, 9).Draw(s.T, "deed") {
	case 0, 1:
		s.step(r, Fault{Reason: "eth0 is down"})
	case 2, 3:
		s.step(r, Ready{Source: r.src})
	case 4:
		s.step(r, Reprioritize{Priority: rapid.Uint8Range(1, 254).Draw(s.T, "effective priority")})
	case 5:
		r.cfg = s.draw(r.cfg.Version)
		s.step(r, Reconfigure{Config: r.cfg})
	case 6:
		r.stands = s.now.Add(2 * s.fraction("stands still"))
	case 7:
		r.ahead += 2 * s.fraction("clock steps")
	case 8:
		s.step(r, Claimed{Addr: r.cfg.Addresses[0].Prefix.Addr(), MAC: MAC{2}, Count: 1})
	case 9:
		if rapid.IntRange(0, 4).Draw(s.T, "stops") == 0 {
			s.step(r, Stop{Reason: "stopping"})
		}
	}
}

// repair makes everything work from now on. Packets in transit are lost.
func (s *schedule) repair() {
	s.whole, s.wire = true, nil
	for _, r := range s.routers {
		r.stands, r.waits = time.Time{}, nil
		s.step(r, Ready{Source: r.src})
	}
}

// step passes an event to a router, and checks what it does.
func (s *schedule) step(r *scheduled, ev Event) {
	was := r.Role()
	effects := slices.Clone(r.Step(s.now.Add(r.ahead), ev))
	if was == Stopped && len(effects) > 0 {
		s.Fatalf("%s was stopped, and does %v", r.name, effects)
	}
	for _, f := range effects {
		switch f := f.(type) {
		case *Send:
			r.id++
			s.send(r, Received{Src: f.Src, Dst: f.Dst, TTL: 255, ID: r.id, Payload: f.Payload})
		case Become:
			r.holds = f.Role == Master
		case Announce:
			for _, a := range f.Addresses {
				if r.Role() != Master || !slices.ContainsFunc(r.cfg.Addresses, func(x ir.Address) bool { return x.Prefix == a.Prefix }) {
					s.Fatalf("%s is %v and announces %v, after %T", r.name, r.Role(), a.Prefix, ev)
				}
			}
		}
	}
	if r.holds != (r.Role() == Master) {
		s.Fatalf("%s is %v, and holds the addresses: %v", r.name, r.Role(), r.holds)
	}
	at, timed := r.Deadline()
	if working := r.Role() == Master || r.Role() == Backup; timed != working {
		s.Fatalf("%s is %v; a deadline: %v", r.name, r.Role(), timed)
	}
	if _, tick := ev.(Tick); tick && timed && !at.After(s.now.Add(r.ahead)) {
		s.Fatalf("%s, which is %v, has been served, and is due %v ago", r.name, r.Role(), s.now.Add(r.ahead).Sub(at))
	}
	s.look()
}

// look records how long there are two masters.
func (s *schedule) look() {
	masters := s.masters()
	switch {
	case len(masters) < 2:
		s.both = time.Time{}
	case s.both.IsZero():
		s.both = s.now
	}
	if s.calm && !s.both.IsZero() && s.now.Sub(s.both) > 2*s.latency {
		s.Fatalf("two masters since %v: %s and %s", s.now.Sub(s.both), masters[0].name, masters[1].name)
	}
}

func (s *schedule) masters() (all []*scheduled) {
	for _, r := range s.routers {
		if r.Role() == Master {
			all = append(all, r)
		}
	}
	return all
}

// send delivers a packet to all others, with a separate delay for each, or not at all.
func (s *schedule) send(from *scheduled, p Received) {
	for _, to := range s.routers {
		delay := s.latency
		if !s.whole {
			switch rapid.IntRange(0, 5).Draw(s.T, "packet") {
			case 0, 1:
				continue
			case 2:
				delay = s.fraction("delay")
			}
		}
		if to != from {
			s.wire = append(s.wire, flying{s.now.Add(delay), to, p})
		}
	}
}

// run lets time pass. Packets come before what is due at the same time.
func (s *schedule) run(end time.Time) {
	for {
		next := end
		for _, p := range s.wire {
			next = earlier(next, p.at)
		}
		for _, r := range s.routers {
			if at, timed := r.Deadline(); timed {
				at = at.Add(-r.ahead)
				if at.Before(r.stands) {
					at = r.stands
				}
				next = earlier(next, at)
			}
		}
		if next.After(s.now) {
			s.now = next
		}
		s.look()
		s.deliver()
		acted := false
		for _, r := range s.routers {
			if at, timed := r.Deadline(); timed && !at.Add(-r.ahead).After(s.now) && !r.stands.After(s.now) {
				s.step(r, Tick{})
				acted = true
			}
		}
		if !acted && !s.now.Before(end) {
			return
		}
	}
}

func (s *schedule) deliver() {
	var later []flying
	arrived := s.wire
	s.wire = nil
	for _, p := range arrived {
		if p.at.After(s.now) {
			later = append(later, p)
		} else {
			p.to.waits = append(p.to.waits, p.Received)
		}
	}
	s.wire = append(s.wire, later...)
	for _, r := range s.routers {
		if r.stands.After(s.now) {
			continue
		}
		waits := r.waits
		r.waits = nil
		for _, p := range waits {
			s.step(r, p)
		}
	}
}

// end judges who is MASTER, and stops all routers.
func (s *schedule) end() {
	masters, alive := s.masters(), 0
	for _, r := range s.routers {
		if r.Role() == Stopped {
			continue
		}
		alive++
		for _, m := range masters {
			if r.Priority() > m.Priority() && !r.cfg.NoPreempt {
				s.Fatalf("%s is MASTER with priority %d, %s has %d and preempts", m.name, m.Priority(), r.name, r.Priority())
			}
		}
	}
	if len(masters) != min(alive, 1) {
		s.Fatalf("%d routers work, %d are MASTER", alive, len(masters))
	}
	for _, r := range s.routers {
		s.step(r, Stop{Reason: "stopping"})
		for _, ev := range []Event{Tick{}, Ready{Source: r.src}, Fault{}, Received{}, Claimed{}, Reprioritize{}, Reconfigure{r.cfg}, Lead{}, Follow{}, Stop{}} {
			s.step(r, ev)
		}
		if _, timed := r.Deadline(); timed {
			s.Fatalf("%s was stopped, and has a deadline", r.name)
		}
	}
}
