package lint

import (
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

// vmacRules are about instances with a virtual MAC address.
func vmacRules() []Rule {
	return []Rule{
		{
			Name: "vmac-unicast", Severity: diag.Warning,
			Title: "A virtual MAC address and unicast need vmac_xmit_base.",
			Text:  "Unicast advertisements must leave by the real interface. keepalived reports it and sets vmac_xmit_base by itself.",
			Bad:   instanceText("    use_vmac\n    unicast_peer {\n        192.0.2.3\n    }\n"),
			Good:  instanceText("    use_vmac\n    vmac_xmit_base\n    unicast_peer {\n        192.0.2.3\n    }\n"),
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if word := unicastWord(v); v.UseVMAC && word != "" && !v.Has("vmac_xmit_base") {
						p.report(v.At("use_vmac"), named(v)+" has use_vmac with unicast and no vmac_xmit_base", "vmac_xmit_base is set").Notes = note(v.At(word), "unicast")
					}
				}
			},
		},
		{
			Name: "ipvlan-without-address", Severity: diag.Error, Loss: diag.Keeps,
			Title: "An ipvlan interface has no address of its own.",
			Text: "It shares the MAC address of the interface below, so that an IPv4 instance needs an address to speak from, behind use_ipvlan. " +
				"keepalived keeps an instance without one in FAULT; mcast_src_ip is no help.",
			Bad:  instanceText("    use_ipvlan ip7\n"),
			Good: instanceText("    use_ipvlan ip7 192.0.2.7\n"),
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.IPVLAN != nil && v.IPVLAN.Address == "" && !v.IPv6() && len(v.Addresses) > 0 {
						p.report(v.At("use_ipvlan"), named(v)+" has use_ipvlan without an address", "FAULT for good").Help = "write the address behind use_ipvlan"
					}
				}
			},
		},
		{
			Name: "vmac-base-alone", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "vmac_xmit_base stands without a virtual interface.",
			Text:  "It says that advertisements leave by the interface below it. keepalived reports it and clears it.",
			Bad:   instanceText("    vmac_xmit_base\n"),
			Good:  instanceText("    use_vmac\n    vmac_xmit_base\n"),
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Has("vmac_xmit_base") && !v.Has("use_vmac") && !v.Has("use_ipvlan") {
						p.report(v.At("vmac_xmit_base"), named(v)+" has vmac_xmit_base without use_vmac", "cleared")
					}
				}
			},
		},
		{
			Name: "vmac-promote", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "promote_secondaries is set for virtual interfaces anyway.",
			Text:  "keepalived sets it for the interface that use_vmac or use_ipvlan makes, for this one only. It rejects the line and ignores it.",
			Bad:   instanceText("    use_vmac\n    promote_secondaries\n"),
			Good:  instanceText("    use_vmac\n"),
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, word := range []string{"use_vmac", "use_ipvlan"} {
						if v.Has(word) && v.Has("promote_secondaries") {
							d := p.report(v.At("promote_secondaries"), "promote_secondaries of "+named(v)+" is set by "+word+" anyway", "ignored")
							d.Notes = note(v.At(word), "because of this")
							d.Help = "delete it"
							break
						}
					}
				}
			},
		},
		{
			Name: "vmac-name-taken", Severity: diag.Error, Loss: diag.GoesOnWith,
			Title: "Two instances name one macvlan interface.",
			Text:  "Every instance with use_vmac has an interface of its own. keepalived reports the second name and makes up another one.",
			Bad:   instanceText("    use_vmac web\n") + "vrrp_instance VI_2 {\n    interface eth0\n    virtual_router_id 8\n    use_vmac web\n    virtual_ipaddress {\n        192.0.2.11/24\n    }\n}\n",
			Good:  instanceText("    use_vmac web\n") + "vrrp_instance VI_2 {\n    interface eth0\n    virtual_router_id 8\n    use_vmac mail\n    virtual_ipaddress {\n        192.0.2.11/24\n    }\n}\n",
			Check: func(p *pass) {
				first := map[string]*ir.VRRPInstance{}
				for _, v := range p.Instances {
					for _, word := range []string{"use_vmac", "use_ipvlan"} {
						name := vmacName(v, word)
						if name == "" {
							continue
						}
						if o := first[name]; o != nil {
							p.report(v.At(word), named(o)+" and "+named(v)+" both call their interface "+name, "the name is ignored").Notes = note(o.Span(), "the first one")
							continue
						}
						first[name] = v
					}
				}
			},
		},
		{
			Name: "vmac-without-interface", Severity: diag.Error, Loss: diag.Ends,
			Title: "A unicast instance has a virtual MAC address and no interface.",
			Text:  "The macvlan interface needs one that it stands on. keepalived clears use_vmac.",
			Bad:   "vrrp_instance VI_1 {\n    virtual_router_id 7\n    use_vmac\n    vmac_xmit_base\n    unicast_src_ip 192.0.2.2\n    unicast_peer {\n        192.0.2.3\n    }\n    virtual_ipaddress {\n        192.0.2.10/24 dev eth0\n    }\n}\n",
			Good:  "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    use_vmac\n    vmac_xmit_base\n    unicast_src_ip 192.0.2.2\n    unicast_peer {\n        192.0.2.3\n    }\n    virtual_ipaddress {\n        192.0.2.10/24 dev eth0\n    }\n}\n",
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, word := range []string{"use_vmac", "use_ipvlan"} {
						if v.Has(word) && v.Has("unicast_peer") && !v.Has("interface") {
							p.report(v.At(word), named(v)+" has "+word+" with unicast and no interface", "cleared").Help = "name the interface"
						}
					}
				}
			},
		},
		{
			Name: "vmac-name", Severity: diag.Error, Loss: diag.GoesOnWith,
			Title: "The name of a macvlan interface cannot be used.",
			Text:  "A name has at most 15 bytes, without blanks and slashes, and belongs to one interface. keepalived reports another one and makes up a name.",
			Bad:   instanceText("    use_vmac averyveryverylongname\n"),
			Good:  instanceText("    use_vmac vmac7\n"),
			Check: func(p *pass) {
				taken := map[string]bool{}
				for _, v := range p.Instances {
					taken[v.Interface] = true
				}
				for _, v := range p.Instances {
					for _, word := range []string{"use_vmac", "use_ipvlan"} {
						switch name := vmacName(v, word); {
						case name == "":
						case len(name) > 15 || strings.Contains(name, "/"):
							p.report(v.At(word), name+" cannot be the name of an interface", "expected 1 to 15 bytes without a slash")
						case taken[name]:
							p.report(v.At(word), name+" is an interface already", "expected a name that is free")
						}
					}
				}
			},
		},
	}
}

// vmacName is the name that use_vmac or use_ipvlan gives the interface; "" when keepalived makes one up.
func vmacName(v *ir.VRRPInstance, word string) string {
	switch {
	case word == "use_vmac":
		return v.VMAC.Name
	case v.IPVLAN != nil:
		return v.IPVLAN.Name
	}
	return ""
}
