package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/grammar/diag"
	"keepc/runtime/daemon"
	"keepc/runtime/kernel"
)

// A runRun is one run of the verb run.
type runRun struct {
	*App
	format string
	watch  bool
}

func (a *App) run() *cobra.Command {
	run := &runRun{App: a}
	c := &cobra.Command{
		Use:   "run [file]",
		Short: "Enforce the file, and keep it enforced",
		Long: "Take part in VRRP, program IPVS and check real servers as the file says, until SIGTERM or SIGINT.\n" +
			"SIGHUP reloads the file. A file with errors is refused; at a reload the old configuration stays in force.",
		Example: `  keepc run
  keepc run --watch lb01.conf
  keepc run -v --format json lb01.conf`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return run.main(c.Context(), oneFile(args)) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&run.watch, "watch", false, "reload by itself when the file changes")
	f.StringVar(&run.format, "format", "human", "of the log: human or json")
	return c
}

func (r *runRun) main(ctx context.Context, name string) error {
	if r.format != "human" && r.format != "json" {
		return fmt.Errorf("--format %s: expected human or json", r.format)
	}
	if err := kernel.Capabilities(); err != nil {
		return failed(fmt.Errorf("run: %w", err))
	}
	k, err := kernel.Open()
	if err != nil {
		return failed(err)
	}
	defer k.Close()
	log := slog.New(r.handler())

	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	code := exitFailed
	err = daemon.Run(ctx, daemon.Options{
		File: r.shown(name),
		Load: func() daemon.Loaded {
			l := r.load(name)
			if l.Config != nil {
				if why := notYet(l.Config); why != "" {
					l.Config, l.Refused, l.code = nil, why, exitFindings
				}
			}
			code = l.code
			return l.Loaded
		},
		Kernel: kernel.Record(k, func(w kernel.Write) { log.Debug(fmt.Sprintf("%s %s", w.Verb, w.Key), "subject", "kernel") }),
		Log:    log,
		Reload: hup,
		Watch:  r.watch,
		Seed:   rand.Uint64(),
	})
	var refused *daemon.RefusedError
	if errors.As(err, &refused) {
		fmt.Fprintln(r.Stderr, refused.Findings)
		return exit{code: code}
	}
	return failed(err)
}

// notYet names what keepc cannot do yet and would do wrongly on the wire: better no director than a second master.
func notYet(cfg *ir.Config) string {
	var lines []string
	for _, use := range cfg.NotEnforced {
		switch use.Path {
		case "vrrp_instance.unicast_peer", "vrrp_instance.unicast_src_ip", "vrrp_instance.use_vmac", "vrrp_instance.use_ipvlan",
			"vrrp_instance.auth_hmac", "vrrp_instance.mcast_dst_ip", "global_defs.vrrp_mcast_group4", "global_defs.vrrp_mcast_group6":
			lines = append(lines, fmt.Sprintf("%s: error: %s is not enforced yet, and its peers would not understand a director without it", use.Span, use.Path))
		}
	}
	for _, v := range cfg.Instances {
		if v.Auth.Type == ir.AuthAH {
			lines = append(lines, fmt.Sprintf("%s: error: auth_type AH is not enforced yet, and its peers would not accept adverts without it", v.At("authentication")))
		}
	}
	return strings.Join(lines, "\n")
}

func (r *runRun) handler() slog.Handler {
	level := slog.LevelInfo
	switch {
	case r.verbose:
		level = slog.LevelDebug
	case r.quiet:
		level = slog.LevelWarn
	}
	if r.format == "json" {
		return slog.NewJSONHandler(r.Stdout, &slog.HandlerOptions{Level: level})
	}
	return daemon.NewConsole(r.Stdout, level)
}

// A loaded configuration with the exit code for the case that it is refused.
type loaded struct {
	daemon.Loaded
	code int
}

// load reads and compiles a file. Errors of severity error refuse it.
func (a *App) load(name string) loaded {
	text, err := a.read(name)
	l := loaded{Loaded: daemon.Loaded{Files: daemon.Files{}}}
	if path, err := filepath.Abs(name); err == nil && name != "-" {
		l.Files[path] = daemon.NewDigest(text, err)
	}
	if err != nil {
		l.Refused, l.code = err.Error(), exitFailed
		return l
	}
	f := (&checkRun{App: a, stdinName: "<stdin>"}).file(name, text)
	var errs diag.List
	for _, d := range f.Findings {
		if d.Severity == diag.Error {
			errs.Add(d)
		}
	}
	if len(errs) == 0 {
		l.Config = f.config
		return l
	}
	var b strings.Builder
	f.Findings, l.code = errs, exitFindings
	if err := report.Short(&b, report.NewCheck([]report.File{f.File}), false); err != nil {
		b.WriteString(err.Error())
	}
	l.Refused = strings.TrimRight(b.String(), "\n")
	return l
}
