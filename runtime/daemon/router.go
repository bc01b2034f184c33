package daemon

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
	"keepc/runtime/notify"
	"keepc/runtime/router"
	"keepc/runtime/script"
	"keepc/runtime/watch"
)

const (
	// packetsPerTurn bounds what a turn of the loop takes from a wire, so that a flood makes no deadline late.
	packetsPerTurn = 64
	// stoodStill is how late a deadline is when this process was stopped for a while, or its machine was.
	stoodStill = 50 * time.Millisecond
	// packetsMissed bounds what is then heard first: the peers spoke meanwhile.
	packetsMissed = 4096
	// workPerTurn bounds what a turn takes of the work of others.
	workPerTurn = 16
)

// A routerLoop owns the router machine, its time and its wires. Advertisements depend on it, so nothing on it waits or grows with what
// is none of VRRP: kernel, disk, names, text and virtual servers are for goroutines around it, which hand it values. Only run touches
// the fields. It sleeps on a bell and nowhere else, so it may have a thread of its own.
type routerLoop struct {
	bell     bell
	work     chan func() // what collect has for the loop
	machine  *router.Machine
	links    map[string]kernel.Link
	watch    <-chan kernel.Link
	wires    *wires
	scripts  *script.Runner
	things   *watch.Watcher // of files and processes
	network  *enforcer
	notes    *notes
	sessions *news               // of BFD
	claims   chan router.Claimed // of addresses of ours, by other hosts
	notify   *notify.Notifier
	do       chan func()
	roles    latest[map[ir.InstanceKey]bool]
	places   latest[map[string]kernel.Link] // the interfaces, for the other loop
	quorum   latest[router.Quorum]
	blind    chan struct{} // closed when the kernel ended the watch of the interfaces
	late     chan struct{} // told when a deadline is late by more than patience

	patience time.Duration // 0: endless

	outbox *outbox // of the advertisements that are due next

	after  <-chan error // what the first want waits for, a while: services are there before the addresses of their quorums
	dirty  bool         // what is wanted changed since it was handed to the enforcer
	bursts []burst      // for addresses among that
}

// open opens the wires of the first configuration, before run.
func (l *routerLoop) open(cfg *ir.Config) error {
	done := l.wires.need(needed(l.links, cfg))
	for {
		select {
		case w := <-l.wires.changes:
			l.wires.change(w)
		case err := <-done:
			return err
		}
	}
}

// run tells the machine about the interfaces as they are and works until ctx ends. What it first hands to the enforcer is full: it
// clears left-overs of an earlier run.
func (l *routerLoop) run(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(l.links)) {
		l.tellLink(name)
	}
	l.places.put(maps.Clone(l.links))
	l.step(router.Tick{})
	l.order(l.after)

	var collector sync.WaitGroup
	collector.Go(func() { l.collect(ctx) })
	defer collector.Wait()
	defer context.AfterFunc(ctx, l.bell.Ring)()
	for ctx.Err() == nil {
		l.enforce()
		due, _ := l.machine.Deadline()
		l.outbox.arm(l.machine, l.wires)
		l.bell.sleep(due)
		l.turn(due)
	}
}

// turn does what waits: packets first, for what a peer said before the deadline counts before the deadline; then what is due; then a
// little of what others have.
func (l *routerLoop) turn(due time.Time) {
	limit := packetsPerTurn
	if !due.IsZero() && time.Since(due) > stoodStill {
		limit = packetsMissed
		l.wires.listen()
	}
	if dead := l.wires.hear(limit, l.packet); len(dead) > 0 {
		l.catchUp()
		for _, w := range dead {
			l.wires.opener.end(w.wireKey, w.index)
			l.tellLink(w.iface)
		}
	}
	l.hearSessions()
	if due, some := l.machine.Deadline(); some && !time.Now().Before(due) {
		if l.patience > 0 && time.Since(due) > l.patience {
			select {
			case l.late <- struct{}{}:
			default:
			}
		}
		l.step(router.Tick{})
	}
	l.outbox.arm(l.machine, l.wires)
	for range workPerTurn {
		select {
		case f := <-l.work:
			f()
		default:
			return
		}
	}
	l.bell.Ring() // there may be more
}

// collect waits for what others have for the loop.
func (l *routerLoop) collect(ctx context.Context) {
	for {
		var f func()
		select {
		case w := <-l.wires.changes:
			f = func() { l.wires.change(w); l.tellLink(w.iface) }
		case k, ok := <-l.watch:
			if !ok {
				l.watch = nil
				close(l.blind)
				continue
			}
			f = func() { l.link(k) }
		case done := <-l.scripts.Results():
			f = func() { l.step(done) }
		case seen := <-l.things.Seen():
			f = func() { l.step(seen) }
		case c := <-l.claims:
			f = func() { l.step(c) }
		case q := <-l.quorum:
			f = func() { l.tellQuorum(q) }
		case f = <-l.do:
		case <-ctx.Done():
			return
		}
		select {
		case l.work <- f:
			l.bell.Ring()
		case <-ctx.Done():
			return
		}
	}
}

// hearSessions tells the machine which BFD sessions are up, as their loop has said.
func (l *routerLoop) hearSessions() {
	for _, up := range l.sessions.take() {
		l.step(router.Sessions{Up: up})
	}
}

func (l *routerLoop) packet(p kernel.Packet) {
	l.step(router.PacketReceived{Interface: p.Interface, Src: p.Src, Dst: p.Dst, TTL: p.TTL, AH: p.AH, ID: p.ID, Payload: p.Payload})
}

// step gives an event to the machine and carries out the effects: advertisements leave first. What changed for the kernel is enforced
// when the loop turns.
func (l *routerLoop) step(ev router.Event) {
	l.catchUp()
	l.stepAt(time.Now(), ev)
}

// catchUp tells the machine which advertisements have left. None leaves by itself from here until arm.
func (l *routerLoop) catchUp() {
	for at := range l.outbox.left {
		l.stepAt(at, router.Tick{})
	}
}

func (l *routerLoop) stepAt(now time.Time, ev router.Event) {
	_, roles := ev.(router.Swap)
	for _, e := range l.machine.Step(now, ev) {
		switch e := e.(type) {
		case router.SendAdvert:
			if l.outbox.has(e) {
				continue
			}
			if failed, changed := l.wires.send(e); changed {
				l.notes.tell(now, failed)
			}
		case router.Announce:
			l.bursts = append(l.bursts, burst{e.Targets, e.Repeat})
		case router.StartScript:
			l.scripts.Start(e)
		case router.RoleChanged:
			roles = true
			l.notes.tell(now, e)
			l.tell(e)
		case router.Contested, router.RoleRecited:
			l.tell(e)
		case router.GroupChanged, router.PriorityChanged:
			l.notes.tell(now, e)
			l.tell(e)
		default:
			l.notes.tell(now, e)
		}
	}
	if roles {
		l.dirty = true
		l.roles.put(l.machine.Roles())
	}
}

// tell leaves it to others to run the scripts of an effect, and to write its lines.
func (l *routerLoop) tell(e router.Effect) {
	l.notify.Tell(func() (notify.Telling, bool) { return notify.OfRouter(e) })
}

// enforce hands what is wanted now to the enforcer, if that changed. It never waits for it.
func (l *routerLoop) enforce() {
	if l.dirty {
		l.order(nil)
		return
	}
	for _, b := range l.bursts {
		l.network.later(b)
	}
	l.bursts = nil
}

// order hands what is wanted now to the enforcer, which waits for after first. The channel tells how the first attempt ended.
func (l *routerLoop) order(after <-chan error) <-chan error {
	bursts := l.bursts
	l.dirty, l.bursts = false, nil
	return l.network.set(order{want: l.machine.Want(), after: after}, bursts...)
}

func (l *routerLoop) link(k kernel.Link) {
	old, known := l.links[k.Name]
	if k.Index == 0 {
		delete(l.links, k.Name)
	} else {
		l.links[k.Name] = k
	}
	l.places.put(maps.Clone(l.links))
	l.need(l.machine.Config())
	l.tellLink(k.Name)
	// Somebody may have touched an address of ours; routes go with their interface, and do not come back with it.
	if !known || !slices.Equal(old.Addrs, k.Addrs) || old.Index != k.Index || old.Up != k.Up {
		l.network.poke()
	}
}

// tellLink tells the machine of a link. Who cannot hear on it must not become MASTER there.
func (l *routerLoop) tellLink(name string) {
	k := l.links[name]
	l.step(router.LinkChanged{
		Name: name, Present: k.Index != 0, Up: k.Up, Addrs: k.Addrs,
		Deaf4: !l.wires.ready(name, kernel.IPv4), Deaf6: !l.wires.ready(name, kernel.IPv6), DeafAH: !l.wires.ready(name, kernel.AH),
	})
}

// tellQuorum tells the machine which services lack their quorum, and what is announced: addresses and routes come and go with it.
func (l *routerLoop) tellQuorum(q router.Quorum) {
	l.step(q)
	l.dirty = true
}

// stage opens the wires of a configuration that comes next, beside those of the one in force, and lets its adverts in. The channel tells
// how the first attempt ended.
func (l *routerLoop) stage(next *ir.Config) <-chan error {
	return l.need(l.machine.Config(), next)
}

// need sets the wires that configurations want.
func (l *routerLoop) need(configs ...*ir.Config) <-chan error {
	needs := needed(l.links, configs...)
	if l.wires.drops(needs) {
		l.catchUp() // nothing may leave by a wire that is closed
	}
	return l.wires.need(needs)
}

// swap puts a configuration into force that was staged.
func (l *routerLoop) swap(next *router.Next, after <-chan error) <-chan error {
	l.hearSessions() // new ones are known before somebody tracks them
	l.step(router.Speak{})
	l.step(router.Swap{Next: next})
	l.outbox.arm(l.machine, l.wires) // others may keep the locks that follow
	l.need(l.machine.Config())
	l.outbox.arm(l.machine, l.wires)
	return l.order(after)
}

// stop says farewell: priority 0 on every wire, then nothing of ours should exist, unless it is to be left.
func (l *routerLoop) stop(leave bool) <-chan error {
	l.step(router.Stop{})
	if leave {
		l.dirty, l.bursts = false, nil
		return nothing()
	}
	return l.order(nothing()) // a farewell waits for nobody
}

// nothing is an attempt to enforce nothing.
func nothing() <-chan error {
	done := make(chan error, 1)
	done <- nil
	return done
}
