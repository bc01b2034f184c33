package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/runtime/sim"
)

// A simulateRun is one run of the verb simulate.
type simulateRun struct {
	*App
	script        string
	loss          string
	delay, jitter time.Duration
	seed          uint64
}

func (a *App) simulate() *cobra.Command {
	run := &simulateRun{App: a}
	c := &cobra.Command{
		Use:   "simulate [files...]",
		Short: "Play failures on a virtual network",
		Long: "Play a cluster, one file for each router, on a virtual network with a virtual clock: the state machines of run, without a kernel.\n" +
			"Without a script, everything fails once: each router, link, direction and real server. A script says what fails and when,\n" +
			"and what is expected; simulate exits with 1 if an expectation is not met. With -v, a script shows every packet,\n" +
			"and without a script every address has a line.\n\n" +
			"A router is named by its router_id or its file name; with one file and several --id, by the ID.\n" +
			"Interfaces with the same name are on one segment. Source addresses that no file has are assigned in the order of the files;\n" +
			"of equal priorities the higher address wins, so the last file.\n\n" +
			bounded + "\n\n" +
			"Statements of a script, one per line or separated by \";\", in order of time:\n" + sim.Help(),
		Example: `  keepc simulate lb1.conf lb2.conf
  keepc simulate lb1.conf lb2.conf \
      --script 'at 5s cut lb1; at 20s heal lb1; expect 192.0.2.10 on lb1'
  keepc simulate --id lb1 --id lb2 lb.conf --script rehearsal.sim --loss 5%`,
		Annotations: formats("human", "json"),
		RunE:        func(_ *cobra.Command, names []string) error { return run.main(names) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&run.script, "script", "s", "", "the `SCRIPT`: a file, \"-\", or its text if that has a space")
	f.StringVar(&run.loss, "loss", "0", "the `SHARE` of advertisements that each receiver loses: 0.05 or 5%")
	f.DurationVar(&run.delay, "delay", 0, "the `TIME` that every packet takes")
	f.DurationVar(&run.jitter, "jitter", 0, "the maximum `TIME` that a packet takes beyond --delay")
	f.Uint64Var(&run.seed, "seed", 1, "the `NUMBER` that seeds all randomness; the same one gives the same output")
	return c
}

func (r *simulateRun) main(names []string) error {
	o, err := r.options()
	if err != nil {
		return err
	}
	colors, err := r.colors()
	if err != nil {
		return err
	}
	cluster, err := r.cluster(names)
	if err != nil {
		return err
	}
	if r.script != "" {
		return r.play(cluster, o, func(run sim.Run) error {
			if r.format == "json" {
				return cluster.JSON(r.Stdout, run)
			}
			return cluster.Screen(r.Stdout, run, colors)
		})
	}
	cases, moments := cluster.Cases(o)
	switch {
	case moments == 0:
		return failed(errors.New("too many instances, links and advertisements: to play every failure would take minutes; play one with --script, or give files with fewer instances"))
	case moments < sim.MaxMoments:
		r.complain("keepc: the cluster advertises a lot: each failure is played at %s of an interval, not at %d; a gap may be longer by an interval", report.Count(moments, "moment"), sim.MaxMoments)
	}
	verdicts := r.cases(cases)
	switch {
	case r.quiet:
		return nil
	case r.format == "json":
		return failed(cluster.CasesJSON(r.Stdout, verdicts))
	}
	return failed(cluster.CasesScreen(r.Stdout, verdicts, colors, r.verbose))
}

// cases plays all cases, and shows the progress on a terminal.
func (r *simulateRun) cases(cases []sim.Case) []sim.Verdict {
	if len(cases) == 0 {
		fmt.Fprintln(r.Stderr, "keepc: no vrrp_instance has an address and no real server a check: there is nothing to simulate")
	}
	p := r.progress("case", len(cases))
	defer p.end()
	verdicts := make([]sim.Verdict, len(cases))
	each(len(cases), func(i int) {
		verdicts[i] = cases[i].Play()
		p.step()
	})
	return verdicts
}

// options checks the flags.
func (r *simulateRun) options() (sim.Options, error) {
	o := sim.Options{Delay: r.delay, Jitter: r.jitter, Seed: r.seed, Packets: r.verbose}
	if r.delay < 0 || r.jitter < 0 {
		return o, errors.New("--delay and --jitter cannot be negative")
	}
	text, percent := strings.CutSuffix(r.loss, "%")
	share, err := strconv.ParseFloat(text, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share >= 0 && share <= 1) { // NaN is neither
		return o, fmt.Errorf("--loss %s: expected a share like 0.05 or 5%%", r.loss)
	}
	o.Loss = share
	return o, nil
}

// play plays the script and shows it.
func (r *simulateRun) play(c *sim.Cluster, o sim.Options, show func(sim.Run) error) error {
	name, text := "script", r.script
	if !strings.ContainsAny(r.script, " \n") {
		b, err := r.readAny(r.script)
		if err != nil {
			return failed(fmt.Errorf("--script: %w", err))
		}
		name, text = r.shown(r.script), string(b)
	}
	script, found := sim.Parse(text, c, func(file string) (*ir.Config, error) {
		l := r.load(file)
		if l.Config == nil {
			return nil, errors.New(l.Refused)
		}
		return l.Config, nil
	})
	r.report(name, found)
	if len(found) > 0 {
		return exit{code: exitFailed}
	}
	run := sim.Play(c, script, o)
	if !r.quiet {
		if err := show(run); err != nil {
			return failed(err)
		}
	}
	if len(run.Failed) > 0 {
		r.report(name, run.Failed)
		return exit{code: exitFindings}
	}
	return nil
}

func (r *simulateRun) report(name string, found []sim.Finding) {
	for _, f := range found {
		r.complain("%s:%v", name, f)
	}
}

// cluster reads the files.
func (r *simulateRun) cluster(names []string) (*sim.Cluster, error) {
	nodes, err := r.nodes(names, func(a *App, file string) (*ir.Config, int) {
		l := a.load(file)
		if l.Config == nil {
			return nil, a.refuse(l.code, l.Refused).code
		}
		a.tell(l)
		return l.Config, l.code
	})
	if err != nil {
		return nil, err
	}
	c, err := sim.NewCluster(nodes)
	if err == nil {
		r.notSimulated(nodes)
	}
	return c, err
}

// nodes reads the files of a cluster. One file may stand for several directors, each with its --id. load returns the
// configuration of a file; nil with an exit code, after reporting why, if it cannot be used.
func (a *App) nodes(files []string, load func(a *App, file string) (*ir.Config, int)) ([]sim.Node, error) {
	if len(files) == 0 {
		files = []string{a.defaultFile()}
	}
	if len(files) > 1 && len(a.ids) > 1 {
		return nil, errors.New("several --id are for one file; several files have one --id")
	}
	var nodes []sim.Node
	var refused exit
	add := func(a *App, file, called string) {
		cfg, code := load(a, file)
		if cfg == nil {
			refused.code = max(refused.code, code)
			return
		}
		nodes = append(nodes, sim.Node{Name: called, Config: cfg})
	}
	if len(a.ids) > 1 {
		for _, id := range a.ids {
			one := *a
			one.ids = []string{id}
			add(&one, files[0], id)
		}
	} else {
		for _, file := range files {
			add(a, file, "")
		}
	}
	if refused.code != 0 {
		return nil, refused
	}
	if len(a.ids) < 2 {
		nameNodes(nodes, files)
	}
	return nodes, nil
}

// nameNodes names every node by its router_id, by the name of its file or by that of the folder: the first one that a
// script can use and that distinguishes all nodes that have it; and by its number if there is none.
func nameNodes(nodes []sim.Node, files []string) {
	kinds := []func(i int) string{
		func(i int) string { return nodes[i].Config.Global.RouterID },
		func(i int) string {
			base := filepath.Base(files[i])
			return strings.TrimSuffix(base, filepath.Ext(base))
		},
		func(i int) string { return filepath.Base(files[i]) },
		func(i int) string { return filepath.Base(filepath.Dir(files[i])) },
		func(i int) string { return fmt.Sprintf("node%d", i+1) },
	}
	for _, kind := range kinds {
		count := map[string]int{}
		for i, n := range nodes {
			count[kind(i)]++
			count[n.Name]++
		}
		for i := range nodes {
			if name := kind(i); nodes[i].Name == "" && count[name] == 1 && sim.Speakable(name) == nil {
				nodes[i].Name = name
			}
		}
	}
}

// notSimulated reports which parts of the files have no effect here, because they have none in run either.
func (a *App) notSimulated(nodes []sim.Node) {
	if a.quiet {
		return
	}
	var all []ir.Unenforced
	for _, n := range nodes {
		for _, u := range n.Config.NotEnforced {
			if !slices.ContainsFunc(all, func(o ir.Unenforced) bool { return o.Keyword == u.Keyword }) {
				all = append(all, u)
			}
		}
	}
	for _, line := range report.Unenforced(all) {
		a.complain("keepc: %s", line)
	}
}
