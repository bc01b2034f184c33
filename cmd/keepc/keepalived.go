package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/runtime/daemon"
	"keepc/runtime/kernel"
	"keepc/runtime/script"
	"keepc/runtime/status"
)

// A keepalivedRun is one run under the name and with the command line of keepalived.
type keepalivedRun struct {
	*App
	file                 string
	onlyVRRP, onlyChecks bool
	console, noSyslog    bool
	facility             int // of syslog, numbered as in syslog.h, not shifted
	logFile              string
	umask                int // of created files
	leaveVRRP, leaveIPVS bool
	foreground, dumpConf bool
	pids                 [4]string // files: of the director, VRRP, checkers, BFD; empty: as the configuration says
	namespace            string    // from the command line, which overrides the file
	test                 bool
	testLog              string
	ignoreINT            bool
	remarks              []string // about flags, for the log

	hup, asked chan os.Signal // for reloads, and for dumps
}

// The exit codes of keepalived 2.2.7.
const (
	keepalivedFatal    = 1
	keepalivedRefused  = 4
	keepalivedFaults   = 5
	keepalivedNoConfig = 6
)

// keepalivedName is the name under which the program takes keepalived's command line.
const keepalivedName = "keepalived"

// Start runs keepc, or, if its name or first word is keepalived, with keepalived's command line.
func (a *App) Start(args []string) int {
	switch {
	case len(args) > 0 && filepath.Base(args[0]) == keepalivedName:
		return a.asKeepalived(args[1:])
	case len(args) > 1 && args[1] == keepalivedName:
		return a.asKeepalived(args[2:])
	}
	return a.Main(args[min(1, len(args)):])
}

// asKeepalived runs with keepalived's arguments and returns its exit code.
func (a *App) asKeepalived(args []string) int {
	d := &keepalivedRun{App: a, umask: 0o177, facility: 3}
	a.outside, a.env, a.acts = true, true, true
	wrong, err := d.parse(args)
	var e exit
	for _, line := range wrong {
		a.complain("%s", line)
	}
	switch {
	case errors.As(err, &e) && e.err == nil:
		return e.code
	case err != nil:
		a.complain("keepalived: %v", err)
		return keepalivedFatal
	case len(wrong) > 0:
		return keepalivedFatal
	}
	d.file = cmp.Or(d.file, defaultFile)
	if d.test {
		return d.configTest()
	}
	return d.main()
}

func (d *keepalivedRun) setFacility(value string) error {
	n, err := strconv.Atoi(strings.TrimPrefix(value, "local"))
	switch {
	case err == nil && n >= 0 && n <= 7:
		d.facility = 16 + n
	case value == "user":
		d.facility = 1
	case value == "daemon":
		d.facility = 3
	default:
		return fmt.Errorf("invalid log facility %q", value)
	}
	return nil
}

func (d *keepalivedRun) setUmask(value string) error {
	n, err := strconv.ParseUint(value, 0, 16)
	if err != nil || n > 0o777 {
		return fmt.Errorf("invalid umask %q", value)
	}
	d.umask = int(n)
	return nil
}

// inLog returns a setter that logs why a flag does nothing.
func inLog(why string) func(*keepalivedRun, string) error {
	return func(d *keepalivedRun, _ string) error {
		d.remarks = append(d.remarks, why)
		return nil
	}
}

// signals are those that keepalived has a word for. SIGRTMIN is that of glibc.
var signals = []struct {
	word   string
	signal syscall.Signal
}{{"STOP", syscall.SIGTERM}, {"RELOAD", syscall.SIGHUP}, {"DATA", syscall.SIGUSR1}, {"STATS", syscall.SIGUSR2}, {"STATS_CLEAR", 63}, {"JSON", 36}}

func (d *keepalivedRun) signum(word string) error {
	for _, s := range signals {
		if s.word == word {
			fmt.Fprintln(d.Stdout, int(s.signal))
			return exit{}
		}
	}
	d.complain("Unknown sigfunc %s", word)
	return exit{code: keepalivedFatal}
}

// imitated is the version whose behaviour this program imitates.
const imitated = "2.2.7"

func (d *keepalivedRun) printVersion(string) error {
	fmt.Fprintf(d.Stderr, "Keepalived v%s (keepc)\n", imitated)
	return exit{}
}

func (d *keepalivedRun) printHelp(string) error {
	fmt.Fprintln(d.Stderr, "Usage: keepalived [OPTION...]")
	for _, f := range keepalivedFlags() {
		names := "    --" + f.long
		if f.short != 0 {
			names = "-" + string(f.short) + ", --" + f.long
		}
		switch {
		case f.joins:
			names += "[=" + f.value + "]"
		case f.value != "":
			names += "=" + f.value
		}
		help := f.help
		if f.why != "" {
			help += " (" + f.why + ")"
		}
		fmt.Fprintf(d.Stderr, "  %-28s %s\n", names, help)
	}
	return exit{}
}

// load reads the file as run does. Flags may leave out a part of it.
func (d *keepalivedRun) load() loaded {
	run := runRun{App: d.App}
	l := run.load(d.file)
	if l.Config == nil {
		return l
	}
	cfg := *l.Config
	if d.onlyVRRP && !d.onlyChecks {
		cfg.VirtualServers = nil
	}
	if d.onlyChecks && !d.onlyVRRP {
		cfg.Instances, cfg.SyncGroups = nil, nil
	}
	l.Config = &cfg
	return l
}

// located matches a finding of one line.
var located = regexp.MustCompile(`^(.*?):(\d+):\d+: (?:error|warning): (.*)$`)

// inTheirShape formats a finding as keepalived formats its complaints.
func inTheirShape(line string) string {
	if m := located.FindStringSubmatch(line); m != nil {
		return fmt.Sprintf("(%s: Line %s) %s", m[1], m[2], m[3])
	}
	return line
}

// configTest is keepalived -t.
func (d *keepalivedRun) configTest() int {
	out := d.Stderr
	if d.testLog != "" {
		f, err := os.OpenFile(d.abs(d.testLog), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			d.complain("keepalived: %v", err)
			return keepalivedFatal
		}
		defer f.Close()
		out = f
	}
	if _, err := os.Stat(d.abs(d.file)); err != nil {
		fmt.Fprintf(out, "Config files missing '%s'.\n", d.file)
		return keepalivedRefused
	}
	l := d.App.load(d.file)
	for _, f := range l.Unread {
		fmt.Fprintln(out, report.Printable(inTheirShape(f.Text)))
	}
	if l.Config == nil {
		for line := range strings.Lines(l.Refused) {
			fmt.Fprintln(out, report.Printable(inTheirShape(strings.TrimRight(line, "\n"))))
		}
		return keepalivedRefused
	}
	faults := l.Faults
	_, found := script.Vet(l.Config)
	for _, f := range found {
		faults = append(faults, daemon.Fault{Text: fmt.Sprintf("%s: error: %s", f.Span, f.Message)})
	}
	for _, f := range faults {
		fmt.Fprintln(out, report.Printable(inTheirShape(f.Text)))
	}
	switch {
	case insecure(l.Config):
		fmt.Fprintln(out, "SECURITY VIOLATION - scripts are being executed but script_security not enabled.")
		return keepalivedNoConfig
	case len(faults) > 0:
		return keepalivedFaults
	}
	return exitOK
}

// insecure reports whether a file has scripts without enable_script_security.
func insecure(cfg *ir.Config) bool {
	some := false
	cfg.MapCommands(func(_ string, c ir.Command) ir.Command {
		some = some || len(c.Args) > 0
		return c
	})
	return some && !cfg.Global.ScriptSecurity
}

// main is the director, in the foreground or in a process of its own.
func (d *keepalivedRun) main() int {
	if _, err := os.Stat(d.abs(d.file)); err != nil {
		d.complain("Unable to find configuration file %s", d.file)
		return keepalivedNoConfig
	}
	if code, forked := d.fork(); forked {
		return code
	}
	first := d.load()
	// A file that keepalived reloads is reloaded here too, so all capabilities are kept, as keepalived keeps them.
	held, err := kernel.Held()
	if err != nil {
		d.complain("keepalived: %v", err)
		return keepalivedRefused
	}
	may := privileges{held: held}
	if lacking := may.lacking(&first, slog.New(slog.DiscardHandler)); slices.ContainsFunc(lacking, ofNetwork) { // keepalived reports scripts that do not start, too
		d.complain("keepalived: %s", lines(lacking))
		return keepalivedRefused
	}
	it := d.names(&ir.Config{})
	if first.Config != nil {
		it = d.names(first.Config)
	}
	came, err := d.enter(it.namespace, nil)
	if err != nil {
		d.complain("keepalived: %v", err)
		return keepalivedFatal
	}
	ready := d.background()
	_ = kernel.NameThread(os.Getpid(), keepalivedName) // a lookup by the other name finds it anyway
	sink, err := d.openLog(it)
	if err != nil {
		d.complain("keepalived: %v", err)
		return keepalivedFatal
	}
	out := daemon.NewWriter(sink)
	defer out.Close(time.Second)
	log := slog.New(newKeepalivedLog(out, d.verbose))
	say := func(format string, values ...any) { log.Info(fmt.Sprintf(format, values...)) }
	stops := []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	if d.ignoreINT {
		signal.Ignore(syscall.SIGINT)
		stops = stops[:1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), stops...) // a program that reads a pid file may send one
	defer stop()
	d.hup, d.asked = make(chan os.Signal, 1), make(chan os.Signal, 8)
	signal.Notify(d.hup, syscall.SIGHUP)
	defer signal.Stop(d.hup)
	signal.Notify(d.asked, syscall.SIGUSR1, syscall.SIGUSR2, syscall.Signal(36), syscall.Signal(63))
	defer signal.Stop(d.asked)
	pids, err := writePIDs(it.pids[:])
	if err != nil {
		log.Error(err.Error())
		d.complain("keepalived: %v", err)
		return keepalivedFatal
	}
	defer pids.remove()
	script.Settle()
	if d.namespace != "" && first.Config != nil && first.Config.NetNamespace != "" {
		log.Info(fmt.Sprintf("Overriding config net_namespace '%s' with command line namespace '%s'", first.Config.NetNamespace, d.namespace))
	}
	say("Starting Keepalived v%s (keepc)", imitated)
	for _, remark := range d.remarks {
		log.Warn(remark)
	}
	return d.direct(ctx, stop, log, say, ready, first, came, it)
}

// direct runs the director until ctx ends, which stop causes, too. first is its first configuration; came is as
// returned by enter.
func (d *keepalivedRun) direct(ctx context.Context, stop func(), log *slog.Logger, say func(string, ...any), ready func(), first loaded, came string, it names) int {
	socket, release, err := alone(log, false)
	if err != nil {
		log.Error(err.Error())
		d.complain("keepalived: %v", err)
		return keepalivedFatal
	}
	defer release()
	var workers sync.WaitGroup
	defer workers.Wait() // they end with ctx
	defer stop()

	code, next := keepalivedFatal, &first
	d.lasting()
	err = daemon.Run(ctx, daemon.Options{
		File: d.shown(d.file),
		Load: func() daemon.Loaded {
			l := next
			if next = nil; l == nil {
				again := d.load()
				l = &again
			}
			if l.Config == nil {
				code = keepalivedRefused
			}
			return l.Loaded
		},
		Open:    opens(first.Config, came),
		Log:     log,
		Reload:  d.hup,
		Seed:    rand.Uint64(),
		Status:  socket,
		Thread:  true,
		Journal: daemon.Journals(daemon.StateDir),
		Ready: func(snapshot func(context.Context) (status.Snapshot, error)) {
			say("Startup complete")
			ready()
			w := dumper{names: it, dir: d.dumpDir(), mode: os.FileMode(0o666 &^ d.umask), snapshot: snapshot, say: say}
			workers.Go(func() { w.run(ctx, d.asked, d.dumpConf) })
		},
		LeaveVRRP: d.leaveVRRP,
		LeaveIPVS: d.leaveIPVS,
	})
	var refused *daemon.RefusedError
	switch {
	case errors.As(err, &refused):
		for line := range strings.Lines(refused.Findings) {
			log.Error(inTheirShape(strings.TrimRight(line, "\n")))
			d.complain("%s", inTheirShape(strings.TrimRight(line, "\n")))
		}
		return code
	case err != nil:
		log.Error(err.Error())
		d.complain("keepalived: %v", err)
		return keepalivedFatal
	}
	say("Stopped Keepalived v%s (keepc)", imitated)
	return exitOK
}

// dumpDir is where keepalived writes what signals request.
func (d *keepalivedRun) dumpDir() string {
	if dir := d.Env("TMPDIR"); dir != "" {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	return "/tmp"
}
