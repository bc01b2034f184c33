package engine

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// A router is one VRRP instance of the configuration in force.
type router struct {
	timer
	cfg      *ir.VRRPInstance
	machine  *vrrp.Machine
	reason   string    // of the last transition
	since    time.Time // of that
	trackers []track.Tracker
	priority uint8 // the effective one that was told last
}

func (r *router) tracks(t track.Thing) bool {
	return slices.ContainsFunc(r.trackers, func(x track.Tracker) bool { return x.Thing == t })
}

func newRouter(cfg *ir.VRRPInstance) *router {
	r := &router{cfg: cfg, machine: vrrp.New(cfg), priority: cfg.Priority}
	r.tick = func(e *Engine, now time.Time) { e.drive(now, r, vrrp.Tick{}) }
	return r
}

// drive gives an event to a router's machine and takes its effects.
func (e *Engine) drive(now time.Time, r *router, ev vrrp.Event) {
	key := r.cfg.Key()
	for _, f := range r.machine.Step(now, ev) {
		switch f := f.(type) {
		case vrrp.Send:
			e.emit(SendAdvert{Interface: r.cfg.Interface, Src: f.Src, Dst: f.Dst, Payload: f.Payload})
		case vrrp.Become:
			r.reason, r.since = f.Reason, now
			delete(e.situation.Master, key)
			if f.Role == vrrp.Master {
				e.situation.Master[key] = f.Reason
			}
			e.emit(RoleChanged{Instance: key, Name: r.cfg.Name, Role: f.Role.String(), Reason: f.Reason})
		case vrrp.Announce:
			a := Announce{Instance: key, Repeat: f.Repeat}
			for _, v := range f.Addresses {
				a.Targets = append(a.Targets, state.AddressKey{Dev: v.Dev, Prefix: v.Prefix})
			}
			e.emit(a)
		case vrrp.Note:
			e.emit(Note{Subject: r.cfg.Name, Text: f.Text})
		}
	}
	at, running := r.machine.Deadline()
	e.timers.set(&r.timer, at, running)
}

func (e *Engine) packetReceived(now time.Time, p PacketReceived) {
	src, dst := plain(p.Src), plain(p.Dst)
	if len(p.Payload) < 2 || slices.Contains(e.links[p.Interface].Addrs, src) {
		return // no VRRP, or our own
	}
	// The second byte is the virtual router, in every version. One that is not ours is somebody else's business.
	r := e.routers[ir.InstanceKey{Interface: p.Interface, VRID: p.Payload[1], IPv6: src.Is6()}]
	if r == nil || src == r.cfg.SourceAddr {
		return
	}
	e.drive(now, r, vrrp.Received{Src: src, Dst: dst, TTL: p.TTL, Payload: p.Payload})
}

func (e *Engine) linkChanged(now time.Time, l LinkChanged) {
	if l.Present {
		l.Addrs = slices.Clone(l.Addrs)
		for i, a := range l.Addrs {
			l.Addrs[i] = plain(a)
		}
		e.links[l.Name] = l
	} else {
		delete(e.links, l.Name)
	}
	for _, r := range e.order {
		if r.cfg.Interface == l.Name || r.tracks(track.Thing{Kind: track.Interface, Name: l.Name}) {
			e.inform(now, r)
		}
	}
}

// settle takes the interfaces that nobody has told of as missing.
func (e *Engine) settle(now time.Time) {
	if e.settled {
		return
	}
	e.settled = true
	for _, r := range e.order {
		e.inform(now, r)
	}
}

// inform tells a router whether its interface and what it tracks work, and its priority. One that has not started yet waits for what
// it does not know.
func (e *Engine) inform(now time.Time, r *router) {
	source, fault := e.source(r.cfg)
	v := track.Judge(r.cfg.Priority, r.trackers, e.status)
	if r.machine.Priority() != v.Priority {
		e.drive(now, r, vrrp.Reprioritize{Priority: v.Priority})
	}
	switch fault = cmp.Or(fault, v.Fault); {
	case fault != "":
		e.drive(now, r, vrrp.Fault{Reason: fault})
	case v.Waiting == "" || r.machine.Role() != vrrp.Init:
		e.drive(now, r, vrrp.Ready{Source: source})
	}
	e.tell(r, v)
}

// source is where the advertisements of an instance come from: mcast_src_ip, or the first address of the family on the interface
// that is no virtual one. IPv6 wants a link-local address (RFC 9568 section 5.1.2.1). An owner may have virtual addresses only.
func (e *Engine) source(v *ir.VRRPInstance) (source netip.Addr, fault string) {
	l, present := e.links[v.Interface]
	switch {
	case !present:
		return source, v.Interface + " is missing"
	case !l.Up:
		return source, v.Interface + " is down"
	case v.SourceAddr.IsValid():
		return v.SourceAddr, ""
	}
	for _, a := range l.Addrs {
		if a.Is6() != v.IPv6() || a.Is6() && !a.IsLinkLocalUnicast() {
			continue
		}
		if !e.virtual[a] {
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

// plain is an address as packets carry it: without zone, IPv4 as such.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
