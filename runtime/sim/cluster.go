package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
)

// A Node is one director, and what its file says. Nobody may change the configuration while it is simulated.
type Node struct {
	Name   string
	Config *ir.Config
}

// A Cluster is directors and the segments that join them.
type Cluster struct {
	nodes []Node
	ports [][]Port // by node
}

// A Port is an interface of a node with its segment.
//
// Interfaces of the same name are on the same segment. One that has no namesake goes by its instances: it is where another node's
// instance has the same virtual router and an address in common.
type Port struct {
	Interface string
	Segment   string
	// Sources is where advertisements come from: addresses that the files tell (mcast_src_ip, unicast_src_ip, or what all others
	// call their peer), else made up.
	Sources []netip.Addr
	// Assumed: Sources are made up, 169.254.0.N and its like for IPv6 on the Nth node. They decide ties, as addresses do.
	Assumed bool
}

// NewCluster returns the cluster of some nodes. Errors: names that a script could not tell apart or from its own words.
func NewCluster(nodes []Node) (*Cluster, error) {
	c := &Cluster{nodes: nodes}
	seen := map[string]bool{}
	for i, n := range nodes {
		if err := Speakable(n.Name); err != nil {
			return nil, err
		}
		if seen[n.Name] {
			return nil, fmt.Errorf("two nodes are called %s", n.Name)
		}
		seen[n.Name] = true
		c.ports = append(c.ports, ports(i, n.Config))
	}
	c.join()
	c.name()
	return c, nil
}

// Speakable returns an error for a name that a script cannot use.
func Speakable(name string) error {
	if name == "" || name == everybody || name == nobody || strings.ContainsAny(name, " \t\r\n;#,+") {
		return fmt.Errorf("%q cannot be the name of a node", name)
	}
	return nil
}

// Names of the nodes, in order.
func (c *Cluster) Names() []string {
	var names []string
	for _, n := range c.nodes {
		names = append(names, n.Name)
	}
	return names
}

// Ports of a node, in the order in which its file mentions them.
func (c *Cluster) Ports(node int) []Port { return c.ports[node] }

func (c *Cluster) everybody() (all []int) {
	for i := range c.nodes {
		all = append(all, i)
	}
	return all
}

// find returns the index of a node, -1 when there is none of that name.
func (c *Cluster) find(name string) int { return slices.Index(c.Names(), name) }

// ports lists the interfaces that a file mentions, each on a segment of its name.
func ports(node int, cfg *ir.Config) (list []Port) {
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
	for i := range c.nodes {
		for k := range c.ports[i] {
			p := &c.ports[i][k]
			if c.namesake(i, p.Interface) {
				continue
			}
			for j := range i {
				if peer := c.peerInterface(i, j, p.Interface); peer != "" && !c.has(i, peer) {
					p.Segment = c.port(j, peer).Segment
					break
				}
			}
		}
	}
}

// namesake tells whether another node has an interface of that name.
func (c *Cluster) namesake(node int, name string) bool {
	for j := range c.nodes {
		if j != node && c.has(j, name) {
			return true
		}
	}
	return false
}

func (c *Cluster) has(node int, name string) bool { return c.port(node, name) != nil }

func (c *Cluster) port(node int, name string) *Port {
	for k := range c.ports[node] {
		if p := &c.ports[node][k]; p.Interface == name {
			return p
		}
	}
	return nil
}

// peerInterface returns the interface of node j with a virtual router of node i's interface; "" when there is none.
func (c *Cluster) peerInterface(i, j int, name string) string {
	for _, a := range c.nodes[i].Config.Instances {
		for _, b := range c.nodes[j].Config.Instances {
			if a.Interface == name && peers(a, b) {
				return b.Interface
			}
		}
	}
	return ""
}

// peers tells whether two instances look like one virtual router: the same number and family, and an address in common.
func peers(a, b *ir.VRRPInstance) bool {
	return a.VRID == b.VRID && a.IPv6() == b.IPv6() && slices.ContainsFunc(a.Addresses, func(x ir.Address) bool {
		return slices.ContainsFunc(b.Addresses, func(y ir.Address) bool { return x.Prefix.Addr() == y.Prefix.Addr() })
	})
}

// name finds the addresses that the other nodes of a segment know: the peer that all others have and the node itself has not.
func (c *Cluster) name() {
	for i := range c.nodes {
		for k := range c.ports[i] {
			p := &c.ports[i][k]
			if !p.Assumed {
				continue
			}
			if known := c.calledPeer(i, p.Segment); len(known) == 1 && len(p.Sources) == 1 && known[0].Is6() == p.Sources[0].Is6() {
				p.Sources, p.Assumed = known, false
			}
		}
	}
}

// calledPeer lists the addresses that are a unicast_peer of every other node on the segment and not of the node itself.
func (c *Cluster) calledPeer(node int, segment string) (known []netip.Addr) {
	first := true
	for j := range c.nodes {
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
	for _, v := range c.nodes[node].Config.Instances {
		if c.port(node, v.Interface).Segment != segment {
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

// Settle is how long the cluster needs at most to come to rest after an event, whole tens of seconds: two takeovers one after the
// other, and the verdict of every check.
func (c *Cluster) Settle() time.Duration {
	const unit = 10 * time.Second
	d := c.longest(func(v *ir.VRRPInstance) time.Duration {
		return 2 * (time.Duration(v.DownTimerAdverts+1)*max(v.AdvertInterval, time.Second) + v.PreemptDelay)
	}, func(k *ir.Check) time.Duration {
		return k.Warmup + k.DelayLoop + time.Duration(k.Retry+1)*(k.DelayBeforeRetry+k.ConnectTimeout) + time.Second
	})
	return (d/unit + 1) * unit
}

// longest is the longest of some times of all instances and checks, a second at least.
func (c *Cluster) longest(instance func(*ir.VRRPInstance) time.Duration, check func(*ir.Check) time.Duration) time.Duration {
	d := time.Second
	for _, n := range c.nodes {
		for _, v := range n.Config.Instances {
			if instance != nil {
				d = max(d, instance(v))
			}
		}
		for _, s := range n.Config.VirtualServers {
			for _, r := range s.RealServers {
				for _, k := range r.Checks {
					if check != nil {
						d = max(d, check(k))
					}
				}
			}
		}
	}
	return d
}
