package lint

import (
	"fmt"
	"net/netip"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

// edgeRules are about what .keepc.conf announces for the director of the file.
func edgeRules() []Rule {
	return []Rule{
		{
			Name: "announce-unserved", Severity: diag.Warning,
			Check: func(p *pass) {
				served := p.Served()
				for _, a := range p.Announced() {
					if p.found.Full(diag.Warning) {
						return
					}
					if !served[a.Addr] {
						p.report(a.Place, fmt.Sprintf("announce %s: no virtual_server has %s", a.Name.Text, a.Addr), "never announced")
					}
				}
			},
		},
		{
			Name: "announce-scheduler", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				if a, ok := p.announced[v.Key.Addr]; ok && v.Scheduler != "mh" && len(v.RealServers) > 1 {
					d := p.report(v.schedulerAt(), fmt.Sprintf("%s is announced and has lb_algo %s", v.name(), v.Scheduler), "other directors send a flow to other servers")
					d.Notes, d.Help = note(a.Place, "announced by "+a.Name.Text), "write lb_algo mh"
				}
			},
		},
		{
			Name: "announce-instance", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, x := range v.Addresses {
						if a, ok := p.announced[x.Prefix.Addr()]; ok {
							p.report(x.Span(), fmt.Sprintf("%s moves %s by VRRP, and announce %s announces it", named(v), a.Addr, a.Name.Text), "announced by directors that do not have it").
								Notes = note(a.Place, "announced here")
						}
					}
				}
			},
		},
		{
			Name: "announce-connected", Severity: diag.Info,
			Check: func(p *pass) {
				tell := func(x ir.Address) {
					if a, ok := p.announced[x.Prefix.Addr()]; ok && x.Prefix.IsSingleIP() {
						p.report(x.Span(), fmt.Sprintf("%s is announced, and it is on an interface with its full prefix length", a.Addr), "not exported by FRR").
							Help = "write \"local\" in announce " + a.Name.Text + " instead"
					}
				}
				for _, x := range p.StaticAddresses {
					tell(x)
				}
				for _, v := range p.blocks {
					if v.QuorumAddress != nil {
						tell(*v.QuorumAddress)
					}
				}
			},
		},
		{
			Name: "announce-mismatch", Severity: diag.Warning,
			Peers: func(p *peerPass) {
				lists, sets := make([][]ir.AnnouncedAddress, len(p.Nodes)), make([]map[netip.Addr]bool, len(p.Nodes))
				for i, n := range p.Nodes {
					lists[i], sets[i] = n.Config.Announced(), map[netip.Addr]bool{}
					for _, a := range lists[i] {
						sets[i][a.Addr] = true
					}
				}
				for i, n := range p.Nodes {
					for j, o := range p.Nodes {
						if i == j || len(o.Config.Announcements) == 0 {
							continue
						}
						for _, a := range lists[i] {
							if p.found[i].Full(diag.Warning) {
								break
							}
							if !sets[j][a.Addr] {
								p.report(i, diag.Diagnostic{
									Message: fmt.Sprintf("%s announces %s, its peer %s does not", n.Name, a.Addr, o.Name), Span: a.Place, Label: "not on " + o.Name,
								})
							}
						}
					}
				}
			},
		},
	}
}

// isLocal reports whether an announcement makes an address local.
func (p *pass) isLocal(addr netip.Addr) bool {
	a, ok := p.announced[addr]
	return ok && a.Local
}
