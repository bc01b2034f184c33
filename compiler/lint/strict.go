package lint

import (
	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// strictRules are about strict mode, which follows the RFC to the letter.
func strictRules() []Rule {
	return []Rule{
		{
			Name: "strict-conflict", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, word := range notStrict(v) {
						if !v.Strict || !v.Has(word) {
							continue
						}
						d := p.report(v.At(word), "strict mode does not allow "+word+" in "+named(v), "taken back")
						d.Notes = note(strictAt(p, v), "strict mode")
						if word == "unicast_peer" {
							d.Severity, d.Label = diag.Warning, "versions other than 2.2 refuse to start VRRP"
						}
					}
				}
			},
		},
		{
			Name: "strict-state", Severity: diag.Error, Loss: diag.GoesOnWith,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Strict && v.Priority != 255 && value(v.Origin, "state") == "MASTER" {
						p.report(v.At("state"), named(v)+" is MASTER without owning its addresses, which strict mode does not allow", "becomes BACKUP").Notes = note(strictAt(p, v), "strict mode")
					}
				}
			},
		},
		{
			Name: "strict-silent", Severity: diag.Warning,
			Check: func(p *pass) {
				seen := map[source.Span]bool{}
				for _, v := range p.Instances {
					at := strictAt(p, v)
					if !v.Strict || v.Priority == 255 || v.Has("accept") || v.Has("unicast_peer") || v.Has("no_accept") || len(v.Addresses) == 0 || seen[at] {
						continue
					}
					seen[at] = true
					d := p.report(at, "in strict mode the addresses of "+named(v)+" do not answer", "not even to ping")
					d.Notes = note(v.Addresses[0].Span(), "an address")
					d.Help = "delete the line, or write accept into instances of version 3"
				}
			},
		},
	}
}

// notStrict lists the keywords of an instance that strict mode overrides, if the file has them.
func notStrict(v *ir.VRRPInstance) []string {
	words := []string{"unicast_peer", "preempt_delay", "vmac_xmit_base"}
	add := func(on bool, word string) {
		if on {
			words = append(words, word)
		}
	}
	off := func(word string) bool {
		switch value(v.Origin, word) {
		case "off", "false", "no":
			return true
		}
		return false
	}
	add(v.Version == 2 && auth(v, "auth_type") != nil && auth(v, "auth_pass") != nil, "authentication")
	add(v.Version == 2 && v.Priority != 255, "accept")
	add(value(v.Origin, "down_timer_adverts") != "3", "down_timer_adverts")
	add(value(v.Origin, "garp_lower_prio_delay") != "0", "garp_lower_prio_delay")
	add(value(v.Origin, "garp_lower_prio_repeat") != "0", "garp_lower_prio_repeat")
	add(off("lower_prio_no_advert"), "lower_prio_no_advert")
	add(!off("higher_prio_send_advert"), "higher_prio_send_advert")
	return words
}

// strictAt is the line that makes an instance strict.
func strictAt(p *pass, v *ir.VRRPInstance) source.Span {
	if v.Has("strict_mode") {
		return v.At("strict_mode")
	}
	return p.Global.At("vrrp_strict")
}
