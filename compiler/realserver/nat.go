package realserver

import (
	"fmt"
	"net/netip"
	"slices"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// nat: the director rewrites the addresses of packets, so the answers must return through it.
func (w *want) nat(cfg *ir.Config, r Role) {
	gateways := w.gateways(cfg, r)
	var now []netip.Addr
	for k, route := range w.have.Routes {
		if k.Table == ir.MainTable && k.Dst.Bits() == 0 && k.Dst.Addr().Is6() == r.Server.Is6() {
			for _, h := range route.Hops {
				now = append(now, h.Via)
			}
		}
	}
	slices.SortFunc(now, netip.Addr.Compare)
	switch {
	case slices.ContainsFunc(now, func(a netip.Addr) bool { return slices.Contains(gateways, a) }):
		// What was made here before remains wanted.
		for _, g := range gateways {
			k, route := defaultRoute(r, g)
			if have, ok := w.have.Routes[k]; ok && have.Serves(route) {
				w.Routes[k] = route
			}
		}
	case len(gateways) == 0 && len(now) == 0:
		w.problem(r, "answers of %s must go back through the director (NAT), and there is no default route", r.Server)
	case len(gateways) == 0:
		w.problem(r, "answers of %s must go back through the director (NAT): no vrrp_instance has an address in its network, so look whether the "+
			"default route via %s is one of the director", r.Server, now[0])
	case len(now) == 0 && len(gateways) > 1:
		w.problem(r, "answers of %s must go back through the director (NAT), and there is no default route: choose one via %s", r.Server, list(gateways))
	case len(now) == 0:
		k, route := defaultRoute(r, gateways[0])
		w.Routes[k] = route
	default:
		w.problem(r, "answers of %s must go back through the director (NAT): the default route is via %s, not via %s", r.Server, now[0], list(gateways))
	}
}

func list(addrs []netip.Addr) (text string) {
	for i, a := range addrs {
		if i > 0 {
			text += " or "
		}
		text += a.String()
	}
	return text
}

// gateways are the addresses of instances in the network of the server: they are on the director, whichever that is.
func (w *want) gateways(cfg *ir.Config, r Role) (all []netip.Addr) {
	for k := range w.have.Addresses {
		if k.Prefix.Addr() != r.Server {
			continue
		}
		for _, v := range cfg.Instances {
			for _, a := range v.Addresses {
				if addr := a.Prefix.Addr(); k.Prefix.Contains(addr) && !slices.Contains(all, addr) {
					all = append(all, addr)
				}
			}
		}
	}
	return all
}

// defaultRoute leads to the director. It is marked as an administrator's route: a director on this host removes those
// with its own mark.
func defaultRoute(r Role, via netip.Addr) (state.RouteKey, state.Route) {
	k := state.RouteKey{Table: ir.MainTable, Dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Protocol: protocolStatic}
	if via.Is6() {
		k.Dst, k.Metric = netip.PrefixFrom(netip.IPv6Unspecified(), 0), 1024
	}
	why := fmt.Sprintf("answers of %s must go back through the director (NAT)", r.Server)
	return k, state.Route{Type: unicast, Hops: []state.Hop{{Via: via, Dev: r.Dev}}, Provenance: state.Provenance{Origin: r.span, Why: why}}
}

// Numbers of rtnetlink(7).
const (
	protocolStatic = 4
	unicast        = 1
)
