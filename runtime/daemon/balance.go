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

// maxProbes bounds the health checks that are under way at once.
const maxProbes = 512

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
	links    map[string]kernel.Link // as places told
	quorum   latest[router.Quorum]
	served   latest[served]
	swapped  int         // version of the first order of the configuration in force
	leaving  []departure // those that somebody waits for
	sessions *news       // of BFD
	notify   *notify.Notifier
	dirty    bool // what is wanted changed since it was handed to the enforcer
}

// run works until ctx ends. What is wanted first was handed to the enforcer before.
func (l *balanceLoop) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	l.step(balance.Tick{}) // the scripts of the start
	for {
		if l.dirty {
			l.enforce(nil)
		}
		if due, some := l.machine.Deadline(); some {
			timer.Reset(time.Until(due))
		} else {
			timer.Stop()
		}
		select {
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
			if lacks.version >= l.swapped { // else it knows nothing of what is new
				l.step(lacks.Enforced)
			}
		case f := <-l.do:
			f()
		case <-ctx.Done():
			return
		}
	}
}

// locate tells the machine which addresses are here, where it asks for that.
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

// assign gives real servers a weight. The channel tells how the first attempt to enforce it ended.
func (l *balanceLoop) assign(a balance.Assign) <-chan error {
	l.step(a)
	return l.enforce(nil)
}

// hearSessions tells the machine which BFD sessions are up, as their loop has said.
func (l *balanceLoop) hearSessions() {
	for _, up := range l.sessions.take() {
		l.step(balance.Sessions{Up: up})
	}
}

// results takes a probe's result, and those that wait behind it: many servers that fail at once are one change of what is wanted.
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

// step gives an event to the machine and carries out the effects. What changed for the kernel is enforced when the loop turns.
func (l *balanceLoop) step(ev balance.Event) {
	now := time.Now()
	_, swap := ev.(balance.Swap)
	quorum, told := swap, swap
	for _, e := range l.machine.Step(now, ev) {
		switch e := e.(type) {
		case balance.StartProbe:
			l.probes.Start(e)
		case balance.Told:
			l.notify.Tell(func() (notify.Telling, bool) { return notify.OfBalance(e), true })
		case balance.ServerChanged:
			l.dirty = true
			l.notes.tell(now, e)
		case balance.WeightChanged:
			l.dirty = true
			l.notes.tell(now, e)
		case balance.QuorumChanged:
			quorum, told = true, true
			l.notes.tell(now, e)
		case balance.AnnouncementChanged:
			told = true
			l.notes.tell(now, e)
		default:
			l.notes.tell(now, e)
		}
	}
	l.dirty = l.dirty || quorum
	if told {
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

// quorumOf is what the other loop is to know.
func quorumOf(s state.Situation) router.Quorum {
	return router.Quorum{Lost: s.NoQuorum, Announced: s.Announced}
}

// A departure is the way of announced addresses out of the tables of the routing engine.
type departure struct {
	over func() bool
	told chan struct{} // closed when it is over
}

// leave withdraws what is announced, for the director is about to stop. The channel is closed when that is done; nil: nothing is announced.
func (l *balanceLoop) leave() <-chan struct{} {
	return l.depart(balance.Leave{}, !l.machine.Silent(), l.machine.Silent)
}

// retire withdraws what a configuration gives up that is about to be swapped in. The channel is as that of leave.
func (l *balanceLoop) retire(next *balance.Next) <-chan struct{} {
	return l.depart(balance.Retire{Next: next}, l.machine.Retires(next), l.machine.Retired)
}

// depart begins a departure. Where none of the addresses is announced, none comes either.
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

// enforce hands what is wanted now to the enforcer, which waits for after first. The channel tells how the first attempt ended.
func (l *balanceLoop) enforce(after <-chan error) <-chan error {
	l.dirty = false
	return l.ipvs.set(order{want: l.machine.Want(), after: after})
}

// swap puts a configuration into force.
func (l *balanceLoop) swap(next *balance.Next) <-chan error {
	l.hearSessions() // new ones are known before a check follows them
	l.step(balance.Swap{Next: next})
	l.locate()
	done := l.enforce(nil)
	_, l.swapped, _ = l.ipvs.newest()
	return done
}

// stop gives up everything, after what is to go first, unless it is to be left.
func (l *balanceLoop) stop(after <-chan error, leave bool) <-chan error {
	l.step(balance.Stop{})
	if leave {
		l.dirty = false
		return nothing()
	}
	return l.enforce(after)
}
