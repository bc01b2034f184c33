package lint

import (
	"fmt"
	"slices"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// groupRules are about instances that belong together, and about what makes them change their role.
func groupRules() []Rule {
	return []Rule{
		{
			Name: "single-member", Severity: diag.Info,
			Title: "A vrrp_sync_group has one member.",
			Text:  "There is nothing to keep in step with. keepalived 2.2.7 reports it.",
			Bad:   instanceText("") + "vrrp_sync_group G {\n    group {\n        VI_1\n    }\n}\n",
			Good:  instanceText(""),
			Check: func(p *pass) {
				for _, g := range p.SyncGroups {
					if len(g.Members) == 1 {
						p.report(g.Members[0].Span, "vrrp_sync_group "+g.Name+" has one member", "nothing to keep in step with")
					}
				}
			},
		},
		{
			Name: "member-twice", Severity: diag.Error,
			Title: "An instance is a member of sync groups twice.",
			Text:  "An instance follows one group. keepalived reports the second one.",
			Bad:   two + "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}\nvrrp_sync_group H {\n    group {\n        VI_2\n        VI_1\n    }\n}\n",
			Good:  two + "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}\n",
			Check: func(p *pass) {
				first := map[string]source.Span{}
				for _, g := range p.SyncGroups {
					for _, m := range g.Members {
						if at, taken := first[m.Text]; taken {
							p.report(m.Span, m.Text+" is a member of a vrrp_sync_group already", "the second time").Notes = note(at, "the first time")
							continue
						}
						first[m.Text] = m.Span
					}
				}
			},
		},
		{
			Name: "nopreempt-weight", Severity: diag.Warning, Peers: nobodyPreempts,
			Title: "A weight cannot take the role from an instance with nopreempt.",
			Text: "A failing tracker lowers the priority of the MASTER, but a BACKUP with nopreempt does not take over from a living MASTER, " +
				"whatever its priority. A tracker without weight works: its failure is a FAULT.",
			Bad:  scriptText + pair("    state BACKUP\n    nopreempt\n    track_script {\n        web weight -20\n    }\n"),
			Good: scriptText + pair("    state BACKUP\n    nopreempt\n    track_script {\n        web\n    }\n"),
			Check: func(p *pass) {
				own := p.weights()
				for _, v := range p.Instances {
					for _, t := range trackers(v) {
						if v.NoPreempt && effective(t, own) != 0 {
							p.report(t.Span(), "the weight of "+t.Name+" moves no role while "+named(v)+" has nopreempt", "no one takes over").Notes = note(v.At("nopreempt"), "because of this")
						}
					}
				}
			},
		},
		{
			Name: "owner-weight", Severity: diag.Warning,
			Title: "A tracker with a weight has no effect at priority 255.",
			Text:  "The owner of the addresses keeps its priority whatever fails.",
			Bad:   scriptText + instanceText("    priority 255\n    track_script {\n        web weight -20\n    }\n"),
			Good:  scriptText + instanceText("    priority 254\n    track_script {\n        web weight -20\n    }\n"),
			Check: func(p *pass) {
				own := p.weights()
				for _, v := range p.Instances {
					for _, t := range trackers(v) {
						if v.Priority == 255 && v.Has("priority") && effective(t, own) != 0 {
							p.report(t.Span(), "the weight of "+t.Name+" has no effect on "+named(v), "ignored").Notes = note(v.At("priority"), "the owner of the addresses")
						}
					}
				}
			},
		},
		{
			Name: "vmac-promote", Severity: diag.Info,
			Title: "promote_secondaries is set for virtual MAC addresses anyway.",
			Text:  "keepalived reports the line and ignores it.",
			Bad:   instanceText("    use_vmac\n    promote_secondaries\n"),
			Good:  instanceText("    use_vmac\n"),
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.UseVMAC && v.Has("promote_secondaries") {
						p.report(v.At("promote_secondaries"), "promote_secondaries of "+named(v)+" is set by use_vmac anyway", "ignored")
					}
				}
			},
		},
		{
			Name: "master-ah", Severity: diag.Error,
			Title: "state MASTER and AH authentication do not go together.",
			Text:  "A router must hear the sequence number of the group before it may speak. keepalived reports it and starts as BACKUP.",
			Bad:   instanceText("    state MASTER\n    priority 150\n    authentication {\n        auth_type AH\n        auth_pass k2t9\n    }\n"),
			Good:  instanceText("    state BACKUP\n    priority 150\n    authentication {\n        auth_type AH\n        auth_pass k2t9\n    }\n"),
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Auth.Type == ir.AuthAH && v.State == ir.Master && v.Version == 2 && v.Priority != 255 {
						p.report(v.At("state"), named(v)+" is MASTER with AH authentication", "starts as BACKUP").Notes = note(auth(v).At("auth_type"), "because of this")
					}
				}
			},
		},
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
			Name: "route-untracked", Severity: diag.Info,
			Title: "A virtual route names no interface.",
			Text: "keepalived watches the interface of a route, and reports a route that has none: when the kernel removes it, nobody notices. " +
				"no_track says that this is meant.",
			Bad:  instanceText("    virtual_routes {\n        198.51.100.0/24 via 192.0.2.1\n    }\n"),
			Good: instanceText("    virtual_routes {\n        198.51.100.0/24 via 192.0.2.1 dev eth0\n    }\n"),
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, r := range v.Routes {
						if r.Dev == "" && !r.HasWord("no_track") && !r.HasWord("nexthop") && !r.HasWord("or") && !r.HasWord("blackhole") &&
							!r.HasWord("unreachable") && !r.HasWord("prohibit") && !r.HasWord("throw") {
							p.report(r.Span(), "a route of "+named(v)+" names no interface", "not tracked").Help = "add dev, or no_track"
						}
					}
				}
			},
		},
		{
			Name: "mail-without-recipients", Severity: diag.Warning,
			Title: "There is a mail server and nobody to write to.",
			Text:  "Without addresses in notification_email no mail is sent.",
			Bad:   "global_defs {\n    smtp_server 192.0.2.25\n}\n" + instanceText(""),
			Good:  "global_defs {\n    smtp_server 192.0.2.25\n    notification_email {\n        root@example.net\n    }\n}\n" + instanceText(""),
			Check: func(p *pass) {
				switch g := p.Global; {
				case len(g.Recipients) > 0:
				case g.Has("notification_email"):
					p.report(g.At("notification_email"), "notification_email is empty", "nobody gets mail")
				case g.SMTPServer.Host != "":
					p.report(g.At("smtp_server"), "nobody gets the mail that this server would send", "").Help = "add notification_email"
				}
			},
		},
	}
}

// two is two instances without a mistake.
var two = instanceText("") + "vrrp_instance VI_2 {\n    interface eth0\n    virtual_router_id 8\n    virtual_ipaddress {\n        192.0.2.11/24\n    }\n}\n"

// trackers lists what an instance tracks.
func trackers(v *ir.VRRPInstance) []ir.Track {
	return slices.Concat(v.TrackInterfaces, v.TrackScripts, v.TrackFiles, v.TrackProcesses, v.TrackBFDs)
}

// effective is the weight that counts: that of the line, else that of what is tracked.
func effective(t ir.Track, own map[string]int) int {
	if t.Weight != nil {
		return t.Weight.N
	}
	return own[t.Name]
}
