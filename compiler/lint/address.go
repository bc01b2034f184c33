package lint

import (
	"fmt"
	"net/netip"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// addressRules are about single addresses and interfaces.
func addressRules() []Rule {
	return []Rule{
		{
			Name: "scope-ipv6", Severity: diag.Warning,
			Title: "An IPv6 address has a scope.",
			Text:  "The scope of an IPv6 address follows from the address. keepalived reports the word and ignores it.",
			Bad:   "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    virtual_ipaddress {\n        fe80::10/64 scope link\n    }\n}\n",
			Good:  "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    virtual_ipaddress {\n        fe80::10/64\n    }\n}\n",
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, a := range v.Addresses {
						if a.Prefix.Addr().Is6() && a.HasWord("scope") {
							p.report(a.Span(), fmt.Sprintf("%s is an IPv6 address and has a scope", a.Prefix.Addr()), "the scope is ignored")
						}
					}
				}
			},
		},
		{
			Name: "label-ipv6", Severity: diag.Warning,
			Title: "An IPv6 address has a label.",
			Text:  "Labels are of IPv4. keepalived reports the word and ignores it.",
			Bad:   holding("fe80::10/64 label eth0:0"),
			Good:  holding("fe80::10/64"),
			Check: func(p *pass) {
				for of, a := range p.addresses {
					if a.Prefix.Addr().Is6() && a.HasWord("label") {
						p.report(a.Span(), fmt.Sprintf("%s of %s is an IPv6 address and has a label", a.Prefix.Addr(), of), "the label is ignored")
					}
				}
			},
		},
		{
			Name: "broadcast-ipv6", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "An IPv6 address has a broadcast address.",
			Text:  "IPv6 has none. keepalived reports it and skips the whole line.",
			Bad:   holding("fe80::10/64 brd +"),
			Good:  holding("fe80::10/64"),
			Check: func(p *pass) {
				for of, a := range p.addresses {
					if a.Prefix.Addr().Is6() && (a.HasWord("brd") || a.HasWord("broadcast")) {
						p.report(a.Span(), fmt.Sprintf("%s of %s is an IPv6 address and has a broadcast address", a.Prefix.Addr(), of), "skipped")
					}
				}
			},
		},
		{
			Name: "peer-prefix", Severity: diag.Error, Loss: diag.GoesOnWith,
			Title: "An address with a peer has a prefix length.",
			Text:  "With a peer the prefix length is that of the peer. keepalived reports the one of the address and ignores it.",
			Bad:   holding("192.0.2.10/24 peer 192.0.2.99"),
			Good:  holding("192.0.2.10 peer 192.0.2.99"),
			Check: func(p *pass) {
				for of, a := range p.addresses {
					if a.HasWord("peer") && a.Stmt != nil && strings.Contains(a.Stmt.Keyword(), "/") {
						p.report(a.Span(), fmt.Sprintf("%s of %s has a peer and a prefix length", a.Prefix.Addr(), of), "the prefix length is ignored").Help = "delete it"
					}
				}
			},
		},
		{
			Name: "too-many-addresses", Severity: diag.Error, Loss: diag.GoesOnWith,
			Title: "An instance has more addresses than an advertisement can name.",
			Text:  "An advertisement counts its addresses in one byte: 255. keepalived treats those beyond as virtual_ipaddress_excluded, so that no other router compares them.",
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if lines := linesOf(v.Origin, "virtual_ipaddress"); len(lines) > 255 {
						d := p.report(lines[255].Span(), named(v)+" has more than 255 addresses", "this one and those behind it are not advertised")
						d.Help = "move them to virtual_ipaddress_excluded, or to an instance of their own"
					}
				}
			},
		},
		{
			Name: "unusable-address", Severity: diag.Warning,
			Title: "An address cannot be that of a host.",
			Text: "The first address of an IPv4 network is the network itself, the last one its broadcast address; multicast, loopback and " +
				"unspecified addresses belong to no host of the network. The kernel refuses some and misuses others.",
			Bad:  holding("192.0.2.255/24"),
			Good: holding("192.0.2.10/24"),
			Check: func(p *pass) {
				for of, a := range p.addresses {
					if what := unusable(a.Prefix); what != "" {
						p.report(a.Span(), fmt.Sprintf("%s of %s is %s", a.Prefix.Addr(), of, what), "expected an address of a host")
					} else if a.Prefix.Bits() == 0 {
						p.report(a.Span(), fmt.Sprintf("%s of %s has the prefix length 0", a.Prefix.Addr(), of), "makes every address one of the link")
					}
				}
			},
		},
		{
			Name: "static-is-virtual", Severity: diag.Error, Loss: diag.Keeps,
			Title: "A virtual address is a static address, too.",
			Text: "A static address is there always, so a BACKUP has it beside the MASTER: two hosts answer for it. keepalived removes it when it starts, " +
				"and adds it again.",
			Bad:  "static_ipaddress {\n    192.0.2.10/24 dev eth0\n}\n" + instanceText(""),
			Good: "static_ipaddress {\n    192.0.2.2/24 dev eth0\n}\n" + instanceText(""),
			Check: func(p *pass) {
				static := map[netip.Addr]ir.Address{}
				for _, a := range p.StaticAddresses {
					static[a.Prefix.Addr()] = a
				}
				for _, v := range p.Instances {
					for _, a := range v.Addresses {
						if s, both := static[a.Prefix.Addr()]; both && s.Dev == a.Dev && v.Priority != 255 {
							p.report(a.Span(), fmt.Sprintf("%s is an address of %s and a static one", a.Prefix.Addr(), named(v)), "two hosts have it").Notes = note(s.Span(), "here it is held always")
						}
					}
				}
			},
		},
		{
			Name: "source-is-virtual", Severity: diag.Warning,
			Title: "An instance speaks from, or to, an address that it moves.",
			Text: "Source and peers are addresses that the routers have always. A virtual address is on one of them only: a BACKUP cannot speak " +
				"from it, and a MASTER speaks to itself.",
			Bad:  instanceText("    unicast_src_ip 192.0.2.10\n    unicast_peer {\n        192.0.2.3\n    }\n"),
			Good: instanceText("    unicast_src_ip 192.0.2.2\n    unicast_peer {\n        192.0.2.3\n    }\n"),
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, s := range spoken(v) {
						for _, a := range v.Addresses {
							if a.Prefix.Addr() == s.addr && !s.virtual && v.Priority != 255 {
								p.report(s.at, fmt.Sprintf("%s is a virtual address of %s", s.addr, named(v)), "expected an address of the router").Notes = note(a.Span(), "here it is moved")
							}
						}
					}
				}
			},
		},
		{
			Name: "unusable-source", Severity: diag.Error, Loss: diag.Keeps,
			Title: "An instance speaks from an address that no router can have.",
			Text:  "keepalived reads a multicast address, or 0.0.0.0, as any other one, and its advertisements do not go out.",
			Bad:   instanceText("    mcast_src_ip 224.0.0.18\n"),
			Good:  instanceText("    mcast_src_ip 192.0.2.2\n"),
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, word := range []string{"mcast_src_ip", "unicast_src_ip"} {
						if what := unusable(netip.PrefixFrom(v.SourceAddr, v.SourceAddr.BitLen())); what != "" && v.Has(word) {
							p.report(v.At(word), fmt.Sprintf("%s is %s", v.SourceAddr, what), "expected an address of the router")
							break
						}
					}
				}
			},
		},
		{
			Name: "wrong-broadcast", Severity: diag.Warning,
			Title: "The broadcast address of an address is not that of its network.",
			Text:  "The kernel takes any address behind brd. What goes to the broadcast address of the network is then not for this host.",
			Bad:   holding("192.0.2.10/24 brd 192.0.2.1"),
			Good:  holding("192.0.2.10/24 brd 192.0.2.255"),
			Check: func(p *pass) {
				for of, a := range p.addresses {
					network := a.Prefix.Masked()
					if !a.Broadcast.Is4() || network.Bits() > 30 || a.Broadcast == network.Addr() || network.Contains(a.Broadcast) && !network.Contains(a.Broadcast.Next()) {
						continue
					}
					p.report(a.Span(), fmt.Sprintf("%s of %s is not the broadcast address of %s", a.Broadcast, of, network), "expected the last address, or brd +")
				}
			},
		},
		{
			Name: "interface-alias", Severity: diag.Error, Loss: diag.Ends,
			Title: "An interface has a colon in its name.",
			Text:  "eth0:1 is the label of an address, not an interface. keepalived finds no interface of that name and refuses to start VRRP.",
			Bad:   "vrrp_instance VI_1 {\n    interface eth0:1\n    virtual_router_id 7\n    virtual_ipaddress {\n        192.0.2.10/24 dev eth0\n    }\n}\n",
			Good:  "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    virtual_ipaddress {\n        192.0.2.10/24 label eth0:1\n    }\n}\n",
			Check: func(p *pass) {
				alias := func(at source.Span, label, help string) {
					if name, _, colon := strings.Cut(label, ":"); colon {
						p.report(at, label+" is a label and no interface", "expected "+name).Help = help
					}
				}
				for _, v := range p.Instances {
					if v.Has("interface") {
						alias(v.At("interface"), v.Interface, "a label stands behind an address: label "+v.Interface)
					}
					for _, t := range v.TrackInterfaces {
						alias(t.Span(), t.Name, "the label shares the link of the interface")
					}
				}
				for _, a := range p.addresses {
					if a.HasWord("dev") {
						alias(a.Span(), a.Dev, "write label "+a.Dev)
					}
				}
			},
		},
	}
}

// unusable says why an address is none of a host; "" when it is.
func unusable(n netip.Prefix) string {
	a := n.Addr()
	switch {
	case !n.IsValid():
		return ""
	case a.IsUnspecified():
		return "no address"
	case a.IsMulticast():
		return "a multicast address"
	case a.IsLoopback() && n.Bits() < a.BitLen():
		return "a loopback address"
	case a.Is6() || n.Bits() > 30:
		return ""
	case a == n.Masked().Addr():
		return "the address of its network"
	case !n.Contains(a.Next()):
		return "the broadcast address of its network"
	}
	return ""
}

// addresses yields every virtual and static address with what it belongs to.
func (p *pass) addresses(yield func(of string, a ir.Address) bool) {
	for _, a := range p.StaticAddresses {
		if !yield("static_ipaddress", a) {
			return
		}
	}
	for _, v := range p.Instances {
		for _, a := range v.Addresses {
			if !yield(named(v), a) {
				return
			}
		}
	}
}

// holding is an instance with an address line.
func holding(line string) string {
	return "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    virtual_ipaddress {\n        " + line + "\n    }\n}\n"
}
