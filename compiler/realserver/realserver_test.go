package realserver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/grammar/source"
)

// config is the file of a director with one virtual server.
func config(t *testing.T, head, method, server string) *ir.Config {
	t.Helper()
	text := fmt.Sprintf(`vrrp_instance V {
	interface eth0
	virtual_router_id 3
	virtual_ipaddress {
		10.0.0.3/24
		10.1.0.1/24 dev eth1
	}
}
virtual_server %s {
	lb_algo rr
	lb_kind %s
	protocol TCP
	real_server %s {
	}
}
`, head, method, server)
	return compiler.Load(source.New("lb.conf", []byte(text)), compiler.Options{}).Config
}

// host has addresses, each like "10.0.0.7/24 eth0", and default routes, each like "10.0.0.1".
func host(addresses, gateways []string) state.State {
	s := state.New()
	for _, a := range addresses {
		prefix, dev, _ := strings.Cut(a, " ")
		s.Addresses[state.AddressKey{Dev: dev, Prefix: netip.MustParsePrefix(prefix)}] = state.Address{}
	}
	for i, g := range gateways {
		k := state.RouteKey{Table: ir.MainTable, Dst: netip.MustParsePrefix("0.0.0.0/0"), Metric: uint32(i)}
		s.Routes[k] = state.Route{Hops: []state.Hop{{Via: netip.MustParseAddr(g)}}}
	}
	return s
}

// TestWant checks what each forwarding method requires of a host, as a plan, and which problems remain.
func TestWant(t *testing.T) {
	quiet := "net.ipv4.conf.all.arp_announce=2 net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2 net.ipv4.conf.eth0.arp_ignore=1"
	for _, c := range []struct {
		name, head, method, server string
		addresses, gateways        []string
		want, problem              string
	}{
		{name: "DR", head: "10.0.0.3 80", method: "DR", server: "10.0.0.7 80", addresses: []string{"10.0.0.7/24 eth0"},
			want: quiet + " 10.0.0.3/32 dev lo"},
		{name: "DR of IPv6 wants no silence", head: "2001:db8::3 80", method: "DR", server: "2001:db8::7 80", addresses: []string{"2001:db8::7/64 eth0"},
			want: "2001:db8::3/128 dev lo"},
		{name: "TUN", head: "10.0.0.3 80", method: "TUN", server: "10.0.0.7 80", addresses: []string{"10.0.0.7/24 eth0"},
			want: "tunl0=ipip " + quiet + " net.ipv4.conf.tunl0.rp_filter=2 10.0.0.3/32 dev tunl0"},
		{name: "TUN of IPv6", head: "2001:db8::3 80", method: "TUN", server: "2001:db8::7 80", addresses: []string{"2001:db8::7/64 eth0"},
			want: "ip6tnl0=ip6tnl 2001:db8::3/128 dev ip6tnl0"},
		{name: "another host", head: "10.0.0.3 80", method: "DR", server: "10.0.0.9 80", addresses: []string{"10.0.0.7/24 eth0"}},
		{name: "the address is on the link", head: "10.0.0.3 80", method: "DR", server: "10.0.0.7 80", addresses: []string{"10.0.0.7/24 eth0", "10.0.0.3/24 eth0"},
			want: quiet, problem: "10.0.0.3 is here already, on eth0"},
		{name: "a firewall mark", head: "fwmark 7", method: "DR", server: "10.0.0.7 80", addresses: []string{"10.0.0.7/24 eth0"},
			problem: "fwmark 7 names no address"},
		{name: "gue", head: "10.0.0.3 80", method: "TUN type gue port 5555", server: "10.0.0.7 80", addresses: []string{"10.0.0.7/24 eth0"},
			problem: "tunnels of type gue port 5555 are not set up"},
		{name: "NAT through the director", head: "10.0.0.3 80", method: "NAT", server: "10.1.0.7 80", addresses: []string{"10.1.0.7/24 eth0"}, gateways: []string{"10.1.0.1"}},
		{name: "NAT without a default route", head: "10.0.0.3 80", method: "NAT", server: "10.1.0.7 80", addresses: []string{"10.1.0.7/24 eth0"},
			want: "default proto static via 10.1.0.1"},
		{name: "NAT past the director", head: "10.0.0.3 80", method: "NAT", server: "10.1.0.7 80", addresses: []string{"10.1.0.7/24 eth0"}, gateways: []string{"10.1.0.9"},
			problem: "the default route is via 10.1.0.9, not via 10.1.0.1"},
		{name: "NAT without a gateway in the file", head: "10.0.0.3 80", method: "NAT", server: "10.2.0.7 80", addresses: []string{"10.2.0.7/24 eth0"}, gateways: []string{"10.2.0.9"},
			problem: "look whether the default route via 10.2.0.9 is one of the director"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, have := config(t, c.head, c.method, c.server), host(c.addresses, c.gateways)
			want, problems := Want(cfg, Roles(cfg, have, nil), have)
			if got := changes(plan.Diff(have, want, nil)); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			var text []string
			for _, p := range problems {
				text = append(text, p.Text)
			}
			if got := strings.Join(text, "; "); !strings.Contains(got, c.problem) || (got == "") != (c.problem == "") {
				t.Errorf("problems: %q, want %q", got, c.problem)
			}
		})
	}
}

// changes are the additions of a plan in its order.
func changes(p plan.Plan) string {
	var words []string
	for _, c := range p {
		text := c.Key.String()
		switch after := c.After.(type) {
		case nil:
			continue
		case state.Sysctl:
			text += "=" + after.Value
		case state.Route:
			text += " via " + after.Hops[0].Via.String()
		case state.Tunnel:
			text += "=" + after.Kind
		}
		words = append(words, text)
	}
	return strings.Join(words, " ")
}

// TestAddr checks that --addr replaces the host's addresses.
func TestAddr(t *testing.T) {
	cfg, have := config(t, "10.0.0.3 80", "DR", "10.0.0.9 80"), host([]string{"10.0.0.7/24 eth0"}, nil)
	roles := Roles(cfg, have, []netip.Addr{netip.MustParseAddr("10.0.0.9")})
	if len(roles) != 1 || roles[0].Dev != "" {
		t.Errorf("roles: %+v", roles)
	}
}

// TestJournal checks that what was changed is restored to its first value, and that the changes of others stay.
func TestJournal(t *testing.T) {
	ignore, announce := state.SysctlKey{File: "net/ipv4/conf/all/arp_ignore"}, state.SysctlKey{File: "net/ipv4/conf/all/arp_announce"}
	vip := state.AddressKey{Dev: "lo", Prefix: netip.MustParsePrefix("10.0.0.3/32")}
	var j Journal
	if !j.Empty() {
		t.Error("a new journal is not empty")
	}
	set := func(k state.SysctlKey, before, after string) {
		j.Note(plan.Change{Action: plan.Edit, Key: k, After: state.Sysctl{Value: after}}, before)
	}
	set(ignore, "0", "2")
	set(ignore, "2", "1") // applied twice
	set(announce, "0", "2")
	j.Note(plan.Change{Action: plan.Add, Key: vip, After: state.Address{}}, "")

	have := host([]string{"10.0.0.7/24 eth0", "10.0.0.3/32 lo"}, nil)
	have.Sysctls[ignore], have.Sysctls[announce] = state.Sysctl{Value: "1"}, state.Sysctl{Value: "1"}
	want, left := j.Undo(have)
	var got []string
	for _, c := range plan.Diff(have, want, nil) {
		if c.Action != plan.Foreign {
			got = append(got, string(c.Action)+" "+c.Key.String())
		}
	}
	if want := []string{"- 10.0.0.3/32 dev lo", "~ net.ipv4.conf.all.arp_ignore"}; !slices.Equal(got, want) {
		t.Errorf("undo: %q, want %q", got, want)
	}
	if want.Sysctls[ignore].Value != "0" || len(left) != 1 || !strings.Contains(left[0], "arp_announce is 1 now, not 2") {
		t.Errorf("arp_ignore goes back to %q; left: %q", want.Sysctls[ignore].Value, left)
	}
}
