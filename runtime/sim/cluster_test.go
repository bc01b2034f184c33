package sim

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// instance returns a minimal instance for tests of the cabling.
func instance(iface string, vrid uint8, address string, peers ...string) *ir.Config {
	v := &ir.VRRPInstance{Name: "VI", Interface: iface, VRID: vrid, Priority: 100, Version: 3, AdvertInterval: time.Second, DownTimerAdverts: 3}
	v.Addresses = []ir.Address{{Dev: iface, Prefix: netip.MustParsePrefix(address)}}
	for _, p := range peers {
		v.Unicast = append(v.Unicast, ir.UnicastPeer{Addr: addr(p)})
	}
	return &ir.Config{Instances: []*ir.VRRPInstance{v}}
}

func TestSegmentsAndAddresses(t *testing.T) {
	source := func(cfg *ir.Config, a string) *ir.Config { cfg.Instances[0].SourceAddr = addr(a); return cfg }
	for _, k := range []struct {
		name  string
		nodes []*ir.Config
		want  string
	}{
		{"one name, one segment; addresses in the order of the files",
			[]*ir.Config{instance("eth0", 1, "192.0.2.1/24"), instance("eth0", 1, "192.0.2.1/24")},
			"eth0: a 169.254.0.1 (assumed), b 169.254.0.2 (assumed)"},
		{"another name, but the same virtual router",
			[]*ir.Config{instance("eth0", 1, "192.0.2.1/24"), instance("ens3", 1, "192.0.2.1/24")},
			"eth0: a 169.254.0.1 (assumed), b ens3 169.254.0.2 (assumed)"},
		{"another name and another router",
			[]*ir.Config{instance("eth0", 1, "192.0.2.1/24"), instance("ens3", 2, "192.0.2.1/24")},
			"eth0: a 169.254.0.1 (assumed)|ens3: b 169.254.0.2 (assumed)"},
		{"the file tells the source",
			[]*ir.Config{source(instance("eth0", 1, "192.0.2.1/24"), "192.0.2.8"), instance("eth0", 1, "192.0.2.1/24")},
			"eth0: a 192.0.2.8, b 169.254.0.2 (assumed)"},
		{"the peers tell it",
			[]*ir.Config{instance("eth0", 1, "192.0.2.1/24", "10.0.0.2", "10.0.0.3"), instance("eth0", 1, "192.0.2.1/24", "10.0.0.1", "10.0.0.3"), instance("eth0", 1, "192.0.2.1/24", "10.0.0.1", "10.0.0.2")},
			"eth0: a 10.0.0.1, b 10.0.0.2, c 10.0.0.3"},
		{"peers that disagree tell nothing",
			[]*ir.Config{instance("eth0", 1, "192.0.2.1/24", "10.0.0.2", "10.0.0.9"), instance("eth0", 1, "192.0.2.1/24", "10.0.0.1")},
			"eth0: a 10.0.0.1, b 169.254.0.2 (assumed)"},
		{"IPv6 wants a link-local source",
			[]*ir.Config{instance("eth0", 1, "2001:db8::1/64")},
			"eth0: a fe80::169:254:0:1 (assumed)"},
	} {
		var nodes []Node
		for i, cfg := range k.nodes {
			nodes = append(nodes, Node{string(rune('a' + i)), cfg})
		}
		if got := strings.ReplaceAll(strings.TrimSpace(newCluster(t, nodes...).Head()), "\n", "|"); got != k.want {
			t.Errorf("%s:\ngot  %s\nwant %s", k.name, got, k.want)
		}
	}
}

func TestNamesThatAScriptCannotSay(t *testing.T) {
	for _, names := range [][]string{{"lb1", "lb1"}, {""}, {"all"}, {"nobody"}, {"lb 1"}, {"a;b"}, {"a,b"}, {"a#b"}} {
		var nodes []Node
		for _, n := range names {
			nodes = append(nodes, Node{n, instance("eth0", 1, "192.0.2.1/24")})
		}
		if _, err := NewCluster(nodes); err == nil {
			t.Errorf("%q are names", names)
		}
	}
}

func TestOutcome(t *testing.T) {
	const s = time.Second
	none, one, two, both := []int(nil), []int{0}, []int{1}, []int{0, 1}
	h := func(spans ...Span) AddressHistory { return AddressHistory{Spans: spans} }
	for _, k := range []struct {
		name         string
		h            AddressHistory
		gap, overlap time.Duration
		flaps        int
		holders      []int
	}{
		{"nothing happens", h(Span{0, 100 * s, one}), 0, 0, 0, one},
		{"a takeover", h(Span{0, 10 * s, one}, Span{10 * s, 13 * s, none}, Span{13 * s, 100 * s, two}), 3 * s, 0, 0, two},
		{"a gap that reaches into the time", h(Span{0, 5 * s, one}, Span{5 * s, 13 * s, none}, Span{13 * s, 100 * s, one}), 3 * s, 0, 0, one},
		{"a gap to the end", h(Span{0, 15 * s, one}, Span{15 * s, 100 * s, none}), 5 * s, 0, 0, none},
		{"a handover is no overlap", h(Span{0, 15 * s, one}, Span{15 * s, 15*s + brief - 1, both}, Span{15*s + brief - 1, 100 * s, two}), 0, 0, 0, two},
		{"a partition", h(Span{0, 12 * s, one}, Span{12 * s, 100 * s, both}), 0, 8 * s, 0, both},
		{"there and back", h(Span{0, 12 * s, one}, Span{12 * s, 15 * s, two}, Span{15 * s, 100 * s, one}), 0, 0, 1, one},
		{"there and back and there", h(Span{0, 12 * s, one}, Span{12 * s, 14 * s, two}, Span{14 * s, 16 * s, one}, Span{16 * s, 100 * s, two}), 0, 0, 2, two},
		{"lost and taken again is no flap", h(Span{0, 10 * s, one}, Span{10 * s, 13 * s, none}, Span{13 * s, 100 * s, one}), 3 * s, 0, 0, one},
	} {
		o, ok := k.h.Outcome(10*s, 20*s)
		if !ok || o.Gap != k.gap || o.Overlap != k.overlap || o.Flaps != k.flaps || len(without(o.Holders, k.holders))+len(without(k.holders, o.Holders)) > 0 {
			t.Errorf("%s: %+v", k.name, o)
		}
	}
	if _, ok := h(Span{0, 5 * s, one}).Outcome(10*s, 20*s); ok {
		t.Error("an address that nobody wants any more has an outcome")
	}
}
