package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
)

// resyncInterval is the period in which the kernel is read again even if nobody said that it changed.
const resyncInterval = 30 * time.Second

// An enforcer keeps one part of the kernel as wanted, on a goroutine of its own: however slow the kernel is, no advertisement
// waits for it.
type enforcer struct {
	name       string
	reconciler *reconcile.Reconciler
	log        *slog.Logger
	// added is called after addresses were added or replaced, with those keys, and with the bursts that were waiting.
	added func(keys []state.AddressKey, bursts []burst)
	// unavailable is called once when the kernel lacks the part as a whole and something is wanted of it.
	unavailable func(want state.State)

	wake chan struct{}

	mu      sync.Mutex
	want    state.State
	known   bool // the first want is here: nothing is pruned before
	bursts  []burst
	version int // of want
	settled int // the newest version that is enforced
	waiters []waiter
}

// A burst of announcements waits until its addresses are in place.
type burst struct {
	targets []state.AddressKey
	repeat  int
}

type waiter struct {
	version int
	done    chan struct{}
}

func newEnforcer(name string, r *reconcile.Reconciler, log *slog.Logger) *enforcer {
	return &enforcer{name: name, reconciler: r, log: log, wake: make(chan struct{}, 1)}
}

// set gives the enforcer a new want; the newest wins. The channel is closed when that want, or a newer one, is in force.
func (e *enforcer) set(want state.State, bursts ...burst) <-chan struct{} {
	e.mu.Lock()
	e.want, e.known = want, true
	e.version++
	e.bursts = append(e.bursts, bursts...)
	w := waiter{version: e.version, done: make(chan struct{})}
	e.waiters = append(e.waiters, w)
	e.mu.Unlock()
	e.poke()
	return w.done
}

// announce queues a burst for addresses that are in place already.
func (e *enforcer) announce(b burst) {
	e.mu.Lock()
	e.bursts = append(e.bursts, b)
	e.mu.Unlock()
	e.poke()
}

// poke makes the enforcer look at the kernel now.
func (e *enforcer) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends.
func (e *enforcer) run(ctx context.Context) {
	timer := time.NewTimer(resyncInterval)
	defer timer.Stop()
	failures := 0
	var said string
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-timer.C:
		}
		want, err := e.enforce()
		next := resyncInterval
		switch {
		case err == nil:
			if said != "" {
				e.log.Info("works again", "subject", e.name)
			}
			failures, said = 0, ""
		case e.unavailable != nil && errors.Is(err, kernel.ErrNoIPVS):
			if said != err.Error() && len(want.Services) > 0 {
				e.unavailable(want)
				said = err.Error()
			}
		default:
			failures++
			next = reconcile.Backoff(failures)
			if said != err.Error() {
				e.log.Error(fmt.Sprintf("%v; trying again", err), "subject", e.name)
			}
			said = err.Error()
		}
		timer.Reset(next)
	}
}

func (e *enforcer) enforce() (state.State, error) {
	e.mu.Lock()
	want, version, known, bursts := e.want, e.version, e.known, e.bursts
	e.bursts = nil
	e.mu.Unlock()
	if !known {
		return want, nil
	}
	done, err := e.reconciler.Reconcile(want)
	var added []state.AddressKey
	for _, c := range done {
		e.logChange(c)
		if k, ok := c.Key.(state.AddressKey); ok && c.Action != plan.Remove {
			added = append(added, k)
		}
	}
	if e.added != nil {
		e.added(added, keep(bursts, want))
	}
	e.settle(version, err)
	return want, err
}

// keep drops from the bursts what is not wanted any more: who lost an address must not announce it.
func keep(bursts []burst, want state.State) []burst {
	for i := range bursts {
		bursts[i].targets = slices.DeleteFunc(slices.Clone(bursts[i].targets), func(k state.AddressKey) bool {
			_, ok := want.Addresses[k]
			return !ok
		})
	}
	return bursts
}

// settle wakes those who wait for the version. A part that the kernel does not have counts as settled: there is nothing to wait for.
func (e *enforcer) settle(version int, err error) {
	if err != nil && !errors.Is(err, kernel.ErrNoIPVS) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settled = version
	e.waiters = slices.DeleteFunc(e.waiters, func(w waiter) bool {
		if w.version > version {
			return false
		}
		close(w.done)
		return true
	})
}

func (e *enforcer) logChange(c reconcile.Done) {
	switch {
	case c.Repair:
		e.log.Warn("was removed by someone else; added again", "subject", c.Key.String())
	default:
		e.log.Debug(fmt.Sprintf("%s (%s)", c.Action, c.Why), "subject", c.Key.String())
	}
}
