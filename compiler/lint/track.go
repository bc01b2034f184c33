package lint

import (
	"fmt"
	"slices"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

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
			Name: "own-interface-tracked", Severity: diag.Error,
			Title: "track_interface names the interface of the instance itself.",
			Text:  "keepalived refuses the line, also one with a weight: the own interface is tracked anyway, and its loss is a FAULT.",
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
