package status

import (
	"context"
	"errors"
	"time"
)

// Watch asks the director of this network namespace again and again, with a pause in between, until see is content or ctx ends. see gets nil
// where no director runs. Errors: that of ctx; those of Ask but ErrNone.
func Watch(ctx context.Context, pause time.Duration, see func(*Document) (enough bool, err error)) error {
	return watch(ctx, Socket, pause, see)
}

func watch(ctx context.Context, socket string, pause time.Duration, see func(*Document) (enough bool, err error)) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		d, err := ask(ctx, socket, About)
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
