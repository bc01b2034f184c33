package router

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
	"keepc/runtime/vrrp"
)

// TestTwins checks that instances with one VRID on an interface are different routers if they use different groups or
// have different peers.
func TestTwins(t *testing.T) {
	cfg := compile(t, `
vrrp_instance group {
	interface eth0
	virtual_router_id 7
	virtual_ipaddress {
		198.51.100.1
	}
}
vrrp_instance peer3 {
	interface eth0
	virtual_router_id 7
	unicast_src_ip 192.0.2.2
	unicast_peer {
		192.0.2.3
	}
	virtual_ipaddress {
		198.51.100.3
	}
}
vrrp_instance peer4 {
	interface eth0
	virtual_router_id 7
	unicast_src_ip 192.0.2.2
	unicast_peer {
		192.0.2.4
	}
	virtual_ipaddress {
		198.51.100.4
	}
}
vrrp_instance other_group {
	interface eth0
	virtual_router_id 7
	mcast_dst_ip 224.0.0.200
	virtual_ipaddress {
		198.51.100.5
	}
}
`)
	now := time.Unix(0, 0)
	m := New(now, Prepare(cfg, nil))
	m.Step(now, LinkChanged{Name: "eth0", Present: true, Up: true, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.2")}})
	m.Step(now, Tick{})
	for end := now.Add(10 * time.Second); now.Before(end); {
		now, _ = m.Deadline()
		m.Step(now, Tick{})
	}
	masters := func() string {
		var names []string
		for _, s := range m.Standings() {
			if s.Role == vrrp.Master {
				names = append(names, s.Config.Name)
			}
		}
		return strings.Join(names, " ")
	}
	if got := masters(); got != "group peer3 peer4 other_group" {
		t.Fatalf("MASTER are %q", got)
	}
	for _, c := range []struct{ src, dst, address, left string }{
		{"192.0.2.4", "192.0.2.2", "198.51.100.4", "group peer3 other_group"},
		{"192.0.2.9", "224.0.0.200", "198.51.100.5", "group peer3"},
		{"192.0.2.3", "192.0.2.2", "198.51.100.3", "group"},
		{"192.0.2.9", "224.0.0.18", "198.51.100.1", ""},
	} {
		src, dst := netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst)
		payload, err := vrrp.Packet{Version: 2, VRID: 7, Priority: 200, Interval: time.Second, Addresses: []netip.Addr{netip.MustParseAddr(c.address)}}.Marshal(src, dst)
		if err != nil {
			t.Fatal(err)
		}
		m.Step(now, PacketReceived{Interface: "eth0", Src: src, Dst: dst, TTL: 255, Payload: payload})
		if got := masters(); got != c.left {
			t.Errorf("after %s to %s: MASTER are %q, want %q", c.src, c.dst, got, c.left)
		}
	}
}

func compile(t *testing.T, text string) *ir.Config {
	t.Helper()
	u := compiler.Load(source.New("lb01.conf", []byte(text)), compiler.Options{})
	for _, d := range u.All {
		if d.Severity == diag.Error {
			t.Fatal(d.Message)
		}
	}
	return u.Config
}
