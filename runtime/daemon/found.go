package daemon

import (
	"fmt"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

// findAddresses looks which addresses of the configuration an earlier director left. What cannot be read counts as not here.
func (o Options) findAddresses(k kernel.Kernel, cfg *ir.Config) state.Found {
	if len(cfg.Instances) == 0 {
		return state.Found{}
	}
	return o.find(k, cfg, state.AddressKind)
}

// foundPatience bounds how long the start waits for a long list: VRRP does not wait for virtual servers.
const foundPatience = time.Second

// findServers looks which real servers an earlier director left, and how. A kernel without ip_vs has none. What takes too long to read
// counts as not here: then servers start as in a new table.
func (o Options) findServers(cfg *ir.Config) state.Found {
	if len(cfg.VirtualServers) == 0 {
		return state.Found{}
	}
	found := make(chan state.Found, 1)
	go func() { // ends with the read, and keeps its door until then
		k, err := o.Open()
		if err != nil {
			o.Log.Warn(fmt.Sprintf("what an earlier director left is not known: %v", err), "subject", "ipvs")
			found <- state.Found{}
			return
		}
		defer func() { _ = k.Close() }() // nothing is written by closing
		found <- o.find(k, cfg, state.ServiceKind, state.DestinationKind)
	}()
	patience := time.NewTimer(foundPatience)
	defer patience.Stop()
	select {
	case f := <-found:
		return f
	case <-patience.C:
		o.Log.Warn(fmt.Sprintf("what an earlier director left is not read within %v", foundPatience), "subject", "ipvs")
		return state.Found{}
	}
}

func (o Options) find(k kernel.Kernel, cfg *ir.Config, kinds ...state.AnyKind) state.Found {
	have, unread := k.Read(kernel.Scope{Kinds: kinds})
	for _, kind := range kinds {
		if err := unread[kind]; err != nil && kind.About().Module == "" {
			o.Log.Warn(fmt.Sprintf("what an earlier director left is not known: %v", err), "subject", kind.About().Name)
		}
	}
	return state.FoundOf(cfg, have)
}
