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
	// farewell is how long a routing engine and its neighbours have to learn of a withdrawal before the address is
	// removed.
	farewell = 500 * time.Millisecond
	// leaveTimeout is how long a stopping director waits for the drain of what it announces: longer than any drain.
	leaveTimeout = time.Minute + stopTimeout
)

// withdraw drains what is announced before the director stops.
func (d *director) withdraw() error {
	if d.retiring != nil { // everything is withdrawn
		d.retiring.end()
	}
	limit, cancel := context.WithTimeout(d.work, leaveTimeout)
	defer cancel()
	left, err := ask(limit, d.balance.do, d.balance.leave)
	if err != nil || left == nil {
		return err
	}
	d.Log.Info("drains what it announces", "subject", "stopping")
	return d.depart(limit, "stopping", left)
}

// A retirement is the drain of the announcements that a configuration gives up, before it comes into force: until then
// their services and addresses stay.
type retirement struct {
	prepared
	end  context.CancelFunc
	over bool
}

// retire puts a configuration into force after its retirement. It ends the previous one: what that gave up and this
// one has is announced again.
func (d *director) retire(ctx context.Context, p prepared) {
	left, err := ask(d.work, d.balance.do, func() <-chan struct{} { return d.balance.retire(p.balance) })
	if err != nil { // the director is ending
		return
	}
	before := d.retiring
	if before != nil {
		before.end()
		d.Log.Info("a newer file replaces the previous one, which was not in force yet", "subject", "reload")
	}
	if left != nil {
		d.Log.Info("drains what the new configuration gives up", "subject", "reload")
	} else if before == nil {
		d.apply(ctx, p)
		return
	}
	// The routers may not know yet what the previous one withdrew: this one waits, too, even if everything it gives up
	// is withdrawn already.
	work, end := context.WithCancel(d.work)
	r := &retirement{prepared: p, end: end}
	d.retiring = r
	d.workers.Go(func() {
		defer end()
		limit, cancel := context.WithTimeout(work, leaveTimeout)
		defer cancel()
		if err := d.depart(limit, "reload", left); err != nil && work.Err() == nil { // the rest must come all the same
			d.Log.Error(fmt.Sprintf("what is announced: %v", err), "subject", "reload")
		}
		select {
		case d.retired <- r:
		case <-work.Done():
		}
	})
}

// drained puts the configuration into force whose retirement is over. While a newer file is being read it waits: that
// file may take the retirement back.
func (d *director) drained(ctx context.Context) {
	if r := d.retiring; r != nil && r.over && !d.loading {
		d.retiring = nil
		d.apply(ctx, r.prepared)
	}
}

// depart waits for the end of a departure, nil if that has come, and returns when the routers know of it.
func (d *director) depart(limit context.Context, subject string, left <-chan struct{}) error {
	if left != nil {
		select {
		case <-left:
		case <-limit.Done():
			return limit.Err()
		}
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
	case err != nil: // most of it, or everything, is withdrawn
		d.Log.Warn(fmt.Sprintf("not everything was removed: %v", err), "subject", subject)
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
