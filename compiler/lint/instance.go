package lint

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/schema"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

func instanceRules() []Rule {
	return []Rule{
		{
			Name: "missing-interface", Severity: diag.Error, Loss: diag.Ends,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Interface != "" || v.Has("interface") || v.Has("vrf") {
						continue
					}
					if len(v.Unicast) == 0 || !v.Has("unicast_src_ip") {
						p.report(v.Span(), named(v)+" has no interface", "needs interface").Kind |= diag.Interface
					}
				}
			},
		},
		{
			Name: "loopback-interface", Severity: diag.Error, Loss: diag.Ends,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Interface == "lo" && v.Has("interface") {
						p.report(v.At("interface"), named(v)+" is on the loopback interface", "expected the interface of the network that the routers share")
					}
				}
			},
		},
		{
			Name: "unicast-interface", Severity: diag.Error, Loss: diag.Ends,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Interface != "" || v.Has("interface") || v.Has("vrf") || len(v.Unicast) == 0 || !v.Has("unicast_src_ip") {
						continue
					}
					switch {
					case p.Version == "":
						d := p.report(v.Span(), named(v)+" has no interface", "keepalived 2.2.7 and older do not start VRRP; 2.2.8 and later need none")
						d.Help = "name the interface, or the version that reads the file with --keepalived-version"
					case schema.Older(p.Version, "2.2.8"):
						p.report(v.Span(), named(v)+" has no interface", "keepalived "+p.Version+" needs one for unicast, too")
					}
				}
			},
		},
		{
			Name: "vrf-with-interface", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Has("vrf") && v.Has("interface") {
						p.report(v.At("vrf"), named(v)+" has vrf and interface", "ignored").Notes = note(v.At("interface"), "the interface")
					}
				}
			},
		},
		{
			Name: "missing-addresses", Severity: diag.Warning, Worst: diag.Error, Loss: diag.Ends,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if !v.NoVirtualAddress && empty(v.Origin, "virtual_ipaddress") {
						message, label := named(v)+" has no address", "holds none"
						if !empty(v.Origin, "virtual_ipaddress_excluded") {
							message, label = named(v)+" has no address to advertise", "virtual_ipaddress_excluded alone"
						}
						d := p.report(v.At("virtual_ipaddress"), message, label)
						d.Kind |= diag.Addresses
						if v.Version == 3 || v.Strict {
							d.Severity = diag.Error
						}
					}
				}
			},
		},
		{
			Name: "duplicate-instance", Severity: diag.Error, Loss: diag.DropsInstance,
			Check: func(p *pass) {
				first := map[string]source.Span{}
				for _, s := range p.file.Stmts { // the configuration has only the first instance with a name
					if s.Keyword() != "vrrp_instance" || len(s.Words) < 2 {
						continue
					}
					name := s.Words[1].Text
					if at, taken := first[name]; taken {
						p.report(s.Span(), "a second instance is called "+name, "keepalived skips this block").Notes = note(at, "the first one")
						continue
					}
					first[name] = s.Span()
				}
			},
		},
		{
			Name: "duplicate-vrid", Severity: diag.Error, Loss: diag.Ends,
			Check: func(p *pass) {
				type group struct {
					key     ir.InstanceKey
					unicast bool
					source  netip.Addr
					group   netip.Addr
					peer    netip.Addr
				}
				first := map[group]*ir.VRRPInstance{}
				for _, v := range p.Instances {
					g := group{key: v.Key(), unicast: v.Has("unicast_peer"), group: v.MulticastGroup}
					if v.VRID == 0 || v.Interface == "" || g.unicast && len(v.Unicast) == 0 {
						continue
					}
					if g.unicast { // the address and the peer distinguish unicast groups
						g.source, g.peer = v.SourceAddr, v.Unicast[0].Addr
					}
					if o := first[g]; o != nil {
						d := p.report(v.At("virtual_router_id"), fmt.Sprintf("%s and %s both have virtual_router_id %d on %s", named(o), named(v), v.VRID, v.Interface), "taken")
						d.Notes = note(o.At("virtual_router_id"), "by "+named(o))
						continue
					}
					first[g] = v
				}
			},
		},
		{
			Name: "duplicate-address", Severity: diag.Error, Loss: diag.Keeps,
			Check: func(p *pass) {
				type holder struct {
					instance *ir.VRRPInstance
					at       source.Span
				}
				type address struct {
					netip.Addr
					link string // of a network that every link may have
				}
				first := map[address]holder{}
				for _, v := range p.Instances {
					for _, a := range v.Addresses {
						own := address{Addr: a.Prefix.Addr()}
						if own.IsLinkLocalUnicast() {
							own.link = a.Dev
						}
						o, taken := first[own]
						switch {
						case !taken:
							first[own] = holder{v, a.Span()}
						case o.instance != v:
							p.report(a.Span(), fmt.Sprintf("%s is an address of both %s and %s", a.Prefix.Addr(), named(o.instance), named(v)), "two routers may hold it at once").Notes = note(o.at, "here of "+named(o.instance))
						}
					}
				}
			},
		},
		{
			Name: "repeated-address", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					first := map[netip.Addr]source.Span{}
					for _, a := range v.Addresses {
						if at, taken := first[a.Prefix.Addr()]; taken {
							p.report(a.Span(), fmt.Sprintf("%s appears twice in %s", a.Prefix.Addr(), named(v)), "the second time").Notes = note(at, "the first time")
							continue
						}
						first[a.Prefix.Addr()] = a.Span()
					}
				}
			},
		},
		{
			Name: "master-without-priority", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if value(v.Origin, "state") == "MASTER" && !v.Has("priority") {
						d := p.report(v.At("state"), named(v)+" has no priority and becomes the owner of its addresses", "priority 255 follows")
						d.Help = "write the priority: 150 for a router that should win, 255 if this is meant"
					}
				}
			},
		},
		{
			Name: "state-priority", Severity: diag.Warning, Worst: diag.Error, Loss: diag.GoesOnWith,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if value(v.Origin, "state") == "BACKUP" && v.Priority == 255 {
						d := p.report(v.At("state"), named(v)+" is BACKUP with priority 255", "becomes MASTER after the master-down time, not at once")
						d.Notes = note(v.At("priority"), "the owner of the addresses")
						if v.Strict {
							d.Severity = diag.Error
						}
					}
				}
			},
		},
		{
			Name: "nopreempt-master", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					switch {
					case !v.Has("nopreempt"):
					case v.State == ir.Master && value(v.Origin, "state") == "MASTER":
						d := p.report(v.At("nopreempt"), "nopreempt is cleared because "+named(v)+" starts as MASTER", "has no effect")
						d.Notes = note(v.At("state"), "this wins")
						d.Help = "write state BACKUP on every router of the group; the priority still decides the first election"
					case v.Priority == 255:
						p.report(v.At("nopreempt"), "nopreempt is cleared because "+named(v)+" owns its addresses", "has no effect").Notes = note(v.At("priority"), "this wins")
					}
				}
			},
		},
		{
			Name: "preempt-delay-unused", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, word := range []string{"nopreempt", "state", "priority"} {
						if v.Has("preempt_delay") && v.Has(word) &&
							(word == "nopreempt" && v.NoPreempt || word == "state" && v.State == ir.Master && value(v.Origin, "state") == "MASTER" || word == "priority" && v.Priority == 255) {
							p.report(v.At("preempt_delay"), "preempt_delay of "+named(v)+" is cleared", "has no effect").Notes = note(v.At(word), "because of this")
							break
						}
					}
				}
			},
		},
		{
			Name: "interval-rounded", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					step, unit := time.Second, "whole seconds"
					if v.Version == 3 {
						step, unit = 10*time.Millisecond, "hundredths of a second"
					}
					text := value(v.Origin, "advert_int")
					said, err := time.ParseDuration(text + "s")
					_, fraction, _ := strings.Cut(text, ".")
					if err != nil || said%step == 0 || said < 10*time.Millisecond || said > 255*time.Second || len(fraction) > 6 {
						continue // complete, or reported already
					}
					d := p.report(v.At("advert_int"), fmt.Sprintf("advert_int %s becomes %v in version %d", text, max(step, said.Round(step)), v.Version), "expected "+unit)
					if v.Version == 2 {
						d.Help = "write version 3 on every router of the group, or whole seconds"
					}
				}
			},
		},
		{
			Name: "interval-too-long", Severity: diag.Error, Loss: diag.GoesOnWith,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Version == 3 && v.AdvertInterval > 40950*time.Millisecond {
						p.report(v.At("advert_int"), fmt.Sprintf("advert_int %v is too long for version 3", v.AdvertInterval), "expected at most 40.95")
					}
				}
			},
		},
		{
			Name: "mixed-families", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Has("native_ipv6") && len(v.Addresses) > 0 && !v.IPv6() {
						p.report(v.At("native_ipv6"), named(v)+" has native_ipv6 and IPv4 addresses", "one of them is skipped").Notes = note(v.Addresses[0].Span(), "an IPv4 address")
					}
					for _, a := range v.Addresses {
						if !a.Excluded && a.Prefix.Addr().Is6() != v.IPv6() {
							d := p.report(a.Span(), fmt.Sprintf("%s is of a different family from the first address of %s", a.Prefix.Addr(), named(v)), "skipped")
							d.Notes = note(v.Addresses[0].Span(), "the first address")
							d.Help = "move it to virtual_ipaddress_excluded, or to an instance of its own"
						}
					}
					all := familied(v)
					for i, s := range all {
						if i > 0 && s.addr.Is6() != all[0].addr.Is6() {
							d := p.report(s.at, fmt.Sprintf("%s is of a different family from %s", s.addr, all[0].addr), "skipped")
							d.Notes, d.Former = note(all[0].at, "the first address of "+named(v)), "family-of-source"
						}
					}
				}
			},
		},
		{
			Name: "version-2-ipv6", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.IPv6() && v.Has("version") && value(v.Origin, "version") == "2" {
						p.report(v.At("version"), named(v)+" has IPv6 addresses and version 2", "version 3 is used").Notes = note(v.Addresses[0].Span(), "an IPv6 address")
					}
				}
			},
		},
		{
			Name: "first-not-link-local", Severity: diag.Warning, Worst: diag.Error, Loss: diag.Keeps,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.IPv6() && !v.Addresses[0].Prefix.Addr().IsLinkLocalUnicast() {
						d := p.report(v.Addresses[0].Span(), "the first IPv6 address of "+named(v)+" is not link-local", "expected an address of fe80::/10 first")
						if v.Strict {
							d.Severity, d.Notes = diag.Error, note(strictAt(p, v), "strict mode insists on it")
						}
					}
				}
			},
		},
		{
			Name: "address-without-prefix", Severity: diag.Info,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, a := range v.Addresses {
						if a.Prefix.IsSingleIP() && a.Stmt != nil && !strings.Contains(a.Stmt.Keyword(), "/") && !a.HasWord("peer") {
							p.report(a.Span(), fmt.Sprintf("%s has no prefix length", a.Prefix.Addr()), fmt.Sprintf("/%d is assumed", a.Prefix.Bits()))
						}
					}
				}
			},
		},
		{
			Name: "well-known-vrid", Severity: diag.Info,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.VRID == 51 {
						p.report(v.At("virtual_router_id"), "virtual_router_id 51 appears in most examples", "others may use it on the same network")
					}
				}
			},
		},
	}
}

// named returns the name of an instance in messages.
func named(v *ir.VRRPInstance) string {
	if v.Name == "" {
		return "an instance"
	}
	return v.Name
}

// value returns the first word after a keyword of a block.
func value(o ir.Origin, keyword string) string {
	if o.Stmt == nil {
		return ""
	}
	if s := o.Stmt.Block.Find(keyword); s != nil && len(s.Words) > 1 {
		return s.Words[1].Text
	}
	return ""
}

// empty reports whether a block has no lines: it is absent or empty.
func empty(o ir.Origin, keyword string) bool {
	if o.Stmt == nil {
		return true
	}
	s := o.Stmt.Block.Find(keyword)
	return s == nil || s.Block == nil || len(s.Block.Stmts) == 0
}
