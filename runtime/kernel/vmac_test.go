package kernel_test

import (
	"errors"
	"maps"
	"net/netip"
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

// testVirtualLinks: they come up, have their MAC address, change it, and send from addresses of their base.
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
	sender, err := h.OpenSender("vrrp.7", kernel.IPv4)
	check(t, err)
	lab.Eventually(t, 5*time.Second, "what the virtual link sends", func() bool {
		_ = sender.Send(here4, all4, 255, []byte{0x21, 7, 100, 1, 0, 1, 0, 0}) // it may not be up yet
		p, some, err := wire.Poll()
		return err == nil && some && p.Src == here4 && p.TTL == 255
	})
	check(t, sender.Close())
	check(t, wire.Close())

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
