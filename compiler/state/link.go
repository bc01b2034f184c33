package state

import (
	"fmt"
	"strconv"

	"keepc/compiler/ir"
)

// LinkKey is the name of an interface.
type LinkKey struct{ Dev string }

func (k LinkKey) String() string { return k.Dev }

// A Link is a macvlan interface with the MAC address of a virtual router, and is up. It is private: packets do not
// pass between it and others on the same interface.
type Link struct {
	Base string `json:"base"` // the interface below it
	MAC  string `json:"mac"`
	IPv6 bool   `json:"ipv6,omitempty"` // IPv6 is enabled
	// Group is a group of interfaces.
	Group uint32 `json:"group,omitempty"`
	// Trouble says what it lacks to work; a wish has no Trouble.
	Trouble    string `json:"trouble,omitempty"`
	Provenance `json:"-"`
}

// Fields implements Object.
func (l Link) Fields() []Field {
	f := []Field{{"link", l.Base}, {"type", "macvlan"}, {"address", l.MAC}, {"ipv6", ""}, {"group", ""}, {"trouble", l.Trouble}}
	if l.IPv6 {
		f[3].Value = "on"
	}
	if l.Group != 0 {
		f[4].Value = strconv.FormatUint(uint64(l.Group), 10)
	}
	return f
}

// link returns a virtual interface as it should be.
func link(l ir.VirtualLink, p Provenance) Link {
	m := l.MAC
	mac := fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
	return Link{Base: l.Base, MAC: mac, IPv6: l.IPv6, Group: l.Group, Provenance: p}
}
