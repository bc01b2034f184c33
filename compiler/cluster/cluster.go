// Package cluster looks at the configurations of several directors together: which of their interfaces share a
// segment, which addresses they send from, and which of their instances are one virtual router.
package cluster

import (
	"net/netip"
	"slices"

	"keepc/compiler/ir"
)

// A Node is one director with its configuration, which must not change while its cluster is in use.
type Node struct {
	Name   string
	Config *ir.Config
}

// A Cluster is a set of directors and the segments that join them.
type Cluster struct {
	Nodes []Node
	ports [][]Port // by node
}

// A Port is an interface of a node with its segment.
//
// Interfaces with the same name are on the same segment. An interface without a namesake is placed by its instances:
// on the segment where another node has the same virtual router, by VRID and a shared address or unicast peer.
type Port struct {
	Interface string
	Segment   string
	// Sources are the addresses that advertisements come from: those in the files (mcast_src_ip, unicast_src_ip, or
	// the address that all others have as their peer), or assumed ones.
	Sources []netip.Addr
	// Assumed says that Sources are made up: 169.254.0.N on the Nth node, and likewise for IPv6. They break ties, as
	// addresses do.
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

// Ports returns the ports of a node, in the order in which its file mentions them.
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

// Alone lists the interfaces that the file of one node mentions, each on a segment of the same name.
func Alone(node int, cfg *ir.Config) (list []Port) {
	index := map[string]int{}
	port := func(name string) *Port {
		i, ok := index[name]
		if !ok {
			i, list = len(list), append(list, Port{Interface: name, Segment: name})
			index[name] = i
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
	// An instance without a source uses that of another instance; an address is made up only if there is none.
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

// join puts interfaces without namesakes on the segments of their instances' peers.
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

// namesake reports whether another node has an interface with that name.
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

// name finds the addresses that the other nodes of a segment know: the unicast peer that all others have and the node
// itself does not.
func (c *Cluster) name() {
	peers := make([]map[string][]netip.Addr, len(c.Nodes))
	for i := range c.Nodes {
		peers[i] = c.unicastPeers(i)
	}
	for i := range c.Nodes {
		for k := range c.ports[i] {
			p := &c.ports[i][k]
			if !p.Assumed {
				continue
			}
			if known := calledPeer(peers, i, p.Segment); len(known) == 1 && (known[0].Is4() || known[0].IsLinkLocalUnicast()) && // which keepalived accepts
				len(p.Sources) == 1 && known[0].Is6() == p.Sources[0].Is6() {
				p.Sources, p.Assumed = known, false
			}
		}
	}
}

// calledPeer lists the addresses that are a unicast_peer of every other node on the segment and not of the node itself.
// peers has the unicastPeers of all nodes.
func calledPeer(peers []map[string][]netip.Addr, node int, segment string) (known []netip.Addr) {
	first := true
	for j := range peers {
		if j == node {
			continue
		}
		list, on := peers[j][segment]
		switch {
		case !on:
		case first:
			known, first = slices.Clone(list), false
		default:
			known = slices.DeleteFunc(known, func(a netip.Addr) bool { return !slices.Contains(list, a) })
		}
	}
	own := peers[node][segment]
	return slices.DeleteFunc(known, func(a netip.Addr) bool { return slices.Contains(own, a) })
}

// unicastPeers lists the unicast_peer addresses of a node for each segment on which it has instances.
func (c *Cluster) unicastPeers(node int) map[string][]netip.Addr {
	segment := map[string]string{}
	for _, p := range c.ports[node] {
		segment[p.Interface] = p.Segment
	}
	all := map[string][]netip.Addr{}
	for _, v := range c.Nodes[node].Config.Instances {
		list := all[segment[v.Interface]]
		for _, p := range v.Unicast {
			if !slices.Contains(list, p.Addr) {
				list = append(list, p.Addr)
			}
		}
		all[segment[v.Interface]] = list
	}
	return all
}
