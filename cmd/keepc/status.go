package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"keepc/runtime/daemon"
	"keepc/runtime/status"
)

// A statusRun is one run of the verb status.
type statusRun struct {
	*App
	watch   bool
	follow  bool
	wish    string
	timeout time.Duration
}

func (a *App) status() *cobra.Command {
	run := &statusRun{App: a}
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what the running keepc does: roles and reasons, health, the last reload",
		Long: "Ask the running keepc of this network namespace what it does: first what is wrong, then roles, priorities and reasons, health, the\n" +
			"last reload. Only root and its own user get an answer.\n\n" +
			"Exit codes, for a monitor: 0 all is well; 1 something is wrong: an instance in FAULT, another router whose advertisements are\n" +
			"dropped, a lost quorum, a server that is down or whose verified certificate ends soon, a refused reload, an object that the\n" +
			"kernel refuses; 3 no keepc runs, or it does not answer. With --wait: 0 the instance got the role in time, 1 it did not.",
		Example: `  keepc status
  keepc status -q || echo "ask keepc status"
  keepc status --watch
  keepc status --follow
  keepc status --wait "VI_1 MASTER" --timeout 30s
  ip netns exec edge keepc status --format json`,
		Annotations: formats("human", "json"),
		Args:        cobra.NoArgs,
		RunE:        func(c *cobra.Command, _ []string) error { return run.main(c.Context()) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&run.watch, "watch", false, "refresh every second until interrupted")
	f.BoolVar(&run.follow, "follow", false, "show each new event with its reason until interrupted")
	f.StringVar(&run.wish, "wait", "", "wait until an instance has a role: `\"INSTANCE ROLE\"`")
	f.DurationVar(&run.timeout, "timeout", 30*time.Second, "how long --wait waits, including for a keepc that is not running yet")
	c.MarkFlagsMutuallyExclusive("watch", "follow", "wait")
	return c
}

// How often a director is asked.
const (
	watchPause = time.Second
	waitPause  = 200 * time.Millisecond
)

func (r *statusRun) main(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	switch {
	case r.wish != "":
		return r.wait(ctx)
	case r.watch:
		return r.refresh(ctx)
	case r.follow:
		return r.events(ctx)
	}
	q := status.Counted
	if r.quiet {
		q = status.About // nobody sees them
	}
	d, err := status.Ask(ctx, q)
	if err != nil {
		return failed(err)
	}
	if err := r.show(d); err != nil {
		return failed(err)
	}
	if len(d.Wrong()) > 0 {
		return exit{code: exitFindings}
	}
	return nil
}

func (r *statusRun) show(d *status.Document) error {
	switch {
	case r.quiet:
		return nil
	case r.format == human:
		return d.Screen(r.Stdout)
	}
	e := json.NewEncoder(r.Stdout)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	return nil
}

// clearScreen clears a terminal and moves the cursor to the top.
const clearScreen = "\x1b[H\x1b[2J"

// refresh refreshes the status until it is interrupted, or nothing reads it. A director that is not running may start.
func (r *statusRun) refresh(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	terminal, err := r.colors() // an output that takes colours takes this, too
	if err != nil {
		return err
	}
	err = status.Watch(ctx, status.Counted, watchPause, func(d *status.Document) (bool, error) {
		if terminal && r.format == human {
			if _, err := fmt.Fprint(r.Stdout, clearScreen); err != nil {
				return true, err
			}
		}
		if d == nil {
			_, err := fmt.Fprintln(r.Stdout, status.ErrNone)
			return false, err
		}
		return false, r.show(d)
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return failed(err)
}

// events shows the director's events from now on, until it is interrupted or the director ends.
func (r *statusRun) events(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log := daemon.NewConsole(r.Stdout, slog.LevelInfo)
	err := status.Events(ctx, func(e status.Event) error {
		if r.format != human {
			return json.NewEncoder(r.Stdout).Encode(status.Line{Version: status.EventVersion, Event: e})
		}
		var level slog.Level
		if err := level.UnmarshalText([]byte(e.Level)); err != nil {
			return fmt.Errorf("the running keepc: %w", err)
		}
		record := slog.NewRecord(e.At.Local(), level, e.Text, 0)
		record.AddAttrs(slog.String("subject", e.Subject))
		return log.Handle(ctx, record)
	})
	if errors.Is(err, io.EOF) {
		return exit{exitFindings, errors.New("the keepc being followed ended")}
	}
	return failed(err)
}

// wait waits until an instance has a role.
func (r *statusRun) wait(ctx context.Context) error {
	wish, err := status.ParseWish(r.wish)
	if err != nil {
		return fmt.Errorf("--wait %w", err)
	}
	ctx, stop := context.WithTimeout(ctx, r.timeout)
	defer stop()
	instead := status.ErrNone.Error()
	err = status.Watch(ctx, status.About, waitPause, func(d *status.Document) (met bool, err error) {
		met, instead = wish.Holds(d)
		return met, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return exit{exitFindings, fmt.Errorf("%s is not %s after %v: %s", wish.Instance, wish.Role, r.timeout, strings.TrimPrefix(instead, wish.Instance+" is "))}
	}
	return failed(err)
}
