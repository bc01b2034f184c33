package balance

import (
	"fmt"
	"maps"
	"net/netip"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/health"
	"keepc/runtime/timer"
	"keepc/runtime/track"
)

// A Machine is the part of a director that keeps virtual servers. It is a value without goroutines, clocks or sockets:
// the daemon feeds it real events, a simulation virtual ones.
type Machine struct {
	current  *Generation // in force
	down     map[state.DestinationKey]string
	weights  map[state.DestinationKey]int // given by checks, if they differ from those of the file
	assigned map[state.DestinationKey]int // given by an operator
	noQuorum map[ir.ServiceKey]bool
	local    map[netip.Addr]bool     // as Local told; nil: not told yet
	resting  int                     // services at rest, including some that are gone
	master   map[ir.InstanceKey]bool // as Roles told
	up       map[track.Thing]bool    // BFD sessions, as Sessions told
	enforced Enforced                // as told; None at the start
	drained  map[string]bool         // announcements drained by an operator
	retiring map[netip.Addr]string   // announced addresses that the next configuration gives up, and how
	due      []*announcement         // announcements whose next stage is due in this step
	leaving  bool                    // all announcements are being withdrawn
	stopping bool
	lacking  map[string]int // the number of checks without a result, by what this machine lacks
	timers   timer.Timers
	out      []Effect // of the current step
	begin    []Effect // of the start, for the first step
}

// New returns the machine of a director that starts now with the configuration from Prepare.
func New(now time.Time, first *Next) *Machine {
	m := &Machine{current: first.base, down: map[state.DestinationKey]string{}, weights: map[state.DestinationKey]int{}, assigned: map[state.DestinationKey]int{}, noQuorum: map[ir.ServiceKey]bool{}, master: first.master, lacking: map[string]int{}, enforced: Enforced{None: true}, drained: map[string]bool{}}
	m.swap(now, first)
	m.begin, m.out = m.out, nil
	return m
}

// Config is the configuration in force.
func (m *Machine) Config() *ir.Config { return m.current.cfg }

// Current is the configuration in force, as Prepare needs it for the next one. It is immutable.
func (m *Machine) Current() *Generation { return m.current }

// Situation returns a copy of what the machine knows besides its configuration: which servers are down, which weights
// checks set, which services lack their quorum, what is announced, and whether it stops.
func (m *Machine) Situation() state.Situation {
	return state.Situation{Down: maps.Clone(m.down), Weight: maps.Clone(m.weights), Assigned: maps.Clone(m.assigned), NoQuorum: maps.Clone(m.noQuorum), Announced: m.announcements(), Stopping: m.stopping}
}

// Master reports whether an instance is MASTER, as far as Roles has told.
func (m *Machine) Master(k ir.InstanceKey) bool { return m.master[k] }

// Statistics returns the counters of the checks of each server that has one.
func (m *Machine) Statistics() map[state.DestinationKey]health.Statistics {
	all := make(map[state.DestinationKey]health.Statistics, len(m.current.servers))
	for _, c := range m.current.checks {
		all[c.server.key] = all[c.server.key].Plus(c.health.Statistics())
	}
	return all
}

// Want returns a function that computes what should exist in the kernel now. It may be called later, on any goroutine.
func (m *Machine) Want() func() state.State {
	cfg, situation, roles := m.current.cfg, m.Situation(), m.master
	return func() state.State {
		situation.Master = map[ir.InstanceKey]string{}
		for k, master := range roles {
			if master {
				situation.Master[k] = "" // the reason is not used
			}
		}
		return state.Balance(cfg, situation)
	}
}

// FollowsRoles reports whether Roles changes what Want wants.
func (m *Machine) FollowsRoles() bool { return state.FollowsRoles(m.current.cfg) }

// Deadline is when the machine needs its next Tick; false: it waits for other events only.
func (m *Machine) Deadline() (time.Time, bool) {
	if m.stopping {
		return time.Time{}, false
	}
	return m.timers.First()
}

// Step takes an event and returns what to do about it, in order. A stopped machine does nothing.
func (m *Machine) Step(now time.Time, ev Event) []Effect {
	if m.stopping {
		return nil
	}
	m.out, m.begin = m.begin, nil
	switch ev := ev.(type) {
	case Tick:
		m.timers.Run(now)
	case ProbeDone:
		m.probeDone(now, ev)
	case FileSeen:
		m.fileSeen(now, ev)
	case Sessions:
		m.sessionsTold(ev.Up)
	case Roles:
		m.master = ev.Master
		m.suspend()
	case Local:
		m.local = ev.Addrs
		m.suspend()
	case Assign:
		m.assign(ev)
	case Swap:
		m.swap(now, ev.Next)
	case Enforced:
		m.enforced = ev
	case Drain:
		m.drain(ev)
	case Retire:
		m.retiring = m.givenUp(ev.Next)
	case Leave:
		m.leaving = true
	case Stop:
		m.farewell()
		m.stopping = true
	}
	m.announce(now, ev)
	return m.out
}

// A service is one virtual server.
type service struct {
	key    ir.ServiceKey
	quorum health.Quorum
	live   uint64 // total weight of the servers that are up
	total  uint64 // total weight of all servers
	rests  bool   // its servers are not checked, because of ha_suspend
	cfg    *ir.VirtualServer
}

// A server is one real server of a service.
type server struct {
	key      state.DestinationKey
	service  *service
	weight   uint64
	files    int64 // the weight in the file
	base     int64 // that of the file, or what a check set
	assigned *int  // by an operator; nil: none
	checks   []*check
	down     bool
	barred   bool // it stays down whatever its checks say
	cfg      *ir.RealServer
}

// A check is one health check of a server.
type check struct {
	timer.Timer
	id     CheckID
	asks   *ir.Check
	share  float64 // position in the warm-up, from 0 to 1
	server *server
	health health.Check
	adds   int64  // added to the weight of the server
	lack   string // what this machine lacked for the last result; empty: nothing

	page         int                  // the one that the running probe asks for
	certificates []health.Certificate // that were shown last, by page; nil: none so far
	ending       bool                 // one of them ends soon
}

func (m *Machine) probeDone(now time.Time, p ProbeDone) {
	// A reload may have removed the check while its probe was running.
	if c := m.current.checks[p.ID]; c != nil {
		m.lack(c, p.Inconclusive)
		m.certified(now, c, p.Certificate)
		if p.Weight != nil && p.Up && p.Inconclusive == "" {
			c.server.base = int64(*p.Weight)
			m.weigh(c.server)
		}
		was := c.server.down
		m.examine(now, c, health.Done{Result: p.Result})
		if m.tellsAll(c) && !p.Up && p.Inconclusive == "" && (was || !c.server.down) { // otherwise the effect that the server is down says so
			m.emit(Note{Subject: c.server.key.Server.String(), Text: c.asks.Keyword() + " failed: " + p.Detail + "; of " + c.server.key.Service.String()})
		}
	}
}

// tellsAll reports whether each failure of a check is reported.
func (m *Machine) tellsAll(c *check) bool {
	return c.asks.LogAllFailures || m.current.cfg.Global.CheckerLogAllFailures && !c.asks.Has("log_all_failures")
}

// lack records what this machine lacked to make a check, and reports when the first check lacks it and when no check
// does any longer.
func (m *Machine) lack(c *check, what string) {
	old := c.lack
	if old == what {
		return
	}
	c.lack = what
	if what != "" {
		if m.lacking[what]++; m.lacking[what] == 1 {
			m.emit(Note{Subject: "checks", Text: what + ": no verdict on a server; all keep their state"})
		}
	}
	if old != "" {
		if m.lacking[old]--; m.lacking[old] == 0 {
			delete(m.lacking, old)
			m.emit(Note{Subject: "checks", Text: old + ": over; checks have a verdict again", Fine: true})
		}
	}
}

// examine passes an event to a check's machine and handles its effects.
func (m *Machine) examine(now time.Time, c *check, ev health.Event) {
	before := c.standing()
	if _, tick := ev.(health.Tick); tick && c.server.service.rests {
		ev = health.Skip{}
	}
	for _, f := range c.health.Step(now, ev) {
		if p, ok := f.(health.Probe); ok {
			c.page = p.Page
			m.emit(StartProbe{ID: c.id, Server: c.server.key, Check: c.asks, Page: p.Page, Timeout: p.Timeout})
		}
	}
	m.await(c)
	if _, done := ev.(health.Done); done {
		m.concluded(c, before)
	}
}

func (m *Machine) await(c *check) {
	at, running := c.health.Deadline()
	m.timers.Set(&c.Timer, at, running)
}

// judge updates a server's state from its checks: it is up only if all of them succeed. The cause is that of the first
// one that fails.
func (m *Machine) judge(s *server) {
	cause := s.cause()
	if cause != "" {
		m.down[s.key] = cause
	} else {
		delete(m.down, s.key)
	}
	if down := cause != ""; down == s.down {
		return
	}
	s.down = !s.down
	if s.down {
		s.service.live -= s.weight
		m.emit(ServerChanged{Server: s.key, Reason: cause})
	} else {
		s.service.live += s.weight
		m.emit(ServerChanged{Server: s.key, Up: true, Reason: s.recovery()})
	}
	m.tellServer(s, !s.down, Checked, nil, true)
}

// cause returns why a server is down; empty: it is up.
func (s *server) cause() string {
	if s.barred {
		return barred
	}
	for _, c := range s.checks {
		if !c.health.Up() {
			return c.health.Cause()
		}
	}
	return ""
}

func (s *server) recovery() string {
	switch len(s.checks) {
	case 0:
		return "it no longer has a check"
	case 1:
		return "its check succeeds"
	}
	return fmt.Sprintf("all its %d checks succeed", len(s.checks))
}

func (m *Machine) judgeQuorum(s *service) {
	if s.quorum.Judge(s.live) {
		m.emit(QuorumChanged{
			Service: s.key, Lost: s.quorum.Lost,
			Reason: fmt.Sprintf("weight %d of %d is alive, quorum %d", s.live, s.total, s.quorum.Need),
		})
		m.tellService(s, !s.quorum.Lost, Checked)
	}
	if s.quorum.Lost {
		m.noQuorum[s.key] = true
	} else {
		delete(m.noQuorum, s.key)
	}
}

func (m *Machine) emit(f Effect) { m.out = append(m.out, f) }
