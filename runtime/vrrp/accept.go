package vrrp

import (
	"crypto/subtle"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
)

// A Defect is what is wrong with an advertisement. It is an error; callers distinguish defects with errors.Is.
type Defect uint8

// Why a packet is dropped; 0: it is not.
const (
	_ Defect = iota
	// Found by the codec.
	ErrTruncated
	ErrVersion
	ErrType
	ErrChecksum
	ErrFamily
	// Found by a machine.
	ErrTTL
	ErrUnicast
	ErrVersionMismatch
	ErrAuthType
	ErrAuth
	ErrIntervalMismatch
	ErrPeer
	ErrSignature
	ErrReplay
	// With auth_hmac.
	ErrUnsigned
	ErrKey
	ErrClock
	ErrStale

	defects
)

func (d Defect) Error() string {
	return [defects]string{
		ErrTruncated: "truncated", ErrVersion: "unknown version", ErrType: "not an advertisement", ErrChecksum: "wrong checksum",
		ErrFamily: "mixed address families", ErrTTL: "unexpected TTL", ErrUnicast: "sent to another address",
		ErrVersionMismatch: "another version", ErrAuthType: "another authentication type", ErrAuth: "wrong password",
		ErrIntervalMismatch: "another interval", ErrPeer: "not from a unicast_peer",
		ErrSignature: "wrong password, or altered on its way", ErrReplay: "sent before",
		ErrUnsigned: "without a signature", ErrKey: "signed with an unknown key", ErrClock: "signed by another clock", ErrStale: "sent before",
	}[d]
}

// A Drop is a Defect with the values that it compares. It is a value, so that a flood of bad packets formats no text;
// Error returns its text.
type Drop struct {
	Defect       Defect
	Theirs, Ours int64      // what their packet has, and what it should have, in the unit of the Defect
	Count        uint8      // of addresses
	To, Want     netip.Addr // of ErrTTL: Want is the unicast_peer that limits it
}

func (d Drop) Error() string {
	switch {
	case d.Defect == ErrTruncated && d.Ours > 0:
		return fmt.Sprintf("%v: %d bytes, %d addresses need %d", d.Defect, d.Theirs, d.Count, d.Ours)
	case d.Defect == ErrFamily:
		return d.Defect.Error() + ": version 2 over IPv6"
	case d.Defect == ErrVersion:
		return fmt.Sprintf("%v %d", d.Defect, d.Theirs)
	case d.Defect == ErrType:
		return fmt.Sprintf("%v but type %d", d.Defect, d.Theirs)
	case d.Defect == ErrTTL && d.Want.IsValid() && d.Theirs < d.Ours:
		return fmt.Sprintf("TTL %d is below min_ttl %d of this unicast_peer", d.Theirs, d.Ours)
	case d.Defect == ErrTTL && d.Want.IsValid():
		return fmt.Sprintf("TTL %d is above max_ttl %d of this unicast_peer", d.Theirs, d.Ours)
	case d.Defect == ErrTTL:
		return fmt.Sprintf("TTL is not %d, so not from this link: %d", d.Ours, d.Theirs)
	case d.Defect == ErrUnicast:
		return fmt.Sprintf("not sent to %v but to %v", d.Want, d.To)
	case d.Defect == ErrVersionMismatch:
		return fmt.Sprintf("%v: theirs %d, ours %d", d.Defect, d.Theirs, d.Ours)
	case d.Defect == ErrAuthType:
		return fmt.Sprintf("%v: theirs %d, ours %d (0 none, 1 PASS, 2 AH)", d.Defect, d.Theirs, d.Ours)
	case d.Defect == ErrReplay:
		return fmt.Sprintf("%v: sequence number %d, and %d was heard or sent", d.Defect, d.Theirs, d.Ours)
	case d.Defect == ErrKey:
		return fmt.Sprintf("%v: %d", d.Defect, d.Theirs)
	case d.Defect == ErrClock:
		return fmt.Sprintf("%v: %d s off, time_window is %d", d.Defect, d.Theirs, d.Ours)
	case d.Defect == ErrIntervalMismatch && d.Theirs == 0:
		return d.Defect.Error() + ": theirs 0"
	case d.Defect == ErrIntervalMismatch:
		return fmt.Sprintf("%v: theirs %v, ours %v", d.Defect, time.Duration(d.Theirs), time.Duration(d.Ours))
	}
	return d.Defect.Error()
}

// Unwrap returns the Defect.
func (d Drop) Unwrap() error { return d.Defect }

// accept reads an advertisement and checks what the receiver must: RFC 3768 section 7.1, RFC 9568 section 7.1.
// keepalived checks the same in a different order, which shows only in the reason for a packet with several faults.
func (m *Machine) accept(r Received) (Packet, Drop) {
	advert, seq, wrong := r.Payload, uint32(0), Drop{}
	if r.AH {
		if advert, seq, wrong = open(r.Payload); wrong.Defect != 0 {
			return Packet{}, wrong
		}
	}
	p, wrong := decode(advert, r.Src, r.Dst)
	switch {
	case wrong.Defect != 0:
		return p, wrong
	case p.Sum != SumPseudo && !m.takes(p.Sum):
		return p, Drop{Defect: ErrChecksum}
	}
	if wrong = m.comes(r); wrong.Defect != 0 {
		return p, wrong
	}
	if p.Version != m.cfg.Version {
		return p, Drop{Defect: ErrVersionMismatch, Theirs: int64(p.Version), Ours: int64(m.cfg.Version)}
	}
	if m.cfg.AuthHMAC != nil {
		if wrong = m.checkTrailer(r, p.size(r.Src)); wrong.Defect != 0 {
			return p, wrong
		}
	}
	switch {
	case p.Version == 3 && p.Interval == 0:
		return p, Drop{Defect: ErrIntervalMismatch}
	case p.Version == 3:
		return p, Drop{}
	case r.AH && m.cfg.Auth.Type != ir.AuthAH:
		return p, Drop{Defect: ErrAuthType, Theirs: int64(ir.AuthAH), Ours: int64(m.cfg.Auth.Type)}
	case p.AuthType != m.cfg.Auth.Type:
		return p, Drop{Defect: ErrAuthType, Theirs: int64(p.AuthType), Ours: int64(m.cfg.Auth.Type)}
	case m.cfg.Auth.Type == ir.AuthPass && !samePassword(p.Auth, m.cfg.Auth.Pass):
		return p, Drop{Defect: ErrAuth}
	case m.cfg.Auth.Type == ir.AuthAH && !r.AH:
		return p, Drop{Defect: ErrSignature}
	}
	if r.AH {
		if wrong = m.checkSignature(r, seq); wrong.Defect != 0 {
			return p, wrong
		}
	}
	switch {
	case p.Interval != m.cfg.AdvertInterval:
		return p, Drop{Defect: ErrIntervalMismatch, Theirs: int64(p.Interval), Ours: int64(m.cfg.AdvertInterval)}
	}
	return p, Drop{}
}

// comes checks the path of an advertisement: who sent it, to whom, over how many routers. keepalived does not check a
// unicast source, unless check_unicast_src or the TTL of a peer requires it.
func (m *Machine) comes(r Received) Drop {
	if group := m.cfg.Group(); group.IsValid() {
		switch {
		case r.TTL != 255:
			return Drop{Defect: ErrTTL, Theirs: int64(r.TTL), Ours: 255}
		case r.Dst != group:
			return Drop{Defect: ErrUnicast, To: r.Dst, Want: group}
		}
		return Drop{}
	}
	peer := m.cfg.Peer(r.Src)
	switch {
	case r.Dst != m.source:
		return Drop{Defect: ErrUnicast, To: r.Dst, Want: m.source}
	case peer == nil && m.checksSource():
		return Drop{Defect: ErrPeer}
	case peer != nil && r.TTL < int(peer.MinTTL):
		return Drop{Defect: ErrTTL, Theirs: int64(r.TTL), Ours: int64(peer.MinTTL), Want: r.Src}
	case peer != nil && r.TTL > int(peer.MaxTTL):
		return Drop{Defect: ErrTTL, Theirs: int64(r.TTL), Ours: int64(peer.MaxTTL), Want: r.Src}
	}
	return Drop{}
}

// checksSource reports whether only peers are accepted.
func (m *Machine) checksSource() bool {
	return m.cfg.CheckUnicastSource || slices.ContainsFunc(m.cfg.Unicast, func(p ir.UnicastPeer) bool { return p.MinTTL > 0 || p.MaxTTL < 255 })
}

// sumOf returns the checksum that an instance starts with.
func sumOf(v *ir.VRRPInstance) Sum {
	if plainSum(v) {
		return SumPlain
	}
	if v.OldUnicastChecksum == ir.ChecksumAlways && len(v.Unicast) > 0 && !v.IPv6() {
		return SumGroup
	}
	return SumPseudo
}

// plainSum reports whether an instance sends checksums without the pseudo header.
func plainSum(v *ir.VRRPInstance) bool { return v.V3ChecksumAsV2 && v.Version == 3 && !v.IPv6() }

// takes reports whether a peer may have a nonstandard checksum. From then on an old unicast peer is answered in kind.
// With v3_checksum_as_v2 keepalived accepts any checksum; keepc accepts that of version 2 and the right one.
func (m *Machine) takes(s Sum) bool {
	if s == SumPlain || plainSum(m.cfg) {
		return s == SumPlain && plainSum(m.cfg)
	}
	if len(m.cfg.Unicast) == 0 || m.cfg.OldUnicastChecksum == ir.ChecksumNever {
		return false
	}
	if m.sum != s {
		m.sum, m.sending = s, nil
	}
	return true
}

// samePassword compares in constant time what packets carry of two passwords.
func samePassword(a, b ir.Secret) bool {
	x, y := authData(a), authData(b)
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// compareAddresses says how the addresses of an advertisement differ from ours; their order does not matter. The
// protocol lets routers with different addresses elect one master all the same, which leaves some addresses without a
// holder.
func compareAddresses(theirs, ours []netip.Addr) string {
	var odd []string
	for _, a := range theirs {
		if !slices.Contains(ours, a) {
			odd = append(odd, fmt.Sprintf("%v is only theirs", a))
		}
	}
	for _, a := range ours {
		if !slices.Contains(theirs, a) {
			odd = append(odd, fmt.Sprintf("%v is only ours", a))
		}
	}
	return strings.Join(odd, ", ")
}

// sameAddresses reports whether two lists hold the same addresses, in whatever order.
func sameAddresses(a, b []netip.Addr) bool {
	if slices.Equal(a, b) {
		return true
	}
	has := make(map[netip.Addr]bool, len(a))
	for _, x := range a {
		has[x] = true
	}
	for _, x := range b {
		if !has[x] {
			return false
		}
	}
	for _, x := range b {
		delete(has, x)
	}
	return len(has) == 0
}
