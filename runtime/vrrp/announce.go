package vrrp

import (
	"net/netip"
	"slices"

	"keepc/compiler/ir"
)

func (m *Machine) announce(addresses []ir.Address, repeat int) {
	if len(addresses) > 0 && repeat > 0 {
		m.out = append(m.out, Announce{Addresses: addresses, Repeat: repeat})
	}
}

// addedAddresses lists those that are new.
func addedAddresses(before, now []ir.Address) (added []ir.Address) {
	if slices.EqualFunc(before, now, func(a, b ir.Address) bool { return a.On() == b.On() && a.Prefix == b.Prefix }) {
		return nil
	}
	type place struct {
		dev    string
		prefix netip.Prefix
	}
	had := make(map[place]bool, len(before))
	for _, a := range before {
		had[place{a.On(), a.Prefix}] = true
	}
	for _, a := range now {
		if !had[place{a.On(), a.Prefix}] {
			added = append(added, a)
		}
	}
	return added
}

// elsewhere lists the addresses that garp_extra_if announces, so that switches remember where the interfaces are: the
// first one of each family on each interface other than the instance's; without "all" only on those with a virtual MAC
// address.
func elsewhere(v *ir.VRRPInstance) (list []ir.Address) {
	for _, a := range v.Addresses {
		on := a.On()
		known := func(o ir.Address) bool { return o.On() == on && o.Prefix.Addr().Is6() == a.Prefix.Addr().Is6() }
		if on != v.Interface && on != v.Link && (a.Link != "" || v.GARPExtraInterface.All) && !slices.ContainsFunc(list, known) {
			list = append(list, a)
		}
	}
	return list
}
