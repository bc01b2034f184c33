package schema

import (
	"strings"

	"keepc/compiler/ir"
)

// root is the top level of the file.
var root = block(Head[ir.Config]{}, ir.Config{},
	Nested("global_defs", global, func(c *ir.Config) *ir.Global { return &c.Global }, "Settings of the whole director, and what other blocks take where they are silent.").Repeat(),
	Each("vrrp_instance", instance, func(c *ir.Config) *[]*ir.VRRPInstance { return &c.Instances }, "One virtual router of this director."),
	Each("vrrp_sync_group", syncGroup, func(c *ir.Config) *[]*ir.SyncGroup { return &c.SyncGroups }, "Instances that change their state together.").Unenforced(),
	Each("vrrp_script", script, func(c *ir.Config) *[]*ir.Script { return &c.Scripts }, "A program whose result instances track; it must stand before them."),
	Each("track_file", trackFile, func(c *ir.Config) *[]*ir.TrackFile { return &c.TrackFiles }, "A file whose number changes priorities.").Since("2.1.0"),
	Each("vrrp_track_file", trackFile, func(c *ir.Config) *[]*ir.TrackFile { return &c.TrackFiles }, "Old name of track_file.").Deprecated("track_file"),
	Each("vrrp_track_process", trackProcess, func(c *ir.Config) *[]*ir.TrackProcess { return &c.TrackProcesses }, "Processes that instances track.").Since("2.0.11").Build("track-process"),
	Each("bfd_instance", bfd, func(c *ir.Config) *[]*ir.BFD { return &c.BFDs }, "A BFD session with a neighbour.").Unenforced(),
	Each("track_group", trackGroup, func(c *ir.Config) *[]*ir.TrackGroup { return &c.TrackGroups }, "Instances that static addresses, routes and rules follow.").Since("2.0.3").Unenforced(),
	Each("virtual_server", virtualServer, func(c *ir.Config) *[]*ir.VirtualServer { return &c.VirtualServers }, "One virtual service of IPVS."),
	serverGroup,
	Lines("static_ipaddress", staticAddress, func(c *ir.Config) *[]ir.Address { return &c.StaticAddresses }, "Addresses that exist always.").Unenforced(),
	Lines("static_routes", route, func(c *ir.Config) *[]ir.Route { return &c.StaticRoutes }, "Routes that exist always.").Unenforced(),
	Lines("static_rules", rule, func(c *ir.Config) *[]ir.Rule { return &c.StaticRules }, "Routing rules that exist always.").Unenforced(),
	CheckedBlock[ir.Config]("garp_group", garpGroup, "Limits gratuitous ARPs over one or several interfaces.").Repeat(),
	CheckedLines[ir.Config]("linkbeat_interfaces", linkbeat, "Interfaces whose link is polled.").Since("2.0.13").Build("linkbeat"),
	Checked[ir.Config]("linkbeat_use_polling", Flag, "Polls the link of every interface.").Build("linkbeat"),
	CheckedLines[ir.Config]("interface_up_down_delays", upDownDelay, "How long an interface must be down or up before it counts.").Since("2.2.3"),
	CheckedBlock[ir.Config]("SSL", tls, "The certificate that SSL_GET shows."),
	Checked[ir.Config]("net_namespace", String, "The network namespace to run in.").Otherwise("that of the caller").Reload(Restart),
	Checked[ir.Config]("net_namespace_ipvs", Optional(String, ""), "The network namespace of IPVS.").Otherwise("net_namespace").Since("2.1.0").Reload(Restart),
	Checked[ir.Config]("namespace_with_ipsets", Flag, "Allows ipsets inside a network namespace."),
	Checked[ir.Config]("use_pid_dir", Flag, "Puts pid files into a directory of their own."),
	Checked[ir.Config]("instance", String, "The name of this daemon among several on one host.").Reload(Restart),
	Checked[ir.Config]("child_wait_time", Seconds(0, 1<<32-1), "How long the stop waits for child processes.").Default("5"),
	Skipped[ir.Config]("local_address_group", "The local addresses of FULLNAT.").Foreign(fullNAT),
	Skipped[ir.Config]("real_group", "A block of the first versions.").Removed("1.0.0"),
	Skipped[ir.Config]("real_server_group", "A block of the first versions.").Removed("1.0.0"),
)

// newGlobal says what the director does where global_defs is silent and no row has a default.
var newGlobal = ir.Global{GARPLowerPrioDelay: ir.Unset, GARPLowerPrioRepeat: ir.Unset}

var tls = block(Head[none]{}, none{},
	Checked[none]("password", Secret, "The pass phrase of the key.").Secret(),
	Checked[none]("ca", Path, "The certificates of authorities."),
	Checked[none]("certificate", Path, "The certificate of the client."),
	Checked[none]("key", Path, "The key of the client."),
)

var global = block(Head[ir.Global]{}, newGlobal,
	Value("router_id", String, func(g *ir.Global) *string { return &g.RouterID }, "The name of this director in mail, SNMP and logs.").Otherwise("the host name"),

	// Mail.
	Names("notification_email", func(g *ir.Global) *[]ir.Name { return &g.Recipients }, "Who gets mail.").Unenforced(),
	Checked[ir.Global]("notification_email_from", String, "The sender of mail.").Otherwise("user@host"),
	Value("smtp_server", mailServer, func(g *ir.Global) *string { return &g.SMTPServer }, "The mail server and its port.").Otherwise("none; port 25").Unenforced(),
	Checked[ir.Global]("smtp_helo_name", String, "The name in HELO.").Otherwise("the host name"),
	Checked[ir.Global]("smtp_connect_timeout", Seconds(1, 4294), "How long the mail server may take.").Default("30"),
	Checked[ir.Global]("smtp_alert", Bool, "Whether blocks that do not say send mail."),
	Checked[ir.Global]("smtp_alert_vrrp", Bool, "Whether instances and groups that do not say send mail.").Otherwise("smtp_alert"),
	Checked[ir.Global]("smtp_alert_checker", Bool, "Whether virtual servers that do not say send mail.").Otherwise("smtp_alert"),
	Checked[ir.Global]("no_email_faults", Flag, "No mail for FAULT."),
	Checked[ir.Global]("no_checker_emails", Bool, "No mail about real servers."),

	// Scripts.
	Value("enable_script_security", Flag, func(g *ir.Global) *bool { return &g.ScriptSecurity }, "Scripts that others than root may change are not run."),
	Value("script_user", Account, func(g *ir.Global) *ir.User { return &g.ScriptUser }, "Who runs scripts that name no user and stand behind this line.").Otherwise("keepalived_script, else root"),
	Checked[ir.Global]("use_symlink_paths", Bool, "Keeps symbolic links in the paths of scripts.").Since("2.3.0"),
	Checked[ir.Global]("set_supplementary_groups", Bool, "Scripts run with all groups of their user.").Since("2.4.4"),
	Checked[ir.Global]("startup_script", Script, "Runs before anything else.").Since("2.1.0"),
	Checked[ir.Global]("startup_script_timeout", Seconds(1, 1000), "How long the startup_script may take.").Default("10").Since("2.1.0"),
	Checked[ir.Global]("shutdown_script", Script, "Runs after everything else.").Since("2.1.0"),
	Checked[ir.Global]("shutdown_script_timeout", Seconds(1, 1000), "How long the shutdown_script may take.").Default("10").Since("2.1.0"),
	Checked[ir.Global]("notify_fifo", Fifo, "A named pipe that gets all transitions."),
	Checked[ir.Global]("notify_fifo_script", Script, "Reads notify_fifo, whose path is its last argument."),
	Checked[ir.Global]("vrrp_notify_fifo", Fifo, "A named pipe that gets the transitions of instances and groups."),
	Checked[ir.Global]("vrrp_notify_fifo_script", Script, "Reads vrrp_notify_fifo, whose path is its last argument."),
	Checked[ir.Global]("lvs_notify_fifo", Fifo, "A named pipe that gets the changes of virtual and real servers."),
	Checked[ir.Global]("lvs_notify_fifo_script", Script, "Reads lvs_notify_fifo, whose path is its last argument."),
	Checked[ir.Global]("vrrp_notify_priority_changes", Bool, "Whether instances that do not say tell changes of their priority.").Since("2.0.16"),
	Checked[ir.Global]("fifo_write_vrrp_states_on_reload", Flag, "Writes all states to the named pipes after a reload.").Since("2.2.5"),
	Checked[ir.Global]("rs_init_notifies", Bool, "Tells the first state of real servers too."),

	// VRRP.
	Value("vrrp_version", Int[uint8](2, 3), func(g *ir.Global) *uint8 { return &g.Version }, "The version of VRRP of instances that do not say.").Default("2"),
	Value("vrrp_strict", Bool, func(g *ir.Global) *bool { return &g.Strict }, "Whether instances that do not say follow the RFC to the letter.").Note("keepalived 2.2.7 takes any value as on.").Unenforced(),
	Value("default_interface", Interface, func(g *ir.Global) *string { return &g.DefaultInterface }, "The interface of static addresses that name none.").Default("eth0"),
	Value("dynamic_interfaces", as(Optional(Choice("allow_if_changes"), ""), func(string) bool { return true }), func(g *ir.Global) *bool { return &g.DynamicInterfaces }, "Interfaces may come and go while the daemon runs.").Reload(Restart),
	Checked[ir.Global]("vrrp_mcast_group4", Multicast4, "The group that advertisements over IPv4 are sent to.").Default("224.0.0.18"),
	Checked[ir.Global]("vrrp_mcast_group6", Multicast6, "The group that advertisements over IPv6 are sent to.").Default("ff02::12"),
	Value("vrrp_down_timer_adverts", Int[int](1, 100), func(g *ir.Global) *int { return &g.DownTimerAdverts }, "Advertisements that must be missed before the take-over.").Default("3").Since("2.2.3").Copied(),
	Value("vrrp_lower_prio_no_advert", Bool, func(g *ir.Global) *bool { return &g.LowerPrioNoAdvert }, "A MASTER leaves advertisements of a lower priority unanswered.").Otherwise("off; on in strict mode"),
	Value("vrrp_higher_prio_send_advert", Bool, func(g *ir.Global) *bool { return &g.HigherPrioSendAdvert }, "A MASTER sends one more advertisement when it yields to a higher priority."),
	Checked[ir.Global]("vrrp_owner_ignore_adverts", Bool, "Owners of their addresses (priority 255) ignore what others advertise.").Since("2.3.3"),
	Checked[ir.Global]("vrrp_check_unicast_src", Flag, "Drops unicast advertisements that do not come from a peer."),
	Checked[ir.Global]("vrrp_skip_check_adv_addr", Bool, "Compares the addresses of an advertisement only when its sender changes.").Copied(),
	Checked[ir.Global]("v3_checksum_as_v2", Flag, "Leaves the pseudo header out of the checksum of version 3 over IPv4.").Since("2.2.8").Note("keepalived sets it whatever its value is.").Copied(),
	Checked[ir.Global]("log_unknown_vrids", Flag, "Logs advertisements of groups that the file does not know.").Since("2.0.16"),
	Checked[ir.Global]("disable_local_igmp", Flag, "No IGMP reports for groups of the link.").Since("2.2.0").Reload(Restart),
	Checked[ir.Global]("vrrp_startup_delay", Decimal(0.001, 4294.967295), "How long instances wait at the start.").Otherwise("0").Since("2.0.14"),
	Checked[ir.Global]("vrrp_delay_after_boot", Decimal(0.001, 4294.967295), "How long instances wait after the boot of the host.").Otherwise("0").Since("2.4.0"),
	Checked[ir.Global]("vmac_prefix", String, "How the names of macvlan interfaces begin.").Default("vrrp").Since("2.2.0").Build("vmac"),
	Checked[ir.Global]("vmac_addr_prefix", String, "How the names of interfaces that use_vmac_addr makes begin.").Default("vrrp").Since("2.2.0").Build("vmac"),
	Checked[ir.Global]("vrrp_iptables", AnyWords("[chain in [chain out]]"), "The chains of no_accept.").Otherwise("INPUT and OUTPUT").Build("iptables"),
	Checked[ir.Global]("vrrp_ipsets", AnyWords("[names of six sets]"), "The sets of no_accept; alone: none are used.").Otherwise("names that begin with keepalived").Build("ipset"),
	Checked[ir.Global]("nftables", Optional(Short(254), ""), "Uses nftables for no_accept and virtual MAC addresses, in a table of this name.").Otherwise("keepalived").Since("2.0.11").Build("nftables").Reload(Restart),
	Checked[ir.Global]("nftables_priority", Int[int](-1<<31, 1<<31-1), "The priority of the chains.").Default("-1").Since("2.0.11").Build("nftables"),
	Checked[ir.Global]("nftables_ifindex", Flag, "Matches interfaces by number instead of name.").Since("2.0.11").Build("nftables"),
	Checked[ir.Global]("nftables_counters", Flag, "Adds counters to the rules.").Since("2.0.11").Build("nftables"),

	// Gratuitous ARP and neighbour advertisements.
	Value("vrrp_garp_master_delay", Seconds(0, 4294), func(g *ir.Global) *duration { return &g.GARPMasterDelay }, "The time to the second burst of a new MASTER; 0 is none.").Default("5").Copied(),
	Value("vrrp_garp_master_repeat", Int[int](1, 1<<32-1), func(g *ir.Global) *int { return &g.GARPMasterRepeat }, "Gratuitous ARPs for each address in a burst.").Default("5").Copied(),
	Value("vrrp_garp_master_refresh", Seconds(0, 1<<32-1), func(g *ir.Global) *duration { return &g.GARPMasterRefresh }, "The time between bursts that refresh caches; 0 is never.").Default("0").Copied(),
	Value("vrrp_garp_master_refresh_repeat", Int[int](1, 1<<32-1), func(g *ir.Global) *int { return &g.GARPMasterRefreshRepeat }, "Gratuitous ARPs for each address in a refresh.").Default("1").Copied(),
	Value("vrrp_garp_lower_prio_delay", Seconds(0, 4294), func(g *ir.Global) *duration { return &g.GARPLowerPrioDelay }, "The time to the second burst after an advertisement of a lower priority.").Otherwise("vrrp_garp_master_delay"),
	Value("vrrp_garp_lower_prio_repeat", Int[int](0, 1<<31-1), func(g *ir.Global) *int { return &g.GARPLowerPrioRepeat }, "Gratuitous ARPs for each address after an advertisement of a lower priority.").Otherwise("vrrp_garp_master_repeat"),
	Checked[ir.Global]("vrrp_garp_interval", Decimal(0.000001, 4294.967295), "The time between two gratuitous ARPs on an interface.").Otherwise("0"),
	Checked[ir.Global]("vrrp_gna_interval", Decimal(0.000001, 4294.967295), "The time between two neighbour advertisements on an interface.").Otherwise("0"),
	Checked[ir.Global]("vrrp_min_garp", Bool, "One gratuitous ARP, no second burst, no refresh, where the lines before say nothing.").Since("2.0.12"),
	Checked[ir.Global]("vrrp_garp_extra_if", AllSeconds(1, 86400), "Also announces on the other interfaces when virtual MAC addresses are used.").Since("2.2.3").Build("vmac"),
	Checked[ir.Global]("vrrp_vmac_garp_intvl", AllSeconds(1, 86400), "Old name of vrrp_garp_extra_if.").Since("2.2.0").Deprecated("vrrp_garp_extra_if").Build("vmac"),

	// IPVS.
	Value("lvs_timeouts", timeouts, func(g *ir.Global) *ir.Timeouts { return &g.LVSTimeouts }, "How long IPVS remembers silent connections.").Otherwise("the kernel's"),
	Checked[ir.Global]("lvs_flush", Flag, "Removes all of IPVS at the start."),
	Checked[ir.Global]("lvs_flush_on_stop", Optional(Choice("VS"), ""), "Removes all of IPVS at the stop; with VS only the virtual servers of this file.").Since("2.2.0"),
	Checked[ir.Global]("lvs_flush_onstop", Optional(Choice("VS"), ""), "Old name of lvs_flush_on_stop.").Since("2.0.15").Deprecated("lvs_flush_on_stop"),
	Checked[ir.Global]("lvs_sync_daemon", AnyWords("an interface [inst NAME] [id 0..255] [maxlen N] [port N] [ttl N] [group ADDRESS]"), "Sends the connections of IPVS to the other director."),
	Checked[ir.Global]("nftables_ipvs", Optional(Short(254), ""), "Marks the packets of virtual_server_groups with nftables, in a table of this name.").Otherwise("keepalived_ipvs").Since("2.2.2").Build("nftables").Reload(Restart),
	Checked[ir.Global]("nftables_ipvs_priority", Int[int](-1<<31, 1<<31-1), "The priority of the chain.").Default("-1").Since("2.2.2").Build("nftables"),
	Checked[ir.Global]("nftables_ipvs_start_fwmark", Int[int](1, 1<<32-1), "The first firewall mark that is used.").Default("1000").Since("2.2.2").Build("nftables"),
	Checked[ir.Global]("checker_log_all_failures", Bool, "Logs every failed check, not only the last.").Since("2.0.11"),

	// Processes.
	Checked[ir.Global]("process_names", Flag, "Gives the child processes names of their own.").Since("2.0.16"),
	Checked[ir.Global]("process_name", Short(15), "The name of the parent process.").Default("keepalived").Since("2.0.16"),
	Checked[ir.Global]("vrrp_process_name", Short(15), "The name of the VRRP process.").Default("keepalived").Since("2.0.16"),
	Checked[ir.Global]("checker_process_name", Short(15), "The name of the checker process.").Default("keepalived").Since("2.2.0"),
	Checked[ir.Global]("lvs_process_name", Short(15), "Old name of checker_process_name.").Since("2.0.16").Deprecated("checker_process_name"),
	Checked[ir.Global]("bfd_process_name", Short(15), "The name of the BFD process.").Default("keepalived").Since("2.0.16").Build("bfd"),
	Checked[ir.Global]("max_auto_priority", Optional(Int[int](-1, 99), 99), "The highest real-time priority that a late process gives itself; -1 is never.").Default("0").Since("2.1.0"),
	Checked[ir.Global]("min_auto_priority_delay", Microseconds(1, 10000000), "How late a timer must be for that.").Default("1000000").Since("2.1.0"),
	Checked[ir.Global]("vrrp_priority", Int[int](-20, 19), "The nice value of the VRRP process.").Default("0"),
	Checked[ir.Global]("vrrp_no_swap", Flag, "Keeps the VRRP process in memory."),
	Checked[ir.Global]("vrrp_rt_priority", Int[int](1, 99), "The real-time priority of the VRRP process.").Otherwise("none"),
	Checked[ir.Global]("vrrp_cpu_affinity", Words("numbers of CPUs"), "The CPUs of the VRRP process.").Otherwise("all").Since("2.0.17"),
	Checked[ir.Global]("vrrp_rlimit_rttime", Microseconds(1, 1<<32-1), "How long the VRRP process may run without a pause.").Default("10000").Since("2.1.0"),
	Checked[ir.Global]("vrrp_rlimit_rtime", Microseconds(1, 1<<32-1), "Old name of vrrp_rlimit_rttime.").Deprecated("vrrp_rlimit_rttime"),
	Checked[ir.Global]("checker_priority", Int[int](-20, 19), "The nice value of the checker process.").Default("0"),
	Checked[ir.Global]("checker_no_swap", Flag, "Keeps the checker process in memory."),
	Checked[ir.Global]("checker_rt_priority", Int[int](1, 99), "The real-time priority of the checker process.").Otherwise("none"),
	Checked[ir.Global]("checker_cpu_affinity", Words("numbers of CPUs"), "The CPUs of the checker process.").Otherwise("all").Since("2.0.17"),
	Checked[ir.Global]("checker_rlimit_rttime", Microseconds(1, 1<<32-1), "How long the checker process may run without a pause.").Default("10000").Since("2.1.0"),
	Checked[ir.Global]("checker_rlimit_rtime", Microseconds(1, 1<<32-1), "Old name of checker_rlimit_rttime.").Deprecated("checker_rlimit_rttime"),
	Checked[ir.Global]("bfd_priority", Int[int](-20, 19), "The nice value of the BFD process.").Default("0").Build("bfd"),
	Checked[ir.Global]("bfd_no_swap", Flag, "Keeps the BFD process in memory.").Build("bfd"),
	Checked[ir.Global]("bfd_rt_priority", Int[int](1, 99), "The real-time priority of the BFD process.").Otherwise("none").Build("bfd"),
	Checked[ir.Global]("bfd_cpu_affinity", Words("numbers of CPUs"), "The CPUs of the BFD process.").Otherwise("all").Since("2.0.17").Build("bfd"),
	Checked[ir.Global]("bfd_rlimit_rttime", Microseconds(1, 1<<32-1), "How long the BFD process may run without a pause.").Default("10000").Since("2.1.0").Build("bfd"),
	Checked[ir.Global]("bfd_rlimit_rtime", Microseconds(1, 1<<32-1), "Old name of bfd_rlimit_rttime.").Deprecated("bfd_rlimit_rttime").Build("bfd"),

	// Sockets.
	Checked[ir.Global]("vrrp_netlink_cmd_rcv_bufs", Int[int](1, 1<<32-1), "The receive buffer of the VRRP process for answers of the kernel, in bytes.").Otherwise("the kernel's"),
	Checked[ir.Global]("vrrp_netlink_cmd_rcv_bufs_force", Bool, "That buffer may pass the limit of the kernel."),
	Checked[ir.Global]("vrrp_netlink_monitor_rcv_bufs", Int[int](1, 1<<32-1), "The receive buffer of the VRRP process for news of the kernel, in bytes.").Otherwise("the kernel's"),
	Checked[ir.Global]("vrrp_netlink_monitor_rcv_bufs_force", Bool, "That buffer may pass the limit of the kernel."),
	Checked[ir.Global]("lvs_netlink_cmd_rcv_bufs", Int[int](1, 1<<32-1), "The receive buffer of the checker process for answers of the kernel, in bytes.").Otherwise("the kernel's"),
	Checked[ir.Global]("lvs_netlink_cmd_rcv_bufs_force", Bool, "That buffer may pass the limit of the kernel."),
	Checked[ir.Global]("lvs_netlink_monitor_rcv_bufs", Int[int](1, 1<<32-1), "The receive buffer of the checker process for news of the kernel, in bytes.").Otherwise("the kernel's"),
	Checked[ir.Global]("lvs_netlink_monitor_rcv_bufs_force", Bool, "That buffer may pass the limit of the kernel."),
	Checked[ir.Global]("process_monitor_rcv_bufs", Int[int](1, 1<<32-1), "The receive buffer for news of processes, in bytes.").Otherwise("the kernel's").Since("2.0.11").Build("track-process"),
	Checked[ir.Global]("process_monitor_rcv_bufs_force", Bool, "That buffer may pass the limit of the kernel.").Since("2.0.11").Build("track-process"),
	Checked[ir.Global]("vrrp_rx_bufs_policy", bufferPolicy, "How large the receive buffers of instances are: by MTU, by advertisement, or bytes.").Otherwise("the kernel's").Since("2.0.3"),
	Checked[ir.Global]("vrrp_rx_bufs_multiplier", Int[int](1, 1<<32-1), "Multiplies the size by MTU or advertisement.").Default("3").Since("2.0.3"),

	// SNMP and D-Bus.
	Checked[ir.Global]("snmp_socket", Short(4095), "The AgentX socket.").Otherwise("that of the library").Build("snmp"),
	Checked[ir.Global]("enable_traps", Flag, "Sends SNMP traps.").Build("snmp"),
	Checked[ir.Global]("enable_snmp_vrrp", Flag, "Serves the VRRP part of the keepalived MIB.").Build("snmp"),
	Checked[ir.Global]("enable_snmp_keepalived", Flag, "Old name of enable_snmp_vrrp.").Deprecated("enable_snmp_vrrp").Build("snmp"),
	Checked[ir.Global]("enable_snmp_checker", Flag, "Serves the checker part of the keepalived MIB.").Build("snmp"),
	Checked[ir.Global]("enable_snmp_rfc", Flag, "Serves the MIBs of RFC 2787 and RFC 6527.").Build("snmp"),
	Checked[ir.Global]("enable_snmp_rfcv2", Flag, "Serves the MIB of RFC 2787.").Build("snmp"),
	Checked[ir.Global]("enable_snmp_rfcv3", Flag, "Serves the MIB of RFC 6527.").Build("snmp"),
	Checked[ir.Global]("snmp_vs_stats_update_interval", Decimal(0.001, 30), "How long statistics of virtual servers are kept for SNMP.").Default("5").Since("2.3.0").Build("snmp"),
	Checked[ir.Global]("snmp_rs_stats_update_interval", Decimal(0.001, 30), "How long statistics of real servers are kept for SNMP.").Otherwise("snmp_vs_stats_update_interval").Since("2.3.0").Build("snmp"),
	Checked[ir.Global]("enable_dbus", Flag, "Serves D-Bus.").Build("dbus"),
	Checked[ir.Global]("dbus_service_name", String, "The name on the bus.").Default("org.keepalived.Vrrp1").Build("dbus"),
	Checked[ir.Global]("dbus_no_interface_name", String, "The part of the path for instances without an interface.").Since("2.3.0").Build("dbus"),

	// Files and reloads.
	Checked[ir.Global]("umask", String, "The umask of files, as a number or as IRUSR|IWUSR.").Otherwise("that of the caller").Since("2.0.9"),
	Checked[ir.Global]("random_seed", Int[int](0, 1<<32-1), "Makes ${_RANDOM} give the same numbers again.").Otherwise("the time").Since("2.0.15"),
	Checked[ir.Global]("include_check", AnyWords("[+|-] read, match, wildcard_match, brace_match"), "How strict includes are from this line on; alone: all.").Since("2.2.0"),
	Checked[ir.Global]("reload_check_config", Optional(Path, ""), "Tests a new configuration before it is used, and writes the findings to the file.").Otherwise("off").Since("2.2.0"),
	Checked[ir.Global]("reload_time_file", Path, "The file that holds the time of the next reload.").Since("2.1.0"),
	Checked[ir.Global]("reload_repeat", Flag, "Keeps reading reload_time_file after the first time.").Since("2.1.0"),
	Checked[ir.Global]("reload_file", Optional(Path, ""), "The file that exists while a reload runs, and after one that failed.").Otherwise("off").Since("2.2.0"),
	Checked[ir.Global]("config_save_dir", Path, "The directory that gets copies of the configuration.").Since("2.2.3"),
	Checked[ir.Global]("tmp_config_directory", Path, "The directory of the merged configuration.").Otherwise("memory").Since("2.2.0").Reload(Restart),
	Checked[ir.Global]("data_use_instance", Bool, "Puts the names of instance and namespace into the names of dumps.").Since("2.2.3"),
	Checked[ir.Global]("json_version", Int[int](1, 2), "The shape of the JSON dump.").Default("1").Since("2.2.8").Build("json"),
	Checked[ir.Global]("iproute_usr_dir", Path, "The directory of the names of routing tables that the distribution gives.").Otherwise("compiled in").Since("2.3.2"),
	Checked[ir.Global]("iproute_etc_dir", Path, "The directory of the names of routing tables that the administrator gives.").Otherwise("compiled in").Since("2.3.2"),
	Checked[ir.Global]("state_dump_file", Path, "The directory and the first name of dumps.").Default("/tmp/keepalived.data").Since("2.3.3"),
	Checked[ir.Global]("stats_dump_file", Path, "Read by keepalived but not used.").Default("/tmp/keepalived.stats").Since("2.3.3"),
	Checked[ir.Global]("json_dump_file", Path, "Read by keepalived but not used.").Default("/tmp/keepalived.json").Since("2.3.3"),
	Checked[ir.Global]("state_file_location", Path, "The manual's name of state_dump_file.").Instead("state_dump_file"),
	Checked[ir.Global]("stats_file_location", Path, "The manual's name of stats_dump_file.").Instead("stats_dump_file"),
	Checked[ir.Global]("json_file_location", Path, "The manual's name of json_dump_file.").Instead("json_dump_file"),
	Checked[ir.Global]("plugin_dir", Path, "Once the directory of plugins.").Removed("1.2.19"),
	Value("lvs_id", String, func(g *ir.Global) *string { return &g.RouterID }, "The name of router_id up to 1.1.7.").Instead("router_id"),
)

// Copied tells whether an instance takes a copy of a value of global_defs when its block opens.
func Copied(word string) bool {
	i, ok := global.index[word]
	return ok && global.rows[i].Keyword.Copied
}

// orderTrap is what happens to values that blocks copy when they are opened.
const orderTrap = "keepalived loses it at a reload when global_defs stands behind the instances."

// mailServer is an address or a host name, and a port.
var mailServer = Kind[string]{"an address or a host name [port]", func(r *reader) (string, bool) {
	w, ok := r.word("an address or a host name")
	if _, err := parseAddr(w.Text); ok && err != nil && strings.Trim(w.Text, "0123456789.") == "" {
		r.invalid(w, "an address", "an address or a host name")
		return "", false
	}
	if ok && len(r.rest) > 0 {
		_, ok = Port.read(r)
	}
	return w.Text, ok
}}

// bufferPolicy is MTU, ADVERT or a size.
var bufferPolicy = Kind[string]{"MTU, ADVERT or bytes", func(r *reader) (string, bool) {
	if s := r.peek(); isNumber(s) {
		r.optional()
		return s, true
	}
	return FoldedChoice("MTU", "ADVERT").read(r)
}}
