// Package cluster looks at the configurations of several directors together: which of their interfaces are on one segment, which
// addresses they speak from, and which of their instances are one virtual router.
package cluster

import (
	"net/netip"
	"slices"

	"keepc/compiler/ir"
)

// A Node is one director, and what its file says. Nobody may change the configuration while its cluster is looked at.
type Node struct {
	Name   string
	Config *ir.Config
}

// A Cluster is directors and the segments that join them.
type Cluster struct {
	Nodes []Node
	ports [][]Port // by node
}

// A Port is an interface of a node with its segment.
//
// Interfaces of the same name are on the same segment. One that has no namesake goes by its instances: it is where another node's
// instance is the same virtual router by its number, with an address in common or as a unicast peer.
type Port struct {
	Interface string
	Segment   string
	// Sources is where advertisements come from: addresses that the files tell (mcast_src_ip, unicast_src_ip, or what all others
	// call their peer), else made up.
	Sources []netip.Addr
	// Assumed: Sources are made up, 169.254.0.N and its like for IPv6 on the Nth node. They decide ties, as addresses do.
	Assumed bool
}

// New returns the cluster of some nodes.
func New(nodes []Node) *Cluster {
	c := &Cluster{Nodes: nodes}
	for i, n := range nodes {
		c.ports = append(c.ports, Alone(i, n.Config))
	}
	c.join()
	c.name()
	return c
}

// Ports of a node, in the order in which its file mentions them.
func (c *Cluster) Ports(node int) []Port { return c.ports[node] }

// Port returns an interface of a node; nil when its file does not mention it.
func (c *Cluster) Port(node int, name string) *Port {
	for k := range c.ports[node] {
		if p := &c.ports[node][k]; p.Interface == name {
			return p
		}
	}
	return nil
}

// Alone lists the interfaces that the file of one node mentions, each on a segment of its name.
func Alone(node int, cfg *ir.Config) (list []Port) {
	port := func(name string) *Port {
		i := slices.IndexFunc(list, func(p Port) bool { return p.Interface == name })
		if i < 0 {
			i, list = len(list), append(list, Port{Interface: name, Segment: name})
		}
		return &list[i]
	}
	for _, v := range cfg.Instances {
		p := port(v.Interface)
		if v.SourceAddr.IsValid() && !slices.Contains(p.Sources, v.SourceAddr) {
			p.Sources = append(p.Sources, v.SourceAddr)
		}
		for _, a := range v.Addresses {
			port(a.Dev)
		}
		for _, t := range v.TrackInterfaces {
			port(t.Name)
		}
		for _, name := range v.Follows() {
			if !slices.ContainsFunc(v.Links, func(l ir.VirtualLink) bool { return l.Name == name }) {
				port(name)
			}
		}
	}
	// An instance that names no source takes one that another names; only what is missing then is made up.
	for _, v := range cfg.Instances {
		p := port(v.Interface)
		if !slices.ContainsFunc(p.Sources, func(a netip.Addr) bool { return a.Is6() == v.IPv6() }) {
			p.Sources, p.Assumed = append(p.Sources, assumed(node, v.IPv6())), true
		}
	}
	return list
}

// assumed makes up the address of a node.
func assumed(node int, ipv6 bool) netip.Addr {
	hi, lo := byte((node+1)>>8), byte(node+1)
	if ipv6 {
		return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: 1, 9: 0x69, 10: 2, 11: 0x54, 14: hi, 15: lo})
	}
	return netip.AddrFrom4([4]byte{169, 254, hi, lo})
}

// join puts interfaces without namesakes onto the segments of their instances' peers.
func (c *Cluster) join() {
	for i := range c.Nodes {
		for k := range c.ports[i] {
			p := &c.ports[i][k]
			if c.namesake(i, p.Interface) {
				continue
			}
			for j := range i {
				if peer := c.peerInterface(i, j, p.Interface); peer != "" && c.Port(i, peer) == nil {
					p.Segment = c.Port(j, peer).Segment
					break
				}
			}
		}
	}
}

// namesake tells whether another node has an interface of that name.
func (c *Cluster) namesake(node int, name string) bool {
	for j := range c.Nodes {
		if j != node && c.Port(j, name) != nil {
			return true
		}
	}
	return false
}

// peerInterface returns the interface of node j with a virtual router of node i's interface; "" when there is none.
func (c *Cluster) peerInterface(i, j int, name string) string {
	for _, a := range c.Nodes[i].Config.Instances {
		for _, b := range c.Nodes[j].Config.Instances {
			if a.Interface == name && sameNumber(a, b) && (shareGlobal(a, b) || callEachOther(a, b)) {
				return b.Interface
			}
		}
	}
	return ""
}

// name finds the addresses that the other nodes of a segment know: the peer that all others have and the node itself has not.
func (c *Cluster) name() {
	for i := range c.Nodes {
		for k := range c.ports[i] {
			p := &c.ports[i][k]
			if !p.Assumed {
				continue
			}
			if known := c.calledPeer(i, p.Segment); len(known) == 1 && (known[0].Is4() || known[0].IsLinkLocalUnicast()) && // which keepalived takes
				len(p.Sources) == 1 && known[0].Is6() == p.Sources[0].Is6() {
				p.Sources, p.Assumed = known, false
			}
		}
	}
}

// calledPeer lists the addresses that are a unicast_peer of every other node on the segment and not of the node itself.
func (c *Cluster) calledPeer(node int, segment string) (known []netip.Addr) {
	first := true
	for j := range c.Nodes {
		if j == node {
			continue
		}
		list, on := c.unicastPeers(j, segment)
		switch {
		case !on:
		case first:
			known, first = list, false
		default:
			known = slices.DeleteFunc(known, func(a netip.Addr) bool { return !slices.Contains(list, a) })
		}
	}
	own, _ := c.unicastPeers(node, segment)
	return slices.DeleteFunc(known, func(a netip.Addr) bool { return slices.Contains(own, a) })
}

// unicastPeers lists all unicast_peer addresses of a node on a segment. on: it has instances there.
func (c *Cluster) unicastPeers(node int, segment string) (list []netip.Addr, on bool) {
	for _, v := range c.Nodes[node].Config.Instances {
		if c.Port(node, v.Interface).Segment != segment {
			continue
		}
		on = true
		for _, p := range v.Unicast {
			if !slices.Contains(list, p.Addr) {
				list = append(list, p.Addr)
			}
		}
	}
	return list, on
}
