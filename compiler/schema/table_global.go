package schema

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// root is the top level of the file.
var root = block(Head[ir.Config]{}, ir.Config{},
	Nested("global_defs", global, func(c *ir.Config) *ir.Global { return &c.Global }, "Settings of the whole director, and what other blocks take where they are silent.").Repeat(),
	Each("vrrp_instance", instance, func(c *ir.Config) *[]*ir.VRRPInstance { return &c.Instances }, "One virtual router of this director.").Alone(),
	Each("vrrp_sync_group", syncGroup, func(c *ir.Config) *[]*ir.SyncGroup { return &c.SyncGroups }, "Instances that change their state together.").Alone(),
	Each("vrrp_script", script, func(c *ir.Config) *[]*ir.Script { return &c.Scripts }, "A program whose result instances track; it must come before them."),
	Each("track_file", trackFile, func(c *ir.Config) *[]*ir.TrackFile { return &c.TrackFiles }, "A file whose number changes priorities.").Since("2.1.0"),
	Each("vrrp_track_file", trackFile, func(c *ir.Config) *[]*ir.TrackFile { return &c.TrackFiles }, "Old name of track_file.").Deprecated("track_file"),
	Each("vrrp_track_process", trackProcess, func(c *ir.Config) *[]*ir.TrackProcess { return &c.TrackProcesses }, "Processes that instances track.").Since("2.0.11").Build("track-process"),
	Each("bfd_instance", bfd, func(c *ir.Config) *[]*ir.BFD { return &c.BFDs }, "A BFD session with a neighbour.").Build("bfd"),
	Each("track_group", trackGroup, func(c *ir.Config) *[]*ir.TrackGroup { return &c.TrackGroups }, "Instances that go into FAULT with the interfaces of static addresses, routes and rules.").Since("2.0.3"),
	Each("virtual_server", virtualServer, func(c *ir.Config) *[]*ir.VirtualServer { return &c.VirtualServers }, "One virtual service of IPVS."),
	serverGroup,
	Lines("static_ipaddress", staticAddress, func(c *ir.Config) *[]ir.Address { return &c.StaticAddresses }, "Addresses that exist always."),
	Lines("static_routes", route, func(c *ir.Config) *[]ir.Route { return &c.StaticRoutes }, "Routes that exist always."),
	Lines("static_rules", rule, func(c *ir.Config) *[]ir.Rule { return &c.StaticRules }, "Routing rules that exist always."),
	Each("garp_group", garpGroup, func(c *ir.Config) *[]*ir.GARPGroup { return &c.GARPGroups }, "Limits gratuitous ARPs over one or several interfaces."),
	Lines("linkbeat_interfaces", linkbeat, func(c *ir.Config) *[]ir.Linkbeat { return &c.Linkbeats }, "Interfaces whose link is polled.").Since("2.0.13").Build("linkbeat"),
	Value("linkbeat_use_polling", Flag, func(c *ir.Config) *bool { return &c.LinkbeatPolling }, "Polls the link of every interface.").Build("linkbeat"),
	Lines("interface_up_down_delays", upDownDelay, func(c *ir.Config) *[]ir.UpDownDelay { return &c.UpDownDelays }, "How long an interface must be down or up before it counts.").Since("2.2.3"),
	Part("SSL", tls, func(c *ir.Config) **ir.TLS { return &c.TLS }, "The certificate that SSL_GET shows."),
	Value("net_namespace", String, func(c *ir.Config) *string { return &c.NetNamespace }, "The network namespace to run in.").Otherwise("that of the caller").Reload(Restart),
	Value("net_namespace_ipvs", as(Optional(String, ""), pointer), func(c *ir.Config) **string { return &c.NetNamespaceIPVS }, "The network namespace of IPVS.").Otherwise("net_namespace").Since("2.1.0").Reload(Restart),
	Value("namespace_with_ipsets", Flag, func(c *ir.Config) *bool { return &c.NamespaceWithIPSets }, "Allows ipsets inside a network namespace."),
	Value("use_pid_dir", Flag, func(c *ir.Config) *bool { return &c.UsePIDDir }, "Puts pid files into a directory of their own."),
	Value("instance", String, func(c *ir.Config) *string { return &c.Instance }, "The name of this daemon among several on one host.").Reload(Restart),
	Value("child_wait_time", Seconds(0, 1<<32-1), func(c *ir.Config) *duration { return &c.ChildWaitTime }, "How long the stop waits for child processes.").Default("5"),
	Skipped[ir.Config]("local_address_group", "The local addresses of FULLNAT.").Foreign(fullNAT),
	Skipped[ir.Config]("real_group", "A block of the first versions.").Removed("1.0.0"),
	Skipped[ir.Config]("real_server_group", "A block of the first versions.").Removed("1.0.0"),
)

// newGlobal sets what the director does if global_defs says nothing and no row has a default.
var newGlobal = ir.Global{GARPLowerPrioDelay: ir.Unset, GARPLowerPrioRepeat: ir.Unset}

var tls = block(Head[ir.TLS]{}, ir.TLS{},
	Value("password", Secret, func(t *ir.TLS) *ir.Secret { return &t.Password }, "The pass phrase of the key.").Secret(),
	Value("ca", Path, func(t *ir.TLS) *string { return &t.CA }, "The certificates of authorities."),
	Value("certificate", Path, func(t *ir.TLS) *string { return &t.Certificate }, "The certificate of the client."),
	Value("key", Path, func(t *ir.TLS) *string { return &t.Key }, "The key of the client."),
	misnamed[ir.TLS]("cert", "certificate"),
	misnamed[ir.TLS]("certfile", "certificate"),
	misnamed[ir.TLS]("cafile", "ca"),
	misnamed[ir.TLS]("keyfile", "key"),
)

var global = block(Head[ir.Global]{}, newGlobal,
	Value("router_id", String, func(g *ir.Global) *string { return &g.RouterID }, "The name of this director in mail, SNMP and logs.").Otherwise("the host name"),

	// Mail.
	Names("notification_email", func(g *ir.Global) *[]ir.Name { return &g.Recipients }, "Who gets mail."),
	Value("notification_email_from", String, func(g *ir.Global) *string { return &g.MailFrom }, "The sender of mail.").Otherwise("user@host"),
	Value("smtp_server", mailServer, func(g *ir.Global) *ir.MailServer { return &g.SMTPServer }, "The mail server and its port.").Otherwise("none; port 25"),
	Value("smtp_helo_name", String, func(g *ir.Global) *string { return &g.SMTPHelo }, "The name in HELO.").Otherwise("the host name"),
	Value("smtp_connect_timeout", Seconds(1, 4294), func(g *ir.Global) *duration { return &g.SMTPConnectTimeout }, "How long the mail server may take.").Default("30"),
	Value("smtp_alert", as(Bool, pointer), func(g *ir.Global) **bool { return &g.SMTPAlert }, "Whether blocks that do not say send mail."),
	Value("smtp_alert_vrrp", as(Bool, pointer), func(g *ir.Global) **bool { return &g.SMTPAlertVRRP }, "Whether instances and groups that do not say send mail.").Otherwise("smtp_alert"),
	Value("smtp_alert_checker", as(Bool, pointer), func(g *ir.Global) **bool { return &g.SMTPAlertChecker }, "Whether virtual servers that do not say send mail.").Otherwise("smtp_alert"),
	Value("no_email_faults", Flag, func(g *ir.Global) *bool { return &g.NoEmailFaults }, "No mail for FAULT."),
	Value("no_checker_emails", Bool, func(g *ir.Global) *bool { return &g.NoCheckerEmails }, "No mail about real servers."),

	// Scripts.
	Value("enable_script_security", Flag, func(g *ir.Global) *bool { return &g.ScriptSecurity }, "Scripts that users other than root may change are not run."),
	misnamed[ir.Global]("script_security", "enable_script_security"),
	Value("script_user", Account, func(g *ir.Global) *ir.User { return &g.ScriptUser }, "Who runs scripts that name no user.").Otherwise("keepalived_script, else root").Note(userOrder),
	Value("use_symlink_paths", Bool, func(g *ir.Global) *bool { return &g.UseSymlinkPaths }, "Keeps symbolic links in the paths of scripts.").Since("2.3.0"),
	Value("set_supplementary_groups", Bool, func(g *ir.Global) *bool { return &g.SetSupplementaryGroups }, "Scripts run with all groups of their user.").Since("2.4.4"),
	early("startup_script", func(g *ir.Global) *ir.Command { return &g.StartupScript }, "Runs before anything else.").First().Since("2.1.0"),
	Value("startup_script_timeout", Seconds(1, 1000), func(g *ir.Global) *duration { return &g.StartupScriptTimeout }, "How long the startup_script may take.").Default("10").Since("2.1.0"),
	early("shutdown_script", func(g *ir.Global) *ir.Command { return &g.ShutdownScript }, "Runs after everything else.").First().Since("2.1.0"),
	Value("shutdown_script_timeout", Seconds(1, 1000), func(g *ir.Global) *duration { return &g.ShutdownScriptTimeout }, "How long the shutdown_script may take.").Default("10").Since("2.1.0"),
	Value("notify_fifo", FIFO, func(g *ir.Global) *ir.FIFO { return &g.NotifyFIFO }, "A named pipe that gets all transitions.").First(),
	early("notify_fifo_script", func(g *ir.Global) *ir.Command { return &g.NotifyFIFOScript }, "Reads notify_fifo, whose path is its last argument.").First(),
	Value("vrrp_notify_fifo", FIFO, func(g *ir.Global) *ir.FIFO { return &g.VRRPNotifyFIFO }, "A named pipe that gets the transitions of instances and groups.").First(),
	early("vrrp_notify_fifo_script", func(g *ir.Global) *ir.Command { return &g.VRRPNotifyFIFOScript }, "Reads vrrp_notify_fifo, whose path is its last argument.").First(),
	Value("lvs_notify_fifo", FIFO, func(g *ir.Global) *ir.FIFO { return &g.LVSNotifyFIFO }, "A named pipe that gets the changes of virtual and real servers.").First(),
	early("lvs_notify_fifo_script", func(g *ir.Global) *ir.Command { return &g.LVSNotifyFIFOScript }, "Reads lvs_notify_fifo, whose path is its last argument.").First(),
	Value("vrrp_notify_priority_changes", Bool, func(g *ir.Global) *bool { return &g.NotifyPriorityChanges }, "Whether instances that do not say tell changes of their priority.").Since("2.0.16"),
	Value("fifo_write_vrrp_states_on_reload", Flag, func(g *ir.Global) *bool { return &g.FIFOWriteStatesOnReload }, "Writes all states to the named pipes after a reload.").Since("2.2.5"),
	Value("rs_init_notifies", Bool, func(g *ir.Global) *bool { return &g.RSInitNotifies }, "Tells the first state of real servers too."),

	// VRRP.
	Value("vrrp_version", Int[uint8](2, 3), func(g *ir.Global) *uint8 { return &g.Version }, "The version of VRRP of instances that do not say.").Default("2"),
	Value("vrrp_strict", Bool, func(g *ir.Global) *bool { return &g.Strict }, "Whether instances that do not say follow the RFC to the letter.").Note("keepalived 2.2.7 takes any value as on."),
	Value("default_interface", Interface, func(g *ir.Global) *string { return &g.DefaultInterface }, "The interface of static addresses that name none.").Default("eth0"),
	Value("dynamic_interfaces", as(Optional(Choice("allow_if_changes"), ""), func(string) bool { return true }), func(g *ir.Global) *bool { return &g.DynamicInterfaces }, "Interfaces may come and go while the daemon runs.").Reload(Restart),
	Value("vrrp_mcast_group4", Multicast4, func(g *ir.Global) *address { return &g.MulticastGroup4 }, "The group that advertisements over IPv4 are sent to.").Default("224.0.0.18"),
	Value("vrrp_mcast_group6", Multicast6, func(g *ir.Global) *address { return &g.MulticastGroup6 }, "The group that advertisements over IPv6 are sent to; it stays on the link.").Default("ff02::12"),
	Value("vrrp_down_timer_adverts", Int[int](1, 100), func(g *ir.Global) *int { return &g.DownTimerAdverts }, "Advertisements that must be missed before the take-over.").Default("3").Since("2.2.3").Copied(),
	Value("vrrp_lower_prio_no_advert", Bool, func(g *ir.Global) *bool { return &g.LowerPrioNoAdvert }, "A MASTER leaves advertisements of a lower priority unanswered.").Otherwise("off; on in strict mode"),
	Value("vrrp_higher_prio_send_advert", Bool, func(g *ir.Global) *bool { return &g.HigherPrioSendAdvert }, "A MASTER sends one more advertisement when it yields to a higher priority."),
	Value("vrrp_owner_ignore_adverts", Bool, func(g *ir.Global) *bool { return &g.OwnerIgnoreAdverts }, "Owners of their addresses (priority 255) ignore what others advertise.").Since("2.3.3"),
	Value("vrrp_check_unicast_src", Flag, func(g *ir.Global) *bool { return &g.CheckUnicastSource }, "Drops unicast advertisements that do not come from a peer."),
	Value("vrrp_skip_check_adv_addr", Bool, func(g *ir.Global) *bool { return &g.SkipCheckAdvAddr }, "Compares the addresses of an advertisement only when its sender changes.").Copied(),
	Value("v3_checksum_as_v2", Flag, func(g *ir.Global) *bool { return &g.V3ChecksumAsV2 }, "Leaves the pseudo header out of the checksum of version 3 over IPv4.").Since("2.2.8").Note("keepalived sets it whatever its value is.").Copied(),
	Value("log_unknown_vrids", Flag, func(g *ir.Global) *bool { return &g.LogUnknownVRIDs }, "Logs advertisements of groups that the file does not know.").Since("2.0.16"),
	Value("disable_local_igmp", Flag, func(g *ir.Global) *bool { return &g.DisableLocalIGMP }, "No IGMP reports for groups of the link.").Since("2.2.0").Reload(Restart),
	Value("vrrp_startup_delay", Decimal(0.001, 4294.967295), func(g *ir.Global) *duration { return &g.StartupDelay }, "How long instances wait at the start.").Otherwise("0").Since("2.0.14"),
	Value("vrrp_delay_after_boot", Decimal(0.001, 4294.967295), func(g *ir.Global) *duration { return &g.DelayAfterBoot }, "How long instances wait after the boot of the host.").Otherwise("0").Since("2.4.0"),
	Value("vmac_prefix", String, func(g *ir.Global) *string { return &g.VMACPrefix }, "How the names of macvlan interfaces begin.").Default("vrrp").First().Since("2.2.0").Build("vmac"),
	Value("vmac_addr_prefix", String, func(g *ir.Global) *string { return &g.VMACAddrPrefix }, "How the names of interfaces that use_vmac_addr makes begin.").Default("vrrp").Since("2.2.0").Build("vmac"),
	Value("vrrp_iptables", chains, func(g *ir.Global) *[]string { return &g.IPTables }, "The chains of no_accept.").Otherwise("INPUT and OUTPUT").Build("iptables"),
	Value("vrrp_ipsets", ipsets, func(g *ir.Global) **[]string { return &g.IPSets }, "The sets of no_accept; alone: none are used.").Otherwise("names that begin with keepalived").Build("ipset"),
	Value("nftables", Optional(Short(254), "keepalived"), func(g *ir.Global) *string { return &g.NFTables }, "Uses nftables for no_accept and virtual MAC addresses, in a table of this name.").First().Otherwise("keepalived").Since("2.0.11").Build("nftables").Reload(Restart),
	Value("nftables_priority", Int[int](-1<<31, 1<<31-1), func(g *ir.Global) *int { return &g.NFTablesPriority }, "The priority of the chains.").Default("-1").Since("2.0.11").Build("nftables"),
	Value("nftables_ifindex", Flag, func(g *ir.Global) *bool { return &g.NFTablesIfindex }, "Matches interfaces by number instead of name.").Since("2.0.11").Build("nftables"),
	Value("nftables_counters", Flag, func(g *ir.Global) *bool { return &g.NFTablesCounters }, "Adds counters to the rules.").Since("2.0.11").Build("nftables"),

	// Gratuitous ARP and neighbour advertisements.
	Value("vrrp_garp_master_delay", Seconds(0, 4294), func(g *ir.Global) *duration { return &g.GARPMasterDelay }, "The time to the second burst of a new MASTER; 0 is none.").Default("5").Copied(),
	Value("vrrp_garp_master_repeat", Int[int](1, 1<<32-1), func(g *ir.Global) *int { return &g.GARPMasterRepeat }, "Gratuitous ARPs for each address in a burst.").Default("5").Copied(),
	Value("vrrp_garp_master_refresh", Seconds(0, 1<<32-1), func(g *ir.Global) *duration { return &g.GARPMasterRefresh }, "The time between bursts that refresh caches; 0 is never.").Default("0").Copied(),
	Value("vrrp_garp_master_refresh_repeat", Int[int](1, 1<<32-1), func(g *ir.Global) *int { return &g.GARPMasterRefreshRepeat }, "Gratuitous ARPs for each address in a refresh.").Default("1").Copied(),
	Value("vrrp_garp_lower_prio_delay", Seconds(0, 4294), func(g *ir.Global) *duration { return &g.GARPLowerPrioDelay }, "The time to the second burst after an advertisement of a lower priority.").Otherwise("vrrp_garp_master_delay"),
	Value("vrrp_garp_lower_prio_repeat", Int[int](0, 1<<31-1), func(g *ir.Global) *int { return &g.GARPLowerPrioRepeat }, "Gratuitous ARPs for each address after an advertisement of a lower priority.").Otherwise("vrrp_garp_master_repeat"),
	Value("vrrp_garp_interval", Decimal(0.000001, 4294.967295), func(g *ir.Global) *duration { return &g.GARPInterval }, "The time between two gratuitous ARPs on an interface.").Otherwise("0"),
	Value("vrrp_gna_interval", Decimal(0.000001, 4294.967295), func(g *ir.Global) *duration { return &g.GNAInterval }, "The time between two neighbour advertisements on an interface.").Otherwise("0"),
	Value("vrrp_min_garp", Bool, func(g *ir.Global) *bool { return &g.MinGARP }, "One gratuitous ARP, no second burst, no refresh, where the lines before say nothing.").Since("2.0.12"),
	Value("vrrp_garp_extra_if", AllSeconds(1, 86400), func(g *ir.Global) *ir.ExtraGARP { return &g.GARPExtraInterface }, "Also announces on the other interfaces when virtual MAC addresses are used.").Since("2.2.3").Build("vmac"),
	Value("vrrp_vmac_garp_intvl", AllSeconds(1, 86400), func(g *ir.Global) *ir.ExtraGARP { return &g.GARPExtraInterface }, "Old name of vrrp_garp_extra_if.").Since("2.2.0").Deprecated("vrrp_garp_extra_if").Build("vmac"),

	// IPVS.
	Value("lvs_timeouts", timeouts, func(g *ir.Global) *ir.Timeouts { return &g.LVSTimeouts }, "How long IPVS remembers silent connections.").Otherwise("the kernel's"),
	Value("lvs_flush", Flag, func(g *ir.Global) *bool { return &g.LVSFlush }, "Removes all of IPVS at the start."),
	Value("lvs_flush_on_stop", Optional(Choice("VS"), "all"), func(g *ir.Global) *string { return &g.LVSFlushOnStop }, "Removes all of IPVS at the stop; with VS only the virtual servers of this file.").Since("2.2.0"),
	Value("lvs_flush_onstop", Optional(Choice("VS"), "all"), func(g *ir.Global) *string { return &g.LVSFlushOnStop }, "Old name of lvs_flush_on_stop.").Since("2.0.15").Deprecated("lvs_flush_on_stop"),
	Value("lvs_sync_daemon", syncDaemon, func(g *ir.Global) **ir.SyncDaemon { return &g.LVSSyncDaemon }, "Sends the connections of IPVS to the other director.").First(),
	Value("nftables_ipvs", Optional(Short(254), "keepalived_ipvs"), func(g *ir.Global) *string { return &g.NFTablesIPVS }, "Marks the packets of virtual_server_groups with nftables, in a table of this name.").Otherwise("keepalived_ipvs").Since("2.2.2").Build("nftables").Reload(Restart),
	Value("nftables_ipvs_priority", Int[int](-1<<31, 1<<31-1), func(g *ir.Global) *int { return &g.NFTablesIPVSPriority }, "The priority of the chain.").Default("-1").Since("2.2.2").Build("nftables"),
	Value("nftables_ipvs_start_fwmark", Int[uint32](1, 1<<32-1), func(g *ir.Global) *uint32 { return &g.NFTablesIPVSStartFWMark }, "The first firewall mark that is used.").Default("1000").Since("2.2.2").Build("nftables"),
	Value("checker_log_all_failures", Bool, func(g *ir.Global) *bool { return &g.CheckerLogAllFailures }, "Logs every failed check, not only the last.").Since("2.0.11"),

	// Processes.
	Value("process_names", Flag, func(g *ir.Global) *bool { return &g.ProcessNames }, "Gives the child processes names of their own.").Since("2.0.16"),
	Value("process_name", Short(15), func(g *ir.Global) *string { return &g.ProcessName }, "The name of the parent process.").Otherwise("keepalived").Since("2.0.16"),
	Value("vrrp_process_name", Short(15), func(g *ir.Global) *string { return &g.VRRPProcess.Name }, "The name of the VRRP process.").Otherwise("keepalived").Since("2.0.16"),
	Value("checker_process_name", Short(15), func(g *ir.Global) *string { return &g.CheckerProcess.Name }, "The name of the checker process.").Otherwise("keepalived").Since("2.2.0"),
	Value("lvs_process_name", Short(15), func(g *ir.Global) *string { return &g.CheckerProcess.Name }, "Old name of checker_process_name.").Since("2.0.16").Deprecated("checker_process_name"),
	Value("bfd_process_name", Short(15), func(g *ir.Global) *string { return &g.BFDProcess.Name }, "The name of the BFD process.").Otherwise("keepalived").Since("2.0.16").Build("bfd"),
	Value("max_auto_priority", Optional(Int[int](-1, 99), 99), func(g *ir.Global) *int { return &g.MaxAutoPriority }, "The highest real-time priority that a late process gives itself; -1 is never.").Default("0").Since("2.1.0"),
	Value("min_auto_priority_delay", Microseconds(1, 10000000), func(g *ir.Global) *duration { return &g.MinAutoPriorityDelay }, "How late a timer must be for that.").Default("1000000").Since("2.1.0"),
	Value("vrrp_priority", Int[int](-20, 19), func(g *ir.Global) *int { return &g.VRRPProcess.Priority }, "The nice value of the VRRP process.").Default("0"),
	Value("vrrp_no_swap", Flag, func(g *ir.Global) *bool { return &g.VRRPProcess.NoSwap }, "Keeps the VRRP process in memory."),
	Value("vrrp_rt_priority", Int[int](1, 99), func(g *ir.Global) *int { return &g.VRRPProcess.RTPriority }, "The real-time priority of the VRRP process.").Otherwise("none"),
	Value("vrrp_cpu_affinity", CPUs, func(g *ir.Global) *[]string { return &g.VRRPProcess.CPUAffinity }, "The CPUs of the VRRP process.").Otherwise("all").Since("2.0.17"),
	Value("vrrp_rlimit_rttime", Microseconds(1, 1<<32-1), func(g *ir.Global) *duration { return &g.VRRPProcess.RLimitRTTime }, "How long the VRRP process may run without a pause.").Default("10000").Since("2.1.0"),
	Value("vrrp_rlimit_rtime", Microseconds(1, 1<<32-1), func(g *ir.Global) *duration { return &g.VRRPProcess.RLimitRTTime }, "Old name of vrrp_rlimit_rttime.").Deprecated("vrrp_rlimit_rttime"),
	Value("checker_priority", Int[int](-20, 19), func(g *ir.Global) *int { return &g.CheckerProcess.Priority }, "The nice value of the checker process.").Default("0"),
	Value("checker_no_swap", Flag, func(g *ir.Global) *bool { return &g.CheckerProcess.NoSwap }, "Keeps the checker process in memory."),
	Value("checker_rt_priority", Int[int](1, 99), func(g *ir.Global) *int { return &g.CheckerProcess.RTPriority }, "The real-time priority of the checker process.").Otherwise("none"),
	Value("checker_cpu_affinity", CPUs, func(g *ir.Global) *[]string { return &g.CheckerProcess.CPUAffinity }, "The CPUs of the checker process.").Otherwise("all").Since("2.0.17"),
	Value("checker_rlimit_rttime", Microseconds(1, 1<<32-1), func(g *ir.Global) *duration { return &g.CheckerProcess.RLimitRTTime }, "How long the checker process may run without a pause.").Default("10000").Since("2.1.0"),
	Value("checker_rlimit_rtime", Microseconds(1, 1<<32-1), func(g *ir.Global) *duration { return &g.CheckerProcess.RLimitRTTime }, "Old name of checker_rlimit_rttime.").Deprecated("checker_rlimit_rttime"),
	Value("bfd_priority", Int[int](-20, 19), func(g *ir.Global) *int { return &g.BFDProcess.Priority }, "The nice value of the BFD process.").Default("0").Build("bfd"),
	Value("bfd_no_swap", Flag, func(g *ir.Global) *bool { return &g.BFDProcess.NoSwap }, "Keeps the BFD process in memory.").Build("bfd"),
	Value("bfd_rt_priority", Int[int](1, 99), func(g *ir.Global) *int { return &g.BFDProcess.RTPriority }, "The real-time priority of the BFD process.").Otherwise("none").Build("bfd"),
	Value("bfd_cpu_affinity", CPUs, func(g *ir.Global) *[]string { return &g.BFDProcess.CPUAffinity }, "The CPUs of the BFD process.").Otherwise("all").Since("2.0.17").Build("bfd"),
	Value("bfd_rlimit_rttime", Microseconds(1, 1<<32-1), func(g *ir.Global) *duration { return &g.BFDProcess.RLimitRTTime }, "How long the BFD process may run without a pause.").Default("10000").Since("2.1.0").Build("bfd"),
	Value("bfd_rlimit_rtime", Microseconds(1, 1<<32-1), func(g *ir.Global) *duration { return &g.BFDProcess.RLimitRTTime }, "Old name of bfd_rlimit_rttime.").Deprecated("bfd_rlimit_rttime").Build("bfd"),

	// Sockets.
	Value("vrrp_netlink_cmd_rcv_bufs", Buffer, func(g *ir.Global) *uint32 { return &g.VRRPProcess.Commands.Size }, "The receive buffer of the VRRP process for answers of the kernel, in bytes.").Otherwise("the kernel's"),
	Value("vrrp_netlink_cmd_rcv_bufs_force", Bool, func(g *ir.Global) *bool { return &g.VRRPProcess.Commands.Force }, "That buffer may pass the limit of the kernel."),
	Value("vrrp_netlink_monitor_rcv_bufs", Buffer, func(g *ir.Global) *uint32 { return &g.VRRPProcess.Monitor.Size }, "The receive buffer of the VRRP process for news of the kernel, in bytes.").Otherwise("the kernel's"),
	Value("vrrp_netlink_monitor_rcv_bufs_force", Bool, func(g *ir.Global) *bool { return &g.VRRPProcess.Monitor.Force }, "That buffer may pass the limit of the kernel."),
	Value("lvs_netlink_cmd_rcv_bufs", Buffer, func(g *ir.Global) *uint32 { return &g.CheckerProcess.Commands.Size }, "The receive buffer of the checker process for answers of the kernel, in bytes.").Otherwise("the kernel's"),
	Value("lvs_netlink_cmd_rcv_bufs_force", Bool, func(g *ir.Global) *bool { return &g.CheckerProcess.Commands.Force }, "That buffer may pass the limit of the kernel."),
	Value("lvs_netlink_monitor_rcv_bufs", Buffer, func(g *ir.Global) *uint32 { return &g.CheckerProcess.Monitor.Size }, "The receive buffer of the checker process for news of the kernel, in bytes.").Otherwise("the kernel's"),
	Value("lvs_netlink_monitor_rcv_bufs_force", Bool, func(g *ir.Global) *bool { return &g.CheckerProcess.Monitor.Force }, "That buffer may pass the limit of the kernel."),
	Value("process_monitor_rcv_bufs", Buffer, func(g *ir.Global) *uint32 { return &g.ProcessMonitor.Size }, "The receive buffer for news of processes, in bytes.").Otherwise("the kernel's").Since("2.0.11").Build("track-process"),
	Value("process_monitor_rcv_bufs_force", Bool, func(g *ir.Global) *bool { return &g.ProcessMonitor.Force }, "That buffer may pass the limit of the kernel.").Since("2.0.11").Build("track-process"),
	Value("vrrp_rx_bufs_policy", bufferPolicy, func(g *ir.Global) *string { return &g.RxBufsPolicy }, "How large the receive buffers of instances are: by MTU, by advertisement, or bytes.").Otherwise("the kernel's").Since("2.0.3"),
	Value("vrrp_rx_bufs_multiplier", Int[uint32](1, 1<<32-1), func(g *ir.Global) *uint32 { return &g.RxBufsMultiplier }, "Multiplies the size by MTU or advertisement.").Default("3").Since("2.0.3"),

	// SNMP and D-Bus.
	Value("snmp_socket", Short(4095), func(g *ir.Global) *string { return &g.SNMPSocket }, "The AgentX socket.").First().Otherwise("that of the library").Build("snmp"),
	Value("enable_traps", Flag, func(g *ir.Global) *bool { return &g.EnableTraps }, "Sends SNMP traps.").Build("snmp"),
	Value("enable_snmp_vrrp", Flag, func(g *ir.Global) *bool { return &g.EnableSNMPVRRP }, "Serves the VRRP part of the keepalived MIB.").Build("snmp"),
	Value("enable_snmp_keepalived", Flag, func(g *ir.Global) *bool { return &g.EnableSNMPVRRP }, "Old name of enable_snmp_vrrp.").Deprecated("enable_snmp_vrrp").Build("snmp"),
	Value("enable_snmp_checker", Flag, func(g *ir.Global) *bool { return &g.EnableSNMPChecker }, "Serves the checker part of the keepalived MIB.").Build("snmp"),
	Value("enable_snmp_rfc", Flag, func(g *ir.Global) *bool { g.EnableSNMPRFCv3 = true; return &g.EnableSNMPRFCv2 }, "Serves the MIBs of RFC 2787 and RFC 6527.").Build("snmp"),
	Value("enable_snmp_rfcv2", Flag, func(g *ir.Global) *bool { return &g.EnableSNMPRFCv2 }, "Serves the MIB of RFC 2787.").Build("snmp"),
	Value("enable_snmp_rfcv3", Flag, func(g *ir.Global) *bool { return &g.EnableSNMPRFCv3 }, "Serves the MIB of RFC 6527.").Build("snmp"),
	Value("snmp_vs_stats_update_interval", Decimal(0.001, 30), func(g *ir.Global) *duration { return &g.SNMPVSStatsInterval }, "How long statistics of virtual servers are kept for SNMP.").Default("5").Since("2.3.0").Build("snmp"),
	Value("snmp_rs_stats_update_interval", Decimal(0.001, 30), func(g *ir.Global) *duration { return &g.SNMPRSStatsInterval }, "How long statistics of real servers are kept for SNMP.").Otherwise("snmp_vs_stats_update_interval").Since("2.3.0").Build("snmp"),
	Value("enable_dbus", Flag, func(g *ir.Global) *bool { return &g.EnableDBus }, "Serves D-Bus.").Build("dbus"),
	Value("dbus_service_name", String, func(g *ir.Global) *string { return &g.DBusServiceName }, "The name on the bus.").Default("org.keepalived.Vrrp1").Build("dbus"),
	Value("dbus_no_interface_name", String, func(g *ir.Global) *string { return &g.DBusNoInterfaceName }, "The part of the path for instances without an interface.").Since("2.3.0").Build("dbus"),

	// Files and reloads.
	Value("umask", as(umask, pointer), func(g *ir.Global) **ir.Umask { return &g.Umask }, "The umask of scripts and of the files that are made, as a number or as IRUSR|IWUSR.").Otherwise("0177").Since("2.0.9"),
	Value("random_seed", as(Int[uint32](0, 1<<32-1), pointer), func(g *ir.Global) **uint32 { return &g.RandomSeed }, "Makes ${_RANDOM} give the same numbers again, and on each director; keepalived 2.2.7 draws them before it reads this line.").Otherwise("the time; with keepc one for each director").Since("2.0.15"),
	Value("include_check", demands, func(g *ir.Global) *[]string { return &g.IncludeCheck }, "How strict includes are from this line on; alone: all.").Since("2.2.0"),
	Value("reload_check_config", as(Optional(Path, ""), pointer), func(g *ir.Global) **string { return &g.ReloadCheckConfig }, "Tests a new configuration before it is used, and writes the findings to the file.").Otherwise("off").Since("2.2.0"),
	Value("reload_time_file", Path, func(g *ir.Global) *string { return &g.ReloadTimeFile }, "The file that holds the time of the next reload.").Since("2.1.0"),
	Value("reload_repeat", Flag, func(g *ir.Global) *bool { return &g.ReloadRepeat }, "Keeps reading reload_time_file after the first time.").Since("2.1.0"),
	Value("reload_file", as(Optional(Path, ""), pointer), func(g *ir.Global) **string { return &g.ReloadFile }, "The file that exists while a reload runs, and after one that failed.").Otherwise("off").Since("2.2.0"),
	Value("config_save_dir", Path, func(g *ir.Global) *string { return &g.ConfigSaveDir }, "The directory that gets copies of the configuration.").Since("2.2.3"),
	Value("tmp_config_directory", Path, func(g *ir.Global) *string { return &g.TmpConfigDirectory }, "The directory of the merged configuration.").First().Otherwise("memory").Since("2.2.0").Reload(Restart),
	Value("data_use_instance", Bool, func(g *ir.Global) *bool { return &g.DataUseInstance }, "Puts the names of instance and namespace into the names of dumps.").Since("2.2.3"),
	Value("json_version", Int[int](1, 2), func(g *ir.Global) *int { return &g.JSONVersion }, "The shape of the JSON dump.").Default("1").Since("2.2.8").Build("json"),
	Value("iproute_usr_dir", Path, func(g *ir.Global) *string { return &g.IPRouteUsrDir }, "The directory of the names of routing tables that the distribution gives.").Otherwise("compiled in").Since("2.3.2"),
	Value("iproute_etc_dir", Path, func(g *ir.Global) *string { return &g.IPRouteEtcDir }, "The directory of the names of routing tables that the administrator gives.").Otherwise("compiled in").Since("2.3.2"),
	Value("state_dump_file", Path, func(g *ir.Global) *string { return &g.StateDumpFile }, "The directory and the first name of dumps.").Default("/tmp/keepalived.data").Since("2.3.3"),
	Value("stats_dump_file", Path, func(g *ir.Global) *string { return &g.StatsDumpFile }, "Read by keepalived but not used.").Default("/tmp/keepalived.stats").Since("2.3.3"),
	Value("json_dump_file", Path, func(g *ir.Global) *string { return &g.JSONDumpFile }, "Read by keepalived but not used.").Default("/tmp/keepalived.json").Since("2.3.3"),
	Value("state_file_location", Path, func(g *ir.Global) *string { return &g.StateDumpFile }, "The manual's name of state_dump_file.").Instead("state_dump_file"),
	Value("stats_file_location", Path, func(g *ir.Global) *string { return &g.StatsDumpFile }, "The manual's name of stats_dump_file.").Instead("stats_dump_file"),
	Value("json_file_location", Path, func(g *ir.Global) *string { return &g.JSONDumpFile }, "The manual's name of json_dump_file.").Instead("json_dump_file"),
	Checked[ir.Global]("plugin_dir", Path, "Once the directory of plugins.").Removed("1.2.19"),
	Value("lvs_id", String, func(g *ir.Global) *string { return &g.RouterID }, "The name of router_id up to 1.1.7.").Instead("router_id"),
)

// Copied reports whether an instance copies a value of global_defs when its block opens.
func Copied(word string) bool {
	i, ok := global.index.find(word)
	return ok && global.rows[i].Keyword.Copied
}

// orderTrap is what happens to values that blocks copy when they open.
const orderTrap = "keepalived loses it at a reload when global_defs comes after the instances."

// userOrder is where script_user must be.
const userOrder = "A script in global_defs must come after it; others must, too, or a reload forgets it for them."

// early is a script of global_defs. It runs as the user of the script_user before it: a later one is not known yet
// when it is read.
func early(word string, at func(*ir.Global) *ir.Command, text string) Row[ir.Global] {
	row := Value(word, Script, at, text)
	read := row.read
	row.read = func(r *reader, g *ir.Global) {
		read(r, g)
		if c := at(g); len(c.Args) > 0 && c.User == (ir.User{}) {
			c.User = g.ScriptUser
		}
	}
	return row
}

// umask is a number in C notation, octal with a leading 0, or names of bits separated by |.
var umask = Kind[ir.Umask]{"a number such as 022, or IRUSR|IWUSR", func(r *reader) (mask ir.Umask, ok bool) {
	const expect = "a number such as 022, or names such as IRUSR|IWUSR"
	w, ok := r.word(expect)
	if !ok {
		return 0, false
	}
	if w.Text != "" && w.Text[0] >= '0' && w.Text[0] <= '9' {
		n, err := strconv.ParseUint(w.Text, 0, 32)
		if err != nil || n > 0o777 || !cNumber.MatchString(w.Text) {
			r.invalid(w, "a umask", expect)
			return 0, false
		}
		return ir.Umask(n), true
	}
	text := w.Text
	for len(r.rest) > 0 && (strings.HasSuffix(text, "|") || strings.HasPrefix(r.peek(), "|")) {
		more, _ := r.optional()
		text += more.Text
	}
	for name := range strings.SplitSeq(text, "|") {
		bit, known := umaskBits[name]
		if !known {
			r.invalid(grammar.Word{Text: name, Span: w.Span}, "a bit of a umask", expect)
			return 0, false
		}
		mask |= bit
	}
	return mask, true
}}

// umaskBits are the names of bits that keepalived knows in a umask; IRWXG is not among them.
var umaskBits = map[string]ir.Umask{
	"IRUSR": 0o400, "IWUSR": 0o200, "IXUSR": 0o100, "IRGRP": 0o040, "IWGRP": 0o020, "IXGRP": 0o010, "IROTH": 0o004, "IWOTH": 0o002, "IXOTH": 0o001,
}

// cNumber matches the non-negative numbers of C; Go knows more forms.
var cNumber = regexp.MustCompile(`^(0[xX][0-9a-fA-F]+|[0-9]+)$`)

// mailServer is an address or a host name, and a port.
var mailServer = Kind[ir.MailServer]{"an address or a host name [port]", func(r *reader) (m ir.MailServer, ok bool) {
	w, ok := r.word("an address or a host name")
	if _, err := parseAddr(w.Text); ok && err != nil && strings.Trim(w.Text, "0123456789.") == "" {
		r.invalid(w, "an address", "an address or a host name")
		return m, false
	}
	if ok {
		if both, joined := r.joined(w); joined {
			return ir.MailServer{Host: both.Addr().String(), Port: both.Port()}, true
		}
	}
	if _, err := parseAddr(w.Text); ok && err != nil && !isHostName(w.Text) {
		host, port, cut := strings.Cut(w.Text, ":")
		if n, err := strconv.ParseUint(port, 10, 16); cut && err == nil && isHostName(host) {
			r.twoWords(w, host+" "+port, "keepalived finds no host of this name and drops the smtp_server")
			return ir.MailServer{Host: host, Port: uint16(n)}, true
		}
		r.invalid(w, "an address or a host name", "an address or a host name")
		return m, false
	}
	m = ir.MailServer{Host: w.Text, Port: 25}
	if ok && len(r.rest) > 0 {
		m.Port, ok = Port.read(r)
	}
	return m, ok
}}

// isHostName reports whether a host can have the name. Names beyond ASCII are left to the resolver.
func isHostName(name string) bool {
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		outside := func(c rune) bool {
			return c < utf8.RuneSelf && c != '-' && c != '_' && (c < '0' || c > '9') && (c|' ' < 'a' || c|' ' > 'z')
		}
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, outside) {
			return false
		}
	}
	return len(name) <= 254
}

// syncDaemon is the IPVS sync daemon. Old files have an instance and an id without their keywords after the interface.
var syncDaemon = Kind[*ir.SyncDaemon]{"an interface [inst NAME] [id 0..255] [maxlen N] [port N] [ttl N] [group ADDRESS]", func(r *reader) (*ir.SyncDaemon, bool) {
	d := &ir.SyncDaemon{}
	var ok bool
	d.Interface, ok = Interface.read(r)
	options, seen := []string{"inst", "id", "maxlen", "port", "ttl", "group"}, map[string]grammar.Word{}
	if ok && len(r.rest) > 0 && !slices.Contains(options, r.peek()) {
		w, _ := r.optional()
		d.Instance, seen["inst"] = w.Text, w
		if n, err := strconv.ParseUint(r.peek(), 10, 8); err == nil {
			r.positionalID()
			d.ID = pointer(uint8(n))
		}
	}
	whole := r.key
	for ok && len(r.rest) > 0 {
		words, findings, failed, option := r.rest, len(r.found.List), r.failed, r.rest[0]
		if !slices.Contains(options, option.Text) {
			r.unknownOption("lvs_sync_daemon line", option, options)
			r.goOnWith(words[1:], findings, failed)
			for len(r.rest) > 0 && !slices.Contains(options, r.peek()) {
				r.rest = r.rest[1:] // what was meant as its value
			}
			continue
		}
		refused := ""
		if option.Text == "inst" {
			refused = "keepalived ignores it"
		}
		r.once("lvs_sync_daemon line", seen, option.Text, refused)
		switch option.Text {
		case "inst":
			var name string
			if name, ok = Name.read(r); d.Instance == "" {
				d.Instance = name
			}
		case "id":
			var id uint8
			if id, ok = Int[uint8](0, 255).read(r); ok {
				d.ID = &id
			}
		case "maxlen":
			d.MaxLen, ok = Int[uint16](1, 65507).read(r)
		case "port":
			d.Port, ok = Port.read(r)
		case "ttl":
			d.TTL, ok = Int[uint8](1, 255).read(r)
		case "group":
			d.Group, ok = Multicast.read(r)
		}
		r.key = whole
		if !ok { // keepalived ignores this option alone
			r.goOnWith(words[min(2, len(words)):], findings, failed)
			ok = true
		}
	}
	return d, ok
}}

// goOnWith reads the rest of a line although something in it was wrong: what was found behind the first findings costs an option, and not
// the line.
func (r *reader) goOnWith(rest []grammar.Word, findings, failed int) {
	r.rest, r.failed = rest, failed
	for i := findings; i < len(r.found.List); i++ {
		r.found.List[i].Loss = diag.GoesOnWith
	}
}

// The longest names of iptables chains and of ipsets that keepalived accepts.
const (
	maxChain = 27
	maxSet   = 30
)

// positionalID reads the id of a sync daemon that lacks its keyword.
func (r *reader) positionalID() {
	w, _ := r.optional()
	r.report(diag.Diagnostic{
		Rule: "deprecated-keyword", Severity: diag.Info,
		Message: "the id of lvs_sync_daemon has no keyword",
		Span:    w.Span,
		Label:   "write id " + w.Text,
		Fixes:   []diag.Fix{replace(w.Span, "id "+w.Text)},
	})
}

// Buffer is the size of a buffer in bytes; 0 is accepted and has no effect.
var Buffer = Kind[uint32]{"1..4294967295", Int[uint32](0, 1<<32-1).read}

// CPUs is a list of processor numbers.
var CPUs = Kind[[]string]{"numbers of CPUs", func(r *reader) ([]string, bool) {
	var words []string
	for len(words) == 0 || len(r.rest) > 0 {
		w, ok := r.word("numbers of CPUs")
		if !ok {
			return nil, false
		}
		if _, ok := r.int(w, 0, 1<<16, "the number of a CPU, one word for each"); !ok {
			return nil, false
		}
		words = append(words, w.Text)
	}
	return words, true
}}

// demands is what includes must satisfy.
var demands = Kind[[]string]{"[+|-] read, match, wildcard_match, brace_match", func(r *reader) ([]string, bool) {
	var words []string
	kinds := []string{"read", "readable", "match", "wildcard_match", "brace_match"}
	for w, ok := r.optional(); ok; w, ok = r.optional() {
		if kind := strings.TrimLeft(w.Text, "+-"); kind != "" && !slices.Contains(kinds, kind) {
			r.oneOf(w, kinds)
			return nil, false
		}
		words = append(words, w.Text)
	}
	return words, true
}}

// chains are the iptables chains for incoming and outgoing packets.
var chains = Kind[[]string]{"[chain in [chain out]]", func(r *reader) ([]string, bool) {
	names, ok := shortWords(r, 2, maxChain)
	if len(names) == 0 {
		names = []string{"INPUT", "OUTPUT"}
	}
	return names, ok
}}

// ipsets are the names of sets; without names none are used.
var ipsets = Kind[*[]string]{"[names of six sets]", func(r *reader) (*[]string, bool) {
	names, ok := shortWords(r, 6, maxSet)
	return &names, ok
}}

// shortWords reads up to a number of words of limited length.
func shortWords(r *reader, most, length int) (words []string, ok bool) {
	for len(words) < most && len(r.rest) > 0 {
		w, ok := Short(length).read(r)
		if !ok {
			return words, false
		}
		words = append(words, w)
	}
	return words, true
}

// bufferPolicy is MTU, ADVERT or a size.
var bufferPolicy = Kind[string]{"MTU, ADVERT or bytes", func(r *reader) (string, bool) {
	if isNumber(r.peek()) {
		n, ok := Int[uint32](0, math.MaxUint32).read(r)
		return strconv.FormatUint(uint64(n), 10), ok
	}
	return FoldedChoice("MTU", "ADVERT").read(r)
}}
