package vrrp

import (
	"net/netip"
	"time"
)

// Elected reports whether the router is MASTER, or would be if its sync group were.
func (m *Machine) Elected() bool { return m.role == Master || m.elected != nil }

// win makes a backup MASTER whose wait is over. A router of a sync group is elected instead and waits again, as in
// keepalived; an advertisement that it accepts meanwhile ends that.
func (m *Machine) win(now time.Time) {
	if m.cfg.SyncGroup == nil {
		m.becomeMaster(now, m.why(now))
		return
	}
	if m.elected == nil {
		why := m.why(now)
		m.elected = &why
	}
	m.silent, m.resigned = now, netip.Addr{}
	m.out = append(m.out, Elected{})
}

func (m *Machine) lead(now time.Time) {
	if m.role == Backup && m.elected != nil {
		m.becomeMaster(now, *m.elected)
	}
}

func (m *Machine) follow(now time.Time, reason string) {
	if m.role == Master {
		m.listen(now, m.cfg.AdvertInterval)
		m.become(now, Backup, Because(reason))
	}
}
