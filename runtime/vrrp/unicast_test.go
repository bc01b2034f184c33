package vrrp

import (
	"net/netip"
	"testing"

	"keepc/compiler/ir"
)

// peers makes an instance unicast, with version 3.
func peers(list ...ir.UnicastPeer) func(*ir.VRRPInstance) {
	return func(v *ir.VRRPInstance) {
		v.Version, v.Unicast = 3, list
		v.SourceAddr = netip.MustParseAddr("192.0.2.2")
		ttl := uint8(255)
		v.UnicastTTL = &ttl
	}
}

func peer(addr string, least, most uint8) ir.UnicastPeer {
	return ir.UnicastPeer{Addr: netip.MustParseAddr(addr), MinTTL: least, MaxTTL: most}
}

// unicast is an advertisement of version 3 from one address to another.
func unicast(src, dst string, ttl int, sum Sum) Received {
	p := Packet{Version: 3, VRID: 51, Priority: 200, Interval: 1e9, Addresses: addrs("192.0.2.10"), Sum: sum}
	r := Received{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), TTL: ttl}
	r.Payload, _ = p.Marshal(r.Src, r.Dst)
	return r
}

func TestUnicastReceiverChecks(t *testing.T) {
	any3, strict := peer("192.0.2.3", 0, 255), func(v *ir.VRRPInstance) { v.CheckUnicastSource = true }
	plain := func(v *ir.VRRPInstance) { v.Version, v.V3ChecksumAsV2 = 3, true }
	for _, c := range []struct {
		name string
		cfg  []func(*ir.VRRPInstance)
		heard
		want Defect
	}{
		{"from a peer", []func(*ir.VRRPInstance){peers(any3)}, heard{Received: unicast("192.0.2.3", "192.0.2.2", 255, SumPseudo)}, 0},
		{"over routers", []func(*ir.VRRPInstance){peers(any3)}, heard{Received: unicast("192.0.2.3", "192.0.2.2", 60, SumPseudo)}, 0},
		{"from a stranger", []func(*ir.VRRPInstance){peers(any3)}, heard{Received: unicast("192.0.2.9", "192.0.2.2", 255, SumPseudo)}, 0},
		{"check_unicast_src", []func(*ir.VRRPInstance){peers(any3), strict}, heard{Received: unicast("192.0.2.9", "192.0.2.2", 255, SumPseudo)}, ErrPeer},
		{"a TTL of a peer wants peers too", []func(*ir.VRRPInstance){peers(peer("192.0.2.3", 254, 255))}, heard{Received: unicast("192.0.2.9", "192.0.2.2", 255, SumPseudo)}, ErrPeer},
		{"too far", []func(*ir.VRRPInstance){peers(peer("192.0.2.3", 254, 255))}, heard{Received: unicast("192.0.2.3", "192.0.2.2", 253, SumPseudo)}, ErrTTL},
		{"too near", []func(*ir.VRRPInstance){peers(peer("192.0.2.3", 0, 100))}, heard{Received: unicast("192.0.2.3", "192.0.2.2", 101, SumPseudo)}, ErrTTL},
		{"to the group", []func(*ir.VRRPInstance){peers(any3)}, heard{Received: unicast("192.0.2.3", "224.0.0.18", 255, SumPseudo)}, ErrUnicast},
		{"to another address of the host", []func(*ir.VRRPInstance){peers(any3)}, heard{Received: unicast("192.0.2.3", "192.0.2.7", 255, SumPseudo)}, ErrUnicast},
		{"the checksum of an old peer", []func(*ir.VRRPInstance){peers(any3)}, heard{Received: unicast("192.0.2.3", "192.0.2.2", 255, SumGroup)}, 0},
		{"old_unicast_checksum never", []func(*ir.VRRPInstance){peers(any3), func(v *ir.VRRPInstance) { v.OldUnicastChecksum = ir.ChecksumNever }},
			heard{Received: unicast("192.0.2.3", "192.0.2.2", 255, SumGroup)}, ErrChecksum},
		{"v3_checksum_as_v2", []func(*ir.VRRPInstance){plain}, heard{Received: unicast("192.0.2.3", "224.0.0.18", 255, SumPlain)}, 0},
		{"v3_checksum_as_v2 of ours alone", []func(*ir.VRRPInstance){plain}, heard{Received: unicast("192.0.2.3", "224.0.0.18", 255, SumPseudo)}, 0},
		{"v3_checksum_as_v2 of theirs alone", []func(*ir.VRRPInstance){func(v *ir.VRRPInstance) { v.Version = 3 }}, heard{Received: unicast("192.0.2.3", "224.0.0.18", 255, SumPlain)}, ErrChecksum},
		{"an old checksum to another group", []func(*ir.VRRPInstance){func(v *ir.VRRPInstance) { v.Version, v.MulticastGroup = 3, netip.MustParseAddr("224.0.0.200") }},
			heard{Received: unicast("192.0.2.3", "224.0.0.200", 255, SumGroup)}, ErrChecksum},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newBench(t, instance(c.cfg...), Backup)
			if _, wrong := m.accept(c.Received); wrong.Defect != c.want {
				t.Errorf("%v, want %v", wrong, c.want)
			}
		})
	}
}

// TestUnicastSends checks that each peer gets a separate advertisement with the TTL of the file; after one with an old
// checksum, in kind.
func TestUnicastSends(t *testing.T) {
	m := newBench(t, instance(peers(peer("192.0.2.3", 0, 255), peer("192.0.2.4", 0, 255)), priority(220)), Master)
	sums := func() (sent []Send, all []Sum) {
		for _, f := range m.Step(m.advert, Tick{}) {
			if s, ok := f.(*Send); ok {
				p, err := Unmarshal(s.Payload, s.Src, s.Dst)
				if err != nil {
					t.Fatal(err)
				}
				sent, all = append(sent, *s), append(all, p.Sum)
			}
		}
		return sent, all
	}
	sent, all := sums()
	if len(sent) != 2 || sent[0].Dst.String() != "192.0.2.3" || sent[1].Dst.String() != "192.0.2.4" || sent[0].TTL != 255 || all[0] != SumPseudo {
		t.Errorf("sent %+v", sent)
	}
	if n := m.Statistics().AdvertisementSent; n != 2 {
		t.Errorf("%d advertisements, want 2 to two peers each", n)
	}
	m.Step(m.advert, unicast("192.0.2.3", "192.0.2.2", 255, SumGroup))
	if _, all := sums(); len(all) != 2 || all[0] != SumGroup || all[1] != SumGroup {
		t.Errorf("answers an old peer with the checksums %v", all)
	}
}
