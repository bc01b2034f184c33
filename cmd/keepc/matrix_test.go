package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// A feature is something that a pair of directors uses in addition to the simplest file.
type feature struct {
	name     string
	global   string
	instance string // DIR is replaced by the directory of a host, SRC and PEER by the addresses of a host and of the other one
	top      string // outside the instance
	addrs    string // replaces 192.0.2.10/24
	version2 bool
	stays    bool // the MASTER remains MASTER when the other one comes back: nopreempt
	deaf     bool // the link is not what the instance tracks
}

// features are those of the matrix, grouped by subject.
var features = []feature{
	{name: "version 3"},
	{name: "version 2", version2: true},
	{name: "version 2, PASS", version2: true, instance: "authentication {\n auth_type PASS\n auth_pass s3cr3t\n }"},
	{name: "version 2, AH", version2: true, instance: "authentication {\n auth_type AH\n auth_pass s3cr3t\n }"},
	{name: "IPv6", addrs: "fe80::10/64\n fd00::10/64"},
	{name: "IPv4 with excluded IPv6", instance: "virtual_ipaddress_excluded {\n fd00::11/64\n }"},
	{name: "excluded addresses", instance: "virtual_ipaddress_excluded {\n 192.0.2.11/24\n 192.0.2.12/32\n }"},
	{name: "25 addresses", addrs: many(25)},
	{name: "address words", addrs: "192.0.2.10/24 brd 192.0.2.255 label eth0:v\n 192.0.2.13/32 scope host\n 192.0.2.14/24 noprefixroute"},
	{name: "address on another interface", addrs: "192.0.2.10/24\n 198.51.100.10/24 dev eth1"},
	{name: "unicast", instance: "unicast_src_ip SRC\n unicast_peer {\n PEER\n }"},
	{name: "unicast, version 2, PASS", version2: true, instance: "unicast_src_ip SRC\n unicast_peer {\n PEER\n }\n authentication {\n auth_type PASS\n auth_pass s3cr3t\n }"},
	{name: "unicast, TTL", instance: "unicast_src_ip SRC\n unicast_ttl 7\n unicast_peer {\n PEER min_ttl 7 max_ttl 7\n }"},
	{name: "unicast, check_unicast_src", instance: "unicast_src_ip SRC\n check_unicast_src\n unicast_peer {\n PEER\n }"},
	{name: "multicast group", global: "vrrp_mcast_group4 224.0.0.99"},
	{name: "mcast_src_ip", instance: "mcast_src_ip SRC"},
	{name: "use_vmac", instance: "use_vmac"},
	{name: "use_vmac, name and vmac_xmit_base", instance: "use_vmac vrrp51\n vmac_xmit_base"},
	{name: "use_vmac, IPv6", instance: "use_vmac", addrs: "fe80::10/64\n fd00::10/64"},
	{name: "use_vmac, own MAC", instance: "use_vmac vrrp51 02:00:5e:10:00:51"},
	{name: "no_accept", instance: "no_accept"},
	{name: "accept", instance: "accept"},
	{name: "strict mode", instance: "strict_mode on"},
	{name: "nopreempt", instance: "nopreempt", stays: true},
	{name: "preempt_delay", instance: "preempt_delay 2"},
	{name: "sync group", top: "vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\nvrrp_instance VI_2 {\n interface eth0\n virtual_router_id 52\n priority PRIORITY\n advert_int 0.2\n virtual_ipaddress {\n 192.0.2.20/24\n }\n}\n"},
	{name: "virtual routes", instance: "virtual_routes {\n 203.0.113.0/24 via 192.0.2.254 dev eth0\n 203.0.114.0/24 dev eth1 table 100 metric 7\n blackhole 203.0.115.0/24\n }"},
	{name: "multipath route", instance: "virtual_routes {\n 203.0.113.0/24 nexthop via 192.0.2.253 dev eth0 weight 2 nexthop via 192.0.2.254 dev eth0 weight 1\n }"},
	{name: "virtual rules", instance: "virtual_rules {\n from 192.0.2.10 table 100 priority 1000\n to 203.0.113.0/24 iif eth0 table 100 priority 1001\n }"},
	{name: "dont_track_primary", instance: "dont_track_primary", deaf: true},
	{name: "track_interface", instance: "track_interface {\n eth1\n }"},
	{name: "garp words", instance: "garp_master_delay 1\n garp_master_repeat 2\n garp_master_refresh 1\n garp_master_refresh_repeat 2\n garp_lower_prio_delay 1\n garp_lower_prio_repeat 1"},
	{name: "garp_interval", global: "vrrp_garp_interval 0.001\n vrrp_gna_interval 0.001"},
	{name: "skip_check_adv_addr", global: "vrrp_skip_check_adv_addr"},
	{name: "lower_prio_no_advert", global: "vrrp_lower_prio_no_advert true"},
	{name: "higher_prio_send_advert", global: "vrrp_higher_prio_send_advert true"},
	{name: "promote_secondaries", instance: "promote_secondaries"},
	{name: "dynamic_interfaces", global: "dynamic_interfaces"},
	{name: "notify fifo", global: "vrrp_notify_fifo DIR/fifo"},
	{name: "10 ms", instance: "advert_int 0.01"},
}

// many returns a number of addresses of a network, one per line.
func many(n int) string {
	lines := []string{"192.0.2.10/24"}
	for i := range n - 1 {
		lines = append(lines, fmt.Sprintf("192.0.2.%d/24", 100+i))
	}
	return strings.Join(lines, "\n ")
}

// text returns the file of a host, which is the first or the second one.
func (f feature) text(dir string, first bool) string {
	self, other, self6, other6, priority := "192.0.2.1", "192.0.2.2", "fe80::1", "fe80::2", "150"
	if !first {
		self, other, self6, other6, priority = other, self, other6, self6, "100"
	}
	if strings.HasPrefix(f.addrs, "fe80") {
		self, other = self6, other6
	}
	version, interval := "3", "0.2"
	if f.version2 {
		version, interval = "2", "1"
	}
	if strings.Contains(f.instance, "advert_int") {
		interval = ""
	} else {
		interval = " advert_int " + interval + "\n"
	}
	addrs := f.addrs
	if addrs == "" {
		addrs = "192.0.2.10/24"
	}
	text := "global_defs {\n vrrp_version " + version + "\n " + f.global + "\n}\n" +
		"track_file tracked {\n file DIR/tracked\n weight 0\n init_file 0\n}\n" +
		"vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority PRIORITY\n" + interval +
		" track_file {\n tracked\n }\n virtual_ipaddress {\n " + addrs + "\n }\n " + f.instance + "\n}\n" + f.top
	return strings.NewReplacer("DIR", dir, "SRC", self, "PEER", other, "PRIORITY", priority).Replace(text)
}

// TestMatrix plays, for each feature, one story with a pair of keepc and keepalived, both ways: one master at rest,
// takeover when it stops, when its link goes down and when what it tracks fails, and each time back; a router that is
// not MASTER has no address, route or rule, and the MASTER has those that the other program had; nothing is left when
// both stop. KEEPC_INTEROP=1, as in "make interop", plays all of them and prints the matrix; without it every eighth
// is played.
func TestMatrix(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes a minute")
	}
	lab.NeedPrograms(t, "keepalived", "ip", "nft")
	program := shipped(t)
	var mu sync.Mutex
	cells := map[string]string{}
	t.Run("cells", func(t *testing.T) {
		for n, f := range features {
			if os.Getenv("KEEPC_INTEROP") == "" && n%8 != 2 {
				continue
			}
			for _, first := range []string{"keepc", "keepalived"} {
				t.Run(f.name+"/"+first+" first", func(t *testing.T) {
					t.Parallel()
					defer func() {
						mu.Lock()
						defer mu.Unlock()
						cells[f.name+first] = "passed"
						if t.Failed() {
							cells[f.name+first] = "FAILED"
						}
					}()
					playCell(t, f, program, first == "keepc")
				})
			}
		}
	})
	if os.Getenv("KEEPC_INTEROP") == "" {
		return
	}
	fmt.Printf("%-40s %-22s %s\n", "", "keepc, then keepalived", "keepalived, then keepc")
	for _, f := range features {
		fmt.Printf("%-40s %-22s %s\n", f.name, cells[f.name+"keepc"], cells[f.name+"keepalived"])
	}
	fmt.Printf("%d cells\n", len(cells))
}

// A partner is one of the two directors of a cell.
type partner struct {
	*lab.Host
	conf   string
	keepc  string // the program; empty: keepalived
	daemon *lab.Process
	before string // what existed before it ran
}

func (s *partner) start() {
	if s.keepc != "" {
		s.daemon = s.Start(s.keepc, "run", s.conf)
		return
	}
	s.daemon = s.Start("keepalived", "--dont-fork", "--log-console", "--log-detail", "--vrrp", "--use-file", s.conf)
}

// objects returns what a director makes: addresses, routes and rules, without those of virtual interfaces and those
// that the kernel derives from addresses.
func (s *partner) objects() string {
	var lines []string
	all := "for words in '-o -4 addr' '-o -6 addr' 'route show table all proto keepalived' '-6 route show table all proto keepalived' rule '-6 rule'; do ip $words 2>/dev/null; done; true"
	for line := range strings.Lines(s.Run("sh", "-c", all)) {
		line, _, _ = strings.Cut(line, ` \`)
		if number, rest, numbered := strings.Cut(line, ": "); numbered && strings.Trim(number, "0123456789") == "" {
			line = rest
		}
		if strings.Contains(line, "fe80::") && !strings.Contains(line, "fe80::10/") {
			continue
		}
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// made returns the objects that did not exist before.
func (s *partner) made() string {
	before := strings.Split(s.before, "\n")
	return strings.Join(slices.DeleteFunc(strings.Split(s.objects(), "\n"), func(line string) bool { return slices.Contains(before, line) }), "\n")
}

// links are the names of all interfaces.
func (s *partner) links() string {
	return s.Run("sh", "-c", "ip -o link | cut -d: -f2 | sort")
}

func playCell(t *testing.T, f feature, program string, keepcFirst bool) {
	n := lab.New(t)
	lan := n.Segment("lan")
	var sides [2]*partner
	for i := range sides {
		h := n.Host(fmt.Sprintf("lb%d", i+1),
			lab.On(lan, "eth0", fmt.Sprintf("192.0.2.%d/24", i+1), fmt.Sprintf("fe80::%d/64", i+1)),
			lab.On(n.Segment(fmt.Sprintf("other%d", i)), "eth1", "198.51.100.1/24"))
		s := &partner{Host: h, conf: filepath.Join(h.Dir(), "keepalived.conf")}
		if keepcFirst == (i == 0) {
			s.keepc = program
		}
		if err := os.WriteFile(s.conf, []byte(f.text(h.Dir(), i == 0)), 0o600); err != nil {
			t.Fatal(err)
		}
		s.before = s.objects()
		sides[i] = s
	}
	one, two := sides[0], sides[1]
	linksBefore := [2]string{one.links(), two.links()}
	track := func(s *partner, value string) {
		if err := os.WriteFile(filepath.Join(s.Dir(), "tracked"), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := netip.MustParseAddr("192.0.2.10")
	if strings.HasPrefix(f.addrs, "fe80") {
		address = netip.MustParseAddr("fd00::10")
	}
	var whole string // what a master makes
	holds := func(master, other *partner, when string) {
		t.Helper()
		limit := time.Now().Add(lab.Patience(30 * time.Second))
		var m, o string
		for settled := 0; settled < 3; {
			time.Sleep(200 * time.Millisecond)
			late := time.Now().After(limit)
			if has := master.HasAddr(address) && !other.HasAddr(address); !has && !late {
				settled = 0
				continue // asking for all takes seven processes
			}
			m, o = master.made(), ""
			if other.daemon != nil {
				o = other.made()
			}
			if ok := master.HasAddr(address) && o == "" && m != "" && (whole == "" || whole == m); ok {
				settled++
			} else if settled = 0; late {
				t.Errorf("%s: %s has\n%s\n%s has\n%s\nand a master had\n%s\nlogs:\n%s\n%s", when, master.Name(), m, other.Name(), o, whole, tail(master), tail(other))
				t.FailNow()
			}
		}
		if whole == "" {
			whole = m
		}
	}
	back := func(when string) {
		t.Helper()
		if f.stays {
			holds(two, one, when)
			two.daemon.Signal(syscall.SIGTERM) // so that the first one has the role for what follows
			<-two.daemon.Done()
			holds(one, two, when+" and the other one's stop")
			two.start()
		}
		holds(one, two, when)
	}
	one.start()
	two.start()
	holds(one, two, "at rest")
	one.daemon.Signal(syscall.SIGTERM)
	holds(two, one, "after the master's stop")
	<-one.daemon.Done()
	if left := one.made(); left != "" {
		t.Errorf("after its stop the first one leaves\n%s", left)
	}
	one.start()
	back("after its return")
	if !f.deaf {
		one.Link("eth0").Down()
		holds(two, one, "after the master's link went")
		one.Link("eth0").Up()
		back("after the link came back")
	}
	track(one, "1")
	holds(two, one, "after what it tracks failed")
	track(one, "0")
	back("after what it tracks is well")
	for i, s := range sides {
		s.daemon.Signal(syscall.SIGTERM)
		<-s.daemon.Done()
		if left := s.made(); left != "" {
			t.Errorf("lb%d leaves\n%s", i+1, left)
		}
		if links := s.links(); links != linksBefore[i] {
			t.Errorf("lb%d leaves the interfaces\n%s", i+1, links)
		}
	}
}

// tail returns the end of a director's log.
func tail(s *partner) string {
	if s.daemon == nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(s.daemon.Log(), "\n"), "\n")
	return s.Name() + ":\n" + strings.Join(lines[max(0, len(lines)-15):], "\n")
}
