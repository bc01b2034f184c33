package ir

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
)

// A ClientMask says which clients count as one for persistence: for IPv4 a netmask, whose ones need not lead; for IPv6 a prefix length. 0:
// nothing is said, and each client stands alone. The low 32 bits are what the kernel keeps; ofIPv6 says that they are a length, because
// a netmask such as 0.0.0.128 is the same number.
type ClientMask uint64

const ofIPv6 ClientMask = 1 << 32

// LongestMask is the length of the mask of a single client.
func LongestMask(v6 bool) int {
	if v6 {
		return 128
	}
	return 32
}

// MaskOf returns the mask of a prefix length. A longer one than the longest counts as the longest.
func MaskOf(length int, v6 bool) ClientMask {
	switch length = min(length, LongestMask(v6)); {
	case length <= 0:
		return 0
	case v6:
		return ofIPv6 | ClientMask(length)
	}
	return ClientMask(^uint32(0) << (32 - length))
}

// MaskFrom returns an IPv4 netmask.
func MaskFrom(netmask netip.Addr) ClientMask {
	b := netmask.As4()
	return ClientMask(binary.BigEndian.Uint32(b[:]))
}

// Alone reports whether each client stands alone.
func (m ClientMask) Alone() bool { return m == 0 || m == MaskOf(32, false) || m == MaskOf(128, true) }

// Length is the prefix length, if the ones of the mask lead.
func (m ClientMask) Length() (n int, ok bool) {
	if m&ofIPv6 != 0 {
		return int(m.Bits()), true
	}
	n = bits.LeadingZeros32(^m.Bits())
	return n, m == MaskOf(n, false)
}

// Bits is what the kernel keeps: the netmask, or the length.
func (m ClientMask) Bits() uint32 { return uint32(m) }

// String is the mask in the words of a file: a netmask, or a prefix length of IPv6.
func (m ClientMask) String() string {
	if m&ofIPv6 != 0 {
		return strconv.Itoa(int(m.Bits()))
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, m.Bits()))).String()
}
