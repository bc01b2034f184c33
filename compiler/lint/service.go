package lint

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"keepc/compiler/ir"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

func serviceRules() []Rule {
	below := sync.OnceValue(func() map[string]bool { return schema.Below("real_server") }) // it walks the whole table
	return []Rule{
		{
			Name: "missing-protocol", Severity: diag.Error, Loss: diag.GoesOnWith,
			Service: func(p *pass, v service) {
				if v.Key.FWMark == 0 && !p.marked(v) && !v.Has("protocol") && !v.dropped() {
					p.report(v.Span(), v.name()+" has no protocol", "UDP is assumed").Help = "add \"protocol TCP\""
				}
			},
		},
		{
			Name: "missing-scheduler", Severity: diag.Error, Loss: diag.GoesOnWith,
			Service: func(p *pass, v service) {
				if !v.Has("lb_algo") && !v.Has("lvs_sched") && !v.dropped() {
					p.report(v.Span(), v.name()+" has no lb_algo", "wlc is assumed").Help = "add \"lb_algo wlc\""
				}
			},
		},
		{
			Name: "missing-method", Severity: diag.Info,
			Service: func(p *pass, v service) {
				if v.Has("lb_kind") || v.Has("lvs_method") {
					return
				}
				for _, s := range v.RealServers {
					if !s.Has("lvs_method") {
						p.report(v.Span(), v.name()+" has no lb_kind", "NAT is assumed").Help = "add \"lb_kind NAT\""
						break
					}
				}
			},
		},
		{
			Name: "missing-port", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				if v.Has("persistence_timeout") || v.Has("persistence_granularity") {
					return // intended
				}
				if v.Key.Addr.IsValid() && v.Key.Port == 0 && v.Group == "" {
					problem := " has no port"
					if len(v.Stmt.Words) > 2 {
						problem = " has port 0"
					}
					p.report(v.Span(), v.name()+problem, "takes all ports and becomes persistent")
				}
				for _, m := range p.members(v) {
					if m.First.IsValid() && m.Port == 0 {
						p.report(m.Span(), fmt.Sprintf("%s of %s has no port", m.First, v.name()), "takes all ports and becomes persistent")
					}
				}
			},
		},
		{
			Name: "no-real-server", Severity: diag.Error, Loss: diag.DropsBlock,
			Service: func(p *pass, v service) {
				if v.dropped() {
					p.report(v.Span(), v.name()+" has no real_server", "dropped")
				}
			},
		},
		{
			Name: "no-check", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				for _, s := range v.RealServers {
					if len(s.Checks) > 0 || s.Stmt.Block == nil || hasBlock(s.Stmt) || s.Stmt.Block.Open.IsZero() {
						continue // a missing brace is a different finding
					}
					// A line of a check outside its block is a different finding.
					if !slices.ContainsFunc(blockOf(s.Stmt), func(t *grammar.Stmt) bool { return below()[t.Keyword()] }) {
						p.report(s.Span(), fmt.Sprintf("real_server %s has no check", s.Addr.Addr()), "always counts as alive").Help = "add " + checkFor(v.Key.Protocol, s.Addr.Port()) + " { }"
					}
				}
			},
		},
		{
			Name: "duplicate-service", Severity: diag.Error, Loss: diag.GoesOnWith,
			Check: func(p *pass) {
				first := map[ir.ServiceKey]*ir.VirtualServer{}
				told := map[[2]*grammar.Stmt]bool{} // two groups may have many members in common
				for _, v := range p.VirtualServers {
					o := first[v.Key]
					if o == nil {
						first[v.Key] = v
					} else if pair := [2]*grammar.Stmt{o.Stmt, v.Stmt}; o.Stmt != v.Stmt && !told[pair] {
						told[pair] = true
						p.second(o, v)
					}
				}
			},
		},
		{
			Name: "duplicate-server", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				first := map[netip.AddrPort]*ir.RealServer{}
				for v := range p.services {
					clear(first)
					for _, s := range v.RealServers {
						if o := first[s.Addr]; o != nil {
							p.report(s.Span(), fmt.Sprintf("real_server %s appears twice in %s", s.Addr, v.name()), "dropped").Notes = note(o.Span(), "the first one")
							continue
						}
						first[s.Addr] = s
					}
				}
			},
		},
		{
			Name: "port-differs", Severity: diag.Error, Loss: diag.GoesOnWith,
			Service: func(p *pass, v service) {
				p.memberPorts(v)
				for _, s := range v.RealServers {
					if s.Forwarding != ir.NAT && v.Group == "" && v.Key.FWMark == 0 && v.Key.Port != 0 && s.Port != 0 && s.Port != v.Key.Port {
						p.report(s.Span(), fmt.Sprintf("real_server %s has port %d, its virtual server %d", s.Addr.Addr(), s.Port, v.Key.Port), fmt.Sprintf("port %d is used", v.Key.Port))
					}
				}
				p.sorryPort(v)
			},
		},
		{
			Name: "family-differs", Severity: diag.Error, Loss: diag.DropsWord,
			Service: func(p *pass, v service) {
				six, known := v.family()
				if !known {
					return
				}
				p.sorryFamily(v, six)
				if v.addressless() && v.Has("ip_family") { // family-of-mark tells
					return
				}
				var first *ir.RealServer // without an address of the service it gives the family
				for _, s := range v.RealServers {
					switch {
					case !s.Addr.IsValid() || s.Forwarding == ir.TUN:
					case s.Addr.Addr().Is6() == six:
						first = cmp.Or(first, s)
					case v.addressless():
						p.report(s.Span(), fmt.Sprintf("real_server %s is of a different family from %s", s.Addr.Addr(), first.Addr.Addr()), "dropped").Notes = note(first.Span(), "the first one of "+v.name())
					default:
						p.report(s.Span(), fmt.Sprintf("real_server %s is of a different family from %s", s.Addr.Addr(), v.Key.Addr), "dropped")
					}
				}
			},
		},
		{
			Name: "all-weights-zero", Severity: diag.Error, Loss: diag.GoesOnWith,
			Service: func(p *pass, v service) {
				if len(v.RealServers) > 0 && v.total() == 0 {
					p.report(v.Span(), "every real server of "+v.name()+" has weight 0", "gets no connections")
				}
			},
		},
		{
			Name: "quorum-too-high", Severity: diag.Error, Loss: diag.GoesOnWith,
			Service: func(p *pass, v service) {
				if total, quorum := v.total(), v.asked("quorum", 1); total > 0 && quorum > total {
					p.report(v.At("quorum"), fmt.Sprintf("quorum %d is above the sum of all weights, %d", quorum, total), "cannot be reached")
				}
			},
		},
		{
			Name: "hysteresis-too-high", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				if hysteresis, quorum := v.asked("hysteresis", 0), v.asked("quorum", 1); v.Has("hysteresis") && quorum > 0 && hysteresis >= quorum {
					p.report(v.At("hysteresis"), fmt.Sprintf("hysteresis %d is not below the quorum, %d", hysteresis, quorum), "")
				}
			},
		},
		{
			Name: "sorry-is-server", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				for _, s := range v.RealServers {
					if v.SorryServer != nil && v.SorryServer.Addr == s.Addr {
						p.report(v.At("sorry_server"), "the sorry server of "+v.name()+" is one of its real servers", "").Notes = note(s.Span(), "the real server")
					}
				}
			},
		},
		{
			Name: "ops-persistence", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				if v.Has("ops") && v.Has("persistence_timeout") {
					p.report(v.At("persistence_timeout"), v.name()+" is persistent and has ops", "has no effect").Notes = note(v.At("ops"), "because of this")
				}
			},
		},
		{
			Name: "check-protocol", Severity: diag.Info,
			Service: func(p *pass, v service) {
				for _, s := range v.RealServers {
					for _, c := range s.Checks {
						if spoken := protocolOf(c.Checker); spoken != 0 && v.Key.Protocol != 0 && spoken != v.Key.Protocol && strings.EqualFold(v.value("protocol"), v.Key.Protocol.String()) {
							p.report(c.Span(), fmt.Sprintf("%s speaks %s, its service %s", c.Keyword(), spoken, v.Key.Protocol), "")
						}
					}
				}
			},
		},
		{
			Name: "protocol-of-mark", Severity: diag.Error, Loss: diag.DropsWord,
			Service: func(p *pass, v service) {
				if p.marked(v) && v.Has("protocol") {
					p.report(v.At("protocol"), v.name()+" takes packets of every protocol", "ignored")
				}
			},
		},
		{
			Name: "undefined-group", Severity: diag.Error, Loss: diag.DropsBlock,
			Check: func(p *pass) {
				groups := map[string]bool{}
				for _, g := range p.Groups {
					groups[g.Name] = true
				}
				for _, s := range p.file.Stmts {
					if w := s.Words; w[0].Text == "virtual_server" && len(w) > 2 && w[1].Text == "group" && !groups[w[2].Text] {
						p.report(w[2].Span, fmt.Sprintf("there is no virtual_server_group %q", w[2].Text), "undefined")
					}
				}
			},
		},
		{
			Name: "large-group", Severity: diag.Error, Loss: diag.Keeps,
			Check: func(p *pass) {
				for v := range p.services {
					n := 0
					for _, m := range p.members(v) {
						n += size(m.First, m.Last)
					}
					if n*len(v.RealServers) > ir.MaxGroupServers {
						p.report(v.Span(), v.name()+" makes too many real servers", fmt.Sprintf("%d services with %d servers each", n, len(v.RealServers))).Help = "use a firewall mark"
					}
				}
				for _, g := range p.Groups {
					for _, m := range g.Members {
						if m.First.IsValid() && size(m.First, m.Last) > ir.MaxGroupServices {
							p.report(m.Span(), "virtual_server_group "+g.Name+" makes too many services", "more than 65536 addresses").Help = "use a firewall mark"
						}
					}
				}
			},
		},
		{
			Name: "empty-group", Severity: diag.Error, Loss: diag.DropsBlock,
			Check: func(p *pass) {
				for _, g := range p.Groups {
					if len(g.Members) == 0 && g.Stmt != nil && g.Stmt.Block != nil && len(g.Stmt.Block.Stmts) == 0 {
						p.report(g.Span(), "virtual_server_group "+g.Name+" has no member", "dropped")
					}
				}
			},
		},
	}
}

// A service is a virtual_server block and its own lines by keyword: real servers make the block long, and the rules
// look lines up often.
type service struct {
	*ir.VirtualServer
	lines map[string]*grammar.Stmt // the last line of each keyword
}

// second reports a virtual server whose service the file has already. keepalived counts for itself what several on one
// group add: these work.
func (p *pass) second(first, v *ir.VirtualServer) {
	group := v.Group != "" && v.Group == first.Group
	same := v.Scheduler == first.Scheduler && v.Flags == first.Flags && v.PersistenceTimeout == first.PersistenceTimeout &&
		v.PersistenceMask == first.PersistenceMask && v.PersistenceEngine == first.PersistenceEngine
	what, label := v.Key.String(), "its servers join the first"
	if group {
		what = "group " + v.Group
	}
	if !same {
		label += "; its scheduler, flags and persistence are ignored"
	}
	d := p.report(v.Span(), "a second virtual server is "+what, label)
	d.Notes = note(first.Span(), "the first one")
	if differ := ofFirst(first, v); len(differ) > 0 {
		d.Notes = append(d.Notes, diag.Note{Message: "keepalived applies the " + list(differ) + " of each block to its own real servers; keepc run applies only what the first says, to all"})
	}
	if group && same {
		d.Severity = diag.Warning
	}
}

// ofFirst lists what keepalived has for each of two virtual servers that are one service, and keepc only for the
// first, where they differ.
func ofFirst(first, v *ir.VirtualServer) (keywords []string) {
	differ := func(a, b *ir.Command) bool {
		return (a == nil) != (b == nil) || a != nil && (a.User != b.User || !slices.Equal(a.Args, b.Args))
	}
	sorry := func(v *ir.VirtualServer) (addr netip.AddrPort) {
		if v.SorryServer != nil {
			addr = v.SorryServer.Addr
		}
		return addr
	}
	for _, s := range []struct {
		keyword string
		differs bool
	}{
		{"quorum", first.Quorum != v.Quorum},
		{"hysteresis", first.Hysteresis != v.Hysteresis},
		{"quorum_up", differ(first.QuorumUp, v.QuorumUp)},
		{"quorum_down", differ(first.QuorumDown, v.QuorumDown)},
		{"sorry_server", sorry(first) != sorry(v)},
		{"sorry_server_inhibit", first.SorryInhibit != v.SorryInhibit},
		{"alpha", first.Alpha && !v.Alpha}, // that of a later one is by now that of its checks
		{"omega", first.Omega != v.Omega},
		{"ha_suspend", first.HASuspend != v.HASuspend},
	} {
		if s.differs {
			keywords = append(keywords, s.keyword)
		}
	}
	return keywords
}

// servicesOf returns every virtual_server block of a file once, even when a group makes several services of it.
func servicesOf(cfg *ir.Config) (all []service) {
	for i, v := range cfg.VirtualServers {
		if i > 0 && v.Stmt == cfg.VirtualServers[i-1].Stmt {
			continue
		}
		lines := map[string]*grammar.Stmt{}
		stmts := blockOf(v.Stmt)
		for n, s := range stmts {
			if n+1 == len(stmts) || stmts[n+1].Keyword() != s.Keyword() { // of a row of real servers only the last
				lines[s.Keyword()] = s
			}
		}
		all = append(all, service{v, lines})
	}
	return all
}

// Has reports whether the block has the keyword.
func (v service) Has(keyword string) bool { return v.lines[keyword] != nil }

// At returns the place of the last line with the keyword; the head of the block when there is none.
func (v service) At(keyword string) source.Span {
	if s := v.lines[keyword]; s != nil {
		return s.Span()
	}
	return v.Span()
}

// value returns the word after a keyword of the block; "" when there is none.
func (v service) value(keyword string) string {
	if s := v.lines[keyword]; s != nil && len(s.Words) > 1 {
		return s.Words[1].Text
	}
	return ""
}

// services yields every virtual_server block of the file.
func (p *pass) services(yield func(service) bool) {
	for _, v := range p.blocks {
		if p.found.Full(p.rule.Severity) || !yield(v) {
			return
		}
	}
}

// marked reports whether a virtual server has only firewall marks.
func (p *pass) marked(v service) bool {
	if members := p.members(v); members != nil {
		return !slices.ContainsFunc(members, func(m ir.GroupMember) bool { return m.First.IsValid() })
	}
	return v.Group == "" && v.Key.FWMark != 0
}

// name returns the name of a virtual server in messages.
func (v service) name() string {
	switch {
	case v.Group != "":
		return "virtual_server group " + v.Group
	case v.Key.FWMark != 0:
		return "virtual_server " + v.Key.String()
	case v.Key.Port == 0:
		return "virtual_server " + v.Key.Addr.String()
	}
	return fmt.Sprintf("virtual_server %s %d", v.Key.Addr, v.Key.Port)
}

// total is the sum of the weights.
func (v service) total() int {
	n := 0
	for _, s := range v.RealServers {
		n += s.Weight
	}
	return n
}

// asked is the number that the file has for a keyword, which loading may have lowered.
func (v service) asked(keyword string, otherwise int) int {
	n, err := strconv.Atoi(v.value(keyword))
	if err != nil {
		return otherwise // absent, or reported already
	}
	return n
}

// protocolOf is the protocol of a check; 0: none or any.
func protocolOf(c ir.Checker) ir.Protocol {
	switch c.(type) {
	case *ir.TCPCheck, *ir.HTTPCheck, *ir.SMTPCheck:
		return ir.TCP
	case *ir.UDPCheck, *ir.DNSCheck:
		return ir.UDP
	}
	return 0
}

// size is the number of addresses in a range, up to the largest that matters.
func size(first, last netip.Addr) int {
	a, b := first.As16(), last.As16()
	n := 0
	for i := range a {
		n = min(n*256+int(b[i])-int(a[i]), 1<<40)
	}
	return n + 1
}

// dropped reports whether keepalived drops the virtual server because it has no real server and nothing that may be
// meant as one.
func (v service) dropped() bool {
	return len(v.RealServers) == 0 && !v.Has("real_server") && !v.Has("server") && !hasBlock(v.Stmt)
}

// checkFor is the check that demands the least of a real server.
func checkFor(protocol ir.Protocol, port uint16) string {
	switch {
	case protocol == ir.UDP && port == 53:
		return "DNS_CHECK"
	case protocol == ir.UDP:
		return "UDP_CHECK"
	}
	return "TCP_CHECK"
}

// hasBlock reports whether a block contains a block: even a check that could not be read is a check.
func hasBlock(s *grammar.Stmt) bool {
	if s == nil || s.Block == nil {
		return false
	}
	for _, t := range s.Block.Stmts {
		if t.Block != nil {
			return true
		}
	}
	return false
}
