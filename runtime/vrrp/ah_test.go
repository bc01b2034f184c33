package vrrp

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"keepc/compiler/ir"
)

// signedOnWire are packets of keepalived 2.2.7 with auth_type AH, from 192.0.2.2: TestKeepalivedSendsTheSame records
// them again. The TTL is signed if they go to the group, and not if they go to a peer, which is what RFC 2402 says for
// both.
var signedOnWire = []struct {
	name, dst, pass string
	seq             uint32
	packet          Packet
	hex             string
}{
	{
		"multicast", "224.0.0.18", "abc", 1,
		Packet{Version: 2, VRID: 53, Priority: 255, Interval: time.Second, Addresses: addrs("192.0.2.30"), AuthType: ir.AuthAH},
		"70040000 c0000202 00000001 7f10371eb2d8654d48951dad 2135ff01 02011ba9 c000021e 0000000000000000",
	},
	{
		"unicast, a long password is cut", "192.0.2.3", "longpassword", 1,
		Packet{Version: 2, VRID: 52, Priority: 254, Interval: time.Second, Addresses: addrs("192.0.2.20"), AuthType: ir.AuthAH},
		"70040000 c0000202 00000001 21acc61ea537b4763cb92f32 2134fe01 02011cb4 c0000214 0000000000000000",
	},
}

func TestSignedPacketOnTheWire(t *testing.T) {
	src := netip.MustParseAddr("192.0.2.2")
	for _, c := range signedOnWire {
		t.Run(c.name, func(t *testing.T) {
			dst, key := netip.MustParseAddr(c.dst), ir.NewSecret(c.pass)
			advert, err := c.packet.Marshal(src, dst)
			if err != nil {
				t.Fatal(err)
			}
			e := envelope{src, dst, uint16(c.seq), ttlSigned(dst, 255)}
			if got, want := e.sign(advert, c.seq, key), unhex(c.hex); !bytes.Equal(got, want) {
				t.Errorf("signed\n got %x\nwant %x", got, want)
			}
		})
	}
}

// signing returns a machine with auth_type AH that listens.
func signing(priority uint8, pass string, source string) *Machine {
	cfg := &ir.VRRPInstance{
		Version: 2, VRID: 53, Priority: priority, AdvertInterval: time.Second, DownTimerAdverts: 3,
		Addresses: []ir.Address{{Prefix: netip.MustParsePrefix("192.0.2.30/24")}}, Auth: ir.Authentication{Type: ir.AuthAH, Pass: ir.NewSecret(pass)},
	}
	m := New(cfg)
	m.Step(time.Unix(0, 0), Ready{Source: netip.MustParseAddr(source)})
	return m
}

// heardAs returns what another router receives of an advertisement.
func heardAs(s *Send) Received {
	return Received{Src: s.Src, Dst: s.Dst, TTL: int(s.TTL), AH: s.AH, ID: s.ID, Payload: s.Payload}
}

// TestSignatures checks that an advertisement is accepted once if it is signed with the key of the group, and that a
// router that becomes MASTER continues with the sequence numbers of the previous one.
func TestSignatures(t *testing.T) {
	now := time.Unix(0, 0)
	a, b := signing(200, "k3y", "192.0.2.1"), signing(100, "k3y", "192.0.2.2")
	now = now.Add(4 * time.Second)
	var sent []*Send
	collect := func(all []Effect) {
		for _, f := range all {
			if s, ok := f.(*Send); ok {
				sent = append(sent, s)
			}
		}
	}
	collect(slices.Clone(a.Step(now, Tick{})))
	for range 3 {
		foreseen, at := a.Next(0)
		again, _ := a.Next(2)
		if len(again) != 1 || bytes.Equal(again[0].Payload, foreseen[0].Payload) {
			t.Error("advertisements ahead are alike")
		}
		now = at
		collect(slices.Clone(a.Step(now, Tick{})))
		if last := sent[len(sent)-1]; last != foreseen[0] {
			t.Error("the advertisement that was foreseen is another one")
		}
	}
	if a.Role() != Master || len(sent) != 4 || a.seq != 4 {
		t.Fatalf("%v, %d adverts, sequence number %d", a.Role(), len(sent), a.seq)
	}
	b.Step(now, heardAs(sent[3]))
	if s := b.Statistics(); s.AdvertisementRcvd != 1 || b.seq != 4 {
		t.Errorf("the peer counts %+v and has heard %d", s, b.seq)
	}
	for _, c := range []struct {
		name string
		do   func(r *Received)
		want Defect
	}{
		{"the same once more", func(r *Received) {}, ErrReplay},
		{"an older one", func(r *Received) { *r = heardAs(sent[1]) }, ErrReplay},
		{"another priority", func(r *Received) { r.Payload[ahLen+2] = 7 }, ErrChecksum},
		{"another sequence number", func(r *Received) { r.Payload[8] = 7 }, ErrSignature},
		{"another SPI", func(r *Received) { r.Payload[7] = 9 }, ErrSignature},
		{"another sender", func(r *Received) { r.Src = netip.MustParseAddr("192.0.2.9") }, ErrSignature},
		{"another identification", func(r *Received) { r.ID++ }, ErrSignature},
		{"no authentication header", func(r *Received) { r.AH, r.Payload = false, r.Payload[ahLen:] }, ErrSignature},
		{"half of it", func(r *Received) { r.Payload = r.Payload[:ahLen-1] }, ErrTruncated},
		{"nothing behind it", func(r *Received) { r.Payload = r.Payload[:ahLen] }, ErrTruncated},
		{"TCP behind it", func(r *Received) { r.Payload[0] = 6 }, ErrType},
	} {
		r := heardAs(sent[3])
		r.Payload = bytes.Clone(r.Payload)
		c.do(&r)
		if _, wrong := b.accept(r); !errors.Is(wrong, c.want) {
			t.Errorf("%s: %v, want %v", c.name, wrong, c.want)
		}
	}
	other := signing(100, "other", "192.0.2.2")
	other.Step(now, heardAs(sent[3]))
	if s := other.Statistics(); s.AuthFailures != 1 || s.AdvertisementRcvd != 0 || len(other.Unheard()) != 1 {
		t.Errorf("a wrong key: %+v, %v", s, other.Unheard())
	}

	now = now.Add(5 * time.Second)
	sent = nil
	collect(slices.Clone(b.Step(now, Tick{})))
	if b.Role() != Master || len(sent) != 1 || b.seq != 5 {
		t.Errorf("the next master is %v and goes on with %d", b.Role(), b.seq)
	}
	a.Step(now, heardAs(sent[0]))
	if a.Role() != Master || a.seq != 6 {
		t.Errorf("the better master answers a worse one as %v with %d, which is after its own", a.Role(), a.seq)
	}
}

// TestSequenceNumbers checks that numbers are skipped which cannot be an identification.
func TestSequenceNumbers(t *testing.T) {
	if a, b := nextSeq(0xfffe), nextSeq(0xffff); a != 0xffff || b != 0x10001 {
		t.Errorf("%x %x", a, b)
	}
}

// FuzzSigned checks that no payload that is not signed with the key has any effect, or makes the machine panic.
func FuzzSigned(f *testing.F) {
	for _, c := range signedOnWire {
		f.Add(unhex(c.hex), uint16(1))
	}
	f.Fuzz(func(t *testing.T, payload []byte, id uint16) {
		m := signing(100, "a key that nobody has", "192.0.2.1")
		m.Step(time.Unix(1, 0), Received{Src: netip.MustParseAddr("192.0.2.2"), Dst: ir.MulticastGroup(false), TTL: 255, AH: true, ID: id, Payload: payload})
		if s := m.Statistics(); s.AdvertisementRcvd != 0 {
			t.Errorf("%x is accepted", payload)
		}
	})
}
