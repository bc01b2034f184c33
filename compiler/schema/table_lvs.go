package schema

import (
	"net/netip"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

// fullNAT is the programs that know the method that also changes the source address.
const fullNAT = "DPVS and kernels with the FULLNAT patch"

var schedulers = Choice("rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos")

// forwarding is a forwarding method, followed by the options of a tunnel.
var forwarding = entry("forwarding method", head(method, func(m *ir.Method) *ir.Forwarding { return &m.Forwarding }), ir.Method{},
	Value("type", Enum(ir.IPIP, ir.GUE, ir.GRE), func(m *ir.Method) *ir.TunnelType { return &m.Tunnel.Type }, "The kind of tunnel.").Default("ipip"),
	Value("port", Port, func(m *ir.Method) *uint16 { return &m.Tunnel.Port }, "The port of a gue tunnel."),
	checksum("nocsum", ir.NoChecksum, "No checksum in the tunnel, which is the default."),
	checksum("csum", ir.Checksum, "A checksum in the tunnel."),
	checksum("remcsum", ir.RemoteChecksum, "A remote checksum in the tunnel."),
)

// checksum is an option that selects the checksum of a tunnel.
func checksum(word string, c ir.TunnelChecksum, text string) Row[ir.Method] {
	return Value(word, as(Flag, func(bool) ir.TunnelChecksum { return c }), func(m *ir.Method) *ir.TunnelChecksum { return &m.Tunnel.Checksum }, text)
}

// method is the keyword of a forwarding method.
var method = Kind[ir.Forwarding]{"NAT, DR or TUN", func(r *reader) (ir.Forwarding, bool) {
	switch r.peek() {
	case "FNAT", "FULLNAT":
		r.fail(diag.Diagnostic{
			Rule: "foreign-keyword", Severity: diag.Error,
			Message: r.peek() + " is a forwarding method of " + fullNAT,
			Span:    r.rest[0].Span,
			Label:   "expected NAT, DR or TUN",
			Help:    "use NAT, and an SNAT rule of the firewall for the source address (sysctl net.ipv4.vs.conntrack=1)",
		})
		return 0, false
	}
	word, ok := Choice("NAT", "DR", "TUN").read(r)
	return map[string]ir.Forwarding{"NAT": ir.NAT, "DR": ir.DR, "TUN": ir.TUN}[word], ok
}}

// sorry returns the sorry server, creating it for the first keyword about it.
func sorry(v *ir.VirtualServer) *ir.RealServer {
	if v.SorryServer == nil {
		v.SorryServer = &ir.RealServer{Origin: v.Origin, Weight: 1}
	}
	return v.SorryServer
}

// pause is the time before a retry. Versions up to 2.2 accept 0, too.
var pause = Kind[time.Duration]{Decimal(0.000001, forever).Expect, Decimal(0, forever).read}

// Bits of the flags of an IPVS service (linux/ip_vs.h).
const (
	flagOnePacket = 0x0004
	flagSched1    = 0x0008
	flagSched2    = 0x0010
	flagSched3    = 0x0020
)

// bit is a keyword that sets a bit.
func bit(word string, bits uint32, text string) Row[ir.VirtualServer] {
	return Row[ir.VirtualServer]{
		Keyword: &Keyword{Word: word, Text: text},
		read:    func(_ *reader, v *ir.VirtualServer) { v.Flags |= bits },
	}
}

var virtualServer = block(serviceHead, ir.VirtualServer{Checks: ir.NoTiming},
	Value("protocol", FoldedEnum(ir.TCP, ir.UDP, ir.SCTP), func(v *ir.VirtualServer) *ir.Protocol { return &v.Key.Protocol },
		"The protocol of the service.").Otherwise("UDP, with an error").Note("A firewall mark has none.").Kernel(),
	Value("lb_algo", schedulers, func(v *ir.VirtualServer) *string { return &v.Scheduler },
		"The scheduler, which chooses a real server for a new connection.").Otherwise("wlc, with an error").Kernel(),
	Value("lvs_sched", schedulers, func(v *ir.VirtualServer) *string { return &v.Scheduler }, "Same as lb_algo.").Same("lb_algo").Kernel(),
	With("lb_kind", forwarding, func(v *ir.VirtualServer) *ir.Method { return &v.Method },
		"How packets reach the real servers: by address translation (NAT), directly on the link (DR) or through a tunnel (TUN).").Otherwise("NAT, with an error").Kernel(),
	With("lvs_method", forwarding, func(v *ir.VirtualServer) *ir.Method { return &v.Method }, "Same as lb_kind.").Same("lb_kind").Kernel(),
	Value("persistence_timeout", Optional(Seconds(1, 2678400), 360*time.Second), func(v *ir.VirtualServer) *duration { return &v.PersistenceTimeout },
		"A client keeps its real server until it was silent for so long; alone: 360.").Otherwise("not persistent").Kernel(),
	Value("persistence_granularity", Mask, func(v *ir.VirtualServer) *ir.ClientMask { return &v.PersistenceMask },
		"How clients are taken together for persistence.").Otherwise("255.255.255.255 or 128: each client alone").Note("Makes the service persistent with 360 seconds by itself.").Kernel(),
	Value("persistence_engine", Short(15), func(v *ir.VirtualServer) *string { return &v.PersistenceEngine },
		"The persistence engine, as sip.").Kernel(),
	bit("ops", flagOnePacket, "Chooses a real server for every packet; for UDP.").Kernel(),
	bit("flag-1", flagSched1, "Sets the first flag of the scheduler.").Build("sched-flags").Kernel(),
	bit("flag-2", flagSched2, "Sets the second flag of the scheduler.").Build("sched-flags").Kernel(),
	bit("flag-3", flagSched3, "Sets the third flag of the scheduler.").Build("sched-flags").Kernel(),
	bit("sh-fallback", flagSched1, "sh goes on to another server when the chosen one has weight 0.").Build("sched-flags").Note("Must come after lb_algo sh.").Kernel(),
	bit("sh-port", flagSched2, "sh also looks at the port of the client.").Build("sched-flags").Note("Must come after lb_algo sh.").Kernel(),
	bit("mh-fallback", flagSched1, "mh goes on to another server when the chosen one has weight 0.").Since("2.0.20").Build("sched-flags").Note("Must come after lb_algo mh.").Kernel(),
	bit("mh-port", flagSched2, "mh also looks at the port of the client.").Since("2.0.20").Build("sched-flags").Note("Must come after lb_algo mh.").Kernel(),
	bit("hashed", 0, "Has no meaning."),
	Value("weight", Int[int](1, 1<<31-1), func(v *ir.VirtualServer) *int { return &v.Weight },
		"The weight of real servers that name none.").Default("1").Kernel(),
	Value("ip_family", Enum(ir.IPv4, ir.IPv6), func(v *ir.VirtualServer) *ir.Family { return &v.Family },
		"The family of a firewall mark with tunnels.").Otherwise("that of the addresses"),

	Each("real_server", realServer, func(v *ir.VirtualServer) *[]*ir.RealServer { return &v.RealServers },
		"A server that gets a share of the traffic."),
	Value("sorry_server", Endpoint, func(v *ir.VirtualServer) *netip.AddrPort { return &sorry(v).Addr },
		"The server that answers while the quorum is lost."),
	Value("sorry_server_inhibit", Flag, func(v *ir.VirtualServer) *bool { return &v.SorryInhibit },
		"The sorry server stays with weight 0 instead of being removed.").Note("Must come after sorry_server."),
	With("sorry_server_lvs_method", forwarding, func(v *ir.VirtualServer) *ir.Method { return &sorry(v).Method },
		"How packets reach the sorry server.").Otherwise("that of the virtual server").Note("Must come after sorry_server."),
	Value("quorum", Int[uint32](1, 1<<32-1), func(v *ir.VirtualServer) *uint32 { return &v.Quorum },
		"The sum of the weights of living real servers that the service needs.").Default("1"),
	Value("hysteresis", Int[uint32](0, 1<<32-1), func(v *ir.VirtualServer) *uint32 { return &v.Hysteresis },
		"How far the sum must pass the quorum before it is won or lost; below quorum.").Default("0"),
	Value("quorum_up", as(Script, pointer), func(v *ir.VirtualServer) **ir.Command { return &v.QuorumUp },
		"Runs when the quorum is won.").First(),
	Value("quorum_down", as(Script, pointer), func(v *ir.VirtualServer) **ir.Command { return &v.QuorumDown },
		"Runs when the quorum is lost.").First(),
	Value("alpha", Flag, func(v *ir.VirtualServer) *bool { return &v.Alpha },
		"Real servers count as dead until their first good check."),
	Value("omega", Flag, func(v *ir.VirtualServer) *bool { return &v.Omega },
		"Scripts for lost servers run at the stop of the daemon too."),
	Value("ha_suspend", Flag, func(v *ir.VirtualServer) *bool { return &v.HASuspend },
		"Checks run only while the address of the service is on this host."),
	Value("inhibit_on_failure", Flag, func(v *ir.VirtualServer) *bool { return &v.InhibitOnFailure },
		"A dead real server gets weight 0 instead of being removed."),
	Value("virtualhost", String, func(v *ir.VirtualServer) *string { return &v.VirtualHost },
		"The Host header of HTTP checks that name none."),

	Value("delay_loop", Decimal(0.000001, forever), func(v *ir.VirtualServer) *duration { return &v.Checks.DelayLoop },
		"The time between two checks of a server.").Otherwise("60"),
	Value("connect_timeout", Decimal(0.000001, 4294.967295), func(v *ir.VirtualServer) *duration { return &v.Checks.ConnectTimeout },
		"How long a check waits for the connection.").Otherwise("5").Since("2.0.13"),
	Value("retry", Int[int](1, 1<<32-1), func(v *ir.VirtualServer) *int { return &v.Checks.Retry },
		"Failures of a check beyond the first that are forgiven.").Otherwise("1; MISC_CHECK 0, DNS_CHECK 3"),
	Value("delay_before_retry", pause, func(v *ir.VirtualServer) *duration { return &v.Checks.DelayBeforeRetry },
		"The time from a failed check to the next try.").Otherwise("1; HTTP_GET and SSL_GET 3, DNS_CHECK delay_loop"),
	Value("warmup", Decimal(0, forever), func(v *ir.VirtualServer) *duration { return &v.Checks.Warmup },
		"First checks are spread at random over this time.").Otherwise("delay_loop"),

	Value("smtp_alert", Bool, func(v *ir.VirtualServer) *bool { return &v.SMTPAlert },
		"Sends mail when the quorum is won or lost.").Otherwise("smtp_alert_checker"),
	Value("snmp_name", String, func(v *ir.VirtualServer) *string { return &v.SNMPName },
		"The name in SNMP tables.").Since("2.2.3").Build("snmp"),
	Checked[ir.VirtualServer]("nat_mask", String, "Once the netmask of NAT.").Removed("1.2.19"),
	misnamed[ir.VirtualServer]("scheduler", "lb_algo"),
	misnamed[ir.VirtualServer]("lvs_scheduler", "lb_algo"),
	misnamed[ir.VirtualServer]("balance", "lb_algo"),
	misnamed[ir.VirtualServer]("persistence", "persistence_timeout"),
	misnamed[ir.VirtualServer]("persistent", "persistence_timeout"),
	misnamed[ir.VirtualServer]("fallback", "sorry_server"),
	misnamed[ir.VirtualServer]("interval", "delay_loop"),
	misnamed[ir.VirtualServer]("timeout", "connect_timeout"),
	misnamed[ir.VirtualServer]("nb_get_retry", "retry"),
	Checked[ir.VirtualServer]("server", AnyWords("an address"), "A server of HAProxy or nginx.").Foreign("HAProxy and nginx").Repeat(),
	Checked[ir.VirtualServer]("laddr_group_name", Name, "The local addresses of FULLNAT.").Foreign(fullNAT),
)

var realServer = block(head(Endpoint, func(s *ir.RealServer) *netip.AddrPort { return &s.Addr }), ir.RealServer{Weight: ir.Unset, Method: ir.Method{Forwarding: ir.Unsaid}, Timing: ir.NoTiming, SMTPAlert: true},
	Value("weight", Int[int](0, 1<<31-1), func(s *ir.RealServer) *int { return &s.Weight },
		"The share of the server; 0 gets no new connections.").Otherwise("that of the virtual server").Kernel(),
	With("lvs_method", forwarding, func(s *ir.RealServer) *ir.Method { return &s.Method },
		"How packets reach the server.").Otherwise("that of the virtual server").Kernel(),
	Value("uthreshold", Int[uint32](0, 1<<32-1), func(s *ir.RealServer) *uint32 { return &s.UpperThreshold },
		"The server gets no new connections above so many; 0 means no limit.").Default("0").Kernel(),
	Value("lthreshold", Int[uint32](0, 1<<32-1), func(s *ir.RealServer) *uint32 { return &s.LowerThreshold },
		"The server gets new connections again below so many.").Default("0").Kernel(),
	Value("inhibit_on_failure", Bool, func(s *ir.RealServer) *bool { return &s.InhibitOnFailure },
		"A dead server gets weight 0 instead of being removed.").Otherwise("that of the virtual server"),
	Value("alpha", Bool, func(s *ir.RealServer) *bool { return &s.Alpha },
		"The server counts as dead until its first good check.").Otherwise("that of the virtual server"),

	Each("TCP_CHECK", tcpCheck, func(s *ir.RealServer) *[]*ir.Check { return &s.Checks }, "Connects by TCP."),
	Each("HTTP_GET", httpGet, func(s *ir.RealServer) *[]*ir.Check { return &s.Checks }, "Asks for pages by HTTP."),
	Each("SSL_GET", sslGet, func(s *ir.RealServer) *[]*ir.Check { return &s.Checks }, "Asks for pages by HTTPS; certificates are verified where verify_certificates in .keepc.conf asks for it."),
	Each("SMTP_CHECK", smtpCheck, func(s *ir.RealServer) *[]*ir.Check { return &s.Checks }, "Greets a mail server."),
	Each("DNS_CHECK", dnsCheck, func(s *ir.RealServer) *[]*ir.Check { return &s.Checks }, "Asks a name server by UDP."),
	Each("UDP_CHECK", udpCheck, func(s *ir.RealServer) *[]*ir.Check { return &s.Checks }, "Sends a datagram and may wait for an answer.").Since("2.1.0"),
	Each("PING_CHECK", pingCheck, func(s *ir.RealServer) *[]*ir.Check { return &s.Checks }, "Pings the server.").Since("2.1.0"),
	Each("MISC_CHECK", miscCheck, func(s *ir.RealServer) *[]*ir.Check { return &s.Checks }, "Runs a program; exit status 0 is good."),
	Each("FILE_CHECK", fileCheck, func(s *ir.RealServer) *[]*ir.Check { return &s.Checks }, "Takes the weight from a track_file.").Since("2.1.0"),
	Each("BFD_CHECK", bfdCheck, func(s *ir.RealServer) *[]*ir.Check { return &s.Checks }, "Follows a bfd_instance.").Build("bfd"),

	Value("delay_loop", Decimal(0.000001, forever), func(s *ir.RealServer) *duration { return &s.Timing.DelayLoop },
		"The time between two checks.").Otherwise("that of the virtual server"),
	Value("connect_timeout", Decimal(0.000001, 4294.967295), func(s *ir.RealServer) *duration { return &s.Timing.ConnectTimeout },
		"How long a check waits for the connection.").Otherwise("that of the virtual server").Since("2.0.13"),
	Value("retry", Int[int](1, 1<<32-1), func(s *ir.RealServer) *int { return &s.Timing.Retry },
		"Failures of a check beyond the first that are forgiven.").Otherwise("that of the virtual server"),
	Value("delay_before_retry", Decimal(0, forever), func(s *ir.RealServer) *duration { return &s.Timing.DelayBeforeRetry },
		"The time from a failed check to the next try.").Otherwise("that of the virtual server"),
	Value("warmup", Decimal(0, forever), func(s *ir.RealServer) *duration { return &s.Timing.Warmup },
		"First checks are spread at random over this time.").Otherwise("that of the virtual server"),

	Value("notify_up", as(Script, pointer), func(s *ir.RealServer) **ir.Command { return &s.NotifyUp },
		"Runs when the server comes up.").First(),
	Value("notify_down", as(Script, pointer), func(s *ir.RealServer) **ir.Command { return &s.NotifyDown },
		"Runs when the server dies.").First(),
	Value("smtp_alert", Bool, func(s *ir.RealServer) *bool { return &s.SMTPAlert },
		"Sends mail when the server comes or goes.").Otherwise("smtp_alert_checker, else on"),
	Value("virtualhost", String, func(s *ir.RealServer) *string { return &s.VirtualHost },
		"The Host header of HTTP checks that name none.").Otherwise("that of the virtual server"),
	Value("snmp_name", String, func(s *ir.RealServer) *string { return &s.SNMPName },
		"The name in SNMP tables.").Since("2.2.3").Build("snmp"),
	misnamed[ir.RealServer]("lb_kind", "lvs_method"),
	misnamed[ir.RealServer]("maxconn", "uthreshold"),
	misnamed[ir.RealServer]("upper_threshold", "uthreshold"),
	misnamed[ir.RealServer]("lower_threshold", "lthreshold"),
	misnamed[ir.RealServer]("interval", "delay_loop"),
	misnamed[ir.RealServer]("timeout", "connect_timeout"),
	misnamed[ir.RealServer]("nb_get_retry", "retry"),
	Skipped[ir.RealServer]("CI-LINUX", "Once a check by CI-LINUX.").Removed("1.1.4"),
)

var serverGroup = Row[ir.Config]{
	Keyword: &Keyword{Word: "virtual_server_group", Expect: Name.Expect, Text: "Services that share their real servers.", Block: true, Lines: groupMember.name, Repeat: true},
	read: func(r *reader, c *ir.Config) {
		g := &ir.ServerGroup{Origin: ir.Origin{Stmt: r.stmt}}
		g.Name, _ = Name.read(r)
		r.readEntries(func() {
			var m ir.GroupMember
			if groupMember.read(r, &m) {
				g.Members = append(g.Members, m)
			}
		})
		c.Groups = append(c.Groups, g)
	},
}
