package balance

import (
	"net/netip"
	"slices"

	"keepc/compiler/ir"
)

// suspends reports whether the servers of a service are checked only while its address is on this host (ha_suspend).
// For marks and groups keepalived would look for no address.
func suspends(v *ir.VirtualServer) bool { return v.HASuspend && v.Group == "" && v.Key.FWMark == 0 }

// FollowsAddresses reports whether Local has any effect.
func (m *Machine) FollowsAddresses() bool { return len(m.current.holders) > 0 }

// holders lists the instances that have an address.
func holders(cfg *ir.Config, addr netip.Addr) (keys []ir.InstanceKey) {
	for _, v := range cfg.Instances {
		if slices.ContainsFunc(v.Addresses, func(a ir.Address) bool { return a.Prefix.Addr() == addr }) {
			keys = append(keys, v.Key())
		}
	}
	return keys
}

// suspend lets services rest while their address is elsewhere, and work again when it is on this host. Their checks
// keep their pace: the next one comes when it would have come anyway, as with keepalived.
func (m *Machine) suspend() {
	if len(m.current.holders) == 0 && m.resting == 0 {
		return
	}
	for _, v := range m.current.cfg.VirtualServers {
		s := m.current.services[v.Key]
		if s.cfg != v || s.rests == m.away(s) {
			continue
		}
		s.rests = !s.rests
		if s.rests {
			m.resting++
			m.emit(Note{Subject: s.key.String(), Text: "checks are suspended: its address is not here", Fine: true})
		} else {
			m.resting--
			m.emit(Note{Subject: s.key.String(), Text: "checks are active: its address is here", Fine: true})
		}
	}
}

// away reports whether the address of a service that depends on it is elsewhere.
func (m *Machine) away(s *service) bool {
	keys, depends := m.current.holders[s]
	switch {
	case !depends:
		return false
	case m.local != nil:
		return !m.local[s.key.Addr]
	}
	return len(keys) > 0 && !slices.ContainsFunc(keys, func(k ir.InstanceKey) bool { return m.master[k] })
}
