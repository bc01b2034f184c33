package probe_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
)

func TestPing(t *testing.T) {
	t.Parallel()
	n := lab.New(t)
	lan := n.Segment("lan")
	h := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.5/24", "10.0.0.6/24", "2001:db8::5/64"))
	web1 := n.Host("web1", lab.On(lan, "eth0", "10.0.0.7/24", "2001:db8::7/64"))
	at := func(address string, change func(*ir.Connection)) *ir.Check {
		c := &ir.Check{Checker: &ir.PingCheck{}, Connection: ir.Connection{Target: netip.AddrPortFrom(netip.MustParseAddr(address), 80)}}
		change(&c.Connection)
		return c
	}
	nothing := func(*ir.Connection) {}
	h.Run("ip", "neigh", "add", "10.0.0.8", "lladdr", "02:00:00:00:08:08", "dev", "eth0")
	for _, groups := range []string{"1\t0", "0\t100"} { // nobody may, so that the socket is a raw one; then anybody may
		h.Sysctl("net/ipv4/ping_group_range", groups)
		for _, c := range []struct {
			name  string
			check *ir.Check
			want  string
		}{
			{"answers", at("10.0.0.7", nothing), ""},
			{"answers over IPv6", at("2001:db8::7", nothing), ""},
			{"itself", at("10.0.0.5", nothing), ""},
			{"from an address", at("10.0.0.7", func(c *ir.Connection) { c.BindTo = netip.MustParseAddrPort("10.0.0.6:0") }), ""},
			{"from an address of somebody else", at("10.0.0.7", func(c *ir.Connection) { c.BindTo = netip.MustParseAddrPort("192.0.2.1:0") }),
				"no verdict: bind: cannot assign requested address"},
			{"over an interface", at("10.0.0.7", func(c *ir.Connection) { c.BindIf = "eth0" }), ""},
			{"over no interface", at("10.0.0.7", func(c *ir.Connection) { c.BindIf = "eth77" }), "no verdict: bind to interface eth77: no such device"},
			{"no route", at("192.0.2.1", nothing), "connect: network is unreachable"},
			{"never answers", at("10.0.0.8", nothing), "no answer within 300ms"},
		} {
			limit := limit
			if strings.Contains(c.want, "within") {
				limit = 300 * time.Millisecond
			}
			if got := on(h, t.Context(), c.check, limit); got != c.want {
				t.Errorf("groups %q: %s: got %q, want %q", groups, c.name, got, c.want)
			}
		}
	}
	web1.Sysctl("net/ipv4/icmp_echo_ignore_all", "1")
	if got := on(h, t.Context(), at("10.0.0.7", nothing), 200*time.Millisecond); got != "no answer within 200ms" {
		t.Errorf("a host that says nothing: got %q", got)
	}
}
