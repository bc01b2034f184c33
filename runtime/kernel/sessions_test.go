package kernel_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"keepc/runtime/kernel"
)

// testSessions checks that control packets are sent both ways, that the TTL and both addresses are reported, and that
// no two callers share a port.
func testSessions(t *testing.T, h host) {
	const number = 3784
	for _, ends := range []kernel.Call{{Src: here4, Dst: far4, TTL: 255}, {Dst: far4, TTL: 7}} {
		port, err := h.far.OpenPort(number, ends.Dst.Is6(), nil)
		check(t, err)
		ends.DstPort, ends.First, ends.Last = number, 49152, 65535
		c, err := h.OpenCaller(ends)
		check(t, err)
		check(t, c.Send([]byte("one")))
		check(t, c.Send([]byte("two")))
		for _, want := range []string{"one", "two"} {
			p, ok := poll(t, port)
			if !ok || string(p.Payload) != want || p.TTL != int(ends.TTL) || p.Src != here4 || p.Dst != far4 {
				t.Errorf("%v: got %+v, %v", ends, p, ok)
			}
		}
		check(t, c.Close())
		check(t, port.Close())
		if _, _, err := port.Poll(); !errors.Is(err, io.EOF) {
			t.Errorf("Poll after Close: %v", err)
		}
		if c, err = h.OpenCaller(ends); err == nil { // nothing listens: that is not an error, however often
			for range 3 {
				check(t, c.Send([]byte("three")))
			}
			check(t, c.Close())
		}
	}
	if _, err := h.OpenCaller(kernel.Call{Src: addr("10.99.0.1"), Dst: far4, DstPort: number, First: 49152, Last: 65535, TTL: 255}); err == nil {
		t.Error("it sends from an address that is not here")
	}
}

// poll waits a little for the next packet.
func poll(t *testing.T, p kernel.Port) (kernel.Packet, bool) {
	t.Helper()
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		got, some, err := p.Poll()
		check(t, err)
		if some {
			return got, true
		}
	}
	return kernel.Packet{}, false
}
