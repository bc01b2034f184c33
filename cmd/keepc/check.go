package main

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// defaultFile is the file that verbs look at when none is named.
const defaultFile = "/etc/keepalived/keepalived.conf"

// A checkRun is one run of the verb check.
type checkRun struct {
	*App
	fix, diff  bool
	host       bool
	format     string
	failOn     string
	stdinName  string
	only, skip []string
	forVersion string

	threshold diag.Severity
}

// A checked is one file after its check.
type checked struct {
	report.File
	config *ir.Config
	lines  int
	err    error // why it could not be read
}

func (a *App) check() *cobra.Command {
	run := &checkRun{App: a}
	c := &cobra.Command{
		Use:   "check [files...]",
		Short: "Find mistakes",
		Long:  "Find mistakes in configuration files; without an argument in " + defaultFile + ".",
		Example: `  keepc check keepalived.conf
  keepc check --fix lb01.conf lb02.conf
  cat keepalived.conf | keepc check --format json -`,
		RunE: func(_ *cobra.Command, names []string) error { return run.main(names) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&run.fix, "fix", false, "repair what has exactly one right repair")
	f.BoolVar(&run.diff, "diff", false, "show the repairs as a patch")
	f.BoolVar(&run.host, "host", false, "also judge what depends on this machine: interfaces, users, scripts")
	f.StringVar(&run.format, "format", "human", "one of "+strings.Join(formatNames(), ", "))
	f.StringVar(&run.failOn, "fail-on", "error", "the least `SEVERITY` that exits with 1: error, warning or info")
	f.StringSliceVar(&run.only, "only", nil, "look for these `RULES` only")
	f.StringSliceVar(&run.skip, "off", nil, "do not look for these `RULES`")
	for _, flag := range []string{"only", "off"} {
		_ = c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return ruleNames(), cobra.ShellCompDirectiveNoFileComp // the error is for flags that are not there
		})
	}
	f.StringVar(&run.forVersion, "keepalived-version", "", "the `X.Y.Z` that will read the files: report words that it does not know yet")
	f.StringVar(&run.stdinName, "stdin-name", "<stdin>", "the `NAME` of standard input in findings")
	return c
}

func formatNames() []string {
	var names []string
	for _, f := range report.Formats() {
		names = append(names, f.Name)
	}
	return names
}

func (r *checkRun) main(names []string) error {
	if len(names) == 0 {
		names = []string{defaultFile}
	}
	write, colors, err := r.settings(names)
	if err != nil {
		return err
	}
	if r.diff || r.fix {
		if err := r.repair(names); err != nil || r.diff {
			return err
		}
	}
	// What a check makes lives until it is told: to collect more often takes a quarter of the time and frees next to nothing.
	defer debug.SetGCPercent(debug.SetGCPercent(500))
	files := make([]checked, len(names))
	each(len(names), func(i int) { files[i] = r.file(names[i], nil) })

	var found []report.File
	var unread int
	for _, f := range files {
		if f.err != nil {
			unread++
			fmt.Fprintf(r.Stderr, "keepc: %v\n", f.err)
			continue
		}
		f.Findings = slices.DeleteFunc(f.Findings, func(d diag.Diagnostic) bool { return r.hidden(d) })
		found = append(found, f.File)
	}
	model := report.NewCheck(found)
	if !r.quiet {
		if err := write(r.Stdout, model, colors); err != nil {
			return failed(fmt.Errorf("write the findings: %w", err))
		}
	}
	if r.verbose {
		r.tell(files)
	}
	switch {
	case unread > 0:
		return exit{code: exitFailed}
	case slices.ContainsFunc(found, func(f report.File) bool { return f.Findings.Has(r.threshold) }):
		return exit{code: exitFindings}
	}
	return nil
}

// settings checks the flags.
func (r *checkRun) settings(names []string) (write formatter, colors report.Colors, err error) {
	formats := report.Formats()
	i := slices.IndexFunc(formats, func(f report.Format) bool { return f.Name == r.format })
	if i < 0 {
		return nil, false, fmt.Errorf("--format %s: expected one of %s", r.format, strings.Join(formatNames(), ", "))
	}
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
	for _, rule := range slices.Concat(r.only, r.skip) {
		if err := knownRule(rule); err != nil {
			return nil, false, err
		}
	}
	if r.fix && slices.Contains(names, "-") {
		return nil, false, fmt.Errorf("--fix cannot write to standard input; use --diff")
	}
	colors, err = r.colors()
	return formats[i].Write, colors, err
}

type formatter = func(w io.Writer, c report.Check, colors report.Colors) error

// knownRule returns an error for a rule that there is none of.
func knownRule(name string) error {
	names := ruleNames()
	if slices.Contains(names, name) {
		return nil
	}
	if best, _ := diag.Suggest(name, names); best != "" {
		return fmt.Errorf("unknown rule %q; did you mean %q?", name, best)
	}
	return fmt.Errorf("unknown rule %q; keepc explain lists them", name)
}

// hidden tells whether a finding is not to be shown.
func (r *checkRun) hidden(d diag.Diagnostic) bool {
	return d.Host && !r.host || d.Severity < diag.Warning && !r.verbose && r.threshold > d.Severity ||
		len(r.only) > 0 && !slices.Contains(r.only, d.Rule) ||
		slices.Contains(r.skip, d.Rule)
}

// file checks one file. text is what it holds; nil: read it.
func (r *checkRun) file(name string, text []byte) (f checked) {
	f.Name = r.shown(name)
	if name == "-" {
		f.Name = r.stdinName
	}
	if text == nil {
		if text, f.err = r.read(name); f.err != nil {
			return f
		}
	}
	f.lines = 1 + bytes.Count(text, []byte("\n"))
	opts := compiler.Options{Version: r.forVersion}
	if r.host {
		opts.Host = facts{r.App}
	}
	ids, all := r.ids, r.ids
	switch len(ids) {
	case 0:
		ids = []string{r.id()}
	case 1:
		all = nil // one host of who knows how many
	}
	src := source.New(f.Name, text)
	for _, id := range ids { // one file for several hosts is read once for each
		tree, found := grammar.LoadText(src, grammar.Options{
			Files: grammar.Files{Root: r.FS, Dir: r.Dir}, ID: id, IDs: all, Env: r.Env,
		})
		cfg, more := compiler.Compile(tree, opts)
		f.Findings = append(f.Findings, compiler.Merge(tree, found, more)...)
		f.Secrets = append(f.Secrets, cfg.Secrets...)
		if f.config == nil {
			f.config = cfg
		}
	}
	f.Findings.Sort()
	return f
}

// tell says what was looked at, and which keywords keepc reads but does not act on yet.
func (r *checkRun) tell(files []checked) {
	var lines, findings int
	for _, f := range files {
		lines += f.lines
		findings += len(f.Findings)
	}
	fmt.Fprintf(r.Stderr, "%s, %s, %s\n", report.Count(len(files), "file"), report.Count(lines, "line"), report.Count(findings, "finding"))
	for _, f := range files {
		if f.config == nil {
			continue
		}
		for _, use := range f.config.NotEnforced {
			fmt.Fprintf(r.Stderr, "%s: read, but not enforced yet: %s\n", use.Span, use.Path)
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
