package kernel

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"keepc/runtime/lab"
)

// TestDepartures arms datagrams, takes some back, and compares what was sent with what arrived.
func TestDepartures(t *testing.T) {
	ear, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ear.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	to := ear.LocalAddr().(*net.UDPAddr).AddrPort()

	d, err := NewDepartures(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	thread, ended := make(chan int, 1), make(chan struct{})
	go func() {
		defer close(ended)
		d.Run(func(id int) { thread <- id })
	}()
	defer func() { d.Stop(); <-ended }()
	if <-thread == 0 {
		t.Error("the thread has no number")
	}
	fill := func(n int) {
		for i := range n {
			x := d.Datagram(i)
			x.packet = append(x.packet[:0], byte(i))
			x.address4(fd, netip.MustParseAddr("127.0.0.1"))
			x.to4.Port = to.Port()>>8 | to.Port()<<8
		}
	}
	hear := func(want byte) {
		var b [2]byte
		_ = ear.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := ear.Read(b[:]); err != nil || n != 1 || b[0] != want {
			t.Fatalf("came %v, %v, want %d", b[:n], err, want)
		}
	}
	come := func() (got []byte) {
		for {
			var b [2]byte
			_ = ear.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			n, err := ear.Read(b[:])
			if err != nil {
				return got
			}
			got = append(got, b[:n]...)
		}
	}

	// The Go runtime has no time for anybody.
	var stop atomic.Bool
	defer stop.Store(true)
	for range 2 * runtime.GOMAXPROCS(0) {
		go func() {
			for !stop.Load() {
			}
		}()
	}
	left := 0
	for range 100 { // a busy machine may make even this thread later than a datagram may be
		begun := time.Now()
		fill(3)
		if err := d.Arm([]time.Time{begun.Add(time.Millisecond), begun.Add(2 * time.Millisecond), begun.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		left = 0
		for i := range d.Disarm() {
			at, err := d.Left(i)
			switch early := begun.Add(time.Duration(i+1) * time.Millisecond).Sub(at); {
			case err == nil && early > 0:
				t.Errorf("%d left %v early", i, early)
			case err == nil:
				hear(byte(i))
				left++
			case !errors.Is(err, unix.ETIME):
				t.Fatal(err)
			}
		}
		if left == 2 {
			break
		}
	}
	if left != 2 {
		t.Errorf("%d left", left)
	}
	if n := d.Disarm(); n != 0 {
		t.Errorf("%d left of none", n)
	}

	// What is taken back at once is not sent, or is reported as sent; nothing is sent twice.
	for range 200 {
		fill(2)
		if err := d.Arm([]time.Time{time.Now(), time.Now().Add(50 * time.Microsecond)}); err != nil {
			t.Fatal(err)
		}
		for i := range d.Disarm() {
			if _, err := d.Left(i); err == nil {
				hear(byte(i))
			}
		}
	}
	if got := come(); len(got) > 0 {
		t.Errorf("came too: %v", got)
	}

	// This process was stopped for a while: what others sent meanwhile comes first.
	fill(1)
	if err := d.Arm([]time.Time{time.Now().Add(-time.Second)}); err != nil {
		t.Fatal(err)
	}
	if got := come(); len(got) > 0 {
		t.Errorf("came late: %v", got)
	}
	if n := d.Disarm(); n != 1 {
		t.Errorf("%d were tried", n)
	}
	if _, err := d.Left(0); !errors.Is(err, unix.ETIME) {
		t.Errorf("late: %v", err)
	}
}

// TestLeftByTheClock sets the wall clock after the start: what left is told by the clock as it is now, on time.
func TestLeftByTheClock(t *testing.T) {
	var by time.Duration
	d, err := NewDepartures(func() time.Time { return lab.Set(time.Now(), by) })
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for _, by = range []time.Duration{time.Hour, -time.Hour, 0} {
		left := time.Now()
		d.list[0].left = unix.NsecToTimespec(d.beginNS + int64(left.Sub(d.begin)))
		at, err := d.Left(0)
		if err != nil {
			t.Fatal(err)
		}
		if off := at.Sub(left).Abs(); off > time.Microsecond {
			t.Errorf("clock set by %v: %v off", by, off)
		}
		if off := at.Round(0).Sub(left.Round(0)) - by; off.Abs() > time.Second {
			t.Errorf("clock set by %v: the wall clock is %v off", by, off)
		}
	}
}
