package router

import (
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/timer"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// A Machine is the part of a director that takes part in VRRP. It is a value without goroutines, clocks or sockets:
// the daemon feeds it real events, a simulation virtual ones.
type Machine struct {
	current  *Generation // in force
	started  time.Time
	settled  bool // the first Tick has come: an interface that is not in links is missing
	stopping bool
	asleep   StartDelayed // why no instance works yet
	sleep    timer.Timer  // when that ends

	links  map[string]LinkChanged       // the interfaces that are present
	worked map[string]bool              // the virtual interfaces that have been up: until then they are being made
	things map[track.Thing]track.Status // files and processes
	quorum Quorum                       // as last told
	up     map[track.Thing]bool         // BFD sessions, as Sessions listed them
	timers timer.Timers

	// The effects of the current step, advertisements first. All three are reused.
	adverts, others, out []Effect

	vridErrors uint64                       // see VRIDErrors
	strangers  map[ir.InstanceKey]time.Time // when each was last reported
}

// New returns the machine of a director that starts now with the configuration from Prepare. Nothing happens before it
// learns of its interfaces, by LinkChanged and the first Tick.
func New(now time.Time, first *Next) *Machine {
	m := &Machine{current: first.base, started: now, links: map[string]LinkChanged{}, worked: map[string]bool{}, things: map[track.Thing]track.Status{}, strangers: map[ir.InstanceKey]time.Time{}}
	m.swap(now, first)
	if d := first.delay(); d.After > 0 && len(m.current.members) > 0 {
		m.asleep, m.sleep.Do = d, m.awake
		m.timers.Set(&m.sleep, now.Add(d.After), true)
	}
	return m
}

// Config is the configuration in force.
func (m *Machine) Config() *ir.Config { return m.current.cfg }

// Current is the configuration in force, as Prepare needs it for the next one. It is immutable.
func (m *Machine) Current() *Generation { return m.current }

// Situation returns what the machine knows besides its configuration: which instances are MASTER, and whether it
// stops.
func (m *Machine) Situation() state.Situation {
	s := state.Situation{Master: map[ir.InstanceKey]string{}, Only: m.only(), Stopping: m.stopping}
	for _, i := range m.current.members {
		if i.holds() {
			s.Master[i.key] = i.reason.String()
		}
	}
	return s
}

// Roles says of every instance whether it is MASTER.
func (m *Machine) Roles() map[ir.InstanceKey]bool {
	roles := make(map[ir.InstanceKey]bool, len(m.current.members))
	for _, i := range m.current.members {
		roles[i.key] = i.holds()
	}
	return roles
}

// only returns the addresses of owners whose interfaces have no others; nil: there are none.
func (m *Machine) only() (list map[ir.InstanceKey]netip.Addr) {
	for _, i := range m.current.members {
		if !i.only.IsValid() || i.cfg.Priority != ir.OwnerPriority {
			continue
		}
		if list == nil {
			list = map[ir.InstanceKey]netip.Addr{}
		}
		list[i.key] = i.only
	}
	return list
}

// QuorumLost reports whether a service lost its quorum, as far as Quorum has told.
func (m *Machine) QuorumLost(k ir.ServiceKey) bool { return m.quorum.Lost[k] }

// VRIDErrors counts the packets for virtual routers that are not ours, as far as the wires let them through.
func (m *Machine) VRIDErrors() uint64 { return m.vridErrors }

// Want returns a function that computes what should exist in the kernel now. It may be called later, on any goroutine.
func (m *Machine) Want() func() state.State {
	cfg, roles, only, quorum, stopping := m.current.cfg, m.Roles(), m.only(), m.quorum, m.stopping
	return func() state.State {
		s := state.Situation{Master: map[ir.InstanceKey]string{}, Only: only, NoQuorum: quorum.Lost, Announced: quorum.Announced, Stopping: stopping}
		for k, master := range roles {
			if master {
				s.Master[k] = "" // the reason is not used
			}
		}
		return state.Router(cfg, s)
	}
}

// Deadline returns when the machine needs its next Tick; false: it waits for other events only.
func (m *Machine) Deadline() (time.Time, bool) {
	switch {
	case m.stopping:
		return time.Time{}, false
	case !m.settled:
		return m.started, true
	}
	return m.timers.First()
}

// Step takes an event and returns what to do about it: first the advertisements, then the rest in order. The slice is
// valid until the next Step, its effects forever. A stopped machine does nothing.
func (m *Machine) Step(now time.Time, ev Event) []Effect {
	if m.stopping {
		return nil
	}
	m.adverts, m.others = m.adverts[:0], m.others[:0]
	switch ev := ev.(type) {
	case Tick:
		m.settle(now)
		m.timers.Run(now)
	case LinkChanged:
		m.linkChanged(now, ev)
	case PacketReceived:
		m.packetReceived(now, ev)
	case Claimed:
		m.claimed(now, ev)
	case ScriptDone:
		m.scriptDone(now, ev)
	case Tracked:
		m.tracked(now, ev)
	case Sessions:
		m.sessions(now, ev.Up)
	case Quorum:
		m.quorum = ev
	case Speak:
		for _, i := range m.current.members {
			m.drive(now, i.instance, vrrp.Speak{})
		}
	case Swap:
		m.swap(now, ev.Next)
	case Stop:
		m.stop(now)
	}
	switch {
	case len(m.others) == 0:
		return m.adverts
	case len(m.adverts) == 0:
		return m.others
	}
	m.out = append(append(m.out[:0], m.adverts...), m.others...)
	return m.out
}

// stop sends the farewell, priority 0 on every wire; then nothing of ours should exist.
func (m *Machine) stop(now time.Time) {
	for _, i := range m.current.members {
		m.drive(now, i.instance, vrrp.Stop{Reason: "stopping"})
	}
	for _, g := range m.current.groups {
		m.settleGroup(g.group)
	}
	m.stopping = true
}

// awake lets the instances begin, as at a start: the delay is over. keepalived 2.2.7 neither hears nor sends anything
// before; then an owner is MASTER at once, and all others listen first.
func (m *Machine) awake(now time.Time) {
	m.timers.Stop(&m.sleep)
	m.asleep = StartDelayed{}
	for _, i := range m.current.members {
		m.inform(now, i.instance)
	}
}

// settle marks the interfaces without a LinkChanged as missing.
func (m *Machine) settle(now time.Time) {
	if m.settled {
		return
	}
	m.settled = true
	if m.asleep.After > 0 {
		m.emit(m.asleep)
	}
	for _, i := range m.current.members {
		m.inform(now, i.instance)
	}
}

func (m *Machine) packetReceived(now time.Time, p PacketReceived) {
	src, dst := plain(p.Src), plain(p.Dst)
	advert := vrrp.Advert(p.Payload, p.AH)
	if len(advert) < 2 || slices.Contains(m.links[p.Interface].Addrs, src) {
		return // not VRRP, or our own
	}
	// The second byte is the VRID, in every version. A foreign one does not concern us.
	i := m.current.recipient(p.Interface, advert[1], src, dst)
	switch {
	case i == nil:
		m.vridErrors++
		m.reportStranger(now, p.Interface, advert[1], src)
		return
	case src == i.cfg.SourceAddr:
		return
	}
	m.drive(now, i, vrrp.Received{Src: src, Dst: dst, TTL: p.TTL, AH: p.AH, ID: p.ID, Payload: p.Payload})
}

// claimed tells the instances that have the address on that interface.
func (m *Machine) claimed(now time.Time, c Claimed) {
	addr := plain(c.Addr)
	for _, i := range m.current.holders[place{c.Interface, addr}] {
		m.drive(now, i, vrrp.Claimed{Addr: addr, MAC: c.MAC, Count: c.Count})
	}
}

// strangerPeriod is how long the same unknown virtual router is not reported again.
const strangerPeriod = time.Minute

// reportStranger reports a virtual router that is not ours: log_unknown_vrids.
func (m *Machine) reportStranger(now time.Time, iface string, vrid uint8, src netip.Addr) {
	k := ir.InstanceKey{Interface: iface, VRID: vrid, IPv6: src.Is6()}
	if last, told := m.strangers[k]; !m.current.cfg.Global.LogUnknownVRIDs || told && now.Sub(last) < strangerPeriod {
		return
	}
	m.strangers[k] = now
	m.emit(UnknownVRID{Interface: iface, VRID: vrid, Src: src})
}

// recipient returns the instance that an advertisement is for, judging by its addresses; nil: none has the VRID. Of
// several, it is the one that uses the group, or has the sender as its peer, or sends from the address that it was
// sent to; otherwise the first, which finds out what is wrong.
func (g *Generation) recipient(iface string, vrid uint8, src, dst netip.Addr) *instance {
	twins := g.twins[ir.InstanceKey{Interface: iface, VRID: vrid, IPv6: src.Is6()}]
	if len(twins) == 0 {
		return nil
	}
	best, match := twins[0], 0
	for _, i := range twins {
		score := 0
		switch v := i.cfg; {
		case len(twins) == 1:
		case v.Group() == dst, v.Peer(src) != nil && v.SourceAddr == dst:
			score = 3
		case v.Peer(src) != nil:
			score = 2
		case v.SourceAddr == dst:
			score = 1
		}
		if score > match {
			best, match = i, score
		}
	}
	return best
}

func (m *Machine) linkChanged(now time.Time, l LinkChanged) {
	if l.Present {
		l.Addrs = slices.Clone(l.Addrs)
		for i, a := range l.Addrs {
			l.Addrs[i] = plain(a)
		}
	}
	m.takeLink(now, m.debounce(now, l))
}

// takeLink takes over the effective state of an interface.
func (m *Machine) takeLink(now time.Time, l LinkChanged) {
	if l.Present {
		m.links[l.Name] = l
	} else {
		delete(m.links, l.Name)
	}
	if _, made := m.current.made[l.Name]; made && m.works(l.Name) {
		m.worked[l.Name] = true
	}
	concerned := m.current.onLink[l.Name]
	for _, i := range concerned {
		m.inform(now, i)
	}
	for _, i := range m.current.sourced {
		if _, known := m.links[i.key.Interface]; (known || m.settled) && !slices.Contains(concerned, i) {
			m.inform(now, i)
		}
	}
}

// plain returns an address as packets carry it: without a zone, and IPv4 as IPv4.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// emit adds an effect that is not an advertisement.
func (m *Machine) emit(f Effect) { m.others = append(m.others, f) }
