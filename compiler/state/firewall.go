package state

import (
	"cmp"
	"net/netip"
	"strconv"

	"keepc/compiler/ir"
)

// DefaultTable is the nftables table that keepalived uses if the file names none.
const DefaultTable = "keepalived"

// A FirewallKey is something that the firewall does to packets, in a table of nftables for IPv4 or IPv6.
//
// With Addr, packets to and from the address are dropped; for a link-local IPv6 address only those on Dev. Without
// Addr, multicast group reports that the kernel would send from the virtual interface Dev are sent from the interface
// below, and router solicitations are dropped: otherwise a switch would learn that the virtual MAC address is here.
type FirewallKey struct {
	Table string     `json:"table"`
	IPv6  bool       `json:"ipv6,omitempty"`
	Addr  netip.Addr `json:"addr,omitzero"`
	Dev   string     `json:"dev,omitempty"`
}

// String is the address, or the interface, with the table.
func (k FirewallKey) String() string {
	what := "groups"
	if k.Addr.IsValid() {
		what = k.Addr.String()
	}
	if k.Dev != "" {
		what += " dev " + k.Dev
	}
	return what + " table " + k.Family() + " " + k.Table
}

// Family is "ip" or "ip6", as in nft(8).
func (k FirewallKey) Family() string {
	if k.IPv6 {
		return "ip6"
	}
	return "ip"
}

// A Firewall is how packets are dropped. All of a table are alike except for Base.
type Firewall struct {
	Base     string `json:"base,omitempty"` // the interface below a virtual one
	Priority int    `json:"priority"`       // of the chains
	Counters bool   `json:"counters,omitempty"`
	// Trouble says what the table lacks to work; a wish has no Trouble.
	Trouble    string `json:"trouble,omitempty"`
	Provenance `json:"-"`
}

// Fields implements Object.
func (f Firewall) Fields() []Field {
	list := []Field{{"action", "drop"}, {"priority", strconv.Itoa(f.Priority)}, {"counters", ""}, {"trouble", f.Trouble}}
	if f.Base != "" {
		list[0].Value = "send by " + f.Base
	}
	if f.Counters {
		list[2].Value = "on"
	}
	return list
}

// FirewallKind is what the firewall does. Packets to an address are dropped before the address is added, and until it
// is removed.
var FirewallKind = &Kind[FirewallKey, Firewall]{
	Traits: Traits{
		Name: "firewall", Part: OfRouter, InPlace: true, Differs: otherSettings, Remove: firewallsGo, Add: firewallsCome, Bare: []string{"action"}, Module: "nf_tables",
	},
	Table: func(s *State) *map[FirewallKey]Firewall { return &s.Firewalls },
	Same: func(have, want Firewall) bool {
		have.Provenance, want.Provenance = Provenance{}, Provenance{}
		return have == want
	},
	Devices: func(k FirewallKey, _ Firewall) []string {
		if k.Dev == "" {
			return nil
		}
		return []string{k.Dev}
	},
}

// firewall adds what an instance wants of the firewall: to drop packets for its addresses if the instance is not their
// owner and has no_accept, as strict mode implies; and to keep its virtual interfaces silent.
func (w *State) firewall(v *ir.VRRPInstance, g *ir.Global, wanted bool, why string, s Situation) {
	table := cmp.Or(g.NFTables, DefaultTable)
	as := func(why string) Firewall {
		return Firewall{Priority: g.NFTablesPriority, Counters: g.NFTablesCounters, Provenance: Provenance{Origin: v.Span(), Why: why}}
	}
	for _, l := range v.Links {
		ipv4 := l.Name == v.Link && !v.IPv6()
		for _, a := range v.Addresses {
			ipv4 = ipv4 || a.On() == l.Name && a.Prefix.Addr().Is4()
		}
		for _, family := range []struct{ ipv6, here bool }{{false, ipv4}, {true, l.IPv6}} {
			k := FirewallKey{Table: table, IPv6: family.ipv6, Dev: l.Name}
			switch {
			case !family.here:
			case s.Stopping:
				w.Absent[k] = why
			default:
				o := as(v.Name + " has a virtual MAC address, which is not to be learnt from what the kernel itself sends")
				o.Base = l.Base
				w.Firewalls[k] = o
			}
		}
	}
	if v.Accept || v.Priority == 255 {
		return
	}
	for _, a := range v.Addresses {
		addr := a.Prefix.Addr()
		k := FirewallKey{Table: table, IPv6: addr.Is6(), Addr: addr}
		if addr.IsLinkLocalUnicast() && addr.Is6() {
			k.Dev = a.On()
		}
		if wanted {
			o := as(v.Name + " does not accept packets to its addresses")
			o.Origin = a.Span()
			w.Firewalls[k] = o
		} else {
			w.Absent[k] = why
		}
	}
}
