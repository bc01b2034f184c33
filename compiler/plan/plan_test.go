package plan_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/state"
)

var (
	vip  = state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.3/24")}
	own  = state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.5/24")}
	http = ir.ServiceKey{Protocol: ir.TCP, Addr: netip.MustParseAddr("10.0.0.3"), Port: 80}
	web1 = state.DestinationKey{Service: http, Server: netip.MustParseAddrPort("10.0.0.7:80")}
	web2 = state.DestinationKey{Service: http, Server: netip.MustParseAddrPort("10.0.0.8:80")}
	web9 = state.DestinationKey{Service: http, Server: netip.MustParseAddrPort("10.0.0.9:80")}
	ssh  = ir.ServiceKey{Protocol: ir.TCP, Addr: netip.MustParseAddr("10.0.0.3"), Port: 22}
)

// tutorial is what the tutorial's first director wants as MASTER.
func tutorial() state.State {
	s := state.New()
	s.Addresses[vip] = state.Address{Label: "eth0:0"}
	s.Services[http] = state.Service{Scheduler: "wrr", Persistence: 50 * time.Second, Mask: ir.MaskOf(32, false)}
	s.Destinations[web1] = state.Destination{Weight: 1, Forwarding: ir.DR}
	s.Destinations[web2] = state.Destination{Weight: 1, Forwarding: ir.DR}
	return s
}

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		name       string
		have, want func(*state.State)
		owned      []state.Key
		plan       string
	}{
		{
			name: "what is there already needs nothing",
		},
		{
			name: "on an empty host, servers stand before the address that brings their traffic",
			have: func(s *state.State) { *s = state.New() },
			plan: `
+ tcp 10.0.0.3:80
+ 10.0.0.7:80 of tcp 10.0.0.3:80
+ 10.0.0.8:80 of tcp 10.0.0.3:80
+ 10.0.0.3/24 dev eth0`,
		},
		{
			name: "a setting that the kernel changes in place is one change",
			have: func(s *state.State) {
				s.Services[http] = state.Service{Scheduler: "wrr", Persistence: 20 * time.Second, Mask: ir.MaskOf(32, false)}
			},
			plan: "~ tcp 10.0.0.3:80 [persistent 20->50]",
		},
		{
			name: "the mask of a service that is not persistent means nothing",
			have: func(s *state.State) { s.Services[http] = state.Service{Scheduler: "rr", Mask: ir.MaskOf(24, false)} },
			want: func(s *state.State) { s.Services[http] = state.Service{Scheduler: "rr", Mask: ir.MaskOf(32, false)} },
		},
		{
			name: "a label cannot be changed in place",
			want: func(s *state.State) { s.Addresses[vip] = state.Address{Label: "eth0:1"} },
			plan: "-/+ 10.0.0.3/24 dev eth0 [label eth0:0->eth0:1]",
		},
		{
			name: "a weight is edited, so that connections stay",
			want: func(s *state.State) { s.Destinations[web2] = state.Destination{Weight: 3, Forwarding: ir.DR} },
			plan: "~ 10.0.0.8:80 of tcp 10.0.0.3:80 [weight 1->3]",
		},
		{
			name: "addresses, services and nothing else of a stranger stay",
			have: func(s *state.State) {
				s.Addresses[own] = state.Address{Label: "eth0"}
				s.Services[ssh] = state.Service{Scheduler: "rr"}
				s.Destinations[state.DestinationKey{Service: ssh, Server: web1.Server}] = state.Destination{Weight: 1}
				s.Destinations[web9] = state.Destination{Weight: 1, Forwarding: ir.DR}
			},
			plan: `
- 10.0.0.9:80 of tcp 10.0.0.3:80
. 10.0.0.5/24 dev eth0
. tcp 10.0.0.3:22`,
		},
		{
			name: "an address that the situation does not want leaves first",
			have: func(s *state.State) { delete(s.Services, http); s.Destinations = nil },
			want: func(s *state.State) { delete(s.Addresses, vip); s.Absent[vip] = "oldboy is not MASTER here" },
			plan: `
- 10.0.0.3/24 dev eth0 (oldboy is not MASTER here)
+ tcp 10.0.0.3:80
+ 10.0.0.7:80 of tcp 10.0.0.3:80
+ 10.0.0.8:80 of tcp 10.0.0.3:80`,
		},
		{
			name:  "what this director made and the file does not name any more goes; destinations go with their service",
			want:  func(s *state.State) { *s = state.New() },
			owned: []state.Key{http},
			plan: `
- tcp 10.0.0.3:80 (no longer in the configuration)
. 10.0.0.3/24 dev eth0`,
		},
		{
			name: "routes need their addresses, and rules lead to routes",
			have: func(s *state.State) { *s = state.New() },
			want: routed(false),
			plan: `
+ tcp 10.0.0.3:80
+ 10.0.0.7:80 of tcp 10.0.0.3:80
+ 10.0.0.8:80 of tcp 10.0.0.3:80
+ 10.0.0.3/24 dev eth0
+ 10.8.0.0/16
+ 100: from 10.8.0.0/16 lookup 100`,
		},
		{
			name: "they leave the other way round",
			have: routed(true),
			want: func(s *state.State) {
				*s = state.New()
				for _, k := range []state.Key{vip, http, toward("10.8.0.0/16"), table100} {
					s.Absent[k] = "oldboy is not MASTER here"
				}
			},
			plan: `
- 100: from 10.8.0.0/16 lookup 100 (oldboy is not MASTER here)
- 10.8.0.0/16 (oldboy is not MASTER here)
- 10.0.0.3/24 dev eth0 (oldboy is not MASTER here)
- tcp 10.0.0.3:80 (oldboy is not MASTER here)`,
		},
		{
			name: "the interface that the kernel found for a gateway is no difference, another gateway is",
			have: func(s *state.State) {
				routed(true)(s)
				s.Routes[toward("10.9.0.0/16")] = state.Route{Type: 1, Hops: []state.Hop{{Via: netip.MustParseAddr("10.0.0.8"), Dev: "eth0"}}}
			},
			want: func(s *state.State) {
				routed(false)(s)
				s.Routes[toward("10.9.0.0/16")] = state.Route{Type: 1, Hops: []state.Hop{{Via: netip.MustParseAddr("10.0.0.9")}}}
			},
			plan: "-/+ 10.9.0.0/16 [nexthop via 10.0.0.8 dev eth0->via 10.0.0.9]",
		},
		{
			name: "the mark alone makes nothing ours; of what has no mark, what touches ours is told",
			have: func(s *state.State) {
				routed(true)(s)
				s.Routes[toward("10.7.0.0/16")] = state.Route{Type: 1}
				same, other := toward("10.8.0.0/16"), toward("10.6.0.0/16")
				same.Protocol, other.Protocol = 4, 4
				s.Routes[same], s.Routes[other] = state.Route{Type: 1}, state.Route{Type: 1}
				s.Rules[state.RuleKey{Priority: 7, Action: 1, Table: 100, Protocol: ir.KeepalivedProtocol}] = state.Rule{}
				s.Rules[state.RuleKey{Priority: 100, Action: 1, Table: 100, Protocol: 4}] = state.Rule{}
				s.Rules[state.RuleKey{Priority: 8, Action: 1, Table: 100, Protocol: 4}] = state.Rule{}
			},
			want: routed(true),
			plan: `
. 10.7.0.0/16 (marked keepalived, not ours; left alone)
. 10.8.0.0/16 proto static
. 100: from all lookup 100 proto static
. 7: from all lookup 100 (marked keepalived, not ours; left alone)`,
		},
		{
			name: "a route that this director made and the file does not name any more goes",
			have: func(s *state.State) {
				routed(true)(s)
				s.Routes[toward("10.7.0.0/16")] = state.Route{Type: 1}
			},
			owned: []state.Key{table100, toward("10.8.0.0/16")},
			plan: `
- 100: from 10.8.0.0/16 lookup 100
- 10.8.0.0/16
. 10.7.0.0/16 (marked keepalived, not ours; left alone)`,
		},
		{
			name: "a static address is taken as it is found",
			have: func(s *state.State) { s.Addresses[own] = state.Address{Broadcast: netip.MustParseAddr("10.0.0.255")} },
			want: func(s *state.State) { s.Addresses[own] = state.Address{AsFound: true} },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			have, want := tutorial(), tutorial()
			if c.have != nil {
				c.have(&have)
			}
			if c.want != nil {
				c.want(&want)
			}
			owned := func(k state.Key) bool {
				for _, o := range c.owned {
					if o == k {
						return true
					}
				}
				return false
			}
			got := text(plan.Diff(have, want, owned))
			if want := strings.TrimSpace(c.plan); got != want {
				t.Errorf("plan:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

var table100 = state.RuleKey{Priority: 100, From: netip.MustParsePrefix("10.8.0.0/16"), Action: 1, Table: 100, Protocol: ir.KeepalivedProtocol}

func toward(dst string) state.RouteKey {
	return state.RouteKey{Table: ir.MainTable, Dst: netip.MustParsePrefix(dst), Protocol: ir.KeepalivedProtocol}
}

// routed adds a route and a rule; found: the kernel has found the interface of the gateway.
func routed(found bool) func(*state.State) {
	return func(s *state.State) {
		hop := state.Hop{Via: netip.MustParseAddr("10.0.0.8")}
		if found {
			hop.Dev = "eth0"
		}
		s.Routes[toward("10.8.0.0/16")] = state.Route{Type: 1, Hops: []state.Hop{hop}}
		s.Rules[table100] = state.Rule{}
	}
}

func text(p plan.Plan) string {
	var b strings.Builder
	for _, c := range p {
		fmt.Fprintf(&b, "%s %s", c.Action, c.Key)
		if d, _ := c.Differences(); len(d) > 0 {
			fmt.Fprintf(&b, " [%s %s->%s]", d[0].Name, d[0].Before, d[0].After)
		}
		if _, service := c.Key.(ir.ServiceKey); c.Action == plan.Remove && (service || c.Why[0] == 'o') || strings.HasPrefix(c.Why, "marked") {
			fmt.Fprintf(&b, " (%s)", c.Why)
		}
		b.WriteByte('\n')
	}
	return strings.TrimSpace(b.String())
}

// large is 50,000 destinations in 1,000 services, with different weights for every tenth.
func large(weight int) state.State {
	s := state.New()
	for i := range 1000 {
		k := ir.ServiceKey{Protocol: ir.TCP, Addr: netip.AddrFrom4([4]byte{10, 1, byte(i / 256), byte(i)}), Port: 80}
		s.Services[k] = state.Service{Scheduler: "rr"}
		for j := range 50 {
			d := state.Destination{Weight: 1}
			if j%10 == 0 {
				d.Weight = weight
			}
			s.Destinations[state.DestinationKey{Service: k, Server: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(i), byte(j)}), 80)}] = d
		}
	}
	return s
}

func BenchmarkDiff(b *testing.B) {
	have, same, other := large(1), large(1), large(2)
	for _, c := range []struct {
		name string
		want state.State
		n    int
	}{{"equal", same, 0}, {"tenth", other, 5000}, {"new", large(3), 51000}} {
		if c.name == "new" {
			have = state.New()
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p := plan.Diff(have, c.want, nil); len(p) != c.n {
					b.Fatalf("%d changes, want %d", len(p), c.n)
				}
			}
		})
	}
}
