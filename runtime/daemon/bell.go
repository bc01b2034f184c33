package daemon

import (
	"errors"
	"sync/atomic"
	"time"

	"keepc/runtime/kernel"
)

// A bell is what a loop sleeps on: until a time, until somebody rings, or until a descriptor that it watches can be read.
type bell interface {
	// Ring wakes the loop, from any goroutine. It never blocks.
	Ring()
	// watch wakes the loop while the descriptor can be read, and says so, until it is closed.
	watch(fd int, readable *atomic.Bool) error
	// sleep returns at the time, zero for never, or when the bell rings; earlier for no reason, too.
	sleep(until time.Time)
	close()
}

// An ear is the bell that a wire rings: the loop sees which one it was.
type ear struct {
	bell
	waits atomic.Bool // a packet may wait
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

// watch is not supported: descriptors are for the bell of a thread.
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
