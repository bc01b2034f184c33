package main

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/compiler/report"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// defaultFile is the file that verbs read if none is named.
const defaultFile = "/etc/keepalived/keepalived.conf"

// A checkRun is one run of the verb check.
type checkRun struct {
	*App
	fix, diff   bool
	peers       bool // all files belong to one cluster
	host        bool
	failOn      string
	only, skip  []string
	onlySetting bool   // show the settings, check nothing
	baseline    string // the file of known findings
	// writeBaseline writes it; statistics counts findings instead of showing them.
	writeBaseline, statistics bool
	given                     func(flag string) bool
	named                     []string        // the arguments
	asked                     map[string]bool // the absolute paths that they mean; empty: there are none

	settings  settingsReader
	threshold diag.Severity // of --fail-on; 0: not given
	infos     bool          // are shown, even without a repair
	baselines map[string]*baseline
	about     lint.Host // the machine that the files are also judged for; nil: none
}

// A checked is one file after its check.
type checked struct {
	report.File
	readings []reading
	lines    int
	bytes    int            // of its text and of what it includes
	includes []string       // the absolute paths of what it includes, at any depth
	prints   []string       // the fingerprints of all findings
	known    report.Summary // of the findings in the baseline
	err      error          // why it could not be read
}

// A reading is a file as the director with the id reads it.
type reading struct {
	id string
	compiler.Unit
}

func (a *App) check() *cobra.Command {
	run := &checkRun{App: a, settings: settingsReader{App: a}}
	c := &cobra.Command{
		Use:   "check [files...]",
		Short: "Find mistakes",
		Long: "Find mistakes in configuration files. Without an argument: those of the clusters in the nearest " + settingsName + " (this\n" +
			"directory or above), or else " + defaultFile + ". A directory means the configurations below it (*.conf), a file that\n" +
			"others include means these, and a member of a cluster means the cluster.\n\n" +
			"Files of directors that back each other up are also compared: all with --peers, those of a cluster in " + settingsName + ", and the\n" +
			"readings of one file with several --id. A keepalived older than 2.0 is judged as 2.0.\n\n" + bounded,
		Example: `  keepc check keepalived.conf
  keepc check --peers lb01.conf lb02.conf
  keepc check --fix lb01.conf lb02.conf
  cat keepalived.conf | keepc check --format json -`,
		Annotations: formats(formatNames()...),
		RunE:        func(_ *cobra.Command, names []string) error { return run.main(names) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&run.fix, "fix", false, "repair what has exactly one right repair")
	f.BoolVar(&run.diff, "diff", false, "show the repairs as a patch")
	f.BoolVar(&run.peers, "peers", false, "also compare the files: they are the directors of one cluster")
	f.BoolVar(&run.host, "host", false, "also judge what depends on this machine: interfaces, users, scripts")
	f.StringVar(&run.failOn, "fail-on", "error", "the least `SEVERITY` that exits with 1: error, warning or info")
	f.StringSliceVar(&run.only, "only", nil, "check only these `RULES`")
	f.StringSliceVar(&run.skip, "off", nil, "do not check these `RULES`")
	f.StringVar(&run.baseline, "baseline", "", "the `FILE` of known findings, which are not shown")
	f.BoolVar(&run.writeBaseline, "write-baseline", false, "write the findings to the baseline, so that only new ones are shown from then on")
	f.BoolVar(&run.statistics, "statistics", false, "count the findings of each rule")
	f.BoolVar(&run.onlySetting, "show-settings", false, "show the settings of the flags and "+settingsName+", and check nothing")
	run.given = f.Changed
	completeCheck(c)
	return c
}

func formatNames() []string {
	var names []string
	for _, f := range report.Formats() {
		names = append(names, f.Name)
	}
	return names
}

// How much garbage, in percent of what lives, may gather before it is collected. What reading a file allocates lives
// until the verb ends: collecting takes a sixth of the time and frees almost nothing.
const (
	rarely      = 500
	almostNever = 4000
)

func (r *checkRun) main(names []string) error {
	r.named = names
	write, colors, err := r.options(names)
	if err != nil {
		return err
	}
	if err := r.meet(); err != nil {
		return failed(err)
	}
	jobs, err := r.jobs(names)
	switch {
	case err != nil:
		return failed(err)
	case r.onlySetting:
		return r.showSettings(jobs)
	case r.diff || r.fix:
		if err := r.repair(jobs); err != nil || r.diff {
			return err
		}
	}
	percent := rarely // of many files only the findings live on
	if len(jobs) == 1 {
		percent = almostNever
	}
	defer debug.SetGCPercent(debug.SetGCPercent(percent))
	clusters, err := r.clusters(jobs)
	if err != nil {
		return err
	}
	files, compared := r.checkAll(jobs, clusters)
	if r.writeBaseline {
		found, _, _ := r.told(jobs, files)
		return r.keep(jobs, files, found)
	}
	return r.tellAll(jobs, files, func(found []report.File) error {
		model := report.NewCheck(found)
		model.Time, model.Program, model.Page = r.Started, programVersion(), rulesPage
		model.Gone = r.gone(jobs, files)
		for _, f := range files {
			model.Summary.Known += f.known.Findings()
		}
		if r.statistics {
			model.Count()
		}
		r.tellGone(model.Gone)
		for _, f := range files {
			if f.err != nil {
				model.Unread = append(model.Unread, report.Unread{File: report.Printable(f.Name), Error: report.Printable(f.err.Error())})
			}
		}
		model.Groups = r.groups(compared, files)
		return write(r.Stdout, model, colors)
	})
}

// checkAll checks files, and compares those of each cluster.
func (r *checkRun) checkAll(jobs []job, clusters [][]seat) ([]checked, []compared) {
	files := make([]checked, len(jobs))
	p := r.progress("file", len(jobs))
	defer p.end()
	each(len(jobs), func(i int) {
		defer p.step()
		if files[i] = r.readAll(jobs[i]); !jobs[i].peers {
			r.conclude(jobs[i], &files[i])
			files[i].forget(r.verbose)
		}
	})
	all := compareAll(clusters, jobs, files)
	for i := range jobs {
		if jobs[i].peers {
			r.conclude(jobs[i], &files[i])
		}
	}
	return files, all
}

// told returns the results that are shown: each text once. bad: something fails the check; unread: a file cannot be
// read.
func (r *checkRun) told(jobs []job, files []checked) (found []report.File, bad, unread bool) {
	found = r.aboutSettings(jobs)
	bad = slices.ContainsFunc(found, func(f report.File) bool { return f.Findings.Has(diag.Error) })
	parts, told := r.within(files), map[said]bool{}
	for i, f := range files {
		if !jobs[i].peers && parts[r.abs(f.Name)] {
			continue // it is reported as part of another one
		}
		if f.err != nil {
			unread = true
			r.complain("keepc: %v", f.err)
			continue
		}
		f.Fatal = jobs[i].failOn
		bad = bad || f.Findings.Has(f.Fatal)
		f.Findings = slices.DeleteFunc(slices.Clone(f.Findings), func(d diag.Diagnostic) bool {
			key := said{d.Rule, d.Message, d.Span.String()}
			again := told[key]
			told[key] = true
			return again
		})
		found = append(found, f.File)
	}
	return found, bad, unread
}

// tellAll shows the findings, and returns the exit code for them.
func (r *checkRun) tellAll(jobs []job, files []checked, show func([]report.File) error) error {
	found, bad, unread := r.told(jobs, files)
	if !r.quiet {
		if err := show(found); err != nil {
			return failed(fmt.Errorf("write the findings: %w", err))
		}
	}
	if r.verbose {
		r.tell(files)
	}
	if !r.quiet {
		r.tellSettings(jobs)
		r.tellKnown(jobs, files)
	}
	switch {
	case unread:
		return exit{code: exitFailed}
	case bad:
		return exit{code: exitFindings}
	}
	return nil
}

// A said is a reported finding about a text, which several files may include; it is reported once.
type said struct{ rule, message, at string }

// within returns the absolute paths of the files that others of them include, and that do not include these
// themselves.
func (r *checkRun) within(files []checked) map[string]bool {
	includes := map[[2]string]bool{}
	for _, f := range files {
		for _, part := range f.includes {
			includes[[2]string{r.abs(f.Name), part}] = true
		}
	}
	parts := map[string]bool{}
	for pair := range includes {
		if !includes[[2]string{pair[1], pair[0]}] {
			parts[pair[1]] = true
		}
	}
	return parts
}

// aboutSettings returns the settings files that were used and have findings, without those that are checked
// themselves.
func (r *checkRun) aboutSettings(jobs []job) (files []report.File) {
	for _, s := range r.settings.all {
		named := slices.ContainsFunc(jobs, func(j job) bool { return r.abs(j.name) == s.path(settingsName) })
		if len(s.Findings) > 0 && !named {
			files = append(files, s.File)
		}
	}
	return files
}

// options checks the flags.
func (r *checkRun) options(names []string) (write formatter, colors report.Colors, err error) {
	i := slices.Index(formatNames(), r.format)
	if r.given("fail-on") {
		switch r.failOn {
		case "error":
			r.threshold = diag.Error
		case "warning":
			r.threshold = diag.Warning
		case "info":
			r.threshold = diag.Info
		default:
			return nil, false, fmt.Errorf("--fail-on %s: expected error, warning or info", r.failOn)
		}
	}
	if r.host && r.factsFile != "" {
		return nil, false, fmt.Errorf("--host judges this machine, --facts another: give one of them")
	}
	for _, name := range slices.Concat(r.only, r.skip) {
		if err := knownRule(name); err != nil {
			return nil, false, err
		}
	}
	if r.fix && slices.Contains(names, "-") {
		return nil, false, fmt.Errorf("--fix cannot write to standard input; use --diff")
	}
	write = report.Formats()[i].Write
	switch {
	case r.statistics && r.format == human:
		write = report.Statistics
	case r.statistics && r.format != "json":
		return nil, false, fmt.Errorf("--statistics needs the format human or json")
	}
	colors, err = r.colors()
	r.infos = r.verbose || len(r.only) > 0
	return write, colors, err
}

// meet determines which machine is judged.
func (r *checkRun) meet() error {
	if r.host {
		r.about = thisHost{r.App}
	}
	if r.factsFile == "" {
		return nil
	}
	host, err := r.readFacts(r.factsFile)
	if err != nil {
		return err
	}
	r.about = host
	return nil
}

type formatter = func(w io.Writer, c report.Check, colors report.Colors) error

// knownRule returns an error if no rule has the name, or had it.
func knownRule(name string) error {
	if _, known := lint.Find(name); known {
		return nil
	}
	if best, _ := diag.Suggest(name, ruleNames()); best != "" {
		return fmt.Errorf("unknown rule %q; did you mean %q?", name, best)
	}
	return fmt.Errorf("unknown rule %q; keepc explain lists them", name)
}

// file checks one file.
func (a *App) file(j job) checked {
	f := a.readAll(j)
	f.merge()
	return f
}

// readAll reads a file for each of its ids; merge then returns what is wrong with it.
func (a *App) readAll(j job) (f checked) {
	f.Name = a.shown(j.name)
	files := a.files().With(j.dir(a))
	var text []byte
	if j.name == "-" {
		text, f.err = a.readAny(j.name)
	} else {
		text, f.err = a.readFrom(files, j.name, a.outside)
	}
	if f.err != nil {
		return f
	}
	f.lines, f.bytes = 1+bytes.Count(text, []byte("\n")), len(text)
	if path.Base(f.Name) == settingsName {
		f.Findings = a.parseSettings(f.Name, text).Findings
		return f
	}
	opts := compiler.Options{Host: j.about, Peers: j.peers, Settings: a.announcing(j.name, j.settings)}
	ids, all := j.ids, j.ids
	switch len(ids) {
	case 0:
		ids = []string{a.id()}
	case 1:
		all = nil // one host of an unknown number
	}
	src := source.New(f.Name, text)
	for _, id := range ids {
		opts.Text = a.loading(files, id, all, j.version)
		u := compiler.Load(src, opts)
		f.readings = append(f.readings, reading{id, u})
		f.Secrets = append(f.Secrets, u.Config.Secrets...)
		for _, inc := range u.Tree.Includes {
			for _, text := range inc.Files {
				f.bytes += len(text.Text)
				f.includes = append(f.includes, a.abs(text.Name))
			}
		}
	}
	return f
}

// merge joins the findings of the readings of a file.
func (f *checked) merge() {
	var ids []string
	var lists []diag.List
	for _, r := range f.readings {
		ids = append(ids, r.id)
		lists = append(lists, r.Findings)
	}
	if len(lists) > 0 {
		f.Findings, f.Tree = compiler.Join(ids, lists), f.readings[0].Tree
	}
}

// conclude keeps the findings in a file that are to be shown.
func (r *checkRun) conclude(j job, f *checked) {
	f.merge()
	if shown, _ := r.judge(j, f.Findings); j.baseline != nil || len(shown) > 0 { // a fingerprint counts findings that are not shown, too
		f.Identify(func(name string) string { return r.stable(j, name) })
	}
	if j.baseline != nil {
		for _, d := range f.Findings {
			f.prints = append(f.prints, d.Fingerprint)
		}
	}
	f.Findings, f.known = r.judge(j, f.Findings)
}

// forget releases what is no longer needed, because there may be thousands of files.
func (f *checked) forget(verbose bool) {
	if !verbose {
		f.readings = nil
	}
	if len(f.Findings) == 0 {
		f.File = report.File{Name: f.Name}
	}
}

// tell says what was checked, and which parts of the files keepc does not enforce yet.
func (r *checkRun) tell(files []checked) {
	var lines, findings int
	for _, f := range files {
		lines += f.lines
		findings += len(f.Findings)
	}
	fmt.Fprintf(r.Stderr, "%s, %s, %s\n", report.Count(len(files), "file"), report.Count(lines, "line"), report.Count(findings, "finding"))
	for _, f := range files {
		for _, reading := range f.readings[:min(1, len(f.readings))] {
			for _, u := range reading.Config.NotEnforced {
				for _, line := range report.Unenforced([]ir.Unenforced{u}) {
					r.complain("%s", line)
				}
			}
		}
	}
}

// each calls work for 0..n-1 on all processors.
func each(n int, work func(int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := range next {
				work(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
