package lint

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

// announceRules are about the addresses of virtual servers: who holds them, what adds them and what removes them.
func announceRules() []Rule {
	return []Rule{
		{
			Name: "service-unheld", Severity: diag.Warning,
			Check: func(p *pass) {
				held := map[netip.Addr]bool{}
				for _, a := range p.StaticAddresses {
					held[a.Prefix.Addr()] = true
				}
				for _, v := range p.Instances {
					if len(v.Addresses) == 0 {
						return // which it should have, nobody knows
					}
					for _, a := range v.Addresses {
						held[a.Prefix.Addr()] = true
					}
				}
				if len(held) == 0 {
					return
				}
				for _, v := range p.blocks {
					addr := v.Key.Addr
					if !addr.IsValid() || v.Group != "" || held[addr] || p.isLocal(addr) || p.host != nil && p.host.Holds(addr) || p.found.Full(diag.Warning) {
						continue
					}
					if added, ok := announced(v.QuorumUp); ok && added == addr {
						continue
					}
					p.report(v.Span(), fmt.Sprintf("no instance and no static address is %s", addr), "receives no traffic").Help = "add the address to an instance, or correct it"
				}
			},
		},
		{
			Name: "services-part", Severity: diag.Warning,
			Check: func(p *pass) {
				addresses, networks := p.held()
				told := map[[2]*ir.VRRPInstance]bool{}
				for _, v := range p.blocks {
					outside := addresses[v.Key.Addr]
					if outside == nil || v.Group != "" {
						continue
					}
					for _, s := range v.RealServers {
						near := networks.of(s.Addr.Addr())
						if s.Forwarding != ir.NAT || near == nil || near.holders[outside] || near.first.Interface == outside.Interface {
							continue
						}
						inside := near.first
						pair := [2]*ir.VRRPInstance{outside, inside}
						if told[pair] || p.together(pair) {
							continue
						}
						told[pair] = true
						d := p.report(v.Span(), fmt.Sprintf("%s holds %s, %s the network of its real servers, and nothing keeps them together", named(outside), v.Key.Addr, named(inside)),
							"answers may go to the other director")
						d.Notes, d.Help = note(inside.Span(), named(inside)), "make both members of a vrrp_sync_group"
					}
				}
			},
		},
		{
			Name: "quorum-address", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				added, ok := announced(v.QuorumUp)
				if !ok || v.Group != "" || !v.Key.Addr.IsValid() {
					return
				}
				if added != v.Key.Addr {
					p.report(v.QuorumUp.Span(), fmt.Sprintf("quorum_up adds %s, and the service is %s", added, v.Key.Addr), "not the address of the service")
				}
				switch {
				case v.QuorumDown == nil:
					p.report(v.QuorumUp.Span(), fmt.Sprintf("quorum_up adds %s, and no quorum_down takes it away", added), "stays when the quorum is lost")
				case !v.Omega:
					p.report(v.QuorumUp.Span(), fmt.Sprintf("quorum_up adds %s, and without omega a stop leaves it", added), "stays after a stop")
				case !v.Alpha:
					p.report(v.QuorumUp.Span(), fmt.Sprintf("quorum_up adds %s, and without alpha it does so before any check", added), "added before the servers are checked")
				}
			},
		},
	}
}

// networks are those that instances have an address in.
type networks map[netip.Prefix]*network

type network struct {
	first   *ir.VRRPInstance
	holders map[*ir.VRRPInstance]bool // all of them
}

// held returns the first instance with each address, and the networks of all instances.
func (p *pass) held() (addresses map[netip.Addr]*ir.VRRPInstance, all networks) {
	addresses, all = map[netip.Addr]*ir.VRRPInstance{}, networks{}
	for _, v := range p.Instances {
		for _, a := range v.Addresses {
			if addresses[a.Prefix.Addr()] == nil {
				addresses[a.Prefix.Addr()] = v
			}
			if a.Prefix.IsSingleIP() {
				continue
			}
			n := all[a.Prefix.Masked()]
			if n == nil {
				n = &network{v, map[*ir.VRRPInstance]bool{}}
				all[a.Prefix.Masked()] = n
			}
			n.holders[v] = true
		}
	}
	return addresses, all
}

// of returns the smallest network that contains an address; nil: there is none.
func (all networks) of(a netip.Addr) *network {
	for bits := a.BitLen() - 1; bits > 0 && len(all) > 0; bits-- {
		at, err := a.Prefix(bits)
		if n := all[at]; err == nil && n != nil {
			return n
		}
	}
	return nil
}

// together reports whether two instances are members of one sync group.
func (p *pass) together(pair [2]*ir.VRRPInstance) bool {
	return slices.ContainsFunc(p.SyncGroups, func(g *ir.SyncGroup) bool {
		member := func(v *ir.VRRPInstance) bool {
			return slices.ContainsFunc(g.Members, func(m ir.Name) bool { return m.Text == v.Name })
		}
		return member(pair[0]) && member(pair[1])
	})
}

// announced returns the address that a command adds with ip, directly or in a shell; false: none.
func announced(c *ir.Command) (addr netip.Addr, ok bool) {
	if c == nil {
		return addr, false
	}
	words := strings.Fields(strings.Join(c.Args, " "))
	at := slices.IndexFunc(words, func(w string) bool { return path.Base(strings.Trim(w, `"'`)) == "ip" })
	if at < 0 {
		return addr, false
	}
	words = slices.DeleteFunc(words[at+1:], func(w string) bool { return strings.HasPrefix(w, "-") })
	if len(words) < 3 || !strings.HasPrefix("address", words[0]) || words[1] != "add" && words[1] != "replace" && words[1] != "a" {
		return addr, false
	}
	text, _, _ := strings.Cut(strings.Trim(words[2], `"';`), "/")
	addr, err := netip.ParseAddr(text)
	return addr, err == nil
}
