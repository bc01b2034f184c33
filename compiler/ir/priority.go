package ir

import "net/netip"

// Special priorities: RFC 9568 section 5.2.4; 1 to 254 as keepalived reads them.
const (
	LeastPriority = 1
	MostPriority  = 254
	OwnerPriority = 255 // of the router that owns the addresses
)

// EffectivePriority returns the priority of an instance with that of the file and the sum of what its trackers add. It
// stays within 1 to 254; the owner ignores trackers.
func EffectivePriority(priority uint8, sum int) uint8 {
	if priority == OwnerPriority {
		return OwnerPriority
	}
	return uint8(min(max(int(priority)+sum, LeastPriority), MostPriority))
}

// MulticastGroup returns VRRP's own multicast group: RFC 9568 sections 5.1.1.2 and 5.1.2.2.
func MulticastGroup(ipv6 bool) netip.Addr {
	if ipv6 {
		return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x12})
	}
	return netip.AddrFrom4([4]byte{224, 0, 0, 18})
}
