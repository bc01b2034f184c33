package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/balance"
	"keepc/runtime/status"
)

const (
	// farewell is how long a routing engine and its neighbours have to learn of a withdrawal, before the address goes.
	farewell = 500 * time.Millisecond
	// leaveTimeout bounds how long a director that stops waits for the drain of what it announces: more than any drain lasts.
	leaveTimeout = time.Minute + stopTimeout
)

// withdraw drains what is announced, and returns when the routers know it. Without announcements it takes no time.
func (d *director) withdraw() error {
	limit, cancel := context.WithTimeout(d.work, leaveTimeout)
	defer cancel()
	left, err := ask(limit, d.balance.do, d.balance.leave)
	if err != nil || left == nil {
		return err
	}
	d.Log.Info("drains what it announces", "subject", "stopping")
	select {
	case <-left:
	case <-limit.Done():
		return limit.Err()
	}
	served, err := ask(limit, d.balance.do, d.balance.machine.Situation)
	if err != nil {
		return err
	}
	gone, err := ask(limit, d.router.do, func() <-chan error {
		d.router.tellQuorum(quorumOf(served))
		return d.router.order(nil)
	})
	if err != nil {
		return err
	}
	switch err := wait(limit, gone); {
	case limit.Err() != nil:
		return limit.Err()
	case err != nil: // most of it, or all, is withdrawn
		d.Log.Warn(fmt.Sprintf("not all of it is given up: %v", err), "subject", "stopping")
	}
	rest := time.NewTimer(farewell)
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-limit.Done():
	}
	return nil
}

// drain withdraws what an operator names, or ends that.
func (d *director) drain(ctx context.Context, asked status.Drain) error {
	known, err := ask(ctx, d.balance.do, func() bool {
		d.balance.step(balance.Drain{Name: asked.Announce, End: asked.End})
		return slices.ContainsFunc(d.balance.machine.Config().Announcements, func(a *ir.Announcement) bool {
			return asked.Announce == "" || a.Name.Text == asked.Announce
		})
	})
	switch {
	case err != nil:
		return err
	case known:
		return nil
	case asked.Announce == "":
		return errors.New("the configuration in force announces nothing")
	}
	return fmt.Errorf("the configuration in force has no announcement %q", asked.Announce)
}
