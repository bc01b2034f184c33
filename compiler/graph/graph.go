// Package graph draws a cluster: directors on their segments, the virtual routers that they share, and the virtual servers with
// their real servers. New makes the model; SVG, Mermaid and DOT write it. No password and no command of a file gets into it.
package graph

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
)

// A Graph is a cluster as a person sees it. Numbers are indexes into its lists.
type Graph struct {
	Summary   string // "lb01, lb02: 1 virtual router with 1 address, 1 virtual server with 2 real servers"
	Segments  []Segment
	Directors []Director
	Routers   []Router
	More      int // virtual routers that are not shown
}

// A Segment is a network that joins directors.
type Segment struct {
	Name     string
	Networks []string // of the virtual addresses
}

// A Director is one host that runs a file.
type Director struct {
	Name      string
	Plugs     []Plug
	Instances []Instance
	More      int // instances that are not shown
}

// A Plug is where an interface of a director meets a segment.
type Plug struct {
	Interface string
	Segment   int
}

// An Instance is a director's part in a virtual router.
type Instance struct {
	Name     string
	Router   int
	Master   bool // it holds the addresses while all is well
	Priority string
	Sync     string // its sync group
	Trackers []string
}

// A Router is a virtual router with its addresses and the services on them. VRID zero is for services on addresses
// that no instance holds.
type Router struct {
	Name      string
	Settings  []string // "VRID 62", "VRRP 2", …
	Addresses []string
	Holders   []Holder // in the order in which they take over
	Note      string   // a remark about them: "equal priorities"
	Services  []Service
	More      int // services that are not shown
}

// A Holder is a director that has the addresses of a virtual router, or would take them over.
type Holder struct {
	Director int
	Master   bool // it has them while all is well
}

// Limits of what is shown; the rest is only counted.
const (
	maxRouters   = 24
	maxServices  = 24
	maxServers   = 8
	maxAddresses = 8
)

// New returns the picture of a cluster.
func New(c *cluster.Cluster) Graph {
	b := builder{Cluster: c}
	for i, n := range c.Nodes {
		d := Director{Name: n.Name}
		for _, p := range c.Ports(i) {
			d.Plugs = append(d.Plugs, Plug{p.Interface, b.segment(p.Segment)})
		}
		b.graph.Directors = append(b.graph.Directors, d)
	}
	for _, g := range c.Groups() {
		b.router(g)
	}
	b.services()
	b.graph.Summary = b.summary()
	b.trim()
	return b.graph
}

type builder struct {
	*cluster.Cluster
	graph     Graph
	addresses []map[netip.Addr]bool // by router
	servers   int                   // real servers of all services
}

// segment returns the index of a segment, adding it if it is new.
func (b *builder) segment(name string) int {
	i := slices.IndexFunc(b.graph.Segments, func(s Segment) bool { return s.Name == name })
	if i < 0 {
		i, b.graph.Segments = len(b.graph.Segments), append(b.graph.Segments, Segment{Name: name})
	}
	return i
}

// A candidate is a member of a virtual router with the priority that it has while all is well.
type candidate struct {
	cluster.Member
	priority uint8
	source   netip.Addr
}

// router adds a virtual router with its addresses and the parts of the directors in it.
func (b *builder) router(g cluster.Group) {
	r := Router{Name: g.Members[0].Name, Settings: routerSettings(g.Members[0].VRRPInstance)}
	seg := &b.graph.Segments[b.segment(g.Segment)]
	held := map[netip.Addr]bool{}
	var order []candidate
	for _, m := range g.Members {
		for _, a := range m.Addresses {
			addUnique(&r.Addresses, a.Prefix.String())
			held[a.Prefix.Addr()] = true
			if a.Dev == m.Interface && !a.Prefix.IsSingleIP() && !a.Prefix.Addr().IsLinkLocalUnicast() {
				addUnique(&seg.Networks, a.Prefix.Masked().String())
			}
		}
		_, bonus := trackers(b.Nodes[m.Node].Config, m.VRRPInstance)
		source, _ := b.Source(m)
		order = append(order, candidate{m, ir.EffectivePriority(m.Priority, bonus), source})
	}
	// At equal priorities the higher address wins (RFC 9568 section 6.4.3); addresses that the files do not have are
	// guesses.
	slices.SortStableFunc(order, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.priority, x.priority), cmp.Compare(y.State, x.State), y.source.Compare(x.source))
	})
	for i, m := range order {
		r.Holders = append(r.Holders, Holder{m.Node, i == 0 && (len(order) > 1 || m.State == ir.Master)})
	}
	r.Note = note(order)
	for i, m := range order {
		b.instance(m, r.Holders[i].Master)
	}
	b.addresses = append(b.addresses, held)
	b.graph.Routers = append(b.graph.Routers, r)
}

// note is a remark about the order in which directors hold the addresses.
func note(order []candidate) string {
	switch {
	case len(order) == 1:
		return "no peer among the files"
	case order[0].priority == order[1].priority:
		return "equal priorities"
	case slices.ContainsFunc(order, func(m candidate) bool { return m.NoPreempt }):
		return "stays where it is after a failover"
	}
	return ""
}

// instance adds a director's part in the router that is added next.
func (b *builder) instance(m candidate, master bool) {
	cfg := b.Nodes[m.Node].Config
	list, bonus := trackers(cfg, m.VRRPInstance)
	i := Instance{
		Name: m.Name, Router: len(b.graph.Routers), Master: master, Priority: strconv.Itoa(int(m.Priority)),
		Trackers: list,
	}
	if m.SyncGroup != nil {
		i.Sync = m.SyncGroup.Name
	}
	if bonus != 0 {
		i.Priority += fmt.Sprintf("%+d", bonus)
	}
	d := &b.graph.Directors[m.Node]
	d.Instances = append(d.Instances, i)
}

func addUnique[T comparable](list *[]T, v T) {
	if !slices.Contains(*list, v) {
		*list = append(*list, v)
	}
}

func routerSettings(v *ir.VRRPInstance) []string {
	how := "multicast"
	if len(v.Unicast) > 0 {
		how = "unicast"
	}
	return []string{fmt.Sprintf("VRID %d", v.VRID), fmt.Sprintf("VRRP %d", v.Version), fmt.Sprintf("%s every %v", how, v.AdvertInterval)}
}

// trim removes what is too much to look at.
func (b *builder) trim() {
	g := &b.graph
	if n := len(g.Routers); n > maxRouters {
		g.Routers, g.More = g.Routers[:maxRouters], n-maxRouters
	}
	for i := range g.Routers {
		r := &g.Routers[i]
		if n := len(r.Addresses); n > maxAddresses {
			r.Addresses = append(slices.Clone(r.Addresses[:maxAddresses-1]), more(n-maxAddresses+1, "address"))
		}
		if n := len(r.Services); n > maxServices {
			r.Services, r.More = r.Services[:maxServices], n-maxServices
		}
	}
	for i := range g.Directors {
		d := &g.Directors[i]
		all := len(d.Instances)
		d.Instances = slices.DeleteFunc(d.Instances, func(m Instance) bool { return m.Router >= len(g.Routers) })
		d.More = all - len(d.Instances)
	}
}

func (b *builder) summary() string {
	var names, parts []string
	for _, n := range b.Nodes {
		names = append(names, n.Name)
	}
	if len(names) > 4 {
		names = []string{count(len(names), "director")}
	}
	var addresses, services int
	for i, r := range b.graph.Routers {
		if i < len(b.addresses) {
			addresses += len(b.addresses[i])
		}
		for _, s := range r.Services {
			services += len(s.Names)
		}
	}
	if n := len(b.addresses); n > 0 {
		parts = append(parts, count(n, "virtual router")+" with "+count(addresses, "address"))
	}
	if services > 0 {
		parts = append(parts, count(services, "virtual server")+" with "+count(b.servers, "real server"))
	}
	if len(parts) == 0 {
		parts = []string{"no instance and no virtual server"}
	}
	return strings.Join(names, ", ") + ": " + strings.Join(parts, ", ")
}

func count(n int, noun string) string {
	if n != 1 {
		noun += plural(noun)
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// more counts what is not shown.
func more(n int, noun string) string { return "and " + count(n, "more "+noun) }

func plural(noun string) string {
	if strings.HasSuffix(noun, "s") {
		return "es"
	}
	return "s"
}
