// Package daemon runs one director: the event loops that own the clock, and the goroutines that do slow work for them.
package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/compiler/state"
	"keepc/grammar/source"
	"keepc/runtime/balance"
	"keepc/runtime/kernel"
	"keepc/runtime/notify"
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
	Open   func() (kernel.Kernel, error)
	Log    *slog.Logger
	Reload <-chan os.Signal // SIGHUP
	Watch  bool             // reload by itself when a file changes
	Seed   uint64           // spreads the first health checks
	Status net.Listener     // where the director answers who asks for its status; nil: nowhere
	Page   net.Listener     // where it shows itself to browsers and to Prometheus; nil: nowhere
	// Version of the program, for who asks.
	Version string
	// Thread gives the VRRP loop a thread of its own, which the kernel wakes and schedules as the configuration says. Without it the loop
	// is a goroutine like others, and the wires of the kernel have to be those of a fake.
	Thread bool
	// Journal keeps what a part of the kernel was made to have, for the director after one that is killed; nil: nobody does.
	Journal func(state.Part) reconcile.Store
	// Plan reads the file as Load does, and returns the function that says what a reload of it would change now, as keepc plan does. Both may
	// take seconds. nil: nobody can.
	Plan func() (Loaded, func() string)
	// Replace ends the director that is in this one's place, when all is ready; what it leaves is taken over. nil: there is none.
	Replace func() error
	// Ready is told once that the director is at work, with a function that tells how it is; nil: nobody asks. It must not block.
	Ready func(snapshot func(context.Context) (status.Snapshot, error))
	// LeaveVRRP and LeaveIPVS leave what was made at the end: addresses, routes and rules; virtual servers. Priority 0 is sent all the same.
	LeaveVRRP, LeaveIPVS bool
}

// spareProcessors is how many goroutines may run beside those that the machine has processors for.
const spareProcessors = 1

// stopTimeout bounds how long a stopping director waits for the kernel to give everything up, where child_wait_time says nothing else.
const stopTimeout = 5 * time.Second

// Run enforces the configuration until ctx ends; then it sends priority 0, gives up addresses and services, and returns. Errors:
// *RefusedError when the first configuration has errors; what the kernel refuses at start (kernel.ErrPermission).
func Run(ctx context.Context, o Options) error {
	log := newHistory(o.Log.Handler())
	o.Log = slog.New(log)
	first := o.load(nil, true)
	if first.Config == nil {
		return &RefusedError{Findings: first.Refused}
	}
	// Each worker has a door to the kernel of its own: none waits for another one's list of forty thousand servers.
	doors, err := openDoors(o.Open)
	if err != nil {
		return err
	}
	defer doors.close()
	o.edge(ctx, "startup_script", first.Config.Global.StartupScript, first.Config.Global.StartupScriptTimeout)
	// Workers outlive ctx: they carry out the farewell.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	// The door that announces addresses watches the links, too: what it knows of them it need not ask.
	watch, err := doors.network.WatchLinks(work)
	if err != nil {
		return fmt.Errorf("watch the interfaces: %w", err)
	}
	links, err := doors.network.Links()
	if err != nil {
		return fmt.Errorf("list the interfaces: %w", err)
	}
	var bells [2]bell // of the VRRP loop and of that of BFD
	for i := range bells {
		if bells[i] = newTimerBell(); o.Thread {
			if bells[i], err = newThreadBell(); err != nil {
				return fmt.Errorf("prepare the VRRP loop: %w", err)
			}
		}
	}
	if o.Thread {
		// The thread of a loop finds a processor of the Go runtime free when it wakes, whatever the workers do.
		spare := spareProcessors
		if len(first.Config.BFDs) > 0 {
			spare += spareProcessors
		}
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spare)
	}
	servers := o.findServers(first.Config)
	if o.Replace != nil {
		if err := o.Replace(); err != nil {
			return err
		}
	}
	found := o.findAddresses(doors.network, first.Config)
	found.Servers, found.Uptime = servers.Servers, kernel.Uptime()
	d := newDirector(work, o, first.Config, found, doors, bells[0], bells[1])
	d.router.watch, d.history = watch, log.remembered
	if d.manager, err = serviceManager(); err != nil {
		o.Log.Warn(err.Error(), "subject", "systemd")
	}
	// A route or rule of ours that somebody deletes comes back at once.
	if err := doors.network.WatchRouting(work, d.router.network.poke); err != nil {
		return fmt.Errorf("watch routes and rules: %w", err)
	}
	if err := d.hearClaims(doors.network, first.Config); err != nil && len(first.Config.Instances) > 0 { // else there is nothing to hear of
		o.Log.Warn(fmt.Sprintf("%v; nobody is told when another host has an address of ours", err), "subject", "neighbours")
	}
	for _, l := range links {
		d.router.links[l.Name] = l
	}
	defer func() {
		d.end(stop)
		g := &d.inForce.Config.Global
		o.edge(context.WithoutCancel(ctx), "shutdown_script", g.ShutdownScript, g.ShutdownScriptTimeout)
	}()
	if o.Thread {
		if err := d.send(); err != nil {
			return fmt.Errorf("prepare the VRRP loop: %w", err)
		}
	}
	if err := d.start(first); err != nil {
		return err
	}
	return d.loop(ctx)
}

// edge runs the script of the start, before anything else, or that of the end, behind all else. One that fails is told, and no more.
func (o Options) edge(ctx context.Context, word string, c ir.Command, limit time.Duration) {
	if len(c.Args) == 0 {
		return
	}
	r := script.NewRunner(ctx)
	defer r.Close()
	o.Log.Info("runs "+c.Args[0], "subject", word)
	result := r.Run(ctx, script.Command{Args: c.Args, User: c.User, Timeout: limit})
	if why := result.Cause + result.Inconclusive; why != "" {
		o.Log.Warn(c.Args[0]+": "+why, "subject", word)
	}
}

// RefusedError says that the first configuration has errors. Nothing was enforced.
type RefusedError struct{ Findings string }

func (e *RefusedError) Error() string { return e.Findings }

// doors are the ways to the kernel, one for each worker.
type doors struct{ network, ipvs, wires kernel.Kernel }

func openDoors(open func() (kernel.Kernel, error)) (d doors, err error) {
	for _, k := range []*kernel.Kernel{&d.network, &d.ipvs, &d.wires} {
		if *k, err = open(); err != nil {
			d.close()
			return doors{}, err
		}
	}
	return d, nil
}

func (d doors) close() {
	for _, k := range []kernel.Kernel{d.network, d.ipvs, d.wires} {
		if k != nil {
			_ = k.Close() // nothing is written by closing
		}
	}
}

// A director is three loops and who works for them. Its own goroutine loads configurations and hands them to the loops.
type director struct {
	Options
	router   *routerLoop
	busy     kernel.Balancing // how busy real servers are
	traffic  *traffic
	balance  *balanceLoop
	sessions *sessionLoop
	opener   *opener
	notify   *notify.Notifier // scripts and named pipes of both loops
	things   *watch.Watcher   // of files and processes
	watcher  *watcher
	work     context.Context // of the workers: it ends after the farewell
	loops    sync.WaitGroup
	workers  sync.WaitGroup
	current  generations
	prepared chan prepared
	loading  bool
	retiring *retirement      // before the configuration that is to be in force next; nil: there is none
	retired  chan *retirement // those that are over
	again    bool             // another reload was asked for while one was loading
	rested   time.Time        // when the next reload may begin
	asked    bool             // by somebody, and not by a file that changed
	inForce  Loaded           // the configuration in force
	past     past
	history  *remembered // of the log
	manager  manager

	scheduler *scheduler

	claimed func([]netip.Addr) // sets whose other holders the VRRP loop hears of; nil: it hears of none

	timing atomic.Pointer[ir.Global] // in force
	timed  chan struct{}             // the time of reload_time_file has come
}

// newDirector returns a director of which nothing works yet.
func newDirector(work context.Context, o Options, cfg *ir.Config, found state.Found, doors doors, bell, sessions bell) *director {
	routers, servers := router.Adopt(cfg, found), balance.Adopt(cfg, balance.Start(o.Seed), found)
	d := &director{Options: o, work: work, things: watch.New(), watcher: newWatcher(), prepared: make(chan prepared, 1), retired: make(chan *retirement), past: past{first: cfg}, timed: make(chan struct{}), scheduler: newScheduler(o.Log)}
	d.inForce.Config = cfg
	d.timing.Store(&cfg.Global)
	d.current = generations{routers.Generation, servers.Generation}
	journal := o.journals()
	roles, quorum := newLatest[map[ir.InstanceKey]bool](), newLatest[router.Quorum]()
	places, lacks := newLatest[map[string]kernel.Link](), newLatest[served]()
	d.opener = newOpener(doors.wires, bell, o.Log)
	scripts := script.NewRunner(work)
	d.notify = notify.New(scripts, func(subject, text string) { o.Log.Warn(text, "subject", "notify "+subject) })
	d.router = &routerLoop{
		bell:    bell,
		work:    make(chan func(), workPerTurn),
		machine: router.New(time.Now(), routers),
		links:   map[string]kernel.Link{},
		wires:   newWires(d.opener),
		scripts: scripts,
		notify:  d.notify,
		things:  d.things,
		network: newEnforcer("network", reconcile.New(doors.network, state.OfRouter, journal(state.OfRouter)), o.Log),
		notes:   newNotes(o.Log),
		claims:  make(chan router.Claimed),
		do:      make(chan func()), roles: roles, places: places, quorum: quorum, blind: make(chan struct{}), late: make(chan struct{}, 1),
	}
	d.router.network.announcer = newAnnouncer(doors.network, o.Log)
	d.router.network.announcer.configure(cfg)
	d.balance = &balanceLoop{
		machine: balance.New(time.Now(), servers),
		probes:  probe.NewRunner(work, probe.Limit(maxProbes)),
		things:  d.things,
		ipvs:    newEnforcer("ipvs", reconcile.New(doors.ipvs, state.OfBalance, journal(state.OfBalance)), o.Log),
		notes:   newNotes(o.Log),
		notify:  d.notify,
		do:      make(chan func()), roles: roles, places: places, quorum: quorum, served: lacks,
	}
	d.busy = doors.wires // nobody there waits for a long list
	d.traffic = &traffic{from: doors.wires, work: work, spawn: d.workers.Go}
	d.balance.ipvs.unavailable, d.balance.ipvs.served = noIPVS(o.Log), lacks
	d.router.sessions, d.balance.sessions = newNews(bell), newNews(nil)
	d.sessions = newSessionLoop(doors.network, sessions, o.Seed, newNotes(o.Log), d.router.sessions, d.balance.sessions)
	d.router.machine.Step(time.Now(), quorumOf(d.balance.machine.Situation()))
	return d
}

// send begins the work of the thread that sends advertisements when their times come.
func (d *director) send() error {
	departures, err := kernel.NewDepartures(time.Now)
	if err != nil {
		return err
	}
	d.router.outbox = &outbox{departures: departures}
	id := make(chan int, 1)
	d.workers.Go(func() {
		d.onThread(func(context.Context) { departures.Run(func(thread int) { id <- thread }) })
	})
	d.scheduler.sender = <-id
	return nil
}

// start begins the work. Nobody becomes MASTER before the wires are open, or failed to.
func (d *director) start(first Loaded) error {
	cfg := first.Config
	d.workers.Go(func() { d.opener.run(d.work) })
	if err := d.router.open(cfg); errors.Is(err, kernel.ErrPermission) {
		return err
	}
	d.inForce = first
	d.past.begin(time.Now(), first)
	d.Log.Info(fmt.Sprintf("%s, %s, %s; enforcing", report.Count(len(cfg.Instances), "instance"),
		report.Count(len(cfg.VirtualServers), "virtual server"), report.Count(realServers(cfg), "real server")), "subject", "ready")
	d.faults(first)
	d.unenforced(cfg)
	d.missing(cfg, d.router.links)

	d.workers.Go(func() { d.keepTime(d.work) })
	d.workers.Go(func() { d.router.network.run(d.work) })
	d.workers.Go(func() { d.router.network.announcer.run(d.work) })
	d.workers.Go(func() { d.balance.ipvs.run(d.work) })
	d.workers.Go(func() { d.things.Run(d.work, func(err error) { d.Log.Warn(err.Error(), "subject", "track") }) })
	if d.Status != nil {
		d.workers.Go(func() { status.Serve(d.work, d.Status, d.answers()) })
	}
	if d.Page != nil {
		d.workers.Go(func() {
			if err := status.ServePage(d.work, d.Page, d.answers()); err != nil {
				d.Log.Error(err.Error(), "subject", "page")
			}
		})
	}
	if d.Watch {
		d.workers.Go(func() { d.watcher.run(d.work, func(err error) { d.Log.Warn(err.Error(), "subject", "watch") }) })
		d.watcher.watch(maps.Clone(first.Files))
	}
	d.mask(cfg)
	d.things.Look(cfg)
	d.notify.Configure(cfg)
	served := d.balance.enforce(nil) // its loop does not run yet
	if slices.ContainsFunc(cfg.VirtualServers, func(v *ir.VirtualServer) bool { return v.QuorumAddress != nil }) {
		d.router.after = served
	}
	d.loops.Go(func() { d.onThread(d.balance.run) })
	d.loops.Go(func() { d.onThread(d.sessions.run) })
	if err := d.follow(cfg.BFDs, false); err != nil {
		return err
	}
	d.loops.Go(func() { d.onThread(d.router.run) })
	if err := d.schedule(cfg); err != nil {
		return err
	}
	d.workers.Go(func() {
		events, end := d.history.follow()
		defer end()
		if err := d.manager.run(d.work, events, d.alive); err != nil {
			d.Log.Warn(err.Error(), "subject", "systemd")
		}
	})
	d.manager.ready()
	if d.Ready != nil {
		d.Ready(d.snapshot)
	}
	return nil
}

// alive returns an error when a loop does not answer.
func (d *director) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	for _, do := range []chan func(){d.router.do, d.balance.do, d.sessions.do} {
		if _, err := ask(ctx, do, func() bool { return true }); err != nil {
			return err
		}
	}
	return nil
}

// mask sets the umask of the scripts of both loops.
func (d *director) mask(cfg *ir.Config) {
	d.router.scripts.Umask(cfg.Global.FileMask())
	d.balance.probes.Umask(cfg.Global.FileMask())
}

// follow sets the BFD sessions. With keep, those that are not among them go on.
func (d *director) follow(sessions []*ir.BFD, keep bool) error {
	_, err := ask(d.work, d.sessions.do, func() struct{} { d.sessions.configure(sessions, keep); return struct{}{} })
	return err
}

// loop waits for what concerns the director as a whole.
func (d *director) loop(ctx context.Context) error {
	for {
		select {
		case <-d.Reload:
			d.reload("asked to", true)
		case <-d.timed:
			d.reload("the time of reload_time_file has come", true)
		case <-d.watcher.changed:
			d.reload(d.File+" changed", false)
		case p := <-d.prepared:
			d.take(ctx, p)
		case r := <-d.retired:
			if r == d.retiring {
				r.over = true
				d.drained(ctx)
				d.rest()
			}
		case <-d.router.late:
			d.scheduler.raise()
		case <-d.scheduler.overrun:
			d.scheduler.tire()
		case <-d.router.blind:
			return errors.Join(errors.New("watch the interfaces: the kernel ended the watch"), d.stop())
		case <-ctx.Done():
			return d.stop()
		}
	}
}

// stop says farewell: what is announced is withdrawn; then priority 0 on the wire, then routes and addresses go, then services.
func (d *director) stop() error {
	d.manager.stopping()
	if err := d.withdraw(); err != nil { // the rest has to go all the same
		d.Log.Error(fmt.Sprintf("what is announced: %v", err), "subject", "stopping")
	}
	patience := d.patience()
	limit, cancel := context.WithTimeout(d.work, patience)
	defer cancel()
	network, err := ask(limit, d.router.do, func() <-chan error { return d.router.stop(d.LeaveVRRP) })
	if err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	network, gone := tee(d.work, network)
	ipvs, err := ask(limit, d.balance.do, func() <-chan error { return d.balance.stop(gone, d.LeaveIPVS) })
	if err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	if _, err := ask(limit, d.sessions.do, func() struct{} { d.sessions.stop(); return struct{}{} }); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	switch err := wait(limit, network, ipvs); {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("stop: the kernel did not give up everything within %v", patience)
	case err != nil:
		return fmt.Errorf("stop: %w", err)
	}
	d.Log.Info("gave up addresses and virtual servers", "subject", "stopped")
	return nil
}

// end ends the workers. One that hangs in the kernel cannot be ended; it is left behind after a while.
func (d *director) end(stop context.CancelFunc) {
	d.notify.Close()
	stop()
	d.scheduler.close()
	limit := time.NewTimer(d.patience())
	defer limit.Stop()
	d.loops.Wait() // they wait for nobody
	d.router.outbox.stop()
	d.router.notes.close(limit.C)
	d.balance.notes.close(limit.C)
	d.sessions.notes.close(limit.C)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.balance.probes.Close()
		d.router.scripts.Close()
		d.workers.Wait()
		d.router.bell.close() // the opener has ended, too
		d.sessions.bell.close()
	}()
	select {
	case <-ended:
	case <-limit.C:
	}
}

// patience is how long the end may take.
func (d *director) patience() time.Duration {
	return cmp.Or(d.inForce.Config.ChildWaitTime, stopTimeout)
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
