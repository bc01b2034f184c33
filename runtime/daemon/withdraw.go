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

// withdraw drains what is announced, before the director stops.
func (d *director) withdraw() error {
	return d.depart("stopping", "drains what it announces", d.balance.leave)
}

// retire drains what a configuration gives up of what is announced, before it is put into force: until then its services and addresses stay.
func (d *director) retire(p prepared) {
	err := d.depart("reload", "drains what the new configuration gives up", func() <-chan struct{} { return d.balance.retire(p.balance) })
	if err != nil && d.work.Err() == nil { // the rest has to come all the same
		d.Log.Error(fmt.Sprintf("what is announced: %v", err), "subject", "reload")
	}
}

// depart begins a departure on the loop of the services, and returns when the routers know of it. Where there is none it takes no time.
func (d *director) depart(subject, text string, begin func() <-chan struct{}) error {
	limit, cancel := context.WithTimeout(d.work, leaveTimeout)
	defer cancel()
	left, err := ask(limit, d.balance.do, begin)
	if err != nil || left == nil {
		return err
	}
	d.Log.Info(text, "subject", subject)
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
		d.Log.Warn(fmt.Sprintf("not all of it is given up: %v", err), "subject", subject)
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
