package graph

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"keepc/compiler/ir"
)

// A Service is a virtual server; the services of a virtual_server_group are one.
type Service struct {
	Names    []string // "tcp 10.0.0.3:80"
	Settings []string // "wrr", "persistent 50s", …
	Method   string   // of forwarding: "NAT", "DR" or "TUN"
	Servers  []Server
	Warnings []string // where directors disagree
}

// A Server is a real server, several with equal settings, or how many more there are.
type Server struct {
	Name     string   // "10.0.0.7:80"; "10.0.0.11 to 10.0.0.34, port 80"
	Settings []string // "weight 1", "TCP_CHECK"
	Sorry    bool     // serves when too few others are up
}

// A pool is a service while directors are merged.
type pool struct {
	Service
	router  int
	on      []int // directors
	servers []*ir.RealServer
	differ  bool
}

// services puts the virtual servers of all directors under the routers that hold their addresses.
func (b *builder) services() {
	var pools []*pool
	known := map[string]*pool{}
	for i, n := range b.Nodes {
		for _, p := range b.poolsOf(n.Config) {
			name := strings.Join(p.Names, " ")
			have, ok := known[name]
			if !ok {
				known[name], have = p, p
				pools = append(pools, p)
				b.servers += len(p.servers)
			}
			have.on = append(have.on, i)
			have.differ = have.differ || !sameService(have.Service, p.Service)
		}
	}
	loose := -1
	for _, p := range pools {
		if p.router < 0 {
			if loose < 0 {
				loose = len(b.graph.Routers)
				b.graph.Routers = append(b.graph.Routers, Router{Note: "no vrrp_instance holds these addresses"})
			}
			p.router = loose
		}
		if p.differ {
			p.Warnings = append(p.Warnings, "differs between directors")
		}
		if len(p.on) < len(b.Nodes) {
			p.Warnings = append(p.Warnings, "only on "+b.names(p.on))
		}
		r := &b.graph.Routers[p.router]
		r.Services = append(r.Services, p.Service)
	}
}

func (b *builder) names(directors []int) string {
	var names []string
	for _, d := range directors {
		addUnique(&names, b.Nodes[d].Name)
	}
	return strings.Join(names, ", ")
}

// poolsOf returns the services of a file, those of a group as one.
func (b *builder) poolsOf(cfg *ir.Config) (list []*pool) {
	var last *ir.VirtualServer
	for _, v := range cfg.VirtualServers {
		if last != nil && v.Group != "" && v.Group == last.Group && v.Stmt == last.Stmt {
			p := list[len(list)-1]
			p.Names = append(p.Names, v.Key.String())
			continue
		}
		last = v
		p := &pool{router: b.routerOf(v.Key.Addr), servers: v.RealServers}
		p.Service = Service{Names: []string{v.Key.String()}, Settings: serviceSettings(v), Method: method(v.Forwarding), Servers: servers(v)}
		list = append(list, p)
	}
	return list
}

// routerOf returns the router that holds an address; -1 when none does.
func (b *builder) routerOf(a netip.Addr) int {
	return slices.IndexFunc(b.addresses, func(held map[netip.Addr]bool) bool { return held[a] })
}

func sameService(a, b Service) bool {
	return a.Method == b.Method && slices.Equal(a.Settings, b.Settings) &&
		slices.EqualFunc(a.Servers, b.Servers, func(x, y Server) bool { return x.Name == y.Name && slices.Equal(x.Settings, y.Settings) })
}

func method(f ir.Forwarding) string { return [...]string{"NAT", "DR", "TUN"}[f] }

func serviceSettings(v *ir.VirtualServer) []string {
	list := []string{v.Scheduler}
	if v.PersistenceTimeout > 0 {
		list = append(list, fmt.Sprintf("persistent %ds", int(v.PersistenceTimeout.Seconds())))
	}
	if v.Quorum > 1 {
		list = append(list, fmt.Sprintf("quorum %d", v.Quorum))
	}
	return list
}

// servers lists the real servers; if there are many, those with equal settings share a line.
func servers(v *ir.VirtualServer) (list []Server) {
	groups := make([][]*ir.RealServer, 0, len(v.RealServers))
	for _, r := range v.RealServers {
		i := -1
		if len(v.RealServers) > maxServers-2 {
			i = slices.IndexFunc(groups, func(g []*ir.RealServer) bool { return slices.Equal(serverSettings(g[0], v), serverSettings(r, v)) })
		}
		if i < 0 {
			i, groups = len(groups), append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	for i, g := range groups {
		if i == maxServers-1 && len(groups) > maxServers {
			list = append(list, Server{Name: more(len(v.RealServers)-shown(groups[:i]), "real server")})
			break
		}
		s := Server{Name: serverNames(g), Settings: serverSettings(g[0], v)}
		if len(g) > 1 {
			s.Settings = append([]string{count(len(g), "real server")}, s.Settings...)
		}
		list = append(list, s)
	}
	if v.SorryServer != nil {
		list = append(list, Server{Name: v.SorryServer.Addr.String(), Settings: []string{"sorry server"}, Sorry: true})
	}
	return list
}

func shown(groups [][]*ir.RealServer) (n int) {
	for _, g := range groups {
		n += len(g)
	}
	return n
}

// serverNames names one server, or several by the first and last of their addresses.
func serverNames(g []*ir.RealServer) string {
	first, last := g[0].Addr, g[0].Addr
	onePort := true
	for _, r := range g {
		if r.Addr.Compare(first) < 0 {
			first = r.Addr
		}
		if r.Addr.Compare(last) > 0 {
			last = r.Addr
		}
		onePort = onePort && r.Addr.Port() == g[0].Addr.Port()
	}
	switch {
	case first == last:
		return first.String()
	case first.Addr() == last.Addr():
		return fmt.Sprintf("%v, ports %d to %d", first.Addr(), first.Port(), last.Port())
	case onePort:
		return fmt.Sprintf("%v to %v, port %d", first.Addr(), last.Addr(), first.Port())
	}
	return fmt.Sprintf("%v to %v", first.Addr(), last.Addr())
}

func serverSettings(r *ir.RealServer, v *ir.VirtualServer) []string {
	list := []string{"weight " + strconv.Itoa(r.Weight)}
	if r.Forwarding != v.Forwarding {
		list = append(list, method(r.Forwarding))
	}
	for _, k := range r.Checks {
		addUnique(&list, checkName(k, r))
	}
	if len(r.Checks) == 0 {
		list = append(list, "no check")
	}
	return list
}

// checkName names a check, with its port if it differs from that of the service.
func checkName(k *ir.Check, r *ir.RealServer) string {
	if p := k.Target.Port(); p != 0 && p != r.Addr.Port() {
		return fmt.Sprintf("%s :%d", k.Keyword(), p)
	}
	return k.Keyword()
}
