package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/report"
	"keepc/compiler/state"
	"keepc/grammar/diag"
	"keepc/runtime/balance"
	"keepc/runtime/router"
	"keepc/runtime/script"
	"keepc/runtime/status"
)

// A Loaded configuration, or the reason why there is none.
type Loaded struct {
	Config *ir.Config // nil when refused
	// Refused says why the file cannot be enforced, one finding a line: "keepalived.conf:22:5: error: … [rule]".
	Refused string
	// Files were read, successfully or not.
	Files Files
}

// load reads the configuration and takes out the commands that must not run on this machine, before any brain sees it. It reads files
// and asks for users: never on the event loop.
func (o *Options) load() Loaded {
	l := o.Load()
	if l.Config == nil {
		return l
	}
	vetted, findings := script.Vet(l.Config)
	l.Config = vetted
	for _, f := range findings {
		level := slog.LevelWarn
		if f.Severity == diag.Error {
			level = slog.LevelError
		}
		text := f.Span.String() + ": " + f.Message
		if f.Help != "" {
			text += "; " + f.Help
		}
		o.Log.Log(context.Background(), level, text, "subject", "script")
	}
	return l
}

// reload reads the file on a goroutine of its own; a large file must not make an advertisement late.
func (d *director) reload(why string) {
	if d.loading {
		d.again = true
		return
	}
	d.Log.Info(why, "subject", "reload")
	d.loading = true
	go func() { // ends by itself: the channel has room for the one that is under way
		d.loaded <- d.load()
	}()
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
		d.reloaded = &status.Reload{At: time.Now(), Refused: l.Refused}
		d.Log.Info("still enforcing the configuration of "+d.since.Format("15:04:05"), "subject", "reload")
		return
	}
	start := time.Now()
	d.reloaded = &status.Reload{At: start}
	before, was := d.router.Config(), d.situation()
	if err := d.wires.open(l.Config, d.links); err != nil {
		d.Log.Error(fmt.Sprintf("%v; trying again", err), "subject", "reload")
	}
	names := slices.Sorted(maps.Keys(d.links))
	for _, name := range names {
		if !d.wires.ready(l.Config, name) { // its instances must not start deaf
			d.route(router.LinkChanged{Name: name, Present: true, Addrs: d.links[name].Addrs})
		}
	}
	d.serve(balance.Swap{Next: balance.Prepare(l.Config, d.balance.Current())})
	d.route(router.Swap{Next: router.Prepare(l.Config, d.router.Current())})
	d.things.Look(l.Config)
	d.wires.trim(l.Config, d.links)
	for _, name := range names {
		d.route(d.linkEvent(d.links[name])) // an interface may be of interest only now
	}
	d.unenforced(l.Config)
	d.missing(l.Config)
	d.since = start
	now, roles := d.situation(), d.roles()
	r := d.enforce(d.ipvs)
	d.workers.Go(func() {
		p := plan.Diff(state.Desired(before, was), state.Desired(l.Config, now), func(state.Key) bool { return true })
		err := r.wait(d.work.Done())
		if errors.Is(err, context.Canceled) {
			return
		}
		add, change, remove := tally(p)
		text := fmt.Sprintf("done in %v: %d added, %d changed, %d removed%s", time.Since(start).Round(time.Millisecond), add, change, remove, roles)
		if err != nil {
			d.Log.Error("not all of it yet: "+err.Error(), "subject", "reload")
			return
		}
		d.Log.Info(text, "subject", "reload")
	})
}

// roles says what every instance is, for the log.
func (d *director) roles() string {
	var b strings.Builder
	for _, s := range d.router.Standings() {
		fmt.Fprintf(&b, "; %s is %s", s.Config.Name, s.Role)
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
