package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keepc/runtime/lab"
)

// routed is a director with routes and rules of every kind that is enforced. Its lines are in keepalived's language,
// so that both programs read them.
const routed = `static_ipaddress {
    10.9.0.1/24 dev eth0
}
static_routes {
    10.7.0.0/16 via 10.0.0.9 dev eth0
}
static_rules {
    from 10.7.0.0/16 table 77 priority 701
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 255
    virtual_ipaddress {
        10.0.0.3/24
    }
    virtual_routes {
        src 10.0.0.3 to 10.8.0.0/16 via 10.0.0.8 dev eth0 metric 5
        10.8.1.0/24 dev eth0 scope link
        10.8.2.0/24 dev eth0
        default via 10.0.0.8 dev eth0 table 100
        blackhole 10.8.3.0/24
        unreachable 10.8.4.0/24 table 100 metric 9
        10.8.5.0/24 nexthop via 10.0.0.8 dev eth0 weight 2 nexthop via 10.0.0.9 dev eth0
        10.8.6.0/24 via 10.0.0.8 mtu 1400 advmss 1300 hoplimit 9 rtt 300ms initcwnd 20
        10.8.7.0/24 via 10.0.0.8 dev eth0 mtu lock 1400
        10.8.8.8 via 10.0.0.8
        10.8.9.0/24 via 10.10.10.1 dev eth0 onlink
        10.8.10.0/24 via 10.0.0.8 realms 7
        10.8.11.0/24 via 10.0.0.8 tos 0x10
        throw 10.8.12.0/24 table 1000
        10.8.13.0/24 via 10.0.0.8 dev eth0 no_track protocol static
        10.99.0.0/16 via 10.0.0.8 dev eth0
        2001:db8:1::/48 via fe80::8 dev eth0
        2001:db8:2::/48 dev eth0 metric 77
        unreachable 2001:db8:3::/48
        10.8.20.0/24 via 10.0.0.8 dev eth0 table named
        10.8.21.0/24 via 10.0.0.8 dev eth0 realms foo
        10.8.22.0/24 via 10.0.0.8 dev eth0 realms 3/foo
        10.8.23.0/24 via 10.0.0.8 dev eth0 advmss lock 1300
        10.8.24.0/24 via 10.0.0.8 dev eth0 rtt lock 300ms mtu lock 1400
        10.8.25.0/24 via 10.0.0.8 dev eth0 congctl lock reno
        10.8.26.0/24 via 10.0.0.8 dev eth0 features ecn ttl-propagate enabled
        10.8.27.0/24 nexthop via 10.0.0.8 dev eth0 weight 2 realms 5 nexthop via 10.0.0.9 dev eth0 realms 1/2
        10.8.28.0/24 via 10.0.0.8 dev eth0 append
        10.8.29.0/24 encap ip id 5 dst 10.0.0.9 src 10.0.0.1 via 10.0.0.8 dev eth0
        10.8.30.0/24 encap ip6 id 5 dst fd00::1 via 10.0.0.8 dev eth0
        10.8.31.0/24 via 10.0.0.8 dev eth0 protocol babel no_track
        2001:db8:11::/48 via fe80::8 dev eth0 expires 100000
        2001:db8:12::/48 via fe80::8 dev eth0 pref high
        2001:db8:13::/48 via fe80::8 dev eth0 pref low expires 50000 metric 5
        2001:db8:14::/48 from 2001:db8:9::/48 via fe80::8 dev eth0
        2001:db8:15::/48 via fe80::8 dev eth0 pref medium
        2001:db8:16::/48 encap ip6 id 7 dst fd00::2 via fe80::8 dev eth0
        2001:db8:4::/48 nexthop via fe80::8 dev eth0 nexthop via fe80::9 dev eth0 weight 3
    }
    virtual_rules {
        from 10.8.0.0/16 table 100
        to 10.8.0.0/16 table 100 priority 300
        from 10.8.0.0/16 to 10.9.0.0/16 fwmark 0x5/0xff iif eth0 lookup 100 priority 301
        from 10.8.1.0/24 blackhole priority 302
        from 10.8.2.0/24 goto 305 priority 303
        not from 10.8.3.0/24 table 100 priority 305
        from 10.8.4.0/24 table main suppress_prefixlength 0 priority 306
        to 10.8.5.0/24 ipproto tcp dport 80-90 table 100 priority 307
        from 2001:db8::/32 table 100
        from 10.8.6.0/24 uidrange 100-200 table 100 priority 308
        from 10.8.7.0/24 oif eth0 tos 0x10 prohibit priority 309
        from 10.8.20.0/24 table named priority 320
        from 10.8.21.0/24 realms foo table 100 priority 321
        l3mdev priority 322
        from 10.8.22.0/24 tunnel-id 77 table 100 priority 323
        from 10.8.23.0/24 uidrange 0-0 table 100 priority 324
        from 10.8.24.0/24 table 100 suppress_ifgroup grp priority 325
        from 10.8.8.0/24 table 1000 priority 310 no_track
    }
}
`

// TestSameRoutes checks that as MASTER, keepc makes the routes and rules that keepalived makes, beside foreign ones,
// and leaves as little when it stops.
func TestSameRoutes(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "ip")
	traces := map[program]string{}
	for _, p := range []program{keepalived, keepc} {
		h := oneHost(t)
		nameRouting(t, h)
		h.Run("ip", "route", "add", "10.99.0.0/16", "via", "10.0.0.7", "proto", "static")
		before := routing(t, h)
		file := filepath.Join(h.Dir(), "routed.conf")
		if err := os.WriteFile(file, []byte(routed), 0o600); err != nil {
			t.Fatal(err)
		}
		line := keepcArgs(t, "run", "-v", file)
		if p == keepalived {
			line = append([]string{"keepalived"}, lab.KeepalivedFlags("/run", file, "-P")...)
		}
		director := h.Start(line[0], line[1:]...)
		last := "310:" // rules come last for both programs
		lab.Eventually(t, 15*time.Second, string(p)+" to make its last rule", func() bool {
			return strings.Contains(h.Run("ip", "rule"), last) && strings.Contains(h.Run("ip", "-6", "rule"), "2001:db8::/32")
		})
		traces[p] = routing(t, h)
		director.Stop()
		lab.Eventually(t, 5*time.Second, string(p)+" to take all away", func() bool { return routing(t, h) == before })
	}
	if d := cmp.Diff(strings.Split(traces[keepalived], "\n"), strings.Split(traces[keepc], "\n")); d != "" {
		t.Errorf("-keepalived +keepc:\n%s", d)
	}
	t.Log(traces[keepc])
}

// TestPlanOfWhatIsRemoved checks that a plan beside a running director shows what the reload then removes; routes that
// merely carry the mark of both programs stay in either case.
func TestPlanOfWhatIsRemoved(t *testing.T) {
	t.Parallel()
	h := oneHost(t)
	file := func(name, addresses, routes string) string {
		t.Helper()
		path := filepath.Join(h.Dir(), name)
		text := "vrrp_instance VI_1 {\n\tstate MASTER\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority 255\n\tvirtual_ipaddress {\n\t\t" + addresses + "\n\t}\n" + routes + "}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	h.Run("ip", "route", "add", "172.31.0.0/16", "via", "10.0.0.9", "proto", "18")
	running := file("lb01.conf", "10.0.0.50/24\n\t\t10.0.0.60/24", "\tvirtual_routes {\n\t\t10.8.0.0/16 via 10.0.0.8\n\t}\n")
	line := keepcArgs(t, "run", "-v", running)
	director := h.Start(line[0], line[1:]...)
	lab.Eventually(t, 10*time.Second, "the route", func() bool { return strings.Contains(h.Run("ip", "route"), "10.8.0.0/16") })

	next := file("new.conf", "10.0.0.50/24", "")
	line = keepcArgs(t, "plan", next)
	want := "\n  # no longer in the configuration\n  - route 10.8.0.0/16\n  - address 10.0.0.60/24 dev eth0\n\n  . route 172.31.0.0/16 is marked keepalived, not ours; left alone\n"
	lab.Eventually(t, 5*time.Second, "the plan", func() bool { return strings.Contains(h.Run(line[0], line[1:]...), want) })

	text, err := os.ReadFile(next)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(running, text, 0o600); err != nil {
		t.Fatal(err)
	}
	director.Signal(syscall.SIGHUP)
	director.WaitLog("2 removed", 5*time.Second)
	if h.HasAddr(netip.MustParseAddr("10.0.0.60")) || strings.Contains(h.Run("ip", "route"), "10.8.0.0/16") {
		t.Errorf("the reload did not do what was planned:\n%s", routing(t, h))
	}
	director.Stop()
	if routes := h.Run("ip", "route"); !strings.Contains(routes, "172.31.0.0/16") {
		t.Errorf("somebody else's route is gone:\n%s", routes)
	}
}

// TestRoutesAsTheKernelKeepsThem checks that what the kernel changes in a request is not a difference afterwards.
func TestRoutesAsTheKernelKeepsThem(t *testing.T) {
	t.Parallel()
	h := oneHost(t)
	file := filepath.Join(h.Dir(), "lb01.conf")
	text := `vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 255
    virtual_ipaddress {
        10.0.0.3/24
    }
    virtual_routes {
        10.8.1.0/24 via 10.0.0.8 mtu 99999
        10.8.2.0/24 via 10.0.0.8 advmss 70000
        10.8.3.0/24 via 10.0.0.8 table 0
        2001:db8:1::/48 via fe80::8 dev eth0 mtu 99999
        10.8.4.0/24 via 10.0.0.8 hoplimit 64
    }
}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	line := keepcArgs(t, "run", file)
	director := h.Start(line[0], line[1:]...)
	lab.Eventually(t, 10*time.Second, "the routes", func() bool { return strings.Contains(h.Run("ip", "route"), "10.8.4.0/24") })
	line = keepcArgs(t, "plan", file)
	if out := h.Run(line[0], line[1:]...); !strings.Contains(out, "No changes.") {
		t.Errorf("the plan of what is in force:\n%s\n%s", out, routing(t, h))
	}
	director.Stop()
}

// nameRouting gives a host its own names for a routing table, a realm and a group of interfaces.
func nameRouting(t *testing.T, h *lab.Host) {
	t.Helper()
	dir := filepath.Join(h.Dir(), "iproute2")
	h.Run("cp", "-r", "/etc/iproute2", dir)
	for file, line := range map[string]string{"rt_tables": "200 named", "rt_realms": "7 foo", "group": "9 grp"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), append(text, "\n"+line+"\n"...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h.Run("mount", "--bind", dir, "/etc/iproute2")
}

var timeLeft = regexp.MustCompile(`expires \d+sec`)

// oneHost returns a host with 10.0.0.1/24 on a segment of its own.
func oneHost(t *testing.T) *lab.Host {
	t.Helper()
	n := lab.New(t)
	return n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "10.0.0.1/24"))
}

// routing returns what ip lists of addresses, routes and rules, without the local table.
func routing(t *testing.T, h *lab.Host) string {
	t.Helper()
	var all []string
	for _, family := range []string{"-4", "-6"} {
		routes := h.Run("ip", family, "-d", "route", "show", "table", "all")
		lines := slices.DeleteFunc(strings.Split(routes, "\n"), func(line string) bool { return strings.Contains(line, "table local") })
		all = append(all, strings.Join(lines, "\n"), h.Run("ip", family, "-d", "rule"))
	}
	return timeLeft.ReplaceAllString(strings.Join(append(all, h.Run("ip", "-4", "-brief", "addr")), "\n"), "expires soon")
}
