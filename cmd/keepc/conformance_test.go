package main

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

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
`

// A crafted is an IP packet that a router of the wire sends: an advertisement, and what is wrong with it.
type crafted struct {
	vrrp.Packet
	ttl   int                   // 0: 255
	to    netip.Addr            // none: the group
	spoil func(b []byte) []byte // of the payload, before its checksum is made
	after func(b []byte) []byte // and after it
}

// An injector sends crafted packets from 10.0.0.101.
type injector struct {
	t   *testing.T
	raw *ipv4.RawConn
}

func newInjector(t *testing.T, h *lab.Host) injector {
	t.Helper()
	var c net.PacketConn
	err := h.Do(func() (err error) {
		c, err = net.ListenPacket("ip4:112", "0.0.0.0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	raw, err := ipv4.NewRawConn(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.SetMulticastInterface(&net.Interface{Index: h.Link("eth0").Index()}); err != nil {
		t.Fatal(err)
	}
	return injector{t, raw}
}

func (i injector) send(c crafted) {
	i.t.Helper()
	src, dst := netip.MustParseAddr("10.0.0.101"), vrrp.Group(false)
	if c.to.IsValid() {
		dst = c.to
	}
	b, err := c.Marshal(src, dst)
	if err != nil {
		i.t.Fatal(err)
	}
	if c.spoil != nil {
		b = c.spoil(b)
		b[6], b[7] = 0, 0
		sum := onesSum(b)
		if b[0]>>4 == 3 { // the pseudo header is part of it
			s, d := src.As4(), dst.As4()
			sum = onesSum(append(append(append([]byte{}, s[:]...), d[:]...), append([]byte{0, 112, 0, byte(len(b))}, b...)...))
		}
		b[6], b[7] = byte(sum>>8), byte(sum)
	}
	if c.after != nil {
		b = c.after(b)
	}
	if c.ttl == 0 {
		c.ttl = 255
	}
	header := &ipv4.Header{Version: 4, Len: 20, TotalLen: 20 + len(b), TTL: c.ttl, Protocol: 112, TOS: 0xC0, Src: src.AsSlice(), Dst: dst.AsSlice()}
	if err := i.raw.WriteTo(header, b, nil); err != nil {
		i.t.Fatal(err)
	}
}

// onesSum is the Internet checksum of an even number of bytes: RFC 1071.
func onesSum(b []byte) uint16 {
	sum := uint32(0)
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// TestReceiveChecks sends one advertisement after the other, each with one fault, to a running director that is MASTER, and looks under which
// name it counts it: RFC 3768 section 7.1 (VRRPv2) and RFC 9568 section 7.1 (VRRPv3). Behind each goes one of another type, whose count
// tells that both were read. Then the packets that a role follows: section 6.4.
func TestReceiveChecks(t *testing.T) {
	t.Parallel()
	n := lab.New(t)
	lan := n.Segment("lan")
	here, far := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.1/24")), n.Host("far", lab.On(lan, "eth0", "10.0.0.101/24"))
	file := filepath.Join(here.Dir(), "lb.conf")
	if err := os.WriteFile(file, []byte(conformance), 0o600); err != nil {
		t.Fatal(err)
	}
	line := keepcArgs(t, "run", file)
	p := here.Start(line[0], line[1:]...)
	defer p.Stop()
	ask := keepcArgs(t, "status", "--format", "json")
	look := func(name string) (found status.Instance) {
		out, _ := here.Try(ask[0], ask[1:]...) // it leaves with 1: something is wrong
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
	is("two", "MASTER")
	is("three", "MASTER")
	is("owner", "MASTER")

	in := newInjector(t, far)
	two := vrrp.Packet{Version: 2, VRID: 51, Priority: 50, Interval: time.Second, AuthType: ir.AuthPass, Auth: ir.NewSecret("secret"), Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.51")}}
	three := vrrp.Packet{Version: 3, VRID: 52, Priority: 50, Interval: time.Second, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.52")}}
	with := func(p vrrp.Packet, change func(*vrrp.Packet)) vrrp.Packet { change(&p); return p }
	set := func(at int, to byte) func([]byte) []byte { return func(b []byte) []byte { b[at] = to; return b } }
	cut := func(to int) func([]byte) []byte { return func(b []byte) []byte { return b[:to] } }
	type counts map[string]uint64
	accepted := counts{"advertisement-rcvd": 1}
	one := func(name string) counts { return counts{name: 1} }
	for _, c := range []struct {
		name     string
		instance string
		packet   crafted
		want     counts
	}{
		{"v2: nothing is wrong", "two", crafted{Packet: two}, accepted},
		{"v2: TTL 254", "two", crafted{Packet: two, ttl: 254}, one("ip-ttl-errors")},
		{"v2: TTL 1", "two", crafted{Packet: two, ttl: 1}, one("ip-ttl-errors")},
		{"v2: version 1", "two", crafted{Packet: two, spoil: set(0, 0x11)}, one("version-errors")},
		{"v2: version 4", "two", crafted{Packet: two, spoil: set(0, 0x41)}, one("version-errors")},
		{"v2: version 3", "two", crafted{Packet: with(three, func(p *vrrp.Packet) { p.VRID = 51 })}, one("version-errors")},
		{"v2: type 2", "two", crafted{Packet: two, spoil: set(0, 0x22)}, one("invalid-type-pkts-rcvd")},
		{"v2: a wrong checksum", "two", crafted{Packet: two, after: func(b []byte) []byte { b[6] ^= 0xff; return b }}, one("checksum-errors")},
		{"v2: less than a header", "two", crafted{Packet: two, after: cut(7)}, one("packet-length-errors")},
		{"v2: less than its addresses", "two", crafted{Packet: two, spoil: set(3, 2)}, one("packet-length-errors")},
		{"v2: without authentication data", "two", crafted{Packet: two, spoil: cut(12)}, one("packet-length-errors")},
		{"v2: bytes behind it", "two", crafted{Packet: two, after: func(b []byte) []byte { return append(b, 1, 2, 3, 4) }}, accepted},
		{"v2: another VRID", "two", crafted{Packet: with(two, func(p *vrrp.Packet) { p.VRID = 77 })}, counts{}},
		{"v2: no authentication", "two", crafted{Packet: with(two, func(p *vrrp.Packet) { p.AuthType, p.Auth = 0, ir.Secret{} })}, one("auth-type-mismatches")},
		{"v2: an unknown authentication type", "two", crafted{Packet: two, spoil: set(4, 9)}, one("auth-type-mismatches")},
		{"v2: another password", "two", crafted{Packet: with(two, func(p *vrrp.Packet) { p.Auth = ir.NewSecret("other") })}, one("auth-failures")},
		{"v2: another interval", "two", crafted{Packet: with(two, func(p *vrrp.Packet) { p.Interval = 2 * time.Second })}, one("interval-errors")},
		{"v2: not to the group", "two", crafted{Packet: two, to: netip.MustParseAddr("10.0.0.1")}, one("destination-addr-errors")},
		{"v2: another address", "two", crafted{Packet: with(two, func(p *vrrp.Packet) { p.Addresses = three.Addresses })}, counts{"advertisement-rcvd": 1, "address-list-errors": 1}},
		{"v2: one address more", "two", crafted{Packet: with(two, func(p *vrrp.Packet) { p.Addresses = append(p.Addresses[:1:1], three.Addresses...) })}, counts{"advertisement-rcvd": 1, "address-list-errors": 1}},

		{"v3: nothing is wrong", "three", crafted{Packet: three}, accepted},
		{"v3: TTL 254", "three", crafted{Packet: three, ttl: 254}, one("ip-ttl-errors")},
		{"v3: version 2", "three", crafted{Packet: with(two, func(p *vrrp.Packet) { p.VRID = 52 })}, one("version-errors")},
		{"v3: type 0", "three", crafted{Packet: three, spoil: set(0, 0x30)}, one("invalid-type-pkts-rcvd")},
		{"v3: a wrong checksum", "three", crafted{Packet: three, after: func(b []byte) []byte { b[7] ^= 1; return b }}, one("checksum-errors")},
		{"v3: less than a header", "three", crafted{Packet: three, after: cut(4)}, one("packet-length-errors")},
		{"v3: less than its addresses", "three", crafted{Packet: three, spoil: set(3, 255)}, one("packet-length-errors")},
		{"v3: interval 0", "three", crafted{Packet: three, spoil: func(b []byte) []byte { b[4], b[5] = 0, 0; return b }}, one("interval-errors")},
		{"v3: reserved bits", "three", crafted{Packet: three, spoil: func(b []byte) []byte { b[4] |= 0xf0; return b }}, accepted},
		{"v3: another interval", "three", crafted{Packet: with(three, func(p *vrrp.Packet) { p.Interval = 3 * time.Second })}, accepted},
		{"v3: another address", "three", crafted{Packet: with(three, func(p *vrrp.Packet) { p.Addresses = two.Addresses })}, counts{"advertisement-rcvd": 1, "address-list-errors": 1}},
		{"v3: not to the group", "three", crafted{Packet: three, to: netip.MustParseAddr("10.0.0.1")}, one("destination-addr-errors")},

		{"the owner: priority 254", "owner", crafted{Packet: with(three, func(p *vrrp.Packet) {
			p.VRID, p.Priority, p.Addresses = 53, 254, []netip.Addr{netip.MustParseAddr("10.0.0.53")}
		})}, accepted},
	} {
		was := received(t, look(c.instance))
		in.send(c.packet)
		marker := crafted{Packet: two, spoil: set(0, 0x23)}
		if c.instance != "two" {
			marker = crafted{Packet: with(three, func(p *vrrp.Packet) { p.VRID = 52 }), spoil: set(0, 0x33)}
			if c.instance == "owner" {
				marker.VRID = 53
			}
		}
		want := counts{"invalid-type-pkts-rcvd": 1}
		for k, n := range c.want {
			want[k] += n
		}
		in.send(marker)
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
	// A BACKUP of version 3 waits as long as the interval of the MASTER wants: 3 x 2 s, and the skew of it.
	slow := with(three, func(p *vrrp.Packet) { p.Priority, p.Interval = 200, 2*time.Second })
	begun := time.Now()
	in.send(crafted{Packet: slow})
	is("three", "BACKUP")
	is("three", "MASTER")
	if d := time.Since(begun); d < 7*time.Second {
		t.Errorf("three is MASTER after %v, want 7.2s", d)
	}
}

// received are the counters of what was heard.
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
