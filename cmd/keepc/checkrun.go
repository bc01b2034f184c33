package main

import (
	"context"
	"fmt"
	"net/netip"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/runtime/health"
	"keepc/runtime/probe"
	"keepc/runtime/script"
)

// A checkOnce is one run of the verb check-run.
type checkOnce struct {
	*App
	scripts *script.Runner
	failed  bool // a check failed
}

func (a *App) checkOnce() *cobra.Command {
	return &cobra.Command{
		Use:   "check-run FILE [SERVER]",
		Short: "Run the health checks of a file once and show each step",
		Long: "Run the health checks of all real servers of a file once, or of one server, from this host, as run does:\n" +
			"each page, each step and its time. A MISC_CHECK runs its program, as its user. Nothing else is touched; no service changes.\n\n" +
			"Exit codes: 0 all succeed, 1 one fails or has no verdict, 3 the file cannot be used.",
		Example: `  keepc check-run lb01.conf
  keepc check-run lb01.conf 10.0.0.7
  keepc check-run lb01.conf 10.0.0.7:80`,
		Args:        cobra.RangeArgs(1, 2),
		Annotations: map[string]string{"reach": "host"},
		RunE: func(_ *cobra.Command, args []string) error {
			server := ""
			if len(args) == 2 {
				server = args[1]
			}
			return (&checkOnce{App: a}).main(args[0], server)
		},
	}
}

func (r *checkOnce) main(name, server string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	l := r.load(name)
	if l.Config == nil {
		return r.refuse(l.code, l.Refused)
	}
	cfg, findings := script.Vet(l.Config)
	for _, f := range findings {
		r.complain("%s: %s", f.Span, f.Message)
	}
	r.scripts = script.NewRunner(ctx)
	defer r.scripts.Close()
	found := false
	for _, v := range cfg.VirtualServers {
		for _, s := range v.RealServers {
			if server != "" && s.Addr.String() != server && s.Addr.Addr().String() != server {
				continue
			}
			found = true
			if len(s.Checks) == 0 {
				r.say("%s of %s has no check", s.Addr, v.Key)
			}
			for _, c := range s.Checks {
				if err := r.check(ctx, v.Key, s.Addr, c); err != nil {
					return exit{exitFailed, err}
				}
			}
		}
	}
	switch {
	case !found && server != "":
		return fmt.Errorf("%s has no real server %s", name, server)
	case r.failed:
		return exit{code: exitFindings}
	}
	return nil
}

// check makes one check, page by page. An error ends everything: nothing waits any longer.
func (r *checkOnce) check(ctx context.Context, service ir.ServiceKey, server netip.AddrPort, c *ir.Check) error {
	of := ""
	if c.Target.IsValid() && c.Target != server {
		of = fmt.Sprintf(" of %s", c.Target)
	}
	r.say("%s of %s: %s%s", server, service, c.Keyword(), of)
	if file, ok := c.Checker.(*ir.FileCheck); ok {
		r.say("  not asked: it follows the number in track_file %s", file.TrackFile.Text)
		return nil
	}
	if session, ok := c.Checker.(*ir.BFDCheck); ok {
		r.say("  not asked: it follows the BFD session %s of the running keepc; see keepc status", session.Text)
		return nil
	}
	if !enforced.Checked(c) {
		r.say("  not asked: it is not enforced yet")
		return nil
	}
	for page := range max(1, health.PagesOf(c).Count) {
		if h, ok := c.Checker.(*ir.HTTPCheck); ok {
			r.say("  GET %s", h.URLs[page].Path)
		}
		result := probe.Do(ctx, probe.Ask{Check: c, Page: page, Limit: c.ConnectTimeout, Run: r.scripts.Run, Trace: r.step})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.failed = r.failed || !result.Up
	}
	return nil
}

// say writes one line, whatever a server answers and a file contains.
func (r *checkOnce) say(format string, values ...any) {
	fmt.Fprintln(r.Stdout, report.Printable(fmt.Sprintf(format, values...)))
}

func (r *checkOnce) step(step string, took time.Duration) {
	r.say("  %9.1f ms  %s", took.Seconds()*1000, step)
}
