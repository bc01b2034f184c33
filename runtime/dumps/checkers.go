package dumps

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/compiler/state"
	"keepc/runtime/health"
	"keepc/runtime/status"
)

// Checkers writes keepalived_check.data: virtual servers, real servers and checks, with what is known about them. What
// only keepalived counts, such as the retries of a check, is left out.
func Checkers(s status.Snapshot) []byte {
	w := &checkerWriter{situation: s.Situation, counts: s.Checks}
	cfg := s.Config
	w.section("", "Global definitions")
	w.head(1, "Router ID = %s", cmp.Or(cfg.Global.RouterID, s.Host))
	w.section("", "LVS Topology")
	if len(cfg.Groups) > 0 {
		w.section(" ", "Virtual server group")
	}
	for _, g := range cfg.Groups {
		w.group(g)
	}
	services := slices.CompactFunc(slices.Clone(cfg.VirtualServers), func(a, b *ir.VirtualServer) bool { return a.Group != "" && a.Stmt == b.Stmt })
	for _, vs := range services {
		w.section(" ", "Virtual server")
		w.service(vs, cfg.Groups)
	}
	w.section("", "Health checkers")
	for _, last := range []bool{false, true} { // those by files come last
		for _, vs := range services {
			for _, rs := range vs.RealServers {
				for _, c := range rs.Checks {
					if _, file := c.Checker.(*ir.FileCheck); file == last {
						w.check(c, rs, vs)
					}
				}
			}
		}
	}
	return w.Bytes()
}

// A checkerWriter writes lines that are indented one step more than their head.
type checkerWriter struct {
	bytes.Buffer
	depth     int
	situation state.Situation
	counts    map[state.DestinationKey]health.Statistics
}

func (w *checkerWriter) section(indent, title string) {
	fmt.Fprintf(w, "%s------< %s >------\n", indent, title)
}

// head writes a line that names an object, and sets the indentation of the lines that follow.
func (w *checkerWriter) head(depth int, format string, args ...any) {
	fmt.Fprintf(w, strings.Repeat(" ", depth)+format+"\n", args...)
	w.depth = depth + 2
}

func (w *checkerWriter) line(format string, args ...any) {
	fmt.Fprintf(w, strings.Repeat(" ", w.depth)+format+"\n", args...)
}

// where writes a line that the dump has only sometimes.
func (w *checkerWriter) where(there bool, format string, args ...any) {
	if there {
		w.line(format, args...)
	}
}

func (w *checkerWriter) group(g *ir.ServerGroup) {
	four, six := false, false
	for _, m := range g.Members {
		four, six = four || m.First.Is4(), six || m.First.Is6()
	}
	w.head(1, "Virtual Server Group = %s, IPv4 = %s, IPv6 = %s", g.Name, yesNo(four), yesNo(six))
	for _, m := range g.Members {
		switch {
		case m.FWMark != 0:
			w.line("FWMARK = %d", m.FWMark)
		case m.Last != m.First && m.Last.IsValid():
			w.line("VIP Range = %s-%s, VPORT = %d", m.First, m.Last, m.Port)
		default:
			w.line("VIP = %s, VPORT = %d", m.First, m.Port)
		}
	}
}

func (w *checkerWriter) service(vs *ir.VirtualServer, groups []*ir.ServerGroup) {
	switch {
	case vs.Group != "":
		w.head(1, "VS GROUP = [%s]:0", vs.Group)
	case vs.Key.FWMark != 0:
		w.head(1, "VS FWMARK = %d", vs.Key.FWMark)
	default:
		w.head(1, "VS VIP = %s, VPORT = %d", vs.Key.Addr, vs.Key.Port)
	}
	w.where(vs.SNMPName != "", "SNMP name = '%s'", vs.SNMPName)
	w.where(vs.VirtualHost != "", "VirtualHost = %s", vs.VirtualHost)
	w.line("Address family = %s", familyOf(vs, groups))
	w.line("connection timeout = %s", micros(either(vs.Checks.ConnectTimeout, 5*time.Second)))
	w.line("delay_loop = %s", micros(either(vs.Checks.DelayLoop, time.Minute)))
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
	w.line("default forwarding method = %s", methodOf(vs.Method))
	if s := vs.SorryServer; s != nil {
		w.head(3, "sorry server = [%s]:%s:%d", s.Addr.Addr(), vs.Key.Protocol, portOf(s, vs))
		w.line("forwarding method = %s", methodOf(s.Method))
		w.line("Inhibit on failure is %s", onOff(vs.SorryInhibit))
	}
	alive := 0
	for _, rs := range vs.RealServers {
		if _, down := w.situation.Down[keyOf(rs, vs)]; !down {
			alive++
		}
	}
	w.depth = 3
	w.line("alive = %d", alive)
	w.line("quorum_state_up = %d", number(!w.situation.NoQuorum[vs.Key]))
	for _, rs := range vs.RealServers {
		w.section("   ", "Real server")
		w.server(rs, vs)
	}
}

func keyOf(rs *ir.RealServer, vs *ir.VirtualServer) state.DestinationKey {
	return state.DestinationKey{Service: vs.Key, Server: rs.Addr}
}

// weight returns the current weight of a real server: that of an operator, or else of a check, or else of the file.
func (w *checkerWriter) weight(rs *ir.RealServer, k state.DestinationKey) int {
	if n, set := w.situation.Assigned[k]; set {
		return n
	}
	if n, set := w.situation.Weight[k]; set {
		return n
	}
	return rs.Weight
}

func (w *checkerWriter) server(rs *ir.RealServer, vs *ir.VirtualServer) {
	k := keyOf(rs, vs)
	_, down := w.situation.Down[k]
	w.head(3, "RIP = %s, RPORT = %d, WEIGHT = %d EFF WEIGHT = %d", rs.Addr.Addr(), portOf(rs, vs), rs.Weight, w.weight(rs, k))
	w.depth = 3
	w.where(rs.SNMPName != "", "SNMP name = %s", rs.SNMPName)
	w.line("forwarding method = %s", methodOf(rs.Method))
	w.line("Alpha is %s", onOff(rs.Alpha))
	w.line("connection timeout = %s", micros(either(rs.Timing.ConnectTimeout, 5*time.Second)))
	w.line("connection limit range = %d -> %d", rs.LowerThreshold, rs.UpperThreshold)
	w.line("Delay loop = %s", micros(either(rs.Timing.DelayLoop, time.Minute)))
	w.where(rs.Has("virtualhost"), "VirtualHost = '%s'", rs.VirtualHost)
	w.timing(rs.Timing)
	w.line("Inhibit on failure is %s", onOff(rs.InhibitOnFailure))
	w.script("RS up notify script", rs.NotifyUp)
	w.script("RS down notify script", rs.NotifyDown)
	w.line("Using smtp notification = %s", yesNo(rs.SMTPAlert))
	w.line("initial weight = %d", rs.Weight)
	w.line("effective weight = %d", w.weight(rs, k))
	w.line("alive = %d", number(!down))
	w.line("num failed checkers = %d", number(down))               // at least one
	sorry := w.situation.NoQuorum[vs.Key] && vs.SorryServer != nil // it serves instead of all that are up
	w.line("RS set = %d", number(down && rs.InhibitOnFailure || !down && !sorry))
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
func (w *checkerWriter) timing(t ir.CheckTiming) {
	w.where(t.Retry != ir.Unset, "Retry count = %d", t.Retry)
	w.where(t.DelayBeforeRetry != ir.Unset, "Retry delay = %s", micros(t.DelayBeforeRetry))
	w.where(t.Warmup != ir.Unset, "Warmup = %s", micros(t.Warmup))
}

// flags writes the flags of linux/ip_vs.h under the names of the scheduler.
func (w *checkerWriter) flags(vs *ir.VirtualServer) {
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

func (w *checkerWriter) mask(vs *ir.VirtualServer) {
	if !vs.PersistenceMask.Alone() {
		w.line("persistence granularity = %s", vs.PersistenceMask)
	}
}

// script writes a script, if there is one; a director has removed those that do not run.
func (w *checkerWriter) script(what string, c *ir.Command) {
	if c != nil && len(c.Args) > 0 {
		w.line("%s = %s", what, programOf(c))
	}
}

// programOf returns a command as keepalived writes it, without its secrets.
func programOf(c *ir.Command) string { return "'" + strings.Join(report.HideArgs(c.Args), "' '") + "'" }

func (w *checkerWriter) check(c *ir.Check, rs *ir.RealServer, vs *ir.VirtualServer) {
	switch {
	case vs.Group != "":
		w.head(1, "[%s]:0 -> [%s]:%s:%d", vs.Group, rs.Addr.Addr(), vs.Key.Protocol, portOf(rs, vs))
	case vs.Key.FWMark != 0:
		w.head(1, "FWM %d -> [%s]:%s:%d", vs.Key.FWMark, rs.Addr.Addr(), vs.Key.Protocol, portOf(rs, vs))
	default:
		w.head(1, "[%s]:%s:%d -> [%s]:%s:%d", vs.Key.Addr, vs.Key.Protocol, vs.Key.Port, rs.Addr.Addr(), vs.Key.Protocol, portOf(rs, vs))
	}
	if _, down := w.situation.Down[keyOf(rs, vs)]; !down || len(rs.Checks) == 1 { // which of several is down is not known here
		w.line("Enabled = yes")
		w.line("Up = %s", yesNo(!down))
		w.line("Has run = %s", yesNo(w.counts[keyOf(rs, vs)].Checks > 0))
	}
	logs := func() { w.line("Log all failures = %s", yesNo(c.LogAllFailures)) }
	switch part := c.Checker.(type) {
	case *ir.FileCheck:
		logs()
		w.line("Keepalive method = FILE_CHECK")
		w.line("Tracked file = %s", part.TrackFile.Text)
		return
	case *ir.BFDCheck:
		logs()
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
	logs()
	if misc, ok := c.Checker.(*ir.MiscCheck); ok {
		w.misc(c, misc)
		return
	}
	w.line("Connection")
	w.depth = 5
	w.line("Dest = [%s]:%d", c.Target.Addr(), c.Target.Port())
	w.where(c.BindTo.IsValid(), "Bind to = [%s]:%d", c.BindTo.Addr(), c.BindTo.Port())
	w.where(c.BindIf != "", "Bind i/f = %s", c.BindIf)
	w.where(c.FWMark != 0, "Mark = %d", c.FWMark)
	w.line("Timeout = %s", micros(c.ConnectTimeout))
	w.depth = 3
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

func (w *checkerWriter) misc(c *ir.Check, misc *ir.MiscCheck) {
	w.line("Keepalive method = MISC_CHECK")
	w.line("script = %s", programOf(&misc.Command))
	w.line("timeout = %d", choose(c.Has("misc_timeout"), misc.Timeout/time.Second, 0))
	w.line("dynamic = %s", choose(misc.Dynamic, "YES", "NO"))
}

func (w *checkerWriter) http(c *ir.Check, http *ir.HTTPCheck) {
	w.line("Keepalive method = %s, http protocol %s", c.Keyword(), http.Version)
	w.where(c.Has("virtualhost"), "Virtualhost = %s", http.VirtualHost)
	w.line("Enable SNI %s", choose(http.SNI, "set", "unset"))
	w.line("Fast recovery %s", choose(http.FastRecovery, "set", "unset"))
	for _, u := range http.URLs {
		w.head(3, "Checked url = %s", report.Hide(u.Path))
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

func (w *checkerWriter) udp(u *ir.UDPCheck) {
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

// familyOf returns the name of a virtual server's family in the dump.
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

// portOf returns the port of a server; in a group, whose services have several, that in the file.
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

func micros(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }

func choose[V any](b bool, yes, no V) V {
	if b {
		return yes
	}
	return no
}

func onOff(b bool) string { return choose(b, "ON", "OFF") }
func yesNo(b bool) string { return choose(b, "yes", "no") }
