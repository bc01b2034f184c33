package engine

import (
	"fmt"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/health"
)

// A service is one virtual server.
type service struct {
	key    ir.ServiceKey
	quorum health.Quorum
	live   uint64 // weight of the servers that are up
	total  uint64 // weight of all servers
}

// A server is one real server of a service.
type server struct {
	key     state.DestinationKey
	service *service
	weight  uint64
	checks  []*check
	down    bool
}

// A check is one health check of a server.
type check struct {
	timer
	id     CheckID
	server *server
	health health.Check
}

func newCheck(id CheckID, h health.Check) *check {
	c := &check{id: id, health: h}
	c.tick = func(e *Engine, now time.Time) { e.examine(now, c, health.Tick{}) }
	return c
}

func (e *Engine) probeDone(now time.Time, p ProbeDone) {
	// A reload may have removed the check while its probe was under way.
	if c := e.checks[p.ID]; c != nil {
		e.examine(now, c, health.Done{Cause: p.Cause})
	}
}

// examine gives an event to a check's machine and takes its effects.
func (e *Engine) examine(now time.Time, c *check, ev health.Event) {
	for _, f := range c.health.Step(now, ev) {
		if p, ok := f.(health.Probe); ok {
			e.emit(StartProbe{ID: c.id, Timeout: p.Timeout})
		}
	}
	at, running := c.health.Deadline()
	e.timers.set(&c.timer, at, running)
	if _, done := ev.(health.Done); done {
		e.judge(c.server)
		e.judgeQuorum(c.server.service)
	}
}

// judge compares a server's standing with its checks: up only if all of them succeed. The cause is that of the first that fails.
func (e *Engine) judge(s *server) {
	cause := s.cause()
	if cause != "" {
		e.situation.Down[s.key] = cause
	} else {
		delete(e.situation.Down, s.key)
	}
	if down := cause != ""; down == s.down {
		return
	}
	s.down = !s.down
	if s.down {
		s.service.live -= s.weight
		e.emit(ServerChanged{Server: s.key, Reason: cause})
	} else {
		s.service.live += s.weight
		e.emit(ServerChanged{Server: s.key, Up: true, Reason: s.recovery()})
	}
}

// cause says why a server is down; empty: it is up.
func (s *server) cause() string {
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
		return "it has no check any more"
	case 1:
		return "its check succeeds"
	}
	return fmt.Sprintf("all its %d checks succeed", len(s.checks))
}

func (e *Engine) judgeQuorum(s *service) {
	if s.quorum.Judge(s.live) {
		e.emit(QuorumChanged{
			Service: s.key, Lost: s.quorum.Lost,
			Reason: fmt.Sprintf("weight %d of %d is alive, quorum %d", s.live, s.total, s.quorum.Need),
		})
	}
	if s.quorum.Lost {
		e.situation.NoQuorum[s.key] = true
	} else {
		delete(e.situation.NoQuorum, s.key)
	}
}
