package balance

import (
	"slices"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// Told is news of a service, or of one of its servers, for scripts, named pipes and mail. It is only emitted if one of
// these wants it.
type Told struct {
	Service *ir.VirtualServer
	Server  *ir.RealServer // nil: the service itself
	Up      bool
	Why     Why
	Moved   bool // it came or went: its script runs, and named pipes get a line
	Mail    bool // a mail is sent

	Check *ir.Check // whose result it is; nil: not that of a check
	Cause string    // of its failure

	Need, Hysteresis uint32 // the quorum of a service
	Live             uint64 // and the weight that is up
}

// A Why is the reason for news.
type Why uint8

const (
	Checked   Why = iota // the result of a check
	Started              // it is new
	Removed              // it is no longer in the configuration
	Finishing            // the director ends
)

func (w Why) String() string { return [...]string{"checked", "started", "removed", "finishing"}[w] }

// A standing is the state of a check and its server before a result.
type standing struct{ up, ran, serverDown bool }

func (c *check) standing() standing { return standing{c.health.Up(), c.health.Ran(), c.server.down} }

// concluded judges a server after the result of a check, and tells the outcome: like keepalived, it sends a mail for
// each check that changes its verdict or has its first result, after the news of the service. With no_checker_emails,
// mails that changed no server are not sent.
func (m *Machine) concluded(c *check, before standing) {
	s, g := c.server, &m.current.cfg.Global
	first := !before.ran && c.health.Ran()
	if first && before.serverDown && !c.health.Up() && g.RSInitNotifies {
		m.tellServer(s, false, Checked, nil, true)
	}
	m.judge(s)
	m.judgeQuorum(s.service)
	if _, file := c.asks.Checker.(*ir.FileCheck); file {
		return // keepalived sends none
	}
	if (first || c.health.Up() != before.up) && c.health.Ran() && !(g.NoCheckerEmails && s.down == before.serverDown) {
		m.tellServer(s, c.health.Up(), Checked, c, false)
	}
}

// tellServer tells of a server: that it came or went, or only by mail what a check found.
func (m *Machine) tellServer(s *server, up bool, why Why, c *check, moved bool) {
	t := Told{Service: s.service.cfg, Server: s.cfg, Up: up, Why: why, Moved: moved, Mail: s.cfg.SMTPAlert && m.mails()}
	if c != nil {
		t.Check, t.Cause = c.asks, c.health.Cause()
	}
	script := s.cfg.NotifyDown
	if up {
		script = s.cfg.NotifyUp
	}
	if moved && why == Checked || why == Started {
		t.Mail = false // that of the check follows
	}
	m.offer(t, script)
}

// tellService tells that a service gained or lost its quorum.
func (m *Machine) tellService(s *service, up bool, why Why) {
	script := s.cfg.QuorumDown
	if up {
		script = s.cfg.QuorumUp
	}
	if s.cfg.QuorumAddress != nil {
		script = nil // adding or removing an address is state, not an effect
	}
	m.offer(Told{
		Service: s.cfg, Up: up, Why: why, Moved: true, Mail: s.cfg.SMTPAlert && m.mails(),
		Need: s.quorum.Need, Hysteresis: s.quorum.Hysteresis, Live: s.live,
	}, script)
}

// offer emits news that somebody wants. The first service of a group speaks for all.
func (m *Machine) offer(t Told, script *ir.Command) {
	g := &m.current.cfg.Global
	heard := t.Moved && (script != nil && len(script.Args) > 0 || g.NotifyFIFO.Path != "" || g.LVSNotifyFIFO.Path != "")
	if !t.Service.Follows && (heard || t.Mail) {
		m.emit(t)
	}
}

// mails reports whether mail goes anywhere.
func (m *Machine) mails() bool {
	g := &m.current.cfg.Global
	return g.SMTPServer.Host != "" && len(g.Recipients) > 0
}

// tellStart tells of a new service that has its quorum; with rs_init_notifies, first of its servers.
func (m *Machine) tellStart(s nextService) {
	if m.current.cfg.Global.RSInitNotifies {
		for _, x := range s.servers {
			if x.fresh && !x.server.down {
				m.tellServer(x.server, true, Started, nil, true)
			}
		}
	}
	if !s.quorum.Lost {
		m.tellService(s.service, true, Started)
	}
}

// leave tells of what a new configuration no longer has, in the order of the old one: what is up goes down.
func (m *Machine) leave(n *Next) {
	if len(n.removed) == 0 && len(n.closed) == 0 {
		return
	}
	m.end(Removed, func(k state.DestinationKey) bool { return n.servers[k].server == nil }, func(k ir.ServiceKey) bool { return slices.Contains(n.closed, k) })
}

// farewell tells of what ends with the director: with omega everything that is up goes down.
func (m *Machine) farewell() {
	omega := func(k ir.ServiceKey) bool { return m.current.services[k].cfg.Omega }
	m.end(Finishing, func(k state.DestinationKey) bool { return omega(k.Service) }, omega)
}

// end tells that servers and services are removed, servers before their service.
func (m *Machine) end(why Why, server func(state.DestinationKey) bool, whole func(ir.ServiceKey) bool) {
	for _, v := range m.current.cfg.VirtualServers {
		s := m.current.services[v.Key]
		if s.cfg != v {
			continue // there are two of it
		}
		for _, r := range v.RealServers {
			k := state.DestinationKey{Service: v.Key, Server: r.Addr}
			if x := m.current.servers[k].server; x.cfg == r && !x.down && server(k) {
				m.tellServer(x, false, why, nil, true)
			}
		}
		if whole(v.Key) && !s.quorum.Lost {
			gone := *s
			gone.live = 0
			m.tellService(&gone, false, why)
		}
	}
}
