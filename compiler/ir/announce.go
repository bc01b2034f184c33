package ir

import (
	"net/netip"
	"time"

	"keepc/grammar/source"
)

// An Announcement asks a routing engine of this host to announce addresses while their services work: keepc writes a route of each
// into a routing table that the engine exports. It is a block of .keepc.conf, which is read beside the file of the director.
type Announcement struct {
	Origin
	Name            Name
	Addresses       []PlacedAddr // virtual_address
	QuorumAddresses bool         // the addresses that come with the quorums of the file, too
	Local           bool         // a route of each makes it local to this host, so that no interface has to have it
	Table           uint32       // what the engine announces
	DrainTable      uint32       // what the engine announces as about to go (RFC 8326); 0: none, a drain withdraws at once
	Hold            time.Duration
	Drain           time.Duration // how long a route is in DrainTable before a director that stops withdraws it
}

// A PlacedAddr is an address, and where the file has it. The place takes no part in comparisons.
type PlacedAddr struct {
	netip.Addr
	At source.Span
}

// Announced lists what the configuration announces, with the announcement: each address once, in the order of the blocks.
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
	Place source.Span // where .keepc.conf has it, or quorum_addresses
	*Announcement
}

// Served is the addresses that virtual servers have.
func (c *Config) Served() map[netip.Addr]bool {
	served := map[netip.Addr]bool{}
	for _, v := range c.VirtualServers {
		served[v.Key.Addr] = true
	}
	return served
}
