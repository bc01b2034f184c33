package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
)

// A MAC is an Ethernet address.
type MAC [6]byte

func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

const (
	// settling and claimsOver have these minimum values.
	settling   = time.Second
	claimsOver = time.Minute
)

// claims are the claims of other hosts, by ARP or neighbour discovery, of addresses that a MASTER holds. A router that
// takes over makes them too, and its ARP may be heard first, its advertisement late or never. So claims of a host mean
// a duplicate address only if they continue for as long as a BACKUP waits for advertisements, and none came: losing
// the role clears the list, and so does each advertisement of another router, whose contest is a condition of its own.
type claims struct {
	from time.Time // earlier claims came from the previous master
	list []claim
}

type claim struct {
	addr        netip.Addr
	mac         MAC
	first, last time.Time
	count       uint64 // of claims that no condition counts yet
}

// settling is how long claims must continue, and how long after a change of the master none counts.
func (m *Machine) settling() time.Duration { return max(settling, m.down()) }

// claimsOver is how long after its last claim a second holder is considered gone. A host that talks to no new
// neighbour is silent for long.
func (m *Machine) claimsOver() time.Duration { return max(claimsOver, 2*m.settling()) }

// settle forgets the claims so far, and ignores those that follow soon.
func (m *Machine) settle(now time.Time) { m.claims = claims{from: now.Add(m.settling())} }

// claimed records that another host claims an address of ours. When that becomes a condition, neighbours are told
// where the address is, at once and as after a contest; not each time, because the other host may do the same. A flood
// of claims takes no memory.
func (m *Machine) claimed(now time.Time, c Claimed) {
	if now.Before(m.claims.from) || !m.holds(c.Addr) {
		return
	}
	l := m.claim(now, c)
	if l == nil {
		return
	}
	l.last = now
	if l.count += c.Count; now.Sub(l.first) < m.settling() {
		return
	}
	found, fresh := m.odd.see(now, DuplicateAddress, c.Addr, m.claimsOver())
	found.mac = c.MAC
	found.Count += l.count - 1
	if l.count = 0; !fresh {
		return
	}
	found.First = l.first
	m.note(now, Note{kind: duplicate, peer: c.Addr, mac: c.MAC})
	for _, a := range m.cfg.Addresses {
		if a.Prefix.Addr() == c.Addr {
			m.announce([]ir.Address{a}, 1)
		}
	}
	m.contest = after(now, m.cfg.GARPLowerPrioDelay)
}

// claim returns the entry of a host and an address, a new one if necessary; nil: too many others claim something.
func (m *Machine) claim(now time.Time, c Claimed) *claim {
	l := &m.claims
	l.list = slices.DeleteFunc(l.list, func(x claim) bool { return now.Sub(x.last) > m.claimsOver() })
	i := slices.IndexFunc(l.list, func(x claim) bool { return x.addr == c.Addr && x.mac == c.MAC })
	if i < 0 {
		if len(l.list) == maxConditions {
			return nil
		}
		i = len(l.list)
		l.list = append(l.list, claim{addr: c.Addr, mac: c.MAC, first: now})
	}
	return &l.list[i]
}

// dropDuplicates ends the conditions of addresses that this router no longer holds: the host that claims them may be
// the MASTER.
func (m *Machine) dropDuplicates() {
	m.odd = slices.DeleteFunc(m.odd, func(c Condition) bool { return c.Kind == DuplicateAddress && !m.holds(c.Peer) })
}

// holds reports whether this router is MASTER, and an address is one of its own.
func (m *Machine) holds(a netip.Addr) bool {
	return m.role == Master && slices.ContainsFunc(m.cfg.Addresses, func(x ir.Address) bool { return x.Prefix.Addr() == a })
}
