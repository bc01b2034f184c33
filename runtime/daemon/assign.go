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

// assign gives real servers the weight that an operator asks for, and waits until the kernel has it.
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
			return nil, fmt.Errorf("%q: expected an address, with a port or without", a.Server)
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

// busyness counts the connections of real servers. What the kernel does not tell is left out.
func (d *director) busyness(of map[state.DestinationKey]int) map[state.DestinationKey]status.Connections {
	services := map[ir.ServiceKey]bool{}
	for k := range of {
		services[k.Service] = true
	}
	all := map[state.DestinationKey]status.Connections{}
	for service := range services {
		counts, err := d.busy.Connections(service)
		if err != nil {
			continue
		}
		for server, c := range counts {
			all[state.DestinationKey{Service: service, Server: server}] = status.Connections(c)
		}
	}
	return all
}
