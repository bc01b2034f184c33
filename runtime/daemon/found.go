package daemon

import (
	"fmt"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

// findAddresses returns which addresses of the configuration an earlier director left. What cannot be read counts as
// absent.
func (o Options) findAddresses(k kernel.Kernel, cfg *ir.Config) state.Found {
	if len(cfg.Instances) == 0 {
		return state.Found{}
	}
	return o.find(k, cfg, state.AddressKind)
}

// foundPatience is how long the start waits for a long list: VRRP does not wait for virtual servers.
const foundPatience = time.Second

// findServers returns which real servers an earlier director left, and their state. A kernel without ip_vs has none.
// What takes too long to read counts as absent: then servers start as in a new table.
func (o Options) findServers(cfg *ir.Config) state.Found {
	if len(cfg.VirtualServers) == 0 {
		return state.Found{}
	}
	found := make(chan state.Found, 1)
	go func() { // ends with the read, and keeps its connection until then
		k, err := o.Open()
		if err != nil {
			o.Log.Warn(fmt.Sprintf("cannot read what an earlier director left: %v", err), "subject", "ipvs")
			found <- state.Found{}
			return
		}
		defer func() { _ = k.Close() }() // closing writes nothing
		found <- o.find(k, cfg, state.ServiceKind, state.DestinationKind)
	}()
	patience := time.NewTimer(foundPatience)
	defer patience.Stop()
	select {
	case f := <-found:
		return f
	case <-patience.C:
		o.Log.Warn(fmt.Sprintf("cannot read what an earlier director left within %v", foundPatience), "subject", "ipvs")
		return state.Found{}
	}
}

func (o Options) find(k kernel.Kernel, cfg *ir.Config, kinds ...state.AnyKind) state.Found {
	have, unread := k.Read(kernel.Scope{Kinds: kinds})
	for _, kind := range kinds {
		if err := unread[kind]; err != nil && kind.About().Module == "" {
			o.Log.Warn(fmt.Sprintf("cannot read what an earlier director left: %v", err), "subject", kind.About().Name)
		}
	}
	return state.FoundOf(cfg, have)
}
