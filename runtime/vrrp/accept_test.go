package vrrp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
)

func TestRFC9568Section7_1ReceiverChecks(t *testing.T) {
	withPassword := func(v *ir.VRRPInstance) {
		v.Auth = ir.Authentication{Type: ir.AuthPass, Pass: ir.NewSecret("s3cr3t-and-more")}
	}
	auth := func(n ir.AuthType, pass string) func(*Packet) {
		return func(p *Packet) { p.AuthType, p.Auth = n, ir.NewSecret(pass) }
	}
	none := func(*ir.VRRPInstance) {}
	for _, c := range []struct {
		name   string
		cfg    func(*ir.VRRPInstance)
		packet func(*Packet)
		spoil  func(*Received)
		want   Defect
	}{
		{"good", none, func(*Packet) {}, nil, 0},
		{"MUST verify that the IPv4 TTL is 255", none, func(*Packet) {}, func(r *Received) { r.TTL = 254 }, ErrTTL},
		{"MUST verify the VRRP version", none, func(p *Packet) { p.Version = 3 }, nil, ErrVersionMismatch},
		{"MUST verify that the VRRP packet type is 1", none, func(*Packet) {}, func(r *Received) { r.Payload[0] = 0x23 }, ErrType},
		{"MUST verify that the received packet contains the complete VRRP packet", none, func(*Packet) {}, func(r *Received) { r.Payload = r.Payload[:12] }, ErrTruncated},
		{"MUST verify the VRRP checksum", none, func(*Packet) {}, func(r *Received) { r.Payload[6]++ }, ErrChecksum},
		{"keepalived: to the group alone", none, func(*Packet) {}, func(r *Received) { r.Dst = netip.MustParseAddr("192.0.2.2") }, ErrUnicast},
		{"RFC 3768: MUST verify the authentication type", none, auth(ir.AuthPass, "s3cr3t"), nil, ErrAuthType},
		{"an unknown authentication type", none, auth(7, ""), nil, ErrAuthType},
		{"no password where we have one", withPassword, auth(ir.AuthNone, ""), nil, ErrAuthType},
		{"another password", withPassword, auth(ir.AuthPass, "s3cr3t"), nil, ErrAuth},
		{"the first 8 bytes of the password are all that counts", withPassword, auth(ir.AuthPass, "s3cr3t-a"), nil, 0},
		{"RFC 3768: MUST verify that the Adver Interval is the local one", none, func(p *Packet) { p.Interval = 2 * time.Second }, nil, ErrIntervalMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := New(instance(c.cfg))
			r := from("192.0.2.3", 200, c.packet)
			if c.spoil != nil {
				c.spoil(&r)
			}
			if _, wrong := m.accept(r); wrong.Defect != c.want {
				t.Errorf("%v, want %v", wrong, c.want)
			}
		})
	}
}

// TestOtherAddressesAreTold checks that different addresses are reported and change nothing: RFC 9568 section 7.1
// leaves the choice, keepalived logs.
func TestOtherAddressesAreTold(t *testing.T) {
	cfg := instance(func(v *ir.VRRPInstance) {
		for _, a := range []string{"192.0.2.11/24", "192.0.2.12/24", "2001:db8::10/64"} {
			v.Addresses = append(v.Addresses, ir.Address{Prefix: netip.MustParsePrefix(a), Dev: "eth0"})
		}
		v.Addresses[2].Excluded = true
	})
	for list, odd := range map[string]string{
		"192.0.2.10 192.0.2.11":            "",
		"192.0.2.11 192.0.2.10":            "",
		"192.0.2.10":                       "192.0.2.11 is only ours",
		"192.0.2.10 192.0.2.11 192.0.2.12": "192.0.2.12 is only theirs",
		"192.0.2.11 192.0.2.13":            "192.0.2.13 is only theirs, 192.0.2.10 is only ours",
	} {
		theirs := addrs(strings.Fields(list)...)
		if got := compareAddresses(theirs, cfg.Advertised()); got != odd || sameAddresses(theirs, cfg.Advertised()) != (odd == "") {
			t.Errorf("%s: %q, want %q", list, got, odd)
		}
	}
}

// TestNotesAreRare checks that a note about an oddity comes once a minute, separately for each kind, and again in a
// new role.
func TestNotesAreRare(t *testing.T) {
	b := newBench(t, instance(), Backup)
	wrongTTL := from("192.0.2.3", 200)
	wrongTTL.TTL = 1
	wrongInterval := from("192.0.2.3", 200, func(p *Packet) { p.Interval = 9 * time.Second })
	want(t, "first", b.do(0, wrongTTL), "note")
	want(t, "again", b.do(time.Second, wrongTTL), "")
	wrongTTL.Src = netip.MustParseAddr("192.0.2.4")
	want(t, "of another router", b.do(0, wrongTTL), "")
	want(t, "another kind", b.do(0, wrongInterval), "note")
	b.due()
	want(t, "in a new role", b.do(0, wrongTTL), "note")
	want(t, "after a minute", b.do(time.Minute, wrongTTL), "note")
}

// TestUnsendable checks that what cannot be sent is reported, at a limited rate; the machine continues.
func TestUnsendable(t *testing.T) {
	b := newBench(t, instance(func(v *ir.VRRPInstance) { v.AdvertInterval = 300 * time.Second }), Backup)
	want(t, "transition", b.due(), "note, MASTER, announce 1×5")
	b.due()
	want(t, "next advert", b.due(), "note")
}
