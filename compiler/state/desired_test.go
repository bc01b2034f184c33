package state_test

import (
	"net/netip"
	"testing"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// TestInhibited: a real server that stays with weight 0 says why, whether it failed itself or its service lost the quorum.
func TestInhibited(t *testing.T) {
	cfg := compile(t, `virtual_server 10.0.0.3 80 {
 lb_kind DR
 protocol TCP
 quorum 2
 sorry_server 10.0.0.9 80
 real_server 10.0.0.7 80 {
  inhibit_on_failure
 }
 real_server 10.0.0.8 80 {
  inhibit_on_failure
 }
}
`)
	web := cfg.VirtualServers[0].Key
	key := func(server string) state.DestinationKey {
		return state.DestinationKey{Service: web, Server: netip.MustParseAddrPort(server)}
	}
	s := state.Situation{
		Down:     map[state.DestinationKey]string{key("10.0.0.8:80"): "connect: connection refused"},
		NoQuorum: map[ir.ServiceKey]bool{web: true},
	}
	got := state.Desired(cfg, s).Destinations
	for server, want := range map[string]string{
		"10.0.0.7:80": "inhibited: the quorum is lost, the sorry server serves",
		"10.0.0.8:80": "inhibited: connect: connection refused",
	} {
		if d := got[key(server)]; d.Weight != 0 || d.Why != want {
			t.Errorf("%s: weight %d, %q; want 0, %q", server, d.Weight, d.Why, want)
		}
	}
}
