// Package daemon runs one director: the event loop that owns the clock, and the goroutines that do slow work for it.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/compiler/state"
	"keepc/grammar/source"
	"keepc/runtime/balance"
	"keepc/runtime/kernel"
	"keepc/runtime/probe"
	"keepc/runtime/reconcile"
	"keepc/runtime/router"
	"keepc/runtime/script"
	"keepc/runtime/status"
	"keepc/runtime/watch"
)

// Options of a director.
type Options struct {
	File   string        // the main file's name, for people
	Load   func() Loaded // reads the configuration; called on a goroutine of its own, never twice at once
	Kernel kernel.Kernel
	Log    *slog.Logger
	Reload <-chan os.Signal // SIGHUP
	Watch  bool             // reload by itself when a file changes
	Seed   uint64           // spreads the first health checks
	Status net.Listener     // where the director answers who asks for its status; nil: nowhere
}

// maxProbes bounds the health checks that are under way at once.
const maxProbes = 512

// stopTimeout bounds how long a stopping director waits for the kernel to give everything up.
const stopTimeout = 5 * time.Second

// Run enforces the configuration until ctx ends; then it sends priority 0, gives up addresses and services, and returns. Errors:
// *RefusedError when the first configuration has errors; what the kernel refuses at start (kernel.ErrPermission).
func Run(ctx context.Context, o Options) error {
	first := o.load()
	if first.Config == nil {
		return &RefusedError{Findings: first.Refused}
	}
	// Workers outlive ctx: they carry out the farewell.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	links, err := o.Kernel.WatchLinks(work)
	if err != nil {
		return fmt.Errorf("watch the interfaces: %w", err)
	}
	d := &director{
		Options: o,
		router:  router.New(time.Now(), router.Prepare(first.Config, nil)),
		balance: balance.New(time.Now(), balance.Prepare(first.Config, balance.Start(o.Seed))),
		links:   map[string]kernel.Link{},
		wires:   newWires(o.Kernel, o.Log),
		probes:  probe.NewRunner(work, probe.Limit(maxProbes)),
		scripts: script.NewRunner(work),
		things:  watch.New(),
		loaded:  make(chan Loaded, 1),
		first:   first.Config,
		asked:   make(chan chan<- status.Snapshot),
		watcher: newWatcher(),
		network: newEnforcer("network", reconcile.Network(o.Kernel), o.Log),
		ipvs:    newEnforcer("ipvs", reconcile.IPVS(o.Kernel), o.Log),
		work:    work,
	}
	d.network.announce = d.announce
	d.ipvs.unavailable = noIPVS(o.Log)
	defer d.end(stop)

	d.workers.Go(func() { d.network.run(work) })
	d.workers.Go(func() { d.ipvs.run(work) })
	if o.Status != nil {
		d.workers.Go(func() { status.Serve(work, o.Status, d.document) })
	}
	d.workers.Go(func() { d.things.Run(work, func(err error) { o.Log.Warn(err.Error(), "subject", "track") }) })
	if o.Watch {
		d.workers.Go(func() { d.watcher.run(work, func(err error) { o.Log.Warn(err.Error(), "subject", "watch") }) })
		d.watcher.watch(first.Files)
	}
	if err := d.start(); err != nil {
		return err
	}
	return d.loop(ctx, links)
}

// end ends the workers. One that hangs in the kernel cannot be ended; it is left behind after a while.
func (d *director) end(stop context.CancelFunc) {
	stop()
	d.wires.close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.probes.Close()
		d.scripts.Close()
		d.workers.Wait()
	}()
	limit := time.NewTimer(stopTimeout)
	defer limit.Stop()
	select {
	case <-ended:
	case <-limit.C:
	}
}

// RefusedError says that the first configuration has errors. Nothing was enforced.
type RefusedError struct{ Findings string }

func (e *RefusedError) Error() string { return e.Findings }

// A director is the state of the event loop; everything here belongs to the loop's goroutine, the workers' fields aside.
type director struct {
	Options
	router   *router.Machine
	balance  *balance.Machine
	links    map[string]kernel.Link
	wires    *wires
	probes   *probe.Runner
	scripts  *script.Runner
	things   *watch.Watcher // of files and processes
	network  *enforcer
	ipvs     *enforcer
	watcher  *watcher
	loaded   chan Loaded
	loading  bool
	again    bool // another reload was asked for while one was loading
	asked    chan chan<- status.Snapshot
	first    *ir.Config // that it began with
	begun    time.Time
	since    time.Time       // of the configuration in force
	reloaded *status.Reload  // the last one; nil: none so far
	started  bool            // the router machine knows all interfaces: what it wants is full
	dirty    bool            // what is wanted changed since it was handed to the enforcers
	bursts   []burst         // for addresses among that
	work     context.Context // of the workers: it ends after the farewell
	workers  sync.WaitGroup
}

// start tells the router machine about the interfaces as they are, and enforces the first want, which clears left-overs of an earlier run.
func (d *director) start() error {
	all, err := d.Kernel.Links()
	if err != nil {
		return fmt.Errorf("list the interfaces: %w", err)
	}
	for _, l := range all {
		d.links[l.Name] = l
	}
	cfg := d.router.Config()
	if err := d.wires.open(cfg, d.links); err != nil {
		return err
	}
	d.begun = time.Now()
	d.since = d.begun
	d.Log.Info(fmt.Sprintf("%s, %s, %s; enforcing", report.Count(len(cfg.Instances), "instance"),
		report.Count(len(cfg.VirtualServers), "virtual server"), report.Count(realServers(cfg), "real server")), "subject", "ready")
	d.unenforced(cfg)
	d.missing(cfg)
	d.things.Look(cfg)
	for _, name := range slices.Sorted(maps.Keys(d.links)) {
		d.route(d.linkEvent(d.links[name]))
	}
	d.route(router.Tick{})
	d.started, d.dirty = true, true
	return nil
}

const (
	// stoodStill is how late a deadline is when this process was stopped for a while, or its machine was.
	stoodStill = 50 * time.Millisecond
	// catchUp is the time that the receivers then have to hand over what waits in their sockets, on a busy machine too.
	catchUp = 30 * time.Millisecond
	// reopenInterval is how often a wire that did not open is tried again.
	reopenInterval = time.Second
)

func (d *director) loop(ctx context.Context, links <-chan kernel.Link) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	reopen := time.NewTicker(reopenInterval)
	defer reopen.Stop()
	for {
		d.enforce(nil)
		due, some := d.router.Deadline()
		if at, ok := d.balance.Deadline(); ok && (!some || at.Before(due)) {
			due, some = at, true
		}
		if some {
			timer.Reset(time.Until(due))
		} else {
			timer.Stop()
		}
		select {
		case now := <-timer.C:
			if some && now.Sub(due) > stoodStill {
				time.Sleep(catchUp) // the peers spoke meanwhile: they are heard first
			}
			d.drain()
			d.route(router.Tick{})
			d.serve(balance.Tick{})
		case p := <-d.wires.packets:
			d.packet(p)
		case dead := <-d.wires.dead:
			d.deaf(dead)
		case <-reopen.C:
			d.reopen()
		case l, ok := <-links:
			if !ok {
				return errors.Join(errors.New("watch the interfaces: the kernel ended the watch"), d.stop())
			}
			d.link(l)
		case r := <-d.probes.Results():
			d.results(r)
		case done := <-d.scripts.Results():
			d.route(done)
		case seen := <-d.things.Seen():
			d.route(seen)
		case <-d.Reload:
			d.reload("asked to")
		case <-d.watcher.changed:
			d.reload(d.File + " changed")
		case l := <-d.loaded:
			d.apply(l)
		case reply := <-d.asked:
			reply <- d.snapshot() // there is room
		case <-ctx.Done():
			return d.stop()
		}
	}
}

// drain takes the packets that wait: what a peer said before the deadline counts before the deadline.
func (d *director) drain() {
	for {
		select {
		case p := <-d.wires.packets:
			d.packet(p)
		default:
			return
		}
	}
}

func (d *director) packet(p kernel.Packet) {
	d.route(router.PacketReceived{Interface: p.Interface, Src: p.Src, Dst: p.Dst, TTL: p.TTL, Payload: p.Payload})
}

// results takes a probe's result, and those that wait behind it: many servers that fail at once are one change of what is wanted.
func (d *director) results(r balance.ProbeDone) {
	for range maxProbes {
		d.serve(r)
		select {
		case r = <-d.probes.Results():
		default:
			return
		}
	}
}

// route gives an event to the router machine: advertisements leave first, then come logs and scripts. What changed for the kernel is
// enforced when the loop turns.
func (d *director) route(ev router.Event) {
	_, roles := ev.(router.Swap)
	for _, e := range d.router.Step(time.Now(), ev) {
		switch e := e.(type) {
		case router.SendAdvert:
			d.wires.send(e)
		case router.Announce:
			d.bursts = append(d.bursts, burst{e.Targets, e.Repeat})
		case router.StartScript:
			d.scripts.Start(e)
		case router.PriorityChanged:
			d.Log.Info(fmt.Sprintf("%d -> %d: %s", e.From, e.To, e.Reason), "subject", e.Name+" priority")
		case router.RoleChanged:
			roles = true
			d.Log.Info(e.Reason, "subject", e.Name+" "+e.Role)
		case router.Note:
			d.note(e.Subject, e.Text, e.Fine)
		}
	}
	if roles {
		d.dirty = true
		d.serve(balance.Roles{Master: d.router.Roles()})
	}
}

// note logs what a machine has to say.
func (d *director) note(subject, text string, fine bool) {
	level := slog.LevelWarn
	if fine {
		level = slog.LevelInfo
	}
	d.Log.Log(d.work, level, text, "subject", subject)
}

// serve gives an event to the balance machine.
func (d *director) serve(ev balance.Event) {
	_, quorum := ev.(balance.Swap)
	for _, e := range d.balance.Step(time.Now(), ev) {
		switch e := e.(type) {
		case balance.StartProbe:
			d.probes.Start(e.ID, e.Timeout)
		case balance.ServerChanged:
			d.dirty = true
			d.Log.Info(serverText(e), "subject", e.Server.Server.String())
		case balance.QuorumChanged:
			quorum = true
			d.Log.Warn(quorumText(e), "subject", "quorum")
		case balance.Note:
			d.note(e.Subject, e.Text, e.Fine)
		}
	}
	if quorum {
		d.dirty = true
		d.route(router.Quorum{Lost: d.balance.Situation().NoQuorum})
	}
}

// situation is what both machines know.
func (d *director) situation() state.Situation {
	s, health := d.router.Situation(), d.balance.Situation()
	s.Down, s.NoQuorum = health.Down, health.NoQuorum
	return s
}

func serverText(e balance.ServerChanged) string {
	if e.Up {
		return "up: " + e.Reason + "; serves " + e.Server.Service.String()
	}
	return "down: " + e.Reason + "; removed from " + e.Server.Service.String()
}

func quorumText(e balance.QuorumChanged) string {
	if e.Lost {
		return e.Service.String() + ": lost: " + e.Reason
	}
	return e.Service.String() + ": reached: " + e.Reason
}

// A result tells how the first attempt to enforce something went, for each part of the kernel.
type result struct{ network, ipvs <-chan error }

// enforce hands what is wanted now to the workers, if that changed. It never waits for them. first says which part goes first;
// nil: neither.
func (d *director) enforce(first *enforcer) (r result) {
	bursts := d.bursts
	d.bursts = nil
	if !d.dirty {
		for _, b := range bursts {
			d.network.later(b)
		}
		return r
	}
	d.dirty = false
	cfg, situation := d.router.Config(), d.situation()
	want := sync.OnceValue(func() state.State { return state.Desired(cfg, situation) })
	switch first {
	case d.ipvs:
		// Nobody listens to the first channel but the other enforcer, so the loop gets one of its own.
		r.network = d.network.set(order{want: want, after: d.ipvs.set(order{want: want})}, bursts...)
		r.ipvs = d.ipvs.set(order{want: want})
	case d.network:
		r.ipvs = d.ipvs.set(order{want: want, after: d.network.set(order{want: want}, bursts...)})
		r.network = d.network.set(order{want: want})
	default:
		r.network, r.ipvs = d.network.set(order{want: want}, bursts...), d.ipvs.set(order{want: want})
	}
	return r
}

// wait waits for both parts.
func (r result) wait(done <-chan struct{}) error {
	var errs []error
	for _, c := range []<-chan error{r.network, r.ipvs} {
		select {
		case err := <-c:
			errs = append(errs, err)
		case <-done:
			return context.Canceled
		}
	}
	return errors.Join(errs...)
}

// announce runs on the address worker.
func (d *director) announce(k state.AddressKey, repeat int) {
	for range repeat {
		if err := d.Kernel.Announce(k.Dev, k.Prefix.Addr()); err != nil {
			d.Log.Warn(fmt.Sprintf("announce: %v", err), "subject", k.String())
			return
		}
	}
}

// noIPVS says once that the kernel has no ip_vs, at the line of the first virtual server that needs it.
func noIPVS(log *slog.Logger) func(state.State) {
	return func(want state.State) {
		var first source.Span
		for _, s := range want.Services {
			if first.IsZero() || s.Origin.Before(first) {
				first = s.Origin
			}
		}
		log.Error(fmt.Sprintf("%s: %v; virtual servers are not enforced until it has (modprobe ip_vs); VRRP goes on", first, kernel.ErrNoIPVS), "subject", "ipvs")
	}
}

func (d *director) link(l kernel.Link) {
	old, known := d.links[l.Name]
	if l.Index == 0 {
		delete(d.links, l.Name)
	} else {
		d.links[l.Name] = l
	}
	if err := d.wires.sync(d.router.Config(), d.links); err != nil {
		d.Log.Error(fmt.Sprintf("%v; trying again", err), "subject", l.Name)
	}
	d.route(d.linkEvent(l))
	// Somebody may have touched an address of ours; routes go with their interface, and do not come back with it.
	if !known || !slices.Equal(old.Addrs, l.Addrs) || old.Index != l.Index || old.Up != l.Up {
		d.network.poke()
	}
}

// linkEvent tells the router machine of a link. One without its wires is as good as down: who cannot hear must not become MASTER.
func (d *director) linkEvent(l kernel.Link) router.LinkChanged {
	return router.LinkChanged{Name: l.Name, Present: l.Index != 0, Up: l.Up && d.wires.ready(d.router.Config(), l.Name), Addrs: l.Addrs}
}

// deaf closes a wire whose receiver ended by itself; reopen opens another.
func (d *director) deaf(k wireKey) {
	d.Log.Error("cannot receive any more; opening another socket", "subject", k.iface)
	d.wires.drop(k)
	d.route(d.linkEvent(d.links[k.iface]))
}

// reopen tries again what did not open.
func (d *director) reopen() {
	for _, name := range d.wires.missing(d.router.Config(), d.links) {
		if d.wires.open(d.router.Config(), d.links) == nil {
			d.Log.Info("VRRP is open again", "subject", name)
		}
		d.route(d.linkEvent(d.links[name]))
	}
}

// stop says farewell: priority 0 on the wire first, then routes and addresses go, then services.
func (d *director) stop() error {
	d.route(router.Stop{})
	d.serve(balance.Stop{})
	d.dirty = true
	limit, cancel := context.WithTimeout(d.work, stopTimeout)
	defer cancel()
	err := d.enforce(d.network).wait(limit.Done())
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("stop: the kernel did not give up everything within %v", stopTimeout)
	case err != nil:
		return fmt.Errorf("stop: %w", err)
	}
	d.Log.Info("gave up addresses and virtual servers", "subject", "stopped")
	return nil
}
