package lint

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// directorPeerRules are about what directors that back each other up must share besides VRRP.
func directorPeerRules() []Rule {
	return []Rule{
		{
			Name: "service-mismatch", Severity: diag.Error, Loss: diag.Keeps,
			Peers: serviceMismatch,
		},
		{
			Name: "server-mismatch", Severity: diag.Warning,
			Peers: serverMismatch,
		},
		{
			Name: "service-setting-mismatch", Severity: diag.Warning,
			Peers: serviceSettingMismatch,
		},
		{
			Name: "director-is-server", Severity: diag.Warning,
			Peers: func(p *peerPass) {
				for node := range p.Nodes {
					p.eachService(node, func(v service) {
						for _, rs := range v.RealServers {
							at, who := p.speaker(rs.Addr.Addr())
							if v.Key.FWMark != 0 || rs.Forwarding == ir.NAT || who < 0 {
								continue
							}
							p.report(node, diag.Diagnostic{
								Message: fmt.Sprintf("real_server %s of %s is the director %s", rs.Addr.Addr(), v.name(), p.Nodes[who].Name),
								Span:    rs.Span(), Label: "balances again what it gets", Notes: note(at, p.Nodes[who].Name+" sends from it"),
							})
						}
					})
				}
			},
		},
		{
			Name: "sync-daemon-mismatch", Severity: diag.Warning,
			Peers: syncDaemonMismatch,
		},
		{
			Name: "router-id-equal", Severity: diag.Info,
			Peers: func(p *peerPass) {
				for i, n := range p.Nodes {
					k := slices.IndexFunc(p.Nodes[:i], func(o cluster.Node) bool { return o.Config.Global.RouterID == n.Config.Global.RouterID })
					if k < 0 || n.Config.Global.RouterID == "" {
						continue
					}
					g, h := n.Config.Global, p.Nodes[k].Config.Global
					p.report(i, diag.Diagnostic{
						Message: fmt.Sprintf("%s has router_id %s, and so has its peer %s", n.Name, g.RouterID, p.Nodes[k].Name),
						Span:    g.At("router_id"), Label: "taken", Notes: note(h.At("router_id"), "by "+p.Nodes[k].Name),
					})
				}
			},
		},
	}
}

// eachService calls f once for every virtual_server of the file of a node, however many services its group makes.
func (p *peerPass) eachService(node int, f func(service)) {
	for _, v := range servicesOf(p.Nodes[node].Config) {
		f(v)
	}
}

func (p *peerPass) everyNode() (all []int) {
	for i := range p.Nodes {
		all = append(all, i)
	}
	return all
}

// globalLine returns where a node says something in global_defs, or else its first instance.
func (p *peerPass) globalLine(n int, word string) source.Span {
	g := p.Nodes[n].Config.Global
	if g.Stmt != nil || len(p.Nodes[n].Config.Instances) == 0 {
		return g.At(word)
	}
	return p.Nodes[n].Config.Instances[0].Span()
}

func syncDaemonMismatch(p *peerPass) {
	says := func(n int) string {
		if id := syncID(p.Nodes[n].Config); id != "" {
			return "has lvs_sync_daemon id " + id
		}
		return "has no lvs_sync_daemon"
	}
	for n := range p.Nodes {
		o := p.alike(n)[0] // the first director that takes over from it, possibly itself
		if says(n) == says(o) {
			continue
		}
		p.report(n, diag.Diagnostic{
			Message: fmt.Sprintf("%s %s, its peer %s %s", p.Nodes[n].Name, says(n), p.Nodes[o].Name, says(o)),
			Span:    p.globalLine(n, "lvs_sync_daemon"), Label: "not as " + p.Nodes[o].Name,
			Notes: note(p.globalLine(o, "lvs_sync_daemon"), p.Nodes[o].Name+" "+says(o)),
		})
	}
}

// syncID returns the id of the sync daemon; empty: there is none.
func syncID(cfg *ir.Config) string {
	daemon := cfg.Global.LVSSyncDaemon
	if daemon == nil {
		return ""
	}
	if daemon.ID != nil {
		return fmt.Sprint(*daemon.ID)
	}
	for _, v := range cfg.Instances { // without an id it is the VRID of the instance that the daemon follows
		if v.Name == daemon.Instance {
			return fmt.Sprint(v.VRID)
		}
	}
	return "of its instance"
}

// speaker returns the node that advertises from an address, and where it says so; -1: none.
func (p *peerPass) speaker(a netip.Addr) (source.Span, int) {
	for i, n := range p.Nodes {
		for _, v := range n.Config.Instances {
			if v.SourceAddr == a {
				word := "mcast_src_ip"
				if v.Has("unicast_src_ip") {
					word = "unicast_src_ip"
				}
				return v.At(word), i
			}
		}
	}
	return source.Span{}, -1
}

// alike lists the nodes that take over from a node: those that share a virtual router with it, or all nodes if a file
// has none.
func (p *peerPass) alike(n int) (all []int) {
	for o := range p.Nodes {
		common := slices.ContainsFunc(p.groups, func(g *group) bool {
			in := nodes(g.Members)
			return slices.Contains(in, n) && slices.Contains(in, o)
		})
		if o == n || common || len(p.Nodes[n].Config.Instances) == 0 || len(p.Nodes[o].Config.Instances) == 0 {
			all = append(all, o)
		}
	}
	return all
}

// on returns the virtual_server of a node that serves the same as a given one; nil: there is none.
func (p *peerPass) on(n int, key ir.ServiceKey) *ir.VirtualServer {
	if p.byKey == nil {
		p.byKey = make([]map[ir.ServiceKey]*ir.VirtualServer, len(p.Nodes))
		for i, n := range p.Nodes {
			p.byKey[i] = map[ir.ServiceKey]*ir.VirtualServer{}
			for _, v := range n.Config.VirtualServers {
				p.byKey[i][v.Key] = v
			}
		}
	}
	return p.byKey[n][key]
}

func serviceMismatch(p *peerPass) {
	bare := map[int]bool{}
	for n := range p.Nodes {
		p.eachService(n, func(v service) {
			for _, o := range p.alike(n) {
				others := p.Nodes[o].Config.VirtualServers
				switch {
				case o == n || p.on(o, v.Key) != nil || bare[o]:
				case len(others) == 0:
					bare[o] = true
					p.report(n, diag.Diagnostic{
						Severity: diag.Warning,
						Message:  fmt.Sprintf("%s has no virtual_server, and its peer %s has", p.Nodes[o].Name, p.Nodes[n].Name),
						Span:     v.Span(), Label: "only on " + p.Nodes[n].Name,
						Notes: append(p.fileOf(o), diag.Note{Message: "when " + p.Nodes[o].Name + " takes over, nobody balances the traffic"}),
					})
				default:
					p.report(n, diag.Diagnostic{
						Message: fmt.Sprintf("%s is not on %s", v.name(), p.Nodes[o].Name), Span: v.Span(), Label: "only on " + p.Nodes[n].Name,
						Notes: append(note(others[0].Span(), "the services of "+p.Nodes[o].Name+" begin here"), diag.Note{Message: "when " + p.Nodes[o].Name + " takes over, nobody balances its traffic"}),
					})
				}
			}
		})
	}
}

// fileOf is a note with a place in the file of a node.
func (p *peerPass) fileOf(n int) []diag.Note {
	for _, v := range p.Nodes[n].Config.Instances {
		return note(v.Span(), "the file of "+p.Nodes[n].Name)
	}
	return nil
}

// twins calls f with every virtual_server that several directors have, once for each director after the first.
func (p *peerPass) twins(f func(n int, v service, o int, w *ir.VirtualServer)) {
	for n := range p.Nodes {
		p.eachService(n, func(v service) {
			for _, o := range p.alike(n) {
				if o >= n {
					return
				}
				if w := p.on(o, v.Key); w != nil {
					f(n, v, o, w)
					return
				}
			}
		})
	}
}

func serverMismatch(p *peerPass) {
	p.twins(func(n int, v service, o int, w *ir.VirtualServer) {
		lacks, more := without(serverAddrs(w), serverAddrs(v.VirtualServer)), without(serverAddrs(v.VirtualServer), serverAddrs(w))
		peer := p.Nodes[o].Name
		switch {
		case len(lacks) == 0 && len(more) == 0:
		case len(more) == 0:
			p.report(n, diag.Diagnostic{
				Message: fmt.Sprintf("%s lacks real_server %s, which its peer %s has", v.name(), list(lacks), peer),
				Span:    v.Span(), Label: "not here", Notes: note(server(w, lacks[0]).Span(), "here"),
			})
		case len(lacks) == 0:
			p.report(n, diag.Diagnostic{
				Message: fmt.Sprintf("%s has real_server %s, which its peer %s lacks", v.name(), list(more), peer),
				Span:    server(v.VirtualServer, more[0]).Span(), Label: "only here", Notes: note(w.Span(), "not here"),
			})
		default:
			p.report(n, diag.Diagnostic{
				Message: fmt.Sprintf("%s has real_server %s, and on its peer %s %s instead", v.name(), list(more), peer, list(lacks)),
				Span:    server(v.VirtualServer, more[0]).Span(), Label: "only here", Notes: note(server(w, lacks[0]).Span(), "only on "+peer),
			})
		}
	})
}

func serverAddrs(v *ir.VirtualServer) (all []netip.AddrPort) {
	for _, s := range v.RealServers {
		all = append(all, s.Addr)
	}
	return all
}

// server returns the real server with an address; nil: there is none.
func server(v *ir.VirtualServer, a netip.AddrPort) *ir.RealServer {
	if i := slices.IndexFunc(v.RealServers, func(s *ir.RealServer) bool { return s.Addr == a }); i >= 0 {
		return v.RealServers[i]
	}
	return nil
}

func serviceSettingMismatch(p *peerPass) {
	p.twins(func(n int, v service, o int, w *ir.VirtualServer) {
		tell := func(what, mine, theirs string, at, there source.Span) {
			if mine != theirs {
				p.report(n, diag.Diagnostic{
					Message: fmt.Sprintf("%s has %s %s, on its peer %s %s", v.name(), what, cmp.Or(mine, "none"), p.Nodes[o].Name, cmp.Or(theirs, "none")),
					Span:    at, Label: "not as on " + p.Nodes[o].Name, Notes: note(there, cmp.Or(theirs, "none")+" on "+p.Nodes[o].Name),
				})
			}
		}
		for _, s := range serviceSettings() {
			tell(s.word, s.text(v.VirtualServer), s.text(w), wordOf(v.Origin, s.word, s.alias), wordOf(w.Origin, s.word, s.alias))
		}
		if mine, theirs := serverAddrs(v.VirtualServer), serverAddrs(w); hashes(v.VirtualServer) && hashes(w) &&
			!slices.Equal(mine, theirs) && len(without(mine, theirs)) == 0 && len(without(theirs, mine)) == 0 {
			p.report(n, diag.Diagnostic{
				Message: fmt.Sprintf("%s lists its real servers in a different order from its peer %s", v.name(), p.Nodes[o].Name),
				Span:    v.RealServers[0].Span(), Label: v.Scheduler + " fills its table in this order",
				Notes: append(note(w.RealServers[0].Span(), "the first one on "+p.Nodes[o].Name), diag.Note{Message: "after a take-over clients reach other servers than before"}),
			})
		}
		for _, a := range v.RealServers {
			if b := server(w, a.Addr); b != nil {
				tell(fmt.Sprintf("real_server %s with weight", a.Addr), fmt.Sprint(a.Weight), fmt.Sprint(b.Weight), a.At("weight"), b.At("weight"))
				if a.Forwarding != v.Forwarding || b.Forwarding != w.Forwarding {
					tell(fmt.Sprintf("real_server %s with lvs_method", a.Addr), kindWord(a.Forwarding), kindWord(b.Forwarding), a.At("lvs_method"), b.At("lvs_method"))
				}
			}
		}
	})
}

// A serviceSetting is what a virtual_server must say alike on all directors.
type serviceSetting struct {
	word, alias string
	text        func(*ir.VirtualServer) string
}

func serviceSettings() []serviceSetting {
	return []serviceSetting{
		{"lb_algo", "lvs_sched", func(v *ir.VirtualServer) string { return v.Scheduler }},
		{"lb_kind", "lvs_method", func(v *ir.VirtualServer) string { return kindWord(v.Forwarding) }},
		{"persistence_timeout", "", func(v *ir.VirtualServer) string {
			if v.PersistenceTimeout == 0 {
				return ""
			}
			return seconds(v.PersistenceTimeout)
		}},
		{"mh-port", "sh-port", hashFlag(hashesPort)},
		{"mh-fallback", "sh-fallback", hashFlag(hashFallsBack)},
		{"quorum", "", func(v *ir.VirtualServer) string { return fmt.Sprint(v.Quorum) }},
		{"sorry_server", "", func(v *ir.VirtualServer) string {
			if v.SorryServer == nil {
				return ""
			}
			return v.SorryServer.Addr.String()
		}},
	}
}

// Bits of the flags of a service whose scheduler hashes clients (IP_VS_SVC_F_SCHED1 and 2 of linux/ip_vs.h).
const (
	hashFallsBack = 0x08
	hashesPort    = 0x10
)

// hashes reports whether a scheduler finds the server of a client by a hash, which gives the same result on all
// directors with the same table.
func hashes(v *ir.VirtualServer) bool { return v.Scheduler == "mh" || v.Scheduler == "sh" }

// hashFlag reports whether a hashing scheduler has a flag.
func hashFlag(bit uint32) func(*ir.VirtualServer) string {
	return func(v *ir.VirtualServer) string {
		if hashes(v) && v.Flags&bit != 0 {
			return "on"
		}
		return ""
	}
}

// wordOf is the line of a keyword that also has a second name.
func wordOf(o ir.Origin, word, alias string) source.Span {
	if !o.Has(word) && o.Has(alias) {
		return o.At(alias)
	}
	return o.At(word)
}

// kindWord returns the word of the file for a forwarding method.
func kindWord(f ir.Forwarding) string { return [...]string{"NAT", "DR", "TUN"}[f] }
