package router

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/timer"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// An instance is one virtual router. It lives as long as configurations name it; only the machine looks into it, aside from its key.
type instance struct {
	timer.Timer
	key      ir.InstanceKey
	cfg      *ir.VRRPInstance // in force
	machine  *vrrp.Machine
	reason   string    // of the last transition
	since    time.Time // of that
	trackers []track.Tracker
	priority uint8 // the effective one that was told last
}

func newInstance(cfg *ir.VRRPInstance) *instance {
	return &instance{key: cfg.Key(), cfg: cfg, machine: vrrp.New(cfg), priority: cfg.Priority}
}

// drive gives an event to an instance's machine and takes its effects.
func (m *Machine) drive(now time.Time, i *instance, ev vrrp.Event) {
	for _, f := range i.machine.Step(now, ev) {
		switch f := f.(type) {
		case vrrp.Send:
			m.emit(SendAdvert{Interface: i.cfg.Interface, Src: f.Src, Dst: f.Dst, Payload: f.Payload})
		case vrrp.Become:
			i.reason, i.since = f.Reason, now
			m.emit(RoleChanged{Instance: i.key, Name: i.cfg.Name, Role: f.Role.String(), Reason: f.Reason})
		case vrrp.Announce:
			a := Announce{Instance: i.key, Repeat: f.Repeat}
			for _, v := range f.Addresses {
				a.Targets = append(a.Targets, state.AddressKey{Dev: v.Dev, Prefix: v.Prefix})
			}
			m.emit(a)
		case vrrp.Note:
			m.emit(Note{Subject: i.cfg.Name, Text: f.Text})
		}
	}
	at, running := i.machine.Deadline()
	m.timers.Set(&i.Timer, at, running)
}

// inform tells an instance whether its interface and what it tracks work, and its priority. One that has not started yet waits for
// what it does not know.
func (m *Machine) inform(now time.Time, i *instance) {
	source, fault := m.source(i.cfg)
	v := track.Judge(i.cfg.Priority, i.trackers, m.status)
	if i.machine.Priority() != v.Priority {
		m.drive(now, i, vrrp.Reprioritize{Priority: v.Priority})
	}
	switch fault = cmp.Or(fault, v.Fault); {
	case fault != "":
		m.drive(now, i, vrrp.Fault{Reason: fault})
	case v.Waiting == "" || i.machine.Role() != vrrp.Init:
		m.drive(now, i, vrrp.Ready{Source: source})
	}
	m.tell(i, v)
}

// tell tells the priority of an instance that takes part, when it is another one than last time.
func (m *Machine) tell(i *instance, v track.Verdict) {
	if role := i.machine.Role(); i.priority == v.Priority || role != vrrp.Backup && role != vrrp.Master {
		return
	}
	reason := v.Sum
	if !strings.ContainsRune(reason, ' ') {
		reason = "as configured"
	}
	m.emit(PriorityChanged{Instance: i.key, Name: i.cfg.Name, From: i.priority, To: v.Priority, Reason: reason})
	i.priority = v.Priority
}

// source is where the advertisements of an instance come from: mcast_src_ip, or the first address of the family on the interface
// that is no virtual one. IPv6 wants a link-local address (RFC 9568 section 5.1.2.1). An owner may have virtual addresses only.
func (m *Machine) source(v *ir.VRRPInstance) (source netip.Addr, fault string) {
	l, present := m.links[v.Interface]
	switch {
	case !present:
		return source, v.Interface + " is missing"
	case !l.Up:
		return source, v.Interface + " is down"
	case l.deaf(v.IPv6()):
		return source, "no VRRP socket is open on " + v.Interface
	case v.SourceAddr.IsValid():
		return v.SourceAddr, ""
	}
	for _, a := range l.Addrs {
		if a.Is6() != v.IPv6() || a.Is6() && !a.IsLinkLocalUnicast() {
			continue
		}
		if !m.current.virtual[a] {
			return a, ""
		}
		if v.Priority == 255 && !source.IsValid() {
			source = a
		}
	}
	if source.IsValid() {
		return source, ""
	}
	family := "IPv4"
	if v.IPv6() {
		family = "IPv6 link-local"
	}
	return source, fmt.Sprintf("%s has no %s address", v.Interface, family)
}

// A Standing is what a virtual router is now, and why.
type Standing struct {
	Config   *ir.VRRPInstance
	Role     vrrp.Role
	Reason   string
	Since    time.Time
	Priority uint8  // the effective one
	Sum      string // how it comes about, as "100 + 20 (script web)"
}

// Standings lists the virtual routers in the order of the file.
func (m *Machine) Standings() []Standing {
	all := make([]Standing, len(m.current.members))
	for n, i := range m.current.members {
		v := track.Judge(i.cfg.Priority, i.trackers, m.status)
		all[n] = Standing{i.cfg, i.machine.Role(), i.reason, i.since, v.Priority, v.Sum}
		if i.machine.Role() == vrrp.Init && v.Waiting != "" {
			all[n].Reason = "waits for the first result of " + v.Waiting
		}
	}
	return all
}
