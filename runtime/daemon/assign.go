package daemon

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/status"
)

// assign gives real servers the weight that an operator asked for, and waits until the kernel has it.
func (d *director) assign(ctx context.Context, a status.Assignment) error {
	if a.Weight != nil && (*a.Weight < 0 || *a.Weight > math.MaxInt32) {
		return fmt.Errorf("weight %d: expected 0..%d", *a.Weight, math.MaxInt32)
	}
	cfg, err := ask(ctx, d.balance.do, func() *ir.Config { return d.balance.machine.Config() })
	if err != nil {
		return err
	}
	keys, err := assigned(cfg, a)
	if err != nil {
		return err
	}
	done, err := ask(ctx, d.balance.do, func() <-chan error { return d.balance.assign(balance.Assign{Servers: keys, Weight: a.Weight}) })
	if err != nil {
		return err
	}
	return wait(ctx, done)
}

// assigned lists the real servers that an assignment names.
func assigned(cfg *ir.Config, a status.Assignment) (keys []state.DestinationKey, err error) {
	one, err := netip.ParseAddrPort(a.Server)
	addr := one.Addr()
	if err != nil {
		if addr, err = netip.ParseAddr(strings.Trim(a.Server, "[]")); err != nil {
			return nil, fmt.Errorf("%q: expected an address, with or without a port", a.Server)
		}
	}
	service := false
	for _, v := range cfg.VirtualServers {
		if a.Service != "" && v.Key.String() != a.Service {
			continue
		}
		service = true
		for _, r := range v.RealServers {
			if r.Addr == one || !one.IsValid() && r.Addr.Addr() == addr {
				keys = append(keys, state.DestinationKey{Service: v.Key, Server: r.Addr})
			}
		}
	}
	switch {
	case !service:
		return nil, fmt.Errorf("the configuration in force has no virtual server %q", a.Service)
	case len(keys) == 0:
		return nil, fmt.Errorf("the configuration in force has no real server %s", a.Server)
	}
	return keys, nil
}

// busyness counts the connections of real servers: none of one that the kernel does not have. Those of a service that
// the kernel does not report are left out.
func (d *director) busyness(of map[state.DestinationKey]int) map[state.DestinationKey]status.Connections {
	servers := map[ir.ServiceKey][]state.DestinationKey{}
	for k := range of {
		servers[k.Service] = append(servers[k.Service], k)
	}
	all := map[state.DestinationKey]status.Connections{}
	for service, keys := range servers {
		counts, err := d.busy.Connections(service)
		if err != nil {
			continue
		}
		for _, k := range keys {
			all[k] = status.Connections(counts[k.Server])
		}
	}
	return all
}
