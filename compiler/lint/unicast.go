package lint

import (
	"fmt"
	"net/netip"
	"slices"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// unicastRules are about how advertisements are sent: unicast or multicast, from which address, on which interface.
func unicastRules() []Rule {
	return []Rule{
		{
			Name: "unicast-without-peers", Severity: diag.Warning, Worst: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if len(v.Unicast) > 0 || !empty(v.Origin, "unicast_peer") {
						continue
					}
					word := unicastWord(v)
					switch {
					case v.Has("unicast_ttl"):
						p.report(v.At("unicast_ttl"), named(v)+" has unicast_ttl and no unicast_peer", "keepalived advertises with a TTL of 0, and every director becomes MASTER").Severity = diag.Error
					case word == "unicast_peer":
						p.report(v.At(word), "unicast_peer of "+named(v)+" is empty", "multicast is used")
					case word != "" && !v.Has("unicast_fault_no_peer"):
						p.report(v.At(word), named(v)+" has "+word+" and no unicast_peer", "multicast is used")
					}
				}
			},
		},
		{
			Name: "unicast-self", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, peer := range v.Unicast {
						if peer.Addr == v.SourceAddr {
							p.report(peer.Span(), fmt.Sprintf("%s is the address of this router itself", peer.Addr), "not a peer").Notes = note(v.At("unicast_src_ip"), "the own address")
						}
					}
				}
			},
		},
		{
			Name: "source-is-peer", Severity: diag.Error, Loss: diag.Keeps,
			Check: func(p *pass) {
				sources := map[netip.Addr]*ir.VRRPInstance{}
				for _, v := range p.Instances {
					if v.SourceAddr.IsValid() && v.Has("unicast_src_ip") && sources[v.SourceAddr] == nil {
						sources[v.SourceAddr] = v
					}
				}
				for _, v := range p.Instances {
					for _, peer := range v.Unicast {
						if o := sources[peer.Addr]; o != nil && o != v && peer.Addr != v.SourceAddr {
							p.report(peer.Span(), fmt.Sprintf("%s is a peer of %s and the own address of %s", peer.Addr, named(v), named(o)), "this router has it or not").Notes = note(o.At("unicast_src_ip"), "the own address")
						}
					}
				}
			},
		},
		{
			Name: "source-not-here", Severity: diag.Error, Loss: diag.Keeps, Host: true,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if _, here := p.host.Networks(v.Interface); !here && v.Interface != "" {
						continue // reported separately
					}
					if v.Has("unicast_src_ip") && v.SourceAddr.IsValid() && !p.host.Holds(v.SourceAddr) {
						p.report(v.At("unicast_src_ip"), fmt.Sprintf("this machine does not have %s", v.SourceAddr), "FAULT: "+named(v)+" never becomes MASTER here")
					}
				}
			},
		},
		{
			Name: "unusable-peer", Severity: diag.Warning, Worst: diag.Error, Loss: diag.Keeps,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, peer := range v.Unicast {
						what := unusable(netip.PrefixFrom(peer.Addr, peer.Addr.BitLen()))
						if peer.Addr.IsLoopback() {
							what = "a loopback address"
						}
						if what != "" {
							p.report(peer.Span(), fmt.Sprintf("%s is %s", peer.Addr, what), "expected an address of a router")
						}
						if peer.MinTTL > peer.MaxTTL && peer.HasWord("min_ttl") && peer.HasWord("max_ttl") {
							p.report(peer.Span(), fmt.Sprintf("min_ttl %d of %s is above max_ttl %d", peer.MinTTL, peer.Addr, peer.MaxTTL), "drops all its advertisements").Severity = diag.Error
						}
					}
				}
			},
		},
		{
			Name: "down-timer-crash", Severity: diag.Error, Loss: diag.Ends,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Has("unicast_peer") && !v.Has("interface") && v.Has("down_timer_adverts") && v.DownTimerAdverts == 1 {
						p.report(v.At("down_timer_adverts"), named(v)+" has down_timer_adverts 1 and no interface", "keepalived crashes on it").Help = "name the interface"
					}
				}
			},
		},
		{
			Name: "repeated-peer", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					first := map[netip.Addr]source.Span{}
					for _, peer := range v.Unicast {
						if at, taken := first[peer.Addr]; taken {
							p.report(peer.Span(), fmt.Sprintf("%s is a peer of %s twice", peer.Addr, named(v)), "the second time").Notes = note(at, "the first time")
							continue
						}
						first[peer.Addr] = peer.Span()
					}
				}
			},
		},
		{
			Name: "address-off-source", Severity: diag.Info,
			Check: func(p *pass) {
				links := p.links()
				for _, v := range p.Instances {
					for _, a := range v.Addresses {
						if p.found.Full(p.rule.Severity) {
							return
						}
						if n, other := off(a, links[link{a.Dev, a.Prefix.Addr().Is6()}]); other {
							d := p.report(a.Span(), fmt.Sprintf("%s is in no network that the file shows on %s", a.Prefix.Addr(), a.Dev), "another network")
							d.Notes = note(n.at, n.addr.String()+" is on "+a.Dev)
						}
					}
				}
			},
		},
		{
			Name: "group-with-unicast", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Has("mcast_dst_ip") && len(v.Unicast) > 0 {
						p.report(v.At("mcast_dst_ip"), named(v)+" has mcast_dst_ip with unicast", "ignored").Notes = note(v.At("unicast_peer"), "unicast")
					}
				}
			},
		},
	}
}

// A neighbor is an address on a link, of this router or another.
type neighbor struct {
	addr    netip.Addr
	network netip.Prefix // zero: the file does not tell
	at      source.Span
}

// A link is an interface, and a family of addresses on it.
type link struct {
	dev string
	ip6 bool
}

// links is what the file shows about the networks of each interface.
func (p *pass) links() map[link][]neighbor {
	links := map[link][]neighbor{}
	add := func(dev string, n neighbor) {
		if !n.addr.IsLinkLocalUnicast() {
			l := link{dev, n.addr.Is6()}
			links[l] = append(links[l], n)
		}
	}
	for _, v := range p.Instances {
		for _, s := range spoken(v) {
			if !s.virtual {
				add(v.Interface, neighbor{addr: s.addr, at: s.at})
			}
		}
	}
	for l, shared := range p.sharing() {
		if len(links[l]) == 0 {
			links[l] = shared
		}
	}
	for _, a := range p.StaticAddresses {
		if l := (link{a.Dev, a.Prefix.Addr().Is6()}); placed(a) && len(links[l]) > 0 { // by itself, it may be of an additional network
			add(a.Dev, neighbor{a.Prefix.Addr(), a.Prefix.Masked(), a.Span()})
		}
	}
	return links
}

// sharing returns the virtual addresses of each link that share a network with another one.
func (p *pass) sharing() map[link][]neighbor {
	type network struct {
		link
		netip.Prefix
	}
	first, shared := map[network]netip.Addr{}, map[link][]neighbor{}
	for _, v := range p.Instances {
		for _, a := range v.Addresses {
			if !placed(a) {
				continue
			}
			addr := a.Prefix.Addr()
			n := network{link{a.Dev, addr.Is6()}, a.Prefix.Masked()}
			if o, known := first[n]; known && o != addr {
				shared[n.link] = append(shared[n.link], neighbor{addr, n.Prefix, a.Span()})
			} else {
				first[n] = addr
			}
		}
	}
	return shared
}

// placed reports whether an address says which network it is in.
func placed(a ir.Address) bool {
	return a.Prefix.IsValid() && !a.Prefix.IsSingleIP() && !a.Prefix.Addr().IsLinkLocalUnicast()
}

// crowd is the number of neighbors above which addresses are not compared with each of them.
const crowd = 1000

// off returns the first neighbor of a virtual address if there are neighbors and none shares a network with it.
func off(a ir.Address, neighbors []neighbor) (neighbor, bool) {
	if len(neighbors) == 0 || len(neighbors) > crowd || !placed(a) {
		return neighbor{}, false
	}
	for _, n := range neighbors {
		if a.Prefix.Contains(n.addr) || n.network.IsValid() && n.network.Contains(a.Prefix.Addr()) {
			return neighbor{}, false
		}
	}
	return neighbors[0], true
}

// unicastWord returns the keyword that makes an instance unicast; "" when there is none.
func unicastWord(v *ir.VRRPInstance) string {
	for _, word := range []string{"unicast_peer", "unicast_src_ip", "check_unicast_src", "unicast_fault_no_peer"} {
		if v.Has(word) {
			return word
		}
	}
	return ""
}

// A voice is an address that an instance sends from, to or for.
type voice struct {
	addr    netip.Addr
	at      source.Span
	virtual bool // one that the instance moves
}

// spoken lists the source and the peers of an instance and its first address, in file order.
func spoken(v *ir.VRRPInstance) (all []voice) {
	for _, word := range []string{"mcast_src_ip", "unicast_src_ip"} {
		if v.Has(word) && v.SourceAddr.IsValid() && !v.SourceAddr.IsMulticast() {
			all = append(all, voice{v.SourceAddr, v.At(word), false})
			break
		}
	}
	for _, peer := range v.Unicast {
		all = append(all, voice{peer.Addr, peer.Span(), false})
	}
	if len(v.Addresses) > 0 && !v.Addresses[0].Excluded {
		all = append(all, voice{v.Addresses[0].Prefix.Addr(), v.Addresses[0].Span(), true})
	}
	sortVoices(all)
	return all
}

// familied also lists the multicast group of an instance and the address of its ipvlan interface: everything that
// shows its family.
func familied(v *ir.VRRPInstance) []voice {
	all := spoken(v)
	if v.Has("mcast_dst_ip") && v.MulticastGroup.IsValid() && len(v.Unicast) == 0 {
		all = append(all, voice{v.MulticastGroup, v.At("mcast_dst_ip"), false})
	}
	if a, ok := v.IPVLAN.Source(); ok {
		all = append(all, voice{a, v.At("use_ipvlan"), false})
	}
	sortVoices(all)
	return all
}

// sortVoices sorts voices in file order.
func sortVoices(all []voice) {
	slices.SortStableFunc(all, func(a, b voice) int {
		switch {
		case a.at.Before(b.at):
			return -1
		case b.at.Before(a.at):
			return 1
		}
		return 0
	})
}
