package kernel

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"keepc/runtime/lab"
)

// TestMonitorOverflows checks that lost messages lead to a look, not to silence.
func TestMonitorOverflows(t *testing.T) {
	n := lab.New(t)
	h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0"))
	var monitor *os.File
	if err := h.Do(func() (err error) {
		monitor, err = openMonitor()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	raw, err := monitor.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 0) }) // the kernel's minimum
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		h.AddAddr("eth0", fmt.Sprintf("10.0.1.%d/32", i))
	}

	watched := &overflowing{File: monitor}
	looks := make(chan struct{}, 1000)
	var hearing sync.WaitGroup
	hearing.Go(func() { hear(watched, func([]byte) { looks <- struct{}{} }) })
	lab.Eventually(t, time.Second, "the overflow", func() bool { return len(looks) > 0 })
	time.Sleep(lab.Patience(20 * time.Millisecond))
	before := len(looks)
	h.DelAddr("eth0", "10.0.1.7/32")
	lab.Eventually(t, time.Second, "a message after the overflow", func() bool { return len(looks) > before })
	monitor.Close()
	hearing.Wait()
	if !watched.overflowed {
		t.Error("nothing was lost: this test proves nothing")
	}
}

type overflowing struct {
	*os.File
	overflowed bool
}

func (o *overflowing) Read(b []byte) (int, error) {
	n, err := o.File.Read(b)
	o.overflowed = o.overflowed || errors.Is(err, unix.ENOBUFS)
	return n, err
}
