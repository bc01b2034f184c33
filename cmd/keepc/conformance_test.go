package main

import (
	"encoding/json"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
	"keepc/runtime/status"
	"keepc/runtime/vrrp"
)

const conformance = `
vrrp_instance two {
	interface eth0
	virtual_router_id 51
	priority 100
	authentication {
		auth_type PASS
		auth_pass secret
	}
	virtual_ipaddress {
		10.0.0.51/24
	}
}
vrrp_instance three {
	interface eth0
	virtual_router_id 52
	version 3
	priority 100
	virtual_ipaddress {
		10.0.0.52/24
	}
}
vrrp_instance owner {
	interface eth0
	virtual_router_id 53
	version 3
	priority 255
	virtual_ipaddress {
		10.0.0.53/24
	}
}
vrrp_instance six {
	interface eth0
	virtual_router_id 54
	version 3
	priority 100
	virtual_ipaddress {
		fe80::54/64
	}
}
vrrp_instance peer {
	interface eth0
	virtual_router_id 55
	version 3
	priority 100
	unicast_src_ip 10.0.0.1
	unicast_peer {
		10.0.0.101 min_ttl 64 max_ttl 254
	}
	virtual_ipaddress {
		10.0.0.55/24
	}
}
vrrp_instance anybody {
	interface eth0
	virtual_router_id 56
	version 3
	priority 100
	unicast_src_ip fd00::1
	unicast_peer {
		fd00::101
	}
	virtual_ipaddress {
		fd00::56/64
	}
}
vrrp_instance signed {
	interface eth0
	virtual_router_id 57
	priority 100
	authentication {
		auth_type AH
		auth_pass secret
	}
	virtual_ipaddress {
		10.0.0.57/24
	}
}
`

// A receiveCheck is an advertisement, and what an instance of conformance does with it.
type receiveCheck struct {
	name     string
	instance string
	packet   crafted
	want     counts // the counters that rise; none: it is not counted
	differs  string // what keepalived 2.2.7 does differently; empty: nothing
}

type counts map[string]uint64

// receiveChecks are advertisements with one fault each: RFC 3768 section 7.1 (VRRPv2), RFC 9568 section 7.1 (VRRPv3), RFC 2402 section 3.4.
// linkLocal is the address of the receiver's interface.
func receiveChecks(linkLocal netip.Addr) []receiveCheck {
	here4, here6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	address := func(a string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(a)} }
	two := vrrp.Packet{Version: 2, VRID: 51, Priority: 50, Interval: time.Second, AuthType: ir.AuthPass, Auth: ir.NewSecret("secret"), Addresses: address("10.0.0.51")}
	three := vrrp.Packet{Version: 3, VRID: 52, Priority: 50, Interval: time.Second, Addresses: address("10.0.0.52")}
	six := vrrp.Packet{Version: 3, VRID: 54, Priority: 50, Interval: time.Second, Addresses: address("fe80::54")}
	peer := vrrp.Packet{Version: 3, VRID: 55, Priority: 50, Interval: time.Second, Addresses: address("10.0.0.55")}
	anybody := vrrp.Packet{Version: 3, VRID: 56, Priority: 50, Interval: time.Second, Addresses: address("fd00::56")}
	signed := vrrp.Packet{Version: 2, VRID: 57, Priority: 50, Interval: time.Second, AuthType: ir.AuthAH, Addresses: address("10.0.0.57")}
	with := func(p vrrp.Packet, change func(*vrrp.Packet)) vrrp.Packet { change(&p); return p }
	set := func(at int, to byte) func([]byte) []byte { return func(b []byte) []byte { b[at] = to; return b } }
	cut := func(to int) func([]byte) []byte { return func(b []byte) []byte { return b[:to] } }
	accepted := counts{"advertisement-rcvd": 1}
	one := func(name string) counts { return counts{name: 1} }
	flip := func(at int) func([]byte) []byte { return func(b []byte) []byte { b[at] ^= 0xff; return b } }
	return []receiveCheck{
		{"v2: nothing is wrong", "two", crafted{Packet: two}, accepted, ""},
		{"v2: TTL 254", "two", crafted{Packet: two, ttl: 254}, one("ip-ttl-errors"), ""},
		{"v2: TTL 1", "two", crafted{Packet: two, ttl: 1}, one("ip-ttl-errors"), ""},
		{"v2: version 1", "two", crafted{Packet: two, spoil: set(0, 0x11)}, one("version-errors"), ""},
		{"v2: version 4", "two", crafted{Packet: two, spoil: set(0, 0x41)}, one("version-errors"), ""},
		{"v2: version 3", "two", crafted{Packet: with(three, func(p *vrrp.Packet) { p.VRID = 51 })}, one("version-errors"), ""},
		{"v2: type 2", "two", crafted{Packet: two, spoil: set(0, 0x22)}, one("invalid-type-pkts-rcvd"), ""},
		{"v2: a wrong checksum", "two", crafted{Packet: two, after: flip(6)}, one("checksum-errors"), ""},
		{"v2: less than a header", "two", crafted{Packet: two, after: cut(7)}, one("packet-length-errors"), ""},
		{"v2: less than its addresses", "two", crafted{Packet: two, spoil: set(3, 2)}, one("packet-length-errors"), ""},
		{"v2: without authentication data", "two", crafted{Packet: two, spoil: cut(12)}, one("packet-length-errors"), ""},
		{"v2: bytes behind it", "two", crafted{Packet: two, after: func(b []byte) []byte { return append(b, 1, 2, 3, 4) }}, accepted, "drops it"},
		{"v2: another VRID", "two", crafted{Packet: with(two, func(p *vrrp.Packet) { p.VRID = 77 })}, counts{}, ""},
		{"v2: no authentication", "two", crafted{Packet: with(two, func(p *vrrp.Packet) { p.AuthType, p.Auth = 0, ir.Secret{} })}, one("auth-type-mismatches"), ""},
		{"v2: an unknown authentication type", "two", crafted{Packet: two, spoil: set(4, 9)}, one("auth-type-mismatches"), ""},
		{"v2: another password", "two", crafted{Packet: with(two, func(p *vrrp.Packet) { p.Auth = ir.NewSecret("other") })}, one("auth-failures"), ""},
		{"v2: another interval", "two", crafted{Packet: with(two, func(p *vrrp.Packet) { p.Interval = 2 * time.Second })}, one("interval-errors"), ""},
		{"v2: not to the group", "two", crafted{Packet: two, to: netip.MustParseAddr("10.0.0.1")}, one("destination-addr-errors"), ""},
		{"v2: another address", "two", crafted{Packet: with(two, func(p *vrrp.Packet) { p.Addresses = three.Addresses })}, counts{"advertisement-rcvd": 1, "address-list-errors": 1}, "drops it, and both stay MASTER"},
		{"v2: one address more", "two", crafted{Packet: with(two, func(p *vrrp.Packet) { p.Addresses = append(p.Addresses[:1:1], three.Addresses...) })}, counts{"advertisement-rcvd": 1, "address-list-errors": 1}, "drops it, and both stay MASTER"},

		{"v3: nothing is wrong", "three", crafted{Packet: three}, accepted, ""},
		{"v3: TTL 254", "three", crafted{Packet: three, ttl: 254}, one("ip-ttl-errors"), ""},
		{"v3: version 2", "three", crafted{Packet: with(two, func(p *vrrp.Packet) { p.VRID = 52 })}, one("version-errors"), ""},
		{"v3: type 0", "three", crafted{Packet: three, spoil: set(0, 0x30)}, one("invalid-type-pkts-rcvd"), ""},
		{"v3: a wrong checksum", "three", crafted{Packet: three, after: func(b []byte) []byte { b[7] ^= 1; return b }}, one("checksum-errors"), ""},
		{"v3: less than a header", "three", crafted{Packet: three, after: cut(4)}, one("packet-length-errors"), ""},
		{"v3: less than its addresses", "three", crafted{Packet: three, spoil: set(3, 255)}, one("packet-length-errors"), ""},
		{"v3: interval 0", "three", crafted{Packet: three, spoil: func(b []byte) []byte { b[4], b[5] = 0, 0; return b }}, one("interval-errors"), "takes it"},
		{"v3: reserved bits", "three", crafted{Packet: three, spoil: func(b []byte) []byte { b[4] |= 0xf0; return b }}, accepted, ""},
		{"v3: another interval", "three", crafted{Packet: with(three, func(p *vrrp.Packet) { p.Interval = 3 * time.Second })}, accepted, ""},
		{"v3: another address", "three", crafted{Packet: with(three, func(p *vrrp.Packet) { p.Addresses = two.Addresses })}, counts{"advertisement-rcvd": 1, "address-list-errors": 1}, "drops it, and both stay MASTER"},
		{"v3: not to the group", "three", crafted{Packet: three, to: netip.MustParseAddr("10.0.0.1")}, one("destination-addr-errors"), ""},
		{"v3: bytes behind it", "three", crafted{Packet: three, after: func(b []byte) []byte { return append(b, 1, 2, 3, 4) }}, accepted, "drops it"},
		{"v3: one address more", "three", crafted{Packet: with(three, func(p *vrrp.Packet) { p.Addresses = append(p.Addresses[:1:1], two.Addresses...) })}, counts{"advertisement-rcvd": 1, "address-list-errors": 1}, "drops it, and both stay MASTER"},

		{"the owner: priority 254", "owner", crafted{Packet: with(three, func(p *vrrp.Packet) {
			p.VRID, p.Priority, p.Addresses = 53, 254, []netip.Addr{netip.MustParseAddr("10.0.0.53")}
		})}, accepted, ""},

		{"IPv6: nothing is wrong", "six", crafted{Packet: six}, accepted, ""},
		{"IPv6: hop limit 254", "six", crafted{Packet: six, ttl: 254}, one("ip-ttl-errors"), ""},
		{"IPv6: version 2", "six", crafted{Packet: six, spoil: set(0, 0x21)}, one("address-family-mismatches"), ""},
		{"IPv6: version 4", "six", crafted{Packet: six, spoil: set(0, 0x41)}, one("version-errors"), ""},
		{"IPv6: type 2", "six", crafted{Packet: six, spoil: set(0, 0x32)}, one("invalid-type-pkts-rcvd"), ""},
		{"IPv6: a wrong checksum", "six", crafted{Packet: six, after: flip(6)}, one("checksum-errors"), ""},
		{"IPv6: less than a header", "six", crafted{Packet: six, after: cut(7)}, one("packet-length-errors"), ""},
		{"IPv6: less than its addresses", "six", crafted{Packet: six, spoil: set(3, 2)}, one("packet-length-errors"), ""},
		{"IPv6: interval 0", "six", crafted{Packet: six, spoil: func(b []byte) []byte { b[4], b[5] = 0, 0; return b }}, one("interval-errors"), "takes it"},
		{"IPv6: another VRID", "six", crafted{Packet: with(six, func(p *vrrp.Packet) { p.VRID = 77 })}, counts{}, ""},
		{"IPv6: not to the group", "six", crafted{Packet: six, to: linkLocal}, one("destination-addr-errors"), ""},
		{"IPv6: another address", "six", crafted{Packet: with(six, func(p *vrrp.Packet) { p.Addresses = []netip.Addr{netip.MustParseAddr("fe80::55")} })}, counts{"advertisement-rcvd": 1, "address-list-errors": 1}, "drops it, and both stay MASTER"},

		{"unicast: nothing is wrong", "peer", crafted{Packet: peer, to: here4, ttl: 64}, accepted, ""},
		{"unicast: TTL 254, which is max_ttl", "peer", crafted{Packet: peer, to: here4, ttl: 254}, accepted, ""},
		{"unicast: TTL above max_ttl", "peer", crafted{Packet: peer, to: here4, ttl: 255}, one("ip-ttl-errors"), ""},
		{"unicast: TTL below min_ttl", "peer", crafted{Packet: peer, to: here4, ttl: 63}, one("ip-ttl-errors"), ""},
		{"unicast: from nobody", "peer", crafted{Packet: peer, to: here4, ttl: 64, from: netip.MustParseAddr("10.0.0.102")}, one("destination-addr-errors"), ""},
		{"unicast: to the group", "peer", crafted{Packet: peer, ttl: 64, to: ir.MulticastGroup(false)}, one("destination-addr-errors"), ""},
		{"unicast: a wrong checksum", "peer", crafted{Packet: peer, to: here4, ttl: 64, after: flip(6)}, one("checksum-errors"), ""},
		{"unicast: version 2", "peer", crafted{Packet: with(two, func(p *vrrp.Packet) { p.VRID, p.Addresses = 55, peer.Addresses }), ttl: 64, to: here4}, one("version-errors"), ""},
		{"unicast: another address", "peer", crafted{Packet: with(peer, func(p *vrrp.Packet) { p.Addresses = two.Addresses }), to: here4, ttl: 64}, counts{"advertisement-rcvd": 1, "address-list-errors": 1}, "drops it, and both stay MASTER"},
		{"unicast over IPv6: nothing is wrong", "anybody", crafted{Packet: anybody, to: here6}, accepted, ""},
		{"unicast over IPv6: hop limit 7, without limits", "anybody", crafted{Packet: anybody, to: here6, ttl: 7}, accepted, ""},
		{"unicast over IPv6: from somebody else, unchecked", "anybody", crafted{Packet: anybody, to: here6, from: netip.MustParseAddr("fd00::102")}, accepted, ""},
		{"unicast over IPv6: type 5", "anybody", crafted{Packet: anybody, to: here6, spoil: set(0, 0x35)}, one("invalid-type-pkts-rcvd"), ""},

		{"AH: nothing is wrong", "signed", crafted{Packet: signed, seq: 1000}, accepted, ""},
		{"AH: the same number again", "signed", crafted{Packet: signed, seq: 1000}, one("replays"), ""},
		{"AH: a number before it", "signed", crafted{Packet: signed, seq: 900}, one("replays"), ""},
		{"AH: another password", "signed", crafted{Packet: signed, seq: 2000, key: "other"}, one("auth-failures"), ""},
		{"AH: a wrong checksum", "signed", crafted{Packet: signed, seq: 2000, after: flip(24 + 6)}, one("checksum-errors"), ""},
		{"AH: altered on its way, with the right checksum", "signed", crafted{Packet: signed, seq: 2000, after: func(b []byte) []byte { b[24+2]++; b[24+6]--; return b }}, one("auth-failures"), ""},
		{"AH: the number of the wrong signature", "signed", crafted{Packet: signed, seq: 2000}, accepted, ""},
		{"AH: TTL 254", "signed", crafted{Packet: signed, seq: 3000, ttl: 254}, one("ip-ttl-errors"), ""},
		{"AH: another interval", "signed", crafted{Packet: with(signed, func(p *vrrp.Packet) { p.Interval = 2 * time.Second }), seq: 4000}, one("interval-errors"), ""},
		{"AH: less than its header", "signed", crafted{Packet: signed, seq: 5000, after: cut(31)}, one("packet-length-errors"), ""},
		{"AH: another protocol behind it", "signed", crafted{Packet: signed, seq: 5000, after: func(b []byte) []byte { b[0] = 6; return b }}, one("invalid-type-pkts-rcvd"), ""},
		{"AH: a type that is PASS", "signed", crafted{Packet: with(two, func(p *vrrp.Packet) { p.VRID, p.Addresses = 57, signed.Addresses }), seq: 5000}, one("auth-type-mismatches"), ""},
		{"AH: not signed", "signed", crafted{Packet: signed}, one("auth-failures"), ""},
	}
}

// sound is the first packet to an instance: nothing is wrong with it.
func sound(checks []receiveCheck, instance string) crafted {
	return checks[slices.IndexFunc(checks, func(c receiveCheck) bool { return c.instance == instance })].packet
}

// behind is a packet of a different type on the same path as a check's.
func behind(checks []receiveCheck, c receiveCheck) crafted {
	m := sound(checks, c.instance)
	if m.spoil = func(b []byte) []byte { b[0] = b[0]&0xf0 | 3; return b }; c.packet.seq == 0 {
		m.seq = 0
	}
	return m
}

// TestReceiveChecks sends advertisements, each with one fault, to a running director that is MASTER, and looks at
// which counter rises. Each is followed by one of a different type, whose counter tells that both were read. Then come
// the packets that change a role: section 6.4.
func TestReceiveChecks(t *testing.T) {
	t.Parallel()
	here, in := conformanceHosts(t)
	file := filepath.Join(here.Dir(), "lb.conf")
	line := keepcArgs(t, "run", file)
	p := here.Start(line[0], line[1:]...)
	defer p.Stop()
	ask := keepcArgs(t, "status", "--format", "json")
	look := func(name string) (found status.Instance) {
		out, _ := here.Try(ask[0], ask[1:]...) // it exits with 1: something is wrong
		var d status.Document
		if json.Unmarshal([]byte(out), &d) != nil {
			return found
		}
		for _, i := range d.Instances {
			if i.Name == name {
				found = i
			}
		}
		return found
	}
	is := func(name, role string) {
		t.Helper()
		lab.Eventually(t, 30*time.Second, name+" is "+role, func() bool { return look(name).Role == role })
	}
	for _, name := range []string{"two", "three", "owner", "six", "peer", "anybody", "signed"} {
		is(name, "MASTER")
	}
	checks := receiveChecks(in.linkLocal)
	for _, c := range checks {
		was := received(t, look(c.instance))
		in.send(c.packet)
		want := counts{"invalid-type-pkts-rcvd": 1}
		for k, n := range c.want {
			want[k] += n
		}
		in.send(behind(checks, c))
		var now status.Instance
		lab.Eventually(t, 10*time.Second, c.name+": the packet behind it is counted", func() bool {
			now = look(c.instance)
			return received(t, now)["invalid-type-pkts-rcvd"] >= was["invalid-type-pkts-rcvd"]+want["invalid-type-pkts-rcvd"]
		})
		for k, n := range received(t, now) {
			if n-was[k] != want[k] {
				t.Errorf("%s: %s rose by %d, want %d", c.name, k, n-was[k], want[k])
			}
		}
		if now.Role != "MASTER" {
			t.Errorf("%s: it is %s (%s)", c.name, now.Role, now.Why)
		}
	}

	two, three := sound(checks, "two").Packet, sound(checks, "three").Packet
	for _, p := range []vrrp.Packet{two, three} {
		name := map[uint8]string{51: "two", 52: "three"}[p.VRID]
		p.Priority = 200
		in.send(crafted{Packet: p})
		is(name, "BACKUP")
		was, begun := look(name).Statistics.PriorityZeroPktsRcvd, time.Now()
		p.Priority = 0
		in.send(crafted{Packet: p})
		is(name, "MASTER") // after Skew_Time, 0.6 s, and not Master_Down_Interval
		t.Logf("%s: MASTER %v after priority 0", name, time.Since(begun))
		if n := look(name).Statistics.PriorityZeroPktsRcvd - was; n != 1 {
			t.Errorf("%s: %d packets of priority 0", name, n)
		}
	}
	// A version 3 BACKUP waits according to the interval of the MASTER: 3 x 2 s, and its skew.
	slow := three
	slow.Priority, slow.Interval = 200, 2*time.Second
	begun := time.Now()
	in.send(crafted{Packet: slow})
	is("three", "BACKUP")
	is("three", "MASTER")
	if d := time.Since(begun); d < 7*time.Second {
		t.Errorf("three is MASTER after %v, want 7.2s", d)
	}
}

// received returns the counters of received packets.
func received(t *testing.T, i status.Instance) map[string]uint64 {
	t.Helper()
	text, err := json.Marshal(i.Statistics)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]uint64{}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, ours := range []string{"advertisement-sent", "advertisement-late", "master-transitions", "transitions", "priority-zero-pkts-sent"} {
		delete(all, ours)
	}
	return all
}
