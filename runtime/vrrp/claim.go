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
	// settling is how long, at least, after a change of the master ARP and neighbour advertisements of both are on their way.
	settling = time.Second
	// claimsOver is how long after its last claim a second holder is gone: DEFEND_INTERVAL of RFC 5227. Who asks nobody says nothing.
	claimsOver = 10 * time.Second
)

// claims are what other hosts say, by ARP or neighbour discovery, of addresses that a MASTER holds. They count when it still is MASTER after
// settling: one that has just lost its role hears of the new master by ARP, too, and perhaps by that first.
type claims struct {
	from   time.Time // earlier ones are those of the master before
	judged time.Time // when the list counts; zero: it is empty
	list   []claim
}

type claim struct {
	addr        netip.Addr
	mac         MAC
	first, last time.Time
	count       uint64
}

// settling is how long claims wait.
func (m *Machine) settling() time.Duration { return max(settling, m.cfg.AdvertInterval) }

// claimed notes that another host says it has an address of ours. A flood of claims costs no memory.
func (m *Machine) claimed(now time.Time, c Claimed) {
	if m.role != Master || now.Before(m.claims.from) || !m.has(c.Addr) {
		return
	}
	l := &m.claims
	i := slices.IndexFunc(l.list, func(x claim) bool { return x.addr == c.Addr && x.mac == c.MAC })
	switch {
	case i >= 0:
		l.list[i].last = now
		l.list[i].count++
	case len(l.list) < maxConditions:
		l.list = append(l.list, claim{c.Addr, c.MAC, now, now, 1})
	}
	if l.judged.IsZero() {
		l.judged = now.Add(m.settling())
	}
}

// judge makes conditions of the claims of a MASTER that is one still. When such a condition begins, neighbours are told where the address is,
// at once and as after a contest; not each time, for the other host may do the same.
func (m *Machine) judge(now time.Time) {
	list := m.claims.list
	m.claims.list, m.claims.judged = nil, time.Time{}
	var lost []netip.Addr
	for _, c := range list {
		if !m.has(c.addr) {
			continue
		}
		found, fresh := m.odd.see(c.last, DuplicateAddress, c.addr, claimsOver)
		found.mac = c.mac
		if found.Count += c.count - 1; fresh {
			found.First = c.first
			lost = append(lost, c.addr)
			m.note(now, Note{kind: duplicate, peer: c.addr, mac: c.mac})
		}
	}
	for _, a := range m.cfg.Addresses {
		if slices.Contains(lost, a.Prefix.Addr()) {
			m.announce([]ir.Address{a}, 1)
			m.contest = after(now, m.cfg.GARPLowerPrioDelay)
		}
	}
}

// has reports whether an address is one of those that the MASTER holds.
func (m *Machine) has(a netip.Addr) bool {
	return slices.ContainsFunc(m.cfg.Addresses, func(x ir.Address) bool { return x.Prefix.Addr() == a })
}
