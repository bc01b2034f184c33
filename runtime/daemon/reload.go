package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/grammar/diag"
	"keepc/runtime/balance"
	"keepc/runtime/kernel"
	"keepc/runtime/router"
	"keepc/runtime/script"
)

// A Loaded is a configuration, or the reason why there is none.
type Loaded struct {
	Config *ir.Config // nil if refused
	// Refused says why the file cannot be enforced, one finding per line: "keepalived.conf:22:5: error: … [rule]".
	Refused string
	// Text returns the text that Config was made from, after includes and definitions, with its secrets. It is written
	// on demand.
	Text func() []byte
	// Files are those that were read, successfully or not.
	Files Files
	// Faults are the errors of the file that keepalived tolerates.
	Faults []Fault
	// Beside are the errors of the settings beside the file if they announce nothing: they count if the previous
	// settings announced something.
	Beside []Fault
	// Unread are the includes that brought in nothing.
	Unread []Fault
	// Verdicts are about commands, from when this process had all its rights; nil: none.
	Verdicts script.Verdicts
	// OnHost returns what is wrong with the file on this machine now; nil: unknown.
	OnHost func() []Fault
}

// load reads a configuration that is to replace another one, nil at the start, and removes the commands that must not
// run on this machine before a machine sees them. It reads files and looks up users: never on the event loop. asked is
// as in accept.
func (o *Options) load(before *Loaded, asked bool) Loaded {
	unmark := func() {}
	if before != nil {
		unmark = o.mark(before.Config)
	}
	l := o.Load()
	unmark()
	if before != nil {
		l.accept(*before, asked)
	}
	if l.Config == nil {
		return l
	}
	vetted, findings := l.Verdicts.Vet(l.Config)
	l.Config, l.Faults = vetted, slices.Clip(l.Faults)
	for _, f := range findings {
		message := f.Message
		if f.Help != "" {
			message += "; " + f.Help
		}
		if f.Severity < diag.Error {
			o.Log.Warn(fmt.Sprintf("%s: %s", f.Span, message), "subject", "script")
			continue
		}
		l.Faults = append(l.Faults, Fault{Text: fmt.Sprintf("%s: error: %s [%s]", f.Span, message, f.Rule), Same: f.Rule + " " + message})
	}
	return l
}

// prepared is a configuration that is ready to come into force.
type prepared struct {
	Loaded
	router  *router.Next
	balance *balance.Next
}

// generations are those in force.
type generations struct {
	router  *router.Generation
	balance *balance.Generation
}

// reloadPause is the time from the end of a reload to the next one: a storm of SIGHUPs must not keep the machine busy.
const reloadPause = 100 * time.Millisecond

// reload reads the file and prepares everything possible on its own goroutine; a large file must not make an
// advertisement late.
func (d *director) reload(why string, asked bool) {
	rest := time.Until(d.rested)
	if asked && (d.loading || rest > 0) {
		d.speak()
	}
	if d.loading {
		d.again, d.asked = true, d.asked || asked
		return
	}
	d.Log.Info(why, "subject", "reload")
	d.manager.reloading()
	d.loading = true
	current, before := d.current, d.inForce
	go func() { // ends by itself, or with the director: the channel has room for the current one
		time.Sleep(rest)
		p := prepared{Loaded: d.load(&before, asked)}
		if p.Config != nil {
			p.router, p.balance = router.Prepare(p.Config, current.router), balance.Prepare(p.Config, current.balance)
		}
		d.prepared <- p
	}()
}

// speak makes every MASTER advertise now, for a reload that must wait for its turn. keepalived advertises at each
// SIGHUP.
func (d *director) speak() {
	// A loop that has ended has sent its farewell.
	_, _ = ask(d.work, d.router.do, func() struct{} { d.router.step(router.Speak{}); return struct{}{} })
}

// take decides about a configuration that was read. A refused one changes nothing, not even the drain for an earlier
// one. Any other comes into force when what it gives up is drained, and replaces one that still drains.
func (d *director) take(ctx context.Context, p prepared) {
	d.loading, d.rested = false, time.Now().Add(reloadPause)
	if d.Watch {
		d.watcher.watch(maps.Clone(p.Files))
	}
	if p.Config == nil {
		d.refuse(p.Refused)
		d.drained(ctx)
	} else {
		d.retire(ctx, p)
	}
	d.rest()
}

// rest begins the reload that was requested meanwhile. Nothing else but a drain is in progress then.
func (d *director) rest() {
	if d.retiring == nil {
		d.manager.ready()
	}
	if d.again {
		asked := d.asked
		d.again, d.asked = false, false
		d.reload("requested again", asked)
	}
}

// refuse reports why a configuration does not come into force.
func (d *director) refuse(why string) {
	for line := range strings.Lines(why) {
		d.Log.Error("refused: "+strings.TrimRight(line, "\n"), "subject", "reload")
	}
	since := d.past.refused(time.Now(), why)
	d.Log.Info("still enforcing the configuration of "+since.Format("15:04:05"), "subject", "reload")
	if d.retiring != nil {
		d.Log.Info("the previous reload is still under way", "subject", "reload")
	}
}

// apply puts a new configuration into force. The services of a new address exist before it does, so balance goes
// first.
func (d *director) apply(ctx context.Context, p prepared) {
	start := time.Now()
	d.mask(p.Config)
	d.notify.Configure(p.Config)
	before := d.planned()
	s, err := d.swap(ctx, p)
	if err != nil { // the director is ending
		return
	}
	d.router.network.announcer.configure(p.Config)
	d.watchClaims(p.Config)
	if err := d.schedule(p.Config); err != nil {
		return
	}
	d.things.Look(p.Config)
	d.faults(p.Loaded)
	d.logUnenforced(p.Config)
	d.logMissing(p.Config, s.links)
	d.inForce = p.Loaded
	d.timing.Store(&p.Config.Global)
	d.past.done(start, p.Loaded)
	d.workers.Go(func() {
		err := wait(d.work, s.network, s.ipvs)
		switch {
		case errors.Is(err, context.Canceled):
		case err != nil:
			d.Log.Error("not all of it is in place yet: "+err.Error(), "subject", "reload")
		default:
			took := time.Since(start).Round(time.Millisecond)
			d.Log.Info(fmt.Sprintf("done in %v: %s%s", took, d.planned().since(before), roles(s.standings)), "subject", "reload")
		}
	})
}

// planned counts what both enforcers have planned.
func (d *director) planned() tally { return d.router.network.tally().plus(d.balance.ipvs.tally()) }

// A swap is what the loops report about a new configuration.
type swap struct {
	standings     []router.Standing
	links         map[string]kernel.Link
	network, ipvs <-chan error // results of the first attempts to enforce it
}

// swap hands a configuration to the loops: the services of a new address exist before the address does. Neither loop
// waits for the other: their enforcers do.
func (d *director) swap(ctx context.Context, p prepared) (s swap, err error) {
	// New followers of a session find it, and former ones do not see it end.
	if err := d.follow(p.Config.BFDs, true); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, d.follow(p.Config.BFDs, false)) }()
	// A new instance must not start deaf.
	staged, err := ask(ctx, d.router.do, func() <-chan error { return d.router.stage(p.Config) })
	if err != nil {
		return s, err
	}
	if err := wait(ctx, staged); errors.Is(err, context.Canceled) {
		return s, err
	}
	type enforced struct {
		first  <-chan error
		quorum router.Quorum
	}
	served, err := ask(d.work, d.balance.do, func() enforced {
		return enforced{d.balance.swap(p.balance), quorumOf(d.balance.machine.Situation())}
	})
	if err != nil {
		return s, err
	}
	ipvs, first := tee(d.work, served.first)
	s, err = ask(d.work, d.router.do, func() swap {
		s := swap{links: maps.Clone(d.router.links)}
		d.router.tellQuorum(served.quorum) // new services have one, too
		s.network = d.router.swap(p.router, first)
		s.standings = d.router.machine.Standings()
		return s
	})
	s.ipvs = ipvs
	d.current = generations{p.router.Generation, p.balance.Generation}
	return s, err
}

// roles lists the role of every instance, for the log.
func roles(standings []router.Standing) string {
	var b strings.Builder
	for _, s := range standings {
		fmt.Fprintf(&b, "; %s is %s", s.Config.Name, s.Role)
	}
	return b.String()
}

// logMissing reports once, with its line, each interface that does not exist.
func (d *director) logMissing(cfg *ir.Config, links map[string]kernel.Link) {
	for _, v := range cfg.Instances {
		if _, ok := links[v.Interface]; !ok {
			d.Log.Warn(fmt.Sprintf("%s: there is no interface %s; waiting for it", v.At("interface"), v.Interface), "subject", v.Name)
		}
	}
}

// logUnenforced reports what the file asks for and does not get.
func (d *director) logUnenforced(cfg *ir.Config) {
	for _, line := range report.Unenforced(cfg.NotEnforced) {
		d.Log.Warn(line, "subject", "config")
	}
}

func realServers(cfg *ir.Config) int {
	n := 0
	for _, v := range cfg.VirtualServers {
		n += len(v.RealServers)
	}
	return n
}
