package state

import (
	"slices"
	"time"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
)

// Found is what an earlier director left in a kernel, in terms of a configuration: a start continues from it. The zero
// Found is a kernel with nothing of the configuration.
type Found struct {
	// Master holds the instances that had the role: one of their addresses is present, and one of each member of their
	// sync group.
	Master map[ir.InstanceKey]bool
	// Uptime is how long the host has been up.
	Uptime time.Duration
	// Down and Weight have the real servers with a check, of virtual servers that are present: those that are absent, or
	// receive no traffic although the file gives them a weight, and the weights of the others.
	Down   map[DestinationKey]bool
	Weight map[DestinationKey]int
}

// FoundOf reads a kernel's state. A static address of the file proves no role, and an address of two instances proves
// the role of neither.
func FoundOf(cfg *ir.Config, have State) Found {
	f := Found{Master: map[ir.InstanceKey]bool{}, Down: map[DestinationKey]bool{}, Weight: map[DestinationKey]int{}}
	names := map[AddressKey]int{}
	for _, a := range cfg.StaticAddresses {
		names[AddressKey{Dev: a.Dev, Prefix: a.Prefix}] = 2
	}
	for _, v := range cfg.Instances {
		for _, a := range v.Addresses {
			names[AddressKey{Dev: a.On(), Prefix: a.Prefix}]++
		}
	}
	for _, v := range cfg.Instances {
		if slices.ContainsFunc(v.Addresses, func(a ir.Address) bool {
			k := AddressKey{Dev: a.On(), Prefix: a.Prefix}
			_, here := have.Addresses[k]
			return here && names[k] == 1
		}) {
			f.Master[v.Key()] = true
		}
	}
	for _, g := range cfg.SyncGroups {
		var members []ir.InstanceKey
		for _, v := range cfg.Instances {
			if v.SyncGroup == g {
				members = append(members, v.Key())
			}
		}
		if slices.ContainsFunc(members, func(k ir.InstanceKey) bool { return !f.Master[k] }) {
			for _, k := range members {
				delete(f.Master, k)
			}
		}
	}
	for _, v := range cfg.VirtualServers {
		if _, here := have.Services[v.Key]; !here {
			continue
		}
		for _, r := range v.RealServers {
			if !slices.ContainsFunc(r.Checks, enforced.Checked) {
				continue
			}
			k := DestinationKey{Service: v.Key, Server: r.Addr}
			if _, known := f.Weight[k]; known || f.Down[k] {
				continue // of a server that is listed twice the first counts
			}
			if d, here := have.Destinations[k]; !here || d.Weight == 0 && r.Weight > 0 {
				f.Down[k] = true
			} else {
				f.Weight[k] = d.Weight
			}
		}
	}
	return f
}
