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
		check(t, h.SetSysctl(ignore, state.Sysctl{Value: want}))
		got, err := h.Sysctls([]state.SysctlKey{ignore, absent})
		check(t, err)
		if len(got) != 1 || got[ignore].Value != want {
			t.Errorf("got %v, want %s alone", got, want)
		}
	}
}

// tunnels come up, even when they are, go down, even when they are, and carry addresses.
func testTunnels(t *testing.T, k interface {
	kernel.Settings
	kernel.Addresses
}) {
	expect := func(want ...string) {
		t.Helper()
		got, err := k.Tunnels()
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
		check(t, k.AddTunnel(four, state.Tunnel{Kind: state.TunnelIPIP}))
		expect("tunl0")
	}
	check(t, k.AddTunnel(six, state.Tunnel{Kind: state.TunnelIP6Tnl}))
	expect("tunl0", "ip6tnl0")
	check(t, k.AddAddress(state.AddressKey{Dev: "tunl0", Prefix: key("10.0.0.3/32").Prefix}, state.Address{}))
	for range 2 {
		check(t, k.DeleteTunnel(four))
		expect("ip6tnl0")
	}
	check(t, k.DeleteTunnel(six))
	check(t, k.DeleteTunnel(state.TunnelKey{Dev: "none"}))
	expect()
}

func TestFakeTunnels(t *testing.T) { testTunnels(t, kernel.NewFake()) }

// TestTunnelsIPVS wants a kernel with tunnels, which those with IPVS have.
func TestTunnelsIPVS(t *testing.T) {
	lab.NeedIPVS(t)
	testTunnels(t, open(t, lab.New(t).Host("web01")))
}
