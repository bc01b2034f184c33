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
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.IPVLAN != nil && v.IPVLAN.Address == "" && !v.IPv6() && len(v.Addresses) > 0 {
						p.report(v.At("use_ipvlan"), named(v)+" has use_ipvlan without an address", "stays in FAULT").Help = "write the address behind use_ipvlan"
					}
				}
			},
		},
		{
			Name: "vmac-base-alone", Severity: diag.Error, Loss: diag.DropsWord,
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

// vmacName is the interface name that use_vmac or use_ipvlan gives; "" when keepalived makes one up.
func vmacName(v *ir.VRRPInstance, word string) string {
	switch {
	case word == "use_vmac":
		return v.VMAC.Name
	case v.IPVLAN != nil:
		return v.IPVLAN.Name
	}
	return ""
}
