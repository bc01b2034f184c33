package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"keepc/compiler/diff"
	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/runtime/daemon"
	"keepc/runtime/sim"
)

// A diffRun is one run of the verb diff.
type diffRun struct {
	*App
	as       string
	peers    []string
	all      bool
	exitCode bool
}

func (a *App) diff() *cobra.Command {
	run := &diffRun{App: a}
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Show what changes between two files",
		Long: "Compare two files: what a reload from OLD to NEW changes in the kernel, and everything else; what happens to every instance\n" +
			"(untouched, retuned in place, addresses change, re-election, restart needed) and of every real server (kept with its state,\n" +
			"re-checked, drained, removed). Comments, layout, the order of blocks and explicit defaults are not changes.\n\n" +
			"OLD and NEW are files; or REV:path as in git, with includes read from that revision; or two directories with a file\n" +
			"of the same name (*.conf) for each director; or, with several --id, one file for several directors.\n\n" +
			"With --peers, or for several directors, the reload is rehearsed on a virtual network (see simulate): what the others do,\n" +
			"and an order of reloads in which every address always has exactly one MASTER, if there is one. If routers with\n" +
			"keepalived, which drops advertisements with addresses that differ from its own, need a different order, that is shown too.\n\n" + bounded,
		Example: `  keepc diff /etc/keepalived/keepalived.conf new.conf
  keepc diff HEAD:lb1.conf lb1.conf --peers lb2.conf,lb3.conf
  keepc diff --exit-code --format json HEAD~1:cluster/ HEAD:cluster/`,
		Annotations: formats("human", "json"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("expected OLD and NEW, got %s", cmp.Or(strings.Join(args, " "), "neither"))
			}
			return run.main(args[0], args[1])
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&run.as, "as", "master", "the `ROLE` assumed: master or backup for all instances")
	f.StringSliceVar(&run.peers, "peers", nil, "the `FILES` of the other directors, which stay as they are")
	f.BoolVar(&run.all, "all", false, "also show what is untouched")
	f.BoolVar(&run.exitCode, "exit-code", false, "exit with 4 when there are changes")
	register(c, "as", func(*cobra.Command, string) []string { return []string{"master", "backup"} })
	return c
}

func (r *diffRun) main(before, after string) error {
	role := diff.Role(r.as == "master")
	if !role && r.as != "backup" {
		return fmt.Errorf("--as %s: expected master or backup", r.as)
	}
	colors, err := r.colors()
	if err != nil {
		return err
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(2 * memoryLimit)) // two configurations are in memory at once
	defer debug.SetGCPercent(debug.SetGCPercent(rarely))
	pairs, err := r.pairs(before, after)
	if err == nil {
		pairs, err = r.withPeers(pairs)
	}
	if err != nil {
		return failed(err)
	}
	r.name(pairs)
	m := report.Diff{Version: report.DiffVersion, Directors: []report.DirectorDiff{}}
	for _, p := range pairs {
		if p.peer {
			m.Peers = append(m.Peers, p.director)
		} else {
			m.Directors = append(m.Directors, p.compare(role, len(pairs) > 1))
		}
	}
	if err := r.rehearse(&m, pairs); err != nil {
		return failed(err)
	}
	if !r.quiet {
		if r.format == "json" {
			err = report.DiffJSON(r.Stdout, m)
		} else {
			err = report.DiffScreen(r.Stdout, m, colors, r.all)
		}
	}
	if err == nil && r.exitCode && !m.Empty() {
		return exit{code: exitChanges}
	}
	return failed(err)
}

// A side is the old or the new file of a director.
type side struct {
	diff.Side
	name    string // as messages show it
	errors  int
	missing []daemon.Fault // includes that brought in nothing
	ends    bool           // keepalived does not run with it
}

// A filePair is both files of a director.
type filePair struct {
	director      string // empty: not named yet
	before, after side
	peer          bool // it keeps its file
}

// pairs reads what is to be compared: one file, one file with several ids, or the files of two directories.
func (r *diffRun) pairs(before, after string) (pairs []filePair, err error) {
	old, err := r.list(before)
	if err != nil {
		return nil, err
	}
	now, err := r.list(after)
	if err != nil {
		return nil, err
	}
	if (old == nil) != (now == nil) {
		return nil, errors.New("a directory can only be compared with another directory")
	}
	if old == nil {
		return r.readPair(before, after)
	}
	for _, name := range now {
		if !slices.Contains(old, name) {
			r.complain("keepc: %s is only in %s: left out", name, after)
			continue
		}
		more, err := r.readPair(within(before, name), within(after, name))
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, more...)
	}
	for _, name := range old {
		if !slices.Contains(now, name) {
			r.complain("keepc: %s is only in %s: left out", name, before)
		}
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("%s and %s have no *.conf file in common", before, after)
	}
	return pairs, nil
}

// name gives directors the names that simulate gives them.
func (r *diffRun) name(pairs []filePair) {
	nodes, files := make([]sim.Node, len(pairs)), make([]string, len(pairs))
	for i, p := range pairs {
		nodes[i] = sim.Node{Name: p.director, Config: p.after.Config}
		files[i] = p.before.name[strings.LastIndexByte(p.before.name, ':')+1:] // without a revision
	}
	nameNodes(nodes, files)
	for i := range pairs {
		pairs[i].director = nodes[i].Name
	}
}

// within returns a file of a directory, which may be that of a revision.
func within(dir, name string) string {
	if strings.HasSuffix(dir, ":") {
		return dir + name
	}
	return strings.TrimSuffix(dir, "/") + "/" + name
}

// list returns the names of the configurations in a directory; nil: it is not a directory.
func (r *diffRun) list(name string) ([]string, error) {
	if name == "-" {
		return nil, nil
	}
	app, there, err := r.at(name)
	if err != nil {
		return nil, err
	}
	dir := inFS(app.abs(there))
	if info, err := fs.Stat(app.FS, dir); err != nil || !info.IsDir() {
		return nil, nil // reading it will report what is wrong with it
	}
	entries, err := fs.ReadDir(app.FS, dir)
	if err != nil {
		return nil, fileError(name, err)
	}
	names := []string{}
	for _, e := range entries {
		if path.Ext(e.Name()) == ".conf" && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// readPair reads an old and a new file, once for each id.
func (r *diffRun) readPair(before, after string) ([]filePair, error) {
	if before == "-" && after == "-" {
		return nil, errors.New("only one of OLD and NEW can be standard input")
	}
	var old, now []side
	var oldErr, err error
	var both sync.WaitGroup
	both.Go(func() { old, oldErr = r.readSides(before) })
	now, err = r.readSides(after)
	both.Wait()
	if err := cmp.Or(oldErr, err); err != nil {
		return nil, err
	}
	pairs := make([]filePair, len(now))
	for i := range pairs {
		pairs[i] = filePair{before: old[i], after: now[i]}
		if len(r.ids) > 1 {
			pairs[i].director = r.ids[i]
		}
	}
	return pairs, nil
}

// readSides reads a file, once for each id, as keepalived does.
func (r *diffRun) readSides(name string) ([]side, error) {
	app, there, err := r.at(name)
	if err != nil {
		return nil, err
	}
	set := app.settingsFor(there)
	j := job{name: there, ids: r.ids, version: cmp.Or(r.forVersion, set.Version), settings: set}
	f := app.file(j)
	switch {
	case errors.Is(f.err, fs.ErrNotExist) && app == r.App && r.isRevision(name):
		return nil, fmt.Errorf("%w; write a file of that revision as %s:FILE", f.err, name)
	case f.err != nil:
		return nil, f.err
	}
	var sides []side
	errors, missing := len(r.errors(set, f.Findings)), app.faults(f.File, notJudged(f.Findings))
	for _, x := range f.readings {
		unit, ends := x.literal()
		sides = append(sides, side{diff.Side{File: unit.Tree, Config: unit.Config}, report.Printable(r.shown(name)), errors, missing, len(r.errors(set, ends)) > 0})
	}
	return sides, nil
}

// compare makes the page of a director. several: there are more pages.
func (p filePair) compare(role diff.Role, several bool) report.DirectorDiff {
	assumed := "BACKUP"
	if role == diff.Master {
		assumed = "MASTER"
	}
	head := fmt.Sprintf("%s -> %s: %s; assuming %s for all.", p.before.name, p.after.name, inventory(p.after.Config), assumed)
	if several && p.director != "" {
		head = p.director + ": " + head
	}
	m := report.NewDirectorDiff(p.director, p.before.name, p.after.name, head, diff.Compare(p.before.Side, p.after.Side, role))
	for _, s := range []side{p.before, p.after} {
		switch {
		case s.ends:
			m.Notes = append(m.Notes, fmt.Sprintf("%s has %s; keepalived does not run with it, and keepc run refuses it: see keepc check %s.", s.name, report.Count(s.errors, "error"), s.name))
		case s.errors > 0:
			m.Notes = append(m.Notes, tolerated(s.errors, s.name)+".")
		}
		m.Notes = append(m.Notes, notRead(s.missing)...)
	}
	known := func(u ir.Unenforced) bool {
		return slices.ContainsFunc(p.before.Config.NotEnforced, func(o ir.Unenforced) bool { return o.Keyword == u.Keyword })
	}
	m.Notes = append(m.Notes, sentences(report.Unenforced(slices.DeleteFunc(slices.Clone(p.after.Config.NotEnforced), known)))...)
	return m
}

// inventory counts the parts of a configuration.
func inventory(cfg *ir.Config) string {
	return report.Count(len(cfg.Instances), "instance") + ", " + report.Count(len(cfg.VirtualServers), "virtual server")
}
