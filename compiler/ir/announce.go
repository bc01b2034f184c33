package ir

import (
	"net/netip"
	"time"
)

// An Announcement asks a routing engine of this host to announce addresses while their services work: keepc writes a route of each
// into a routing table that the engine exports. It is a block of .keepc.conf, which is read beside the file of the director.
type Announcement struct {
	Origin
	Name            Name
	Addresses       []netip.Addr // virtual_address
	QuorumAddresses bool         // the addresses that come with the quorums of the file, too
	Local           bool         // a route of each makes it local to this host, so that no interface has to have it
	Table           uint32       // what the engine announces
	DrainTable      uint32       // what the engine announces as about to go (RFC 8326); 0: none, a drain withdraws at once
	Hold            time.Duration
	Drain           time.Duration // how long a route is in DrainTable before a director that stops withdraws it
}

// Announced lists what the configuration announces, with the announcement: each address once, in the order of the blocks.
func (c *Config) Announced() (list []AnnouncedAddress) {
	known := map[netip.Addr]bool{}
	add := func(a *Announcement, addr netip.Addr) {
		if !known[addr] {
			known[addr] = true
			list = append(list, AnnouncedAddress{addr, a})
		}
	}
	for _, a := range c.Announcements {
		for _, addr := range a.Addresses {
			add(a, addr)
		}
		if !a.QuorumAddresses {
			continue
		}
		for _, v := range c.VirtualServers {
			if v.QuorumAddress != nil {
				add(a, v.QuorumAddress.Prefix.Addr())
			}
		}
	}
	return list
}

// An AnnouncedAddress is one address of an announcement.
type AnnouncedAddress struct {
	Addr netip.Addr
	*Announcement
}
