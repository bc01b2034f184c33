package state_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/grammar/source"
)

func compile(t *testing.T, text string) *ir.Config {
	t.Helper()
	u := compiler.Load(source.New("lb01.conf", []byte(text)), compiler.Options{})
	for _, d := range u.All {
		if d.Severity.String() == "error" {
			t.Log(d.Span, d.Message)
		}
	}
	return u.Config
}

// with is an instance with a line in one of its blocks.
func with(block, line string) string {
	return "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 7\n virtual_ipaddress {\n 10.0.0.3/24\n }\n " + block + " {\n " + line + "\n }\n}\n"
}

// TestRouteLines checks what a line becomes in the kernel: its key and its settings.
func TestRouteLines(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"10.8.0.0/16 via 10.0.0.8 dev eth0", "10.8.0.0/16: nexthop via 10.0.0.8 dev eth0"},
		{"src 10.0.0.3 to 10.8.1.7/16 via 10.0.0.8 metric 5", "10.8.0.0/16 metric 5: nexthop via 10.0.0.8, src 10.0.0.3"},
		{"default via 10.0.0.8 table 100", "default table 100: nexthop via 10.0.0.8"},
		{"10.8.0.0/16 dev eth0 scope link tos 0x10 protocol static no_track", "10.8.0.0/16 tos 0x10 proto static: nexthop dev eth0, scope link"},
		{"blackhole 10.8.0.0/16", "10.8.0.0/16: type blackhole"},
		{"2001:db8::/32 via fe80::8 dev eth0", "2001:db8::/32: nexthop via fe80::8 dev eth0"},
		{"unreachable 2001:db8::/32 metric 7", "2001:db8::/32 metric 7: type unreachable"},
		{"10.8.0.0/16 nexthop via 10.0.0.8 dev eth0 weight 2 nexthop via 10.0.0.9", "10.8.0.0/16: nexthop via 10.0.0.8 dev eth0 weight 2, via 10.0.0.9 weight 1"},
		{"10.8.0.0/16 via 10.0.0.8 dev eth0 onlink mtu lock 1400 realms 3/4", "10.8.0.0/16: nexthop via 10.0.0.8 dev eth0 onlink, options mtu 1400 mtu lock on realm 196612"},
		{"10.8.0.0/16 via 10.0.0.8 table 0", "10.8.0.0/16: nexthop via 10.0.0.8"},
		{"10.8.0.0/16 via 10.0.0.8 mtu 99999 advmss 70000", "10.8.0.0/16: nexthop via 10.0.0.8, options advmss 65495 mtu 65520"},
		{"2001:db8::/32 via fe80::8 dev eth0 mtu 99999", "2001:db8::/32: nexthop via fe80::8 dev eth0, options mtu 65520"},

		// Lines that would make a different route without the unsupported word are left out, and listed.
		{"10.8.0.0/16 encap ip dst 10.0.0.9 id 0x10 tos 0 dev eth0", "10.8.0.0/16: nexthop dev eth0 encap ip id 16 dst 10.0.0.9"},
		{"10.8.0.0/16 via 10.0.0.8 advmss lock 1300", "10.8.0.0/16: nexthop via 10.0.0.8, options advmss 1300 advmss lock on"},
		{"2001:db8::/48 via fe80::8 dev eth0 from 2001:db8:9::/48 pref 1 expires 60", "2001:db8::/48 from 2001:db8:9::/48: nexthop via fe80::8 dev eth0, expires 60s, options pref high"},
		{"10.8.0.0/16 via 10.0.0.8 table office", "left out: a line with the name office"},
		{"10.8.0.0/16 encap mpls 100 dev eth0", "left out: a line with encap mpls or its flags"},
		{"2001:db8::/32 encap ip6 dst “2001:db8::1” dev eth0", "2001:db8::/32: nexthop dev eth0 encap ip6 dst 2001:db8::1"},
		{"10.8.0.0/16 encap \"ip\u200b\" id 5 dst 10.0.0.9 dev eth0", "10.8.0.0/16: nexthop dev eth0 encap ip id 5 dst 10.0.0.9"},
		{"10.8.0.0/16 encap ip dst = 10.0.0.9 dev eth0", "10.8.0.0/16: nexthop dev eth0 encap ip dst 10.0.0.9"},
		{"10.8.0.0/16 encap mpls = = dev eth0", "left out: a line with encap mpls or its flags"},
		{"10.8.0.0/16 via 10.0.0.8 realms office", "left out: a line with realms by name"},
	} {
		cfg := compile(t, with("virtual_routes", c.line))
		var got []string
		for k, r := range state.Desired(cfg, state.AllMaster(cfg)).Routes {
			var settings []string
			for _, f := range r.Fields() {
				if f.Value != "" {
					settings = append(settings, f.Name+" "+f.Value)
				}
			}
			got = append(got, k.String()+": "+strings.Join(settings, ", "))
		}
		if text := strings.Join(append(got, left(cfg)...), "; "); text != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.line, text, c.want)
		}
	}
}

func TestRuleLines(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"from 10.8.0.0/16 table 100 priority 7", "7: from 10.8.0.0/16 lookup 100"},
		{"from 10.8.0.0/16 table 100", "16384: from 10.8.0.0/16 lookup 100"},
		{"not from 10.8.0.0/16 to 10.9.0.0/16 tos 0x10 fwmark 5/0xff iif eth0 lookup main preference 7", "7: not from 10.8.0.0/16 to 10.9.0.0/16 tos 0x10 fwmark 0x5/0xff iif eth0 lookup main"},
		{"from 2001:db8::/32 oif eth0 table 100 priority 7", "7: inet6 from 2001:db8::/32 oif eth0 lookup 100"},
		{"ipproto tcp dport 80-90 uidrange 100-200 table 100 priority 7", "7: from all uidrange 100-200 ipproto 6 dport 80-90 lookup 100"},
		{"ipproto tcp dport = 80 uidrange = 100 table 100 priority 7", "7: from all uidrange 100 ipproto 6 dport 80 lookup 100"},
		{"from 10.8.0.0/16 table main suppress_prefixlength 0 priority 7", "7: from 10.8.0.0/16 lookup main suppress_prefixlength 0"},
		{"from 10.8.0.0/16 blackhole priority 7", "7: from 10.8.0.0/16 blackhole"},
		{"from 10.8.0.0/16 goto 32766 priority 7", "7: from 10.8.0.0/16 goto 32766"},
		{"from 10.8.0.0/16 table 100 priority 7 no_track", "7: from 10.8.0.0/16 lookup 100 proto unspec"},

		{"from 10.8.0.0/16 table office priority 7", "left out: a line with the name office"},
		{"from 10.8.0.0/16 table 0 priority 7", "left out: a line with table 0"},
		{"iif eth0 l3mdev priority 7", "7: from all iif eth0 l3mdev"},
		{"from 10.8.0.0/16 tunnel-id 5 uidrange 0-0 table 100 priority 7", "7: from 10.8.0.0/16 uidrange 0-0 tun_id 5 lookup 100"},
	} {
		cfg := compile(t, with("virtual_rules", c.line))
		var got []string
		for k := range state.Desired(cfg, state.AllMaster(cfg)).Rules {
			got = append(got, k.String())
		}
		if text := strings.Join(append(got, left(cfg)...), "; "); text != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.line, text, c.want)
		}
	}
}

// left is what the compiler says about a line that is left out.
func left(cfg *ir.Config) (said []string) {
	for _, u := range cfg.NotEnforced {
		if u.Why == "the line is left out" {
			_, value, ok := strings.Cut(u.Keyword, " with ")
			if !ok {
				value = u.Keyword[strings.LastIndexByte(u.Keyword, '.')+1:]
			}
			said = append(said, "left out: a line with "+value)
		}
	}
	return said
}

// TestDesiredRouting checks when routes and rules exist.
func TestDesiredRouting(t *testing.T) {
	cfg := compile(t, "static_ipaddress {\n 10.9.0.1/24 dev eth0\n}\nstatic_routes {\n 10.7.0.0/16 via 10.0.0.9\n}\nstatic_rules {\n from 10.7.0.0/16 table 77 priority 7\n}\n"+
		with("virtual_routes", "10.8.0.0/16 via 10.0.0.8\n }\n virtual_rules {\n from 10.8.0.0/16 table 100 priority 8"))
	backup, stopping := state.Situation{}, state.AllMaster(cfg)
	stopping.Stopping = true
	for _, c := range []struct {
		name      string
		situation state.Situation
		want      []string // objects; those with a "-" are known to be absent
	}{
		{"master", state.AllMaster(cfg), []string{"10.0.0.3/24 dev eth0", "10.7.0.0/16", "10.8.0.0/16", "10.9.0.1/24 dev eth0", "7: from 10.7.0.0/16 lookup 77", "8: from 10.8.0.0/16 lookup 100"}},
		{"backup", backup, []string{"- 10.0.0.3/24 dev eth0", "- 10.8.0.0/16", "- 8: from 10.8.0.0/16 lookup 100", "10.7.0.0/16", "10.9.0.1/24 dev eth0", "7: from 10.7.0.0/16 lookup 77"}},
		{"stopping", stopping, []string{"- 10.0.0.3/24 dev eth0", "- 10.8.0.0/16", "- 8: from 10.8.0.0/16 lookup 100"}},
	} {
		s := state.Desired(cfg, c.situation)
		var got []string
		for k := range s.Addresses {
			got = append(got, k.String())
		}
		for k := range s.Routes {
			got = append(got, k.String())
		}
		for k := range s.Rules {
			got = append(got, k.String())
		}
		for k := range s.Absent {
			got = append(got, fmt.Sprint("- ", k))
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}
