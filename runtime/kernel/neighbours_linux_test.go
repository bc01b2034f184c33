package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// watching opens the kernel of a host, with a watch of links whose changes are ignored.
func watching(t testing.TB, h *lab.Host) *Linux {
	t.Helper()
	var k *Linux
	ctx, cancel := context.WithCancel(context.Background())
	err := h.Do(func() error {
		var err error
		if k, err = Open(); err != nil {
			return err
		}
		links, err := k.WatchLinks(ctx)
		if err != nil {
			return err
		}
		go func() {
			for range links {
			}
		}()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, 5*time.Second, "the first look at eth0", func() bool { _, known := k.neighbours.link("eth0"); return known })
	t.Cleanup(func() {
		cancel()
		lab.Eventually(t, 5*time.Second, "the end of the watch", func() bool { _, known := k.neighbours.link("eth0"); return !known })
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// TestAnnounceAsksNobody announces without a netlink socket, and follows the interface all the same.
func TestAnnounceAsksNobody(t *testing.T) {
	n := lab.New(t)
	h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "10.0.0.1/24", "fd00::1/64"))
	wire := h.Capture("eth0")
	k := watching(t, h)
	k.routes.Close()
	addr4, addr6 := netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("fd00::3")

	// sends announces until the frame is as expected, because the watch needs a moment to see a change.
	sends := func(what string, addr netip.Addr, good func(frame []byte) bool) {
		t.Helper()
		lab.Eventually(t, 5*time.Second, what, func() bool {
			if err := h.Do(func() error { return k.Announce("eth0", addr) }); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			frames := wire.Frames()
			i := len(frames) - 1
			for i >= 0 && !slices.Equal(frames[i].Data[12:14], map[bool][]byte{true: {0x08, 0x06}, false: {0x86, 0xdd}}[addr.Is4()]) {
				i--
			}
			return i >= 0 && good(frames[i].Data)
		})
	}
	mac := h.Link("eth0").MAC()
	sends("an ARP", addr4, func(f []byte) bool { return slices.Equal(f[6:12], mac) && slices.Equal(f[28:32], addr4.AsSlice()) })
	sends("a neighbour advertisement of a host", addr6, func(f []byte) bool { return f[54] == 136 && f[58]&0x80 == 0 })
	h.Sysctl("net.ipv6.conf.eth0.forwarding", "1")
	sends("a neighbour advertisement of a router", addr6, func(f []byte) bool { return f[54] == 136 && f[58]&0x80 != 0 })
	h.Run("ip", "link", "set", "eth0", "address", "02:00:00:00:77:01")
	sends("an ARP with the new hardware address", addr4, func(f []byte) bool { return slices.Equal(f[6:12], []byte{2, 0, 0, 0, 0x77, 1}) })
}

// BenchmarkAnnounce80 is what an instance with 80 addresses announces in one round.
func BenchmarkAnnounce80(b *testing.B) {
	n := lab.New(b)
	h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "10.0.0.1/24"))
	k := watching(b, h)
	var addrs []netip.Addr
	for i := range 80 {
		addrs = append(addrs, netip.MustParseAddr(fmt.Sprintf("10.0.1.%d", i)))
	}
	for _, c := range []struct {
		name string
		ask  bool
	}{{"asking the kernel each time", true}, {"from memory", false}} {
		b.Run(c.name, func(b *testing.B) {
			err := h.Do(func() error {
				for b.Loop() {
					for _, a := range addrs {
						link, _, err := k.neighbour("eth0", c.ask)
						if err == nil {
							err = k.announce(link, a)
						}
						if err != nil {
							return err
						}
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
