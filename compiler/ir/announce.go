package ir

import (
	"net/netip"
	"time"

	"keepc/grammar/source"
)

// An Announcement asks a routing engine on this host to announce addresses while their services work: keepc writes a
// route for each into a routing table that the engine exports. It is a block of .keepc.conf, which is read together
// with the file of the director.
type Announcement struct {
	Origin
	Name            Name
	Addresses       []PlacedAddr // virtual_address
	QuorumAddresses bool         // also the addresses that come with the quorums of the file
	Local           bool         // a route makes each address local to this host, so that no interface needs it
	Table           uint32       // the engine announces its routes
	DrainTable      uint32       // the engine announces its routes as about to go (RFC 8326); 0: none, a drain withdraws at once
	Hold            time.Duration
	Drain           time.Duration // how long a route stays in DrainTable before it is withdrawn
}

// A PlacedAddr is an address and its place in the file. Comparisons ignore the place.
type PlacedAddr struct {
	netip.Addr
	At source.Span
}

// Announced lists what the configuration announces, with the announcement of each: each address once, in the order of
// the blocks.
func (c *Config) Announced() (list []AnnouncedAddress) {
	known := map[netip.Addr]bool{}
	add := func(a *Announcement, addr netip.Addr, at source.Span) {
		if !known[addr] {
			known[addr] = true
			list = append(list, AnnouncedAddress{addr, at, a})
		}
	}
	for _, a := range c.Announcements {
		for _, addr := range a.Addresses {
			add(a, addr.Addr, addr.At)
		}
		if !a.QuorumAddresses {
			continue
		}
		at := a.At("quorum_addresses")
		for _, v := range c.VirtualServers {
			if v.QuorumAddress != nil {
				add(a, v.QuorumAddress.Prefix.Addr(), at)
			}
		}
	}
	return list
}

// An AnnouncedAddress is one address of an announcement.
type AnnouncedAddress struct {
	Addr  netip.Addr
	Place source.Span // where .keepc.conf, or quorum_addresses, has it
	*Announcement
}

// Served returns the addresses of virtual servers.
func (c *Config) Served() map[netip.Addr]bool {
	served := map[netip.Addr]bool{}
	for _, v := range c.VirtualServers {
		served[v.Key.Addr] = true
	}
	return served
}
