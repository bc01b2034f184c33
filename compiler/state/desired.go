package state

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
)

// A Situation is what a director knows besides its file: roles and health. The zero Situation is that of a director
// that has just started: every instance BACKUP, every real server up until a check fails.
type Situation struct {
	// Master holds the instances that are MASTER, with the reason of the transition.
	Master map[ir.InstanceKey]string
	// Only holds, of owners whose interface had no other address, this address. It is the host's and stays in every role.
	Only map[ir.InstanceKey]netip.Addr
	// Down holds the real servers that failed their checks, with the cause.
	Down map[DestinationKey]string
	// NoQuorum holds the services that lost their quorum; their sorry server serves.
	NoQuorum map[ir.ServiceKey]bool
	// Weight holds the weights that checks gave to real servers; they replace those of the file.
	Weight map[DestinationKey]int
	// Assigned holds the weights that an operator gave to real servers; they replace those of checks and of the file.
	Assigned map[DestinationKey]int
	// Announced holds the stages of addresses that .keepc.conf announces; an address that is missing is withdrawn.
	Announced map[netip.Addr]Announcement
	// Stopping says that nothing of ours should exist.
	Stopping bool
}

// OnlyAddresses returns the addresses of owners whose interface has no other one of its family, as far as a host's state
// shows it: of two that the owner may have, it does not tell which is the host's.
func OnlyAddresses(cfg *ir.Config, have State) map[ir.InstanceKey]netip.Addr {
	type family struct {
		dev  string
		ipv6 bool
	}
	all := map[family][]netip.Addr{}
	for k := range have.Addresses {
		f := family{k.Dev, k.Prefix.Addr().Is6()}
		all[f] = append(all[f], k.Prefix.Addr())
	}
	only := map[ir.InstanceKey]netip.Addr{}
	for _, v := range cfg.Instances {
		here := all[family{v.Interface, v.IPv6()}]
		if v.Priority == ir.OwnerPriority && len(here) == 1 && slices.ContainsFunc(v.Addresses, func(a ir.Address) bool { return a.Prefix.Addr() == here[0] }) {
			only[v.Key()] = here[0]
		}
	}
	return only
}

// AllMaster is the situation in which every instance is MASTER and every server is up.
func AllMaster(cfg *ir.Config) Situation {
	s := Situation{Master: map[ir.InstanceKey]string{}, Announced: AllAnnounced(cfg, "assumed")}
	for _, v := range cfg.Instances {
		s.Master[v.Key()] = "assumed"
	}
	return s
}

// Desired returns the kernel objects that the configuration wants in the situation. It is the core of keepc: a pure
// function that plan, run and diff share. It is the union of Router and Balance, which have no kind of object in
// common.
func Desired(cfg *ir.Config, s Situation) State {
	want := New()
	want.router(cfg, s)
	want.balance(cfg, s)
	return want
}

// Router is the part of Desired that belongs to instances, to static lines, to quorums and to announcements: addresses, routes and rules.
// It reads Master, NoQuorum, Announced and Stopping of the situation.
func Router(cfg *ir.Config, s Situation) State {
	want := New()
	want.router(cfg, s)
	return want
}

// Balance is the part of Desired that belongs to virtual servers: services, destinations, the timeouts of IPVS and its sync daemons. It
// reads Down, Weight, Assigned, NoQuorum and Stopping of the situation; and Master, where FollowsRoles says so.
func Balance(cfg *ir.Config, s Situation) State {
	want := New()
	want.balance(cfg, s)
	return want
}

func (w *State) router(cfg *ir.Config, s Situation) {
	w.static(cfg, s)
	w.settings(cfg, s)
	for _, v := range cfg.Instances {
		w.instance(v, &cfg.Global, s)
	}
	for _, v := range cfg.VirtualServers {
		w.quorumAddress(v, s)
	}
	w.announcements(cfg, s)
	// What one instance gives up and another holds stays in place.
	for k := range w.Absent {
		if _, held := KindOf(k).Get(*w, k); held {
			delete(w.Absent, k)
		}
	}
}

func (w *State) balance(cfg *ir.Config, s Situation) {
	servers := 0
	for _, v := range cfg.VirtualServers {
		servers += len(v.RealServers)
	}
	if !s.Stopping { // growing tables would leave several times their size as garbage
		w.Services, w.Destinations = make(map[ir.ServiceKey]Service, len(cfg.VirtualServers)), make(map[DestinationKey]Destination, servers)
	}
	for _, v := range cfg.VirtualServers {
		w.virtualServer(v, s)
	}
	w.syncDaemons(cfg, s)
	switch {
	case s.Stopping && cfg.Global.LVSFlushOnStop == "all":
		w.Flush = FlushAll
	case !s.Stopping && cfg.Global.LVSFlush:
		w.Flush = FlushStart
	}
	if t := cfg.Global.LVSTimeouts; t != (ir.Timeouts{}) && !s.Stopping {
		w.Timeouts[TimeoutsKey{}] = Timeouts{t, Provenance{Origin: cfg.Global.At("lvs_timeouts"), Why: "lvs_timeouts"}}
	}
}

// settings adds the kernel's settings; they return to their former values when the director stops.
func (w *State) settings(cfg *ir.Config, s Situation) {
	if s.Stopping {
		return
	}
	if g := &cfg.Global; g.DisableLocalIGMP {
		w.Sysctls[SysctlKey{"net/ipv4/igmp_link_local_mcast_reports"}] = Sysctl{"0", Provenance{Origin: g.At("disable_local_igmp"), Why: "disable_local_igmp"}}
	}
	for _, v := range cfg.Instances {
		if v.PromoteSecondaries && v.Interface != "" {
			w.Sysctls[SysctlKey{"net/ipv4/conf/" + v.Interface + "/promote_secondaries"}] = Sysctl{"1", Provenance{Origin: v.At("promote_secondaries"), Why: "promote_secondaries"}}
		}
	}
}

// static adds what always exists. It follows no role, so none of it is known to be absent: it is removed if it is ours
// and no longer wanted.
func (w *State) static(cfg *ir.Config, s Situation) {
	if s.Stopping {
		return
	}
	for _, a := range cfg.StaticAddresses {
		if a.Dev == "" || !a.Prefix.IsValid() {
			continue // the compiler has reported it
		}
		o := address(a, always)
		o.AsFound = true
		w.Addresses[AddressKey{Dev: a.Dev, Prefix: a.Prefix}] = o
	}
	w.routing(cfg.StaticRoutes, cfg.StaticRules, true, always)
}

const always = "static lines hold in every role"

func (w *State) instance(v *ir.VRRPInstance, g *ir.Global, s Situation) {
	_, master := s.Master[v.Key()]
	why := "stopping"
	if !s.Stopping {
		why = v.Name + " is not MASTER here"
	}
	for _, l := range v.Links {
		k := LinkKey{Dev: l.Name}
		if s.Stopping {
			w.Absent[k] = why
		} else {
			w.Links[k] = link(l, Provenance{Origin: v.Span(), Why: v.Name + " has a virtual MAC address"})
		}
	}
	wanted := master && !s.Stopping
	if wanted {
		why = v.Name + " is MASTER: its " + belongings(v) + " belong here"
	}
	for _, a := range v.Addresses {
		k := AddressKey{Dev: a.On(), Prefix: a.Prefix}
		o := address(a, why)
		o.AsFound = v.Priority == ir.OwnerPriority // a change of the only address of its interface would take it away for a moment
		switch {
		case wanted:
			w.Addresses[k] = o
		case s.Only[v.Key()] == a.Prefix.Addr() && k.Dev == v.Interface:
			o.Why = "it is the only address of " + v.Interface
			w.Addresses[k] = o
		default:
			w.Absent[k] = why
		}
	}
	w.routing(v.Routes, v.Rules, wanted, why)
	w.firewall(v, g, wanted, why, s)
}

// quorumAddress adds the address that comes and goes with the quorum of a service. A stop leaves it in place if the
// file lacks omega, as with keepalived.
func (w *State) quorumAddress(v *ir.VirtualServer, s Situation) {
	a := v.QuorumAddress
	if a == nil {
		return
	}
	k := AddressKey{Dev: a.Dev, Prefix: a.Prefix}
	switch {
	case s.NoQuorum[v.Key]:
		w.Absent[k] = "the quorum of " + v.Key.String() + " is lost"
	case !s.Stopping:
		w.Addresses[k] = address(*a, "the quorum of "+v.Key.String()+" holds")
	case v.Omega:
		w.Absent[k] = "stopping"
	default:
		w.Addresses[k] = address(*a, "without omega a stop leaves it")
	}
}

func belongings(v *ir.VRRPInstance) string {
	switch {
	case len(v.Routes) > 0 && len(v.Rules) > 0:
		return "addresses, routes and rules"
	case len(v.Routes) > 0:
		return "addresses and routes"
	case len(v.Rules) > 0:
		return "addresses and rules"
	}
	return "addresses"
}

// address returns the line as the kernel reports it: a label that equals the interface's name does not count, and IPv6
// has neither labels nor a choice of scope.
func address(a ir.Address, why string) Address {
	w := Address{
		Label: a.Label, Scope: uint8(a.Scope), Broadcast: a.Broadcast, Peer: a.Peer, NoDAD: a.NoDAD,
		Provenance: Provenance{Origin: a.Span(), Why: why, Loose: a.NoTrack},
	}
	flag := func(set bool, f AddressFlags) {
		if set {
			w.Flags |= f
		}
	}
	flag(a.NoPrefixRoute, NoPrefixRoute)
	flag(a.AutoJoin, AutoJoin)
	if a.Prefix.Addr().Is6() { // IPv4 does not have these
		flag(a.Home, HomeAddress)
		flag(a.ManageTempAddr, ManageTemp)
		if a.PreferredLft != nil {
			w.Lifetime = Lifetime{true, uint32(*a.PreferredLft / time.Second)}
		}
	}
	if a.Label == a.On() {
		w.Label = ""
	}
	if a.Prefix.Addr().Is6() {
		w.Label, w.Scope = "", 0
	}
	return w
}

func (w *State) virtualServer(v *ir.VirtualServer, s Situation) {
	if s.Stopping {
		w.Absent[v.Key] = "stopping"
		return
	}
	w.Services[v.Key] = Service{
		Scheduler: v.Scheduler, Persistence: v.PersistenceTimeout, Mask: v.PersistenceMask, Engine: v.PersistenceEngine, Flags: v.Flags,
		Provenance: Provenance{Origin: v.Span(), Why: "configured"},
	}
	const sorryWhy = "the quorum is lost, the sorry server serves"
	sorry := v.SorryServer != nil && s.NoQuorum[v.Key]
	for _, r := range v.RealServers {
		k := DestinationKey{Service: v.Key, Server: r.Addr}
		why := "no check has failed"
		switch {
		case len(r.Checks) == 0:
			why = "always up: it has no check"
		case !slices.ContainsFunc(r.Checks, enforced.Checked):
			why = "always up: not checked"
		}
		cause, down := s.Down[k]
		assigned, isAssigned := s.Assigned[k]
		switch {
		case sorry && !r.InhibitOnFailure && !isAssigned:
			w.Absent[k] = sorryWhy
			continue
		case down && !r.InhibitOnFailure:
			w.Absent[k] = cause
			continue
		}
		d := destination(r, why)
		if n, set := s.Weight[k]; set {
			d.Weight, d.Why = n, fmt.Sprintf("its check set the weight, which is %d in the file", r.Weight)
		}
		if isAssigned {
			d.Weight, d.Why = assigned, fmt.Sprintf("an operator set the weight, which is %d in the file", r.Weight)
		}
		switch {
		case down:
			d.Weight, d.Why = 0, "inhibited: "+cause
		case sorry:
			d.Weight, d.Why = 0, "inhibited: "+sorryWhy
		}
		w.Destinations[k] = d
	}
	if v.SorryServer == nil {
		return
	}
	k := DestinationKey{Service: v.Key, Server: v.SorryServer.Addr}
	switch d := destination(v.SorryServer, "the quorum is lost"); {
	case sorry:
		w.Destinations[k] = d
	case v.SorryInhibit:
		d.Weight, d.Why = 0, "sorry server in reserve"
		w.Destinations[k] = d
	default:
		w.Absent[k] = "the quorum holds"
	}
}

func destination(r *ir.RealServer, why string) Destination {
	return Destination{
		Weight: r.Weight, Forwarding: r.Forwarding, UpperThreshold: r.UpperThreshold, LowerThreshold: r.LowerThreshold, Tunnel: r.Tunnel,
		Provenance: Provenance{Origin: r.Span(), Why: why},
	}
}
