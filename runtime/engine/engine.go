package engine

import (
	"maps"
	"net/netip"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// An Engine is the brain of one director. It is one value without goroutines, clocks or sockets: the daemon gives it the events of
// a machine, a simulation those of a virtual one.
type Engine struct {
	cfg       *ir.Config
	seed      uint64
	situation state.Situation

	links   map[string]LinkChanged // the interfaces that are present
	started time.Time
	settled bool // the first Tick has come: what is not in links is missing

	routers map[ir.InstanceKey]*router
	order   []*router                    // as in the file
	virtual map[netip.Addr]bool          // the addresses that this director hands around
	scripts map[string]*script           // by name
	things  map[track.Thing]track.Status // files and processes

	services map[ir.ServiceKey]*service
	servers  map[state.DestinationKey]*server
	checks   map[CheckID]*check
	timers   timers

	// The effects of the step under way: the wire comes before everything else.
	adverts, others []Effect
}

// Options of an engine.
type Options struct {
	// Seed spreads the first health checks over their warm-up. Equal seeds spread them equally.
	Seed uint64
}

// New returns the engine of a director that starts now. Nothing happens before it learns of its interfaces, by LinkChanged and the
// first Tick. The configuration must not change while the engine uses it.
func New(now time.Time, cfg *ir.Config, o Options) *Engine {
	e := &Engine{
		seed:    o.Seed,
		started: now,
		situation: state.Situation{
			Master: map[ir.InstanceKey]string{}, Down: map[state.DestinationKey]string{}, NoQuorum: map[ir.ServiceKey]bool{},
		},
		links:  map[string]LinkChanged{},
		things: map[track.Thing]track.Status{},
	}
	e.load(now, cfg)
	return e
}

// Config is the configuration in force.
func (e *Engine) Config() *ir.Config { return e.cfg }

// Situation is a copy of what the engine knows beside its configuration.
func (e *Engine) Situation() state.Situation {
	s := e.situation
	s.Master, s.Down, s.NoQuorum = maps.Clone(s.Master), maps.Clone(s.Down), maps.Clone(s.NoQuorum)
	return s
}

// Want is what should exist in the kernel now.
func (e *Engine) Want() state.State { return state.Desired(e.cfg, e.situation) }

// Deadline is when the engine needs its next Tick; false: it waits for other events only.
func (e *Engine) Deadline() (time.Time, bool) {
	if e.situation.Stopping {
		return time.Time{}, false
	}
	if !e.settled {
		return e.started, true
	}
	if t := e.timers.first(); t != nil {
		return t.at, true
	}
	return time.Time{}, false
}

// Step takes an event and returns what to do about it: first the advertisements, then the rest in order. A stopped engine does
// nothing any more.
func (e *Engine) Step(now time.Time, ev Event) []Effect {
	if e.situation.Stopping {
		return nil
	}
	e.adverts, e.others = nil, nil
	switch ev := ev.(type) {
	case Tick:
		e.tick(now)
	case LinkChanged:
		e.linkChanged(now, ev)
	case PacketReceived:
		e.packetReceived(now, ev)
	case ProbeDone:
		e.probeDone(now, ev)
	case ScriptDone:
		e.scriptDone(now, ev)
	case Tracked:
		e.tracked(now, ev)
	case Reload:
		e.load(now, ev.Config)
	case Stop:
		e.stop(now)
	}
	return append(e.adverts, e.others...)
}

func (e *Engine) tick(now time.Time) {
	e.settle(now)
	for t := e.timers.first(); t != nil && !now.Before(t.at); t = e.timers.first() {
		t.tick(e, now)
	}
}

// stop is the farewell: priority 0 on every wire, then nothing of ours should exist.
func (e *Engine) stop(now time.Time) {
	for _, r := range e.order {
		e.drive(now, r, vrrp.Stop{Reason: "stopping"})
	}
	e.situation.Stopping = true
}

func (e *Engine) emit(f Effect) {
	if _, ok := f.(SendAdvert); ok {
		e.adverts = append(e.adverts, f)
	} else {
		e.others = append(e.others, f)
	}
}
