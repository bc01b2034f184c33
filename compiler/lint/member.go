package lint

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// memberRules are about the addresses, ports and marks of services, and what a service of their kind cannot do.
func memberRules() []Rule {
	return []Rule{
		{
			Name: "overlapping-members", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, g := range p.Groups {
					for i, m := range g.Members[:min(len(g.Members), maxMembers)] {
						for _, o := range g.Members[:i] {
							if m.FWMark != 0 && m.FWMark == o.FWMark && m.IPv6 == o.IPv6 || m.Port == o.Port && overlap(m, o) {
								p.report(m.Span(), "this member of "+g.Name+" overlaps an earlier member", "the same service").Notes = note(o.Span(), "the first one")
								break
							}
						}
					}
				}
			},
		},
		{
			Name: "zero-mark", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for _, g := range p.Groups {
					for _, m := range g.Members {
						if !m.First.IsValid() && m.FWMark == 0 && m.HasWord("0") {
							p.report(m.Span(), "firewall mark 0 is not a mark", "matches no packet")
						}
					}
				}
			},
		},
		{
			Name: "nowhere-address", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				if v.Group == "" && nowhere(v.Key.Addr) {
					p.report(v.Span(), fmt.Sprintf("no host has the address %s", v.Key.Addr), "matches no packet")
				}
				for _, s := range v.RealServers {
					if nowhere(s.Addr.Addr()) {
						p.report(s.Span(), fmt.Sprintf("no host has the address %s", s.Addr.Addr()), "expected the server's own address")
					}
				}
			},
		},
		{
			Name: "port-of-mark", Severity: diag.Info,
			Service: func(p *pass, v service) {
				if v.Group != "" || v.Key.FWMark == 0 {
					return
				}
				if s := v.SorryServer; s != nil && s.Forwarding != ir.NAT && s.Port != 0 {
					p.report(v.At("sorry_server"), "the port of the sorry server is not used", "for checks alone")
				}
				for _, s := range v.RealServers {
					if s.Forwarding != ir.NAT && s.Port != 0 {
						p.report(s.Span(), fmt.Sprintf("port %d of real_server %s is not used", s.Port, s.Addr.Addr()), "for checks alone").Help = "leave it out, and write connect_port in the check"
					}
				}
			},
		},
		{
			Name: "suspend-of-mark", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				if v.Has("ha_suspend") && p.marked(v) {
					p.report(v.At("ha_suspend"), v.name()+" has no address that could go away", "cleared")
				}
			},
		},
		{
			Name: "granularity-family", Severity: diag.Error, Loss: diag.DropsWord,
			Service: func(p *pass, v service) {
				mask := v.value("persistence_granularity")
				six, known := v.family()
				_, err := strconv.Atoi(mask)
				if !known || err != nil && !strings.Contains(mask, ".") || six == (err == nil) {
					return
				}
				d := p.report(v.At("persistence_granularity"), fmt.Sprintf("persistence_granularity %s is not for IPv4", mask), "expected a netmask, as 255.255.255.0")
				if six {
					d.Message, d.Label = fmt.Sprintf("persistence_granularity %s is not for IPv6", mask), "expected a prefix length, as 64"
				}
			},
		},
		{
			Name: "idle-engine", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				at := v.At("persistence_engine")
				switch {
				case v.PersistenceEngine == "":
				case v.PersistenceEngine != "sip":
					p.report(at, fmt.Sprintf("the kernel has no persistence engine %q", v.PersistenceEngine), "expected sip")
				case v.Key.FWMark == 0 && v.Key.Protocol != ir.UDP:
					p.report(at, "the persistence engine sip is for UDP", "")
				case v.PersistenceTimeout == 0:
					p.report(at, v.name()+" has a persistence engine and is not persistent", "without effect").Help = "add persistence_timeout"
				}
			},
		},
		{
			Name: "tunnel-options", Severity: diag.Error, Loss: diag.GoesOnWith,
			Service: func(p *pass, v service) {
				p.tunnel(v.Method, v.Origin, "lb_kind", "lvs_method")
				p.tunnel(sorryMethod(v), v.Origin, "sorry_server_lvs_method")
				for _, s := range v.RealServers {
					p.tunnel(s.Method, s.Origin, "lvs_method")
				}
			},
		},
	}
}

// maxMembers is the number of members of a group that are compared with each other.
const maxMembers = 1000

// tunnel reports options that do not fit the type of a tunnel.
func (p *pass) tunnel(m ir.Method, o ir.Origin, words ...string) {
	problem, label := "", ""
	switch t := m.Tunnel; {
	case t.Type == ir.GUE && t.Port == 0:
		problem, label = "a gue tunnel has no port", "needs port 1..65535"
	case t.Type != ir.GUE && t.Port != 0:
		problem, label = fmt.Sprintf("a tunnel of type %s has a port", t.Type), "only type gue has one"
	case t.Type == ir.IPIP && t.Checksum != ir.NoChecksum:
		problem, label = "a tunnel of type ipip has a checksum", "only gue and gre have one"
	case t.Type == ir.GRE && t.Checksum == ir.RemoteChecksum:
		problem, label = "a tunnel of type gre has a remote checksum", "only gue has one"
	}
	for _, word := range words {
		if problem == "" || !o.Has(word) {
			continue
		}
		s := o.Stmt.Block.Find(word)
		if m.Tunnel.Port == 0 && slices.ContainsFunc(s.Words, func(w grammar.Word) bool { return w.Text == "port" }) {
			return // the port is reported already
		}
		p.report(s.Span(), problem, label)
		return
	}
}

// sorryMethod is how packets reach the sorry server, if there is one.
func sorryMethod(v service) ir.Method {
	if v.SorryServer == nil {
		return ir.Method{}
	}
	return v.SorryServer.Method
}

// family reports whether a service is IPv6, by its own address or that of a real server; false when neither is known.
func (v service) family() (six, known bool) {
	if !v.addressless() {
		return v.Key.Addr.Is6(), true
	}
	return v.serverFamily()
}

// addressless reports whether a service has no address of its own: it is a group, or a firewall mark.
func (v service) addressless() bool { return v.Group != "" || !v.Key.Addr.IsValid() }

// serverFamily reports whether the real servers of a service must be IPv6: ip_family says so, or else the first that
// is not reached by a tunnel; false when neither is known.
func (v service) serverFamily() (six, known bool) {
	if v.Family != ir.AnyFamily {
		return v.Family == ir.IPv6, true
	}
	for _, s := range v.RealServers {
		if s.Addr.IsValid() && s.Forwarding != ir.TUN {
			return s.Addr.Addr().Is6(), true
		}
	}
	return false, false
}

// overlap reports whether two ranges of addresses have one in common.
func overlap(a, b ir.GroupMember) bool {
	return a.First.IsValid() && b.First.IsValid() && a.First.Is4() == b.First.Is4() && !a.Last.Less(b.First) && !b.Last.Less(a.First)
}

// nowhere reports whether no host can have the address.
func nowhere(a netip.Addr) bool {
	return a.IsValid() && (a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}))
}

// members returns the members of the group of a virtual server.
func (p *pass) members(v service) []ir.GroupMember {
	if g := p.groups[v.Group]; g != nil && v.Group != "" {
		return g.Members
	}
	return nil
}

// memberPorts reports members of a group whose port differs from that of a real server, unless NAT can change it.
func (p *pass) memberPorts(v service) {
	for _, m := range p.members(v) {
		for _, s := range v.RealServers {
			if s.Forwarding != ir.NAT && m.First.IsValid() && m.Port != 0 && s.Port != 0 && s.Port != m.Port {
				p.report(m.Span(), fmt.Sprintf("%s has port %d, its real server %s port %d", m.First, m.Port, s.Addr.Addr(), s.Port), fmt.Sprintf("port %d is used", m.Port)).Notes = note(s.Span(), "the real server")
				break
			}
		}
	}
}

// sorryPort reports a sorry server whose port differs from that of its virtual server, or of a member of its group.
func (p *pass) sorryPort(v service) {
	s := v.SorryServer
	if s == nil || s.Forwarding == ir.NAT || s.Port == 0 {
		return
	}
	for _, m := range p.members(v) {
		if m.First.IsValid() && m.Port != s.Port {
			d := p.report(v.At("sorry_server"), fmt.Sprintf("the sorry server has port %d, and %s port %d", s.Port, m.First, m.Port), "the port is ignored")
			d.Notes, d.Former = note(m.Span(), "the member of the group"), "sorry-port"
			return
		}
	}
	if v.Group == "" && v.Key.FWMark == 0 && v.Key.Port != 0 && s.Port != v.Key.Port {
		d := p.report(v.At("sorry_server"), fmt.Sprintf("the sorry server has port %d, its virtual server %d", s.Port, v.Key.Port), fmt.Sprintf("port %d is used", v.Key.Port))
		d.Former = "sorry-port"
	}
}

// sorryFamily reports a sorry server that is not of the family of its virtual server.
func (p *pass) sorryFamily(v service, six bool) {
	s := v.SorryServer
	if s == nil || !s.Addr.IsValid() || s.Forwarding == ir.TUN || s.Addr.Addr().Is6() == six {
		return
	}
	other := v.Key.Addr.String()
	if v.addressless() {
		other = v.name()
	}
	d := p.report(v.At("sorry_server"), fmt.Sprintf("the sorry server %s is of a different family from %s", s.Addr.Addr(), other), "dropped")
	d.Former = "sorry-family"
}
