package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// An Unheard is a router whose advertisements are dropped.
type Unheard struct {
	Peer  netip.Addr
	Drop  Drop // the last one
	First time.Time
	Last  time.Time
	Count uint64

	Foreign []netip.Addr // the addresses of its first dropped advertisement, if none of them is ours; nil: some are, or this is unknown
}

// maxUnheard is how many routers are remembered; the one that was silent for the longest time is replaced.
const maxUnheard = 8

// unheard remembers the routers whose advertisements are dropped. A flood of them takes no memory.
type unheard []Unheard

// drop records a dropped advertisement. It returns the router if it is new.
func (u *unheard) drop(now time.Time, peer netip.Addr, d Drop) *Unheard {
	oldest := 0
	for i := range *u {
		x := &(*u)[i]
		if x.Peer == peer {
			x.Drop, x.Last, x.Count = d, now, x.Count+1
			return nil
		}
		if x.Last.Before((*u)[oldest].Last) {
			oldest = i
		}
	}
	next := Unheard{Peer: peer, Drop: d, First: now, Last: now, Count: 1}
	if len(*u) < maxUnheard {
		*u = append(*u, next)
		oldest = len(*u) - 1
	} else {
		(*u)[oldest] = next
	}
	return &(*u)[oldest]
}

// hear forgets a router that is heard.
func (u *unheard) hear(peer netip.Addr) {
	*u = slices.DeleteFunc(*u, func(x Unheard) bool { return x.Peer == peer })
}

// Unheard lists the routers whose advertisements are dropped, in order of their beginnings: at most the last eight of
// them.
func (m *Machine) Unheard() []Unheard { return slices.Clone(m.unheard) }
