package main

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
	"keepc/runtime/vrrp"
)

// A crafted is an IP packet that a router on the wire sends: an advertisement with a fault.
type crafted struct {
	vrrp.Packet
	from  netip.Addr            // none: 10.0.0.101, or fe80 of the interface, or fd00::101
	to    netip.Addr            // none: the group
	ttl   int                   // 0: 255
	seq   uint32                // of an authentication header; 0: there is none
	key   string                // of that; empty: "secret"
	spoil func(b []byte) []byte // changes the advertisement before its checksum is computed
	after func(b []byte) []byte // changes the payload afterwards
}

// An injector sends crafted packets.
type injector struct {
	t           *testing.T
	plain, auth *ipv4.RawConn
	six         *ipv6.PacketConn
	index       int
	linkLocal   netip.Addr // of the receiver
	own         netip.Addr // the link-local address of the sender
}

// conformanceHosts are a host with the file lb.conf, and a host that sends to it.
func conformanceHosts(t *testing.T) (*lab.Host, injector) {
	t.Helper()
	n := lab.New(t)
	lan := n.Segment("lan")
	here, far := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.1/24", "fd00::1/64")), n.Host("far", lab.On(lan, "eth0", "10.0.0.101/24", "fd00::101/64", "fd00::102/64"))
	if err := os.WriteFile(filepath.Join(here.Dir(), "lb.conf"), []byte(conformance), 0o600); err != nil {
		t.Fatal(err)
	}
	i := injector{t: t, index: far.Link("eth0").Index()}
	for h, addr := range map[*lab.Host]*netip.Addr{here: &i.linkLocal, far: &i.own} {
		lab.Eventually(t, 10*time.Second, "a link-local address", func() bool {
			return strings.Contains(h.Run("ip", "-6", "addr", "show", "dev", "eth0", "-tentative"), "fe80")
		})
		for _, p := range h.Addrs("eth0") {
			if p.Addr().IsLinkLocalUnicast() {
				*addr = p.Addr()
			}
		}
	}
	open := func(network, address string) (c net.PacketConn) {
		err := far.Do(func() (err error) { c, err = net.ListenPacket(network, address); return err })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	for protocol, raw := range map[string]**ipv4.RawConn{"112": &i.plain, "51": &i.auth} {
		var err error
		if *raw, err = ipv4.NewRawConn(open("ip4:"+protocol, "0.0.0.0")); err == nil {
			err = (*raw).SetMulticastInterface(&net.Interface{Index: i.index})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	i.six = ipv6.NewPacketConn(open("ip6:112", "::"))
	return here, i
}

func (i injector) send(c crafted) {
	i.t.Helper()
	six := c.Addresses[0].Is6()
	src, dst := netip.MustParseAddr("10.0.0.101"), ir.MulticastGroup(six)
	if c.to.IsValid() {
		dst = c.to
	}
	switch {
	case c.from.IsValid():
		src = c.from
	case six && (dst.IsMulticast() || dst.IsLinkLocalUnicast()):
		src = i.own
	case six:
		src = netip.MustParseAddr("fd00::101")
	}
	b, err := c.Marshal(src, dst)
	if err != nil {
		i.t.Fatal(err)
	}
	if c.spoil != nil {
		b = c.spoil(b)
		b[6], b[7] = 0, 0
		sum := onesSum(b)
		if six || b[0]>>4 == 3 { // the pseudo header is part of it
			sum = onesSum(slices.Concat(src.AsSlice(), dst.AsSlice(), []byte{0, 112, 0, byte(len(b))}, b))
		}
		b[6], b[7] = byte(sum>>8), byte(sum)
	}
	if c.ttl == 0 {
		c.ttl = 255
	}
	header := &ipv4.Header{Version: 4, Len: 20, ID: int(uint16(c.seq)), TTL: c.ttl, Protocol: 112, TOS: 0xC0, Src: src.AsSlice(), Dst: dst.AsSlice()}
	raw := i.plain
	if c.seq > 0 {
		raw, header.Protocol = i.auth, 51
		b = signAH(header, b, c.seq, c.key)
	}
	if c.after != nil {
		b = c.after(b)
	}
	if header.TotalLen = 20 + len(b); six {
		_, err = i.six.WriteTo(b, &ipv6.ControlMessage{HopLimit: c.ttl, Src: src.AsSlice(), IfIndex: i.index}, &net.IPAddr{IP: dst.AsSlice()})
	} else {
		err = raw.WriteTo(header, b, nil)
	}
	if err != nil {
		i.t.Fatal(err)
	}
}

// signAH puts an authentication header before an advertisement: HMAC-MD5-96 (RFC 2402, 2403), in keepalived's version,
// with the source address as SPI and eight bytes of the password as key; the TTL is signed.
func signAH(ip *ipv4.Header, advert []byte, seq uint32, password string) []byte {
	if password == "" {
		password = "secret"
	}
	b := slices.Concat([]byte{112, 4, 0, 0}, ip.Src.To4(), binary.BigEndian.AppendUint32(nil, seq), make([]byte, 12), advert)
	h := []byte{0: 0x45, 3: byte(20 + len(b)), 4: byte(ip.ID >> 8), 5: byte(ip.ID), 8: byte(ip.TTL), 9: 51, 11: 0}
	key := make([]byte, 8)
	copy(key, password)
	mac := hmac.New(md5.New, key)
	mac.Write(slices.Concat(h, ip.Src.To4(), ip.Dst.To4(), b))
	copy(b[12:24], mac.Sum(nil))
	return b
}

// onesSum is the Internet checksum: RFC 1071.
func onesSum(b []byte) uint16 {
	if len(b)%2 == 1 {
		b = append(slices.Clone(b), 0)
	}
	sum := uint32(0)
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
