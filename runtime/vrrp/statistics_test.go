package vrrp

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"keepc/compiler/ir"
)

// TestStatistics checks what a packet does to a backup's counters, and that nothing else changes them.
func TestStatistics(t *testing.T) {
	password := func(v *ir.VRRPInstance) { v.Auth = ir.Authentication{Type: ir.AuthPass, Pass: ir.NewSecret("s3cr3t")} }
	plain := func(*ir.VRRPInstance) {}
	good := Statistics{AdvertisementRcvd: 1}
	for _, c := range []struct {
		name   string
		cfg    func(*ir.VRRPInstance)
		packet func(*Packet)
		spoil  func(*Received)
		want   Statistics
	}{
		{"a good one", plain, func(*Packet) {}, nil, good},
		{"priority 0", plain, func(p *Packet) { p.Priority = 0 }, nil, Statistics{AdvertisementRcvd: 1, PriorityZeroPktsRcvd: 1}},
		{"other addresses", plain, func(p *Packet) { p.Addresses = addrs("192.0.2.99") }, nil, Statistics{AdvertisementRcvd: 1, AddressListErrors: 1}},
		{"the addresses in another order", func(v *ir.VRRPInstance) {
			v.Addresses = append(v.Addresses, ir.Address{Prefix: netip.MustParsePrefix("192.0.2.11/24"), Dev: "eth0"})
		}, func(p *Packet) { p.Addresses = addrs("192.0.2.11", "192.0.2.10") }, nil, good},
		{"another interval", plain, func(p *Packet) { p.Interval = 2 * time.Second }, nil, Statistics{IntervalErrors: 1}},
		{"another version", plain, func(p *Packet) { p.Version = 3 }, nil, Statistics{VersionErrors: 1}},
		{"an unknown version", plain, func(*Packet) {}, func(r *Received) { r.Payload[0] = 0x71 }, Statistics{VersionErrors: 1}},
		{"another type", plain, func(*Packet) {}, func(r *Received) { r.Payload[0] = 0x23 }, Statistics{InvalidTypePktsRcvd: 1}},
		{"too short", plain, func(*Packet) {}, func(r *Received) { r.Payload = r.Payload[:12] }, Statistics{PacketLengthErrors: 1}},
		{"a wrong checksum", plain, func(*Packet) {}, func(r *Received) { r.Payload[6]++ }, Statistics{ChecksumErrors: 1}},
		{"a TTL below 255", plain, func(*Packet) {}, func(r *Received) { r.TTL = 254 }, Statistics{IPTTLErrors: 1}},
		{"to one host", plain, func(*Packet) {}, func(r *Received) { r.Dst = netip.MustParseAddr("192.0.2.2") }, Statistics{DestinationAddrErrors: 1}},
		{"over IPv6", plain, func(*Packet) {}, func(r *Received) { r.Src, r.Dst = netip.MustParseAddr("fe80::1"), ir.MulticastGroup(true) }, Statistics{AddressFamilyMismatches: 1}},
		{"no password", password, func(*Packet) {}, nil, Statistics{AuthTypeMismatches: 1}},
		{"another password", password, func(p *Packet) { p.AuthType, p.Auth = ir.AuthPass, ir.NewSecret("guessed") }, nil, Statistics{AuthFailures: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, instance(c.cfg), Backup)
			r := from("192.0.2.3", 200, c.packet)
			if c.spoil != nil {
				c.spoil(&r)
			}
			c.want.Transitions = 1 // to BACKUP
			b.do(0, r)
			want(t, "once", b.Statistics(), c.want)
			b.do(0, r)
			twice := c.want
			twice.AdvertisementRcvd *= 2
			if twice.AdvertisementRcvd > 0 {
				want(t, "twice", b.Statistics().AdvertisementRcvd, twice.AdvertisementRcvd)
			}
		})
	}
}

// TestStatisticsOfAMaster checks the counters of transitions, of what is sent, and of what is late: more than 10 ms
// after its due time.
func TestStatisticsOfAMaster(t *testing.T) {
	b := newBench(t, instance(), Master)
	want(t, "MASTER", b.Statistics(), Statistics{Transitions: 2, MasterTransitions: 1, AdvertisementSent: 1})
	b.do(time.Second, Tick{})
	b.do(time.Second+10*time.Millisecond, Tick{})
	want(t, "in time", b.Statistics(), Statistics{Transitions: 2, MasterTransitions: 1, AdvertisementSent: 3})
	b.do(time.Second+time.Millisecond, Tick{}) // 11 ms after the third one's due time
	want(t, "late", b.Statistics(), Statistics{Transitions: 2, MasterTransitions: 1, AdvertisementSent: 4, AdvertisementLate: 1})
	b.do(0, Stop{Reason: "stopping"})
	want(t, "stopped", b.Statistics(), Statistics{Transitions: 3, MasterTransitions: 1, AdvertisementSent: 5, AdvertisementLate: 1, PriorityZeroPktsSent: 1})
}

// TestUnheard checks that routers whose advertisements are dropped are remembered by their addresses, until they are
// heard, and that only a few are.
func TestUnheard(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	peer := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, n}) }
	var u unheard
	u.drop(at(0), peer(1), Drop{Defect: ErrAuth})
	u.drop(at(1), peer(2), Drop{Defect: ErrChecksum})
	u.drop(at(2), peer(1), Drop{Defect: ErrAuthType})
	if want := (Unheard{Peer: peer(1), Drop: Drop{Defect: ErrAuthType}, First: at(0), Last: at(2), Count: 2}); len(u) != 2 || !reflect.DeepEqual(u[0], want) {
		t.Errorf("%+v", u)
	}
	u.hear(peer(1))
	if len(u) != 1 || u[0].Peer != peer(2) {
		t.Errorf("one of them is heard: %+v", u)
	}
	for n := range byte(100) {
		u.drop(at(10+int(n)), peer(100+n), Drop{Defect: ErrAuth})
	}
	if len(u) != maxUnheard || slices.ContainsFunc(u, func(x Unheard) bool { return x.Last.Before(at(110 - maxUnheard)) }) {
		t.Errorf("a flood: %+v", u)
	}
}
