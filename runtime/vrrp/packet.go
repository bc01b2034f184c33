// Package vrrp is the Virtual Router Redundancy Protocol without I/O: the packets of versions 2 and 3, and the machine
// that decides who is master. Nothing here knows a clock or a socket.
package vrrp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"keepc/compiler/ir"
)

// Errors of Marshal in addition to ErrVersion and ErrFamily; callers distinguish them with errors.Is.
var (
	ErrInterval = errors.New("interval does not fit")
	ErrCount    = errors.New("more than 255 addresses")
)

const (
	protocol  = 112 // IP protocol number of VRRP
	headerLen = 8   // bytes before the addresses, in both versions
	authLen   = 8   // bytes of authentication data after them, version 2 only

	typeAdvert = 1

	// MaxIntervalV2 is 8 bits of seconds, MaxIntervalV3 12 bits of centiseconds.
	MaxIntervalV2 = 255 * time.Second
	MaxIntervalV3 = 4095 * centisecond

	centisecond = 10 * time.Millisecond
)

// A Packet is an advertisement: RFC 3768 section 5.1 with the passwords of RFC 2338, or RFC 9568 section 5.2.
type Packet struct {
	Version   uint8 // 2 or 3
	VRID      uint8
	Priority  uint8 // 0: the master resigns
	Interval  time.Duration
	Addresses []netip.Addr // of one family; version 2 has IPv4 only
	AuthType  ir.AuthType  // version 2 only
	Auth      ir.Secret    // version 2 only: the first 8 bytes are sent, padded with zeros
	Sum       Sum
}

// A Sum is what the checksum of a version 3 packet over IPv4 covers in addition to the packet itself.
type Sum uint8

const (
	SumPseudo Sum = iota // the pseudo header with source and destination
	SumGroup             // that with VRRP's group as the destination of a unicast packet: keepalived before 1.3.7
	SumPlain             // nothing, as in version 2: v3_checksum_as_v2
)

// String shows the packet without its password.
func (p Packet) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "v%d vrid %d priority %d every %v", p.Version, p.VRID, p.Priority, p.Interval)
	for _, a := range p.Addresses {
		b.WriteString(" " + a.String())
	}
	return b.String()
}

// Marshal returns the VRRP payload of an IP packet from src to dst, which version 3 includes in its checksum. Errors:
// ErrVersion, ErrInterval, ErrCount, ErrFamily.
func (p Packet) Marshal(src, dst netip.Addr) ([]byte, error) {
	if len(p.Addresses) > 255 {
		return nil, ErrCount
	}
	b := make([]byte, headerLen, headerLen+len(p.Addresses)*16+authLen)
	b[0] = p.Version<<4 | typeAdvert
	b[1], b[2], b[3] = p.VRID, p.Priority, uint8(len(p.Addresses))
	switch p.Version {
	case 2:
		if p.Interval < time.Second || p.Interval > MaxIntervalV2 || p.Interval%time.Second != 0 {
			return nil, fmt.Errorf("%w: %v is not a whole number of seconds from 1 to 255", ErrInterval, p.Interval)
		}
		b[4], b[5] = uint8(p.AuthType), uint8(p.Interval/time.Second)
	case 3:
		if p.Interval < centisecond || p.Interval > MaxIntervalV3 || p.Interval%centisecond != 0 {
			return nil, fmt.Errorf("%w: %v is not a whole number of centiseconds from 1 to 4095", ErrInterval, p.Interval)
		}
		binary.BigEndian.PutUint16(b[4:], uint16(p.Interval/centisecond))
	default:
		return nil, fmt.Errorf("%w %d", ErrVersion, p.Version)
	}
	for _, a := range p.Addresses {
		if a.Is4() != src.Is4() || p.Version == 2 && !a.Is4() {
			return nil, fmt.Errorf("%w: %v in a version %d packet from %v", ErrFamily, a, p.Version, src)
		}
		b = append(b, a.AsSlice()...)
	}
	if p.Version == 2 {
		auth := authData(p.Auth)
		b = append(b, auth[:]...)
	}
	binary.BigEndian.PutUint16(b[6:], checksum(b, p.Sum.version(p.Version), src, p.Sum.destination(dst)))
	return b, nil
}

// Unmarshal reads the VRRP payload of an IP packet from src to dst. What follows the advertisement is ignored: it is
// the padding of a short frame. The caller must judge a Sum other than SumPseudo. Errors: ErrTruncated, ErrVersion,
// ErrType, ErrFamily, ErrChecksum.
func Unmarshal(b []byte, src, dst netip.Addr) (Packet, error) {
	p, wrong := decode(b, src, dst)
	if wrong.Defect != 0 {
		return p, wrong
	}
	return p, nil
}

// decode is Unmarshal without error texts.
func decode(b []byte, src, dst netip.Addr) (p Packet, wrong Drop) {
	if len(b) < headerLen {
		return Packet{}, Drop{Defect: ErrTruncated}
	}
	p = Packet{Version: b[0] >> 4, VRID: b[1], Priority: b[2]}
	addrLen, tail := src.BitLen()/8, 0
	switch p.Version {
	case 2:
		if !src.Is4() {
			return Packet{}, Drop{Defect: ErrFamily}
		}
		p.AuthType, p.Interval, tail = ir.AuthType(b[4]), time.Duration(b[5])*time.Second, authLen
	case 3:
		// The upper four bits are reserved and ignored: RFC 9568 section 5.2.6.
		p.Interval = time.Duration(binary.BigEndian.Uint16(b[4:])&0x0fff) * centisecond
	default:
		return Packet{}, Drop{Defect: ErrVersion, Theirs: int64(p.Version)}
	}
	if b[0]&0x0f != typeAdvert {
		return Packet{}, Drop{Defect: ErrType, Theirs: int64(b[0] & 0x0f)}
	}
	end := headerLen + int(b[3])*addrLen
	if len(b) < end+tail {
		return Packet{}, Drop{Defect: ErrTruncated, Theirs: int64(len(b)), Ours: int64(end + tail), Count: b[3]}
	}
	all := b
	b = b[:end+tail]
	switch {
	case checksum(b, p.Version, src, dst) == 0:
	case src.Is6() && trails(all[end+tail:]) && checksum(all, p.Version, src, dst) == 0:
	case p.Version == 3 && src.Is4() && checksum(b, p.Version, src, SumGroup.destination(dst)) == 0:
		p.Sum = SumGroup
	case p.Version == 3 && src.Is4() && checksum(b, SumPlain.version(3), src, dst) == 0:
		p.Sum = SumPlain
	default:
		return Packet{}, Drop{Defect: ErrChecksum}
	}
	for rest := b[headerLen:end]; len(rest) > 0; rest = rest[addrLen:] {
		a, _ := netip.AddrFromSlice(rest[:addrLen])
		p.Addresses = append(p.Addresses, a)
	}
	if p.Version == 2 {
		p.Auth = ir.NewSecret(strings.TrimRight(string(b[end:]), "\x00"))
	}
	return p, Drop{}
}

// size is the length of an advertisement that was read, without what follows it.
func (p Packet) size(src netip.Addr) int {
	n := headerLen + len(p.Addresses)*src.BitLen()/8
	if p.Version == 2 {
		n += authLen
	}
	return n
}

// authData returns a password as packets carry it.
func authData(s ir.Secret) (data [authLen]byte) {
	copy(data[:], s.Reveal())
	return data
}

// destination returns the address that a pseudo header has in place of that of the packet.
func (s Sum) destination(dst netip.Addr) netip.Addr {
	if s == SumGroup {
		return ir.MulticastGroup(false)
	}
	return dst
}

// version returns the VRRP version whose checksum a packet has.
func (s Sum) version(v uint8) uint8 {
	if s == SumPlain {
		return 2
	}
	return v
}

// checksum is the Internet checksum (RFC 1071) of the payload, which is 0 over a payload that contains its right
// checksum. Version 2 sums the whole payload, including the authentication data; version 3 adds the pseudo header of
// RFC 8200 section 8.1, or over IPv4 that of TCP.
func checksum(payload []byte, version uint8, src, dst netip.Addr) uint16 {
	sum := ones(0, payload)
	if version == 3 {
		sum = ones(sum, src.AsSlice())
		sum = ones(sum, dst.AsSlice())
		sum += protocol + uint32(len(payload))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// ones adds 16-bit words. A payload has at most 255 addresses: the sum does not overflow.
func ones(sum uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	return sum
}
