package state

import (
	"slices"
	"time"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
)

// Found is what an earlier director left in a kernel, as a configuration means it: a start goes on from there. The zero Found is a kernel
// that has nothing of the configuration.
type Found struct {
	// Master holds the instances that had the role: one of their addresses is here, and one of each member of their sync group.
	Master map[ir.InstanceKey]bool
	// Uptime is how long the host has been up.
	Uptime time.Duration
	// Servers are the real servers with a check, of virtual servers that are here.
	Servers map[DestinationKey]FoundServer
}

// A FoundServer is a real server of a virtual server that is here.
type FoundServer struct {
	Down   bool // it is not here, or receives no traffic though the file gives it a weight
	Weight int  // in the kernel; 0: none
}

// FoundOf reads a kernel's state. A static address of the file is nobody's role, and an address of two instances tells of neither.
func FoundOf(cfg *ir.Config, have State) Found {
	f := Found{Master: map[ir.InstanceKey]bool{}, Servers: map[DestinationKey]FoundServer{}}
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
			d, here := have.Destinations[k]
			f.Servers[k] = FoundServer{Down: !here || d.Weight == 0 && r.Weight > 0, Weight: d.Weight}
		}
	}
	return f
}
