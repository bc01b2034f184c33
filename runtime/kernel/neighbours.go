package kernel

import (
	"encoding/binary"
	"net/netip"
)

// EtherTypes.
const (
	etherARP  = 0x0806
	etherIPv6 = 0x86DD
)

// gratuitousARP is the Ethernet frame of an ARP request in which the address asks for itself. Like keepalived, it is a
// request, not a reply, with the broadcast address as target hardware address.
func gratuitousARP(hw [6]byte, addr netip.Addr) []byte {
	broadcast := [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	f := ethernet(broadcast, hw, etherARP)
	f = append(f, 0, 1, 8, 0, 6, 4, 0, 1) // Ethernet, IPv4, their lengths, request
	f = append(f, hw[:]...)
	f = append(f, addr.AsSlice()...)
	f = append(f, broadcast[:]...)
	return append(f, addr.AsSlice()...)
}

// unsolicitedNA is the Ethernet frame of a neighbour advertisement (RFC 4861 section 4.4) from the address to all nodes, with
// the override flag and the hardware address; router reports whether the sender forwards.
func unsolicitedNA(hw [6]byte, addr netip.Addr, router bool) []byte {
	const (
		advertisement = 136
		flagRouter    = 0x80
		flagOverride  = 0x20
		targetAddress = 2 // option: target link-layer address, one unit of 8 bytes
		nextICMPv6    = 58
	)
	allNodes := netip.IPv6LinkLocalAllNodes()

	body := []byte{advertisement, 0, 0, 0, flagOverride, 0, 0, 0}
	if router {
		body[4] |= flagRouter
	}
	body = append(body, addr.AsSlice()...)
	body = append(body, targetAddress, 1)
	body = append(body, hw[:]...)
	binary.BigEndian.PutUint16(body[2:], checksum6(addr, allNodes, nextICMPv6, body))

	f := ethernet([6]byte{0x33, 0x33, 0, 0, 0, 1}, hw, etherIPv6)
	f = append(f, 0x60, 0, 0, 0, 0, byte(len(body)), nextICMPv6, 255)
	f = append(f, addr.AsSlice()...)
	f = append(f, allNodes.AsSlice()...)
	return append(f, body...)
}

func ethernet(dst, src [6]byte, kind uint16) []byte {
	f := append(dst[:], src[:]...)
	return binary.BigEndian.AppendUint16(f, kind)
}

// checksum6 is the Internet checksum over the IPv6 pseudo header (RFC 8200 section 8.1) and a body of even length whose own
// checksum field is zero.
func checksum6(src, dst netip.Addr, next byte, body []byte) uint16 {
	sum := uint32(len(body)) + uint32(next)
	for _, part := range [][]byte{src.AsSlice(), dst.AsSlice(), body} {
		for i := 0; i+1 < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
