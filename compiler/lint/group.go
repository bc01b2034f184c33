package lint

import (
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
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
					if len(g.Members) == 1 && len(linesOf(g.Origin, "group")) == 1 {
						p.report(g.Members[0].Span, "vrrp_sync_group "+g.Name+" has one member", "nothing to keep in step with")
					}
				}
			},
		},
		{
			Name: "empty-sync-group", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "A vrrp_sync_group has no member.",
			Text:  "keepalived reports it and drops the group, with its scripts.",
			Bad:   instanceText("") + "vrrp_sync_group G {\n    group {\n    }\n}\n",
			Good:  instanceText(""),
			Check: func(p *pass) {
				for _, g := range p.SyncGroups {
					if g.Has("group") && len(g.Members) == 0 {
						p.report(g.At("group"), "vrrp_sync_group "+g.Name+" has no member", "dropped")
					}
				}
			},
		},
		{
			Name: "idle-garp-group", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "A garp_group has no interval or no interface.",
			Text: "It is there to hold gratuitous ARPs of interfaces apart. keepalived reports a group without garp_interval and gna_interval and drops " +
				"it; of one without an interface it says nothing.",
			Bad:  "garp_group {\n    interface eth0\n}\n",
			Good: "garp_group {\n    garp_interval 0.01\n    interface eth0\n}\n",
			Check: func(p *pass) {
				for _, g := range p.GARPGroups {
					if !g.Has("garp_interval") && !g.Has("gna_interval") {
						p.report(g.Span(), "garp_group has no garp_interval and no gna_interval", "dropped")
					} else if len(g.Interfaces) == 0 && !g.Has("interface") {
						p.report(g.Span(), "garp_group names no interface", "without effect").Severity = diag.Warning
					}
				}
			},
		},
		{
			Name: "grouped-twice", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "An interface is in two garp_groups, or in one twice.",
			Text: "keepalived reports it and ignores the second one. When it is the first word of a second list in braces, 2.2.7 stops reading at the " +
				"end of the list and exits with code 2.",
			Bad:  "garp_group {\n    garp_interval 0.1\n    interface eth0\n}\ngarp_group {\n    garp_interval 0.2\n    interface eth0\n}\n",
			Good: "garp_group {\n    garp_interval 0.1\n    interface eth0\n}\ngarp_group {\n    garp_interval 0.2\n    interface eth1\n}\n",
			Check: func(p *pass) {
				first := map[string]ir.Name{}
				for _, g := range p.GARPGroups {
					for _, i := range g.Interfaces {
						if other, again := first[i.Text]; again {
							p.report(i.Span, i.Text+" is in a garp_group already", "ignored").Notes = note(other.Span, "the first one")
							continue
						}
						first[i.Text] = i
					}
				}
			},
		},
		{
			Name: "empty-track-group", Severity: diag.Warning,
			Title: "A track_group has no member.",
			Text:  "Static addresses, routes and rules that follow it follow nobody. keepalived reports it.",
			Bad:   instanceText("") + "track_group G {\n    group {\n    }\n}\n",
			Good:  instanceText(""),
			Check: func(p *pass) {
				for _, g := range p.TrackGroups {
					if g.Has("group") && len(g.Members) == 0 {
						p.report(g.Span(), "track_group "+g.Name+" has no member", "followed for nothing")
					}
				}
			},
		},
		{
			Name: "track-group-order", Severity: diag.Warning,
			Title: "A track_group stands behind a static address, route or rule that follows it.",
			Text:  "keepalived reads the file once, from top to bottom, and reports that it does not find the group.",
			Bad:   "static_routes {\n    198.51.100.0/24 via 192.0.2.1 dev eth0 track_group G\n}\ntrack_group G {\n    group {\n        VI_1\n    }\n}\n" + instanceText(""),
			Good:  "track_group G {\n    group {\n        VI_1\n    }\n}\nstatic_routes {\n    198.51.100.0/24 via 192.0.2.1 dev eth0 track_group G\n}\n" + instanceText(""),
			Check: func(p *pass) {
				groups := map[string]ir.Origin{}
				for _, g := range p.TrackGroups {
					define(groups, g.Name, g.Origin)
				}
				if len(groups) == 0 {
					return
				}
				read := map[*grammar.Stmt]bool{}
				for _, s := range p.file.Stmts {
					read[s] = true
					if !strings.HasPrefix(s.Keyword(), "static_") || s.Block == nil {
						continue
					}
					for _, line := range s.Block.Stmts {
						name := option(ir.Origin{Stmt: line}, "track_group")
						if group, ok := groups[name]; ok && !read[group.Stmt] {
							p.report(line.Span(), "track_group "+name+" is defined further down", "not found").Notes = note(group.Span(), "the definition")
						}
					}
				}
			},
		},
		{
			Name: "repeated-global", Severity: diag.Info,
			Title: "There are several global_defs.",
			Text:  "All of them count, and of a line that stands in two the last one. Whoever reads one of them does not see the other.",
			Bad:   "global_defs {\n    router_id lb1\n}\nglobal_defs {\n    process_names\n}\n",
			Good:  "global_defs {\n    router_id lb1\n    process_names\n}\n",
			Check: func(p *pass) {
				var first *grammar.Stmt
				for _, s := range p.file.Stmts {
					switch {
					case s.Keyword() != "global_defs":
					case first == nil:
						first = s
					case s.Span().Source == first.Span().Source: // an included file has its own by intent
						p.report(s.Span(), "a second global_defs", "counts too").Notes = note(first.Span(), "the first one")
					}
				}
			},
		},
		{
			Name: "member-twice", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "An instance is a member of sync groups twice.",
			Text:  "An instance follows one group. keepalived reports the second one.",
			Bad:   two + "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}\nvrrp_sync_group H {\n    group {\n        VI_2\n        VI_1\n    }\n}\n",
			Good:  two + "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}\n",
			Check: func(p *pass) {
				first, groups, instances := map[string]source.Span{}, map[string]bool{}, map[string]bool{}
				for _, v := range p.Instances {
					instances[v.Name] = true
				}
				for _, g := range p.SyncGroups {
					if groups[g.Name] {
						continue // keepalived skips the second of a name
					}
					groups[g.Name] = true
					for _, m := range g.Members {
						if at, taken := first[m.Text]; taken && instances[m.Text] {
							p.report(m.Span, m.Text+" is a member of a vrrp_sync_group already", "the second time").Notes = note(at, "the first time")
							continue
						}
						first[m.Text] = m.Span
					}
				}
			},
		},
		{
			Name: "master-ah", Severity: diag.Error, Loss: diag.GoesOnWith,
			Title: "state MASTER and AH authentication do not go together.",
			Text:  "A router must hear the sequence number of the group before it may speak. keepalived reports it and starts as BACKUP.",
			Bad:   instanceText("    state MASTER\n    priority 150\n    authentication {\n        auth_type AH\n        auth_pass k2t9\n    }\n"),
			Good:  instanceText("    state BACKUP\n    priority 150\n    authentication {\n        auth_type AH\n        auth_pass k2t9\n    }\n"),
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Auth.Type == ir.AuthAH && v.State == ir.Backup && value(v.Origin, "state") == "MASTER" {
						p.report(v.At("state"), named(v)+" is MASTER with AH authentication", "starts as BACKUP").Notes = note(auth(v, "auth_type").Span(), "because of this")
					}
				}
			},
		},
		{
			Name: "mail-without-recipients", Severity: diag.Warning, Loss: diag.DropsWord,
			Title: "There is a mail server and nobody to write to.",
			Text:  "Without addresses in notification_email no mail is sent. keepalived rejects a notification_email that is empty: that is an error.",
			Bad:   "global_defs {\n    smtp_server 192.0.2.25\n}\n" + instanceText(""),
			Good:  "global_defs {\n    smtp_server 192.0.2.25\n    notification_email {\n        root@example.net\n    }\n}\n" + instanceText(""),
			Check: func(p *pass) {
				switch g := p.Global; {
				case len(g.Recipients) > 0:
				case g.Has("notification_email"):
					p.report(g.At("notification_email"), "notification_email is empty", "nobody gets mail").Severity = diag.Error
				case g.SMTPServer.Host != "":
					p.report(g.At("smtp_server"), "nobody gets the mail that this server would send", "").Help = "add notification_email"
				case g.Stmt != nil: // else this is a part of a configuration
					if at := p.alert(); !at.IsZero() {
						p.report(at, "nobody gets the mail that this line asks for", "no mail is sent").Help = "add notification_email and smtp_server to global_defs"
					}
				}
			},
		},
		{
			Name: "mail-without-server", Severity: diag.Warning,
			Title: "There is somebody to write to and no mail server.",
			Text:  "Without smtp_server keepalived sends no mail, also where one listens on the machine itself, and does not say so.",
			Bad:   "global_defs {\n    notification_email {\n        root@example.net\n    }\n}\n" + instanceText(""),
			Good:  "global_defs {\n    smtp_server 127.0.0.1\n    notification_email {\n        root@example.net\n    }\n}\n" + instanceText(""),
			Check: func(p *pass) {
				if g := p.Global; len(g.Recipients) > 0 && g.SMTPServer.Host == "" && !g.Has("smtp_server") {
					p.report(g.Recipients[0].Span, "no mail is sent without smtp_server", "gets no mail").Help = "add smtp_server to global_defs"
				}
			},
		},
	}
}

// alert is the first line that asks for mail; zero: there is none.
func (p *pass) alert() source.Span {
	if on := p.Global.SMTPAlert; on != nil && *on && p.Global.Has("smtp_alert") {
		return p.Global.At("smtp_alert")
	}
	for _, v := range p.Instances {
		if v.SMTPAlert && v.Has("smtp_alert") {
			return v.At("smtp_alert")
		}
	}
	for _, g := range p.SyncGroups {
		if g.SMTPAlert && g.Has("smtp_alert") {
			return g.At("smtp_alert")
		}
	}
	return source.Span{}
}

// two is two instances without a mistake.
var two = instanceText("") + "vrrp_instance VI_2 {\n    interface eth0\n    virtual_router_id 8\n    virtual_ipaddress {\n        192.0.2.11/24\n    }\n}\n"
