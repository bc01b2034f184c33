package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
)

const (
	// hintRest is how long the kernel is left alone, at least, after it was read because of a hint: a storm of
	// unrelated changes costs only a few reads per second. hintShare is the ratio of the rest to the duration of the
	// read.
	hintRest  = 150 * time.Millisecond
	hintShare = 8
	// resyncInterval is how often the kernel is read again even without a hint that it changed.
	resyncInterval = 30 * time.Second
	// orderTimeout is how long one enforcer waits for the other to go first.
	orderTimeout = time.Second
)

// An enforcer keeps one part of the kernel as wanted, on its own goroutine: however slow the kernel is, no
// advertisement waits for it.
type enforcer struct {
	name       string
	reconciler *reconcile.Reconciler
	log        *slog.Logger
	// announcer announces addresses that are in place; nil: this part has no addresses.
	announcer *announcer
	// unavailable is called once if the kernel lacks the part as a whole and something is wanted of it.
	unavailable func(want state.State)
	// served is told which virtual servers the kernel lacks; nil: not called.
	served latest[served]
	// spent is told how long an order took; nil: not called.
	spent latest[time.Duration]

	wake chan struct{}

	mu      sync.Mutex
	next    order
	known   bool // the first order has come: nothing is pruned before that
	hinted  bool // the kernel may have changed
	bursts  []burst
	version int // of next
	waiters []waiter
	problem string // the lasting one; empty: none
	planned tally  // since the start
	made    map[state.Key]struct{}
	report  reconcile.Report
}

// An order says what to enforce.
type order struct {
	want  func() state.State // called once, by the enforcer: a large want takes time
	after <-chan error       // what goes first; nil: what the previous order still waits for
	until time.Time          // the end of that wait
}

// A served says which virtual servers the kernel lacks, for the want of a version.
type served struct {
	balance.Enforced
	version int
}

// A burst of announcements waits until its addresses are in place.
type burst struct {
	targets []state.AddressKey
	repeat  int
}

// A waiter learns the result of the first attempt at its version or a newer one.
type waiter struct {
	version int
	done    chan error // buffered
}

func newEnforcer(name string, r *reconcile.Reconciler, log *slog.Logger) *enforcer {
	return &enforcer{name: name, reconciler: r, log: log, wake: make(chan struct{}, 1)}
}

// set gives the enforcer a new order; the newest wins. The channel receives the result of the first attempt at it, or
// at a newer one: what failed is tried again.
func (e *enforcer) set(o order, bursts ...burst) <-chan error {
	e.mu.Lock()
	if o.after == nil {
		o.after, o.until = e.next.after, e.next.until
	} else {
		o.until = time.Now().Add(orderTimeout)
	}
	e.next, e.known = o, true
	e.version++
	e.bursts = append(e.bursts, bursts...)
	w := waiter{version: e.version, done: make(chan error, 1)}
	e.waiters = append(e.waiters, w)
	e.mu.Unlock()
	e.rouse()
	return w.done
}

// later queues a burst for addresses that are in place already.
func (e *enforcer) later(b burst) {
	e.mu.Lock()
	e.bursts = append(e.bursts, b)
	e.mu.Unlock()
	e.rouse()
}

// poke makes the enforcer read the kernel now: somebody may have changed it.
func (e *enforcer) poke() {
	e.mu.Lock()
	e.hinted = true
	e.mu.Unlock()
	e.rouse()
}

func (e *enforcer) rouse() {
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
		want    state.State
		version int       // of want
		resync  time.Time // when the kernel is read again regardless
		rested  time.Time // when it may be read again because of a hint
		said    string    // the lasting error that was reported
		told    served    // what was last passed to served
	)
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-timer.C:
		}
		o, newest, known := e.newest()
		switch {
		case ctx.Err() != nil: // ctx may have ended as well
			return
		case !known:
			continue
		}
		changed, started := newest != version, time.Now()
		if changed {
			e.wait(ctx, newest, o)
			started = time.Now()
			want, version = o.want(), newest
		}
		now := time.Now()
		full := !now.Before(rested) && e.takeHint() || !now.Before(resync)
		if full {
			resync = now.Add(resyncInterval)
		}
		e.enforce(want, version, now, full)
		if full {
			took := time.Since(now)
			rested = now.Add(took + max(hintRest, hintShare*took))
		}
		if changed && e.spent != nil {
			e.spent.put(time.Since(started))
		}
		problem := e.reconciler.Problem()
		next := resync
		if at, due := e.reconciler.Deadline(); due && at.Before(next) {
			next = at
		}
		if e.hasHint() && rested.Before(next) {
			next = rested
		}
		switch {
		case problem == nil:
			if said != "" {
				e.log.Info("works again", "subject", e.name)
			}
			said = ""
		case e.unavailable != nil && errors.Is(problem, kernel.ErrNoIPVS):
			next = resync
			if said != problem.Error() && len(want.Services) > 0 {
				e.unavailable(want)
				said = problem.Error()
			}
		case said != problem.Error():
			e.log.Error(fmt.Sprintf("%v; trying again", problem), "subject", e.name)
			said = problem.Error()
		}
		e.publish(said)
		if e.served != nil {
			told = e.tellServed(told, version)
		}
		e.settle(version, problem)
		timer.Reset(max(0, time.Until(next)))
	}
}

func (e *enforcer) newest() (o order, version int, known bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.next, e.version, e.known
}

func (e *enforcer) takeHint() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	hinted := e.hinted
	e.hinted = false
	return hinted
}

func (e *enforcer) hasHint() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.hinted
}

// wait lets another enforcer go first, for a limited time and as long as no order newer than the version comes.
func (e *enforcer) wait(ctx context.Context, version int, o order) {
	if o.after == nil {
		return
	}
	limit := time.NewTimer(time.Until(o.until))
	defer limit.Stop()
	for {
		select {
		case <-o.after:
			e.waited(o)
			return
		case <-limit.C:
			e.waited(o)
			return
		case <-ctx.Done():
			return
		case <-e.wake:
			// Usually the kernel changed, which is handled in the next turn.
			if _, newest, _ := e.newest(); newest != version {
				e.rouse() // run must know
				return
			}
		}
	}
}

// waited records that the wait of an order is over, and that of later orders, too.
func (e *enforcer) waited(o order) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.next.after == o.after {
		e.next.after = nil
	}
}

// enforce runs one round. Neighbours hear of an address as soon as it is in place.
func (e *enforcer) enforce(want state.State, version int, now time.Time, full bool) {
	stale := func() bool { _, newest, _ := e.newest(); return newest != version }
	announces := func() bool { return e.announcer != nil && !stale() }
	if e.announcer != nil {
		e.announcer.keep(want)
		e.announcer.hold(true)
		defer e.announcer.hold(false)
	}
	// Failures last until the objects are in place; the reconciler reports them.
	_ = e.reconciler.Reconcile(want, reconcile.Round{
		Now: now, Full: full, Stale: stale,
		Planned: func(changes plan.Plan) {
			if len(changes) > 0 {
				e.count(changes)
				e.publish(e.trouble())
			}
			if announces() {
				e.tell(want, changes)
			}
		},
		Applied: func(c reconcile.Done) {
			if k, ok := c.Key.(state.AddressKey); ok && c.Action != plan.Remove && !c.Left && announces() {
				e.announcer.add(k, e.due(k))
			}
			e.logChange(c)
		},
	})
}

// A tally counts changes.
type tally struct{ add, change, remove int }

func (t tally) plus(o tally) tally {
	return tally{t.add + o.add, t.change + o.change, t.remove + o.remove}
}

func (t tally) since(o tally) tally {
	return tally{t.add - o.add, t.change - o.change, t.remove - o.remove}
}

func (t tally) String() string {
	return fmt.Sprintf("%d added, %d changed, %d removed", t.add, t.change, t.remove)
}

// count adds the changes of a plan to the tally.
func (e *enforcer) count(changes plan.Plan) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range changes {
		switch c.Action {
		case plan.Add:
			e.planned.add++
		case plan.Remove:
			e.planned.remove++
		case plan.Edit, plan.Replace:
			e.planned.change++
		}
	}
}

// tally counts what has been planned since the start.
func (e *enforcer) tally() tally {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.planned
}

// due removes an address that is in place now from the bursts that wait for it, and returns how often to announce it:
// once if somebody had removed it and no burst was requested.
func (e *enforcer) due(k state.AddressKey) (repeat int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.bursts {
		b := &e.bursts[i]
		if at := slices.Index(b.targets, k); at >= 0 {
			b.targets = slices.Delete(slices.Clone(b.targets), at, at+1)
			repeat += b.repeat
		}
	}
	e.bursts = slices.DeleteFunc(e.bursts, func(b burst) bool { return len(b.targets) == 0 })
	return max(repeat, 1)
}

// tell sends the bursts whose addresses were in place before the changes; those whose addresses are being added, or
// fail, wait. Addresses that are not wanted are not announced.
func (e *enforcer) tell(want state.State, changes plan.Plan) {
	changing := map[state.Key]bool{}
	for _, c := range changes {
		changing[c.Key] = true
	}
	e.mu.Lock()
	bursts := e.bursts
	e.bursts = nil
	for i, b := range bursts {
		wait := burst{repeat: b.repeat}
		var now []state.AddressKey
		for _, k := range b.targets {
			switch _, wanted := want.Addresses[k]; {
			case !wanted:
			case changing[k] || !e.reconciler.InPlace(k):
				wait.targets = append(wait.targets, k)
			default:
				now = append(now, k)
			}
		}
		bursts[i].targets = now
		if len(wait.targets) > 0 {
			e.bursts = append(e.bursts, wait)
		}
	}
	e.mu.Unlock()
	for _, b := range bursts {
		for _, k := range b.targets {
			e.announcer.add(k, b.repeat)
		}
	}
}

// owned is what this enforcer made and has not removed.
func (e *enforcer) owned() map[state.Key]struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.made
}

// objects returns the state of the objects.
func (e *enforcer) objects() reconcile.Report {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.report
}

// trouble is what the kernel refuses and is being retried; empty: nothing.
func (e *enforcer) trouble() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.problem
}

// publish makes the state of the reconciler visible to other goroutines.
func (e *enforcer) publish(problem string) {
	made, report := e.reconciler.Made(), e.reconciler.Report()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.problem, e.made, e.report = problem, made, report
}

// settle passes the result to those who wait for the version. A part that the kernel does not have is not a failure of
// the attempt.
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

// leftText describes an object that is left although it differs from what was made.
func leftText(c plan.Change) string {
	var words []string
	differ, _ := c.Differences()
	for _, d := range differ {
		words = append(words, fmt.Sprintf("%s is %q again, not %q", d.Name, d.Before, d.After))
	}
	return "was replaced, and " + strings.Join(words, ", ") + "; left so"
}

// tellServed reports which virtual servers the kernel lacks, once for each version, and when that changes. If it is
// unknown, the last report stands.
func (e *enforcer) tellServed(before served, version int) served {
	missing, none, err := e.reconciler.Lacking()
	if err != nil {
		return before
	}
	now := served{balance.Enforced{Missing: missing, None: none}, version}
	if now.version != before.version || now.None != before.None || !maps.Equal(now.Missing, before.Missing) {
		e.served.put(now)
	}
	return now
}
