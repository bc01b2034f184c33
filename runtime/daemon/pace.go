package daemon

import (
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// A pacer decides which gratuitous ARP or neighbour advertisement is sent next, and when: vrrp_garp_interval,
// vrrp_gna_interval and garp_group. Those of one interface, or of a group of interfaces, are that far apart,
// separately for each family. One for each address comes first, then the next round.
//
// With an interval, keepalived 2.2.7 only remembers of an address that it waits: whatever garp_master_repeat says, the
// first address of a burst is announced twice and the others once. Here the first round is as fast, and the other
// rounds follow.
//
// A pacer knows no clock. The zero pacer has no intervals.
type pacer struct {
	lanes map[laneKey]*lane
	place func(state.AddressKey) (laneKey, time.Duration) // nil: each interface separately, without an interval
	held  bool                                            // addresses are still being added: only first rounds
}

// A laneKey identifies what shares an interval.
type laneKey struct {
	group int // from 1; 0: a single interface
	dev   string
	ipv6  bool
}

type lane struct {
	every   time.Duration
	next    time.Time // nothing is sent before that
	waiting []waiting // in order of arrival
}

// waiting is an address with the number of announcements left.
type waiting struct {
	state.AddressKey
	sent, left int
}

// configure sets the intervals of a configuration. What waits continues to wait.
func (p *pacer) configure(cfg *ir.Config) {
	base := map[string]string{}
	for _, v := range cfg.Instances {
		for _, l := range v.Links {
			base[l.Name] = l.Base
		}
	}
	groups := map[string]int{}
	for i, g := range cfg.GARPGroups {
		for _, name := range g.Interfaces {
			if groups[name.Text] == 0 {
				groups[name.Text] = i + 1
			}
		}
	}
	p.place = func(a state.AddressKey) (laneKey, time.Duration) {
		k := laneKey{dev: a.Dev, ipv6: a.Prefix.Addr().Is6()}
		if below := base[a.Dev]; below != "" { // they share the wire
			k.dev = below
		}
		garp, gna := cfg.Global.GARPInterval, cfg.Global.GNAInterval
		if n := groups[k.dev]; n > 0 {
			garp, gna = cfg.GARPGroups[n-1].GARPInterval, cfg.GARPGroups[n-1].GNAInterval
			k.group, k.dev = n, ""
		}
		if k.ipv6 {
			return k, gna
		}
		return k, garp
	}
	old := p.lanes
	p.lanes = nil
	for _, l := range old {
		for _, w := range l.waiting {
			at := p.lane(w.AddressKey)
			at.waiting, at.next = append(at.waiting, w), later(at.next, l.next)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lane returns the lane of an address.
func (p *pacer) lane(a state.AddressKey) *lane {
	k, every := laneKey{dev: a.Dev, ipv6: a.Prefix.Addr().Is6()}, time.Duration(0)
	if p.place != nil {
		k, every = p.place(a)
	}
	if p.lanes == nil {
		p.lanes = map[laneKey]*lane{}
	}
	if p.lanes[k] == nil {
		p.lanes[k] = &lane{every: every}
	}
	return p.lanes[k]
}

// add announces an address a number of times. Bursts that come while it waits do not add up, only the longest counts,
// so that no queue grows forever.
func (p *pacer) add(a state.AddressKey, repeat int) {
	l := p.lane(a)
	i := slices.IndexFunc(l.waiting, func(w waiting) bool { return w.AddressKey == a })
	if i < 0 {
		l.waiting = append(l.waiting, waiting{a, 0, repeat})
		return
	}
	l.waiting[i].sent, l.waiting[i].left = 0, max(l.waiting[i].left, repeat)
}

// keep forgets the addresses that this director no longer wants.
func (p *pacer) keep(wanted func(state.AddressKey) bool) {
	for _, l := range p.lanes {
		l.waiting = slices.DeleteFunc(l.waiting, func(w waiting) bool { return !wanted(w.AddressKey) })
	}
}

// take returns an announcement that is due. Otherwise it returns when the next one is due; zero: none waits.
func (p *pacer) take(now time.Time) (a state.AddressKey, due bool, at time.Time) {
	for _, l := range p.lanes {
		i := l.first(p.held)
		switch {
		case i < 0:
		case now.Before(l.next):
			if at.IsZero() || l.next.Before(at) {
				at = l.next
			}
		default:
			w := &l.waiting[i]
			a = w.AddressKey
			w.sent, w.left = w.sent+1, w.left-1
			if w.left <= 0 {
				l.waiting = slices.Delete(l.waiting, i, i+1)
			}
			if l.every > 0 {
				l.next = now.Add(l.every)
			}
			return a, true, at
		}
	}
	return a, false, at
}

// first returns the index of the address that was announced least in its burst, and of several the one that came
// first; -1: none.
func (l *lane) first(held bool) int {
	best := -1
	for i, w := range l.waiting {
		if held && w.sent > 0 {
			continue
		}
		if best < 0 || w.sent < l.waiting[best].sent {
			if best = i; w.sent == 0 {
				break
			}
		}
	}
	return best
}
