package daemon

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A threadBell is the bell of a loop with its own thread. The thread sleeps in the kernel, which wakes it at once when
// its time has come: the timers and the poller of the Go runtime run on threads that a busy machine keeps waiting.
type threadBell struct {
	epoll, timer, rung int
	pending            atomic.Bool // somebody rang, and sleep has not seen it
	events             [64]unix.EpollEvent
	due                time.Time // what the timer is set to; zero: nothing, or it has expired

	mu       sync.Mutex
	watching map[int32]*atomic.Bool // by descriptor; a closed one stays until its number is reused
}

func newThreadBell() (_ bell, err error) {
	b := &threadBell{epoll: -1, timer: -1, rung: -1, watching: map[int32]*atomic.Bool{}}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make a poller: %w", err)
	}
	if b.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("make a timer: %w", err)
	}
	if b.rung, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("make an event: %w", err)
	}
	for _, fd := range []int{b.timer, b.rung} {
		if err = b.watch(fd, new(atomic.Bool)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *threadBell) watch(fd int, readable *atomic.Bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watching[int32(fd)] = readable
	if err := unix.EpollCtl(b.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("watch a descriptor: %w", err)
	}
	return nil
}

// Ring implements bell.
func (b *threadBell) Ring() {
	if !b.pending.Swap(true) {
		_, _ = unix.Write(b.rung, []byte{0: 1, 7: 0}) // a full counter wakes, too
	}
}

func (b *threadBell) sleep(until time.Time) {
	// A timer that is set to an earlier time stays: each advertisement that a backup hears puts its deadline off, and
	// waking up once too early costs less.
	if b.due.IsZero() || until.Before(b.due) {
		b.set(until)
	}
	n, err := unix.EpollWait(b.epoll, b.events[:], -1)
	for err == unix.EINTR { // a signal, perhaps the one that ends a stop: what is readable now must be reported
		n, err = unix.EpollWait(b.epoll, b.events[:], -1)
	}
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events[:n] {
		b.watching[e.Fd].Store(true)
		switch int(e.Fd) {
		case b.rung:
			var count [8]byte
			_, _ = unix.Read(b.rung, count[:])
			b.pending.Store(false)
		case b.timer:
			b.due = time.Time{}
		}
	}
}

// set sets the timer; a zero time stops it. This also clears an earlier expiry.
func (b *threadBell) set(until time.Time) {
	var due unix.ItimerSpec // zero: never
	if !until.IsZero() {
		due.Value = unix.NsecToTimespec(max(int64(time.Until(until)), 1))
	}
	_ = unix.TimerfdSettime(b.timer, 0, &due, nil)
	b.due = until
}

func (b *threadBell) close() {
	for _, fd := range []int{b.epoll, b.timer, b.rung} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}
