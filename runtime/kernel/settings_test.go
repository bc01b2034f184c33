package kernel_test

import (
	"testing"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/lab"
)

func testSettings(t *testing.T, h host) {
	ignore := state.SysctlKey{File: "net/ipv4/conf/eth0/arp_ignore"}
	absent := state.SysctlKey{File: "net/ipv4/conf/none/arp_ignore"}
	for _, want := range []string{"0", "1", "2", "0"} {
		check(t, kernel.Set(h, ignore, state.Sysctl{Value: want}))
		have, unread := h.Read(kernel.Scope{Kinds: []state.AnyKind{state.SysctlKind}, Keys: about(ignore, absent)})
		check(t, unread.Err())
		got := have.Sysctls
		if len(got) != 1 || got[ignore].Value != want {
			t.Errorf("got %v, want %s alone", got, want)
		}
	}
}

// testTunnels checks that tunnels are brought up and down, even repeatedly, and carry addresses.
func testTunnels(t *testing.T, k kernel.Objects) {
	expect := func(want ...string) {
		t.Helper()
		got, err := kernel.List(k, state.TunnelKind)
		check(t, err)
		for _, name := range want {
			if _, ok := got[state.TunnelKey{Dev: name}]; !ok {
				t.Errorf("%s is not among %v", name, got)
			}
		}
		if len(got) != len(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	four, six := state.TunnelKey{Dev: "tunl0"}, state.TunnelKey{Dev: "ip6tnl0"}
	for range 2 {
		check(t, kernel.Set(k, four, state.Tunnel{Kind: state.TunnelIPIP}))
		expect("tunl0")
	}
	check(t, kernel.Set(k, six, state.Tunnel{Kind: state.TunnelIP6Tnl}))
	expect("tunl0", "ip6tnl0")
	check(t, kernel.Set(k, state.AddressKey{Dev: "tunl0", Prefix: key("10.0.0.3/32").Prefix}, state.Address{}))
	for range 2 {
		check(t, kernel.Delete(k, four))
		expect("ip6tnl0")
	}
	check(t, kernel.Delete(k, six))
	check(t, kernel.Delete(k, state.TunnelKey{Dev: "none"}))
	expect()
}

func TestFakeTunnels(t *testing.T) { testTunnels(t, kernel.NewFake()) }

// TestTunnelsIPVS needs a kernel with tunnels, which kernels with IPVS have.
func TestTunnelsIPVS(t *testing.T) {
	lab.NeedIPVS(t)
	testTunnels(t, open(t, lab.New(t).Host("web01")))
}
