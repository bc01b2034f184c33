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

// Options are those of a director.
type Options struct {
	File   string        // the name of the main file, for people
	Load   func() Loaded // reads the configuration; called on its own goroutine, never concurrently
	Open   func() (kernel.Kernel, error)
	Log    *slog.Logger
	Reload <-chan os.Signal // SIGHUP
	Watch  bool             // reload when a file changes
	Seed   uint64           // spreads the first health checks
	Status net.Listener     // where the director answers requests for its status; nil: nowhere
	Page   net.Listener     // where it serves browsers and Prometheus; nil: nowhere
	// Version is that of the program, for the status.
	Version string
	// Thread gives the VRRP loop its own thread, which the kernel wakes and schedules as the configuration says.
	// Without it the loop is an ordinary goroutine, and the kernel's wires must be those of a fake.
	Thread bool
	// Journal records what a part of the kernel was made to have, for the director that follows a killed one; nil: it
	// is not recorded.
	Journal func(state.Part) reconcile.Store
	// Plan reads the file as Load does, and returns the function that says what a reload of it would change now, as
	// keepc plan does. Both may take seconds. nil: there is no plan.
	Plan func() (Loaded, func() string)
	// Replace ends the director that this one replaces, when everything is ready; what that leaves is taken over. nil:
	// there is none.
	Replace func() error
	// Ready is called once when the director is at work, with a function that returns its status; nil: not called. It
	// must not block.
	Ready func(snapshot func(context.Context) (status.Snapshot, error))
	// LeaveVRRP and LeaveIPVS leave what was made in place at the end: addresses, routes and rules; virtual servers.
	// Priority 0 is sent all the same.
	LeaveVRRP, LeaveIPVS bool
}

// spareProcessors is the number of goroutines that may run in addition to one per processor.
const spareProcessors = 1

// stopTimeout is how long a stopping director waits for the kernel to remove everything, unless child_wait_time says
// otherwise.
const stopTimeout = 5 * time.Second

// Run enforces the configuration until ctx ends; then it sends priority 0, removes addresses and services, and
// returns. Errors: *RefusedError if the first configuration has errors; what the kernel refuses at the start
// (kernel.ErrPermission).
func Run(ctx context.Context, o Options) error {
	log := newHistory(o.Log.Handler())
	o.Log = slog.New(log)
	first := o.load(nil, true)
	if first.Config == nil {
		return &RefusedError{Findings: first.Refused}
	}
	// Each worker has its own connection to the kernel: none waits for another one's list of forty thousand servers.
	doors, err := openDoors(o.Open)
	if err != nil {
		return err
	}
	defer doors.close()
	o.edge(ctx, "startup_script", first.Config.Global.StartupScript, first.Config.Global.StartupScriptTimeout)
	// Workers outlive ctx: they carry out the farewell.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	// The connection that announces addresses also watches the links: it need not ask for what it knows about them.
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
		// The thread of a loop finds a free processor of the Go runtime when it wakes, whatever the workers do.
		spare := spareProcessors
		if len(first.Config.BFDs) > 0 {
			spare += spareProcessors
		}
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spare)
	}
	found := o.findServers(first.Config)
	if o.Replace != nil {
		if err := o.Replace(); err != nil {
			return err
		}
	}
	found.Master, found.Uptime = o.findAddresses(doors.network, first.Config).Master, kernel.Uptime()
	d := newDirector(work, o, first.Config, found, doors, bells[0], bells[1])
	d.router.watch, d.history = watch, log.remembered
	if d.manager, err = serviceManager(); err != nil {
		o.Log.Warn(err.Error(), "subject", "systemd")
	}
	// A route or rule of ours that somebody deletes is added again at once.
	if err := doors.network.WatchRouting(work, d.router.network.poke); err != nil {
		return fmt.Errorf("watch routes and rules: %w", err)
	}
	if err := d.hearClaims(doors.network, first.Config); err != nil && len(first.Config.Instances) > 0 { // otherwise there is nothing to hear
		o.Log.Warn(fmt.Sprintf("%v; duplicate addresses are not detected", err), "subject", "neighbours")
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

// edge runs the startup script, before anything else, or the shutdown script, after everything else. Its failure is
// only logged.
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

// doors are the connections to the kernel, one for each worker.
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
			_ = k.Close() // closing writes nothing
		}
	}
}

// A director is three loops and their workers. Its own goroutine loads configurations and hands them to the loops.
type director struct {
	Options
	router   *routerLoop
	busy     kernel.Balancing // counts connections of real servers
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
	retiring *retirement      // before the next configuration comes into force; nil: there is none
	retired  chan *retirement // those that are over
	again    bool             // another reload was requested while one was loading
	rested   time.Time        // when the next reload may begin
	asked    bool             // by somebody, and not because a file changed
	inForce  Loaded           // the configuration in force
	past     past
	history  *remembered // of the log
	manager  manager

	scheduler *scheduler

	claimed func([]netip.Addr) // sets the addresses whose other claimants the VRRP loop hears of; nil: it hears of none

	timing atomic.Pointer[ir.Global] // in force
	timed  chan struct{}             // reload_time_file is due
}

// newDirector returns a director in which nothing runs yet.
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
	d.busy = doors.wires // nobody waits for a long list there
	d.traffic = &traffic{from: doors.wires, work: work, spawn: d.workers.Go}
	d.balance.ipvs.unavailable, d.balance.ipvs.served, d.balance.ipvs.spent = logNoIPVS(o.Log), lacks, newLatest[time.Duration]()
	d.router.sessions, d.balance.sessions = newNews(bell), newNews(nil)
	d.sessions = newSessionLoop(doors.network, sessions, o.Seed, newNotes(o.Log), d.router.sessions, d.balance.sessions)
	d.router.machine.Step(time.Now(), quorumOf(d.balance.machine.Situation()))
	return d
}

// send starts the thread that sends advertisements when they are due.
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

// start starts the work. No instance becomes MASTER before the wires are open or have failed to open.
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
	d.logUnenforced(cfg)
	d.logMissing(cfg, d.router.links)

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
	d.loops.Go(func() {
		d.balance.run(d.work)
		if d.work.Err() == nil { // the configuration asks for a thread
			d.onThread(d.balance.run)
		}
	})
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

// mask sets the umask for the scripts of both loops.
func (d *director) mask(cfg *ir.Config) {
	d.router.scripts.Umask(cfg.Global.FileMask())
	d.balance.probes.Umask(cfg.Global.FileMask())
}

// follow sets the BFD sessions. With keep, sessions that are not among them continue.
func (d *director) follow(sessions []*ir.BFD, keep bool) error {
	_, err := ask(d.work, d.sessions.do, func() struct{} { d.sessions.configure(sessions, keep); return struct{}{} })
	return err
}

// loop waits for what concerns the director as a whole.
func (d *director) loop(ctx context.Context) error {
	for {
		select {
		case <-d.Reload:
			d.reload("requested", true)
		case <-d.timed:
			d.reload("reload_time_file is due", true)
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
		case <-d.router.blind:
			return errors.Join(errors.New("watch the interfaces: the kernel ended the watch"), d.stop())
		case <-ctx.Done():
			return d.stop()
		}
	}
}

// stop shuts down: what is announced is withdrawn; then priority 0 is sent, then routes and addresses are removed,
// then services.
func (d *director) stop() error {
	d.manager.stopping()
	if err := d.withdraw(); err != nil { // everything else must be removed all the same
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
		return fmt.Errorf("stop: not everything was removed from the kernel within %v", patience)
	case err != nil:
		return fmt.Errorf("stop: %w", err)
	}
	d.Log.Info("removed addresses and virtual servers", "subject", "stopped")
	return nil
}

// end ends the workers. One that hangs in the kernel cannot be ended; after a while it is left behind.
func (d *director) end(stop context.CancelFunc) {
	d.notify.Close()
	stop()
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

// patience is how long the shutdown may take.
func (d *director) patience() time.Duration {
	return cmp.Or(d.inForce.Config.ChildWaitTime, stopTimeout)
}

// logNoIPVS reports once that the kernel has no ip_vs, at the line of the first virtual server that needs it.
func logNoIPVS(log *slog.Logger) func(state.State) {
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
