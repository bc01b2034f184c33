package main

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
)

// A dumpBlock is one object of a dump: the line that names it and what is said of it, in any order.
type dumpBlock struct {
	head  string
	lines []string
}

// A dumpWriter writes a configuration as keepalived 2.2.7 dumps what its checkers and BFD sessions were
// told, without what happened since.
type dumpWriter struct{ blocks []dumpBlock }

func (w *dumpWriter) block(format string, args ...any) {
	w.blocks = append(w.blocks, dumpBlock{head: fmt.Sprintf(format, args...)})
}

func (w *dumpWriter) line(format string, args ...any) {
	b := &w.blocks[len(w.blocks)-1]
	b.lines = append(b.lines, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// where writes a line that the dump has only sometimes.
func (w *dumpWriter) where(there bool, format string, args ...any) {
	if there {
		w.line(format, args...)
	}
}

// lvsDump writes the virtual servers and the checkers of a file. A virtual server of a group stands once; a check by a program
// that is not there does not stand at all; those by files come last.
func lvsDump(cfg *ir.Config) []dumpBlock {
	w := &dumpWriter{}
	services := slices.CompactFunc(slices.Clone(cfg.VirtualServers), func(a, b *ir.VirtualServer) bool { return a.Group != "" && a.Stmt == b.Stmt })
	for _, vs := range services {
		w.service(vs, cfg.Groups)
	}
	for _, last := range []bool{false, true} {
		for _, vs := range services {
			for _, rs := range vs.RealServers {
				for _, c := range rs.Checks {
					if _, file := c.Checker.(*ir.FileCheck); file == last && runs(c) {
						w.check(c, rs, vs)
					}
				}
			}
		}
	}
	if withSessions(cfg) {
		for _, b := range cfg.BFDs {
			w.session(b)
		}
	}
	return w.blocks
}

// runs tells whether the program of a check is there.
func runs(c *ir.Check) bool {
	misc, ok := c.Checker.(*ir.MiscCheck)
	if !ok {
		return true
	}
	_, err := programOf(&misc.Command)
	return err == nil
}

func (w *dumpWriter) service(vs *ir.VirtualServer, groups []*ir.ServerGroup) {
	switch {
	case vs.Group != "":
		w.block("VS GROUP = [%s]", vs.Group)
	case vs.Key.FWMark != 0:
		w.block("VS FWMARK = %d", vs.Key.FWMark)
	default:
		w.block("VS VIP = %s, VPORT = %d", vs.Key.Addr, vs.Key.Port)
	}
	w.where(vs.SNMPName != "", "SNMP name = '%s'", vs.SNMPName)
	w.where(vs.VirtualHost != "", "VirtualHost = %s", vs.VirtualHost)
	w.line("Address family = %s", familyOf(vs, groups))
	w.line("connection timeout = %s", seconds(either(vs.Checks.ConnectTimeout, 5*time.Second)))
	w.line("delay_loop = %s", seconds(either(vs.Checks.DelayLoop, time.Minute)))
	w.line("lvs_sched = %s", vs.Scheduler)
	w.flags(vs)
	w.where(vs.PersistenceTimeout != 0, "persistence timeout = %d", vs.PersistenceTimeout/time.Second)
	w.mask(vs)
	w.line("protocol = %s", choose(vs.Key.Protocol == 0, "none", strings.ToUpper(vs.Key.Protocol.String())))
	w.line("alpha is %s", onOff(vs.Alpha))
	w.line("omega is %s", onOff(vs.Omega))
	w.timing(vs.Checks)
	w.line("Inhibit on failure is %s", onOff(vs.InhibitOnFailure))
	w.line("quorum = %d, hysteresis = %d", vs.Quorum, vs.Hysteresis)
	w.script("Quorum up notify script", vs.QuorumUp)
	w.script("Quorum down notify script", vs.QuorumDown)
	w.where(vs.HASuspend, "Using HA suspend")
	w.line("Using smtp notification = %s", yesNo(vs.SMTPAlert))
	w.line("forwarding method = %s", methodOf(vs.Method))
	if s := vs.SorryServer; s != nil {
		w.block("sorry server = [%s]:%s:%d", s.Addr.Addr(), vs.Key.Protocol, portOf(s, vs))
		w.line("forwarding method = %s", methodOf(s.Method))
		w.line("Inhibit on failure is %s", onOff(vs.SorryInhibit))
	}
	for _, rs := range vs.RealServers {
		w.server(rs, vs)
	}
}

func (w *dumpWriter) server(rs *ir.RealServer, vs *ir.VirtualServer) {
	w.block("RIP = %s, RPORT = %d, WEIGHT = %d", rs.Addr.Addr(), portOf(rs, vs), rs.Weight)
	w.where(rs.SNMPName != "", "SNMP name = %s", rs.SNMPName)
	w.line("forwarding method = %s", methodOf(rs.Method))
	w.line("Alpha is %s", onOff(rs.Alpha))
	w.line("connection timeout = %s", seconds(either(rs.Timing.ConnectTimeout, 5*time.Second)))
	w.line("connection limit range = %d -> %d", rs.LowerThreshold, rs.UpperThreshold)
	w.line("Delay loop = %s", seconds(either(rs.Timing.DelayLoop, time.Minute)))
	w.where(rs.Has("virtualhost"), "VirtualHost = '%s'", rs.VirtualHost)
	w.timing(rs.Timing)
	w.line("Inhibit on failure is %s", onOff(rs.InhibitOnFailure))
	w.script("RS up notify script", rs.NotifyUp)
	w.script("RS down notify script", rs.NotifyDown)
	w.line("Using smtp notification = %s", yesNo(rs.SMTPAlert))
	for _, c := range rs.Checks {
		switch part := c.Checker.(type) {
		case *ir.FileCheck:
			w.line("%s, weight %d%s", part.TrackFile.Text, part.Weight.N, choose(part.Weight.Reverse, " reverse", ""))
		case *ir.BFDCheck:
			w.line("%s", part.Text)
		}
	}
}

// timing writes what checks inherit, as far as the file says it.
func (w *dumpWriter) timing(t ir.CheckTiming) {
	w.where(t.Retry != ir.Unset, "Retry count = %d", t.Retry)
	w.where(t.DelayBeforeRetry != ir.Unset, "Retry delay = %s", seconds(t.DelayBeforeRetry))
	w.where(t.Warmup != ir.Unset, "Warmup = %s", seconds(t.Warmup))
}

// flags writes the flags of linux/ip_vs.h under the names that the scheduler gives them.
func (w *dumpWriter) flags(vs *ir.VirtualServer) {
	const onePacket, sched1, sched2, sched3 = 0x04, 0x08, 0x10, 0x20
	enabled := func(bit uint32) string { return choose(vs.Flags&bit != 0, "enabled", "disabled") }
	if s := vs.Scheduler; s == "sh" || s == "mh" {
		w.line("%s-port = %s", s, enabled(sched2))
		w.line("%s-fallback = %s", s, enabled(sched1))
	} else {
		w.line("flag-1 = %s", enabled(sched1))
		w.line("flag-2 = %s", enabled(sched2))
		w.line("flag-3 = %s", enabled(sched3))
	}
	w.line("One packet scheduling = %s", enabled(onePacket))
}

func (w *dumpWriter) mask(vs *ir.VirtualServer) {
	switch m := vs.PersistenceMask; {
	case m == 32 || m == 128:
	case vs.Key.IPv6 || vs.Key.Addr.Is6():
		w.line("persistence granularity = %d", m)
	default:
		w.line("persistence granularity = %s", net.IP(net.CIDRMask(int(m), 32)))
	}
}

// script writes a script that is there; keepalived forgets others.
func (w *dumpWriter) script(what string, c *ir.Command) {
	if c == nil {
		return
	}
	if program, err := programOf(c); err == nil {
		w.line("%s = %s", what, program)
	}
}

// programOf is a command with the path that the program has in the end.
func programOf(c *ir.Command) (string, error) {
	if len(c.Args) == 0 {
		return "", exec.ErrNotFound // keepc has not read it
	}
	path, err := exec.LookPath(c.Args[0])
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	return "'" + strings.Join(append([]string{path}, c.Args[1:]...), "' '") + "'", err
}

func (w *dumpWriter) check(c *ir.Check, rs *ir.RealServer, vs *ir.VirtualServer) {
	switch {
	case vs.Group != "":
		w.block("[%s] -> [%s]:%s:%d", vs.Group, rs.Addr.Addr(), vs.Key.Protocol, portOf(rs, vs))
	case vs.Key.FWMark != 0:
		w.block("FWM %d -> [%s]:%s:%d", vs.Key.FWMark, rs.Addr.Addr(), vs.Key.Protocol, portOf(rs, vs))
	default:
		w.block("[%s]:%s:%d -> [%s]:%s:%d", vs.Key.Addr, vs.Key.Protocol, vs.Key.Port, rs.Addr.Addr(), vs.Key.Protocol, portOf(rs, vs))
	}
	w.line("Log all failures = %s", yesNo(c.LogAllFailures))
	switch part := c.Checker.(type) {
	case *ir.FileCheck:
		w.line("Keepalive method = FILE_CHECK")
		w.line("Tracked file = %s", part.TrackFile.Text)
		return
	case *ir.BFDCheck:
		w.line("Keepalive method = BFD_CHECK")
		w.line("Name = %s", part.Text)
		w.line("Alpha = %s", yesNo(c.Alpha))
		w.line("Alpha is %s", onOff(c.Alpha))
		return
	}
	w.line("Alpha = %s", yesNo(c.Alpha))
	w.line("Delay loop = %d us", c.DelayLoop.Microseconds())
	w.line("Warmup = %d us", c.Warmup.Microseconds())
	w.line("Retries = %d", c.Retry)
	w.where(c.Retry > 0, "Delay before retry = %d us", c.DelayBeforeRetry.Microseconds())
	if misc, ok := c.Checker.(*ir.MiscCheck); ok {
		w.misc(c, misc)
		return
	}
	w.line("Dest = [%s]:%d", c.Target.Addr(), c.Target.Port())
	w.where(c.BindTo.IsValid(), "Bind to = [%s]:%d", c.BindTo.Addr(), c.BindTo.Port())
	w.where(c.BindIf != "", "Bind i/f = %s", c.BindIf)
	w.where(c.FWMark != 0, "Mark = %d", c.FWMark)
	w.line("Timeout = %s", seconds(c.ConnectTimeout))
	switch part := c.Checker.(type) {
	case *ir.HTTPCheck:
		w.http(c, part)
	case *ir.SMTPCheck:
		w.line("Keepalive method = SMTP_CHECK")
		w.line("helo = %s", part.Helo)
	case *ir.DNSCheck:
		w.line("Keepalive method = DNS_CHECK")
		w.line("Type = %s", part.Type)
		w.line("Name = %s", strings.TrimPrefix(part.Name, "."))
	case *ir.UDPCheck:
		w.udp(part)
	default:
		w.line("Keepalive method = %s", c.Keyword())
	}
}

func (w *dumpWriter) misc(c *ir.Check, misc *ir.MiscCheck) {
	program, _ := programOf(&misc.Command)
	w.line("Keepalive method = MISC_CHECK")
	w.line("script = %s", program)
	w.line("timeout = %d", choose(c.Has("misc_timeout"), misc.Timeout/time.Second, 0))
	w.line("dynamic = %s", choose(misc.Dynamic, "YES", "NO"))
}

func (w *dumpWriter) http(c *ir.Check, http *ir.HTTPCheck) {
	w.line("Keepalive method = %s, http protocol %s", c.Keyword(), http.Version)
	w.where(c.Has("virtualhost"), "Virtualhost = %s", http.VirtualHost)
	w.line("Enable SNI %s", choose(http.SNI, "set", "unset"))
	w.line("Fast recovery %s", choose(http.FastRecovery, "set", "unset"))
	for _, u := range http.URLs {
		w.block("Checked url = %s", u.Path)
		for _, d := range u.Digests {
			w.line("digest = %s", d)
		}
		w.line("HTTP Status Code(s)")
		for _, s := range u.Status {
			text, _ := s.MarshalText()
			w.line("%s", text)
		}
		w.where(u.Has("virtualhost"), "Virtual host = %s", u.VirtualHost)
		if r := u.Regex; r.Pattern != "" {
			w.line(`Regex = "%s"`, r.Pattern)
			w.where(r.NoMatch, "Regex no match")
			w.where(r.MinOffset != 0 || r.EndOffset != 0, "Regex min offset = %d, max_offset = %d", r.MinOffset, r.EndOffset-1)
			w.where(r.Stack.Start != 0, "Regex stack start %d, max %d", r.Stack.Start, r.Stack.Max)
		}
	}
}

func (w *dumpWriter) udp(u *ir.UDPCheck) {
	w.line("Keepalive method = UDP_CHECK")
	if u.Payload == nil {
		w.line("Payload specified = no")
	} else {
		w.line("Payload len = %d", len(u.Payload))
	}
	w.line("Require reply = %s", yesNo(u.Reply != nil))
	if u.Reply == nil {
		return
	}
	w.line("Min reply length = %d", u.MinLength)
	w.line("Max reply length = %d", u.MaxLength)
	w.line("Reply data len = %d", len(u.Reply.Value))
	w.where(slices.ContainsFunc(u.Reply.Mask, func(b byte) bool { return b != 0xff }), "Reply data mask = yes")
}

func (w *dumpWriter) session(b *ir.BFD) {
	w.block("BFD Instance = %s", b.Name)
	w.line("Neighbor IP = %s", b.Neighbor)
	w.where(b.Source.IsValid(), "Source IP = %s", b.Source)
	w.line("Required min RX interval = %d us", b.MinRX.Microseconds())
	w.line("Desired min TX interval = %d us", b.MinTX.Microseconds())
	w.line("Desired idle TX interval = %d us", b.IdleTX.Microseconds())
	w.line("Detection multiplier = %d", b.Multiplier)
	w.line("%s = %d", choose(b.Neighbor.Is6(), "hoplimit", "TTL"), b.TTL)
	w.line("max_hops = %d", b.MaxHops)
	w.line("passive = %v", b.Passive)
	w.line("send event to checker process = %s", choose(b.Checker, "Yes", "No"))
}

// familyOf is the family of a virtual server, as the dump names it.
func familyOf(vs *ir.VirtualServer, groups []*ir.ServerGroup) string {
	var four, six bool
	note := func(a netip.Addr) { four, six = four || a.Is4(), six || a.Is6() }
	note(vs.Key.Addr)
	for _, g := range groups {
		if g.Name == vs.Group {
			for _, m := range g.Members {
				note(m.First)
			}
		}
	}
	switch {
	case four && six:
		return "IPv4 & IPv6"
	case six || vs.Key.IPv6:
		return "inet6"
	}
	return "inet"
}

// portOf is the port of a server; in a group, whose services have several, that of the file.
func portOf(rs *ir.RealServer, vs *ir.VirtualServer) uint16 {
	if vs.Group != "" {
		return rs.Port
	}
	return rs.Addr.Port()
}

func methodOf(m ir.Method) string {
	text := map[ir.Forwarding]string{ir.NAT: "NAT", ir.DR: "DR", ir.TUN: "TUN, type = "}[m.Forwarding]
	if m.Forwarding != ir.TUN {
		return text
	}
	text += strings.ToUpper(m.Tunnel.Type.String())
	if m.Tunnel.Type == ir.GUE {
		text += fmt.Sprintf(", port = %d", m.Tunnel.Port)
	}
	if m.Tunnel.Type == ir.IPIP {
		return text
	}
	return text + ", " + map[ir.TunnelChecksum]string{ir.NoChecksum: "no checksum", ir.Checksum: "checksum", ir.RemoteChecksum: "remote checksum"}[m.Tunnel.Checksum]
}

func either(d, otherwise time.Duration) time.Duration {
	if d == ir.Unset {
		return otherwise
	}
	return d
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }

func choose[V any](b bool, yes, no V) V {
	if b {
		return yes
	}
	return no
}

func onOff(b bool) string { return choose(b, "ON", "OFF") }
func yesNo(b bool) string { return choose(b, "yes", "no") }
