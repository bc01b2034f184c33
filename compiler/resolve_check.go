package compiler

import (
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
)

// withHosts puts the hosts of an old SMTP_CHECK after it: each is a separate check that differs only in its
// connection.
func withHosts(checks []*ir.Check) []*ir.Check {
	old := func(c *ir.Check) bool { smtp, ok := c.Checker.(*ir.SMTPCheck); return ok && smtp.Hosts != nil }
	if !slices.ContainsFunc(checks, old) {
		return checks
	}
	var all []*ir.Check
	for _, c := range checks {
		all = append(all, c)
		smtp, ok := c.Checker.(*ir.SMTPCheck)
		if !ok {
			continue
		}
		for _, host := range smtp.Hosts {
			one := *c
			one.Origin, one.Connection, one.Checker = host.Origin, host.Connection, &ir.SMTPCheck{Helo: smtp.Helo}
			if host.ConnectTimeout != ir.Unset {
				one.ConnectTimeout = host.ConnectTimeout
			}
			all = append(all, &one)
		}
		smtp.Hosts = nil
	}
	return all
}

func resolveCheck(c *ir.Check, rs *ir.RealServer, files map[string]*ir.TrackFile) {
	setDefault(&c.DelayLoop, ir.Unset, rs.Timing.DelayLoop)
	setDefault(&c.DelayLoop, ir.Unset, 60*time.Second)
	retry, pause, connects := 1, time.Second, true
	switch part := c.Checker.(type) {
	case *ir.HTTPCheck:
		pause = 3 * time.Second
		resolveHTTP(part, rs)
	case *ir.DNSCheck:
		retry, pause = 3, c.DelayLoop
	case *ir.MiscCheck:
		retry, connects = 0, false
		setDefault(&part.Timeout, 0, c.DelayLoop)
		part.Command.User = part.User
	case *ir.FileCheck:
		connects = false
		resolveFile(part, files[part.TrackFile.Text])
	case *ir.BFDCheck:
		connects = false
	}
	if connects {
		c.Target = target(c, rs)
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
}

// target returns where a check connects to: the server, at the port that the file gives it, even if packets keep the
// port of the service. A server without a port has that of the service; keepalived tries port 0, and the server is
// never up.
func target(c *ir.Check, rs *ir.RealServer) netip.AddrPort {
	addr, port := c.Target.Addr(), c.Target.Port()
	setDefault(&addr, netip.Addr{}, rs.Addr.Addr())
	setDefault(&port, 0, rs.Port)
	setDefault(&port, 0, rs.Addr.Port())
	return netip.AddrPortFrom(addr, port)
}

func resolveHTTP(h *ir.HTTPCheck, rs *ir.RealServer) {
	setDefault(&h.VirtualHost, "", rs.VirtualHost)
	for _, u := range h.URLs {
		setDefault(&u.VirtualHost, "", h.VirtualHost)
		if u.Status == nil {
			u.Status = []ir.StatusRange{{First: 200, Last: 299}}
		}
		if u.Regex.Pattern == "" {
			u.Regex = ir.Regex{} // options without a pattern
		}
		u.TLSCompliant = u.TLSCompliant || h.TLSCompliant && !u.Has("tls_compliant")
	}
}

func resolveFile(f *ir.FileCheck, named *ir.TrackFile) {
	if f.Weight == nil && named != nil {
		f.Weight = &named.Weight
	}
}
