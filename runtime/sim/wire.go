package sim

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"keepc/runtime/balance"
	"keepc/runtime/health"
	"keepc/runtime/router"
	"keepc/runtime/vrrp"
)

// A station is a node's interface on a segment.
type station struct {
	node *node
	port *port
}

// A path is a direction on a segment in which packets are lost. Links stay up.
type path struct {
	segment  string
	from, to int // nodes, or theRest
}

// theRest is everything on a segment besides the nodes: real servers, clients.
const theRest = -1

// transmit sends an advertisement to everybody else on the segment, or to the owner of its destination.
func (w *world) transmit(n *node, a router.SendAdvert) {
	if w.Packets {
		w.record(advertEntry(n.name, a))
	}
	p := n.port(a.Interface)
	if p == nil || !p.up {
		return
	}
	for _, s := range w.segments[p.segment] {
		switch {
		case s.node == n || w.blocked[path{p.segment, n.index, s.node.index}]:
		case !a.Dst.IsMulticast() && !s.node.owns(s.port, a.Dst):
		case w.Loss > 0 && w.random.Float64() < w.Loss:
		default:
			packet := router.PacketReceived{Interface: s.port.name, Src: a.Src, Dst: a.Dst, TTL: cmp.Or(int(a.TTL), 64), AH: a.AH, ID: a.ID, Payload: a.Payload}
			w.plan(&event{rank: arrival, do: func() {
				if s.port.up && !(w.SameAddresses && s.node.differs(packet)) {
					w.deliver(s.node, packet)
				}
			}}, w.now+w.latency())
		}
	}
}

// differs reports whether an advertisement is for an instance of the node with different addresses.
func (n *node) differs(p router.PacketReceived) bool {
	packet, err := vrrp.Unmarshal(vrrp.Advert(p.Payload, p.AH), p.Src, p.Dst)
	if err != nil {
		return false
	}
	for _, v := range n.cfg.Instances {
		group := v.Group() // of unicast there is none, and keepalived hears whoever sends to it
		if v.Interface != p.Interface || v.VRID != packet.VRID || v.IPv6() != p.Src.Is6() || group.IsValid() && group != p.Dst {
			continue
		}
		if v.Has("skip_check_adv_addr") || n.cfg.Global.Has("vrrp_skip_check_adv_addr") {
			return false
		}
		return !sameSet(v.Advertised(), packet.Addresses)
	}
	return false
}

func sameSet(a, b []netip.Addr) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x netip.Addr) bool { return !slices.Contains(b, x) })
}

// latency returns how long the next packet takes.
func (w *world) latency() time.Duration {
	d := max(w.Delay, moment)
	if w.Jitter > 0 {
		d += time.Duration(w.random.Int64N(int64(w.Jitter) + 1))
	}
	return d
}

// block starts or stops losing what is sent from some stations to others on the given segments.
func (w *world) block(lost bool, from, to []int, segments []string) {
	for _, segment := range segments {
		for _, f := range from {
			for _, t := range to {
				if p := (path{segment, f, t}); f != t && lost {
					w.blocked[p] = true
				} else {
					delete(w.blocked, p)
				}
			}
		}
	}
}

// probe probes a real server for a node. The answer comes after a round trip; silence counts after the timeout.
func (w *world) probe(n *node, p balance.StartProbe) {
	asker, server, target := n.brains, p.Server.Server, p.Check.Target
	if !target.IsValid() { // a script, which checks the server in its own way
		target = server
	}
	cause, after := "", 2*max(w.Delay, moment)
	switch {
	case w.refusing[server] || w.refusing[target]:
		cause = "connect: connection refused"
	case w.broken[server.Addr()] || w.broken[target.Addr()] || !w.reaches(n, target.Addr()):
		cause, after = "connect: timed out after "+p.Timeout.String(), p.Timeout
	}
	if w.Packets {
		w.record(Entry{Kind: Probe, Node: n.name, Subject: p.Server.String(), Text: cmp.Or(cause, "good")})
	}
	w.plan(&event{rank: arrival, do: func() {
		if n.brains == asker { // it may have ended meanwhile
			w.deliver(n, balance.ProbeDone{ID: p.ID, Result: health.Outcome(cause)})
		}
	}}, w.now+after)
}

// reaches reports whether a node's packets get to a real server and back: over its only interface, or the one with a
// virtual address of the server's network. If neither is known, servers are always reached.
func (w *world) reaches(n *node, server netip.Addr) bool {
	p := n.towards(server)
	return p == nil || p.up && !w.blocked[path{p.segment, n.index, theRest}] && !w.blocked[path{p.segment, theRest, n.index}]
}

func (n *node) towards(server netip.Addr) *port {
	if len(n.ports) == 1 {
		return n.ports[0]
	}
	for _, v := range n.cfg.Instances {
		for _, a := range v.Addresses {
			if !a.Prefix.IsSingleIP() && a.Prefix.Contains(server) {
				return n.port(a.Dev)
			}
		}
	}
	return nil
}

// owns reports whether an address belongs to a node's interface.
func (n *node) owns(p *port, a netip.Addr) bool {
	return slices.Contains(p.addrs, a) || n.shown[a]
}
