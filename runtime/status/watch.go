package status

import (
	"context"
	"errors"
	"time"
)

// Watch asks the director of this network namespace a question repeatedly, with a pause in between, until see returns true
// or ctx ends. see gets nil if no director runs. Errors: that of ctx; those of Ask except ErrNone.
func Watch(ctx context.Context, q Question, pause time.Duration, see func(*Document) (enough bool, err error)) error {
	return watch(ctx, Socket, q, pause, see)
}

func watch(ctx context.Context, socket string, q Question, pause time.Duration, see func(*Document) (enough bool, err error)) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		d, err := ask(ctx, socket, q)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, ErrNone) {
			return err
		}
		if enough, err := see(d); enough || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
