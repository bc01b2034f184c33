package enforced

// What happens without several keywords.
const (
	unverified    = "certificates of servers are not verified, as with keepalived 2.2.7"
	trustedBefore = "that of .keepc.conf counts"

	noSNMP      = "there is no SNMP"
	noDBus      = "there is no D-Bus"
	noVRF       = "advertisements leave by the interface, whose VRF they are in anyway"
	staticAlone = "keepalived does not know the word here: only static routes and rules have it"
	ownBuffers  = "a message of the kernel that is lost costs a look at what it was about, and nothing else"
	ownCount    = "if messages about processes are lost, processes are counted again"
	briefSender = "the only thread of real-time priority sends advertisements, which takes microseconds; no loop has one"
	ownReload   = "no copy of the files is kept; keepc show --expand shows what is read"
	noPolling   = "the kernel tells at once when a link goes down; asking the driver once a second would tell of it later"
	lineLeft    = "the line is left out"
	optionLeft  = "the object is made without it"
	keyless     = "no advertisement can be signed"
	keyInFile   = "run reads the key, and refuses the file if the key is missing, does not have 32 to 64 bytes, or can be used by users other than its owner"
	keyLength   = "a key has 32 to 64 bytes, as text or in hexadecimal after hex:"
	onBase      = "advertisements leave by the interface itself, from its MAC address as those of an ipvlan do; virtual addresses are on it with keepalived, too"
	speechless  = "keepalived stays in FAULT without an address for the ipvlan interface; with one it starts, and so does keepc"
	placeless   = "keepc follows the interface of an instance: name the one that has unicast_src_ip"
	addressless = "peers send to the address of the ipvlan interface, which no director has"
)

// Blocks that share words.
const (
	addresses  = "vrrp_instance.virtual_ipaddress vrrp_instance.virtual_ipaddress_excluded static_ipaddress"
	ofInstance = "vrrp_instance.virtual_ipaddress vrrp_instance.virtual_ipaddress_excluded"
	routes     = "vrrp_instance.virtual_routes static_routes"
	rules      = "vrrp_instance.virtual_rules static_rules"
	checkers   = checks + ".TCP_CHECK " + checks + ".UDP_CHECK " + checks + ".SMTP_CHECK " + checks + ".DNS_CHECK " + pages
	echo       = checks + ".PING_CHECK"
	hosts      = checks + ".SMTP_CHECK.host"
	pages      = checks + ".HTTP_GET " + checks + ".SSL_GET"
	urls       = checks + ".HTTP_GET.url " + checks + ".SSL_GET.url"
	tunnels    = "virtual_server.lb_kind virtual_server.lvs_method virtual_server.sorry_server_lvs_method virtual_server.real_server.lvs_method"
)

// list is every keyword with its answer.
var list = []row{
	{words: "global_defs vrrp_sync_group vrrp_instance vrrp_script track_file vrrp_track_file vrrp_track_process bfd_instance virtual_server virtual_server_group static_ipaddress static_routes static_rules track_group garp_group", answer: Enforced},
	{words: "vrrp_instance", answer: Refused, why: placeless, when: "without interface", where: placelessInstances},
	{words: "net_namespace net_namespace_ipvs use_pid_dir instance", answer: Enforced},
	{blocks: "bfd_instance", answer: Enforced, words: "neighbor_ip neighbour_ip source_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit max_hops weight vrrp checker"},
	{blocks: "bfd_instance", answer: LeftOut, why: "keepalived 2.2.7 does not know it: the session has port 3784, and max_hops", words: "multihop"},
	{words: "linkbeat_interfaces linkbeat_use_polling", answer: LeftOut, why: noPolling},
	{words: "interface_up_down_delays child_wait_time", answer: Enforced},
	{words: "SSL", answer: Enforced},
	{blocks: "SSL", words: "certificate key password ca", answer: Enforced},
	{blocks: "SSL", words: "ca", answer: LeftOut, why: unverified, when: "without verify_certificates in .keepc.conf", where: unverifiedServers},
	{blocks: "SSL", words: "ca", answer: LeftOut, why: trustedBefore, when: "beside ca of verify_certificates", where: trustedOtherwise},
	{words: "namespace_with_ipsets", answer: LeftOut, why: "no_accept uses sets of nftables, which belong to the namespace anyway"},

	{blocks: "global_defs", answer: Enforced, words: `
		router_id enable_script_security script_user umask vrrp_version default_interface dynamic_interfaces
		vrrp_mcast_group4 vrrp_mcast_group6 vrrp_check_unicast_src vrrp_owner_ignore_adverts vrrp_skip_check_adv_addr v3_checksum_as_v2
		vrrp_down_timer_adverts vrrp_lower_prio_no_advert vrrp_higher_prio_send_advert
		vrrp_garp_master_delay vrrp_garp_master_repeat vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat
		vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat vmac_prefix vmac_addr_prefix`},
	{blocks: "global_defs", answer: Enforced, words: "lvs_timeouts lvs_sync_daemon"},
	{blocks: "global_defs", answer: Enforced, words: `
		notification_email notification_email_from smtp_server smtp_helo_name smtp_connect_timeout smtp_alert smtp_alert_vrrp no_email_faults`},
	{blocks: "global_defs", answer: Enforced, words: "smtp_alert_checker no_checker_emails"},
	{blocks: "global_defs", answer: LeftOut, why: "a script has the group of its user, and no others, as with every keepalived that was released", words: "set_supplementary_groups"},
	{blocks: "global_defs", answer: LeftOut, why: "links in the path of a script are followed when the file is read, as keepalived 2.2.7 does", words: "use_symlink_paths"},
	{blocks: "global_defs", answer: Enforced, words: `
		startup_script startup_script_timeout shutdown_script shutdown_script_timeout rs_init_notifies`},
	{blocks: "global_defs", answer: Enforced, words: "vrrp_notify_priority_changes notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script"},
	{blocks: "global_defs", answer: Enforced, words: "lvs_notify_fifo lvs_notify_fifo_script fifo_write_vrrp_states_on_reload"},
	{blocks: "global_defs", answer: Enforced, words: "log_unknown_vrids disable_local_igmp vrrp_startup_delay vrrp_delay_after_boot vrrp_garp_extra_if vrrp_vmac_garp_intvl"},
	{blocks: "global_defs", answer: Enforced, words: "vrrp_strict vrrp_iptables vrrp_ipsets nftables nftables_priority nftables_ifindex nftables_counters"},
	{blocks: "global_defs", answer: Enforced, words: "vrrp_garp_interval vrrp_gna_interval vrrp_min_garp"},
	{blocks: "garp_group", answer: Enforced, words: "garp_interval gna_interval interface interfaces"},
	{blocks: "global_defs", answer: Enforced, words: "lvs_flush lvs_flush_on_stop lvs_flush_onstop checker_log_all_failures"},
	{blocks: "global_defs", answer: LeftOut, why: "each address of a virtual_server_group is a virtual server of its own", words: "nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark"},
	{blocks: "global_defs", answer: Enforced, words: "process_names process_name vrrp_process_name checker_process_name lvs_process_name bfd_process_name"},
	{blocks: "global_defs", answer: Enforced, words: `
		max_auto_priority min_auto_priority_delay
		vrrp_priority vrrp_no_swap vrrp_rt_priority vrrp_cpu_affinity
		checker_priority checker_no_swap checker_rt_priority checker_cpu_affinity
		bfd_priority bfd_no_swap bfd_rt_priority bfd_cpu_affinity`},
	{blocks: "global_defs", answer: LeftOut, why: briefSender, words: `
		vrrp_rlimit_rttime vrrp_rlimit_rtime checker_rlimit_rttime checker_rlimit_rtime bfd_rlimit_rttime bfd_rlimit_rtime`},
	{blocks: "global_defs", answer: LeftOut, why: ownBuffers, words: `
		vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force
		lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force`},
	{blocks: "global_defs", answer: LeftOut, why: ownCount, words: "process_monitor_rcv_bufs process_monitor_rcv_bufs_force"},
	{blocks: "global_defs", answer: Enforced, words: "vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier"},
	{blocks: "global_defs", answer: LeftOut, why: noSNMP, words: `
		snmp_socket enable_traps enable_snmp_vrrp enable_snmp_keepalived enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2
		enable_snmp_rfcv3 snmp_vs_stats_update_interval snmp_rs_stats_update_interval`},
	{blocks: "global_defs", answer: LeftOut, why: noDBus, words: "enable_dbus dbus_service_name dbus_no_interface_name"},
	{blocks: "global_defs", answer: LeftOut, why: "a file that is missing is a finding of check", words: "include_check"},
	{blocks: "global_defs", answer: LeftOut, why: ownReload, words: "config_save_dir tmp_config_directory"},
	{blocks: "global_defs", answer: Enforced, words: "random_seed reload_time_file reload_repeat reload_file data_use_instance state_dump_file"},
	{blocks: "global_defs", answer: LeftOut, why: "each file is tested before it replaces the one in force, and what is found is in the log", words: "reload_check_config"},
	{blocks: "global_defs", answer: LeftOut, why: "under the name keepalived dumps have the shape of 2.2.7; see keepc status", words: "json_version"},
	{blocks: "global_defs", answer: LeftOut, why: "keepalived reads it, too, and does not use it", words: "stats_dump_file json_dump_file"},
	{blocks: "global_defs", answer: Enforced, words: "iproute_usr_dir iproute_etc_dir"},

	{blocks: "vrrp_instance", answer: Enforced, words: `
		state interface virtual_router_id priority advert_int version virtual_ipaddress virtual_ipaddress_excluded no_virtual_ipaddress
		authentication nopreempt preempt preempt_delay down_timer_adverts lower_prio_no_advert higher_prio_send_advert mcast_src_ip
		unicast_peer unicast_src_ip unicast_fault_no_peer unicast_ttl check_unicast_src old_unicast_checksum track_src_ip mcast_dst_ip
		owner_ignore_adverts skip_check_adv_addr v3_checksum_as_v2
		track_interface track_script track_file track_process dont_track_primary virtual_routes virtual_rules accept native_ipv6
		use_vmac use_vmac_addr vmac_xmit_base
		garp_master_delay garp_master_repeat garp_master_refresh garp_master_refresh_repeat garp_lower_prio_delay garp_lower_prio_repeat`},
	{blocks: "vrrp_instance.unicast_peer", words: "min_ttl max_ttl", answer: Enforced},
	{blocks: "vrrp_instance", words: "auth_hmac", answer: Enforced},
	{blocks: "vrrp_instance.auth_hmac", words: "key active_key time_window anti_replay mode", answer: Enforced},
	{blocks: "vrrp_instance", words: "auth_hmac", answer: Refused, why: keyless, when: "without a key", where: keylessInstances},
	{blocks: "vrrp_instance", words: "auth_hmac", answer: Refused, why: keyless, when: "with an active_key that is not one of its keys", where: inactiveKeys},
	{blocks: "vrrp_instance", words: "auth_hmac", answer: Refused, why: keyLength, when: "with a key that is too short, too long or not hexadecimal", where: oddKeys},
	{blocks: "vrrp_instance", words: "auth_hmac", answer: Unread, why: keyInFile, when: "with a key in a file", where: keysInFiles},
	{blocks: "vrrp_instance", words: "use_ipvlan", answer: LeftOut, why: onBase, when: "to a multicast group", where: spokenByBase},
	{blocks: "vrrp_instance", words: "use_ipvlan", answer: Refused, why: speechless, when: "over IPv4 without an address", where: speechlessIPVLAN},
	{blocks: "vrrp_instance", words: "use_ipvlan", answer: Refused, why: addressless, when: "with unicast_peer", where: unicastIPVLAN},
	{blocks: "vrrp_instance", words: "garp_extra_if vmac_garp_intvl timer_expired_backup thread_timer_expired promote_secondaries kernel_rx_buf_size", answer: Enforced},
	{blocks: "vrrp_instance", words: "vrf", answer: LeftOut, why: noVRF},
	{blocks: "vrrp_instance", words: "strict_mode no_accept", answer: Enforced},
	{blocks: "vrrp_instance vrrp_sync_group", words: "track_bfd", answer: Enforced},
	{blocks: "vrrp_instance", words: "debug", answer: LeftOut, why: "-v says how much is logged"},
	{blocks: "vrrp_instance", answer: Enforced, words: `
		notify notify_master notify_backup notify_fault notify_stop notify_deleted notify_master_rx_lower_pri notify_priority_changes`},
	{blocks: "vrrp_instance", words: "smtp_alert", answer: Enforced},
	{blocks: "vrrp_instance", words: "lvs_sync_daemon_interface", answer: Enforced},
	{blocks: "vrrp_instance", words: "linkbeat_use_polling", answer: LeftOut, why: noPolling},
	{blocks: "vrrp_sync_group", answer: Enforced, words: `
		group track_interface track_script track_file track_process sync_group_tracking_weight global_tracking`},
	{blocks: "vrrp_instance.track_bfd vrrp_sync_group.track_bfd", words: "weight", answer: Enforced},
	{blocks: "vrrp_sync_group", answer: Enforced, words: "notify notify_master notify_backup notify_fault notify_stop"},
	{blocks: "vrrp_sync_group", answer: Enforced, words: "notify_priority_changes"},
	{blocks: "vrrp_sync_group", words: "smtp_alert", answer: Enforced},
	{blocks: "vrrp_instance.authentication", words: "auth_type auth_pass", answer: Enforced},
	{blocks: "vrrp_instance.track_interface vrrp_instance.track_script vrrp_instance.track_file vrrp_instance.track_process", words: "weight", answer: Enforced},
	{blocks: "vrrp_sync_group.track_interface vrrp_sync_group.track_script vrrp_sync_group.track_file vrrp_sync_group.track_process", words: "weight", answer: Enforced},

	{blocks: addresses, words: "dev label scope broadcast brd peer -nodad home mngtmpaddr noprefixroute autojoin preferred_lft", answer: Enforced},
	{blocks: addresses, words: "no_track", answer: Enforced},
	{blocks: ofInstance, words: "use_vmac", answer: Enforced},

	{blocks: routes, answer: Enforced, words: `
		inet inet6 src to via gw or tos dsfield table protocol scope metric priority preference dev oif onlink nexthop add prepend
		mtu hoplimit advmss rtt rttvar reordering window cwnd ssthresh realms rto_min initcwnd initrwnd features quickack congctl
		fastopen_no_cookie unicast local broadcast multicast anycast nat throw blackhole unreachable prohibit`},
	{blocks: routes, words: "from encap expires pref append", answer: Enforced},
	{blocks: routes, words: "as", answer: LeftOut, why: "keepalived drops the line, too"},
	{blocks: routes, words: "vrf", answer: LeftOut, why: lineLeft},
	{blocks: routes, words: "ttl-propagate", answer: LeftOut, why: "the kernel uses it for routes of MPLS alone"},
	{blocks: routes, words: "no_track", answer: Enforced},
	{blocks: "track_group", words: "group", answer: Enforced},
	{blocks: "static_ipaddress static_routes static_rules", words: "track_group", answer: Enforced},
	{blocks: "vrrp_instance.virtual_routes vrrp_instance.virtual_rules", words: "track_group", answer: LeftOut, why: staticAlone},
	{blocks: rules, answer: Enforced, words: `
		inet inet6 from to not table lookup preference order priority tos dsfield fwmark realms suppress_prefixlength sup_pl
		suppress_ifgroup sup_group dev iif oif uidrange protocol ipproto sport dport goto nop blackhole unreachable prohibit type`},
	{blocks: rules, words: "tunnel-id l3mdev", answer: Enforced},
	{blocks: rules, words: "no_track", answer: Enforced},
	{words: "static_routes static_rules", answer: LeftOut, why: lineLeft, when: "with a value that keepc does not know", where: staticLines},
	{blocks: "vrrp_instance", words: "virtual_routes virtual_rules", answer: LeftOut, why: lineLeft, when: "with a value that keepc does not know", where: virtualLines},

	{blocks: "vrrp_script", words: "script interval timeout weight rise fall user", answer: Enforced},
	{blocks: "vrrp_script", words: "init_fail", answer: LeftOut, why: "the first result of the script decides, as with keepalived 2.2.7"},
	{blocks: "track_file vrrp_track_file", words: "file weight init_file", answer: Enforced},
	{blocks: "vrrp_track_process", answer: Enforced, words: "process param_match weight quorum quorum_max delay terminate_delay fork_delay full_command"},

	{blocks: "virtual_server", answer: Enforced, words: `
		protocol lb_algo lvs_sched lb_kind lvs_method persistence_timeout persistence_granularity persistence_engine ops
		flag-1 flag-2 flag-3 sh-fallback sh-port mh-fallback mh-port weight ip_family real_server
		sorry_server sorry_server_inhibit sorry_server_lvs_method quorum hysteresis alpha inhibit_on_failure
		delay_loop connect_timeout retry delay_before_retry warmup`},
	{blocks: tunnels, words: "type port nocsum csum remcsum", answer: Enforced},
	{blocks: "virtual_server", words: "quorum_up quorum_down omega", answer: Enforced},
	{blocks: "virtual_server.real_server", words: "notify_up notify_down", answer: Enforced},
	{blocks: "virtual_server", words: "hashed", answer: LeftOut, why: "it has no meaning in keepalived either"},
	{blocks: "virtual_server", words: "ha_suspend", answer: Enforced},
	{blocks: "virtual_server virtual_server.real_server", words: "virtualhost", answer: Enforced},
	{blocks: "virtual_server virtual_server.real_server", words: "smtp_alert", answer: Enforced},
	{blocks: "virtual_server virtual_server.real_server", words: "snmp_name", answer: LeftOut, why: noSNMP},
	{blocks: "virtual_server.real_server", answer: Enforced, words: `
		weight lvs_method uthreshold lthreshold inhibit_on_failure alpha delay_loop connect_timeout retry delay_before_retry warmup`},
	{blocks: checks, words: "TCP_CHECK UDP_CHECK HTTP_GET SSL_GET SMTP_CHECK DNS_CHECK PING_CHECK MISC_CHECK FILE_CHECK BFD_CHECK", answer: Enforced},
	{blocks: checkers, answer: Enforced, words: `
		connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry delay_before_retry warmup delay_loop alpha`},
	{blocks: checks + ".UDP_CHECK", answer: Enforced, words: "payload require_reply min_reply_length max_reply_length"},
	{blocks: pages, answer: Enforced, words: "url virtualhost http_protocol enable_sni sni_name fast_recovery nb_get_retry"},
	{blocks: checks + ".SSL_GET " + checks + ".SSL_GET.url", answer: Enforced, words: "tls_compliant"},
	{blocks: urls, answer: Enforced, words: `
		path digest status_code virtualhost regex regex_no_match regex_options regex_min_offset regex_max_offset`},
	{blocks: urls, words: "regex", answer: LeftOut, why: "the page counts as right whatever it says", when: "with what PCRE2 alone knows", where: strangeRegexes},
	{blocks: urls, words: "regex_stack", answer: LeftOut, why: "searching a page needs no stack of its own"},
	{blocks: checks + ".SMTP_CHECK", answer: Enforced, words: "helo_name host"},
	{blocks: hosts, answer: Enforced, words: "connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark"},
	{blocks: hosts, answer: LeftOut, why: "what the check around it says counts", words: "retry delay_before_retry warmup delay_loop alpha log_all_failures"},
	{blocks: checks + ".DNS_CHECK", answer: Enforced, words: "type name"},
	{blocks: echo, answer: Enforced, words: "connect_ip bindto bind_if connect_timeout fwmark retry delay_before_retry warmup delay_loop alpha"},
	{blocks: echo, answer: LeftOut, why: "an echo has no port", words: "connect_port bind_port"},
	{blocks: checks + ".BFD_CHECK", answer: Enforced, words: "name alpha"},
	{blocks: checks + ".FILE_CHECK", answer: Enforced, words: "track_file weight"},
	{blocks: checks + ".MISC_CHECK", answer: Enforced, words: "misc_path misc_timeout misc_dynamic user retry delay_before_retry warmup delay_loop alpha"},
	{blocks: checkers + " " + checks + ".MISC_CHECK " + echo, words: "log_all_failures", answer: Enforced},
}
