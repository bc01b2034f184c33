package state

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"

	"keepc/compiler/ir"
)

// A State is a set of kernel objects by key, a table for each kind.
type State struct {
	Timeouts     map[TimeoutsKey]Timeouts
	Sysctls      map[SysctlKey]Sysctl
	Tunnels      map[TunnelKey]Tunnel
	Services     map[ir.ServiceKey]Service
	Destinations map[DestinationKey]Destination
	SyncDaemons  map[SyncDaemonKey]SyncDaemon
	Links        map[LinkKey]Link
	Firewalls    map[FirewallKey]Firewall
	Addresses    map[AddressKey]Address
	Routes       map[RouteKey]Route
	Rules        map[RuleKey]Rule
	// Absent holds the objects that the configuration knows and the situation does not want now, with the reason. We
	// may remove them if they exist.
	Absent map[Key]string
	// Flush says which foreign virtual servers are removed, too.
	Flush Flush
}

// A Flush says which virtual servers count as ours besides those that we made.
type Flush uint8

const (
	FlushNone  Flush = iota
	FlushStart       // those that a director finds when it starts: lvs_flush
	FlushAll         // those that exist now: lvs_flush_on_stop
)

// Takes returns why an unwanted object of a kind is removed, whoever made it; empty: it is left alone.
func (f Flush) Takes(kind AnyKind) (why string) {
	if kind != AnyKind(ServiceKind) {
		return ""
	}
	return [...]string{FlushStart: "lvs_flush removes what is not in the configuration", FlushAll: "lvs_flush_on_stop removes all"}[f]
}

// Kinds lists all kinds of objects. A new kind needs a table in State, a value below, its place in this list, and its
// kernel side. A kind comes after that of its parents.
func Kinds() []AnyKind {
	return []AnyKind{TimeoutsKind, SysctlKind, TunnelKind, ServiceKind, DestinationKind, SyncDaemonKind, LinkKind, FirewallKind, AddressKind, RouteKind, RuleKind}
}

const (
	otherSettings = "exists with other settings"
	notInPlace    = "the kernel cannot change it in place"
)

// LinkKind is the virtual interfaces of instances. Only those of virtual MAC addresses are looked for.
var LinkKind = &Kind[LinkKey, Link]{
	Traits: Traits{Name: "link", Part: OfRouter, InPlace: true, Differs: otherSettings, Common: true, Remove: linksGo, Add: linksCome},
	Table:  func(s *State) *map[LinkKey]Link { return &s.Links },
	Same: func(have, want Link) bool {
		have.Provenance, want.Provenance = Provenance{}, Provenance{}
		return have == want
	},
	Devices: func(k LinkKey, l Link) []string { return []string{l.Base} },
}

// AddressKind is the addresses of interfaces. NoDAD is an instruction for the moment of creation, not a setting.
var AddressKind = &Kind[AddressKey, Address]{
	Traits: Traits{Name: "address", Part: OfRouter, Differs: notInPlace, Common: true, Remove: addressesGo, Add: addressesCome},
	Table:  func(s *State) *map[AddressKey]Address { return &s.Addresses },
	Same: func(have, want Address) bool {
		have.NoDAD, want.NoDAD, have.Lifetime, want.Lifetime = false, false, Lifetime{}, Lifetime{}
		have.Provenance, want.Provenance = Provenance{}, Provenance{}
		return want.AsFound && have.Astray == "" || have == want
	},
	Adopt:   func(_ AddressKey, want Address) bool { return !want.AsFound },
	Devices: func(k AddressKey, _ Address) []string { return []string{k.Dev} },
}

// RouteKind is routes. A host may have a million foreign ones.
var RouteKind = &Kind[RouteKey, Route]{
	Traits: Traits{
		Name: "route", Part: OfRouter, Differs: notInPlace, Remove: routesGo, Add: routesCome, Bare: []string{"nexthop", "options", "type"},
	},
	Table:  func(s *State) *map[RouteKey]Route { return &s.Routes },
	Same:   Route.Serves,
	Adopt:  func(k RouteKey, _ Route) bool { return k.Protocol == ir.KeepalivedProtocol },
	Marked: func(k RouteKey) bool { return k.Protocol == ir.KeepalivedProtocol },
	Place: func(k RouteKey) any {
		return struct {
			table uint32
			dst   netip.Prefix
		}{k.Table, k.Dst}
	},
	Devices: func(_ RouteKey, r Route) []string { return r.Devices() },
}

// RuleKind is the rules that choose among the routing tables.
var RuleKind = &Kind[RuleKey, Rule]{
	Traits: Traits{Name: "rule", Part: OfRouter, Remove: rulesGo, Add: rulesCome},
	Table:  func(s *State) *map[RuleKey]Rule { return &s.Rules },
	Same:   func(_, _ Rule) bool { return true },
	Adopt:  func(k RuleKey, _ Rule) bool { return k.Protocol == ir.KeepalivedProtocol },
	Marked: func(k RuleKey) bool { return k.Protocol == ir.KeepalivedProtocol },
	Place: func(k RuleKey) any {
		return struct {
			ipv6     bool
			priority uint32
		}{k.IPv6, k.Priority}
	},
}

// ServiceKind is the virtual servers of IPVS.
var ServiceKind = &Kind[ir.ServiceKey, Service]{
	Traits: Traits{
		Name: "service", Part: OfBalance, Whole: true, InPlace: true, Differs: otherSettings, Remove: servicesGo, Add: servicesCome, Module: "ip_vs",
	},
	Table: func(s *State) *map[ir.ServiceKey]Service { return &s.Services },
	Same: func(have, want Service) bool {
		if have.Persistence == 0 {
			have.Mask = 0
		}
		if want.Persistence == 0 {
			want.Mask = 0
		}
		have.Provenance, want.Provenance = Provenance{}, Provenance{}
		return have == want
	},
}

// DestinationKind is the real servers of IPVS.
var DestinationKind = &Kind[DestinationKey, Destination]{
	Traits: Traits{
		Name: "destination", Part: OfBalance, InPlace: true, Differs: otherSettings, Remove: destinationsGo, Add: destinationsCome, Module: "ip_vs",
	},
	Table: func(s *State) *map[DestinationKey]Destination { return &s.Destinations },
	Same: func(have, want Destination) bool {
		have.Provenance, want.Provenance = Provenance{}, Provenance{}
		return have == want
	},
	Parent: func(k DestinationKey) Key { return k.Service },
	Title:  func(k DestinationKey) string { return k.Server.String() },
}

// TimeoutsKind is the timeouts of IPVS.
var TimeoutsKind = &Kind[TimeoutsKey, Timeouts]{
	Traits: Traits{
		Name: "timeouts", Part: OfBalance, InPlace: true, Differs: "the kernel has others", Lasting: true, Remove: servicesGo, Add: servicesCome, Module: "ip_vs",
	},
	Table: func(s *State) *map[TimeoutsKey]Timeouts { return &s.Timeouts },
	Same:  func(have, want Timeouts) bool { return have.Timeouts == want.Timeouts },
	Complete: func(have, want Timeouts) Timeouts {
		want.Timeouts = ir.Timeouts{TCP: cmp.Or(want.TCP, have.TCP), TCPFin: cmp.Or(want.TCPFin, have.TCPFin), UDP: cmp.Or(want.UDP, have.UDP)}
		return want
	},
	Title: func(TimeoutsKey) string { return "of ipvs" },
}

// SyncDaemonKey is the role of an IPVS sync daemon: a kernel has at most one of each.
type SyncDaemonKey struct {
	Role string `json:"role"` // "master" sends connections, "backup" receives them
}

func (k SyncDaemonKey) String() string { return "ipvs sync " + k.Role }

// A SyncDaemon carries the connections of IPVS from one director to the others. A wish of 0 leaves the value to the
// kernel.
type SyncDaemon struct {
	Interface  string     `json:"interface"`
	ID         uint8      `json:"id"` // daemons with the same id hear each other
	MaxLen     uint16     `json:"maxlen,omitempty"`
	Port       uint16     `json:"port,omitempty"`
	TTL        uint8      `json:"ttl,omitempty"`
	Group      netip.Addr `json:"group,omitzero"`
	Provenance `json:"-"`
}

// Fields implements Object.
func (d SyncDaemon) Fields() []Field {
	number := func(n uint64) string { return strings.TrimPrefix(strconv.FormatUint(n, 10), "0") }
	f := []Field{
		{"interface", d.Interface}, {"id", strconv.Itoa(int(d.ID))}, {"maxlen", number(uint64(d.MaxLen))}, {"port", number(uint64(d.Port))},
		{"ttl", number(uint64(d.TTL))}, {"group", ""},
	}
	if d.Group.IsValid() {
		f[5].Value = d.Group.String()
	}
	return f
}

// SyncDaemonKind is the sync daemons of IPVS.
var SyncDaemonKind = &Kind[SyncDaemonKey, SyncDaemon]{
	Traits: Traits{Name: "sync_daemon", Part: OfBalance, Differs: notInPlace, Remove: servicesGo, Add: servicesCome, Module: "ip_vs"},
	Table:  func(s *State) *map[SyncDaemonKey]SyncDaemon { return &s.SyncDaemons },
	Same: func(have, want SyncDaemon) bool {
		have.Provenance, want.Provenance = Provenance{}, Provenance{}
		return have == want
	},
	Complete: func(have, want SyncDaemon) SyncDaemon {
		want.MaxLen, want.Port, want.TTL = cmp.Or(want.MaxLen, have.MaxLen), cmp.Or(want.Port, have.Port), cmp.Or(want.TTL, have.TTL)
		want.Group = cmp.Or(want.Group, have.Group)
		return want
	},
	Title: func(k SyncDaemonKey) string { return k.Role },
}

// SysctlKind is the settings below /proc/sys.
var SysctlKind = &Kind[SysctlKey, Sysctl]{
	Traits: Traits{Name: "sysctl", Part: OfRouter, InPlace: true, Differs: "it has another value", Lasting: true, Remove: servicesGo, Add: servicesCome},
	Table:  func(s *State) *map[SysctlKey]Sysctl { return &s.Sysctls },
	Same:   func(have, want Sysctl) bool { return have.Value == want.Value },
}

// TunnelKind is the interfaces that decapsulate packets.
var TunnelKind = &Kind[TunnelKey, Tunnel]{
	Traits: Traits{Name: "tunnel", Part: OfServer, Differs: "it is of a different kind", Remove: servicesGo, Add: tunnelsCome},
	Table:  func(s *State) *map[TunnelKey]Tunnel { return &s.Tunnels },
	Same:   func(have, want Tunnel) bool { return have.Kind == want.Kind },
}
