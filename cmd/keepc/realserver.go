package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/realserver"
	"keepc/compiler/report"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
)

// defaultJournal is where apply records what it changed. It is lost at the next boot, and so are the changes.
const defaultJournal = "/run/keepc/realserver.json"

// A realserverRun is one run of the verb realserver.
type realserverRun struct {
	*App
	addrs   []string
	journal string
}

func (a *App) realserver() *cobra.Command {
	run := &realserverRun{App: a}
	c := &cobra.Command{
		Use:   "realserver check|plan|apply|undo [file]",
		Short: "Make this host fit to be a real server of the file's virtual servers",
		Long: "Find the virtual servers of a director's file that have an address of this host as a real server, and what they require here:\n" +
			"DR: the virtual address on lo, with no ARP for it on the link; TUN: a tunnel that is up, the address on it, and a reverse path\n" +
			"filter that lets its packets in; NAT: a default route through the director.\n\n" +
			"check says what is missing, plan shows the changes, apply makes them, undo reverts them: it removes what apply added and\n" +
			"restores settings that are still as apply set them. The earlier values are kept in a file that does not survive a reboot,\n" +
			"and neither do the changes.",
		Example: `  keepc realserver check lb01.conf
  keepc realserver apply lb01.conf
  keepc realserver undo`,
		Annotations: onHost(nil),
		Args:        cobra.RangeArgs(1, 2),
		ValidArgs:   []string{"check", "plan", "apply", "undo"},
		RunE:        func(_ *cobra.Command, args []string) error { return run.main(args[0], args[1:]) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringSliceVar(&run.addrs, "addr", nil, "the `ADDRESS` of this host (default: all addresses of its interfaces)")
	f.StringVar(&run.journal, "journal", defaultJournal, "the `FILE` that records what undo reverts")
	return c
}

func (r *realserverRun) main(verb string, args []string) error {
	work, ok := map[string]func(*fitting) error{"check": r.check, "plan": r.plan, "apply": r.apply}[verb]
	if !ok && verb != "undo" {
		return fmt.Errorf("realserver %s: expected check, plan, apply or undo", verb)
	}
	k, err := kernel.Open()
	if err != nil {
		return failed(err)
	}
	defer k.Close()
	memory, err := r.memory()
	if err != nil {
		return failed(err)
	}
	if verb == "undo" {
		return r.undo(k, memory)
	}
	own, err := r.own()
	if err != nil {
		return err
	}
	file := r.oneFile(args)
	l := r.load(file)
	if l.Config == nil {
		return r.refuse(l.code, l.Refused)
	}
	r.tell(l)
	f := &fitting{kernel: k, journal: memory}
	if err := f.fit(r.shown(file), l.Config, own); err != nil {
		return failed(err)
	}
	return work(f)
}

// own reads --addr.
func (r *realserverRun) own() (own []netip.Addr, err error) {
	for _, text := range r.addrs {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("--addr %s: expected an address", text)
		}
		own = append(own, a)
	}
	return own, nil
}

// A fitting is a host together with what a file requires of it.
type fitting struct {
	kernel   kernel.Kernel
	journal  realserver.Journal
	file     string
	head     string
	changes  plan.Plan
	problems []realserver.Problem
}

// fit determines what must be changed.
func (f *fitting) fit(file string, cfg *ir.Config, own []netip.Addr) error {
	f.file = file
	have, err := f.observe(nil)
	if err != nil {
		return err
	}
	roles := realserver.Roles(cfg, have, own)
	if len(roles) == 0 && f.journal.Empty() {
		return fmt.Errorf("no virtual server of %s has an address of this host as a real server; name one with --addr", file)
	}
	want, problems := realserver.Want(cfg, roles, have)
	f.problems = problems
	if have, err = f.observe(realserver.Sysctls(want)); err != nil {
		return err
	}
	realserver.Accept(have, want)
	// Foreign routes stay foreign, even if a director on this host would consider them its own by their mark.
	maps.DeleteFunc(have.Routes, func(k state.RouteKey, _ state.Route) bool {
		_, wanted := want.Routes[k]
		return !wanted && !f.journal.Owned(k)
	})
	f.changes = slices.DeleteFunc(plan.Diff(have, want, f.journal.Owned), func(c plan.Change) bool { return c.Action == plan.Foreign })
	var names []string
	for _, role := range roles {
		if name := role.Server.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	f.head = fmt.Sprintf("Real server %s of %s.", strings.Join(names, ", "), report.Count(len(roles), "virtual server"))
	return nil
}

// observe reads the objects that the verb is about, and the given sysctls.
func (f *fitting) observe(keys []state.SysctlKey) (have state.State, err error) {
	have, unread := f.kernel.Read(kernel.Scope{Kinds: []state.AnyKind{state.AddressKind, state.RouteKind, state.TunnelKind}})
	if err := unread.Err(); err != nil {
		return have, err
	}
	have.Sysctls, err = f.sysctls(keys)
	return have, err
}

// sysctls reads some settings.
func (f *fitting) sysctls(keys []state.SysctlKey) (map[state.SysctlKey]state.Sysctl, error) {
	have, unread := f.kernel.Read(kernel.Scope{Kinds: []state.AnyKind{state.SysctlKind}, Keys: func(state.AnyKind) iter.Seq[state.Key] {
		return func(yield func(state.Key) bool) {
			for _, k := range keys {
				if !yield(k) {
					return
				}
			}
		}
	}})
	return have.Sysctls, unread.Err()
}

// check says what is missing, one line each.
func (r *realserverRun) check(f *fitting) error {
	var lines []string
	for _, c := range f.changes {
		at := ""
		if !c.Origin.IsZero() {
			at = fmt.Sprint(c.Origin, ": ")
		}
		lines = append(lines, at+missing(c))
	}
	for _, p := range f.problems {
		lines = append(lines, fmt.Sprintf("%s: %s", p.At, p.Text))
	}
	if len(lines) == 0 {
		if r.verbose {
			fmt.Fprintln(r.Stdout, f.head, "Nothing is missing.")
		}
		return nil
	}
	if !r.quiet {
		fmt.Fprintln(r.Stdout, strings.Join(lines, "\n"))
	}
	return exit{code: exitFindings}
}

// missing describes what is not as it should be.
func missing(c plan.Change) string {
	why := ""
	if c.After != nil {
		why = ": " + c.After.From().Why
	}
	switch {
	case c.Action == plan.Remove:
		return fmt.Sprintf("%s is no longer wanted", c.Key)
	case c.Before == nil:
		return fmt.Sprintf("%s is missing%s", c.Key, why)
	}
	differ, _ := c.Differences()
	for _, d := range differ {
		return fmt.Sprintf("%s is %s, not %s%s", c.Key, d.Before, d.After, why)
	}
	return fmt.Sprintf("%s differs%s", c.Key, why)
}

// plan shows the changes.
func (r *realserverRun) plan(f *fitting) error {
	m := report.NewPlan(f.file, f.head, f.changes)
	for _, p := range f.problems {
		m.Notes = append(m.Notes, fmt.Sprintf("%s: %s", p.At, p.Text))
	}
	return r.show(m)
}

func (r *realserverRun) show(m report.Plan) error {
	colors, err := r.colors()
	if err != nil || r.quiet {
		return err
	}
	return failed(report.PlanScreen(r.Stdout, m, colors, false, false))
}

// apply makes the changes, and says how to make them permanent.
func (r *realserverRun) apply(f *fitting) error {
	if err := r.plan(f); err != nil {
		return err
	}
	if err := r.change(f, func(c plan.Change, before string) { f.journal.Note(c, before) }); err != nil {
		return failed(fmt.Errorf("%w; keepc realserver undo reverts what was done", err))
	}
	if lines := lasting(f.changes); len(lines) > 0 && !r.quiet {
		fmt.Fprintf(r.Stdout, "\nDone, until the next boot. For good:\n%s\n", strings.Join(lines, "\n"))
	}
	if len(f.problems) > 0 {
		return exit{code: exitFindings}
	}
	return nil
}

// change makes the changes one by one; each is recorded in the journal first.
func (r *realserverRun) change(f *fitting, note func(c plan.Change, before string)) error {
	for _, c := range f.changes {
		before := ""
		if k, ok := c.Key.(state.SysctlKey); ok { // a tunnel has settings only once it exists
			now, err := f.sysctls([]state.SysctlKey{k})
			if err != nil {
				return err
			}
			before = now[k].Value
		}
		note(c, before)
		if err := r.remember(f.journal); err != nil {
			return err
		}
		if err := reconcile.Apply(f.kernel, c); err != nil {
			return err
		}
	}
	return nil
}

// lasting returns the lines that make the changes permanent, for sysctl.d and for whatever brings the interfaces up.
func lasting(changes plan.Plan) (lines []string) {
	for _, c := range changes {
		switch k := c.Key.(type) {
		case state.SysctlKey:
			if s, ok := c.After.(state.Sysctl); ok {
				lines = append(lines, fmt.Sprintf("  %s = %s   # a file in /etc/sysctl.d", k, s.Value))
			}
		case state.AddressKey:
			if c.After != nil {
				lines = append(lines, "  ip addr add "+k.String())
			}
		case state.RouteKey:
			if r, ok := c.After.(state.Route); ok && len(r.Hops) > 0 {
				lines = append(lines, "  ip route add default via "+r.Hops[0].Via.String())
			}
		case state.TunnelKey:
			if t, ok := c.After.(state.Tunnel); ok {
				lines = append(lines, fmt.Sprintf("  modprobe %s; ip link set %s up", map[string]string{state.TunnelIPIP: "ipip", state.TunnelIP6Tnl: "ip6_tunnel"}[t.Kind], k))
			}
		}
	}
	return lines
}

// undo reverts what apply did.
func (r *realserverRun) undo(k kernel.Kernel, j realserver.Journal) error {
	if j.Empty() {
		if !r.quiet {
			fmt.Fprintf(r.Stdout, "Nothing to undo: %s records no change.\n", r.journal)
		}
		return nil
	}
	f := &fitting{kernel: k, journal: j}
	have, err := f.observe(j.Keys())
	if err != nil {
		return failed(err)
	}
	want, left := j.Undo(have)
	maps.DeleteFunc(have.Routes, func(k state.RouteKey, _ state.Route) bool { return !j.Owned(k) })
	f.changes = slices.DeleteFunc(plan.Diff(have, want, nil), func(c plan.Change) bool { return c.Action == plan.Foreign })
	m := report.NewPlan("what it was before", "What keepc realserver apply changed is reverted.", f.changes)
	m.Notes = left
	if err := r.show(m); err != nil {
		return err
	}
	if err := r.change(f, func(plan.Change, string) {}); err != nil {
		return failed(err)
	}
	if err := os.Remove(r.abs(r.journal)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed(fmt.Errorf("forget what was changed: %w", err))
	}
	return nil
}

// memory reads the journal; a missing one is empty.
func (r *realserverRun) memory() (j realserver.Journal, err error) {
	text, err := os.ReadFile(r.abs(r.journal))
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &j)
	}
	if err == nil && j.Version != realserver.JournalVersion {
		err = fmt.Errorf("%s: version %d is not %d", r.journal, j.Version, realserver.JournalVersion)
	}
	if err != nil {
		return j, fmt.Errorf("read what was changed before: %w", err)
	}
	return j, nil
}

// remember writes the journal.
func (r *realserverRun) remember(j realserver.Journal) error {
	text, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return fmt.Errorf("remember what is changed: %w", err)
	}
	path := r.abs(r.journal)
	err = os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path+".new", append(text, '\n'), 0o644)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("remember what is changed: %w", err)
	}
	return nil
}
