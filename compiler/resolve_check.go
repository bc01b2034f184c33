package compiler

import (
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
)

// withHosts puts the hosts of an old SMTP_CHECK beside it: each is a check of its own, that only connects elsewhere.
func withHosts(checks []*ir.Check) []*ir.Check {
	if !slices.ContainsFunc(checks, func(c *ir.Check) bool { return c.SMTP != nil && c.SMTP.Hosts != nil }) {
		return checks
	}
	var all []*ir.Check
	for _, c := range checks {
		all = append(all, c)
		if c.SMTP == nil {
			continue
		}
		for _, host := range c.SMTP.Hosts {
			one := *c
			one.Origin = host.Origin
			one.Target, one.BindTo, one.BindIf, one.FWMark = host.Target, host.BindTo, host.BindIf, host.FWMark
			one.SMTP = &ir.SMTP{Helo: c.SMTP.Helo}
			if host.ConnectTimeout != ir.Unset {
				one.ConnectTimeout = host.ConnectTimeout
			}
			all = append(all, &one)
		}
		c.SMTP.Hosts = nil
	}
	return all
}

func resolveCheck(c *ir.Check, rs *ir.RealServer, files map[string]*ir.TrackFile) {
	if c.Kind != ir.MiscCheck && c.Kind != ir.FileCheck && c.Kind != ir.BFDCheck {
		c.Target = target(c, rs)
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
	switch {
	case c.HTTP != nil:
		resolveHTTP(c.HTTP, rs)
	case c.Misc != nil:
		setDefault(&c.Misc.Timeout, 0, c.DelayLoop)
		c.Misc.Command.User = c.Misc.User
	case c.File != nil:
		resolveFile(c.File, files[c.File.TrackFile.Text])
	}
	c.SetPart()
}

// target is where a check connects to: the server, at the port that the file gives it, also where packets keep that of the
// service. A server without a port has that of the service; keepalived tries port 0, and the server is never up.
func target(c *ir.Check, rs *ir.RealServer) netip.AddrPort {
	addr, port := c.Target.Addr(), c.Target.Port()
	setDefault(&addr, netip.Addr{}, rs.Addr.Addr())
	setDefault(&port, 0, rs.Port)
	setDefault(&port, 0, rs.Addr.Port())
	return netip.AddrPortFrom(addr, port)
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

func resolveFile(f *ir.File, named *ir.TrackFile) {
	if f.Weight == nil && named != nil {
		f.Weight = &named.Weight
	}
}
