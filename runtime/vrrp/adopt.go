package vrrp

import "time"

// adopt makes a router MASTER at its start because it finds its addresses on this host: an earlier director ended
// without a farewell, and its peers wait for the next advertisement. It advertises at once. A better master answers,
// and this router gives way before it has told any neighbour where the addresses are: that waits for an interval. If a
// worse master may stay MASTER (nopreempt, preempt_delay), the router listens first, for an interval and a quarter.
func (m *Machine) adopt(now time.Time) {
	wait := m.cfg.AdvertInterval
	courteous := m.cfg.NoPreempt || m.cfg.PreemptDelay > 0
	if courteous {
		wait += wait / 4 // its advertisement may be in transit
		m.advert = now.Add(wait)
	} else {
		m.advertise(now)
	}
	m.become(now, Master, Reason{kind: here})
	m.trial, m.courteous = true, courteous
	m.second = now.Add(wait)
	m.refresh = after(now, m.cfg.GARPMasterRefresh)
	m.extra = after(now, m.cfg.GARPExtraInterface.Every)
}
