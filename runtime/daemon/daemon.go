// Package daemon runs one director: the event loop that owns the clock, and the goroutines that do slow work for it.
package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/grammar/source"
	"keepc/runtime/engine"
	"keepc/runtime/kernel"
	"keepc/runtime/probe"
	"keepc/runtime/reconcile"
)

// A Loaded configuration, or the reason why there is none.
type Loaded struct {
	Config *ir.Config // nil when refused
	// Refused says why the file cannot be enforced, one finding a line: "keepalived.conf:22:5: error: … [rule]".
	Refused string
	// Files were read, successfully or not.
	Files Files
}

// Options of a director.
type Options struct {
	File   string        // the main file's name, for people
	Load   func() Loaded // reads the configuration; called on a goroutine of its own, never twice at once
	Kernel kernel.Kernel
	Log    *slog.Logger
	Reload <-chan os.Signal // SIGHUP
	Watch  bool             // reload by itself when a file changes
	Seed   uint64           // spreads the first health checks
}

// maxProbes bounds the health checks that are under way at once.
const maxProbes = 512

// stopTimeout bounds how long a stopping director waits for the kernel to give everything up.
const stopTimeout = 5 * time.Second

// Run enforces the configuration until ctx ends; then it sends priority 0, gives up addresses and services, and returns. Errors:
// *RefusedError when the first configuration has errors; what the kernel refuses at start (kernel.ErrPermission).
func Run(ctx context.Context, o Options) error {
	first := o.Load()
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
		engine:  engine.New(time.Now(), first.Config, engine.Options{Seed: o.Seed}),
		links:   map[string]kernel.Link{},
		packets: make(chan kernel.Packet, 256),
		loaded:  make(chan Loaded, 1),
		watcher: newWatcher(),
		probes:  probe.NewRunner(work, maxProbes),
	}
	defer d.workers.Wait()
	defer stop()
	d.work = work
	d.wires = newWires(o.Kernel, o.Log, d.packets)
	defer d.wires.close()
	defer d.probes.Close()
	d.addresses = newEnforcer("addresses", reconcile.Addresses(o.Kernel), o.Log)
	d.addresses.added = d.announce
	d.ipvs = newEnforcer("ipvs", reconcile.IPVS(o.Kernel), o.Log)
	d.ipvs.unavailable = noIPVS(o.Log)

	d.workers.Go(func() { d.addresses.run(work) })
	d.workers.Go(func() { d.ipvs.run(work) })
	if o.Watch {
		d.workers.Go(func() { d.watcher.run(work, func(err error) { o.Log.Warn(err.Error(), "subject", "watch") }) })
		d.watcher.watch(first.Files)
	}
	if err := d.start(); err != nil {
		return err
	}
	return d.loop(ctx, links)
}

// RefusedError says that the first configuration has errors. Nothing was enforced.
type RefusedError struct{ Findings string }

func (e *RefusedError) Error() string { return e.Findings }

// A director is the state of the event loop; everything here belongs to the loop's goroutine, the workers' fields aside.
type director struct {
	Options
	engine    *engine.Engine
	links     map[string]kernel.Link
	wires     *wires
	packets   chan kernel.Packet
	probes    *probe.Runner
	addresses *enforcer
	ipvs      *enforcer
	watcher   *watcher
	loaded    chan Loaded
	loading   bool
	again     bool            // another reload was asked for while one was loading
	since     time.Time       // of the configuration in force
	work      context.Context // of the workers: it ends after the farewell
	workers   sync.WaitGroup
}

// start tells the engine about the interfaces as they are, and enforces the first want, which clears left-overs of an earlier run.
func (d *director) start() error {
	all, err := d.Kernel.Links()
	if err != nil {
		return fmt.Errorf("list the interfaces: %w", err)
	}
	for _, l := range all {
		d.links[l.Name] = l
	}
	cfg := d.engine.Config()
	if err := d.wires.sync(cfg, d.links); err != nil {
		return err
	}
	d.since = time.Now()
	d.Log.Info(fmt.Sprintf("%s, %s, %s; enforcing", count(len(cfg.Instances), "instance"), count(len(cfg.VirtualServers), "virtual server"),
		count(realServers(cfg), "real server")), "subject", "ready")
	d.unenforced(cfg)
	d.missing(cfg)
	for _, name := range slices.Sorted(maps.Keys(d.links)) {
		d.step(linkEvent(d.links[name]))
	}
	d.enforce(nil)
	return nil
}

// missing says once, with its line, which interfaces are not there.
func (d *director) missing(cfg *ir.Config) {
	for _, v := range cfg.Instances {
		if _, ok := d.links[v.Interface]; !ok {
			d.Log.Warn(fmt.Sprintf("%s: there is no interface %s; waiting for it", v.At("interface"), v.Interface), "subject", v.Name)
		}
	}
}

// unenforced says what the file asks for and does not get.
func (d *director) unenforced(cfg *ir.Config) {
	for _, use := range cfg.NotEnforced {
		d.Log.Warn(fmt.Sprintf("%s: read, but not enforced yet: %s", use.Span, use.Path), "subject", "config")
	}
}

func (d *director) loop(ctx context.Context, links <-chan kernel.Link) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if at, ok := d.engine.Deadline(); ok {
			timer.Reset(time.Until(at))
		} else {
			timer.Stop()
		}
		select {
		case <-timer.C:
			d.drain()
			d.step(engine.Tick{})
		case p := <-d.packets:
			d.packet(p)
		case l, ok := <-links:
			if !ok {
				return fmt.Errorf("watch the interfaces: the kernel closed the channel")
			}
			d.link(l)
		case r := <-d.probes.Results():
			d.step(engine.ProbeDone{ID: r.ID, Cause: r.Cause})
		case <-d.Reload:
			d.reload("asked to")
		case <-d.watcher.changed:
			d.reload(d.File + " changed")
		case l := <-d.loaded:
			d.apply(l)
		case <-ctx.Done():
			return d.stop()
		}
	}
}

// drain takes the packets that wait: what a peer said before the deadline counts before the deadline.
func (d *director) drain() {
	for {
		select {
		case p := <-d.packets:
			d.packet(p)
		default:
			return
		}
	}
}

func (d *director) packet(p kernel.Packet) {
	d.step(engine.PacketReceived{Interface: p.Interface, Src: p.Src, Dst: p.Dst, TTL: p.TTL, Payload: p.Payload})
}

// step is the one place where something happens: advertisements leave first, then come logs, probes and kernel work. The
// channels are closed when the want that follows is in force.
func (d *director) step(ev engine.Event) (addresses, ipvs <-chan struct{}) {
	effects := d.engine.Step(time.Now(), ev)
	var bursts []burst
	var changed bool
	switch ev.(type) {
	case engine.Reload, engine.Stop:
		changed = true
	}
	for _, e := range effects {
		switch e := e.(type) {
		case engine.SendAdvert:
			d.wires.send(e)
		case engine.Announce:
			bursts = append(bursts, burst{e.Targets, e.Repeat})
		case engine.StartProbe:
			d.probes.Start(e.ID, e.Timeout)
		case engine.RoleChanged:
			changed = true
			d.Log.Info(e.Reason, "subject", e.Name+" "+e.Role)
		case engine.ServerChanged:
			changed = true
			d.Log.Info(serverText(e), "subject", e.Server.Server.String())
		case engine.QuorumChanged:
			changed = true
			d.Log.Warn(quorumText(e), "subject", "quorum")
		case engine.Note:
			d.Log.Warn(e.Text, "subject", e.Subject)
		}
	}
	if changed {
		return d.enforce(bursts)
	}
	for _, b := range bursts {
		d.addresses.announce(b)
	}
	return nil, nil
}

func serverText(e engine.ServerChanged) string {
	if e.Up {
		return "up: " + e.Reason + "; serves " + e.Server.Service.String()
	}
	return "down: " + e.Reason + "; removed from " + e.Server.Service.String()
}

func quorumText(e engine.QuorumChanged) string {
	if e.Lost {
		return e.Service.String() + ": lost: " + e.Reason
	}
	return e.Service.String() + ": reached: " + e.Reason
}

// enforce hands the new want to the workers. It never waits for them.
func (d *director) enforce(bursts []burst) (addresses, ipvs <-chan struct{}) {
	want := d.engine.Want()
	return d.addresses.set(want, bursts...), d.ipvs.set(want)
}

// announce runs on the address worker.
func (d *director) announce(added []state.AddressKey, bursts []burst) {
	bursting := map[state.AddressKey]bool{}
	for _, b := range bursts {
		for range b.repeat {
			for _, k := range b.targets {
				bursting[k] = true
				d.garp(k)
			}
		}
	}
	for _, k := range added {
		if !bursting[k] {
			d.garp(k)
		}
	}
}

func (d *director) garp(k state.AddressKey) {
	if err := d.Kernel.Announce(k.Dev, k.Prefix.Addr()); err != nil {
		d.Log.Warn(fmt.Sprintf("announce: %v", err), "subject", k.String())
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
	if err := d.wires.sync(d.engine.Config(), d.links); err != nil {
		d.Log.Error(err.Error(), "subject", l.Name)
	}
	d.step(linkEvent(l))
	// Somebody may have touched an address of ours.
	if !known || !slices.Equal(old.Addrs, l.Addrs) || old.Index != l.Index {
		d.addresses.poke()
	}
}

func linkEvent(l kernel.Link) engine.LinkChanged {
	return engine.LinkChanged{Name: l.Name, Present: l.Index != 0, Up: l.Up, Addrs: l.Addrs}
}

// reload reads the file on a goroutine of its own; a large file must not make an advertisement late.
func (d *director) reload(why string) {
	if d.loading {
		d.again = true
		return
	}
	d.Log.Info(why, "subject", "reload")
	d.loading = true
	d.workers.Go(func() { d.loaded <- d.Load() })
}

// apply puts a new configuration into force, or says why not and keeps the old one.
func (d *director) apply(l Loaded) {
	d.loading = false
	if d.Watch {
		d.watcher.watch(l.Files)
	}
	if d.again {
		d.again = false
		d.reload("asked to again")
	}
	if l.Config == nil {
		for line := range strings.Lines(l.Refused) {
			d.Log.Error("refused: "+strings.TrimRight(line, "\n"), "subject", "reload")
		}
		d.Log.Info("still enforcing the configuration of "+d.since.Format("15:04:05"), "subject", "reload")
		return
	}
	start := time.Now()
	before := d.engine.Want()
	addresses, ipvs := d.step(engine.Reload{Config: l.Config})
	if err := d.wires.sync(l.Config, d.links); err != nil {
		d.Log.Error(err.Error(), "subject", "reload")
	}
	d.unenforced(l.Config)
	d.missing(l.Config)
	d.since = start
	after := d.engine.Want()
	roles := d.roles()
	d.workers.Go(func() {
		add, change, remove := tally(plan.Diff(before, after, func(state.Key) bool { return true }))
		for _, done := range []<-chan struct{}{addresses, ipvs} {
			select {
			case <-done:
			case <-d.work.Done():
				return
			}
		}
		d.Log.Info(fmt.Sprintf("done in %v: %d added, %d changed, %d removed%s", time.Since(start).Round(time.Millisecond), add, change, remove, roles),
			"subject", "reload")
	})
}

// roles says what every instance is, for the log.
func (d *director) roles() string {
	var b strings.Builder
	s := d.engine.Situation()
	for _, v := range d.engine.Config().Instances {
		role := "BACKUP"
		if _, ok := s.Master[v.Key()]; ok {
			role = "MASTER"
		}
		fmt.Fprintf(&b, "; %s is %s", v.Name, role)
	}
	return b.String()
}

func tally(p plan.Plan) (add, change, remove int) {
	for _, c := range p {
		switch c.Action {
		case plan.Add:
			add++
		case plan.Remove:
			remove++
		case plan.Edit, plan.Replace:
			change++
		}
	}
	return add, change, remove
}

// stop says farewell: priority 0 on the wire first, then addresses and services go.
func (d *director) stop() error {
	addresses, ipvs := d.step(engine.Stop{})
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	for _, done := range []<-chan struct{}{addresses, ipvs} {
		select {
		case <-done:
		case <-timeout.C:
			return fmt.Errorf("stop: the kernel did not give up everything within %v", stopTimeout)
		}
	}
	d.Log.Info("gave up addresses and virtual servers", "subject", "stopped")
	return nil
}

func realServers(cfg *ir.Config) int {
	n := 0
	for _, v := range cfg.VirtualServers {
		n += len(v.RealServers)
	}
	return n
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
