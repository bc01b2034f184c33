package cluster

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"keepc/compiler/ir"
)

// An instance in one line: name, interface, VRID, address, and the unicast source and peers.
func instance(name, iface string, vrid uint8, address, source string, peers ...string) *ir.VRRPInstance {
	v := &ir.VRRPInstance{Name: name, Interface: iface, VRID: vrid}
	if address != "" {
		v.Addresses = []ir.Address{{Dev: iface, Prefix: netip.MustParsePrefix(address)}}
	}
	if source != "" {
		v.SourceAddr = netip.MustParseAddr(source)
	}
	for _, p := range peers {
		v.Unicast = append(v.Unicast, ir.UnicastPeer{Addr: netip.MustParseAddr(p)})
	}
	return v
}

func nodes(files ...[]*ir.VRRPInstance) (all []Node) {
	for i, f := range files {
		all = append(all, Node{string(rune('a' + i)), &ir.Config{Instances: f}})
	}
	return all
}

func TestGroups(t *testing.T) {
	type file = []*ir.VRRPInstance
	for _, k := range []struct {
		name  string
		nodes []Node
		want  string
	}{
		{"the name does not matter",
			nodes(file{instance("A", "eth0", 1, "192.0.2.1/24", "")}, file{instance("B", "eth0", 1, "192.0.2.1/24", "")}),
			"eth0 a.A b.B"},
		{"another number is another router",
			nodes(file{instance("A", "eth0", 1, "192.0.2.1/24", "")}, file{instance("A", "eth0", 2, "192.0.2.1/24", "")}),
			"eth0 a.A | eth0 b.A"},
		{"so is another family",
			nodes(file{instance("A", "eth0", 1, "192.0.2.1/24", "")}, file{instance("A", "eth0", 1, "2001:db8::1/64", "")}),
			"eth0 a.A | eth0 b.A"},
		{"another interface with the same router",
			nodes(file{instance("A", "eth0", 1, "192.0.2.1/24", "")}, file{instance("A", "ens3", 1, "192.0.2.1/24", "")}),
			"eth0 a.A b.A"},
		{"the same number for other addresses",
			nodes(file{instance("A", "eth0", 1, "192.0.2.1/24", "")}, file{instance("A", "eth0", 1, "192.0.2.9/24", "")}),
			"eth0 a.A | eth0 b.A"},
		{"unless one calls the other its peer",
			nodes(file{instance("A", "eth0", 1, "192.0.2.1/24", "10.0.0.1", "10.0.0.2")}, file{instance("A", "ens3", 1, "192.0.2.9/24", "10.0.0.2", "10.0.0.1")}),
			"eth0 a.A b.A"},
		{"or one has none",
			nodes(file{instance("A", "eth0", 1, "192.0.2.1/24", "")}, file{instance("A", "eth0", 1, "", "")}),
			"eth0 a.A b.A"},
		{"two of one file are never one router",
			nodes(file{instance("A", "eth0", 1, "192.0.2.1/24", ""), instance("B", "eth0", 1, "192.0.2.1/24", "")}, file{instance("C", "eth0", 1, "192.0.2.1/24", "")}),
			"eth0 a.A b.C | eth0 a.B"},
		{"two clusters on one segment",
			nodes(file{instance("A", "eth0", 1, "192.0.2.1/24", "")}, file{instance("B", "eth0", 1, "192.0.2.9/24", "")},
				file{instance("A", "eth0", 1, "192.0.2.1/24", "")}, file{instance("B", "eth0", 1, "192.0.2.9/24", "")}),
			"eth0 a.A c.A | eth0 b.B d.B"},
	} {
		c := New(k.nodes)
		var all []string
		for _, g := range c.Groups() {
			text := g.Segment
			for _, m := range g.Members {
				text += fmt.Sprintf(" %s.%s", c.Nodes[m.Node].Name, m.Name)
			}
			all = append(all, text)
		}
		if got := strings.Join(all, " | "); got != k.want {
			t.Errorf("%s:\ngot  %s\nwant %s", k.name, got, k.want)
		}
	}
}

func TestSource(t *testing.T) {
	for _, k := range []struct {
		name  string
		nodes []Node
		want  string
		known bool
	}{
		{"the file says it", nodes([]*ir.VRRPInstance{instance("A", "eth0", 1, "192.0.2.1/24", "10.0.0.1")}), "10.0.0.1", true},
		{"the peers say it", nodes([]*ir.VRRPInstance{instance("A", "eth0", 1, "192.0.2.1/24", "", "10.0.0.2")},
			[]*ir.VRRPInstance{instance("A", "eth0", 1, "192.0.2.1/24", "", "10.0.0.1")}), "10.0.0.1", true},
		{"nobody says it", nodes([]*ir.VRRPInstance{instance("A", "eth0", 1, "192.0.2.1/24", "")}), "169.254.0.1", false},
	} {
		c := New(k.nodes)
		a, known := c.Source(c.Groups()[0].Members[0])
		if a.String() != k.want || known != k.known {
			t.Errorf("%s: %v, %v; want %s, %v", k.name, a, known, k.want, k.known)
		}
	}
}
