// Package realserver says what a host needs so that directors can use it as a real server, and how that is undone.
package realserver

import (
	"fmt"
	"net/netip"
	"slices"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/grammar/source"
)

// A Role is the part of this host in one virtual server.
type Role struct {
	Service ir.ServiceKey
	Server  netip.Addr // the address of this host
	Method  ir.Method
	Dev     string // the interface with the address; empty where none has it
	span    source.Span
}

// A Problem is something that no change of this host fixes by itself.
type Problem struct {
	Text string
	At   source.Span
}

// Roles finds the virtual servers that have an address of this host as a real server or sorry server. own: its
// addresses; none: all addresses of its interfaces.
func Roles(cfg *ir.Config, have state.State, own []netip.Addr) (roles []Role) {
	devs := map[netip.Addr]string{}
	for k := range have.Addresses {
		if a := k.Prefix.Addr(); !a.IsLoopback() && k.Dev != "lo" {
			devs[a] = k.Dev
		}
	}
	for _, v := range cfg.VirtualServers {
		servers := v.RealServers
		if v.SorryServer != nil {
			servers = append(slices.Clone(servers), v.SorryServer)
		}
		for _, r := range servers {
			a := r.Addr.Addr()
			dev, here := devs[a]
			if here && len(own) == 0 || slices.Contains(own, a) {
				roles = append(roles, Role{v.Key, a, r.Method, dev, r.Span()})
			}
		}
	}
	return roles
}

// Want is what should exist on this host, and what else is wrong.
func Want(cfg *ir.Config, roles []Role, have state.State) (state.State, []Problem) {
	w := want{State: state.New(), have: have}
	for _, r := range roles {
		switch {
		case r.Method.Forwarding == ir.NAT:
			w.nat(cfg, r)
		case !r.Service.Addr.IsValid():
			w.problem(r, "%s names no address: put those that it is for on lo or the tunnel by hand", r.Service)
		case r.Method.Forwarding == ir.DR:
			w.direct(r)
		default:
			w.tunnel(r)
		}
	}
	return w.State, w.problems
}

type want struct {
	state.State
	have     state.State
	problems []Problem
}

func (w *want) problem(r Role, format string, args ...any) {
	p := Problem{fmt.Sprintf(format, args...), r.span}
	if !slices.ContainsFunc(w.problems, func(o Problem) bool { return o.Text == p.Text }) {
		w.problems = append(w.problems, p)
	}
}

// direct: packets arrive with the virtual address as their destination, so it must be an address of this host; and
// only the director may answer ARP for it on the link.
func (w *want) direct(r Role) {
	why := fmt.Sprintf("packets to %s reach %s as they are (DR)", r.Service, r.Server)
	w.silence(r, why)
	w.address(r, "lo", why)
}

// tunnel: packets arrive encapsulated, sent to the server's own address.
func (w *want) tunnel(r Role) {
	kind, dev := state.TunnelIPIP, "tunl0"
	if r.Server.Is6() {
		kind, dev = state.TunnelIP6Tnl, "ip6tnl0"
	}
	switch {
	case r.Method.Tunnel.Type != ir.IPIP:
		w.problem(r, "tunnels of %s are not set up by keepc, only those of type ipip", r.Method.Tunnel)
		return
	case r.Server.Is6() != r.Service.Addr.Is6():
		w.problem(r, "%s reaches %s through a tunnel of the other family, which keepc does not set up", r.Service, r.Server)
		return
	}
	why := fmt.Sprintf("packets to %s reach %s through a tunnel (TUN)", r.Service, r.Server)
	w.Tunnels[state.TunnelKey{Dev: dev}] = state.Tunnel{Kind: kind, Provenance: state.Provenance{Origin: r.span, Why: why}}
	if r.Server.Is4() {
		// Clients are not reached through the tunnel, so a strict filter takes their addresses for forged. The larger
		// of this value and that of "all" counts; 2 is the loose mode.
		w.sysctl(r, "net/ipv4/conf/"+dev+"/rp_filter", "2", why)
	}
	w.silence(r, why)
	w.address(r, dev, why)
}

// silence keeps this host from answering ARP requests for the virtual address, and from using it as the sender of its
// own. IPv6 only answers for the addresses of the link itself.
func (w *want) silence(r Role, why string) {
	if r.Service.Addr.Is6() {
		return
	}
	confs := []string{"all"}
	if r.Dev != "" {
		confs = append(confs, r.Dev)
	}
	for _, conf := range confs {
		w.sysctl(r, "net/ipv4/conf/"+conf+"/arp_ignore", "1", why)
		w.sysctl(r, "net/ipv4/conf/"+conf+"/arp_announce", "2", why)
	}
}

func (w *want) sysctl(r Role, file, value, why string) {
	k := state.SysctlKey{File: file}
	if _, ok := w.Sysctls[k]; !ok {
		w.Sysctls[k] = state.Sysctl{Value: value, Provenance: state.Provenance{Origin: r.span, Why: why}}
	}
}

func (w *want) address(r Role, dev, why string) {
	vip := r.Service.Addr
	for k := range w.have.Addresses {
		if k.Prefix.Addr() == vip && k.Dev != dev {
			w.problem(r, "%s is here already, on %s: this host answers for it, where only the director may", vip, k.Dev)
			return
		}
	}
	k := state.AddressKey{Dev: dev, Prefix: netip.PrefixFrom(vip, vip.BitLen())}
	if _, ok := w.Addresses[k]; !ok {
		w.Addresses[k] = state.Address{Lifetime: state.Lifetime{Limited: vip.Is6()}, Provenance: state.Provenance{Origin: r.span, Why: why}}
	}
}

// Sysctls lists the sysctls of a state.
func Sysctls(s state.State) (keys []state.SysctlKey) {
	for k := range s.Sysctls {
		keys = append(keys, k)
	}
	return keys
}

// Accept drops wishes that are met well enough: arp_ignore 2 is stricter than 1.
func Accept(have, want state.State) {
	for k, w := range want.Sysctls {
		if w.Value == "1" && have.Sysctls[k].Value == "2" {
			w.Value = "2"
			want.Sysctls[k] = w
		}
	}
}
