package vrrp

import (
	"net/netip"
	"time"
)

// heardAsMaster handles an advertisement while this router is MASTER. beside: the sender was MASTER all the time.
func (m *Machine) heardAsMaster(now time.Time, src netip.Addr, p Packet, beside bool) {
	m.settle(now)
	higher := src.Compare(m.source)
	switch {
	case p.Priority == 0:
		m.advertise(now)
	case m.courteous && p.Priority <= m.priority:
		m.yield(now, p, Reason{kind: courteous, peer: src, theirs: p.Priority, ours: m.priority}, beside)
	case p.Priority > m.priority:
		m.yield(now, p, Reason{kind: outranked, peer: src, theirs: p.Priority, ours: m.priority}, beside)
	case p.Priority == m.priority && higher > 0:
		m.yield(now, p, Reason{kind: outnumbers, peer: src, theirs: p.Priority}, beside)
	case p.Priority == m.priority && higher == 0:
		m.odd.see(now, AddressTaken, src, m.over())
		m.note(now, Note{kind: addressTaken, peer: src, theirs: p.Priority})
	default:
		m.contested(now, src, p)
	}
}

// yield makes a master give way to a better one, without priority 0, because the better one advertises already. If
// that was MASTER all the time and has not heard of this router, it is told once: then it announces the addresses,
// which neighbours last heard from here.
func (m *Machine) yield(now time.Time, p Packet, reason Reason, beside bool) {
	if m.cfg.HigherPrioSendAdvert || beside && !m.trial && !m.cfg.Strict {
		m.send(now, m.priority)
	}
	m.listen(now, p.Interval)
	m.become(now, Backup, reason)
}

// contested tells a worse master that it is worse, and tells the neighbours, whom it may have misled, where the
// addresses are.
func (m *Machine) contested(now time.Time, src netip.Addr, p Packet) {
	// Adverts may have piled up while this director had no CPU time: they share an answer.
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

// overslept reports whether our own timer came so late that another router may have taken over, and this one should
// leave it the role: timer_expired_backup is the highest priority of the others.
func (m *Machine) overslept(now time.Time) bool {
	if m.cfg.TimerExpiredBackup == 0 {
		return false
	}
	sent := m.advert.Add(-m.cfg.AdvertInterval)
	return now.Sub(sent) > time.Duration(m.cfg.DownTimerAdverts)*m.cfg.AdvertInterval+skew(m.cfg.Version, uint8(m.cfg.TimerExpiredBackup), m.cfg.AdvertInterval)
}

// A spoken is the last advertisement that was accepted.
type spoken struct {
	src netip.Addr
	id  uint16 // identification of the IPv4 packet, which each instance counts up; 0 over IPv6, which has none
	at  time.Time
}

// spokenIn returns the spoken of an accepted advertisement. A signed one has a number of the group, not of its sender.
func spokenIn(r Received, now time.Time) spoken {
	if r.AH {
		return spoken{}
	}
	return spoken{r.Src, r.ID, now}
}

// beside reports whether the sender of an advertisement to the group has sent others since its last one that were not
// heard: as many as a MASTER sends in that time, and more than the farewell of a router that comes back. A count that
// starts again is that of a different process, or wrapped; with several unicast peers it increases by more than one.
func (s spoken) beside(now time.Time, r Received, interval time.Duration) bool {
	const farewell = 3
	missed := int(r.ID) - int(s.id)
	sent, silent := time.Duration(missed)*interval, now.Sub(s.at)
	return s.src == r.Src && r.Dst.IsMulticast() && missed > farewell && sent >= silent*3/4 && sent <= silent+farewell*interval
}
