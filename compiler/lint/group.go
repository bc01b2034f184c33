package lint

import (
	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// groupRules are about instances that belong together, and about what changes their role.
func groupRules() []Rule {
	return []Rule{
		{
			Name: "single-member", Severity: diag.Info,
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
			Check: func(p *pass) {
				for _, g := range p.TrackGroups {
					if g.Has("group") && len(g.Members) == 0 {
						p.report(g.Span(), "track_group "+g.Name+" has no member", "has no effect")
					}
				}
			},
		},
		{
			Name: "repeated-global", Severity: diag.Info,
			Check: func(p *pass) {
				var first *grammar.Stmt
				for _, s := range p.file.Stmts {
					switch {
					case s.Keyword() != "global_defs":
					case first == nil:
						first = s
					case s.Span().Source == first.Span().Source: // an included file has its own on purpose
						p.report(s.Span(), "a second global_defs", "counts too").Notes = note(first.Span(), "the first one")
					}
				}
			},
		},
		{
			Name: "member-twice", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				first, groups, instances := map[string]source.Span{}, map[string]bool{}, map[string]bool{}
				for _, v := range p.Instances {
					instances[v.Name] = true
				}
				for _, g := range p.SyncGroups {
					if groups[g.Name] {
						continue // keepalived skips the second group with a name
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
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Auth.Type == ir.AuthAH && v.State == ir.Backup && value(v.Origin, "state") == "MASTER" {
						p.report(v.At("state"), named(v)+" is MASTER with AH authentication", "starts as BACKUP").Notes = note(auth(v, "auth_type").Span(), "because of this")
					}
				}
			},
		},
		{
			Name: "mail-without-recipients", Severity: diag.Warning, Worst: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				switch g := p.Global; {
				case len(g.Recipients) > 0:
				case g.Has("notification_email"):
					p.report(g.At("notification_email"), "notification_email is empty", "nobody gets mail").Severity = diag.Error
				case g.SMTPServer.Host != "":
					p.report(g.At("smtp_server"), "nobody gets the mail that this server would send", "").Help = "add notification_email"
				case g.Stmt != nil: // otherwise this is a part of a configuration
					if at := p.alert(); !at.IsZero() {
						p.report(at, "nobody gets the mail that this line asks for", "no mail is sent").Help = "add notification_email and smtp_server to global_defs"
					}
				}
			},
		},
		{
			Name: "mail-without-server", Severity: diag.Warning,
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
