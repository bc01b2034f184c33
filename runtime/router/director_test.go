package router_test

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/router"
)

// A director is both machines of a director, with one clock.
type director struct {
	routers *router.Machine
	servers *balance.Machine
}

// Events for both machines.
type (
	tick   struct{}
	stop   struct{}
	reload struct{ cfg *ir.Config }
)

func newDirector(now time.Time, cfg *ir.Config, seed uint64) *director {
	return &director{router.New(now, router.Adopt(cfg, state.Found{})), balance.New(now, balance.Prepare(cfg, balance.Start(seed)))}
}

// Step passes an event to the machines concerned and returns the effects, which stay valid. What Ahead predicts for
// the time of a tick must be among them.
func (d *director) Step(now time.Time, ev any) (effects []any) {
	route := func(ev router.Event) {
		for _, f := range d.routers.Step(now, ev) {
			effects = append(effects, f)
		}
	}
	serve := func(ev balance.Event) {
		for _, f := range d.servers.Step(now, ev) {
			effects = append(effects, f)
		}
	}
	switch ev := ev.(type) {
	case tick:
		ahead := d.routers.Ahead(nil)
		route(router.Tick{})
		for _, next := range ahead {
			if !next.At.After(now) && !slices.ContainsFunc(effects, func(f any) bool { return reflect.DeepEqual(f, next.Advert) }) {
				effects = append(effects, fmt.Sprintf("foresaw an advertisement that is not sent: %v", next.Advert))
			}
		}
		serve(balance.Tick{})
	case stop:
		route(router.Stop{})
		serve(balance.Stop{})
	case reload:
		route(router.Speak{})
		route(router.Swap{Next: router.Prepare(ev.cfg, d.routers.Current())})
		serve(balance.Swap{Next: balance.Prepare(ev.cfg, d.servers.Current())})
	case router.Event:
		route(ev)
	case balance.Event:
		serve(ev)
	}
	return effects
}

// Deadline is that of the machine that is due first.
func (d *director) Deadline() (time.Time, bool) {
	a, ok := d.routers.Deadline()
	if b, too := d.servers.Deadline(); too && (!ok || b.Before(a)) {
		return b, true
	}
	return a, ok
}

func (d *director) Config() *ir.Config { return d.routers.Config() }

// Situation is what both machines know.
func (d *director) Situation() state.Situation {
	s, health := d.routers.Situation(), d.servers.Situation()
	s.Down, s.NoQuorum = health.Down, health.NoQuorum
	return s
}

func (d *director) Want() state.State { return state.Desired(d.Config(), d.Situation()) }
