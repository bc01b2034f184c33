package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/spf13/cobra"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/daemon"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
	"keepc/runtime/rival"
	"keepc/runtime/script"
	"keepc/runtime/status"
)

// A runRun is one run of the verb run.
type runRun struct {
	*App
	watch  bool
	strict bool
	http   string
	over   bool // replaces a running keepalived
	leave  bool // only withdraw what a killed keepc announced
	keep   bool // all capabilities are kept
	may    privileges

	stdin   sync.Once
	text    []byte // of standard input
	readErr error
}

func (a *App) run() *cobra.Command {
	run := &runRun{App: a}
	c := &cobra.Command{
		Use:   "run [file]",
		Short: "Enforce the file, and keep it enforced",
		Long: "Run VRRP, program IPVS and check real servers as the file says, until SIGTERM or SIGINT.\n" +
			"keepc starts with every file that keepalived starts with, and reads it as keepalived does: each error is logged, and status shows them.\n" +
			"SIGHUP reloads the file. A file with an error that the one in force does not have is refused, and the old configuration stays.\n\n" + unbounded,
		Example: `  keepc run
  keepc run --watch lb01.conf
  keepc run --http 127.0.0.1:9650
  keepc run -v --format json lb01.conf`,
		Annotations: onHost(formats("human", "json")),
		Args:        cobra.MaximumNArgs(1),
		RunE:        func(c *cobra.Command, args []string) error { return run.main(c.Context(), a.oneFile(args)) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&run.strict, "strict", false, "refuse a file with any error, even one that keepalived tolerates")
	f.BoolVar(&run.over, "take-over", false, "end the running keepalived without a farewell, and take over what it leaves")
	f.BoolVar(&run.leave, "withdraw", false, "withdraw what a killed keepc announced, by its journal, and exit: for ExecStopPost= of the unit")
	f.BoolVar(&run.keep, "keep-privileges", false, "also keep capabilities that the file does not need: a later file may (keepc explain capabilities)")
	f.BoolVar(&run.watch, "watch", false, "reload when the file changes")
	f.StringVar(&run.http, "http", "", "show a page, /status.json and /metrics for Prometheus at `ADDRESS:PORT`, read-only")
	return c
}

func (r *runRun) main(ctx context.Context, name string) error {
	if r.Open == nil { // otherwise the kernel is not that of this machine
		var err error
		if r.may.held, err = kernel.Held(); err != nil {
			return failed(fmt.Errorf("run: %w", err))
		}
	}
	first := r.load(name)
	if r.leave && first.Config == nil { // its namespace is unknown
		return r.refuse(first.code, first.Refused)
	}
	if lacking := r.may.lacking(&first, slog.New(slog.DiscardHandler)); len(lacking) > 0 && !r.leave {
		fmt.Fprintln(r.Stderr, lines(lacking))
		return exit{code: exitFailed}
	}
	came, err := r.enterFor(first.Config, r.text)
	if err != nil {
		return failed(fmt.Errorf("run: %w", err))
	}
	if r.leave {
		return r.withdraw(first.Config)
	}
	script.Settle() // also: the reader of the log may end, the director stays
	out := daemon.NewWriter(r.Stdout)
	defer out.Close(time.Second)
	log := slog.New(r.handler(out))
	old, err := r.predecessor()
	if err != nil {
		return failed(fmt.Errorf("run: %w", err))
	}
	socket, release, err := alone(log, old != nil)
	if err != nil {
		return failed(fmt.Errorf("run: %w", err))
	}
	defer release()
	page, err := r.page()
	if err != nil {
		return failed(fmt.Errorf("run: %w", err))
	}

	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends a farewell that hangs
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	r.may.settle(&first, r.keep, log)
	code, start := exitFailed, &first
	open := opens(first.Config, came)
	if r.Open != nil {
		open = r.Open
	}
	r.lasting()
	err = daemon.Run(ctx, daemon.Options{
		File: r.shown(name),
		Load: func() daemon.Loaded {
			l := start
			if start = nil; l == nil {
				again := r.reloaded(name, log)
				l = &again
			} else {
				r.localize(l.Config)
				l.cutsOff() // a reload with such an error is refused anyway
			}
			code = l.code
			return l.Loaded
		},
		Open: func() (kernel.Kernel, error) {
			k, err := open()
			if err != nil {
				return nil, err
			}
			return kernel.Record(k, func(w kernel.Write) {
				if w.Err == nil {
					log.Debug(fmt.Sprintf("%s %s", w.Verb, w.Key), "subject", "kernel")
				}
			}), nil
		},
		Log:     log,
		Reload:  hup,
		Watch:   r.watch,
		Seed:    rand.Uint64(),
		Status:  socket,
		Page:    page,
		Version: programVersion(),
		Plan:    r.planner(name, came),
		Thread:  true,
		Journal: daemon.Journals(daemon.StateDir),
		Replace: replace(old, log),
	})
	var refused *daemon.RefusedError
	if errors.As(err, &refused) {
		return r.refuse(code, refused.Findings)
	}
	return failed(err)
}

// enterFor enters the network namespace of a configuration, which may be nil: see enter.
func (a *App) enterFor(cfg *ir.Config, text []byte) (came string, err error) {
	name := ""
	if cfg != nil {
		name = cfg.NetNamespace
	}
	return a.enter(name, text)
}

// opens returns the function that opens the kernel for a director of a configuration. came is as returned by enter.
func opens(cfg *ir.Config, came string) func() (kernel.Kernel, error) {
	space := ""
	if cfg != nil {
		space = spaceOfIPVS(cfg, came)
	}
	return func() (kernel.Kernel, error) {
		k, err := kernel.OpenWith(space)
		if err != nil {
			return nil, err
		}
		return k, nil
	}
}

// page listens for browsers, if requested.
func (r *runRun) page() (net.Listener, error) {
	if r.http == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", r.http)
	if err != nil {
		return nil, fmt.Errorf("--http %s: %w", r.http, err)
	}
	return l, nil
}

// predecessor returns the keepalived that --take-over replaces; nil: there is none.
func (r *runRun) predecessor() (*rival.Running, error) {
	if !r.over {
		return nil, nil
	}
	return rival.Find()
}

// replace returns the function that ends a keepalived when everything is ready to take over; nil: there is none.
func replace(old *rival.Running, log *slog.Logger) func() error {
	if old == nil {
		return nil
	}
	return func() error {
		if err := old.End(); err != nil {
			return err
		}
		log.Info(fmt.Sprintf("ended keepalived (process %d) and took over what it left", old.PID), "subject", "take-over")
		if old.Unit != "" {
			log.Warn(fmt.Sprintf("systemd counts %s as failed; to keep it from starting keepalived again: systemctl disable %[1]s", old.Unit), "subject", "take-over")
		}
		return nil
	}
}

// alone makes this process the only director of its network namespace, until release: without a keepalived, with the
// lock of the namespace and its status socket. Errors: another director runs. If the lock or the socket fails it says
// so and continues: another director is detected by the other one. over: there is a keepalived, and it will be ended.
func alone(log *slog.Logger, over bool) (socket net.Listener, release func(), err error) {
	other := func(err error, subject string) bool {
		var rivals *rival.Error
		if err != nil && !errors.As(err, &rivals) {
			log.Warn(fmt.Sprintf("a second director may go unnoticed: %v", err), "subject", subject)
		}
		return rivals != nil
	}
	if !over {
		if err := rival.Keepalived(); other(err, "keepalived") {
			return nil, nil, err
		}
	}
	space, err := kernel.Namespace()
	var lock io.Closer
	if err == nil {
		lock, err = rival.Claim(daemon.StateDir, space)
	}
	if other(err, "lock") {
		return nil, nil, err
	}
	socket, err = status.Listen()
	release = func() {
		for _, c := range []io.Closer{lock, socket} {
			if c != nil {
				_ = c.Close() // nothing was written
			}
		}
	}
	var taken *status.TakenError
	switch {
	case errors.As(err, &taken):
		log.Error(taken.Error(), "subject", "status")
	case err != nil:
		release()
		return nil, nil, err
	}
	return socket, release, nil
}

// notYet reports what keepc does not support yet and would do wrongly on the wire: no director is better than a second
// master.
func notYet(cfg *ir.Config) string {
	var lines []string
	for _, u := range cfg.NotEnforced {
		if u.Refused {
			lines = append(lines, fmt.Sprintf("%s: error: %s", u.At, u))
		}
	}
	return strings.Join(lines, "\n")
}

func (r *runRun) handler(out io.Writer) slog.Handler {
	level := slog.LevelInfo
	switch {
	case r.verbose:
		level = slog.LevelDebug
	case r.quiet:
		level = slog.LevelWarn
	}
	if r.format == "json" {
		return slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})
	}
	console := daemon.NewConsole(out, level)
	if systemd, err := journal.StdoutIsJournalStream(); systemd && err == nil {
		return console.ForJournal()
	}
	return console
}

// withdraw removes the routes that a killed keepc announced in this network namespace, according to its journal,
// except for those that the file wants without an announcement. Errors: a keepc runs here.
func (r *runRun) withdraw(cfg *ir.Config) error {
	space, err := kernel.Namespace()
	if err != nil {
		return failed(fmt.Errorf("run --withdraw: %w", err))
	}
	lock, err := rival.Claim(daemon.StateDir, space)
	if err != nil {
		return failed(fmt.Errorf("run --withdraw: %w", err))
	}
	defer lock.Close()
	k, err := kernel.Open()
	if err != nil {
		return failed(fmt.Errorf("run --withdraw: %w", err))
	}
	defer k.Close()
	journal := reconcile.OpenJournal(daemon.Journals(daemon.StateDir)(state.OfRouter), func(text string) { fmt.Fprintln(r.Stderr, "keepc: "+text) })
	gone, err := reconcile.Withdraw(k, journal, state.Unannounced(cfg))
	for _, route := range gone {
		if !r.quiet {
			fmt.Fprintln(r.Stdout, "withdrawn: "+route.String())
		}
	}
	return failed(err)
}
