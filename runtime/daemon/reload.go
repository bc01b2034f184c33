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

// A Loaded configuration, or the reason why there is none.
type Loaded struct {
	Config *ir.Config // nil when refused
	// Refused says why the file cannot be enforced, one finding a line: "keepalived.conf:22:5: error: … [rule]".
	Refused string
	// Text returns what Config was made of, as its includes and definitions come out, with its secrets. It is written when somebody asks.
	Text func() []byte
	// Files were read, successfully or not.
	Files Files
	// Faults are the errors of the file that keepalived goes on with.
	Faults []Fault
	// Beside are the errors of the settings beside the file where they announce nothing: they count if those before did.
	Beside []Fault
	// Unread are its includes of which nothing was read.
	Unread []Fault
	// OnHost tells what is wrong with the file on this machine, as it is now; nil: nobody knows.
	OnHost func() []Fault
}

// load reads a configuration that is to replace another one, nil at the start, and takes out the commands that must not run on this
// machine, before any brain sees it. It reads files and asks for users: never on the event loop. asked is as in accept.
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
	vetted, findings := script.Vet(l.Config)
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

// prepared is a configuration that is ready to be put into force.
type prepared struct {
	Loaded
	router  *router.Next
	balance *balance.Next
}

// generations are those that are in force.
type generations struct {
	router  *router.Generation
	balance *balance.Generation
}

// reloadPause is the time from the end of a reload to the next one: a storm of SIGHUPs must not keep the machine busy.
const reloadPause = 100 * time.Millisecond

// reload reads the file and prepares all that can be, on a goroutine of its own; a large file must not make an advertisement late.
func (d *director) reload(why string, asked bool) {
	if d.loading {
		d.again, d.asked = true, d.asked || asked
		return
	}
	d.Log.Info(why, "subject", "reload")
	d.manager.reloading()
	d.loading = true
	rest := time.Until(d.rested)
	current, before := d.current, d.inForce
	go func() { // ends by itself, or with the director: the channel has room for the one that is under way
		time.Sleep(rest)
		p := prepared{Loaded: d.load(&before, asked)}
		if p.Config != nil {
			p.router, p.balance = router.Prepare(p.Config, current.router), balance.Prepare(p.Config, current.balance)
		}
		d.prepared <- p
	}()
}

// take decides about a configuration that was read. One that is refused changes nothing, not even the drain before an earlier one. Any
// other is put into force when what it gives up is drained, and takes the place of one that still drains.
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

// rest begins the reload that was asked for meanwhile. Nothing is under way then but a drain.
func (d *director) rest() {
	if d.retiring == nil {
		d.manager.ready()
	}
	if d.again {
		asked := d.asked
		d.again, d.asked = false, false
		d.reload("asked to again", asked)
	}
}

// refuse says why a configuration is not put into force.
func (d *director) refuse(why string) {
	for line := range strings.Lines(why) {
		d.Log.Error("refused: "+strings.TrimRight(line, "\n"), "subject", "reload")
	}
	since := d.past.refused(time.Now(), why)
	d.Log.Info("still enforcing the configuration of "+since.Format("15:04:05"), "subject", "reload")
	if d.retiring != nil {
		d.Log.Info("the reload before it goes on", "subject", "reload")
	}
}

// apply puts a new configuration into force. The services of a new address are there before it is: balance goes first.
func (d *director) apply(ctx context.Context, p prepared) {
	start := time.Now()
	d.mask(p.Config)
	d.notify.Configure(p.Config)
	before := d.planned()
	s, err := d.swap(ctx, p)
	if err != nil { // the director ends
		return
	}
	d.router.network.announcer.configure(p.Config)
	d.watchClaims(p.Config)
	if err := d.schedule(p.Config); err != nil {
		return
	}
	d.things.Look(p.Config)
	d.faults(p.Loaded)
	d.unenforced(p.Config)
	d.missing(p.Config, s.links)
	d.inForce = p.Loaded
	d.timing.Store(&p.Config.Global)
	d.past.done(start, p.Loaded)
	d.workers.Go(func() {
		err := wait(d.work, s.network, s.ipvs)
		switch {
		case errors.Is(err, context.Canceled):
		case err != nil:
			d.Log.Error("not all of it yet: "+err.Error(), "subject", "reload")
		default:
			took := time.Since(start).Round(time.Millisecond)
			d.Log.Info(fmt.Sprintf("done in %v: %s%s", took, d.planned().since(before), roles(s.standings)), "subject", "reload")
		}
	})
}

// planned counts what both enforcers have planned.
func (d *director) planned() tally { return d.router.network.tally().plus(d.balance.ipvs.tally()) }

// A swap is what the loops tell of a new configuration.
type swap struct {
	standings     []router.Standing
	links         map[string]kernel.Link
	network, ipvs <-chan error // how the first attempts to enforce it end
}

// swap hands a configuration to the loops: the services of a new address are there before the address is. Neither waits for the other:
// their enforcers do.
func (d *director) swap(ctx context.Context, p prepared) (s swap, err error) {
	// Who follows a session finds it there, and who followed one does not see it end.
	if err := d.follow(p.Config.BFDs, true); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, d.follow(p.Config.BFDs, false)) }()
	// An instance that is new must not start deaf.
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

// roles says what every instance is, for the log.
func roles(standings []router.Standing) string {
	var b strings.Builder
	for _, s := range standings {
		fmt.Fprintf(&b, "; %s is %s", s.Config.Name, s.Role)
	}
	return b.String()
}

// missing says once, with its line, which interfaces are not there.
func (d *director) missing(cfg *ir.Config, links map[string]kernel.Link) {
	for _, v := range cfg.Instances {
		if _, ok := links[v.Interface]; !ok {
			d.Log.Warn(fmt.Sprintf("%s: there is no interface %s; waiting for it", v.At("interface"), v.Interface), "subject", v.Name)
		}
	}
}

// unenforced says what the file asks for and does not get.
func (d *director) unenforced(cfg *ir.Config) {
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
