package daemon

import (
	"fmt"

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

// findServers looks which real servers an earlier director left, and how. A kernel without ip_vs has none.
func (o Options) findServers(k kernel.Kernel, cfg *ir.Config) state.Found {
	if len(cfg.VirtualServers) == 0 {
		return state.Found{}
	}
	return o.find(k, cfg, state.ServiceKind, state.DestinationKind)
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
