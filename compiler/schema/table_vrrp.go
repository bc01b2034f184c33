package schema

import (
	"errors"
	"strconv"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

var instance = block(head(Name, func(v *ir.VRRPInstance) *string { return &v.Name }), newInstance,
	Value("state", role, func(v *ir.VRRPInstance) *ir.State { return &v.State },
		"The role that the instance asks for at its start; priorities decide what it becomes.").Otherwise("MASTER with priority 255, else BACKUP"),
	Value("interface", Interface, func(v *ir.VRRPInstance) *string { return &v.Interface },
		"The interface that carries the advertisements, and the addresses that name no other.").Vital(),
	Value("virtual_router_id", Int[uint8](1, 255), func(v *ir.VRRPInstance) *uint8 { return &v.VRID },
		"The number that the routers of one group share.").Required().Vital(),
	Value("priority", Int[uint8](1, 255), func(v *ir.VRRPInstance) *uint8 { return &v.Priority },
		"The router with the highest priority becomes MASTER; 255 owns the addresses and takes over at once.").Otherwise("100; 255 with state MASTER"),
	Value("advert_int", Decimal(0.01, 255), func(v *ir.VRRPInstance) *duration { return &v.AdvertInterval },
		"The time between two advertisements.").Default("1").Note("Version 2 knows whole seconds only, version 3 at most 40.95."),
	Value("version", Int[uint8](2, 3), func(v *ir.VRRPInstance) *uint8 { return &v.Version },
		"The version of VRRP.").Otherwise("vrrp_version; 3 with IPv6"),
	Lines("virtual_ipaddress", virtualAddress, func(v *ir.VRRPInstance) *[]ir.Address { return &v.Addresses },
		"The addresses that the MASTER holds and advertises.").Kernel(),
	Lines("virtual_ipaddress_excluded", excludedAddress, func(v *ir.VRRPInstance) *[]ir.Address { return &v.Addresses },
		"More addresses that the MASTER holds but does not advertise; they may be of the other family.").Kernel(),
	Value("no_virtual_ipaddress", Flag, func(v *ir.VRRPInstance) *bool { return &v.NoVirtualAddress },
		"Allows an instance without addresses.").Since("2.2.8"),
	Nested("authentication", authentication, func(v *ir.VRRPInstance) *ir.Authentication { return &v.Auth },
		"The password of the group; version 3 has none.").Build("vrrp-auth"),
	Part("auth_hmac", authHMAC, func(v *ir.VRRPInstance) **ir.AuthHMAC { return &v.AuthHMAC },
		"Signs every advertisement with HMAC-SHA256; only keepalived understands it.").Since("2.4.0").Build("vrrp-auth"),

	Value("nopreempt", Flag, func(v *ir.VRRPInstance) *bool { return &v.NoPreempt },
		"A higher priority does not take the role from a living MASTER.").Note("Has no effect with state MASTER or priority 255."),
	Value("preempt", Not, func(v *ir.VRRPInstance) *bool { return &v.NoPreempt },
		"Takes nopreempt back.").Same("nopreempt"),
	Value("preempt_delay", Decimal(0, 1000), func(v *ir.VRRPInstance) *duration { return &v.PreemptDelay },
		"How long a lower-priority MASTER is left alone after start or recovery.").Default("0"),
	Value("down_timer_adverts", Int[int](1, 100), func(v *ir.VRRPInstance) *int { return &v.DownTimerAdverts },
		"How many advertisements must be missed before the take-over.").Otherwise("vrrp_down_timer_adverts").Since("2.2.3"),
	Value("lower_prio_no_advert", Bool, func(v *ir.VRRPInstance) *bool { return &v.LowerPrioNoAdvert },
		"A MASTER leaves advertisements of a lower priority unanswered.").Otherwise("vrrp_lower_prio_no_advert"),
	Value("higher_prio_send_advert", Bool, func(v *ir.VRRPInstance) *bool { return &v.HigherPrioSendAdvert },
		"A MASTER sends one more advertisement when it yields to a higher priority.").Otherwise("vrrp_higher_prio_send_advert"),
	Value("owner_ignore_adverts", Bool, func(v *ir.VRRPInstance) *bool { return &v.OwnerIgnoreAdverts },
		"The owner of the addresses (priority 255) ignores what others advertise.").Otherwise("vrrp_owner_ignore_adverts").Since("2.3.3"),
	Value("timer_expired_backup", Optional(Int[int](1, 254), 254), func(v *ir.VRRPInstance) *int { return &v.TimerExpiredBackup },
		"Become BACKUP instead of MASTER when the own timer fired too late; needs nopreempt.").Since("2.2.8"),
	Value("thread_timer_expired", Optional(Int[int](1, 254), 254), func(v *ir.VRRPInstance) *int { return &v.TimerExpiredBackup },
		"Old name of timer_expired_backup.").Since("2.3.2").Deprecated("timer_expired_backup"),

	Value("mcast_src_ip", Addr, func(v *ir.VRRPInstance) *address { return &v.SourceAddr },
		"The source address of advertisements.").Otherwise("the first address of the interface"),
	Value("unicast_src_ip", Addr, func(v *ir.VRRPInstance) *address { return &v.SourceAddr },
		"The source address of unicast advertisements.").Otherwise("the first address of the interface"),
	Value("mcast_dst_ip", Multicast, func(v *ir.VRRPInstance) *address { return &v.MulticastGroup },
		"The group that advertisements of this instance are sent to.").Otherwise("vrrp_mcast_group4 or vrrp_mcast_group6").Since("2.2.5"),
	Lines("unicast_peer", unicastPeer, func(v *ir.VRRPInstance) *[]ir.UnicastPeer { return &v.Unicast },
		"The routers that get advertisements by unicast instead of multicast."),
	Value("unicast_fault_no_peer", Flag, func(v *ir.VRRPInstance) *bool { return &v.UnicastFaultNoPeer },
		"Without a peer the instance is in FAULT instead of using multicast.").Since("2.2.5"),
	Value("unicast_ttl", as(Int[uint8](0, 255), pointer), func(v *ir.VRRPInstance) **uint8 { return &v.UnicastTTL },
		"The TTL or hop limit of unicast advertisements.").Otherwise("255 with IPv4, the kernel's with IPv6").Since("2.1.0"),
	Value("check_unicast_src", Flag, func(v *ir.VRRPInstance) *bool { return &v.CheckUnicastSource },
		"Drops advertisements that do not come from a peer.").Otherwise("vrrp_check_unicast_src").Since("2.1.0"),
	Value("old_unicast_checksum", Optional(Choice(ir.ChecksumNever), ir.ChecksumAlways), func(v *ir.VRRPInstance) *string { return &v.OldUnicastChecksum },
		"Uses the unicast checksum of version 1.3.6 and before in VRRP version 3.").Build("checksum-compat"),
	Value("track_src_ip", Flag, func(v *ir.VRRPInstance) *bool { return &v.TrackSourceAddr },
		"FAULT while the source address is missing."),
	Value("native_ipv6", Flag, func(v *ir.VRRPInstance) *bool { return &v.NativeIPv6 },
		"Makes the instance one of IPv6; the addresses tell that by themselves.").Deprecated("IPv6 addresses alone"),

	Value("use_vmac", vmac, func(v *ir.VRRPInstance) *ir.VMAC { v.UseVMAC = true; return &v.VMAC },
		"Sends from the virtual MAC address of the group, through a macvlan interface.").Build("vmac"),
	Value("use_vmac_addr", Flag, func(v *ir.VRRPInstance) *bool { return &v.UseVMACAddr },
		"Makes macvlan interfaces for addresses on other interfaces too.").Since("2.2.0").Build("vmac"),
	Value("vmac_xmit_base", Flag, func(v *ir.VRRPInstance) *bool { return &v.VMACXmitBase },
		"Sends advertisements from the real interface although there is a virtual MAC address.").Build("vmac"),
	Value("use_ipvlan", ipvlan, func(v *ir.VRRPInstance) **ir.IPVLAN { return &v.IPVLAN },
		"Uses an ipvlan interface instead of macvlan.").Since("2.0.17").Build("ipvlan"),
	Value("garp_extra_if", AllSeconds(0, 86400), func(v *ir.VRRPInstance) *ir.ExtraGARP { return &v.GARPExtraInterface },
		"Also announces on the other interfaces when a virtual MAC address is used, every so many seconds; 0 is off.").Otherwise("vrrp_garp_extra_if").Since("2.2.3").Build("vmac"),
	Value("vmac_garp_intvl", AllSeconds(0, 86400), func(v *ir.VRRPInstance) *ir.ExtraGARP { return &v.GARPExtraInterface },
		"Old name of garp_extra_if.").Since("2.2.0").Deprecated("garp_extra_if").Build("vmac"),
	Value("vrf", Interface, func(v *ir.VRRPInstance) *string { return &v.VRF },
		"The VRF of an instance that names no interface.").Since("2.2.5").Build("vrf"),

	Value("dont_track_primary", Flag, func(v *ir.VRRPInstance) *bool { return &v.DontTrackPrimary },
		"A dead interface does not put its own instance into FAULT."),
	Lines("track_interface", trackInterface, func(v *ir.VRRPInstance) *[]ir.Track { return &v.TrackInterfaces },
		"Interfaces whose state changes the priority, or is a FAULT when they have no weight."),
	Lines("track_script", trackScript, func(v *ir.VRRPInstance) *[]ir.Track { return &v.TrackScripts },
		"Scripts whose result changes the priority, or is a FAULT when they have no weight."),
	Lines("track_file", trackFileLine, func(v *ir.VRRPInstance) *[]ir.Track { return &v.TrackFiles },
		"Files whose number changes the priority."),
	Lines("track_process", trackProcessLine, func(v *ir.VRRPInstance) *[]ir.Track { return &v.TrackProcesses },
		"Processes whose presence changes the priority, or whose absence is a FAULT when they have no weight.").Since("2.0.11").Build("track-process"),
	Lines("track_bfd", trackBFD, func(v *ir.VRRPInstance) *[]ir.Track { return &v.TrackBFDs },
		"BFD sessions whose state changes the priority, or is a FAULT when they have no weight.").Build("bfd"),

	Lines("virtual_routes", route, func(v *ir.VRRPInstance) *[]ir.Route { return &v.Routes }, "Routes that exist while the instance is MASTER."),
	Lines("virtual_rules", rule, func(v *ir.VRRPInstance) *[]ir.Rule { return &v.Rules }, "Routing rules that exist while the instance is MASTER."),
	Value("promote_secondaries", Flag, func(v *ir.VRRPInstance) *bool { return &v.PromoteSecondaries },
		"Removing an address of a network leaves the others of that network alone."),
	Value("accept", Flag, func(v *ir.VRRPInstance) *bool { return &v.Accept }, "Takes traffic to the addresses while not their owner.").Otherwise("on; off in strict mode"),
	Value("no_accept", Not, func(v *ir.VRRPInstance) *bool { return &v.Accept }, "Drops traffic to the addresses while not their owner.").Same("accept").Build("firewall"),

	Value("garp_master_delay", Seconds(0, 4294), func(v *ir.VRRPInstance) *duration { return &v.GARPMasterDelay },
		"The time to the second burst of gratuitous ARPs of a new MASTER; 0 is none.").Otherwise("vrrp_garp_master_delay"),
	Value("garp_master_repeat", Int[int](1, 1<<32-1), func(v *ir.VRRPInstance) *int { return &v.GARPMasterRepeat },
		"Gratuitous ARPs for each address in a burst.").Otherwise("vrrp_garp_master_repeat"),
	Value("garp_master_refresh", Seconds(0, 1<<32-1), func(v *ir.VRRPInstance) *duration { return &v.GARPMasterRefresh },
		"The time between bursts that a MASTER sends to refresh caches; 0 is never.").Otherwise("vrrp_garp_master_refresh"),
	Value("garp_master_refresh_repeat", Int[int](1, 1<<32-1), func(v *ir.VRRPInstance) *int { return &v.GARPMasterRefreshRepeat },
		"Gratuitous ARPs for each address in a refresh.").Otherwise("vrrp_garp_master_refresh_repeat"),
	Value("garp_lower_prio_delay", Seconds(0, 4294), func(v *ir.VRRPInstance) *duration { return &v.GARPLowerPrioDelay },
		"The time to the second burst after an advertisement of a lower priority.").Otherwise("vrrp_garp_lower_prio_delay"),
	Value("garp_lower_prio_repeat", Int[int](0, 1<<31-1), func(v *ir.VRRPInstance) *int { return &v.GARPLowerPrioRepeat },
		"Gratuitous ARPs for each address after an advertisement of a lower priority.").Otherwise("vrrp_garp_lower_prio_repeat"),

	Value("strict_mode", Bool, func(v *ir.VRRPInstance) *bool { return &v.Strict },
		"Follows the RFC to the letter.").Otherwise("vrrp_strict"),
	Value("skip_check_adv_addr", Bool, func(v *ir.VRRPInstance) *bool { return &v.SkipCheckAdvAddr },
		"Compares the addresses of an advertisement only when its sender changes.").Otherwise("vrrp_skip_check_adv_addr").Note("keepalived sets it even when the value is off."),
	Value("v3_checksum_as_v2", Bool, func(v *ir.VRRPInstance) *bool { return &v.V3ChecksumAsV2 },
		"Leaves the pseudo header out of the checksum of version 3 over IPv4.").Otherwise("v3_checksum_as_v2 of global_defs").Since("2.2.8"),
	Value("kernel_rx_buf_size", Int[uint32](0, 1<<32-1), func(v *ir.VRRPInstance) *uint32 { return &v.KernelRxBufSize },
		"The receive buffer of the socket in bytes.").Otherwise("vrrp_rx_bufs_policy").Since("2.0.3"),
	Value("debug", Int[int](0, 4), func(v *ir.VRRPInstance) *int { return &v.Debug }, "How much the instance writes to the log.").Default("0"),

	Value("notify", Script, func(v *ir.VRRPInstance) *ir.Command { return &v.Notify.Any }, `Runs at every transition, with "INSTANCE name state priority" behind its arguments.`).First(),
	Value("notify_master", Script, func(v *ir.VRRPInstance) *ir.Command { return &v.Notify.Master }, "Runs when the instance becomes MASTER.").First(),
	Value("notify_backup", Script, func(v *ir.VRRPInstance) *ir.Command { return &v.Notify.Backup }, "Runs when the instance becomes BACKUP.").First(),
	Value("notify_fault", Script, func(v *ir.VRRPInstance) *ir.Command { return &v.Notify.Fault }, "Runs when the instance goes into FAULT.").First(),
	Value("notify_stop", Script, func(v *ir.VRRPInstance) *ir.Command { return &v.Notify.Stop }, "Runs when the daemon stops.").First(),
	Value("notify_deleted", Optional(Script, ir.Command{}), func(v *ir.VRRPInstance) *ir.Command { v.NotifiesDeleted = true; return &v.NotifyDeleted }, "Runs when a reload takes the instance away, which then reports DELETED instead of FAULT.").First().Since("2.1.0"),
	Value("notify_master_rx_lower_pri", Script, func(v *ir.VRRPInstance) *ir.Command { return &v.NotifyLowerPriority }, "Runs when a MASTER hears a lower priority.").First().Since("2.0.6"),
	Value("notify_priority_changes", Bool, func(v *ir.VRRPInstance) *bool { return &v.NotifyPriorityChanges }, "Tells changes of the effective priority too.").Otherwise("vrrp_notify_priority_changes").Since("2.0.16"),
	Value("smtp_alert", Bool, func(v *ir.VRRPInstance) *bool { return &v.SMTPAlert }, "Sends mail at transitions.").Otherwise("smtp_alert_vrrp"),

	Value("lvs_sync_daemon_interface", Interface, func(v *ir.VRRPInstance) *string { return &v.LVSSyncInterface },
		"The interface of the IPVS sync daemon.").Deprecated("lvs_sync_daemon in global_defs"),
	Value("linkbeat_use_polling", Flag, func(v *ir.VRRPInstance) *bool { return &v.LinkbeatPolling },
		"Polls the link of the interface.").Deprecated("linkbeat_interfaces at the top level").Build("linkbeat"),

	misnamed[ir.VRRPInstance]("vrid", "virtual_router_id"),
	misnamed[ir.VRRPInstance]("vip", "virtual_ipaddress"),
	misnamed[ir.VRRPInstance]("vips", "virtual_ipaddress"),
	misnamed[ir.VRRPInstance]("virtual_ip", "virtual_ipaddress"),
	misnamed[ir.VRRPInstance]("notify_slave", "notify_backup"),
)

// role is MASTER or BACKUP; the terms of other programs are reported with the word that is meant.
var role = Kind[ir.State]{masterOrBackup.Expect, func(r *reader) (ir.State, bool) {
	switch strings.ToUpper(strings.Trim(r.peek(), ";,'")) {
	case "SLAVE", "STANDBY", "SECONDARY", "PASSIVE", "REPLICA":
		r.oneOf(r.rest[0], []string{ir.Backup.String()})
		return ir.Backup, false
	case "PRIMARY", "ACTIVE", "LEADER":
		r.oneOf(r.rest[0], []string{ir.Master.String()})
		return ir.Master, false
	}
	return masterOrBackup.read(r)
}}

var masterOrBackup = Enum(ir.Master, ir.Backup)

// newInstance sets the values of a vrrp_instance for which nothing is said; what it takes from global_defs is filled
// in last.
var newInstance = ir.VRRPInstance{
	Accept:                  true,
	DownTimerAdverts:        ir.Unset,
	GARPMasterDelay:         ir.Unset,
	GARPMasterRepeat:        ir.Unset,
	GARPMasterRefresh:       ir.Unset,
	GARPMasterRefreshRepeat: ir.Unset,
	GARPLowerPrioDelay:      ir.Unset,
	GARPLowerPrioRepeat:     ir.Unset,
}

var authentication = block(Head[ir.Authentication]{}, ir.Authentication{},
	Value("auth_type", Enum(ir.AuthPass, ir.AuthAH), func(a *ir.Authentication) *ir.AuthType { return &a.Type },
		"PASS sends the password in every advertisement, AH signs with it.").Build("vrrp-auth"),
	Value("auth_pass", Password, func(a *ir.Authentication) *ir.Secret { return &a.Pass },
		"The password; the wire carries its first eight bytes, readable for everyone on the network.").Secret().Build("vrrp-auth"),
	misnamed[ir.Authentication]("type", "auth_type"),
	misnamed[ir.Authentication]("password", "auth_pass").Secret(),
	misnamed[ir.Authentication]("auth_password", "auth_pass").Secret(),
)

var authHMAC = block(Head[ir.AuthHMAC]{}, ir.AuthHMAC{},
	Add("key", list(hmacKey), func(a *ir.AuthHMAC) *[]ir.HMACKey { return &a.Keys }, "A key by its number; several may be given.").Secret().Since("2.4.0").Build("vrrp-auth"),
	Value("active_key", Int[uint8](1, 255), func(a *ir.AuthHMAC) *uint8 { return &a.ActiveKey }, "The key that signs.").Otherwise("the first key").Since("2.4.0").Build("vrrp-auth"),
	Value("time_window", Seconds(1, 300), func(a *ir.AuthHMAC) *duration { return &a.TimeWindow }, "How far clocks may differ.").Otherwise("3 x advert_int, at least 5").Since("2.4.0").Build("vrrp-auth"),
	Value("anti_replay", Choice("time", "monotonic"), func(a *ir.AuthHMAC) *string { return &a.AntiReplay }, "How a repeated advertisement is recognised.").Default("time").Since("2.4.0").Build("vrrp-auth"),
	Value("mode", Choice("enforce", "permissive", "receive-only"), func(a *ir.AuthHMAC) *string { return &a.Mode }, "For a step by step roll-out.").Default("enforce").Since("2.4.0").Build("vrrp-auth"),
)

// hmacKey is the id and the text of a key. One that cannot be used is kept, so that it is not missed, too.
var hmacKey = Kind[ir.HMACKey]{"1..255 and a key (hex:..., file:PATH or text)", func(r *reader) (k ir.HMACKey, ok bool) {
	if k.ID, ok = Int[uint8](1, 255).read(r); !ok {
		return k, false
	}
	w, ok := r.word("a key")
	if !ok {
		return k, false
	}
	r.secrets = append(r.secrets, w.Span)
	k.Key = ir.NewSecret(w.Text)
	d := diag.Diagnostic{Severity: diag.Error, Kind: diag.Value, Span: w.Span}
	switch _, err := k.Bytes(); {
	case errors.Is(err, ir.ErrKeyLength):
		d.Rule, d.Message, d.Label = "value-range", "a key of auth_hmac is too short or too long", "expected 32 to 64 bytes, or twice as many digits after hex:"
		r.report(d)
	case errors.Is(err, ir.ErrKeyDigits):
		d.Rule, d.Message, d.Label = "invalid-value", "a key of auth_hmac is not hexadecimal", "expected two digits for each byte after hex:"
		r.report(d)
	}
	return k, true
}}

// vmac is how the macvlan interface of an instance is made.
var vmac = Kind[ir.VMAC]{"[name] [MAC] [netlink_notify_msg] [group G]", func(r *reader) (v ir.VMAC, ok bool) {
	for ok = true; ok && len(r.rest) > 0; {
		w, _ := r.optional()
		switch {
		case w.Text == "netlink_notify_msg":
			v.NetlinkNotify = true
		case w.Text == "group":
			v.Group, ok = interfaceGroup.read(r)
		case strings.Contains(w.Text, ":"):
			if ok = isMAC(w.Text); !ok {
				r.invalid(w, "a MAC address of its own", "six pairs of digits that are not those of a group (00:00:5e:00:01:..)")
			}
			v.MAC = w.Text
		default:
			v.Name = w.Text
		}
	}
	return v, ok
}}

// isMAC reports whether a text is a MAC address that an instance can have besides that of its group; after five bytes
// comes the VRID.
func isMAC(s string) bool {
	pairs := strings.Split(s, ":")
	for _, p := range pairs {
		if _, err := strconv.ParseUint(p, 16, 8); err != nil {
			return false
		}
	}
	return (len(pairs) == 6 || len(pairs) == 5) && !strings.HasPrefix(s, "00:00:5e:00:01") && !strings.HasPrefix(s, "00:00:5e:00:02")
}

// ipvlan is how the ipvlan interface of an instance is made.
var ipvlan = Kind[*ir.IPVLAN]{"[name] [address] [bridge|private|vepa] [group G]", func(r *reader) (*ir.IPVLAN, bool) {
	v, ok := &ir.IPVLAN{Mode: "bridge"}, true
	for ok && len(r.rest) > 0 {
		w, _ := r.optional()
		addr, _, _ := strings.Cut(w.Text, "/")
		_, err := parseAddr(addr)
		switch {
		case w.Text == "bridge", w.Text == "private", w.Text == "vepa":
			v.Mode = w.Text
		case w.Text == "group":
			v.Group, ok = interfaceGroup.read(r)
		case err == nil:
			v.Address = w.Text
		default:
			v.Name = w.Text
		}
	}
	return v, ok
}}

var syncGroup = block(head(Name, func(g *ir.SyncGroup) *string { return &g.Name }), ir.SyncGroup{},
	Names("group", func(g *ir.SyncGroup) *[]ir.Name { return &g.Members }, "The instances of the group.").Required().First(),
	misnamed[ir.SyncGroup]("instances", "group"),
	misnamed[ir.SyncGroup]("members", "group"),
	Lines("track_interface", trackInterface, func(g *ir.SyncGroup) *[]ir.Track { return &g.TrackInterfaces }, "Interfaces that every member tracks."),
	Lines("track_script", trackScript, func(g *ir.SyncGroup) *[]ir.Track { return &g.TrackScripts }, "Scripts that every member tracks."),
	Lines("track_file", trackFileLine, func(g *ir.SyncGroup) *[]ir.Track { return &g.TrackFiles }, "Files that every member tracks."),
	Lines("track_process", trackProcessLine, func(g *ir.SyncGroup) *[]ir.Track { return &g.TrackProcesses }, "Processes that every member tracks.").Since("2.0.11").Build("track-process"),
	Lines("track_bfd", trackBFD, func(g *ir.SyncGroup) *[]ir.Track { return &g.TrackBFDs }, "BFD sessions that every member tracks.").Build("bfd"),
	Value("sync_group_tracking_weight", Flag, func(g *ir.SyncGroup) *bool { return &g.TrackingWeight }, "Lets trackers with a weight work inside the group."),
	Value("global_tracking", Flag, func(g *ir.SyncGroup) *bool { return &g.TrackingWeight }, "Old name of sync_group_tracking_weight.").Deprecated("sync_group_tracking_weight"),
	Value("notify", Script, func(g *ir.SyncGroup) *ir.Command { return &g.Notify.Any }, `Runs at every transition, with "GROUP name state 0" behind its arguments.`).First(),
	Value("notify_master", Script, func(g *ir.SyncGroup) *ir.Command { return &g.Notify.Master }, "Runs when the group becomes MASTER.").First(),
	Value("notify_backup", Script, func(g *ir.SyncGroup) *ir.Command { return &g.Notify.Backup }, "Runs when the group becomes BACKUP.").First(),
	Value("notify_fault", Script, func(g *ir.SyncGroup) *ir.Command { return &g.Notify.Fault }, "Runs when the group goes into FAULT.").First(),
	Value("notify_stop", Script, func(g *ir.SyncGroup) *ir.Command { return &g.Notify.Stop }, "Runs when the daemon stops.").First(),
	Value("notify_priority_changes", Bool, func(g *ir.SyncGroup) *bool { return &g.NotifyPriorityChanges }, "Tells changes of the effective priority too.").Otherwise("vrrp_notify_priority_changes").Since("2.2.0"),
	Value("smtp_alert", Bool, func(g *ir.SyncGroup) *bool { return &g.SMTPAlert }, "Sends mail at transitions.").Otherwise("smtp_alert_vrrp"),
)

var trackGroup = block(head(Name, func(g *ir.TrackGroup) *string { return &g.Name }), ir.TrackGroup{},
	Names("group", func(g *ir.TrackGroup) *[]ir.Name { return &g.Members }, "The instances of the group.").Required().Since("2.0.3"),
)

var garpGroup = block(Head[ir.GARPGroup]{}, ir.GARPGroup{},
	Value("garp_interval", Decimal(0, 4294.967295), func(g *ir.GARPGroup) *duration { return &g.GARPInterval }, "The time between two gratuitous ARPs.").Default("0"),
	Value("gna_interval", Decimal(0, 4294.967295), func(g *ir.GARPGroup) *duration { return &g.GNAInterval }, "The time between two neighbour advertisements.").Default("0"),
	Add("interface", list(interfaceName), func(g *ir.GARPGroup) *[]ir.Name { return &g.Interfaces }, "An interface that shares the limit."),
	Names("interfaces", func(g *ir.GARPGroup) *[]ir.Name { return &g.Interfaces }, "Interfaces that share the limit."),
)

// interfaceName is an interface and the place of its name.
var interfaceName = Kind[ir.Name]{Interface.Expect, func(r *reader) (ir.Name, bool) {
	if len(r.rest) == 0 {
		_, ok := Interface.read(r)
		return ir.Name{}, ok
	}
	at := r.rest[0].Span
	name, ok := Interface.read(r)
	return ir.Name{Text: name, Span: at}, ok
}}
