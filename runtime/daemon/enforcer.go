package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
)

const (
	// resyncInterval is the period in which the kernel is read again even if nobody said that it changed.
	resyncInterval = 30 * time.Second
	// orderTimeout bounds how long one enforcer waits for the other to go first.
	orderTimeout = time.Second
)

// An enforcer keeps one part of the kernel as wanted, on a goroutine of its own: however slow the kernel is, no advertisement
// waits for it.
type enforcer struct {
	name       string
	reconciler *reconcile.Reconciler
	log        *slog.Logger
	// announce tells the neighbours of addresses that are in place; nil: this part has nothing to tell.
	announce func(key state.AddressKey, repeat int)
	// unavailable is called once when the kernel lacks the part as a whole and something is wanted of it.
	unavailable func(want state.State)

	wake chan struct{}

	mu      sync.Mutex
	next    order
	known   bool // the first order is here: nothing is pruned before
	bursts  []burst
	version int // of next
	waiters []waiter
	problem string // that lasts; empty: none
	made    map[state.Key]struct{}
}

// An order says what to enforce.
type order struct {
	want  func() state.State // called once, by the enforcer: a large want takes its time
	after <-chan error       // what goes first; nil: nothing
}

// A burst of announcements waits until its addresses are in place.
type burst struct {
	targets []state.AddressKey
	repeat  int
}

// A waiter hears of the first attempt at its version or a newer one.
type waiter struct {
	version int
	done    chan error // buffered
}

func newEnforcer(name string, r *reconcile.Reconciler, log *slog.Logger) *enforcer {
	return &enforcer{name: name, reconciler: r, log: log, wake: make(chan struct{}, 1)}
}

// set gives the enforcer a new order; the newest wins. The channel tells how the first attempt at it, or at a newer one, ended:
// what failed is tried again.
func (e *enforcer) set(o order, bursts ...burst) <-chan error {
	e.mu.Lock()
	e.next, e.known = o, true
	e.version++
	e.bursts = append(e.bursts, bursts...)
	w := waiter{version: e.version, done: make(chan error, 1)}
	e.waiters = append(e.waiters, w)
	e.mu.Unlock()
	e.poke()
	return w.done
}

// later queues a burst for addresses that are in place already.
func (e *enforcer) later(b burst) {
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
	var (
		want     state.State
		version  int // of want
		failures int
		said     string // the error that was said and lasts
	)
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-timer.C:
		}
		o, newest, known := e.newest()
		if !known {
			continue
		}
		if newest != version {
			e.wait(ctx, newest, o.after)
			want, version, failures = o.want(), newest, 0 // what failed for long says nothing of what is wanted now
		}
		err := e.enforce(want, version)
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
		e.setTrouble(said)
		timer.Reset(next)
	}
}

func (e *enforcer) newest() (o order, version int, known bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.next, e.version, e.known
}

// wait lets another enforcer go first, for a while and as long as no order newer than the version comes.
func (e *enforcer) wait(ctx context.Context, version int, after <-chan error) {
	if after == nil {
		return
	}
	limit := time.NewTimer(orderTimeout)
	defer limit.Stop()
	for {
		select {
		case <-after:
			return
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		case <-e.wake:
			// Mostly the kernel changed, which is looked at when the turn comes.
			if _, newest, _ := e.newest(); newest != version {
				e.poke() // run has to know
				return
			}
		}
	}
}

func (e *enforcer) enforce(want state.State, version int) error {
	stale := func() bool { _, newest, _ := e.newest(); return newest != version }
	done, missing, err := e.reconciler.Reconcile(want, stale)
	e.setMade(e.reconciler.Made())
	var added []state.AddressKey
	for _, c := range done {
		e.logChange(c)
		if k, ok := c.Key.(state.AddressKey); ok && c.Action != plan.Remove {
			added = append(added, k)
		}
	}
	if e.announce != nil && !stale() {
		e.tell(want, added, missing)
	}
	e.settle(version, err)
	return err
}

// tell sends the bursts whose addresses are in place; the others wait. An address that was put in place without a burst, since
// somebody had removed it, is announced once.
func (e *enforcer) tell(want state.State, added []state.AddressKey, missing map[state.Key]bool) {
	e.mu.Lock()
	bursts := e.bursts
	e.bursts = nil
	for _, b := range bursts {
		wait := burst{repeat: b.repeat}
		for _, k := range b.targets {
			if missing[k] {
				wait.targets = append(wait.targets, k)
			}
		}
		if len(wait.targets) > 0 {
			e.bursts = append(e.bursts, wait)
		}
	}
	e.mu.Unlock()
	for _, b := range bursts {
		for _, k := range b.targets {
			if _, wanted := want.Addresses[k]; wanted && !missing[k] {
				e.announce(k, b.repeat)
			}
			added = slices.DeleteFunc(added, func(a state.AddressKey) bool { return a == k })
		}
	}
	for _, k := range added {
		e.announce(k, 1)
	}
}

// owned is what this enforcer made and has not given up.
func (e *enforcer) owned() map[state.Key]struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.made
}

func (e *enforcer) setMade(made map[state.Key]struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made = made
}

// trouble is what the kernel refuses, and is tried again; empty: nothing.
func (e *enforcer) trouble() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.problem
}

func (e *enforcer) setTrouble(problem string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.problem = problem
}

// settle tells those who wait for the version how it went. A part that the kernel does not have is no failure of the attempt.
func (e *enforcer) settle(version int, err error) {
	if errors.Is(err, kernel.ErrNoIPVS) {
		err = nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiters = slices.DeleteFunc(e.waiters, func(w waiter) bool {
		if w.version > version {
			return false
		}
		w.done <- err
		return true
	})
}

func (e *enforcer) logChange(c reconcile.Done) {
	switch {
	case c.Left:
		e.log.Warn(leftText(c.Change), "subject", c.Key.String())
	case c.Repair:
		e.log.Warn("was removed by someone else; added again", "subject", c.Key.String())
	default:
		e.log.Debug(fmt.Sprintf("%s (%s)", c.Action, c.Why), "subject", c.Key.String())
	}
}

// leftText says how an object stays that does not stay as it is made.
func leftText(c plan.Change) string {
	var words []string
	differ, _ := c.Differences()
	for _, d := range differ {
		words = append(words, fmt.Sprintf("%s is %q again, not %q", d.Name, d.Before, d.After))
	}
	return "was made anew, and " + strings.Join(words, ", ") + "; left so"
}
