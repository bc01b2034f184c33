package lint

import (
	"fmt"
	"slices"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// scriptText is a vrrp_script without a mistake.
const scriptText = "global_defs {\n    enable_script_security\n}\nvrrp_script web {\n    script \"/usr/bin/pgrep nginx\"\n}\n"

func trackRules() []Rule {
	return []Rule{
		{
			Name: "undefined-name", Severity: diag.Error,
			Title: "A name is used that nothing in the file has.",
			Text:  "keepalived reports it and goes on without the tracker, member or group.",
			Bad:   instanceText("    track_script {\n        web\n    }\n"),
			Good:  scriptText + instanceText("    track_script {\n        web\n    }\n"),
			Check: func(p *pass) {
				names := p.names()
				for _, u := range p.uses() {
					if slices.Contains(names[u.kind], u.name) {
						continue
					}
					d := p.report(u.at, fmt.Sprintf("there is no %s %q", u.kind, u.name), "undefined")
					if best, sure := diag.Suggest(u.name, names[u.kind]); best != "" {
						d.Label = fmt.Sprintf("did you mean %q?", best)
						if sure && u.at.Text() == u.name {
							d.Fixes = []diag.Fix{{Title: fmt.Sprintf("write %q", best), Edits: []diag.Edit{{Span: u.at, Text: best}}}}
						}
					}
				}
			},
		},
		{
			Name: "unused-script", Severity: diag.Info,
			Title: "No instance tracks a vrrp_script.",
			Text:  "keepalived does not run it.",
			Bad:   scriptText + instanceText(""),
			Good:  scriptText + instanceText("    track_script {\n        web\n    }\n"),
			Check: func(p *pass) {
				used := map[string]bool{}
				for _, u := range p.uses() {
					if u.kind == "vrrp_script" {
						used[u.name] = true
					}
				}
				for _, s := range p.Scripts {
					if !used[s.Name] {
						p.report(s.Span(), "nothing tracks vrrp_script "+s.Name, "never runs")
					}
				}
			},
		},
		{
			Name: "script-order", Severity: diag.Warning,
			Title: "A vrrp_script stands behind an instance that tracks it.",
			Text:  "keepalived reads the file once, from top to bottom, and does not find the script: the instance runs without it.",
			Bad:   instanceText("    track_script {\n        web\n    }\n") + scriptText,
			Good:  scriptText + instanceText("    track_script {\n        web\n    }\n"),
			Check: func(p *pass) {
				defined := map[string]*ir.Script{}
				for _, s := range p.Scripts {
					if defined[s.Name] == nil {
						defined[s.Name] = s
					}
				}
				for _, v := range p.Instances {
					for _, t := range v.TrackScripts {
						if s := defined[t.Name]; s != nil && v.Span().Before(s.Span()) {
							p.report(t.Span(), "vrrp_script "+t.Name+" is defined further down", "not found").Notes = note(s.Span(), "the definition")
						}
					}
				}
			},
		},
		{
			Name: "script-security", Severity: diag.Warning,
			Title: "Scripts run without enable_script_security.",
			Text: "Scripts run as root unless a user is named. enable_script_security keeps keepalived from running a script that others than " +
				"root can change. keepalived -t exits with code 6 for it and hides other findings behind that.",
			Bad:  "vrrp_script web {\n    script \"/usr/bin/pgrep nginx\"\n}\n" + instanceText("    track_script {\n        web\n    }\n"),
			Good: scriptText + instanceText("    track_script {\n        web\n    }\n"),
			Check: func(p *pass) {
				if p.Global.ScriptSecurity || p.Global.Has("enable_script_security") || len(p.Scripts) == 0 {
					return
				}
				d := p.report(p.Scripts[0].Span(), "scripts run without enable_script_security", "runs even if others may change it")
				d.Help = "add enable_script_security to global_defs"
			},
		},
		{
			Name: "script-arguments", Severity: diag.Error,
			Title: "The arguments of a script stand without quotes.",
			Text:  "Only the first word is the command: script /usr/bin/test -f x runs /usr/bin/test alone.",
			Bad:   "global_defs {\n    enable_script_security\n}\nvrrp_script web {\n    script /usr/bin/pgrep nginx\n}\n" + instanceText("    track_script {\n        web\n    }\n"),
			Good:  scriptText + instanceText("    track_script {\n        web\n    }\n"),
		},
		{
			Name: "own-interface-tracked", Severity: diag.Warning,
			Title: "track_interface names the interface of the instance itself.",
			Text:  "keepalived refuses the line: the own interface is tracked anyway.",
			Bad:   instanceText("    track_interface {\n        eth0\n    }\n"),
			Good:  instanceText("    track_interface {\n        eth1\n    }\n"),
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, t := range v.TrackInterfaces {
						if t.Name == v.Interface {
							p.report(t.Span(), t.Name+" is the interface of "+named(v)+" itself", "tracked anyway").Notes = note(v.At("interface"), "the interface")
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
					for _, t := range slices.Concat(v.TrackInterfaces, v.TrackScripts, v.TrackFiles, v.TrackProcesses, v.TrackBFDs) {
						if v.Priority == 255 && v.Has("priority") && (t.Weight != nil && t.Weight.N != 0 || t.Weight == nil && own[t.Name] != 0) {
							p.report(t.Span(), "the weight of "+t.Name+" has no effect on "+named(v), "ignored").Notes = note(v.At("priority"), "the owner of the addresses")
						}
					}
				}
			},
		},
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
			Name: "missing-neighbor", Severity: diag.Error,
			Title: "A bfd_instance has no neighbour.",
			Text:  "keepalived disables it.",
			Bad:   "bfd_instance b {\n    min_rx 100\n}\n",
			Good:  "bfd_instance b {\n    neighbor_ip 192.0.2.3\n}\n",
			Check: func(p *pass) {
				for _, b := range p.BFDs {
					if !b.Has("neighbor_ip") && !b.Has("neighbour_ip") {
						p.report(b.Span(), "bfd_instance "+b.Name+" has no neighbor_ip", "needs neighbor_ip")
					}
				}
			},
		},
	}
}

// A use is a place where a block of some kind is named.
type use struct {
	kind, name string
	at         source.Span
}

// uses lists every place where a block is named.
func (p *pass) uses() (all []use) {
	add := func(kind string, tracks []ir.Track) {
		for _, t := range tracks {
			if t.Stmt != nil {
				all = append(all, use{kind, t.Name, t.Stmt.Words[0].Span})
			}
		}
	}
	for _, v := range p.Instances {
		add("vrrp_script", v.TrackScripts)
		add("track_file", v.TrackFiles)
		add("vrrp_track_process", v.TrackProcesses)
		add("bfd_instance", v.TrackBFDs)
	}
	for _, g := range p.SyncGroups {
		for _, m := range g.Members {
			all = append(all, use{"vrrp_instance", m.Text, m.Span})
		}
		add("vrrp_script", g.TrackScripts)
		add("track_file", g.TrackFiles)
		add("vrrp_track_process", g.TrackProcesses)
		add("bfd_instance", g.TrackBFDs)
	}
	for _, g := range p.TrackGroups {
		for _, m := range g.Members {
			all = append(all, use{"vrrp_instance", m.Text, m.Span})
		}
	}
	return all
}

// names lists the names of blocks by their kind.
func (p *pass) names() map[string][]string {
	m := map[string][]string{}
	for _, b := range p.Instances {
		m["vrrp_instance"] = append(m["vrrp_instance"], b.Name)
	}
	for _, b := range p.Scripts {
		m["vrrp_script"] = append(m["vrrp_script"], b.Name)
	}
	for _, b := range p.TrackFiles {
		m["track_file"] = append(m["track_file"], b.Name)
	}
	for _, b := range p.TrackProcesses {
		m["vrrp_track_process"] = append(m["vrrp_track_process"], b.Name)
	}
	for _, b := range p.BFDs {
		m["bfd_instance"] = append(m["bfd_instance"], b.Name)
	}
	return m
}

// weights maps the names of trackers to their own weights.
func (p *pass) weights() map[string]int {
	m := map[string]int{}
	for _, b := range p.Scripts {
		m[b.Name] = b.Weight.N
	}
	for _, b := range p.TrackFiles {
		m[b.Name] = b.Weight.N
	}
	for _, b := range p.TrackProcesses {
		m[b.Name] = b.Weight.N
	}
	for _, b := range p.BFDs {
		m[b.Name] = b.Weight.N
	}
	return m
}
