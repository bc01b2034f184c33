package balance

import (
	"slices"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// Told is what the world is to learn of a service, or of one of its servers, in the words of whoever tells it. What nobody asked to learn
// is no effect.
type Told struct {
	Service *ir.VirtualServer
	Server  *ir.RealServer // nil: the service itself
	Up      bool
	Why     Why
	Moved   bool // it came or went: its script runs, and named pipes get a line
	Mail    bool // somebody gets a mail

	Check *ir.Check // whose result it is; nil: no check's
	Cause string    // of its failure

	Need, Hysteresis uint32 // the quorum of a service
	Live             uint64 // and the weight that is alive
}

// Why something is told.
type Why uint8

const (
	Checked   Why = iota // by a result
	Started              // it is new
	Removed              // it is no longer in the configuration
	Finishing            // the director ends
)

func (w Why) String() string { return [...]string{"checked", "started", "removed", "finishing"}[w] }

// A standing is what a check and its server were before a result.
type standing struct{ up, ran, serverDown bool }

func (c *check) standing() standing { return standing{c.health.Up(), c.health.Ran(), c.server.down} }

// concluded judges a server after the result of a check, and tells what came of it: as with keepalived a mail for each check that changes
// its mind or has its first result, behind what is told of the service. no_checker_emails leaves the mails that changed no server away.
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

// tellServer tells of a server: that it moved, or by mail alone what a check found.
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

// tellService tells that a service has its quorum, or not.
func (m *Machine) tellService(s *service, up bool, why Why) {
	script := s.cfg.QuorumDown
	if up {
		script = s.cfg.QuorumUp
	}
	if s.cfg.QuorumAddress != nil {
		script = nil // what only adds or takes away an address is state
	}
	m.offer(Told{
		Service: s.cfg, Up: up, Why: why, Moved: true, Mail: s.cfg.SMTPAlert && m.mails(),
		Need: s.quorum.Need, Hysteresis: s.quorum.Hysteresis, Live: s.live,
	}, script)
}

// offer emits what somebody wants to learn. The first service of a group speaks for all.
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

// tellStart tells of a service that is new and has its quorum; with rs_init_notifies of its servers before it.
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

// leave tells of what a configuration no longer has, in the order of the one before: what is up goes down.
func (m *Machine) leave(n *Next) {
	if len(n.removed) == 0 && len(n.closed) == 0 {
		return
	}
	m.end(Removed, func(k state.DestinationKey) bool { return n.servers[k].server == nil }, func(k ir.ServiceKey) bool { return slices.Contains(n.closed, k) })
}

// farewell tells of what ends with the director: with omega all that is up goes down.
func (m *Machine) farewell() {
	omega := func(k ir.ServiceKey) bool { return m.current.services[k].cfg.Omega }
	m.end(Finishing, func(k state.DestinationKey) bool { return omega(k.Service) }, omega)
}

// end tells that servers and services go, servers before their service.
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
