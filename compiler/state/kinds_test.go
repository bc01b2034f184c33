package state_test

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// samples is a State with one object of each kind.
func samples() state.State {
	s := state.New()
	web := ir.ServiceKey{Protocol: ir.TCP, Addr: netip.MustParseAddr("10.0.0.3"), Port: 80}
	s.Addresses[state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.3/24")}] = state.Address{Label: "eth0:0", Broadcast: netip.MustParseAddr("10.0.0.255")}
	s.Routes[state.RouteKey{Table: 100, Dst: netip.MustParsePrefix("10.8.0.0/16"), Protocol: 18}] = state.Route{Type: 1, Hops: []state.Hop{{Dev: "eth0"}}, Options: map[string]string{"mtu": "1400"}}
	s.Rules[state.RuleKey{Priority: 7, From: netip.MustParsePrefix("10.8.0.0/16"), Action: 1, Table: 100, SPort: state.Range{First: 1, Last: 2}}] = state.Rule{}
	s.Services[web] = state.Service{Scheduler: "wrr", Persistence: time.Minute, Mask: ir.MaskOf(24, false)}
	s.Destinations[state.DestinationKey{Service: web, Server: netip.MustParseAddrPort("10.0.0.7:80")}] = state.Destination{Weight: 3, Forwarding: ir.DR}
	s.Timeouts[state.TimeoutsKey{}] = state.Timeouts{Timeouts: ir.Timeouts{TCP: time.Minute}}
	s.Sysctls[state.SysctlKey{File: "net/ipv4/conf/all/arp_ignore"}] = state.Sysctl{Value: "1"}
	s.Tunnels[state.TunnelKey{Dev: "tunl0"}] = state.Tunnel{Kind: state.TunnelIPIP}
	s.Links[state.LinkKey{Dev: "vrrp.7"}] = state.Link{Base: "eth0", MAC: "00:00:5e:00:01:07"}
	s.Firewalls[state.FirewallKey{Table: "keepalived", Addr: netip.MustParseAddr("10.0.0.3")}] = state.Firewall{Priority: -1}
	s.SyncDaemons[state.SyncDaemonKey{Role: "master"}] = state.SyncDaemon{Interface: "eth0", ID: 7, Group: netip.MustParseAddr("224.0.0.81")}
	return s
}

// TestKinds checks the properties that everything which loops over the list relies on.
func TestKinds(t *testing.T) {
	s := samples()
	names := map[string]bool{}
	for _, kind := range state.Kinds() {
		about := kind.About()
		if names[about.Name] || about.Name == "" || about.Part == "" {
			t.Errorf("%+v: the name is missing or not its own, or the part is missing", about)
		}
		names[about.Name] = true
		if kind.Len(s) != 1 {
			t.Errorf("%s: %d samples, want one", about.Name, kind.Len(s))
		}
		for k, o := range kind.All(s) {
			if state.KindOf(k) != kind {
				t.Errorf("%s is not known as a key of %s", k, about.Name)
			}
			if parent := kind.ParentOf(k); parent != nil && !names[state.KindOf(parent).About().Name] {
				t.Errorf("%s comes before the kind that it is a part of", about.Name)
			}
			text, err := kind.Encode(k, o)
			if err != nil {
				t.Fatal(err)
			}
			key, object, err := kind.Decode(text)
			if err != nil || key != k || !reflect.DeepEqual(object, o) {
				t.Errorf("%s: %s was read as %v %v, %v", about.Name, text, key, object, err)
			}
			if _, _, differ := kind.CompareOne(k, o, o); differ {
				t.Errorf("%s %s is not the same as itself", about.Name, k)
			}
			copied := state.New()
			kind.Clone(&copied, s)
			kind.Drop(copied, k)
			if _, there := kind.Get(s, k); !there || kind.Len(copied) != 0 {
				t.Errorf("%s: a copy is the original", about.Name)
			}
			kind.Put(copied, k, o)
			kind.Compare(copied, s, func(k state.Key, before, after state.Object) { t.Errorf("%s differs: %v, %v", k, before, after) })
		}
	}
}
