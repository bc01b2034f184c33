package kernel

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Departures send datagrams on time, from a thread that runs no Go code while it waits and sends. So it needs no
// processor of the Go runtime, for which every other thread waits while the machine is busy, garbage is collected or a
// large file is read. One goroutine sets the times, and takes them back before it decides anything else.
type Departures struct {
	timer  int    // when the next one is due
	rights [2]int // permission to send: a pipe with a byte for each datagram that may still be sent; both sides take from it, and nothing else does
	done   int    // counts the attempts since Arm

	clock   func() time.Time
	begin   time.Time
	beginNS int64 // begin on CLOCK_MONOTONIC

	list  [MaxDepartures]departure
	armed int
	quit  bool

	// Used by the thread.
	next    int // index into list
	now     unix.Timespec
	due     unix.ItimerSpec
	counter [8]byte // what was read from the timer
	right   [1]byte
	one     [8]byte // added to done
}

type departure struct {
	Datagram
	at   unix.Timespec // CLOCK_MONOTONIC
	left unix.Timespec
}

// MaxDepartures is how many can be armed at once.
const MaxDepartures = 24

// NewDepartures returns departures without a thread: the caller must run Run. Times use this clock.
func NewDepartures(clock func() time.Time) (_ *Departures, err error) {
	d := &Departures{timer: -1, rights: [2]int{-1, -1}, done: -1, clock: clock}
	*(*uint64)(unsafe.Pointer(&d.one)) = 1
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make a timer: %w", err)
	}
	if err = unix.Pipe2(d.rights[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	if d.done, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make an event: %w", err)
	}
	for range 100 {
		var before, after unix.Timespec
		if err = unix.ClockGettime(unix.CLOCK_MONOTONIC, &before); err != nil {
			return nil, fmt.Errorf("read the clock: %w", err)
		}
		d.begin, d.beginNS = clock(), before.Nano()
		if err = unix.ClockGettime(unix.CLOCK_MONOTONIC, &after); err != nil {
			return nil, fmt.Errorf("read the clock: %w", err)
		}
		if after.Nano()-before.Nano() < int64(20*time.Microsecond) { // this thread was not interrupted in between
			break
		}
	}
	return d, nil
}

// Run sends until Stop is called, and then closes. It keeps its thread, which ends with it, and passes the thread's
// number first.
func (d *Departures) Run(thread func(id int)) {
	runtime.LockOSThread() // never unlocked
	thread(ThreadID())
	d.run()
	d.close()
}

// Stop makes Run return. Nothing must be armed.
func (d *Departures) Stop() {
	d.quit = true
	d.set(unix.Timespec{Nsec: 1})
}

func (d *Departures) close() {
	for _, fd := range []int{d.timer, d.rights[0], d.rights[1], d.done} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// Datagram returns a datagram of the list, from 0, to be filled while nothing is armed.
func (d *Departures) Datagram(i int) *Datagram { return &d.list[i].Datagram }

// Arm schedules the first datagrams of the list for these times, which must not decrease.
func (d *Departures) Arm(at []time.Time) error {
	if len(at) == 0 {
		return nil
	}
	for i, t := range at {
		d.list[i].at = unix.NsecToTimespec(d.beginNS + int64(t.Sub(d.begin)))
		d.list[i].errno = unix.EAGAIN
	}
	d.next, d.armed = 0, len(at)
	if _, err := unix.Write(d.rights[1], make([]byte, len(at))); err != nil {
		d.armed = 0
		return fmt.Errorf("arm a departure: %w", err)
	}
	if err := d.set(d.list[0].at); err != nil {
		d.Disarm()
		return err
	}
	return nil
}

func (d *Departures) set(at unix.Timespec) error {
	if err := unix.TimerfdSettime(d.timer, unix.TFD_TIMER_ABSTIME, &unix.ItimerSpec{Value: at}, nil); err != nil {
		return fmt.Errorf("set a timer: %w", err)
	}
	return nil
}

// Disarm takes back what has not been sent, and returns how many of the list were tried. Left reports whether each was
// sent.
func (d *Departures) Disarm() int {
	if d.armed == 0 {
		return 0
	}
	_ = unix.TimerfdSettime(d.timer, 0, &unix.ItimerSpec{}, nil)
	var rest [MaxDepartures]byte
	kept, err := unix.Read(d.rights[0], rest[:])
	for err == unix.EINTR {
		kept, err = unix.Read(d.rights[0], rest[:])
	}
	if err != nil {
		kept = 0 // nothing is left to take back
	}
	tried := d.armed - kept
	d.armed = 0
	for ended := 0; ended < tried; {
		var count [8]byte
		if _, err := unix.Read(d.done, count[:]); err == nil {
			ended += int(*(*uint64)(unsafe.Pointer(&count)))
		}
	}
	return tried
}

// Left returns when a datagram of the list was sent, by the wall clock as it is now: it may have been set since begin.
// Call it after Disarm. It returns the kernel's error, or ETIME if it was so late that this process must have been
// stopped for a while: what peers sent meanwhile comes first.
func (d *Departures) Left(i int) (time.Time, error) {
	if err := d.list[i].sent(); err != nil {
		return time.Time{}, err
	}
	at, now := d.begin.Add(time.Duration(d.list[i].left.Nano()-d.beginNS)), d.clock()
	return now.Add(at.Sub(now)), nil
}

// tooLate is in nanoseconds, see Left.
const tooLate = int64(50 * time.Millisecond)

// run works without a processor of the Go runtime, as the code around one blocking system call does: it must not allocate, grow the
// stack, write pointers or call what may.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (d *Departures) run() {
	entersyscall()
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(d.timer), uintptr(unsafe.Pointer(&d.counter)), 8)
		if d.quit {
			break
		}
		if errno != 0 || n != 8 {
			continue // a signal
		}
		if n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(d.rights[0]), uintptr(unsafe.Pointer(&d.right)), 1); errno != 0 || n != 1 {
			continue // taken back
		}
		x := &d.list[d.next]
		unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&d.now)), 0)
		x.left = d.now
		switch late := (int64(d.now.Sec)-int64(x.at.Sec))*1e9 + int64(d.now.Nsec) - int64(x.at.Nsec); {
		case late < 0:
			x.errno = unix.EAGAIN // armed again since the timer was read: it is not due, and counts as tried
		case late < tooLate:
			x.send()
		default:
			x.errno = unix.ETIME
		}
		if d.next++; d.next < d.armed {
			d.due.Value = d.list[d.next].at
			unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(d.timer), unix.TFD_TIMER_ABSTIME, uintptr(unsafe.Pointer(&d.due)), 0, 0, 0)
		}
		unix.RawSyscall(unix.SYS_WRITE, uintptr(d.done), uintptr(unsafe.Pointer(&d.one)), 8)
	}
	exitsyscall()
}

// Package syscall does the same around every blocking system call: entersyscall gives the processor of the Go runtime away, exitsyscall
// waits for one.
//
//go:linkname entersyscall runtime.entersyscall
func entersyscall()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()
