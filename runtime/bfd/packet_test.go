package bfd_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"keepc/runtime/bfd"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// TestPacketOnTheWire reads and writes packets. The first two were sent by keepalived 2.2.7.
func TestPacketOnTheWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, hex string
		packet    bfd.Packet
	}{
		{"up", "20c00318 34b50210 7d27f2ac 000186a0 000186a0 00000000", bfd.Packet{
			State: bfd.Up, DetectMult: 3, MyDiscriminator: 0x34b50210, YourDiscriminator: 0x7d27f2ac,
			DesiredMinTxInterval: 100 * time.Millisecond, RequiredMinRxInterval: 100 * time.Millisecond,
		}},
		{"down after the detection time", "21400318 ec4f1a4d 00000000 000f4240 000186a0 00000000", bfd.Packet{
			Diagnostic: bfd.DetectionTimeExpired, State: bfd.Down, DetectMult: 3, MyDiscriminator: 0xec4f1a4d,
			DesiredMinTxInterval: time.Second, RequiredMinRxInterval: 100 * time.Millisecond,
		}},
		{"all flags that a packet may have", "20ba0118 00000001 00000002 ffffffff 00000001 00000002", bfd.Packet{
			State: bfd.Init, Poll: true, Final: true, ControlPlaneIndependent: true, Demand: true, DetectMult: 1, MyDiscriminator: 1, YourDiscriminator: 2,
			DesiredMinTxInterval: 4294967295 * time.Microsecond, RequiredMinRxInterval: time.Microsecond, RequiredMinEchoRxInterval: 2 * time.Microsecond,
		}},
	} {
		if got := c.packet.Marshal(); !bytes.Equal(got, unhex(c.hex)) {
			t.Errorf("%s: Marshal\n got %x\nwant %s", c.name, got, c.hex)
		}
		if got, err := bfd.Unmarshal(unhex(c.hex)); err != nil || got != c.packet {
			t.Errorf("%s: Unmarshal = %+v, %v", c.name, got, err)
		}
	}
}

// TestReception breaks the rules of section 6.8.6 one after the other: if a packet breaks several, the first counts.
func TestReception(t *testing.T) {
	t.Parallel()
	b := unhex("20c00318 00000001 00000002 000186a0 000186a0 00000000")
	for i, rule := range []struct {
		want  error
		spoil func()
	}{
		{nil, func() {}},
		{bfd.ErrAuthentication, func() { b[1] |= 0x04; b[3] = 26; b = append(b, 1, 2) }},
		{bfd.ErrYourDiscriminator, func() { copy(b[8:], []byte{0, 0, 0, 0}) }},
		{bfd.ErrMyDiscriminator, func() { copy(b[4:], []byte{0, 0, 0, 0}) }},
		{bfd.ErrMultipoint, func() { b[1] |= 0x01 }},
		{bfd.ErrDetectMult, func() { b[2] = 0 }},
		{bfd.ErrLength, func() { b[3] = 27 }}, // larger than the payload
		{bfd.ErrLength, func() { b[3] = 25 }}, // smaller than with authentication
		{bfd.ErrLength, func() { b = b[:23] }},
		{bfd.ErrVersion, func() { b[0] = 0x40 }},
		{bfd.ErrVersion, func() { b = nil }},
	} {
		rule.spoil()
		if _, err := bfd.Unmarshal(b); !errors.Is(err, rule.want) {
			t.Errorf("rule %d: got %v, want %v", i, err, rule.want)
		}
	}
	if _, err := bfd.Unmarshal(unhex("20400318 00000001 00000000 000186a0 000186a0 00000000 ffff")); err != nil {
		t.Errorf("Down without Your Discriminator, and bytes behind it: %v", err)
	}
}

// FuzzPacket checks that an accepted packet is written back as it was read, except for bytes after it.
func FuzzPacket(f *testing.F) {
	f.Add(unhex("20c00318 34b50210 7d27f2ac 000186a0 000186a0 00000000"))
	f.Add(unhex("21400318 ec4f1a4d 00000000 000f4240 000186a0 00000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := bfd.Unmarshal(b)
		if err != nil {
			return
		}
		if p.DetectMult == 0 || p.MyDiscriminator == 0 || p.YourDiscriminator == 0 && p.State > bfd.Down {
			t.Errorf("%x is let through as %v", b, p)
		}
		again, err := bfd.Unmarshal(p.Marshal())
		if err != nil || again != p {
			t.Errorf("%x: %+v, written and read: %+v, %v", b, p, again, err)
		}
		if got, want := p.Marshal(), b[:24]; b[3] == 24 && !bytes.Equal(got, want) {
			t.Errorf("read %x, written %x", want, got)
		}
	})
}
