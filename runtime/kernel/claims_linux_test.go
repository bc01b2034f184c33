package kernel

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestWatchClaims hears a host announce an address of the other host, by ARP and by neighbour discovery: only the
// addresses asked for, and nothing that this host itself sends.
func TestWatchClaims(t *testing.T) {
	n := lab.New(t)
	lan := n.Segment("lan")
	here := n.Host("here", lab.On(lan, "eth0", "10.0.0.1/24", "fd00::1/64"))
	far := n.Host("far", lab.On(lan, "eth0", "10.0.0.2/24", "fd00::2/64"))
	k, other := watching(t, here), watching(t, far)

	var mu sync.Mutex
	var heard []Claim
	var about func([]netip.Addr)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := here.Do(func() (err error) {
		about, err = k.WatchClaims(ctx, func(c Claim) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, c)
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	announce := func(k *Linux, h *lab.Host, addrs ...string) {
		for _, a := range addrs {
			if err := h.Do(func() error { return k.Announce("eth0", netip.MustParseAddr(a)) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := func(addr string) bool {
		mu.Lock()
		defer mu.Unlock()
		want := Claim{Interface: "eth0", Addr: netip.MustParseAddr(addr), MAC: [6]byte(far.Link("eth0").MAC())}
		return slices.Contains(heard, want)
	}
	about([]netip.Addr{netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("fd00::3")})
	announce(k, here, "10.0.0.3", "fd00::3") // this host's own: never reported
	for _, a := range []string{"10.0.0.3", "fd00::3"} {
		lab.Eventually(t, 5*time.Second, "the claim of "+a, func() bool {
			announce(other, far, "10.0.0.4", "fd00::4", "fd01::3", a)
			time.Sleep(10 * time.Millisecond)
			return seen(a)
		})
	}
	about([]netip.Addr{netip.MustParseAddr("10.0.0.4")})
	lab.Eventually(t, 5*time.Second, "the claim of an address that came later", func() bool {
		announce(other, far, "10.0.0.4")
		time.Sleep(10 * time.Millisecond)
		return seen("10.0.0.4")
	})
	mac := [6]byte(far.Link("eth0").MAC())
	mu.Lock()
	defer mu.Unlock()
	for _, c := range heard {
		if c.MAC != mac || c.Addr == netip.MustParseAddr("fd00::4") || c.Addr == netip.MustParseAddr("fd01::3") {
			t.Errorf("heard %+v", c)
		}
	}
}

// TestWatchManyClaims hears a host announce the last of more addresses than the kernel accepts a filter for.
func TestWatchManyClaims(t *testing.T) {
	n := lab.New(t)
	lan := n.Segment("lan")
	here, far := n.Host("here", lab.On(lan, "eth0", "10.0.0.1/24")), n.Host("far", lab.On(lan, "eth0", "10.0.0.2/24"))
	k, other := watching(t, here), watching(t, far)
	heard := make(chan netip.Addr, 1)
	var about func([]netip.Addr)
	err := here.Do(func() (err error) {
		about, err = k.WatchClaims(t.Context(), func(c Claim) {
			select {
			case heard <- c.Addr:
			default:
			}
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	first := netip.MustParseAddr("10.1.0.0")
	for _, c := range []struct {
		addresses int
		optmem    string
	}{
		{1, "20480"},
		{1500, "20480"},
		{1, "131072"},
		{3000, "131072"},
		{70000, "131072"},
	} {
		if _, err := here.Try("sh", "-c", "echo "+c.optmem+" >/proc/sys/net/core/optmem_max"); err != nil {
			t.Logf("the host's net.core.optmem_max: %v", err) // older kernels have one for all namespaces
		}
		addrs := []netip.Addr{first}
		for a := first; len(addrs) < c.addresses; addrs = append(addrs, a) {
			a = a.Next()
		}
		last := addrs[len(addrs)-1]
		about(addrs)
		lab.Eventually(t, 5*time.Second, "the claim of "+last.String(), func() bool {
			if err := far.Do(func() error { return other.Announce("eth0", last) }); err != nil {
				t.Fatal(err)
			}
			select {
			case a := <-heard:
				return a == last
			case <-time.After(10 * time.Millisecond):
				return false
			}
		})
	}
}
