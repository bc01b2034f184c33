package state_test

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// TestInhibited checks that a real server that stays with weight 0 says why: it failed itself, or its service lost the
// quorum.
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

// TestParts checks that Router and Balance are the two halves of Desired in any situation; a director that stops wants
// neither.
func TestParts(t *testing.T) {
	cfg := compile(t, with("virtual_routes", "10.8.0.0/16 via 10.0.0.8")+`global_defs {
 lvs_timeouts tcp 900
}
static_ipaddress {
 10.9.0.1/24 dev eth0
}
virtual_server 10.0.0.3 80 {
 lb_kind DR
 protocol TCP
 real_server 10.0.0.7 80 {
 }
}
`)
	stopping := state.AllMaster(cfg)
	stopping.Stopping = true
	for _, c := range []struct {
		name                                                     string
		situation                                                state.Situation
		addresses, routes, services, servers, timeouts, unwanted int
	}{
		{"master", state.AllMaster(cfg), 2, 1, 1, 1, 1, 0},
		{"backup", state.Situation{}, 1, 0, 1, 1, 1, 2},
		{"stopping", stopping, 0, 0, 0, 0, 0, 3},
	} {
		router, balance, all := state.Router(cfg, c.situation), state.Balance(cfg, c.situation), state.Desired(cfg, c.situation)
		got := []int{len(router.Addresses), len(router.Routes), len(balance.Services), len(balance.Destinations), len(balance.Timeouts), len(router.Absent) + len(balance.Absent)}
		if want := []int{c.addresses, c.routes, c.services, c.servers, c.timeouts, c.unwanted}; !slices.Equal(got, want) {
			t.Errorf("%s: %d; want %d", c.name, got, want)
		}
		maps.Copy(router.Services, balance.Services)
		maps.Copy(router.Destinations, balance.Destinations)
		maps.Copy(router.Timeouts, balance.Timeouts)
		maps.Copy(router.Absent, balance.Absent)
		if !reflect.DeepEqual(router, all) {
			t.Errorf("%s: the parts are not the whole:\n%v\n%v", c.name, router, all)
		}
	}
}

// TestOnlyAddress checks that an owner leaves its host the only address of its interface, whatever its role, and takes
// no more than that.
func TestOnlyAddress(t *testing.T) {
	cfg := compile(t, "vrrp_instance x {\n interface eth0\n virtual_router_id 1\n priority 255\n virtual_ipaddress {\n 10.0.0.1/24\n 10.0.0.2/24\n }\n}\n")
	own := state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.1/24")}
	other := state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.2/24")}
	only := map[ir.InstanceKey]netip.Addr{cfg.Instances[0].Key(): own.Prefix.Addr()}
	for _, s := range []state.Situation{{Only: only}, {Only: only, Stopping: true}} {
		w := state.Router(cfg, s)
		if !w.Addresses[own].AsFound || w.Absent[own] != "" || w.Absent[other] == "" {
			t.Errorf("%+v: wanted %v, absent %v", s, w.Addresses, w.Absent)
		}
	}
	if w := state.Router(cfg, state.Situation{Stopping: true}); w.Absent[own] == "" {
		t.Errorf("the interface has a different address: wanted %v, absent %v", w.Addresses, w.Absent)
	}
	for _, c := range []struct {
		name string
		here []string // addresses of eth0
		want map[ir.InstanceKey]netip.Addr
	}{
		{"its own alone", []string{"10.0.0.1/24"}, only},
		{"another family beside it", []string{"10.0.0.1/24", "2001:db8::1/64"}, only},
		{"an address of the host beside it", []string{"10.0.0.1/24", "10.0.0.9/24"}, nil},
		{"both of the instance: which is the host's is unknown", []string{"10.0.0.1/24", "10.0.0.2/24"}, nil},
		{"an address of the host alone", []string{"10.0.0.9/24"}, nil},
		{"none", nil, nil},
	} {
		have := state.New()
		for _, text := range c.here {
			have.Addresses[state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix(text)}] = state.Address{}
		}
		if got := state.OnlyAddresses(cfg, have); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
