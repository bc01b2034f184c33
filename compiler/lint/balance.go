package lint

import (
	"fmt"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// balanceRules are about what a virtual server asks of the kernel and of its sorry server.
func balanceRules() []Rule {
	return []Rule{
		{
			Name: "scheduler-flag", Severity: diag.Error, Loss: diag.DropsWord,
			Service: func(p *pass, v service) {
				hashes := v.Scheduler == "sh" || v.Scheduler == "mh"
				if v.Has("hashed") && !hashes {
					p.report(v.At("hashed"), "hashed has no meaning", "ignored")
				}
				for _, word := range []string{"sh-fallback", "sh-port", "mh-fallback", "mh-port"} {
					scheduler, _, _ := strings.Cut(word, "-")
					switch {
					case !v.Has(word):
					case !hashes:
						p.report(v.At(word), fmt.Sprintf("%s is a flag of %s, and %s has %s", word, scheduler, v.name(), v.Scheduler), "ignored")
					case v.Scheduler != scheduler:
						d := p.report(v.At(word), fmt.Sprintf("%s is the name of a flag of %s, and %s has %s", word, scheduler, v.name(), v.Scheduler), "the same flag")
						d.Severity = diag.Warning
					case precedes(v.Origin, word, "lb_algo") && precedes(v.Origin, word, "lvs_sched"):
						p.report(v.At(word), word+" comes before lb_algo "+scheduler, "ignored").Notes = note(v.schedulerAt(), "the scheduler")
					}
				}
			},
		},
		{
			Name: "ops-protocol", Severity: diag.Error, Loss: diag.DropsWord,
			Service: func(p *pass, v service) {
				if v.Has("ops") && v.Key.FWMark == 0 && v.Key.Protocol != ir.UDP {
					p.report(v.At("ops"), v.name()+" has ops and is not a UDP service", "cleared")
				}
			},
		},
		{
			Name: "sorry-order", Severity: diag.Error, Loss: diag.DropsWord,
			Service: func(p *pass, v service) {
				for _, word := range []string{"sorry_server_inhibit", "sorry_server_lvs_method"} {
					if v.Has(word) && (!v.Has("sorry_server") || precedes(v.Origin, word, "sorry_server")) {
						p.report(v.At(word), word+" comes before sorry_server or without it", "ignored")
					}
				}
			},
		},
		{
			Name: "family-of-mark", Severity: diag.Error, Loss: diag.DropsWord,
			Service: func(p *pass, v service) {
				if v.Group == "" && v.Key.FWMark != 0 && !v.Has("ip_family") {
					p.familyOfHead(v)
				}
				said := v.value("ip_family")
				if said != "" && v.Group == "" && v.Key.Addr.IsValid() {
					if v.Key.Addr.Is6() != (said == "inet6") {
						p.report(v.At("ip_family"), fmt.Sprintf("%s is not of the family %s", v.name(), said), "ignored: the address says the family")
					}
					return
				}
				for _, s := range v.RealServers {
					if said != "" && s.Addr.IsValid() && s.Forwarding != ir.TUN && s.Addr.Addr().Is6() != (said == "inet6") {
						p.report(s.Span(), fmt.Sprintf("real_server %s is not of the family %s", s.Addr.Addr(), said), "dropped").Notes = note(v.At("ip_family"), "the family")
					}
				}
			},
		},
		{
			Name: "mixed-group", Severity: diag.Error, Loss: diag.DropsInstance,
			Service: func(p *pass, v service) {
				six, known := v.serverFamily()
				if !known || p.unclearMark(v) != nil {
					return
				}
				for _, m := range p.members(v) {
					var what string
					switch {
					case m.First.IsValid() && m.First.Is6() != six:
						what = m.First.String()
					case m.FWMark != 0 && m.HasWord(familyName(!six)):
						what = fmt.Sprintf("fwmark %d %s", m.FWMark, familyName(!six))
					default:
						continue
					}
					p.report(v.Span(), fmt.Sprintf("%s has the family %s, and %s in its group", v.name(), familyName(six), what), "dropped").Notes = note(m.Span(), "the member")
					return
				}
			},
		},
		{
			Name: "mark-without-family", Severity: diag.Error, Loss: diag.DropsInstance,
			Service: func(p *pass, v service) {
				if m := p.unclearMark(v); m != nil {
					d := p.report(v.Span(), fmt.Sprintf("the group of %s has fwmark %d without a family, and addresses of both", v.name(), m.FWMark), "dropped")
					d.Notes = note(m.Span(), "expected inet or inet6 behind it")
				}
			},
		},
		{
			Name: "threshold-order", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				for _, s := range v.RealServers {
					if s.UpperThreshold > 0 && s.LowerThreshold > s.UpperThreshold {
						p.report(s.At("lthreshold"), fmt.Sprintf("lthreshold %d is above uthreshold %d", s.LowerThreshold, s.UpperThreshold), "").Notes = note(s.At("uthreshold"), "the upper one")
					}
				}
			},
		},
		{
			Name: "server-is-service", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				for _, s := range v.RealServers {
					if v.Group == "" && s.Addr.IsValid() && s.Addr.Addr() == v.Key.Addr {
						p.report(s.Span(), fmt.Sprintf("real_server %s has the address of its virtual server", s.Addr.Addr()), "expected the server's own address")
					}
				}
			},
		},
	}
}

// unclearMark returns a firewall mark without a family in a group that has addresses of both families; nil: none.
func (p *pass) unclearMark(v service) (bare *ir.GroupMember) {
	var has4, has6 bool
	members := p.members(v)
	for i, m := range members {
		switch {
		case !m.First.IsValid() && !m.HasWord("inet") && !m.HasWord("inet6"):
			bare = &members[i]
		case m.First.Is4():
			has4 = true
		case m.First.Is6():
			has6 = true
		}
	}
	if !has4 || !has6 {
		return nil
	}
	return bare
}

func familyName(six bool) string {
	if six {
		return "inet6"
	}
	return "inet"
}

// schedulerAt is the line that names the scheduler.
func (v service) schedulerAt() source.Span {
	if v.Has("lvs_sched") {
		return v.At("lvs_sched")
	}
	return v.At("lb_algo")
}

// familyOfHead compares the family after a firewall mark, which versions up to 2.2 do not read, with the real servers.
func (p *pass) familyOfHead(v service) {
	for _, said := range []string{"inet", "inet6"} {
		for _, s := range v.RealServers {
			if v.HasWord(said) && s.Addr.IsValid() && s.Forwarding != ir.TUN && s.Addr.Addr().Is6() != (said == "inet6") {
				d := p.report(s.Span(), fmt.Sprintf("real_server %s is not of the family %s", s.Addr.Addr(), said), "dropped")
				d.Severity, d.Notes = diag.Warning, note(v.Span(), "the family")
			}
		}
	}
}
