package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"keepc/compiler/state"
	"keepc/runtime/status"
)

// An assignRun is one run of the verbs drain, enable and weight.
type assignRun struct {
	*App
	service  string
	announce string // only for drain and enable
	wait     bool
	timeout  time.Duration
}

// assigning is what the three verbs have in common.
const assigning = "Connections stay. The file is not changed: status and plan show the difference as drift, a reload keeps it, and it ends with the running\n" +
	"keepc. SERVER is an address with its port, or an address alone, which means all services that have it."

func (a *App) assignFlags(c *cobra.Command, run *assignRun) *cobra.Command {
	c.Flags().SortFlags = false
	c.Flags().StringVar(&run.service, "service", "", "only in this virtual server: `\"tcp 10.0.0.3:80\"`")
	return c
}

func (a *App) drain() *cobra.Command {
	run := &assignRun{App: a}
	c := a.assignFlags(&cobra.Command{
		Use:   "drain SERVER|--announce NAME",
		Short: "Send no new connections to a real server, or to this director, until keepc enable",
		Long: "Set the weight of a real server to 0 in the running keepc of this network namespace. " + assigning + "\n\n" +
			"With --announce, withdraw the addresses of an announcement of .keepc.conf through its drain_table; --wait waits until they are\n" +
			"withdrawn. Addresses and virtual servers stay.",
		Example: `  keepc drain 10.0.0.7
  keepc drain 10.0.0.7:80 --wait --timeout 10m && ssh 10.0.0.7 reboot
  keepc drain 10.0.0.7 --service "tcp 10.0.0.3:80"
  keepc drain --announce edge --wait`,
		Args: run.subject,
		RunE: func(c *cobra.Command, args []string) error {
			if run.announce != "" {
				return run.withdraw(c.Context(), false)
			}
			return run.main(c.Context(), args[0], new(int))
		},
	}, run)
	run.announceFlag(c)
	c.Flags().BoolVar(&run.wait, "wait", false, "wait until the server has no active connection, or all addresses are withdrawn")
	c.Flags().DurationVar(&run.timeout, "timeout", 0, "how long --wait waits; 0: no limit")
	return c
}

func (a *App) enable() *cobra.Command {
	run := &assignRun{App: a}
	c := a.assignFlags(&cobra.Command{
		Use:   "enable SERVER|--announce NAME",
		Short: "Undo keepc drain or keepc weight: the file's weight counts again, or addresses are announced again",
		Long: "Undo what drain and weight did to a real server in the running keepc of this network namespace: the file and the checks count again.\n" +
			"With --announce, undo what drain did to an announcement.",
		Example: `  keepc enable 10.0.0.7
  keepc enable 10.0.0.7:80 --service "tcp 10.0.0.3:80"
  keepc enable --announce edge`,
		Args: run.subject,
		RunE: func(c *cobra.Command, args []string) error {
			if run.announce != "" {
				return run.withdraw(c.Context(), true)
			}
			return run.main(c.Context(), args[0], nil)
		},
	}, run)
	run.announceFlag(c)
	return c
}

func (a *App) weight() *cobra.Command {
	run := &assignRun{App: a}
	return a.assignFlags(&cobra.Command{
		Use:   "weight SERVER N",
		Short: "Override the weight of a real server until keepc enable",
		Long:  "Set the weight of a real server in the running keepc of this network namespace. " + assigning,
		Example: `  keepc weight 10.0.0.7 5
  keepc weight 10.0.0.7:80 200 --service "tcp 10.0.0.3:80"`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil {
				return fmt.Errorf("%q is not a weight", args[1])
			}
			return run.main(c.Context(), args[0], &n)
		},
	}, run)
}

func (r *assignRun) announceFlag(c *cobra.Command) {
	c.Flags().StringVar(&r.announce, "announce", "", "the announcement `NAME` of .keepc.conf; all: each")
	c.MarkFlagsMutuallyExclusive("announce", "service")
}

// subject checks that a command line has a server or an announcement.
func (r *assignRun) subject(c *cobra.Command, args []string) error {
	if r.announce == "" {
		return cobra.ExactArgs(1)(c, args)
	}
	return cobra.NoArgs(c, args)
}

// withdraw drains an announcement, or ends that.
func (r *assignRun) withdraw(ctx context.Context, end bool) error {
	if ctx == nil {
		ctx = context.Background()
	}
	asked := status.Drain{Announce: r.announce, End: end}
	if r.announce == "all" {
		asked.Announce = ""
	}
	d, err := status.Ask(ctx, asked.Question())
	if err != nil {
		return failed(err)
	}
	if r.wait {
		if d, err = r.withdrawn(ctx, asked, d); err != nil {
			return err
		}
	}
	for _, a := range d.Drained(asked) {
		if _, err := fmt.Fprintf(r.Stdout, "%s %s: %s: %s\n", a.Name, a.Address, a.Stage, a.Why); err != nil {
			return failed(err)
		}
	}
	return nil
}

// withdrawn waits until no route of the announcements is left.
func (r *assignRun) withdrawn(ctx context.Context, asked status.Drain, d *status.Document) (*status.Document, error) {
	there := func(d *status.Document) bool {
		return slices.ContainsFunc(d.Drained(asked), func(a status.Announcement) bool { return a.Stage != state.Withdrawn.String() })
	}
	return r.until(ctx, d, func(now *status.Document) bool { return !there(now) }, func(*status.Document) error {
		return fmt.Errorf("%s is still announced after %v; it continues to drain", r.announce, r.timeout)
	})
}

func (r *assignRun) main(ctx context.Context, server string, weight *int) error {
	if ctx == nil {
		ctx = context.Background()
	}
	asked := status.Assignment{Server: server, Service: r.service, Weight: weight}
	d, err := status.Ask(ctx, asked.Question())
	if err != nil {
		return failed(err)
	}
	if r.wait {
		if d, err = r.drained(ctx, asked, d); err != nil {
			return err
		}
	}
	for _, one := range d.Concerned(asked) {
		if _, err := fmt.Fprintln(r.Stdout, one.Text()); err != nil {
			return failed(err)
		}
	}
	return nil
}

// drained waits until the servers have no active connection.
func (r *assignRun) drained(ctx context.Context, asked status.Assignment, d *status.Document) (*status.Document, error) {
	none := func(now *status.Document) bool {
		active, known := now.Active(asked)
		return known && active == 0
	}
	return r.until(ctx, d, none, func(now *status.Document) error {
		active, known := now.Active(asked)
		if !known {
			return fmt.Errorf("the kernel did not report the connections of %s within %v; it stays drained", asked.Server, r.timeout)
		}
		return fmt.Errorf("%s has %d active connections after %v; it stays drained", asked.Server, active, r.timeout)
	})
}

// until waits until a director is in the requested state; late is the error at the timeout. An interrupted user gets
// the last answer.
func (r *assignRun) until(ctx context.Context, d *status.Document, met func(*status.Document) bool, late func(*status.Document) error) (*status.Document, error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if r.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, r.timeout)
		defer cancel()
		ctx = limited
	}
	err := status.Watch(ctx, status.About, waitPause, func(now *status.Document) (bool, error) {
		if now == nil {
			return true, status.ErrNone
		}
		d = now
		return met(d), nil
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, exit{exitFindings, late(d)}
	case errors.Is(err, context.Canceled):
		return d, nil // it stays drained
	}
	return d, failed(err)
}
