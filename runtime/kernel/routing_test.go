package kernel_test

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

func toward(dst string, table, metric uint32) state.RouteKey {
	return state.RouteKey{Table: table, Dst: netip.MustParsePrefix(dst), Metric: metric, Protocol: ir.KeepalivedProtocol}
}

// via is a hop through a gateway.
func via(gateway string) state.Hop { return state.Hop{Via: addr(gateway)} }

// wishes are routes of every kind.
func wishes() map[state.RouteKey]state.Route {
	static := toward("10.8.7.0/24", 254, 0)
	static.Protocol = 4
	class := toward("10.8.8.0/24", 254, 0)
	class.TOS = 0x10
	onlink := via("10.10.10.1")
	onlink.Dev, onlink.OnLink = "eth0", true
	sourced := toward("2001:db8:5::/48", 254, 1024)
	sourced.From = netip.MustParsePrefix("2001:db8:9::/48")
	tunnel := via("10.0.0.2")
	tunnel.Dev, tunnel.Encap = "eth0", "ip id 5 src 10.0.0.1 dst 10.0.0.9 ttl 7 tos 4"
	return map[state.RouteKey]state.Route{
		sourced:                              {Type: 1, Hops: []state.Hop{{Via: far6, Dev: "eth0"}}},
		toward("2001:db8:6::/48", 254, 1024): {Type: 1, Expires: 1000, Options: map[string]string{"pref": "high"}, Hops: []state.Hop{{Via: far6, Dev: "eth0"}}},
		toward("2001:db8:7::/48", 254, 5):    {Type: 1, Options: map[string]string{"pref": "low"}, Hops: []state.Hop{{Via: far6, Dev: "eth0", Encap: "ip6 id 7 dst fd00::2"}}},
		toward("10.8.9.0/24", 254, 0):        {Type: 1, Hops: []state.Hop{tunnel}},
		toward("10.8.10.0/24", 254, 0): {Type: 1, Hops: []state.Hop{
			{Via: addr("10.0.0.8"), Dev: "eth0", Weight: 2, Realm: 5}, {Via: addr("10.0.0.9"), Dev: "eth0", Weight: 1, Realm: 1<<16 | 2},
		}},
		toward("10.8.11.0/24", 254, 0): {Type: 1, Hops: []state.Hop{via("10.0.0.2")}, Options: map[string]string{
			"advmss": "1300", "advmss lock": "on", "rtt": "2400", "rtt lock": "on", "window": "3000", "window lock": "on", "congctl": "reno", "congctl lock": "on",
		}},
		toward("10.8.0.0/16", 254, 5):  {Type: 1, PrefSrc: here4, Hops: []state.Hop{via("10.0.0.2")}},
		toward("10.8.1.0/24", 254, 0):  {Type: 1, Scope: 253, Hops: []state.Hop{{Dev: "eth0"}}},
		toward("10.8.2.0/24", 254, 0):  {Type: 1, Hops: []state.Hop{{Dev: "eth0"}}},
		toward("0.0.0.0/0", 100, 0):    {Type: 1, Hops: []state.Hop{via("10.0.0.2")}},
		toward("10.8.3.0/24", 254, 0):  {Type: 6},
		toward("10.8.4.0/24", 1000, 9): {Type: 7},
		toward("10.8.5.0/24", 254, 0): {Type: 1, Hops: []state.Hop{
			{Via: addr("10.0.0.8"), Weight: 2}, {Via: addr("10.0.0.9"), Dev: "eth0", Weight: 1},
		}},
		toward("10.8.6.0/24", 254, 0): {Type: 1, Hops: []state.Hop{onlink}, Options: map[string]string{
			"mtu": "1400", "mtu lock": "on", "advmss": "1300", "hoplimit": "9", "rtt": "800", "realm": "7", "congctl": "reno", "initcwnd": "20",
		}},
		static:                                {Type: 1, Hops: []state.Hop{via("10.0.0.2")}},
		class:                                 {Type: 1, Hops: []state.Hop{via("10.0.0.2")}},
		toward("2001:db8:1::/48", 254, 1024):  {Type: 1, Hops: []state.Hop{{Via: far6, Dev: "eth0"}}},
		toward("2001:db8:2::1/128", 100, 77):  {Type: 1, Hops: []state.Hop{{Dev: "eth0"}}},
		toward("2001:db8:3::/48", 254, 1024):  {Type: 7},
		toward("::/0", 100, 1024):             {Type: 1, Hops: []state.Hop{{Via: far6, Dev: "eth0"}}},
		toward("2001:db8:4::/48", 1000, 1024): {Type: 1, Hops: []state.Hop{{Via: far6, Dev: "eth0", Weight: 1}, {Via: addr("fe80::9"), Dev: "eth0", Weight: 3}}},
	}
}

// about returns a scope's Keys function for some keys.
func about(keys ...state.Key) func(state.AnyKind) iter.Seq[state.Key] {
	return func(kind state.AnyKind) iter.Seq[state.Key] {
		return func(yield func(state.Key) bool) {
			for _, k := range keys {
				if kind.Has(k) && !yield(k) {
					return
				}
			}
		}
	}
}

func testRoutes(t *testing.T, h host) {
	for k, r := range wishes() {
		for range 2 { // adding what exists is not an error
			check(t, kernel.Set(h, k, r))
		}
	}
	all, err := kernel.List(h, state.RouteKind)
	check(t, err)
	static := state.RouteKey{Protocol: 4}
	have, unread := h.Read(kernel.Scope{Kinds: []state.AnyKind{state.RouteKind}, Keys: about(static)})
	check(t, unread.Err())
	ours := have.Routes
	for k := range all {
		if _, there := ours[k]; there != (k.Protocol == ir.KeepalivedProtocol || k.Protocol == 4) {
			t.Errorf("%s is among those of keepalived and static: %v", k, there)
		}
	}
	for k, r := range wishes() {
		if have, there := all[k]; !there || !have.Serves(r) {
			t.Errorf("%s: %v %+v", k, there, have)
		}
		for range 2 { // deleting what is absent is not an error
			check(t, kernel.Delete(h, k))
		}
	}
	all, err = kernel.List(h, state.RouteKind)
	check(t, err)
	for k := range wishes() {
		if _, there := all[k]; there {
			t.Errorf("%s is still there", k)
		}
	}

	// The owner of a route is part of its key: ours comes and goes beside a foreign one.
	mine := toward("10.9.0.0/16", 254, 0)
	theirs := mine
	theirs.Protocol = 4
	check(t, kernel.Set(h, theirs, state.Route{Type: 1, Hops: []state.Hop{via("10.0.0.7")}}))
	check(t, kernel.Set(h, mine, state.Route{Type: 1, Hops: []state.Hop{via("10.0.0.2")}}))
	check(t, kernel.Delete(h, mine))
	all, err = kernel.List(h, state.RouteKind)
	check(t, err)
	if r := all[theirs]; len(r.Hops) != 1 || r.Hops[0].Via != addr("10.0.0.7") {
		t.Errorf("somebody else's route: %+v", r)
	}

	if err := kernel.Set(h, mine, state.Route{Type: 1, Hops: []state.Hop{via("10.77.0.1")}}); !errors.Is(err, kernel.ErrUnreachable) {
		t.Errorf("a gateway on no network: %v", err)
	}
	if err := kernel.Set(h, mine, state.Route{Type: 1, Hops: []state.Hop{{Dev: "eth7"}}}); !errors.Is(err, kernel.ErrNoInterface) {
		t.Errorf("an interface that is not there: %v", err)
	}
}

func testLostRoutes(t *testing.T, h host) {
	from, way, nowhere := toward("10.8.0.0/16", 254, 0), toward("10.8.1.0/24", 254, 0), toward("10.8.2.0/24", 254, 0)
	check(t, kernel.Set(h, key("10.0.1.5/24"), state.Address{}))
	check(t, kernel.Set(h, from, state.Route{Type: 1, PrefSrc: addr("10.0.1.5"), Hops: []state.Hop{via("10.0.0.2")}}))
	check(t, kernel.Set(h, way, state.Route{Type: 1, Hops: []state.Hop{via("10.0.0.2")}}))
	check(t, kernel.Set(h, nowhere, state.Route{Type: 6}))
	there := func(what string, want ...state.RouteKey) {
		t.Helper()
		all, err := kernel.List(h, state.RouteKind)
		check(t, err)
		for _, k := range []state.RouteKey{from, way, nowhere} {
			_, got := all[k]
			wanted := false
			for _, w := range want {
				wanted = wanted || w == k
			}
			if got != wanted {
				t.Errorf("%s: %s is there: %v", what, k, got)
			}
		}
	}
	there("at first", from, way, nowhere)
	check(t, kernel.Delete(h, key("10.0.1.5/24")))
	there("without the source address", way, nowhere)
	h.up(false)
	there("with the interface down", nowhere)
}

func testRules(t *testing.T, h host) {
	ours := func(k state.RuleKey) state.RuleKey { k.Protocol = ir.KeepalivedProtocol; return k }
	p := netip.MustParsePrefix
	want := []state.RuleKey{
		ours(state.RuleKey{Priority: 100, From: p("10.8.0.0/16"), Action: 1, Table: 100}),
		{Priority: 100, From: p("10.8.0.0/16"), Action: 1, Table: 100, Protocol: 4},
		ours(state.RuleKey{Priority: 101, To: p("10.8.0.0/16"), Action: 1, Table: 1000}),
		ours(state.RuleKey{Priority: 102, From: p("10.8.0.0/16"), To: p("10.9.0.0/16"), Mark: 5, Mask: 255, IIF: "eth0", Action: 1, Table: 254}),
		ours(state.RuleKey{Priority: 103, From: p("10.8.1.1/32"), Action: 6}),
		ours(state.RuleKey{Priority: 104, OIF: "eth0", TOS: 0x10, Action: 8}),
		ours(state.RuleKey{Priority: 105, Not: true, From: p("10.8.3.0/24"), Action: 7}),
		ours(state.RuleKey{Priority: 106, Action: 1, Table: 254, SuppressBelow: 1}),
		ours(state.RuleKey{Priority: 107, Action: 1, Table: 254, SuppressGroup: 1}),
		ours(state.RuleKey{Priority: 108, IPProto: 6, DPort: state.Range{First: 80, Last: 90}, SPort: state.Range{First: 7, Last: 7}, Action: 1, Table: 100}),
		ours(state.RuleKey{Priority: 109, UIDs: state.Range{First: 100, Last: 200}, Action: 2, Goto: 32766}),
		ours(state.RuleKey{Priority: 110, From: p("10.8.0.0/16"), Action: 3}),
		ours(state.RuleKey{Priority: 111, From: p("10.8.0.0/16"), Action: 1, Table: 100, Realms: 3<<16 | 4}),
		ours(state.RuleKey{Priority: 112, Action: 1, L3MDev: true}),
		ours(state.RuleKey{Priority: 113, From: p("10.8.5.0/24"), TunnelID: 77, Action: 1, Table: 100}),
		ours(state.RuleKey{Priority: 114, From: p("10.8.6.0/24"), Root: true, Action: 1, Table: 100}),
		ours(state.RuleKey{IPv6: true, Priority: 100, From: p("2001:db8::/32"), Action: 1, Table: 100}),
		ours(state.RuleKey{IPv6: true, Priority: 101, Action: 7}),
	}
	for _, k := range want {
		for range 2 {
			check(t, kernel.Set(h, k, state.Rule{}))
		}
	}
	all, err := kernel.List(h, state.RuleKind)
	check(t, err)
	for _, k := range want {
		if _, there := all[k]; !there {
			t.Errorf("%s is not there", k)
			continue
		}
		for range 2 {
			check(t, kernel.Delete(h, k))
		}
	}
	rest, err := kernel.List(h, state.RuleKind)
	check(t, err)
	for _, k := range want {
		if _, there := rest[k]; there {
			t.Errorf("%s is still there", k)
		}
	}
	if t.Failed() {
		for k := range all {
			t.Log(k)
		}
	}
}

// testRoutingWatch checks that deleted routes and rules with our mark are reported, and those of others are not.
func testRoutingWatch(t *testing.T, h host) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lost := make(chan struct{}, 100)
	check(t, h.WatchRouting(ctx, func() { lost <- struct{}{} }))
	others := toward("10.8.7.0/24", 254, 0)
	others.Protocol = 4
	route := state.Route{Type: 1, Hops: []state.Hop{{Dev: "eth0"}}}
	foreign := state.RuleKey{Priority: 7, From: others.Dst, Action: 1, Table: 100, Protocol: 4}
	ours := foreign
	ours.Priority, ours.Protocol = 8, ir.KeepalivedProtocol
	for _, c := range []struct {
		key    state.Key
		object state.Object
		tells  bool
	}{
		{others, route, false}, {foreign, state.Rule{}, false}, {toward("10.8.8.0/24", 254, 0), route, true}, {toward("2001:db8:9::/48", 100, 1024), route, true}, {ours, state.Rule{}, true},
	} {
		check(t, kernel.Set(h, c.key, c.object))
		check(t, kernel.Delete(h, c.key))
		wait := 100 * time.Millisecond
		if c.tells {
			wait = 5 * time.Second
		}
		select {
		case <-lost:
			if !c.tells {
				t.Errorf("%s is somebody else's", c.key)
			}
		case <-time.After(wait):
			if c.tells {
				t.Errorf("nobody told of %s", c.key)
			}
		}
	}
}
