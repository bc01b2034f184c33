package compiler

import (
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar"
)

// resolve fills in what depends on other lines: defaults, and what blocks inherit. The values are those of the
// reference; see the Otherwise texts of the table.
func resolve(cfg *ir.Config, file *grammar.File) {
	resolveGlobal(&cfg.Global)
	cfg.Instances = firstOfName(cfg.Instances)
	for _, v := range cfg.Instances {
		resolveInstance(v, &cfg.Global)
	}
	resolveTwins(cfg.Instances)
	for _, g := range cfg.SyncGroups {
		resolveGroup(g, &cfg.Global)
	}
	resolveLinks(cfg)
	linkGroups(cfg)
	resolveTracks(cfg, file)
	for i := range cfg.StaticAddresses {
		resolveAddress(&cfg.StaticAddresses[i], cfg.Global.DefaultInterface)
	}
	resolveRoutes(cfg, file)
	linkTrackGroups(cfg, file)
	for _, s := range cfg.Scripts {
		setDefault(&s.Timeout, ir.Unset, s.Interval)
		setDefault(&s.User, ir.User{}, cfg.Global.ScriptUser)
	}
	for _, p := range cfg.TrackProcesses {
		p.FullCommand = p.FullCommand || len(p.Process) > 1 // the block has only parameters
	}
	for _, b := range cfg.BFDs {
		resolveBFD(b)
	}
	groups := map[string]*ir.ServerGroup{}
	for _, g := range slices.Backward(cfg.Groups) {
		groups[g.Name] = g // the first group
	}
	files := map[string]*ir.TrackFile{}
	for _, f := range slices.Backward(cfg.TrackFiles) {
		files[f.Name] = f
	}
	var all []*ir.VirtualServer
	for _, vs := range cfg.VirtualServers {
		resolveService(vs)
		resolveCommands(&cfg.Global, vs.QuorumUp, vs.QuorumDown)
		vs.QuorumAddress = quorumAddress(vs.QuorumUp, vs.QuorumDown)
		for _, rs := range vs.RealServers {
			rs.Checks = withHosts(rs.Checks)
			resolveCommands(&cfg.Global, rs.NotifyUp, rs.NotifyDown)
			for _, c := range rs.Checks {
				if h, ok := c.Checker.(*ir.HTTPCheck); ok && h.TLS {
					h.Client = cfg.TLS
				}
				if misc, ok := c.Checker.(*ir.MiscCheck); ok {
					setDefault(&misc.User, ir.User{}, cfg.Global.ScriptUser)
				}
			}
		}
		all = append(all, members(vs, groups[vs.Group], min(ir.MaxGroupServices-len(all), ir.MaxGroupServers/max(1, len(vs.RealServers))))...)
	}
	cfg.VirtualServers = all
	for _, vs := range cfg.VirtualServers {
		for _, rs := range vs.RealServers {
			resolveServer(rs, vs)
			for _, c := range rs.Checks {
				resolveCheck(c, rs, files)
			}
		}
		resolveAlerts(vs, &cfg.Global)
		resolveSorry(vs)
		resolveQuorum(vs)
	}
}

// firstOfName returns the instances without those whose name an earlier one has: keepalived skips these.
func firstOfName(instances []*ir.VRRPInstance) []*ir.VRRPInstance {
	taken := make(map[string]bool, len(instances))
	return slices.DeleteFunc(instances, func(v *ir.VRRPInstance) bool {
		again := taken[v.Name]
		taken[v.Name] = true
		return again
	})
}

// linkGroups links instances with the sync groups that name them, and whose notify_priority_changes is the default of
// theirs.
func linkGroups(cfg *ir.Config) {
	groups := map[string]*ir.SyncGroup{}
	for _, g := range slices.Backward(cfg.SyncGroups) {
		for _, m := range g.Members {
			groups[m.Text] = g // the first group
		}
	}
	for _, v := range cfg.Instances {
		v.SyncGroup = groups[v.Name]
		inherited := cfg.Global.NotifyPriorityChanges
		if v.SyncGroup != nil {
			inherited = v.SyncGroup.NotifyPriorityChanges
		}
		inherit(v, "notify_priority_changes", &v.NotifyPriorityChanges, inherited)
	}
}

// setDefault replaces a value that is still unset.
func setDefault[V comparable](at *V, unset, value V) {
	if *at == unset {
		*at = value
	}
}

// persistent is the timeout of a service that says only for whom it is persistent.
const persistent = 360 * time.Second

func resolveService(vs *ir.VirtualServer) {
	setDefault(&vs.Scheduler, "", "wlc")
	if vs.Key.FWMark == 0 {
		setDefault(&vs.Key.Protocol, 0, ir.UDP)
	} else {
		vs.Key.Protocol = 0
		vs.Key.IPv6 = vs.Key.IPv6 || marksIPv6(vs, nil)
	}
	if vs.PersistenceMask != 0 || vs.Group == "" && vs.Key.FWMark == 0 && vs.Key.Port == 0 {
		setDefault(&vs.PersistenceTimeout, 0, persistent)
	}
}

// marksIPv6 reports whether packets with the firewall marks of a virtual server are IPv6, if the marks do not say: as
// the addresses beside them, or else the first real server that is not reached by a tunnel.
func marksIPv6(vs *ir.VirtualServer, beside []ir.GroupMember) bool {
	if vs.Family != ir.AnyFamily {
		return vs.Family == ir.IPv6
	}
	for _, m := range beside {
		if m.First.IsValid() {
			return m.First.Is6()
		}
	}
	ipv6 := func(rs *ir.RealServer) bool { return rs.Addr.Addr().Is6() }
	i := slices.IndexFunc(vs.RealServers, func(rs *ir.RealServer) bool {
		return rs.Forwarding != ir.TUN && (rs.Forwarding != ir.Unsaid || vs.Forwarding != ir.TUN)
	})
	if i >= 0 {
		return ipv6(vs.RealServers[i])
	}
	return slices.ContainsFunc(vs.RealServers, ipv6)
}

// members returns a virtual server of a group once for each service of the group, as long as there is room; any other
// virtual server unchanged.
func members(vs *ir.VirtualServer, group *ir.ServerGroup, room int) []*ir.VirtualServer {
	if vs.Group == "" {
		setMask(vs)
		return []*ir.VirtualServer{vs}
	}
	if group == nil {
		return nil
	}
	var all []*ir.VirtualServer
	ipv6 := marksIPv6(vs, group.Members)
	for _, m := range group.Members {
		for a := m.First; len(all) < room; a = a.Next() {
			one := *vs
			one.Follows = len(all) > 0
			one.RealServers = cloneServers(vs.RealServers)
			if vs.SorryServer != nil {
				one.SorryServer = cloneServers([]*ir.RealServer{vs.SorryServer})[0]
			}
			one.Key = ir.ServiceKey{Protocol: vs.Key.Protocol, Addr: a, Port: m.Port, FWMark: m.FWMark, IPv6: m.IPv6}
			if m.FWMark != 0 {
				one.Key.Protocol, one.Key.IPv6 = 0, m.IPv6 || ipv6 && !m.HasWord("inet")
			}
			setMask(&one)
			all = append(all, &one)
			if a == m.Last {
				break
			}
		}
	}
	return all
}

// cloneServers copies what may be resolved differently for another service.
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
		all[i] = &one
	}
	return all
}

func setMask(vs *ir.VirtualServer) {
	setDefault(&vs.PersistenceMask, 0, ir.MaskOf(128, vs.Key.Is6()))
}

func resolveServer(rs *ir.RealServer, vs *ir.VirtualServer) {
	setDefault(&rs.Weight, ir.Unset, vs.Weight)
	if rs.Forwarding == ir.Unsaid {
		rs.Method = vs.Method
	}
	resolvePort(rs, vs)
	rs.InhibitOnFailure = rs.InhibitOnFailure || vs.InhibitOnFailure && !rs.Has("inhibit_on_failure")
	rs.Alpha = rs.Alpha || vs.Alpha && !rs.Has("alpha")
	setDefault(&rs.VirtualHost, "", vs.VirtualHost)
	t := &rs.Timing
	setDefault(&t.ConnectTimeout, ir.Unset, vs.Checks.ConnectTimeout)
	setDefault(&t.DelayLoop, ir.Unset, vs.Checks.DelayLoop)
	setDefault(&t.DelayBeforeRetry, ir.Unset, vs.Checks.DelayBeforeRetry)
	setDefault(&t.Warmup, ir.Unset, vs.Checks.Warmup)
	setDefault(&t.Retry, ir.Unset, vs.Checks.Retry)
}

// The TTL of BFD packets: an IPv4 packet that was not routed has the maximum; IPv6 starts with the default of hosts.
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
	b.MaxHops = min(b.MaxHops, b.TTL)
	if !b.VRRP && !b.Checker {
		b.VRRP, b.Checker = true, true
	}
}

// resolveAlerts decides who sends mail: real servers do, unlike everything else, even if nothing says so.
func resolveAlerts(vs *ir.VirtualServer, g *ir.Global) {
	inherit(vs, "smtp_alert", &vs.SMTPAlert, alerts(g.SMTPAlertChecker, g, false))
	if alerts(g.SMTPAlertChecker, g, true) {
		return
	}
	for _, rs := range vs.RealServers {
		inherit(rs, "smtp_alert", &rs.SMTPAlert, false)
	}
}

// resolveSorry gives the sorry server the settings of the virtual server.
func resolveSorry(vs *ir.VirtualServer) {
	sorry := vs.SorryServer
	if sorry == nil {
		return
	}
	if !vs.Has("sorry_server_lvs_method") {
		sorry.Method = vs.Method
	}
	resolvePort(sorry, vs)
}

// resolvePort gives a server the port of its service, because only address translation can change it.
func resolvePort(rs *ir.RealServer, vs *ir.VirtualServer) {
	rs.Port = rs.Addr.Port()
	if rs.Forwarding != ir.NAT || rs.Port == 0 {
		rs.Addr = netip.AddrPortFrom(rs.Addr.Addr(), vs.Key.Port)
	}
}

// resolveQuorum lowers a quorum that could never be reached.
func resolveQuorum(vs *ir.VirtualServer) {
	total := uint64(0)
	for _, rs := range vs.RealServers {
		total += uint64(rs.Weight)
	}
	if vs.Hysteresis >= vs.Quorum {
		vs.Hysteresis = vs.Quorum - 1
	}
	if total > 0 {
		vs.Quorum = uint32(min(uint64(vs.Quorum), total))
	}
}
