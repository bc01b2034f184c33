package kernel_test

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/lab"
)

var (
	vmac7 = state.LinkKey{Dev: "vrrp.7"}
	link7 = state.Link{Base: "eth0", MAC: "00:00:5e:00:01:07"}
)

// testVirtualLinks checks that they come up, have their MAC address, change it, and send from addresses of the
// interface below.
func testVirtualLinks(t *testing.T, h host) {
	expect := func(want map[state.LinkKey]state.Link) {
		t.Helper()
		got, err := kernel.List(h, state.LinkKind)
		check(t, err)
		if !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	six := state.LinkKey{Dev: "vrrp.8"}
	link6 := state.Link{Base: "eth0", MAC: "00:00:5e:00:02:08", IPv6: true}
	for range 2 {
		check(t, kernel.Set(h, vmac7, link7))
	}
	check(t, kernel.Set(h, six, link6))
	expect(map[state.LinkKey]state.Link{vmac7: link7, six: link6})

	wire, err := h.far.OpenWire("eth0", kernel.IPv4, nil)
	check(t, err)
	check(t, wire.Join([]netip.Addr{all4}))
	sender, err := h.OpenVirtual("vrrp.7", kernel.IPv4, nil)
	check(t, err)
	lab.Eventually(t, 5*time.Second, "what the virtual link sends", func() bool {
		_ = sender.Send(here4, all4, 255, []byte{0x21, 7, 100, 1, 0, 1, 0, 0}) // it may not be up yet
		p, some := next(t, wire)
		return some && p.Src == here4 && p.TTL == 255
	})
	check(t, wire.Close())

	// A peer has the same virtual MAC address: what it sends arrives only on the virtual link, and what others send
	// does not.
	check(t, kernel.Set(h.far, vmac7, link7))
	peer, err := h.far.OpenVirtual("vrrp.7", kernel.IPv4, nil)
	check(t, err)
	plain, err := h.far.OpenWire("eth0", kernel.IPv4, nil)
	check(t, err)
	base, err := h.OpenWire("eth0", kernel.IPv4, nil)
	check(t, err)
	mac, err := net.ParseMAC(link7.MAC)
	check(t, err)
	for _, w := range []kernel.Wire{base, sender} {
		check(t, w.Join([]netip.Addr{all4}))
	}
	check(t, sender.Accept([]uint8{7}, [6]byte(mac)))
	heard := func(w kernel.Wire) (priorities []byte) {
		for {
			p, some := next(t, w)
			if !some {
				return priorities
			}
			priorities = append(priorities, p.Payload[2])
		}
	}
	var virtual, below []byte
	lab.Eventually(t, 5*time.Second, "what a peer with the same MAC address sends, and what one without sends", func() bool {
		_ = peer.Send(far4, all4, 255, []byte{0x21, 7, 50, 1, 0, 1, 0, 0}) // it may not be up yet
		check(t, plain.Send(far4, all4, 255, []byte{0x21, 7, 60, 1, 0, 1, 0, 0}))
		time.Sleep(50 * time.Millisecond)
		virtual, below = append(virtual, heard(sender)...), append(below, heard(base)...)
		return slices.Contains(virtual, 50) && slices.Contains(below, 60)
	})
	if slices.Contains(virtual, 60) || slices.Contains(below, 50) {
		t.Errorf("the virtual link heard priorities %v, the one below %v", virtual, below)
	}
	for _, w := range []kernel.Wire{sender, peer, plain, base} {
		check(t, w.Close())
	}
	check(t, kernel.Delete(h.far, vmac7))

	other := link7
	other.MAC = "02:11:22:33:44:55"
	check(t, kernel.Set(h, vmac7, other))
	expect(map[state.LinkKey]state.Link{vmac7: other, six: link6})
	for range 2 {
		check(t, kernel.Delete(h, vmac7))
	}
	check(t, kernel.Delete(h, six))
	expect(map[state.LinkKey]state.Link{})
}

func testBaseGoes(t *testing.T, h host) {
	if err := kernel.Set(h, vmac7, state.Link{Base: "none", MAC: link7.MAC}); !errors.Is(err, kernel.ErrNoInterface) {
		t.Errorf("got %v, want ErrNoInterface", err)
	}
	check(t, kernel.Set(h, vmac7, link7))
	h.remake()
	if got, err := kernel.List(h, state.LinkKind); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v; it went with its base", got, err)
	}
}
