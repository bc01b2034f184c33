package probe_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"keepc/compiler/ir"
	"keepc/runtime/balance"
	"keepc/runtime/health"
	"keepc/runtime/lab"
	"keepc/runtime/probe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(lab.Main(m)) }

// limit is how long a check may take here.
const limit = 5 * time.Second

// tcp is a TCP_CHECK of a server.
func tcp(target netip.AddrPort) *ir.Check {
	return &ir.Check{Checker: &ir.TCPCheck{}, Connection: ir.Connection{Target: target}}
}

// listen accepts on a loopback address and counts connections.
func listen(t *testing.T, address string) (netip.AddrPort, *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip(err)
	}
	accepted, done := new(atomic.Int32), make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).AddrPort(), accepted
}

// refused is an address where nobody listens.
func refused(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// said returns a result as a text; empty: up.
func said(r health.Result) string {
	if r.Inconclusive != "" {
		return "no verdict: " + r.Inconclusive
	}
	return r.Detail
}

// on runs a check on a host.
func on(h *lab.Host, ctx context.Context, c *ir.Check, limit time.Duration) (got string) {
	_ = h.Do(func() error { got = said(probe.Do(ctx, probe.Ask{Check: c, Limit: limit})); return nil })
	return got
}

func TestTCP(t *testing.T) {
	open4, _ := listen(t, "127.0.0.1:0")
	open6, _ := listen(t, "[::1]:0")
	with := func(target netip.AddrPort, change func(*ir.Check)) *ir.Check {
		c := tcp(target)
		change(c)
		return c
	}
	for _, c := range []struct {
		name  string
		check *ir.Check
		cause string
	}{
		{"works", tcp(open4), ""},
		{"works over IPv6", tcp(open6), ""},
		{"refused", tcp(refused(t)), "connect: connection refused"},
		{"from an address", with(open4, func(c *ir.Check) { c.BindTo = netip.MustParseAddrPort("127.0.0.9:0") }), ""},
		{"from an address of somebody else", with(open4, func(c *ir.Check) { c.BindTo = netip.MustParseAddrPort("192.0.2.1:0") }),
			"no verdict: bind: cannot assign requested address"},
		{"over an interface", with(open4, func(c *ir.Check) { c.BindIf = "lo" }), ""},
		{"over no interface", with(open4, func(c *ir.Check) { c.BindIf = "eth77" }), "no verdict: bind to interface eth77: no such device"},
		{"a kind that is not made", &ir.Check{Checker: &ir.BFDCheck{}}, "no verdict: BFD_CHECK is not enforced yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := said(probe.Do(t.Context(), probe.Ask{Check: c.check, Limit: limit})); got != c.cause {
				t.Errorf("got %q, want %q", got, c.cause)
			}
		})
	}
}

func TestEnds(t *testing.T) {
	// No host has 10.0.0.9, but a neighbour entry makes the kernel send there.
	n := lab.New(t)
	lan := n.Segment("lan")
	h := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.5/24"))
	h.Run("ip", "neigh", "add", "10.0.0.9", "lladdr", "02:00:00:00:09:09", "dev", "eth0")
	mute := tcp(netip.MustParseAddrPort("10.0.0.9:80"))

	t.Run("timed out", func(t *testing.T) {
		if got := on(h, t.Context(), mute, 100*time.Millisecond); got != "connect: timed out after 100ms" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(100*time.Millisecond, cancel).Stop()
		if got := on(h, ctx, mute, time.Hour); got != "no verdict: context canceled" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("with a firewall mark", func(t *testing.T) {
		web1 := n.Host("web1", lab.On(lan, "eth0", "10.0.0.7/24"))
		web1.Serve("10.0.0.7:80", http.NotFoundHandler())
		h.Run("ip", "rule", "add", "not", "fwmark", "7", "to", "10.0.0.7", "unreachable")
		marked := tcp(netip.MustParseAddrPort("10.0.0.7:80"))
		if on(h, t.Context(), marked, limit) == "" {
			t.Error("it works without the mark: this test proves nothing")
		}
		marked.FWMark = 7
		if got := on(h, t.Context(), marked, limit); got != "" {
			t.Error(got)
		}
	})
	t.Run("no route", func(t *testing.T) {
		if got := on(h, t.Context(), tcp(netip.MustParseAddrPort("192.0.2.1:80")), limit); got != "connect: network is unreachable" {
			t.Errorf("got %q", got)
		}
	})
}

func TestRunner(t *testing.T) {
	const probes, slots = 200, 8
	good, accepted := listen(t, "127.0.0.1:0")
	bad := refused(t)
	r := probe.NewRunner(t.Context(), slots)
	defer r.Close()
	for i := range probes { // nothing receives yet: Start does not wait
		p := balance.StartProbe{ID: balance.CheckID(i), Check: tcp(good), Timeout: time.Minute}
		if i%2 == 1 {
			p.Check = tcp(bad)
		}
		r.Start(p)
	}
	causes := map[string]int{}
	for range probes {
		result := <-r.Results()
		if result.Up != (result.ID%2 == 0) {
			t.Fatalf("check %d: %+v", result.ID, result)
		}
		causes[said(result.Result)]++
	}
	if causes[""] != probes/2 || causes["connect: connection refused"] != probes/2 {
		t.Errorf("got %v", causes)
	}
	lab.Eventually(t, time.Second, "every connection to be accepted", func() bool { return accepted.Load() == probes/2 })
}

func TestRunnerCloses(t *testing.T) {
	good, _ := listen(t, "127.0.0.1:0")
	r := probe.NewRunner(t.Context(), 1)
	for range 100 {
		r.Start(balance.StartProbe{Check: tcp(good), Timeout: time.Minute})
	}
	r.Close() // nothing was received; TestMain sees whether a goroutine is left
	r.Start(balance.StartProbe{Check: tcp(good), Timeout: time.Minute})
	r.Close()
}
