package kernel

import (
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"keepc/compiler/state"
)

// routesOf lists the routes of all tables but the local one, which the kernel fills by itself: all, or those that carry the mark of
// keepalived or that of one of the keys, which is cheap where others have a million. It needs no capability. Of routes that share a key
// the first one counts, for the kernel as well.
func (l *Linux) routesOf(_ state.State, keys iter.Seq[state.RouteKey]) (map[state.RouteKey]state.Route, error) {
	var protocols []uint8
	if keys != nil {
		protocols = marks(keys)
	}
	links, err := dump(l.routes.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	names := map[int]string{}
	for _, k := range links {
		names[k.Attrs().Index] = k.Attrs().Name
	}
	routes, err := l.listRoutes(protocols)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	all := make(map[state.RouteKey]state.Route, len(routes))
	for _, r := range routes {
		if r.Table == unix.RT_TABLE_LOCAL || r.Dst == nil {
			continue
		}
		k := routeKey(r)
		if _, twice := all[k]; !twice {
			all[k] = route(r, names)
		}
	}
	return all, nil
}

// listRoutes asks the kernel for the routes of each protocol. One before 4.20 sends all of them, and the library sorts them out.
func (l *Linux) listRoutes(protocols []uint8) (all []netlink.Route, err error) {
	mask := netlink.RT_FILTER_TABLE | netlink.RT_FILTER_PROTOCOL
	if len(protocols) == 0 {
		protocols, mask = []uint8{unix.RTPROT_UNSPEC}, netlink.RT_FILTER_TABLE
	}
	for _, p := range protocols {
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			filter := &netlink.Route{Table: unix.RT_TABLE_UNSPEC, Protocol: netlink.RouteProtocol(p)}
			routes, err := dump(func() (routes []netlink.Route, err error) {
				err = l.strict.RouteListFilteredIter(family, filter, mask, func(r netlink.Route) bool {
					routes = append(routes, r)
					return true
				})
				return routes, err
			})
			// A table that never stands still, as that of a BGP router, is read as well as it can be: the next look sees the rest.
			if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
				return nil, err
			}
			all = append(all, routes...)
		}
	}
	return all, nil
}

func routeKey(r netlink.Route) state.RouteKey {
	return state.RouteKey{Table: uint32(r.Table), Dst: prefix(r.Dst), TOS: uint8(r.Tos), Metric: uint32(r.Priority), Protocol: uint8(r.Protocol)}
}

func route(r netlink.Route, names map[int]string) state.Route {
	out := state.Route{Type: uint8(r.Type), Scope: uint8(r.Scope), PrefSrc: plain(r.Src)}
	hop := func(gw net.IP, via netlink.Destination, link, weight, flags int) state.Hop {
		h := state.Hop{Via: plain(gw), Dev: names[link], Weight: weight, OnLink: flags&unix.RTNH_F_ONLINK != 0}
		if v, ok := via.(*netlink.Via); ok {
			h.Via = plain(v.Addr)
		}
		return h
	}
	for _, n := range r.MultiPath {
		out.Hops = append(out.Hops, hop(n.Gw, n.Via, n.LinkIndex, n.Hops+1, n.Flags))
	}
	// The kernel hangs IPv6 routes that lead nowhere on the loopback.
	if r.Type == unix.RTN_UNICAST && len(r.MultiPath) == 0 {
		out.Hops = []state.Hop{hop(r.Gw, r.Via, r.LinkIndex, 0, r.Flags)}
	}
	for _, o := range routeOptions() {
		if v := o.get(&r); v != "" {
			if out.Options == nil {
				out.Options = map[string]string{}
			}
			out.Options[o.name] = v
		}
	}
	return out
}

// setRoute adds the route as keepalived does. IPv6 has no order among routes with the same destination and metric: somebody else's is
// an error.
func (l *Linux) setRoute(k state.RouteKey, r state.Route) error {
	n, err := l.netlinkRoute(k, r)
	if err != nil {
		return fmt.Errorf("add route %s: %w", k, err)
	}
	add := l.routes.RouteAddEcmp // neither exclusive nor at the end: before the others
	if k.Dst.Addr().Is6() {
		add = l.routes.RouteAdd
	}
	err = add(n)
	switch {
	case errors.Is(err, unix.EEXIST) && l.serves(k, r):
		return nil
	case errors.Is(err, unix.EEXIST):
		err = errors.New("there is another route with the same destination and metric")
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH):
		err = ErrUnreachable
	}
	if err != nil {
		return fmt.Errorf("add route %s: %w", k, permission(err, netAdmin))
	}
	return nil
}

func (l *Linux) serves(k state.RouteKey, r state.Route) bool {
	all, err := l.routesOf(state.State{}, slices.Values([]state.RouteKey{k}))
	have, there := all[k]
	return err == nil && there && have.Serves(r)
}

// deleteRoute deletes the route of whatever settings.
func (l *Linux) deleteRoute(k state.RouteKey) error {
	err := l.routes.RouteDel(&netlink.Route{
		Dst: ipNet(k.Dst), Table: int(k.Table), Tos: int(k.TOS), Priority: int(k.Metric), Protocol: netlink.RouteProtocol(k.Protocol),
		Scope: netlink.SCOPE_NOWHERE, // which is any
	})
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("delete route %s: %w", k, permission(err, netAdmin))
	}
	return nil
}

func (l *Linux) netlinkRoute(k state.RouteKey, r state.Route) (*netlink.Route, error) {
	n := &netlink.Route{
		Dst: ipNet(k.Dst), Table: int(k.Table), Tos: int(k.TOS), Priority: int(k.Metric), Protocol: netlink.RouteProtocol(k.Protocol),
		Type: int(r.Type), Scope: netlink.Scope(r.Scope),
	}
	if r.PrefSrc.IsValid() {
		n.Src = r.PrefSrc.AsSlice()
	}
	for _, h := range r.Hops {
		hop := &netlink.NexthopInfo{Hops: max(h.Weight-1, 0)}
		if h.Dev != "" {
			link, err := l.link(h.Dev)
			if err != nil {
				return nil, err
			}
			hop.LinkIndex = link.Index
		}
		if h.OnLink {
			hop.Flags = unix.RTNH_F_ONLINK
		}
		switch {
		case h.Via.Is4() && k.Dst.Addr().Is4(), h.Via.Is6() && k.Dst.Addr().Is6():
			hop.Gw = h.Via.AsSlice()
		case h.Via.Is6():
			hop.Via = &netlink.Via{AddrFamily: unix.AF_INET6, Addr: h.Via.AsSlice()}
		case h.Via.Is4():
			return nil, errors.New("an IPv6 route has no IPv4 gateway")
		}
		n.MultiPath = append(n.MultiPath, hop)
	}
	if len(n.MultiPath) == 1 {
		hop := n.MultiPath[0]
		n.LinkIndex, n.Flags, n.Gw, n.Via, n.MultiPath = hop.LinkIndex, hop.Flags, hop.Gw, hop.Via, nil
	}
	for _, o := range routeOptions() {
		if text, set := r.Options[o.name]; set {
			if err := o.set(n, text); err != nil {
				return nil, fmt.Errorf("%s %s: %w", o.name, text, err)
			}
		}
	}
	return n, nil
}

// A routeOption is one of the words of a route that the kernel keeps and nobody reckons with.
type routeOption struct {
	name string
	get  func(*netlink.Route) string // empty: not set
	set  func(*netlink.Route, string) error
}

// routeOptions are those that the library knows. Times are in the kernel's units: rtt in eighths and rttvar in quarters of a
// millisecond, rto_min in milliseconds.
func routeOptions() []routeOption {
	number := func(name string, at func(*netlink.Route) *int) routeOption {
		return routeOption{
			name: name,
			get:  func(r *netlink.Route) string { return orEmpty(*at(r)) },
			set: func(r *netlink.Route, text string) (err error) {
				n, err := strconv.ParseUint(text, 10, 32)
				*at(r) = int(n)
				return err
			},
		}
	}
	flag := func(name string, at func(*netlink.Route) *bool) routeOption {
		return routeOption{
			name: name,
			get:  func(r *netlink.Route) string { return map[bool]string{true: "on"}[*at(r)] },
			set:  func(r *netlink.Route, text string) error { *at(r) = text == "on"; return nil },
		}
	}
	return []routeOption{
		number("mtu", func(r *netlink.Route) *int { return &r.MTU }),
		flag("mtu lock", func(r *netlink.Route) *bool { return &r.MTULock }),
		number("advmss", func(r *netlink.Route) *int { return &r.AdvMSS }),
		number("window", func(r *netlink.Route) *int { return &r.Window }),
		number("rtt", func(r *netlink.Route) *int { return &r.Rtt }),
		number("rttvar", func(r *netlink.Route) *int { return &r.RttVar }),
		number("rto_min", func(r *netlink.Route) *int { return &r.RtoMin }),
		flag("rto_min lock", func(r *netlink.Route) *bool { return &r.RtoMinLock }),
		number("ssthresh", func(r *netlink.Route) *int { return &r.Ssthresh }),
		number("cwnd", func(r *netlink.Route) *int { return &r.Cwnd }),
		number("initcwnd", func(r *netlink.Route) *int { return &r.InitCwnd }),
		number("initrwnd", func(r *netlink.Route) *int { return &r.InitRwnd }),
		number("reordering", func(r *netlink.Route) *int { return &r.Reordering }),
		number("hoplimit", func(r *netlink.Route) *int { return &r.Hoplimit }),
		number("features", func(r *netlink.Route) *int { return &r.Features }),
		number("quickack", func(r *netlink.Route) *int { return &r.QuickACK }),
		number("fastopen_no_cookie", func(r *netlink.Route) *int { return &r.FastOpenNoCookie }),
		number("realm", func(r *netlink.Route) *int { return &r.Realm }),
		{
			name: "congctl",
			get:  func(r *netlink.Route) string { return r.Congctl },
			set:  func(r *netlink.Route, text string) error { r.Congctl = text; return nil },
		},
	}
}

func orEmpty(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// plain is an address of the library's; the zero Addr for none.
func plain(ip net.IP) netip.Addr {
	if ip == nil {
		return netip.Addr{}
	}
	if v4 := ip.To4(); v4 != nil {
		ip = v4
	}
	a, _ := netip.AddrFromSlice(ip)
	return a
}
