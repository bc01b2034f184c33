package daemon

import (
	"errors"
	"sync/atomic"
	"time"

	"keepc/runtime/kernel"
)

// A bell is what a loop sleeps on: until a time, until somebody rings, or until a descriptor that it watches is
// readable.
type bell interface {
	// Ring wakes the loop, from any goroutine. It never blocks.
	Ring()
	// watch wakes the loop while the descriptor is readable, and reports that, until it is closed.
	watch(fd int, readable *atomic.Bool) error
	// sleep returns at the given time (zero: never), when the bell rings, or earlier without a reason.
	sleep(until time.Time)
	close()
}

// An ear is the bell that a wire rings, so that the loop knows which wire it was.
type ear struct {
	bell
	waits atomic.Bool // a packet may be waiting
}

var _ kernel.Bell = (*ear)(nil)

// Ring implements kernel.Bell.
func (e *ear) Ring() {
	e.waits.Store(true)
	e.bell.Ring()
}

// Watch implements kernel.Bell.
func (e *ear) Watch(fd int) error { return e.watch(fd, &e.waits) }

// A timerBell sleeps as goroutines do, on a timer and a channel.
type timerBell struct {
	rung  chan struct{}
	timer *time.Timer
}

func newTimerBell() *timerBell {
	return &timerBell{rung: make(chan struct{}, 1), timer: time.NewTimer(0)}
}

func (b *timerBell) Ring() {
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

// watch is not supported: descriptors need the bell of a thread.
func (b *timerBell) watch(int, *atomic.Bool) error { return errors.ErrUnsupported }

func (b *timerBell) sleep(until time.Time) {
	var due <-chan time.Time
	if !until.IsZero() {
		b.timer.Reset(time.Until(until))
		due = b.timer.C
	}
	select {
	case <-b.rung:
	case <-due:
	}
}

func (b *timerBell) close() { b.timer.Stop() }
