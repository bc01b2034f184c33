package vrrp

import (
	"net/netip"
	"time"
)

func (m *Machine) heardAsMaster(now time.Time, src netip.Addr, p Packet) {
	higher := src.Compare(m.source)
	switch {
	case p.Priority == 0:
		m.advertise(now)
	case m.courteous && p.Priority <= m.priority:
		m.yield(now, p, Reason{kind: courteous, peer: src, theirs: p.Priority, ours: m.priority})
	case p.Priority > m.priority:
		m.yield(now, p, Reason{kind: outranked, peer: src, theirs: p.Priority, ours: m.priority})
	case p.Priority == m.priority && higher > 0:
		m.yield(now, p, Reason{kind: outnumbers, peer: src, theirs: p.Priority})
	case p.Priority == m.priority && higher == 0:
		m.odd.see(now, AddressTaken, src, m.over())
		m.note(now, Note{kind: addressTaken, peer: src, theirs: p.Priority})
	default:
		m.contested(now, src, p)
	}
}

// yield makes a master give way to a better one, without priority 0: the better one speaks already.
func (m *Machine) yield(now time.Time, p Packet, reason Reason) {
	if m.cfg.HigherPrioSendAdvert {
		m.send(now, m.priority)
	}
	m.listen(now, p.Interval)
	m.become(Backup, reason)
}

// contested tells a worse master that it is one, and the neighbours, whom it may have misled, where the addresses are.
func (m *Machine) contested(now time.Time, src netip.Addr, p Packet) {
	// Adverts may have piled up while this director had no time: they share an answer.
	if now.Sub(m.answered) >= m.cfg.AdvertInterval/2 {
		m.answered = now
		if !m.cfg.LowerPrioNoAdvert {
			m.advertise(now)
		}
		m.announce(m.cfg.Addresses, m.cfg.GARPLowerPrioRepeat)
		m.contest = after(now, m.cfg.GARPLowerPrioDelay)
		m.out = append(m.out, Contested{})
	}
	m.beside(now, src, p.Priority)
	m.note(now, Note{kind: contested, peer: src, theirs: p.Priority, ours: m.priority})
}
