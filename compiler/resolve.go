package compiler

import (
	"net/netip"
	"time"

	"keepc/compiler/ir"
)

// resolve fills in what depends on other lines: defaults, and what blocks take from those around them. The values are
// those of the reference; see the Otherwise texts of the table.
func resolve(cfg *ir.Config) {
	resolveGlobal(&cfg.Global)
	for _, v := range cfg.Instances {
		resolveInstance(v, &cfg.Global)
	}
	for _, g := range cfg.SyncGroups {
		resolveGroup(g, &cfg.Global)
	}
	resolveTracks(cfg)
	for i := range cfg.StaticAddresses {
		setDefault(&cfg.StaticAddresses[i].Dev, "", cfg.Global.DefaultInterface)
		resolveLifetime(&cfg.StaticAddresses[i])
	}
	resolveRoutes(cfg)
	for _, s := range cfg.Scripts {
		setDefault(&s.Timeout, ir.Unset, s.Interval)
		setDefault(&s.User, ir.User{}, cfg.Global.ScriptUser)
	}
	for _, b := range cfg.BFDs {
		resolveBFD(b)
	}
	var all []*ir.VirtualServer
	for _, vs := range cfg.VirtualServers {
		resolveService(vs)
		all = append(all, members(vs, cfg.Groups, ir.MaxGroupServices-len(all))...)
	}
	cfg.VirtualServers = all
	for _, vs := range cfg.VirtualServers {
		for _, rs := range vs.RealServers {
			resolveServer(rs, vs)
		}
		if sorry := vs.SorryServer; sorry != nil && !vs.Has("sorry_server_lvs_method") {
			sorry.Method = vs.Method
		}
	}
}

// setDefault gives a value that is still the unset one another.
func setDefault[V comparable](at *V, unset, value V) {
	if *at == unset {
		*at = value
	}
}

// persistent is how long a service is persistent that says only for whom.
const persistent = 360 * time.Second

func resolveService(vs *ir.VirtualServer) {
	setDefault(&vs.Scheduler, "", "wlc")
	if vs.Key.FWMark == 0 {
		setDefault(&vs.Key.Protocol, 0, ir.UDP)
	} else {
		vs.Key.Protocol = 0
		vs.Key.IPv6 = vs.Key.IPv6 || vs.Family == ir.IPv6
		for _, rs := range vs.RealServers {
			vs.Key.IPv6 = vs.Key.IPv6 || rs.Addr.Addr().Is6()
		}
	}
	if vs.PersistenceMask != 0 || vs.Group == "" && vs.Key.FWMark == 0 && vs.Key.Port == 0 {
		setDefault(&vs.PersistenceTimeout, 0, persistent)
	}
}

// members returns a virtual server of a group once for each service of the group, as far as there is room; another one as
// it is.
func members(vs *ir.VirtualServer, groups []*ir.ServerGroup, room int) []*ir.VirtualServer {
	if vs.Group == "" {
		setMask(vs)
		return []*ir.VirtualServer{vs}
	}
	var all []*ir.VirtualServer
	for _, g := range groups {
		if g.Name != vs.Group {
			continue
		}
		for _, m := range g.Members {
			for a := m.First; len(all) < room; a = a.Next() {
				one := *vs
				one.RealServers = cloneServers(vs.RealServers)
				one.Key = ir.ServiceKey{Protocol: vs.Key.Protocol, Addr: a, Port: m.Port, FWMark: m.FWMark, IPv6: m.IPv6}
				if m.FWMark != 0 {
					one.Key.Protocol = 0
				}
				setMask(&one)
				all = append(all, &one)
				if a == m.Last {
					break
				}
			}
		}
		break
	}
	return all
}

// cloneServers copies what another service may make something else of.
func cloneServers(servers []*ir.RealServer) []*ir.RealServer {
	all := make([]*ir.RealServer, len(servers))
	for i, s := range servers {
		one := *s
		one.Checks = cloneChecks(s.Checks)
		all[i] = &one
	}
	return all
}

func cloneChecks(checks []*ir.Check) []*ir.Check {
	all := make([]*ir.Check, len(checks))
	for i, c := range checks {
		one := *c
		if c.SMTP != nil {
			one.SMTP = &ir.SMTP{Helo: c.SMTP.Helo, Hosts: cloneChecks(c.SMTP.Hosts)}
		}
		all[i] = &one
	}
	return all
}

func setMask(vs *ir.VirtualServer) {
	mask := uint8(32)
	if vs.Key.Addr.Is6() || vs.Key.IPv6 {
		mask = 128
	}
	setDefault(&vs.PersistenceMask, 0, mask)
}

func resolveServer(rs *ir.RealServer, vs *ir.VirtualServer) {
	setDefault(&rs.Weight, ir.Unset, vs.Weight)
	if !rs.Has("lvs_method") {
		rs.Method = vs.Method
	}
	rs.Port = rs.Addr.Port()
	if rs.Forwarding != ir.NAT || rs.Addr.Port() == 0 {
		rs.Addr = netip.AddrPortFrom(rs.Addr.Addr(), vs.Key.Port) // only address translation can change a port
	}
	rs.InhibitOnFailure = rs.InhibitOnFailure || vs.InhibitOnFailure && !rs.Has("inhibit_on_failure")
	rs.Alpha = rs.Alpha || vs.Alpha && !rs.Has("alpha")
	setDefault(&rs.VirtualHost, "", vs.VirtualHost)
	t := &rs.Timing
	setDefault(&t.ConnectTimeout, ir.Unset, vs.Checks.ConnectTimeout)
	setDefault(&t.DelayLoop, ir.Unset, vs.Checks.DelayLoop)
	setDefault(&t.DelayBeforeRetry, ir.Unset, vs.Checks.DelayBeforeRetry)
	setDefault(&t.Warmup, ir.Unset, vs.Checks.Warmup)
	setDefault(&t.Retry, ir.Unset, vs.Checks.Retry)
	for _, c := range rs.Checks {
		resolveCheck(c, rs)
	}
}

func resolveCheck(c *ir.Check, rs *ir.RealServer) {
	if c.Kind != ir.MiscCheck && c.Kind != ir.FileCheck && c.Kind != ir.BFDCheck {
		addr, port := c.Target.Addr(), c.Target.Port()
		setDefault(&addr, netip.Addr{}, rs.Addr.Addr())
		setDefault(&port, 0, rs.Addr.Port())
		c.Target = netip.AddrPortFrom(addr, port)
	}
	retry, pause := 1, time.Second
	switch c.Kind {
	case ir.MiscCheck:
		retry = 0
	case ir.HTTPCheck, ir.SSLCheck:
		pause = 3 * time.Second
	}
	setDefault(&c.DelayLoop, ir.Unset, rs.Timing.DelayLoop)
	setDefault(&c.DelayLoop, ir.Unset, 60*time.Second)
	if c.Kind == ir.DNSCheck {
		retry, pause = 3, c.DelayLoop
	}
	setDefault(&c.ConnectTimeout, ir.Unset, rs.Timing.ConnectTimeout)
	setDefault(&c.ConnectTimeout, ir.Unset, 5*time.Second)
	setDefault(&c.DelayBeforeRetry, ir.Unset, rs.Timing.DelayBeforeRetry)
	setDefault(&c.DelayBeforeRetry, ir.Unset, pause)
	setDefault(&c.Warmup, ir.Unset, rs.Timing.Warmup)
	setDefault(&c.Warmup, ir.Unset, c.DelayLoop)
	setDefault(&c.Retry, ir.Unset, rs.Timing.Retry)
	setDefault(&c.Retry, ir.Unset, retry)
	c.Alpha = c.Alpha || rs.Alpha && !c.Has("alpha")
	resolvePart(c, rs)
	c.SetPart()
}

// resolvePart fills in what only a kind of checks has.
func resolvePart(c *ir.Check, rs *ir.RealServer) {
	switch {
	case c.HTTP != nil:
		resolveHTTP(c.HTTP, rs)
	case c.SMTP != nil:
		for _, host := range c.SMTP.Hosts {
			resolveCheck(host, rs)
		}
	case c.Misc != nil:
		setDefault(&c.Misc.Timeout, 0, c.DelayLoop)
		c.Misc.Command.User = c.Misc.User
	}
}

func resolveHTTP(h *ir.HTTP, rs *ir.RealServer) {
	setDefault(&h.VirtualHost, "", rs.VirtualHost)
	for _, u := range h.URLs {
		setDefault(&u.VirtualHost, "", h.VirtualHost)
		if u.Status == nil {
			u.Status = []ir.StatusRange{{First: 200, Last: 299}}
		}
		if u.Regex.Pattern == "" {
			u.Regex = ir.Regex{} // options of nothing
		}
		u.TLSCompliant = u.TLSCompliant || h.TLSCompliant && !u.Has("tls_compliant")
	}
}

// The TTL of BFD packets: an IPv4 packet that was not routed has all of it, IPv6 starts with what hosts start with.
const (
	bfdTTL4 = 255
	bfdTTL6 = 64
)

func resolveBFD(b *ir.BFD) {
	ttl := bfdTTL4
	if b.Neighbor.Is6() {
		ttl = bfdTTL6
	}
	setDefault(&b.TTL, 0, ttl)
	if !b.VRRP && !b.Checker {
		b.VRRP, b.Checker = true, true
	}
}
