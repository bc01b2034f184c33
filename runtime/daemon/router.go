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
	// packetsPerTurn is the maximum number of packets that a turn of the loop takes from a wire, so that a flood makes
	// no deadline late.
	packetsPerTurn = 64
	// stoodStill is how late a deadline is if this process, or its machine, was stopped for a while.
	stoodStill = 50 * time.Millisecond
	// packetsMissed is the maximum number that is then heard first: the peers sent meanwhile.
	packetsMissed = 4096
	// workPerTurn is the maximum number of functions from others that a turn runs.
	workPerTurn = 16
)

// A routerLoop owns the router machine, its time and its wires. Advertisements depend on it, so nothing in it waits
// for, or grows with, anything but VRRP: kernel, disk, names, text and virtual servers are left to goroutines around
// it, which hand it values. Only run touches the fields. It sleeps only on a bell, so it may have its own thread.
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
	sessions *news               // about BFD sessions
	claims   chan router.Claimed // other hosts' claims of addresses of ours
	notify   *notify.Notifier
	do       chan func()
	roles    latest[map[ir.InstanceKey]bool]
	places   latest[map[string]kernel.Link] // the interfaces, for the other loop
	quorum   latest[router.Quorum]
	blind    chan struct{} // closed when the kernel ended the watch of the interfaces
	late     chan struct{} // signalled when a deadline is late by more than patience

	patience time.Duration // 0: infinite

	outbox *outbox // of the next advertisements

	after  <-chan error // what the first want waits for, for a limited time: services exist before the addresses of their quorums
	dirty  bool         // the want has changed since it was handed to the enforcer
	bursts []burst      // for new addresses of that want

	at    time.Time // when the machine emitted the effects that are carried out
	moved bool      // a role is among them
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

// run tells the machine the current state of the interfaces and works until ctx ends. The first order for the enforcer
// is complete: it clears left-overs of an earlier run.
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

// turn handles what waits: packets first, because what a peer sent before the deadline counts before the deadline;
// then what is due; then a little work from others.
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

// hearSessions tells the machine which BFD sessions are up, as reported by their loop.
func (l *routerLoop) hearSessions() {
	for _, up := range l.sessions.take() {
		l.step(router.Sessions{Up: up})
	}
}

func (l *routerLoop) packet(p kernel.Packet) {
	l.step(router.PacketReceived{Interface: p.Interface, Src: p.Src, Dst: p.Dst, TTL: p.TTL, AH: p.AH, ID: p.ID, Payload: p.Payload})
}

// step passes an event to the machine and carries out the effects, advertisements first. Changes for the kernel are
// enforced at the end of the loop's turn.
func (l *routerLoop) step(ev router.Event) {
	l.catchUp()
	l.stepAt(time.Now(), ev)
}

// catchUp tells the machine which advertisements were sent. None is sent without the loop from here until arm.
func (l *routerLoop) catchUp() {
	for at := range l.outbox.left {
		l.stepAt(at, router.Tick{})
	}
}

func (l *routerLoop) stepAt(now time.Time, ev router.Event) {
	l.at = now
	_, l.moved = ev.(router.Swap)
	for _, e := range l.machine.Step(now, ev) {
		e.CarryOut(l)
	}
	if l.moved {
		l.dirty = true
		l.roles.put(l.machine.Roles())
	}
}

// SendAdvert implements router.Handler.
func (l *routerLoop) SendAdvert(e router.SendAdvert) {
	if l.outbox.has(e) {
		return
	}
	if failed, changed := l.wires.send(e); changed {
		l.notes.tell(l.at, failed)
	}
}

// Announce implements router.Handler.
func (l *routerLoop) Announce(e router.Announce) {
	l.bursts = append(l.bursts, burst{e.Targets, e.Repeat})
}

// StartScript implements router.Handler.
func (l *routerLoop) StartScript(e router.StartScript) { l.scripts.Start(e) }

// RoleChanged implements router.Handler.
func (l *routerLoop) RoleChanged(e router.RoleChanged) {
	l.moved = true
	l.notes.tell(l.at, e)
	l.tell(e)
}

// Contested implements router.Handler.
func (l *routerLoop) Contested(e router.Contested) { l.tell(e) }

// RoleRecited implements router.Handler.
func (l *routerLoop) RoleRecited(e router.RoleRecited) { l.tell(e) }

// GroupChanged implements router.Handler.
func (l *routerLoop) GroupChanged(e router.GroupChanged) {
	l.notes.tell(l.at, e)
	l.tell(e)
}

// PriorityChanged implements router.Handler.
func (l *routerLoop) PriorityChanged(e router.PriorityChanged) {
	l.notes.tell(l.at, e)
	l.tell(e)
}

// Remark implements router.Handler.
func (l *routerLoop) Remark(e router.Remark) { l.notes.tell(l.at, e) }

// tell leaves the scripts and the log lines of an effect to other goroutines.
func (l *routerLoop) tell(e router.Effect) {
	l.notify.Tell(func() (notify.Telling, bool) { return notify.OfRouter(e) })
}

// enforce hands the current want to the enforcer if it changed. It never waits for it.
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

// order hands the current want to the enforcer, which waits for after first. The channel receives the result of the
// first attempt.
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
	// Somebody may have changed an address of ours; routes disappear with their interface and do not come back with
	// it.
	if !known || !slices.Equal(old.Addrs, k.Addrs) || old.Index != k.Index || old.Up != k.Up {
		l.network.poke()
	}
}

// tellLink tells the machine about a link. An instance that cannot hear on it must not become MASTER.
func (l *routerLoop) tellLink(name string) {
	k := l.links[name]
	l.step(router.LinkChanged{
		Name: name, Present: k.Index != 0, Up: k.Up, Addrs: k.Addrs,
		Deaf4: !l.wires.ready(name, kernel.IPv4), Deaf6: !l.wires.ready(name, kernel.IPv6), DeafAH: !l.wires.ready(name, kernel.AH),
	})
}

// tellQuorum tells the machine which services lack their quorum, and what is announced: addresses and routes depend on
// it.
func (l *routerLoop) tellQuorum(q router.Quorum) {
	l.step(q)
	l.dirty = true
}

// stage opens the wires of the next configuration, beside those of the one in force, and accepts its adverts. The
// channel receives the result of the first attempt.
func (l *routerLoop) stage(next *ir.Config) <-chan error {
	return l.need(l.machine.Config(), next)
}

// need sets the wires that configurations want.
func (l *routerLoop) need(configs ...*ir.Config) <-chan error {
	needs := needed(l.links, configs...)
	if l.wires.drops(needs) {
		l.catchUp() // nothing may be sent on a closed wire
	}
	return l.wires.need(needs)
}

// swap puts a staged configuration into force.
func (l *routerLoop) swap(next *router.Next, after <-chan error) <-chan error {
	l.hearSessions() // new sessions are known before somebody tracks them
	l.step(router.Speak{})
	l.step(router.Swap{Next: next})
	l.outbox.arm(l.machine, l.wires) // others may hold the locks that follow
	l.need(l.machine.Config())
	l.outbox.arm(l.machine, l.wires)
	return l.order(after)
}

// stop shuts down: it sends priority 0 on every wire; then nothing of ours should exist, unless it is to be left in
// place.
func (l *routerLoop) stop(leave bool) <-chan error {
	l.step(router.Stop{})
	if leave {
		l.dirty, l.bursts = false, nil
		return nothing()
	}
	return l.order(nothing()) // a farewell waits for nothing
}

// nothing returns the result of an attempt to enforce nothing.
func nothing() <-chan error {
	done := make(chan error, 1)
	done <- nil
	return done
}
