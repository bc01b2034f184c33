package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"keepc/compiler/report"
	"keepc/compiler/schema"
	"keepc/grammar/diag"
	"keepc/runtime/kernel"
)

// An App is keepc with its environment.
type App struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Env            func(string) string
	// FS is the file tree from its "/"; Dir is the working directory; Started is when it was started, for reports with
	// a time.
	FS      fs.FS
	Dir     string
	Started time.Time
	// Open opens the kernel that run enforces; nil: that of this machine.
	Open func() (kernel.Kernel, error)

	memory int64 // the limit that the environment sets for this process, in bytes
	flags
}

// flags are those of every verb.
type flags struct {
	format, color  string
	quiet, verbose bool
	ids            []string
	root           string
	factsFile      string // about the host that is judged
	forVersion     string // the version of keepalived that reads the files
	stdinName      string
	outside, env   bool // files are read wherever they are, and so is the environment
	acts           bool // on this host: whoever can write the settings decides what it does
}

// Exit codes, one table for all verbs.
const (
	exitOK       = 0
	exitFindings = 1 // also: not formatted, an expectation failed
	exitUsage    = 2
	exitFailed   = 3
	exitChanges  = 4 // with plan --exit-code and diff --exit-code
)

// verbs are all verbs of keepc.
func (a *App) verbs() []*cobra.Command {
	return []*cobra.Command{
		a.check(),
		a.fmt(),
		a.plan(),
		a.facts(),
		a.diff(),
		a.run(),
		a.status(),
		a.drain(),
		a.enable(),
		a.weight(),
		a.simulate(),
		a.graph(),
		a.checkOnce(),
		a.hash(),
		a.export(),
		a.importing(),
		a.realserver(),
		a.explain(),
		a.show(),
		a.version(),
		a.man(),
	}
}

// An exit ends a verb with a code other than 0 or exitUsage; the error, if any, has not been reported yet.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprint("exit code ", e.code)
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// failed makes an error one of exitFailed.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return exit{exitFailed, err}
}

// Main runs keepc with its arguments and returns the exit code.
func (a *App) Main(args []string) int {
	root := &cobra.Command{
		Use:           "keepc",
		Short:         "keepc checks, plans and enforces keepalived.conf",
		Version:       versionLine(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownVerb,

		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return a.accept(c) },
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	a.memory = debug.SetMemoryLimit(memoryLimit)
	defer debug.SetMemoryLimit(a.memory)
	root.SetArgs(args)
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(suggestFlag)
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(a.verbs()...)
	f := root.PersistentFlags()
	f.StringVar(&a.format, "format", "", "the `FORMAT` of the output")
	f.StringVar(&a.color, "color", "auto", "colour: auto, always or never")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print nothing, only set the exit code")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "print more")
	f.StringSliceVar(&a.ids, "id", nil, "the `ID` that selects @ID lines (keepalived -i); repeat it to read the file once for each")
	f.StringVar(&a.root, "root", "", "the `DIR` that absolute names of included files are below, such as the root of an image")
	f.StringVar(&a.factsFile, "facts", "", "judge for the host that `FILE` describes (keepc facts)")
	f.StringVar(&a.forVersion, "keepalived-version", "", "judge for keepalived `X.Y.Z`: keywords that it does not know yet are errors")
	f.BoolVar(&a.outside, allowOutside, false, "also read files outside the working directory, the file's directory, and --root")
	f.BoolVar(&a.env, allowEnv, false, "read ${_ENV NAME} from the environment")
	f.StringVar(&a.stdinName, "stdin-name", "<stdin>", "the `NAME` of standard input in messages")
	f.SortFlags = false
	completeGlobals(root)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", screenWidth)))
	help := root.HelpFunc()
	root.SetHelpCommand(helpCommand(root))
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		tellFormats(c)
		tellReach(c)
		c.Long = report.Wrap(c.Long, screenWidth)
		help(c, args)
	})

	err := root.Execute()
	var e exit
	switch {
	case err == nil:
		return exitOK
	case !errors.As(err, &e):
		a.complain("keepc: %v", err)
		return exitUsage
	case e.err != nil:
		a.complain("keepc: %v", e.err)
	}
	return e.code
}

// screenWidth is the maximum width of a help text.
const screenWidth = 80

// memoryLimit is the memory above which garbage is collected at once. The files may need more if they are large. A
// director may need more forever, and would collect all the time: see lasting.
const memoryLimit = 208 << 20

// lasting removes the limit for a verb that holds configurations and kernel objects for months.
func (a *App) lasting() { debug.SetMemoryLimit(a.memory) }

// complain writes one line to standard error, whatever the names of files in it contain.
func (a *App) complain(format string, values ...any) {
	fmt.Fprintln(a.Stderr, report.Printable(fmt.Sprintf(format, values...)))
}

// human is the format for people.
const human = "human"

// formats records the formats that a verb can write, the default first. A verb without them writes only for people.
func formats(names ...string) map[string]string {
	return map[string]string{"formats": strings.Join(names, " ")}
}

// formatsOf returns the formats that a verb can write.
func formatsOf(c *cobra.Command) []string {
	if names := strings.Fields(c.Annotations["formats"]); len(names) > 0 {
		return names
	}
	return []string{human}
}

// tellFormats adds them to the help of a verb.
func tellFormats(c *cobra.Command) {
	if f := c.Flag("format"); f != nil {
		names := formatsOf(c)
		f.Usage = "the `FORMAT` of the output: " + or(names)
		f.DefValue = names[0]
		f.Hidden = len(names) == 1
	}
}

// or lists words to choose from.
func or(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// accept checks the flags that every verb has.
func (a *App) accept(c *cobra.Command) error {
	names := formatsOf(c)
	if a.format = cmp.Or(a.format, names[0]); !slices.Contains(names, a.format) {
		return fmt.Errorf("--format %s: expected %s", a.format, or(names))
	}
	if a.forVersion != "" && !schema.IsVersion(a.forVersion) {
		return fmt.Errorf("--keepalived-version %s: expected a version such as 2.2.8", a.forVersion)
	}
	if oldest := "2.0.0"; a.forVersion != "" && schema.Older(a.forVersion, oldest) {
		a.complain("keepc: keepalived %s is judged as %s: older versions are not distinguished", a.forVersion, oldest)
	}
	if reachesHost(c) && a.factsFile == "" { // facts may be those of a different host
		a.outside, a.env, a.acts = true, true, true
	}
	if a.root == "" {
		return nil
	}
	info, err := fs.Stat(a.FS, inFS(a.abs(a.root)))
	if err != nil {
		return failed(fmt.Errorf("--root: %w", fileError(a.root, err)))
	}
	if !info.IsDir() {
		return failed(fmt.Errorf("--root: %s: is not a directory", a.root))
	}
	return nil
}

// unknownVerb suggests the verb that was likely meant.
func unknownVerb(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	if best, _ := diag.Suggest(args[0], names); best != "" {
		return fmt.Errorf("unknown verb %q; did you mean %q?", args[0], best)
	}
	return fmt.Errorf("unknown verb %q; the verbs are %s", args[0], strings.Join(names, ", "))
}

// helpCommand returns "keepc help VERB", which refuses a word that is not a verb.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [verb]",
		Short: "Show the flags of a verb",
		ValidArgsFunction: func(*cobra.Command, []string, string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
			for _, c := range root.Commands() {
				names = append(names, c.Name())
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, _, err := root.Find(args)
			if err == nil && c == root {
				err = unknownVerb(root, args)
			}
			if err != nil {
				return err
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

// suggestFlag suggests the flag that was likely meant.
func suggestFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if best, _ := diag.Suggest(unknown.GetSpecifiedName(), names); best != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, best)
	}
	return fmt.Errorf("%w; see keepc %s --help", err, c.Name())
}

// colors reports whether to colour what goes to Stdout.
func (a *App) colors() (report.Colors, error) {
	switch a.color {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
	default:
		return false, fmt.Errorf("--color %s: expected auto, always or never", a.color)
	}
	switch {
	case a.Env("NO_COLOR") != "":
		return false, nil
	case a.Env("CLICOLOR_FORCE") != "" && a.Env("CLICOLOR_FORCE") != "0", a.Env("FORCE_COLOR") != "" && a.Env("FORCE_COLOR") != "0":
		return true, nil
	case a.Env("TERM") == "dumb":
		return false, nil
	}
	out, ok := a.Stdout.(*os.File)
	if !ok {
		return false, nil
	}
	info, err := out.Stat()
	return report.Colors(err == nil && info.Mode()&fs.ModeCharDevice != 0), nil
}

// fileError names the file and says what is wrong with it.
func fileError(name string, err error) error { return fmt.Errorf("%s: %w", name, cause(err)) }

// cause returns what was wrong, without the names of files.
func cause(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}

// abs returns the absolute path of a file that a user names.
func (a *App) abs(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join("/", a.Dir, name)
}

// below returns the absolute path of a file that a configuration names: with --root, that in the image.
func (a *App) below(name string) string {
	if a.root == "" || !filepath.IsAbs(name) {
		return a.abs(name)
	}
	return filepath.Join(a.abs(a.root), name)
}

// defaultFile is the file that verbs read if none is named.
func (a *App) defaultFile() string { return a.shown(a.below(defaultFile)) }

// shown returns the name of a file as messages show it: relative to the working directory if it is below that.
func (a *App) shown(name string) string {
	switch {
	case name == "-":
		return a.stdinName
	case !filepath.IsAbs(name), a.Dir == "/": // everything is below that
		return name
	}
	if rel, err := filepath.Rel(a.Dir, name); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return name
}

// id returns the configuration id that selects @ID lines: that of --id, else the host name up to its first dot.
func (a *App) id() string {
	if len(a.ids) > 0 {
		return a.ids[0]
	}
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	id, _, _ := strings.Cut(host, ".")
	return id
}
