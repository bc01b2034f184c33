package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"keepc/runtime/status"
)

// An assignRun is one run of the verbs drain, enable and weight.
type assignRun struct {
	*App
	service string
	wait    bool
	timeout time.Duration
}

// assigning is what the three verbs have in common.
const assigning = "Connections stay. It is not written into the file: status and plan show it as drift, a reload keeps it, and it ends with the keepc that\n" +
	"runs. SERVER is an address with its port, or without: then it is meant in all services that have it."

func (a *App) assignFlags(c *cobra.Command, run *assignRun) *cobra.Command {
	c.Flags().SortFlags = false
	c.Flags().StringVar(&run.service, "service", "", "in this virtual server alone: `\"tcp 10.0.0.3:80\"`")
	return c
}

func (a *App) drain() *cobra.Command {
	run := &assignRun{App: a}
	c := a.assignFlags(&cobra.Command{
		Use:   "drain SERVER",
		Short: "Send a real server no new connections, until keepc enable",
		Long:  "Give a real server weight 0 in the keepc that runs in this network namespace. " + assigning,
		Example: `  keepc drain 10.0.0.7
  keepc drain 10.0.0.7:80 --wait --timeout 10m && ssh 10.0.0.7 reboot
  keepc drain 10.0.0.7 --service "tcp 10.0.0.3:80"`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return run.main(c.Context(), args[0], new(int)) },
	}, run)
	c.Flags().BoolVar(&run.wait, "wait", false, "wait until the server has no active connection")
	c.Flags().DurationVar(&run.timeout, "timeout", 0, "how long --wait waits; 0: for ever")
	return c
}

func (a *App) enable() *cobra.Command {
	run := &assignRun{App: a}
	return a.assignFlags(&cobra.Command{
		Use:   "enable SERVER",
		Short: "Give a real server the weight of the file again, after keepc drain or weight",
		Long:  "Take back what drain and weight did to a real server of the keepc that runs in this network namespace: the file and its checks count again.",
		Example: `  keepc enable 10.0.0.7
  keepc enable 10.0.0.7:80 --service "tcp 10.0.0.3:80"`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return run.main(c.Context(), args[0], nil) },
	}, run)
}

func (a *App) weight() *cobra.Command {
	run := &assignRun{App: a}
	return a.assignFlags(&cobra.Command{
		Use:   "weight SERVER N",
		Short: "Give a real server another weight than its file, until keepc enable",
		Long:  "Give a real server a weight in the keepc that runs in this network namespace. " + assigning,
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
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if r.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, r.timeout)
		defer cancel()
		ctx = limited
	}
	err := status.Watch(ctx, waitPause, func(now *status.Document) (bool, error) {
		if now == nil {
			return true, status.ErrNone
		}
		d = now
		return d.Active(asked) == 0, nil
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, exit{exitFindings, fmt.Errorf("%s has %d active connections after %v; it stays drained", asked.Server, d.Active(asked), r.timeout)}
	case errors.Is(err, context.Canceled):
		return d, nil // it stays drained
	}
	return d, failed(err)
}
