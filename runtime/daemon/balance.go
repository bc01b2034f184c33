package daemon

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/kernel"
	"keepc/runtime/notify"
	"keepc/runtime/probe"
	"keepc/runtime/router"
	"keepc/runtime/watch"
)

// maxProbes is the maximum number of health checks that run at once.
const maxProbes = 512

// restShare is the ratio of the rest after a want to the time that enforcing it took. The flap of one of 50,000 servers
// costs a want of 50,000, and many flap at once when a network goes: without a rest they would keep one processor busy
// with wants, and another one with their garbage. The first flap after a calm does not wait, nor does what somebody
// asks for.
const restShare = 2

// A balanceLoop owns the balance machine and its time. Its fields belong to the loop's goroutine.
type balanceLoop struct {
	machine  *balance.Machine
	probes   *probe.Runner
	things   *watch.Watcher // of files
	ipvs     *enforcer
	notes    *notes
	do       chan func()
	roles    latest[map[ir.InstanceKey]bool]
	places   latest[map[string]kernel.Link]
	links    map[string]kernel.Link // the interfaces, from places
	quorum   latest[router.Quorum]
	served   latest[served]
	swapped  int         // version of the first order for the configuration in force
	leaving  []departure // those with a waiter
	sessions *news       // about BFD sessions
	notify   *notify.Notifier
	dirty    bool      // the want has changed since it was handed to the enforcer
	handed   bool      // the enforcer has a want that it has not finished
	ready    time.Time // when the next one may follow
	moving   bool      // the loop is to go on on a thread of its own

	at      time.Time // when the machine emitted the effects that are carried out
	decided bool      // a quorum is among them
	staged  bool      // an announcement is among them
}

// run works until ctx ends, or until the loop is to go on on a thread of its own: without one, which only a
// configuration asks for, a check's result costs no change of threads. The first want was handed to the enforcer before.
func (l *balanceLoop) run(ctx context.Context) {
	l.moving = false
	timer := time.NewTimer(0)
	defer timer.Stop()
	l.step(balance.Tick{}) // this runs the scripts of the start
	for !l.moving {
		due, some := l.machine.Deadline()
		switch {
		case !l.dirty || l.handed:
		case !time.Now().Before(l.ready):
			l.enforce(nil)
		case !some || l.ready.Before(due):
			due, some = l.ready, true
		}
		if some {
			timer.Reset(time.Until(due))
		} else {
			timer.Stop()
		}
		select {
		case took := <-l.ipvs.spent:
			l.handed, l.ready = false, time.Now().Add(restShare*took)
		case <-timer.C:
			l.step(balance.Tick{})
		case r := <-l.probes.Results():
			l.results(r)
		case seen := <-l.things.Files():
			l.step(seen)
		case <-l.sessions.rung:
			l.hearSessions()
		case master := <-l.roles:
			l.step(balance.Roles{Master: master})
			l.dirty = l.dirty || l.machine.FollowsRoles()
		case l.links = <-l.places:
			l.locate()
		case lacks := <-l.served:
			if lacks.version >= l.swapped { // otherwise it is not about what is new
				l.step(lacks.Enforced)
			}
		case f := <-l.do:
			f()
		case <-ctx.Done():
			return
		}
	}
}

// locate tells the machine which addresses this host has, if the machine depends on that.
func (l *balanceLoop) locate() {
	if !l.machine.FollowsAddresses() || l.links == nil {
		return
	}
	here := map[netip.Addr]bool{}
	for _, k := range l.links {
		for _, a := range k.Addrs {
			here[a] = true
		}
	}
	l.step(balance.Local{Addrs: here})
}

// assign gives real servers a weight. The channel receives the result of the first attempt to enforce it.
func (l *balanceLoop) assign(a balance.Assign) <-chan error {
	l.step(a)
	return l.enforce(nil)
}

// hearSessions tells the machine which BFD sessions are up, as reported by their loop.
func (l *balanceLoop) hearSessions() {
	for _, up := range l.sessions.take() {
		l.step(balance.Sessions{Up: up})
	}
}

// results takes a probe's result and those that wait after it: many servers that fail at once change the want only
// once.
func (l *balanceLoop) results(r balance.ProbeDone) {
	for range maxProbes {
		l.step(r)
		select {
		case r = <-l.probes.Results():
		default:
			return
		}
	}
}

// step passes an event to the machine and carries out the effects. Changes for the kernel are enforced at the end of
// the loop's turn.
func (l *balanceLoop) step(ev balance.Event) {
	l.at = time.Now()
	_, swap := ev.(balance.Swap)
	l.decided, l.staged = swap, swap
	for _, e := range l.machine.Step(l.at, ev) {
		e.CarryOut(l)
	}
	l.dirty = l.dirty || l.decided
	if l.decided || l.staged {
		l.quorum.put(quorumOf(l.machine.Situation()))
	}
	l.leaving = slices.DeleteFunc(l.leaving, func(d departure) bool {
		over := d.over()
		if over {
			close(d.told)
		}
		return over
	})
}

// StartProbe implements balance.Handler.
func (l *balanceLoop) StartProbe(e balance.StartProbe) { l.probes.Start(e) }

// Told implements balance.Handler.
func (l *balanceLoop) Told(e balance.Told) {
	l.notify.Tell(func() (notify.Telling, bool) { return notify.OfBalance(e), true })
}

// ServerChanged implements balance.Handler.
func (l *balanceLoop) ServerChanged(e balance.ServerChanged) {
	l.dirty = true
	l.notes.tell(l.at, e)
}

// WeightChanged implements balance.Handler.
func (l *balanceLoop) WeightChanged(e balance.WeightChanged) {
	l.dirty = true
	l.notes.tell(l.at, e)
}

// QuorumChanged implements balance.Handler.
func (l *balanceLoop) QuorumChanged(e balance.QuorumChanged) {
	l.decided = true
	l.notes.tell(l.at, e)
}

// AnnouncementChanged implements balance.Handler.
func (l *balanceLoop) AnnouncementChanged(e balance.AnnouncementChanged) {
	l.staged = true
	l.notes.tell(l.at, e)
}

// Note implements balance.Handler.
func (l *balanceLoop) Note(e balance.Note) { l.notes.tell(l.at, e) }

// quorumOf returns what the other loop needs to know.
func quorumOf(s state.Situation) router.Quorum {
	return router.Quorum{Lost: s.NoQuorum, Announced: s.Announced}
}

// A departure is the withdrawal of announced addresses from the tables of the routing engine.
type departure struct {
	over func() bool
	told chan struct{} // closed when it is over
}

// leave withdraws all announcements, because the director is about to stop. The channel is closed when that is done;
// nil: nothing is announced.
func (l *balanceLoop) leave() <-chan struct{} {
	return l.depart(balance.Leave{}, !l.machine.Silent(), l.machine.Silent)
}

// retire withdraws what the next configuration gives up. The channel is like that of leave.
func (l *balanceLoop) retire(next *balance.Next) <-chan struct{} {
	return l.depart(balance.Retire{Next: next}, l.machine.Retires(next), l.machine.Retired)
}

// depart begins a departure. It returns nil if none of the addresses is announced.
func (l *balanceLoop) depart(ev balance.Event, some bool, over func() bool) <-chan struct{} {
	if !some {
		l.step(ev)
		return nil
	}
	d := departure{over, make(chan struct{})}
	l.leaving = append(l.leaving, d)
	l.step(ev)
	return d.told
}

// enforce hands the current want to the enforcer, which waits for after first. The channel receives the result of the
// first attempt.
func (l *balanceLoop) enforce(after <-chan error) <-chan error {
	l.dirty, l.handed = false, true
	return l.ipvs.set(order{want: l.machine.Want(), after: after})
}

// swap puts a configuration into force.
func (l *balanceLoop) swap(next *balance.Next) <-chan error {
	l.hearSessions() // new sessions are known before a check follows them
	l.step(balance.Swap{Next: next})
	l.locate()
	done := l.enforce(nil)
	_, l.swapped, _ = l.ipvs.newest()
	return done
}

// stop removes everything, after waiting for after, unless it is to be left in place.
func (l *balanceLoop) stop(after <-chan error, leave bool) <-chan error {
	l.step(balance.Stop{})
	if leave {
		l.dirty = false
		return nothing()
	}
	return l.enforce(after)
}
