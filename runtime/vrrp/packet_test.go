package vrrp

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keepc/compiler/ir"
)

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// onWire are packets of keepalived 2.2.7; TestKeepalivedSendsTheSame records them again.
var onWire = []struct {
	name, src string
	packet    Packet
	hex       string
}{
	{
		"version 2, password, the addresses in the order of the file", "192.0.2.2",
		Packet{Version: 2, VRID: 51, Priority: 254, Interval: time.Second, Addresses: addrs("192.0.2.11", "192.0.2.10"), AuthType: ir.AuthPass, Auth: ir.NewSecret("s3cr3t")},
		"2133fe02 01015198 c000020b c000020a 7333637233740000",
	},
	{
		"version 2, a password of 8 bytes", "192.0.2.2",
		Packet{Version: 2, VRID: 52, Priority: 255, Interval: 2 * time.Second, Addresses: addrs("192.0.2.20"), AuthType: ir.AuthPass, Auth: ir.NewSecret("12345678")},
		"2134ff01 01024bde c0000214 3132333435363738",
	},
	{
		"version 2, no authentication: the eight bytes are there all the same", "192.0.2.2",
		Packet{Version: 2, VRID: 53, Priority: 254, Interval: time.Second, Addresses: addrs("192.0.2.30")},
		"2135fe01 00011ea9 c000021e 0000000000000000",
	},
	{
		"version 3, IPv4", "192.0.2.2",
		Packet{Version: 3, VRID: 54, Priority: 254, Interval: 500 * time.Millisecond, Addresses: addrs("192.0.2.40")},
		"3136fe01 00326bdb c0000228",
	},
	{
		"version 3, IPv6", "fe80::2",
		Packet{Version: 3, VRID: 55, Priority: 254, Interval: time.Second, Addresses: addrs("fe80::10", "2001:db8::10")},
		"3137fe02 0064a5d7 fe800000000000000000000000000010 20010db8000000000000000000000010",
	},
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestPacketOnTheWire(t *testing.T) {
	for _, c := range onWire {
		t.Run(c.name, func(t *testing.T) {
			src := netip.MustParseAddr(c.src)
			dst := ir.MulticastGroup(src.Is6())
			got, err := c.packet.Marshal(src, dst)
			if err != nil {
				t.Fatal(err)
			}
			if want := unhex(c.hex); !reflect.DeepEqual(got, want) {
				t.Errorf("Marshal\n got %x\nwant %x", got, want)
			}
			back, err := Unmarshal(got, src, dst)
			if err != nil || !reflect.DeepEqual(back, c.packet) {
				t.Errorf("Unmarshal = %#v, %v\nwant %#v", back, err, c.packet)
			}
			if _, err := Unmarshal(append(got, 0, 0, 0), src, dst); err != nil {
				t.Errorf("with the padding of a short frame: %v", err)
			}
		})
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	good := onWire[0]
	v3 := onWire[3]
	for _, c := range []struct {
		name string
		src  string
		hex  string
		do   func(b []byte) []byte
		want error
	}{
		{"nothing", good.src, good.hex, func(b []byte) []byte { return nil }, ErrTruncated},
		{"half a header", good.src, good.hex, func(b []byte) []byte { return b[:7] }, ErrTruncated},
		{"half an address", good.src, good.hex, func(b []byte) []byte { return b[:10] }, ErrTruncated},
		{"no authentication data", good.src, good.hex, func(b []byte) []byte { return b[:16] }, ErrTruncated},
		{"more addresses than bytes", v3.src, v3.hex, func(b []byte) []byte { b[3]++; return b }, ErrTruncated},
		{"version 4", good.src, good.hex, func(b []byte) []byte { b[0] = 0x41; return b }, ErrVersion},
		{"type 2", good.src, good.hex, func(b []byte) []byte { b[0] = 0x22; return b }, ErrType},
		{"another priority", good.src, good.hex, func(b []byte) []byte { b[2]--; return b }, ErrChecksum},
		{"another password", good.src, good.hex, func(b []byte) []byte { b[20]++; return b }, ErrChecksum},
		{"version 3 from another source", "192.0.2.9", v3.hex, func(b []byte) []byte { return b }, ErrChecksum},
		{"version 2 over IPv6", "fe80::2", good.hex, func(b []byte) []byte { return b }, ErrFamily},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := netip.MustParseAddr(c.src)
			if _, err := Unmarshal(c.do(unhex(c.hex)), src, ir.MulticastGroup(src.Is6())); !errors.Is(err, c.want) {
				t.Errorf("error = %v, want %v", err, c.want)
			}
		})
	}
}

func TestMarshalRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(p *Packet)
		want error
	}{
		{"version 4", func(p *Packet) { p.Version = 4 }, ErrVersion},
		{"half a second in version 2", func(p *Packet) { p.Interval = 500 * time.Millisecond }, ErrInterval},
		{"no interval", func(p *Packet) { p.Interval = 0 }, ErrInterval},
		{"256 s in version 2", func(p *Packet) { p.Interval = 256 * time.Second }, ErrInterval},
		{"41 s in version 3", func(p *Packet) { p.Version, p.Interval = 3, 41*time.Second }, ErrInterval},
		{"milliseconds in version 3", func(p *Packet) { p.Version, p.Interval = 3, 15*time.Millisecond }, ErrInterval},
		{"IPv6 in version 2", func(p *Packet) { p.Addresses = addrs("fe80::1") }, ErrFamily},
		{"both families", func(p *Packet) { p.Version, p.Addresses = 3, addrs("192.0.2.1", "fe80::1") }, ErrFamily},
		{"256 addresses", func(p *Packet) { p.Addresses = make([]netip.Addr, 256) }, ErrCount},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := onWire[0].packet
			c.do(&p)
			if _, err := p.Marshal(netip.MustParseAddr("192.0.2.2"), ir.MulticastGroup(false)); !errors.Is(err, c.want) {
				t.Errorf("error = %v, want %v", err, c.want)
			}
		})
	}
}

func TestPasswordNeverPrints(t *testing.T) {
	p := onWire[0].packet
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{p, &p, []Packet{p}} {
			if s := fmt.Sprintf(format, v); strings.Contains(s, "s3cr3t") || strings.Contains(s, hex.EncodeToString([]byte("s3cr3t"))) {
				t.Errorf("%s shows the password: %s", format, s)
			}
		}
	}
}

// TestPacketRoundTrip checks that Unmarshal reads what Marshal writes, for every packet.
func TestPacketRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Packet{Version: 2, VRID: rapid.Byte().Draw(t, "vrid"), Priority: rapid.Byte().Draw(t, "priority")}
		src, size := netip.MustParseAddr("192.0.2.2"), 4
		if rapid.Bool().Draw(t, "version 3") {
			p.Version = 3
			p.Interval = time.Duration(rapid.IntRange(1, 4095).Draw(t, "cs")) * centisecond
			if rapid.Bool().Draw(t, "IPv6") {
				src, size = netip.MustParseAddr("fe80::2"), 16
			}
		} else {
			p.Interval = time.Duration(rapid.IntRange(1, 255).Draw(t, "s")) * time.Second
			p.AuthType = ir.AuthType(rapid.Byte().Draw(t, "auth type"))
			p.Auth = ir.NewSecret(rapid.StringMatching(`[!-~]{0,8}`).Draw(t, "password"))
		}
		for range rapid.IntRange(0, 255).Draw(t, "addresses") {
			a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "address"))
			p.Addresses = append(p.Addresses, a)
		}
		b, err := p.Marshal(src, ir.MulticastGroup(src.Is6()))
		if err != nil {
			t.Fatal(err)
		}
		back, err := Unmarshal(b, src, ir.MulticastGroup(src.Is6()))
		if err != nil || !reflect.DeepEqual(back, p) {
			t.Fatalf("%#v came back as %#v, %v", p, back, err)
		}
	})
}

// FuzzUnmarshal checks that no bytes make Unmarshal panic, and that what it reads can be written.
func FuzzUnmarshal(f *testing.F) {
	for _, c := range onWire {
		f.Add(unhex(c.hex), c.src)
	}
	f.Add([]byte{0x31, 1, 100, 255, 0, 100, 0, 0}, "::")
	f.Fuzz(func(t *testing.T, b []byte, from string) {
		src, err := netip.ParseAddr(from)
		if err != nil {
			src = netip.Addr{}
		}
		src = src.WithZone("").Unmap()
		dst := ir.MulticastGroup(src.Is6())
		p, err := Unmarshal(b, src, dst)
		if err != nil {
			return
		}
		again, err := p.Marshal(src, dst)
		if errors.Is(err, ErrInterval) {
			return // 0 can be read
		}
		if err != nil {
			t.Fatalf("%v cannot be written: %v", p, err)
		}
		if back, err := Unmarshal(again, src, dst); err != nil || !reflect.DeepEqual(back, p) {
			t.Fatalf("%#v came back as %#v, %v", p, back, err)
		}
	})
}
