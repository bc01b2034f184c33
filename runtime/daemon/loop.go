package daemon

import (
	"context"
	"errors"
)

// Both loops take work from others as functions, which they call between two events. Such a function must do little.

// ask runs a function on a loop and returns its result. It returns an error if the loop does not answer before ctx
// ends.
func ask[T any](ctx context.Context, loop chan<- func(), f func() T) (result T, err error) {
	reply := make(chan T, 1) // the loop never waits for the caller
	select {
	case loop <- func() { reply <- f() }:
	case <-ctx.Done():
		return result, errNoAnswer
	}
	select {
	case result = <-reply:
		return result, nil
	case <-ctx.Done():
		return result, errNoAnswer
	}
}

var errNoAnswer = errors.New("its event loop does not answer")

// A latest holds the newest of some values for a loop that has not taken it yet. One goroutine puts, another takes.
type latest[T any] chan T

func newLatest[T any]() latest[T] { return make(latest[T], 1) }

// put never blocks.
func (l latest[T]) put(v T) {
	select {
	case <-l:
	default:
	}
	l <- v
}

// wait waits for the first attempts to enforce something.
func wait(ctx context.Context, attempts ...<-chan error) error {
	var errs []error
	for _, c := range attempts {
		select {
		case err := <-c:
			errs = append(errs, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}

// tee passes the result of an attempt to two receivers.
func tee(ctx context.Context, attempt <-chan error) (one, other <-chan error) {
	a, b := make(chan error, 1), make(chan error, 1)
	go func() {
		select {
		case err := <-attempt:
			a <- err
			b <- err
		case <-ctx.Done():
		}
	}()
	return a, b
}
