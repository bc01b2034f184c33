package cluster

import (
	"net/netip"
	"slices"

	"keepc/compiler/ir"
)

// A Group is one virtual router: the instances of several nodes that advertise to each other, whatever their names.
//
// They have the same VRID, family and segment, and nothing that separates them: if both sides hold addresses, they
// share one, or one side has the other as its unicast peer.
type Group struct {
	Segment string
	Members []Member // in the order of the nodes; at least one
}

// A Member is the instance of one node in a group.
type Member struct {
	*ir.VRRPInstance
	Node   int
	Config *ir.Config // of the node
}

// Groups returns the virtual routers of the cluster, in the order in which the files mention them. Each instance is in
// one group.
func (c *Cluster) Groups() (groups []Group) {
	for node, n := range c.Nodes {
		for _, v := range n.Config.Instances {
			m := Member{v, node, n.Config}
			i := slices.IndexFunc(groups, func(g Group) bool { return c.belongs(g, m) })
			if i < 0 {
				i, groups = len(groups), append(groups, Group{Segment: c.Segment(m)})
			}
			groups[i].Members = append(groups[i].Members, m)
		}
	}
	return groups
}

// Segment returns the segment of an instance.
func (c *Cluster) Segment(m Member) string { return c.Port(m.Node, m.Interface).Segment }

// Source returns where the advertisements of a member come from. known reports whether a file says so.
func (c *Cluster) Source(m Member) (a netip.Addr, known bool) {
	if m.SourceAddr.IsValid() {
		return m.SourceAddr, true
	}
	p := c.Port(m.Node, m.Interface)
	for _, a := range p.Sources {
		if a.Is6() == m.IPv6() {
			return a, !p.Assumed
		}
	}
	return netip.Addr{}, false
}

// belongs reports whether an instance belongs to a virtual router that has no member of its node yet.
func (c *Cluster) belongs(g Group, m Member) bool {
	return !slices.ContainsFunc(g.Members, func(o Member) bool { return o.Node == m.Node || !sameNumber(o.VRRPInstance, m.VRRPInstance) }) &&
		slices.ContainsFunc(g.Members, func(o Member) bool { return c.alike(o, m) })
}

// alike reports whether two instances with the same VRID and family are one virtual router.
func (c *Cluster) alike(a, b Member) bool {
	v, w := a.VRRPInstance, b.VRRPInstance
	if c.Segment(a) != c.Segment(b) {
		return shareGlobal(v, w) || callEachOther(v, w)
	}
	return shareAddress(v, w) || callEachOther(v, w) || len(v.Addresses) == 0 || len(w.Addresses) == 0
}

// Hear reports whether two instances advertise to the same multicast group on the same segment, and so disturb each
// other if they are two virtual routers with the same VRID.
func (c *Cluster) Hear(a, b Member) bool {
	return sameNumber(a.VRRPInstance, b.VRRPInstance) && c.Segment(a) == c.Segment(b) &&
		len(a.Unicast) == 0 && len(b.Unicast) == 0 && a.MulticastGroup == b.MulticastGroup
}

// sameNumber reports whether two instances have the same VRID and family.
func sameNumber(a, b *ir.VRRPInstance) bool { return a.VRID == b.VRID && a.IPv6() == b.IPv6() }

// shareAddress reports whether two instances on one segment hold the same address.
func shareAddress(a, b *ir.VRRPInstance) bool { return len(Shared(a, b)) > 0 }

// shareGlobal reports whether two instances hold the same address and mean the same by it: a link-local address
// differs from link to link.
func shareGlobal(a, b *ir.VRRPInstance) bool {
	return slices.ContainsFunc(Shared(a, b), func(a netip.Addr) bool { return !a.IsLinkLocalUnicast() })
}

// Shared lists the addresses that both instances hold.
func Shared(a, b *ir.VRRPInstance) (both []netip.Addr) {
	for _, x := range a.Addresses {
		if slices.ContainsFunc(b.Addresses, func(y ir.Address) bool { return x.Prefix.Addr() == y.Prefix.Addr() }) {
			both = append(both, x.Prefix.Addr())
		}
	}
	return both
}

// callEachOther reports whether one instance has the source of the other as its unicast peer.
func callEachOther(a, b *ir.VRRPInstance) bool { return calls(a, b) || calls(b, a) }

func calls(a, b *ir.VRRPInstance) bool {
	return b.SourceAddr.IsValid() && slices.ContainsFunc(a.Unicast, func(p ir.UnicastPeer) bool { return p.Addr == b.SourceAddr })
}
