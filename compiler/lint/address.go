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
			Check: func(p *pass) {
				for of, a := range p.addresses {
					if what := unusable(a.Prefix); what != "" {
						p.report(a.Span(), fmt.Sprintf("%s of %s is %s", a.Prefix.Addr(), of, what), "expected an address of a host")
					} else if a.Prefix.Bits() == 0 {
						p.report(a.Span(), fmt.Sprintf("%s of %s has the prefix length 0", a.Prefix.Addr(), of), "puts every address on the link")
					}
				}
			},
		},
		{
			Name: "static-is-virtual", Severity: diag.Error, Loss: diag.Keeps,
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
			Check: func(p *pass) {
				alias := func(at source.Span, label, help string) {
					if name, _, colon := strings.Cut(label, ":"); colon {
						p.report(at, label+" is a label, not an interface", "expected "+name).Help = help
					}
				}
				for _, v := range p.Instances {
					if v.Has("interface") {
						alias(v.At("interface"), v.Interface, "a label follows an address: label "+v.Interface)
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

// unusable returns why a host cannot have the address; "" when it can.
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
