package balance

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/timer"
)

// handover is how long an address that moves from one table to the other is in both: a routing engine has seen the new
// route before the old one is removed.
const handover = 200 * time.Millisecond

// settled is how long an address that comes with a quorum exists before it is announced: FRR (8.4 to 10.4) loses a
// route that it reads together with an address of the same prefix.
const settled = 100 * time.Millisecond

// An announcement is one address that .keepc.conf announces. It lives across generations.
type announcement struct {
	timer.Timer
	addr  netip.Addr
	now   state.Announcement
	begun bool      // it was announced once: from then on only a failure withdraws it
	well  time.Time // since when all is well, until it is announced; zero: not all is well
	due   time.Time // when the next stage is due; zero: no stage is due
}

// An announced is an address of an announcement in one configuration.
type announced struct {
	*announcement
	cfg      *ir.Announcement
	services []*service // the services at the address
	checks   []*check   // the checks of these services
	comes    bool       // the address is added with a quorum
}

// prepareAnnouncements finds the services of what is announced.
func (n *Next) prepareAnnouncements() {
	n.stages = map[netip.Addr]int{}
	for _, a := range n.cfg.Announced() {
		x := announced{cfg: a.Announcement}
		if i, old := n.base.stages[a.Addr]; old {
			x.announcement = n.base.announced[i].announcement
		} else {
			x.announcement = &announcement{addr: a.Addr, now: state.Announcement{Why: "it begins"}}
		}
		n.stages[a.Addr] = len(n.announced)
		n.announced = append(n.announced, x)
	}
	if len(n.announced) == 0 {
		return
	}
	for _, s := range n.services {
		i, some := n.stages[s.key.Addr]
		if !some {
			continue
		}
		x := &n.announced[i]
		x.services, x.comes = append(x.services, s.service), x.comes || s.cfg.QuorumAddress != nil
		for _, r := range s.servers {
			x.checks = append(x.checks, r.checks...)
		}
	}
}

// announce judges the announced addresses that an event may affect. It ends each step.
func (m *Machine) announce(now time.Time, ev Event) {
	all, due := m.current.announced, m.due
	m.due = m.due[:0]
	if len(all) == 0 {
		return
	}
	at := func(addr netip.Addr) {
		if i, some := m.current.stages[addr]; some {
			m.judgeAnnouncement(now, all[i])
		}
	}
	switch ev := ev.(type) {
	case Tick:
		for _, a := range due {
			at(a.addr)
		}
	case ProbeDone:
		if c := m.current.checks[ev.ID]; c != nil {
			at(c.server.key.Service.Addr)
		}
	default:
		for _, a := range all {
			m.judgeAnnouncement(now, a)
		}
	}
}

// judgeAnnouncement moves an address to its stage.
func (m *Machine) judgeAnnouncement(now time.Time, a announced) {
	if a.Do == nil {
		a.Do = func(time.Time) { m.timers.Stop(&a.Timer); m.due = append(m.due, a.announcement) } // the step that runs it judges
	}
	next := m.stage(now, a)
	if next.Stage != a.now.Stage {
		m.emit(AnnouncementChanged{Name: a.cfg.Name.Text, Addr: a.addr, Stage: next.Stage, Reason: next.Why})
	}
	a.now = next
	m.timers.Set(&a.Timer, a.due, !a.due.IsZero())
}

// stage returns the stage of an address from now on, and records when the next one is due.
func (m *Machine) stage(now time.Time, a announced) state.Announcement {
	due := !a.due.IsZero() && !now.Before(a.due)
	if due {
		a.due = time.Time{}
	}
	to := func(s state.Stage, why string, next time.Duration) state.Announcement {
		if a.due = (time.Time{}); next > 0 {
			a.due = now.Add(next)
		}
		return state.Announcement{Stage: s, Why: why}
	}
	stay := func(why string) state.Announcement { return state.Announcement{Stage: a.now.Stage, Why: why} }
	drain := ""
	switch {
	case m.leaving:
		drain = "the director stops"
	case m.retiring[a.addr] != "":
		drain = m.retiring[a.addr]
	case m.drained[a.cfg.Name.Text]:
		drain = "an operator drains " + a.cfg.Name.Text
	}
	if why := m.hinders(a); why != "" {
		a.well = time.Time{}
		return to(state.Withdrawn, why, 0)
	}
	if drain != "" {
		switch {
		case a.now.Stage == state.Withdrawn:
			a.well = time.Time{}
			return to(state.Withdrawn, drain, 0)
		case a.cfg.DrainTable == 0 || a.now.Stage == state.Draining && due:
			return to(state.Withdrawn, drain, 0)
		case a.now.Stage == state.Announced:
			return to(state.Moving, drain, handover)
		case a.now.Stage == state.Moving && due:
			return to(state.Draining, drain, max(a.cfg.Drain, 1))
		}
		return stay(drain)
	}
	const well = "all services at it have their quorum"
	switch a.now.Stage {
	case state.Withdrawn:
		if a.well.IsZero() {
			a.well = now
		}
		var wait time.Duration
		if a.comes {
			wait = settled
		}
		if !a.begun {
			wait = max(wait, a.cfg.Hold)
		}
		if left := a.well.Add(wait).Sub(now); left > 0 {
			return to(state.Withdrawn, fmt.Sprintf("held back until all has been well for %v", wait), left)
		}
		a.well = time.Time{}
		a.begun = true
		return to(state.Announced, well, 0)
	case state.Draining:
		return to(state.Moving, well, handover)
	case state.Moving:
		if due {
			return to(state.Announced, well, 0)
		}
	}
	return stay(well)
}

// hinders says why an address must not be announced; empty: all is well. Before the first announcement, anything
// unknown is a reason.
func (m *Machine) hinders(a announced) string {
	if len(a.services) == 0 {
		return "no virtual server has this address"
	}
	for _, s := range a.services {
		refused, missing := m.enforced.Missing[s.key]
		switch {
		case m.noQuorum[s.key]:
			return "the quorum of " + s.key.String() + " is lost"
		case m.enforced.None:
			return "the kernel has no virtual servers"
		case missing && (refused || !a.begun):
			return s.key.String() + " is not in place"
		}
	}
	if a.begun {
		return ""
	}
	for _, c := range a.checks {
		if !c.health.Ran() {
			return fmt.Sprintf("%s of %v has no result yet", c.asks.Keyword(), c.server.key)
		}
	}
	return ""
}

// announcements returns the stages of all announced addresses.
func (m *Machine) announcements() map[netip.Addr]state.Announcement {
	all := make(map[netip.Addr]state.Announcement, len(m.current.announced))
	for _, a := range m.current.announced {
		all[a.addr] = a.now
	}
	return all
}

// Silent reports whether no address is announced or being withdrawn.
func (m *Machine) Silent() bool {
	return !slices.ContainsFunc(m.current.announced, func(a announced) bool { return a.now.Stage != state.Withdrawn })
}

// Retires reports whether a configuration gives up addresses that are announced or being withdrawn: they must be
// drained before the swap.
func (m *Machine) Retires(next *Next) bool { return m.stays(m.givenUp(next)) }

// Retired reports whether the addresses of the last Retire are withdrawn.
func (m *Machine) Retired() bool { return !m.stays(m.retiring) }

func (m *Machine) stays(some map[netip.Addr]string) bool {
	return slices.ContainsFunc(m.current.announced, func(a announced) bool { return some[a.addr] != "" && a.now.Stage != state.Withdrawn })
}

// givenUp returns how a configuration gives up addresses that the one in force announces.
func (m *Machine) givenUp(next *Next) map[netip.Addr]string {
	how := map[netip.Addr]string{}
	for _, a := range m.current.announced {
		i, named := next.stages[a.addr]
		switch {
		case !named:
			how[a.addr] = "the new configuration does not announce it"
		case len(next.announced[i].services) == 0:
			how[a.addr] = "the new configuration has no virtual server at it"
		}
	}
	return how
}

// drain records that an operator drains announcements, or ends that. Drained announcements that no configuration names
// are forgotten.
func (m *Machine) drain(d Drain) {
	drained := maps.Clone(m.drained)
	for _, a := range m.current.announced {
		if name := a.cfg.Name.Text; d.Name == "" || d.Name == name {
			if d.End {
				delete(drained, name)
			} else {
				drained[name] = true
			}
		}
	}
	m.drained = drained
}

// keepDrained forgets drained announcements that the configuration no longer names: a later one with the same name is
// a different announcement.
func (m *Machine) keepDrained() {
	drained := map[string]bool{}
	for _, a := range m.current.announced {
		if name := a.cfg.Name.Text; m.drained[name] {
			drained[name] = true
		}
	}
	m.drained = drained
}
