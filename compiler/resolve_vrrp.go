package compiler

import (
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
)

func resolveInstance(v *ir.VRRPInstance, g *ir.Global) {
	resolveAddresses(v)
	// The instance's own interface is followed anyway.
	v.TrackInterfaces = slices.DeleteFunc(v.TrackInterfaces, func(t ir.Track) bool { return t.Name == v.Interface })
	if v.Priority == 0 {
		v.Priority = 100 // also for an invalid value
		if v.State == ir.Master && !v.Has("priority") {
			v.Priority = 255 // the file says nothing, so it owns the addresses
		}
	}
	if v.Priority == 255 && !v.Has("state") {
		v.State = ir.Master
	}
	setDefault(&v.Version, 0, g.Version)
	if v.IPv6() {
		v.Version = 3
	}
	inherit(v, "strict_mode", &v.Strict, g.Strict)
	resolveRole(v)
	if v.Version == 2 {
		v.AdvertInterval = max(time.Second, v.AdvertInterval.Round(time.Second))
	} else {
		v.AdvertInterval = v.AdvertInterval.Truncate(10 * time.Millisecond) // the resolution of packets
	}
	if v.UseVMAC || v.IPVLAN != nil {
		v.PromoteSecondaries = false // that of the created interface is set anyway
	}
	if v.Priority == 255 || v.State == ir.Master {
		v.NoPreempt = false
	}
	if v.NoPreempt || v.State == ir.Master {
		v.PreemptDelay = 0
	}
	setDefault(&v.DownTimerAdverts, ir.Unset, g.DownTimerAdverts)
	setDefault(&v.GARPMasterDelay, ir.Unset, g.GARPMasterDelay)
	setDefault(&v.GARPMasterRepeat, ir.Unset, g.GARPMasterRepeat)
	setDefault(&v.GARPMasterRefresh, ir.Unset, g.GARPMasterRefresh)
	setDefault(&v.GARPMasterRefreshRepeat, ir.Unset, g.GARPMasterRefreshRepeat)
	setDefault(&v.GARPLowerPrioDelay, ir.Unset, g.GARPLowerPrioDelay)
	setDefault(&v.GARPLowerPrioRepeat, ir.Unset, g.GARPLowerPrioRepeat)
	inherit(v, "lower_prio_no_advert", &v.LowerPrioNoAdvert, g.LowerPrioNoAdvert)
	inherit(v, "higher_prio_send_advert", &v.HigherPrioSendAdvert, g.HigherPrioSendAdvert)
	inherit(v, "owner_ignore_adverts", &v.OwnerIgnoreAdverts, g.OwnerIgnoreAdverts)
	if v.Strict { // the RFC has none of these
		v.LowerPrioNoAdvert, v.HigherPrioSendAdvert = true, false
		v.GARPLowerPrioDelay, v.GARPLowerPrioRepeat = 0, 0
		v.DownTimerAdverts, v.PreemptDelay = 3, 0
		v.OwnerIgnoreAdverts = v.OwnerIgnoreAdverts || v.Priority == 255
		v.Accept = v.Priority == 255 || v.Version == 3 && v.Has("accept")
	}
	inherit(v, "skip_check_adv_addr", &v.SkipCheckAdvAddr, g.SkipCheckAdvAddr)
	inherit(v, "v3_checksum_as_v2", &v.V3ChecksumAsV2, g.V3ChecksumAsV2)
	inherit(v, "check_unicast_src", &v.CheckUnicastSource, g.CheckUnicastSource)
	inherit(v, "smtp_alert", &v.SMTPAlert, alerts(g.SMTPAlertVRRP, g, false))
	if !v.Has("vmac_garp_intvl") {
		inherit(v, "garp_extra_if", &v.GARPExtraInterface, g.GARPExtraInterface)
	}
	resolveUnicast(v, g)
	resolveIPVLAN(v)
	if !v.NoPreempt {
		v.TimerExpiredBackup = 0 // another router would have the role by right
	}
	resolveCommands(g, &v.NotifyLowerPriority, &v.NotifyDeleted)
	resolveNotify(&v.Notify, g)
}

// resolveIPVLAN sends advertisements to the group from the address of the ipvlan interface. Over IPv6 that need not be
// an address of the host below, so such an instance sends from its own.
func resolveIPVLAN(v *ir.VRRPInstance) {
	if a, ok := v.IPVLAN.Source(); ok && a.Is4() && !v.IPv6() && v.Group().IsValid() {
		setDefault(&v.SourceAddr, netip.Addr{}, a)
	}
}

// resolveRole drops a password that does not count, and a state that does not fit the password or strict mode.
func resolveRole(v *ir.VRRPInstance) {
	owner := v.Priority == 255
	if v.Strict {
		v.State = ir.Backup
		if owner {
			v.State = ir.Master
		}
	}
	switch {
	case v.Strict, v.Version == 3, v.AuthHMAC != nil:
		v.Auth = ir.Authentication{}
	case v.Auth.Pass.IsZero():
		v.Auth.Type = ir.AuthNone
	case v.Auth.Type == ir.AuthAH && !owner: // it must hear the sequence number of the group first
		v.State = ir.Backup
	}
}

// most is the number of addresses that an advertisement can carry: its count has one byte, and an Ethernet frame holds
// fewer IPv6 addresses.
func most(v *ir.VRRPInstance) int {
	if v.IPv6() {
		return 90
	}
	return 255
}

// resolveAddresses puts advertised addresses before the others, because the first one decides the family. Addresses
// that no advertisement can carry are held and not advertised.
func resolveAddresses(v *ir.VRRPInstance) {
	slices.SortStableFunc(v.Addresses, func(a, b ir.Address) int {
		switch {
		case a.Excluded == b.Excluded:
			return 0
		case b.Excluded:
			return -1
		}
		return 1
	})
	for i := range v.Addresses {
		resolveAddress(&v.Addresses[i], v.Interface)
		v.Addresses[i].Excluded = v.Addresses[i].Excluded || i >= most(v)
	}
}

// resolveUnicast fills in where advertisements are sent.
func resolveUnicast(v *ir.VRRPInstance, g *ir.Global) {
	if len(v.Unicast) > 0 {
		v.MulticastGroup = netip.Addr{}
		v.VMACXmitBase = v.VMACXmitBase || v.UseVMAC
		if v.UnicastTTL == nil && !v.IPv6() {
			ttl := uint8(255)
			v.UnicastTTL = &ttl
		}
		return
	}
	group := g.MulticastGroup4
	if v.IPv6() {
		group = g.MulticastGroup6
	}
	setDefault(&v.MulticastGroup, netip.Addr{}, group)
}

// resolveTwins numbers instances that share a VRID on an interface although they are different virtual routers.
func resolveTwins(instances []*ir.VRRPInstance) {
	known := map[ir.InstanceKey][]*ir.VRRPInstance{}
	for _, v := range instances {
		k := v.Key()
		twins := known[k]
		if i := slices.IndexFunc(twins, v.Meets); i >= 0 {
			v.Twin = twins[i].Twin // a duplicate, not a twin
			continue
		}
		v.Twin = len(twins)
		known[k] = append(twins, v)
	}
}

// inherit takes a value of global_defs if the block does not have the keyword.
func inherit[V any](o interface{ Has(string) bool }, keyword string, at *V, global V) {
	if !o.Has(keyword) {
		*at = global
	}
}

// alerts reports whether blocks of a kind send mail if they do not say.
func alerts(kind *bool, g *ir.Global, otherwise bool) bool {
	switch {
	case kind != nil:
		return *kind
	case g.SMTPAlert != nil:
		return *g.SMTPAlert
	}
	return otherwise
}

func resolveGroup(s *ir.SyncGroup, g *ir.Global) {
	inherit(s, "notify_priority_changes", &s.NotifyPriorityChanges, g.NotifyPriorityChanges)
	inherit(s, "smtp_alert", &s.SMTPAlert, alerts(g.SMTPAlertVRRP, g, false))
	resolveNotify(&s.Notify, g)
}

func resolveNotify(n *ir.Notify, g *ir.Global) {
	resolveCommands(g, &n.Any, &n.Master, &n.Backup, &n.Fault, &n.Stop)
}

// resolveCommands gives commands without a user the script_user: the last one of the file, wherever it is, because
// keepalived reads all of global_defs before everything else when it starts. Commands may be nil.
func resolveCommands(g *ir.Global, commands ...*ir.Command) {
	for _, c := range commands {
		if c != nil && len(c.Args) > 0 {
			setDefault(&c.User, ir.User{}, g.ScriptUser)
		}
	}
}

func resolveGlobal(g *ir.Global) {
	if g.MinGARP { // one gratuitous ARP unless the file says more
		setDefault(&g.GARPMasterDelay, defaultGARPDelay, 0)
		setDefault(&g.GARPMasterRepeat, defaultGARPRepeat, 1)
		setDefault(&g.GARPMasterRefreshRepeat, 1, 0)
	}
	setDefault(&g.SNMPRSStatsInterval, 0, g.SNMPVSStatsInterval)
	setDefault(&g.GARPLowerPrioDelay, ir.Unset, g.GARPMasterDelay)
	setDefault(&g.GARPLowerPrioRepeat, ir.Unset, g.GARPMasterRepeat)
}

// The defaults of global_defs that vrrp_min_garp treats as unset.
const (
	defaultGARPDelay  = 5 * time.Second
	defaultGARPRepeat = 5
)
