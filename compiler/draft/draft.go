// Package draft writes the keepalived.conf for what somebody set up by hand: virtual servers, and the addresses beyond
// a host's own.
package draft

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/grammar"
)

// A Host is what was set up by hand.
type Host struct {
	Addresses []Address
	// State holds the services with their destinations, and the IPVS timeouts if they are known.
	State state.State
}

// An Address of an interface.
type Address struct {
	state.AddressKey
	state.Address
	Virtual bool // it was added to the host's own addresses
}

// Options are what the host itself does not tell.
type Options struct {
	Check string // of real servers: one of Checks
	VRID  uint8  // of the first instance; 0: the last byte of its first address. Others take the next free number
}

// Checks are the values of Options.Check: connect (TCP_CHECK, UDP_CHECK), ping and none.
func Checks() []string { return []string{"connect", "ping", "none"} }

// Config returns the file in its canonical layout.
func (h Host) Config(o Options) []byte {
	d := draft{Options: o}
	if t := h.State.Timeouts[state.TimeoutsKey{}].Timeouts; t != (ir.Timeouts{}) {
		d.line("global_defs {")
		d.timeouts(t)
		d.line("}")
	}
	d.instances(h.virtual())
	for _, k := range slices.SortedFunc(maps.Keys(h.State.Services), ir.ServiceKey.Compare) {
		d.virtualServer(h.State, k)
	}
	return grammar.Format(d.Bytes())
}

// virtual lists the addresses that move with a virtual router: those beyond the host's own, and those of its services.
func (h Host) virtual() (list []Address) {
	served := map[netip.Addr]bool{}
	for k := range h.State.Services {
		served[k.Addr] = true
	}
	for _, a := range h.Addresses {
		own := a.Prefix.Addr()
		if own.IsLoopback() || a.Scope == scopeHost || a.Dev == "lo" {
			continue
		}
		if a.Virtual || served[own] {
			list = append(list, a)
		}
	}
	return list
}

const scopeHost, scopeLink = 254, 253

type draft struct {
	bytes.Buffer
	Options
}

func (d *draft) line(words ...any) { fmt.Fprintln(&d.Buffer, words...) }

func (d *draft) timeouts(t ir.Timeouts) {
	text := "lvs_timeouts"
	for _, p := range []struct {
		word string
		time.Duration
	}{{"tcp", t.TCP}, {"tcpfin", t.TCPFin}, {"udp", t.UDP}} {
		if p.Duration > 0 {
			text += fmt.Sprintf(" %s %d", p.word, int64(p.Seconds()))
		}
	}
	d.line(text)
}

// instances writes an instance for the addresses of each interface and family: an advertisement carries one family.
func (d *draft) instances(list []Address) {
	type group struct {
		dev string
		six bool
	}
	var order []group
	members := map[group][]Address{}
	for _, a := range list {
		g := group{a.Dev, a.Prefix.Addr().Is6()}
		if members[g] == nil {
			order = append(order, g)
		}
		members[g] = append(members[g], a)
	}
	taken := map[int]bool{}
	for i, g := range order {
		vrid := lastByte(members[g][0].Prefix.Addr())
		if d.VRID > 0 {
			vrid = int(d.VRID) + i
		}
		for vrid = (vrid-1)%255 + 1; taken[vrid] && len(taken) < 255; {
			vrid = vrid%255 + 1
		}
		taken[vrid] = true
		d.line()
		d.line(fmt.Sprintf("vrrp_instance VI_%d {", i+1))
		d.line("state MASTER # the addresses are here; BACKUP and a lower priority on the other director")
		d.line("interface", g.dev)
		d.line("virtual_router_id", vrid)
		d.line("priority 100")
		d.line("advert_int 1")
		d.line("virtual_ipaddress {")
		for _, a := range members[g] {
			d.line(addressLine(a))
		}
		d.line("}")
		d.line("}")
	}
}

// lastByte is a number from 1 to 255 in which addresses of one network differ.
func lastByte(a netip.Addr) int {
	b := a.AsSlice()
	return max(1, int(b[len(b)-1]))
}

func addressLine(a Address) string {
	text := a.Prefix.String()
	if a.Peer.IsValid() {
		text = a.Prefix.Addr().String() + " peer " + a.Peer.Addr().String()
	}
	if a.Broadcast.IsValid() {
		text += " brd " + a.Broadcast.String()
	}
	text += " dev " + a.Dev
	if a.Scope == scopeLink {
		text += " scope link"
	}
	if a.Label != "" {
		text += " label " + a.Label
	}
	if a.Peer.IsValid() && !a.Peer.IsSingleIP() {
		text += fmt.Sprintf(" # the peer has the prefix length %d, which keepalived cannot be told", a.Peer.Bits())
	}
	return text
}

func (d *draft) virtualServer(s state.State, k ir.ServiceKey) {
	v := s.Services[k]
	var servers []state.DestinationKey
	for key := range s.Destinations {
		if key.Service == k {
			servers = append(servers, key)
		}
	}
	slices.SortFunc(servers, func(a, b state.DestinationKey) int { return a.Server.Compare(b.Server) })
	d.line()
	if len(servers) == 0 {
		d.line("#", k, "has no real server and is left out: a file cannot say that")
		return
	}
	method := methodOf(s.Destinations[servers[0]])
	if k.FWMark != 0 {
		d.line("virtual_server fwmark", k.FWMark, "{")
	} else {
		d.line("virtual_server", k.Addr, k.Port, "{")
	}
	d.line("delay_loop 6")
	d.line("lb_algo", v.Scheduler)
	d.line("lb_kind", method)
	d.persistence(v, k)
	for i, word := range []string{"ops", "flag-1", "flag-2", "flag-3"} {
		if v.Flags&(4<<i) != 0 {
			d.line(word)
		}
	}
	if k.FWMark == 0 {
		d.line("protocol", strings.ToUpper(k.Protocol.String()))
	} else if k.IPv6 {
		d.line("ip_family inet6")
	}
	for _, key := range servers {
		d.realServer(key, s.Destinations[key], method)
	}
	d.line("}")
}

// methodOf is a forwarding method in the words of the file.
func methodOf(d state.Destination) string {
	text := [...]string{ir.NAT: "NAT", ir.DR: "DR", ir.TUN: "TUN"}[d.Forwarding]
	if d.Forwarding == ir.TUN && d.Tunnel != (ir.Tunnel{}) {
		text += " " + d.Tunnel.String()
	}
	return text
}

func (d *draft) persistence(v state.Service, k ir.ServiceKey) {
	if v.Persistence == 0 {
		return
	}
	d.line("persistence_timeout", int64(v.Persistence.Seconds()))
	if mask := v.Granularity(); mask != "" {
		d.line("persistence_granularity", mask)
	}
	if v.Engine != "" {
		d.line("persistence_engine", v.Engine)
	}
}

func (d *draft) realServer(k state.DestinationKey, s state.Destination, method string) {
	d.line("real_server", k.Server.Addr(), strconv.Itoa(int(k.Server.Port())), "{")
	d.line("weight", s.Weight)
	if own := methodOf(s); own != method {
		d.line("lvs_method", own)
	}
	if s.UpperThreshold > 0 {
		d.line("uthreshold", s.UpperThreshold)
	}
	if s.LowerThreshold > 0 {
		d.line("lthreshold", s.LowerThreshold)
	}
	d.check(k)
	d.line("}")
}

// check writes how the server is checked.
func (d *draft) check(k state.DestinationKey) {
	switch {
	case d.Check == "none":
		return
	case d.Check == "ping":
		d.line("PING_CHECK {")
	case k.Server.Port() == 0:
		d.line("# no port to connect to: say which, or the server counts as healthy for ever")
		return
	case k.Service.Protocol == ir.TCP:
		d.line("TCP_CHECK {")
	case k.Service.Protocol == ir.UDP:
		d.line("UDP_CHECK {")
	default:
		d.line("# no check of keepalived speaks", k.Service.Protocol.String()+": without one the server counts as healthy for ever")
		return
	}
	d.line("connect_timeout 3")
	d.line("}")
}
