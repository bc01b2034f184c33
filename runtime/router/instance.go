package router

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/timer"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// An instance is one virtual router. It lives as long as configurations name it; only the machine looks into it,
// except for its key.
type instance struct {
	timer.Timer
	key      ir.InstanceKey
	cfg      *ir.VRRPInstance // in force
	machine  *vrrp.Machine
	reason   vrrp.Reason // of the last transition
	since    time.Time   // of the last transition
	trackers []track.Tracker
	priority uint8   // the last effective one that was announced
	base     uint8   // that of the file at that time
	trouble  trouble // why it is in FAULT; zero: it is not
	group    *group  // nil: none
	found    bool    // its addresses were here at the start; valid until a reload
	deleted  bool    // a reload removed it

	own    trouble    // what keeps it from working by itself, regardless of its group
	source netip.Addr // source address of its advertisements, if nothing does
	only   netip.Addr // the address of its interface, if that has virtual ones only; otherwise zero
	waits  bool       // for the first result of something that it tracks
	judged bool       // the three above are known

	sent []sent // the last ones, because they are sent again and again
}

// A sent is an advertisement of the machine in the form of an effect.
type sent struct {
	*vrrp.Send
	effect Effect
}

// advert makes an effect of what the machine sends, once for each advertisement.
func (i *instance) advert(s *vrrp.Send) Effect {
	for _, x := range i.sent {
		if x.Send == s {
			return x.effect
		}
	}
	if len(i.sent) > AheadAdverts*max(1, len(i.cfg.Unicast)) {
		i.sent = i.sent[:0]
	}
	e := SendAdvert{Interface: i.key.Interface, Leaves: i.cfg.Leaves(), Src: s.Src, Dst: s.Dst, TTL: s.TTL, AH: s.AH, ID: s.ID, Payload: s.Payload}
	i.sent = append(i.sent, sent{s, e})
	return e
}

func newInstance(cfg *ir.VRRPInstance) *instance {
	return &instance{key: cfg.Key(), cfg: cfg, machine: vrrp.New(cfg), priority: cfg.Priority, base: cfg.Priority}
}

// drive passes an event to an instance's machine and handles its effects.
func (m *Machine) drive(now time.Time, i *instance, ev vrrp.Event) {
	elected, lost := false, false
	for _, f := range i.machine.Step(now, ev) {
		switch f := f.(type) {
		case *vrrp.Send:
			m.adverts = append(m.adverts, i.advert(f))
		case vrrp.Elected:
			elected = true
		case vrrp.Become:
			lost = f.Role == vrrp.Backup
			i.reason, i.since = f.Reason, now
			m.emit(RoleChanged{
				Instance: i.key, Name: i.cfg.Name, Role: f.Role.String(), Reason: f.Reason,
				Config: i.cfg, Priority: i.machine.Priority(), Deleted: i.deleted,
			})
		case vrrp.Contested:
			m.emit(Contested{Config: i.cfg, Priority: i.machine.Priority()})
		case vrrp.Announce:
			a := Announce{Instance: i.key, Repeat: f.Repeat, Targets: make([]state.AddressKey, len(f.Addresses))}
			for n, v := range f.Addresses {
				a.Targets[n] = state.AddressKey{Dev: v.On(), Prefix: v.Prefix}
			}
			m.emit(a)
		case vrrp.Note:
			m.emit(Note{Name: i.cfg.Name, What: f})
		}
	}
	at, running := i.machine.Deadline()
	m.timers.Set(&i.Timer, at, running)
	switch {
	case elected:
		m.elect(now, i)
	case lost:
		m.follow(now, i)
	}
}

// inform tells an instance whether its interface and what it tracks work, and its priority. One that has not started
// yet waits for what is unknown.
func (m *Machine) inform(now time.Time, i *instance) {
	if m.asleep.After > 0 {
		return // awake will do so
	}
	source, trouble := m.source(i.cfg)
	v := m.judge(i)
	if i.machine.Priority() != v.Priority {
		m.drive(now, i, vrrp.Reprioritize{Priority: v.Priority})
	}
	if trouble.kind == 0 && !v.Fault.IsZero() {
		trouble.kind, trouble.failure = fails, v.Fault
	}
	i.source, i.own, i.waits, i.judged = source, trouble, v.Waiting != track.Thing{}, true
	if only, known := m.onlyAddress(i.cfg); known {
		i.only = only
	}
	m.convene(now, i)
	m.tell(i, v)
}

// tell announces the priority of an instance that takes part, if it differs from the last.
func (m *Machine) tell(i *instance, v track.Verdict) {
	if role := i.machine.Role(); i.priority == v.Priority || role != vrrp.Backup && role != vrrp.Master {
		return
	}
	m.emit(PriorityChanged{Instance: i.key, Name: i.cfg.Name, Role: i.machine.Role().String(), From: i.priority, To: v.Priority, Sum: v.Sum, Reload: i.base != v.Sum.Base, Config: i.cfg})
	i.priority, i.base = v.Priority, v.Sum.Base
}

// A trouble is what keeps an instance from working. It is a value; String returns its text.
type trouble struct {
	of      *instance // of the same sync group, which has the trouble; nil: it is the instance's own
	kind    troubleKind
	iface   string
	ipv6    bool
	failure track.Failure
	source  netip.Addr
}

type troubleKind uint8

const (
	_           troubleKind = iota
	missing                 // the interface does not exist
	down                    // it is down
	deaf                    // nothing is heard on it
	addressless             // it has no address to send from
	sourceless              // the host does not have its source address
	peerless                // unicast_fault_no_peer
	fails                   // what the instance tracks fails
)

func (t trouble) String() string {
	if of := t.of; of != nil {
		t.of = nil
		return of.cfg.Name + " of sync group " + of.group.name + ": " + t.String()
	}
	switch t.kind {
	case missing:
		return t.iface + " is missing"
	case down:
		return t.iface + " is down"
	case deaf:
		return "no VRRP socket is open on " + t.iface
	case addressless:
		if t.ipv6 {
			return t.iface + " has no IPv6 link-local address"
		}
		return t.iface + " has no IPv4 address"
	case sourceless:
		return fmt.Sprintf("this host does not have %v", t.source)
	case peerless:
		return "no unicast_peer"
	case fails:
		return t.failure.String()
	}
	return ""
}

// source returns where the advertisements of an instance come from: mcast_src_ip, which may belong to another host, or
// unicast_src_ip, or the first address of the family on the interface that is not virtual. IPv6 requires a link-local
// address (RFC 9568 section 5.1.2.1). An owner may have only virtual addresses.
func (m *Machine) source(v *ir.VRRPInstance) (source netip.Addr, t trouble) {
	l, present := m.links[v.Interface]
	t = trouble{iface: v.Interface, ipv6: v.IPv6()}
	switch {
	case v.UnicastFaultNoPeer && len(v.Unicast) == 0:
		t.kind = peerless
		return source, t
	case !present:
		t.kind = missing
		return source, t
	case !l.Up && !v.DontTrackPrimary:
		t.kind = down
		return source, t
	case l.deaf(v):
		t.kind = deaf
		return source, t
	case wantsSource(v) && !m.has(v.SourceAddr):
		t.kind, t.source = sourceless, v.SourceAddr
		return source, t
	case v.SourceAddr.IsValid():
		return v.SourceAddr, t
	}
	for _, a := range l.Addrs {
		if a.Is6() != v.IPv6() || a.Is6() && !a.IsLinkLocalUnicast() {
			continue
		}
		if !m.current.virtual[a] {
			return a, t
		}
		if v.Priority == ir.OwnerPriority && !source.IsValid() {
			source = a
		}
	}
	if !source.IsValid() {
		t.kind = addressless
	}
	return source, t
}

// onlyAddress returns the first address of the instance's interface if all of its family are virtual, so that a host
// would be cut off without them, and zero if one of them is not; false: the interface has none now.
func (m *Machine) onlyAddress(v *ir.VRRPInstance) (only netip.Addr, known bool) {
	for _, a := range m.links[v.Interface].Addrs {
		switch {
		case a.Is6() != v.IPv6():
		case !m.current.virtual[a]:
			return netip.Addr{}, true
		case !known:
			only, known = a, true
		}
	}
	return only, known
}

// wantsSource reports whether an instance needs its source address: peers send to it, or the file names it.
func wantsSource(v *ir.VRRPInstance) bool {
	return v.SourceAddr.IsValid() && (len(v.Unicast) > 0 || v.TrackSourceAddr)
}

// has reports whether an interface of the host has an address.
func (m *Machine) has(a netip.Addr) bool {
	for _, l := range m.links {
		if slices.Contains(l.Addrs, a) {
			return true
		}
	}
	return false
}

// A Standing is the current state of a virtual router, and the reasons.
type Standing struct {
	Config     *ir.VRRPInstance
	Role       vrrp.Role
	Reason     vrrp.Reason // of the last transition
	Since      time.Time   // of that
	Priority   uint8       // the effective one
	Sum        track.Sum   // its parts
	Waiting    track.Thing // whose first result it waits for; zero: nothing
	Asleep     string      // the keyword whose start delay is not over; empty: none
	Statistics vrrp.Statistics
	Unheard    []vrrp.Unheard   // routers whose advertisements are dropped
	Conditions []vrrp.Condition // what differs from the intention, and which router is the cause

	Master         netip.Addr // the router that a BACKUP last heard; otherwise invalid
	MasterPriority uint8
}

// Why returns why the instance is in its state.
func (s Standing) Why() string {
	if s.Asleep != "" {
		return "waits for the end of " + s.Asleep
	}
	if s.Waiting != (track.Thing{}) {
		return "waits for the first result of " + s.Waiting.String()
	}
	return s.Reason.String()
}

// Standings lists the virtual routers in the order of the file.
func (m *Machine) Standings() []Standing {
	all := make([]Standing, len(m.current.members))
	for n, i := range m.current.members {
		v := m.judge(i.instance)
		master, priority := i.machine.Master()
		all[n] = Standing{
			i.cfg, i.machine.Role(), i.reason, i.since, v.Priority, v.Sum, track.Thing{}, m.asleep.Keyword, i.machine.Statistics(), i.machine.Unheard(),
			i.machine.Conditions(), master, priority,
		}
		if i.machine.Role() == vrrp.Init {
			all[n].Waiting = v.Waiting
		}
	}
	return all
}
