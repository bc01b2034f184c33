package kernel

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"keepc/compiler/state"
)

// routesOf lists the routes of all tables except the local one, which the kernel fills by itself: all of them, or
// those with the mark of keepalived or that of one of the keys, which is cheap even if there are a million others. It
// needs no capability. Of routes that share a key the first one counts, as in the kernel.
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
	all := map[state.RouteKey]state.Route{}
	if err := l.listRoutes(protocols, names, all); err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	return all, nil
}

// listRoutes asks the kernel for the routes of each protocol. A kernel before 4.20 sends all routes, which are
// filtered here.
func (l *Linux) listRoutes(protocols []uint8, names map[int]string, all map[state.RouteKey]state.Route) error {
	if len(protocols) == 0 {
		protocols = []uint8{unix.RTPROT_UNSPEC}
	}
	for _, p := range protocols {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			_, err := dump(func() ([]struct{}, error) {
				req := nl.NewNetlinkRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP)
				req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: l.strict}
				req.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: family, Protocol: p}})
				var wrong error
				err := req.ExecuteIter(unix.NETLINK_ROUTE, unix.RTM_NEWROUTE, func(m []byte) bool {
					k, r, some, err := readRoute(m, names)
					if wrong = errors.Join(wrong, err); !some || k.Table == unix.RT_TABLE_LOCAL || p != unix.RTPROT_UNSPEC && k.Protocol != p {
						return true
					}
					if _, twice := all[k]; !twice {
						all[k] = r
					}
					return true
				})
				return nil, errors.Join(err, wrong)
			})
			// A table that never stands still, such as that of a BGP router, is read as well as possible: the next
			// look sees the rest.
			if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
				return err
			}
		}
	}
	return nil
}

// setRoute adds the route as keepalived does. IPv6 has no order among routes with the same destination and metric: if
// a foreign one exists, that is an error.
func (l *Linux) setRoute(k state.RouteKey, r state.Route) error {
	head, attrs, err := l.wholeRoute(k, r)
	if err != nil {
		return fmt.Errorf("add route %s: %w", k, err)
	}
	flags := unix.NLM_F_CREATE // neither exclusive nor at the end: before the others
	switch {
	case k.Dst.Addr().Is6():
		flags |= unix.NLM_F_EXCL
	case r.Append:
		flags |= unix.NLM_F_APPEND
	}
	err = l.changeRouting(unix.RTM_NEWROUTE, flags, head, attrs)
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

// changeRouting sends a message about a route or a rule.
func (l *Linux) changeRouting(verb, flags int, head *nl.RtMsg, attrs []*nl.RtAttr) error {
	req := nl.NewNetlinkRequest(verb, flags|unix.NLM_F_ACK)
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: l.rules}
	req.AddData(head)
	for _, a := range attrs {
		req.AddData(a)
	}
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

func (l *Linux) serves(k state.RouteKey, r state.Route) bool {
	all, err := l.routesOf(state.State{}, slices.Values([]state.RouteKey{k}))
	have, there := all[k]
	return err == nil && there && have.Serves(r)
}

// deleteRoute deletes the route, whatever its settings.
func (l *Linux) deleteRoute(k state.RouteKey) error {
	head, attrs := routeMessage(k)
	if err := l.changeRouting(unix.RTM_DELROUTE, 0, head, attrs); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("delete route %s: %w", k, permission(err, netAdmin))
	}
	return nil
}
