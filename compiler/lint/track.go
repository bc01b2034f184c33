package lint

import (
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

func trackRules() []Rule {
	return []Rule{
		{
			Name: "quorum-order", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for _, t := range p.TrackProcesses {
					if t.QuorumMax != nil && *t.QuorumMax > 0 && *t.QuorumMax < t.Quorum {
						p.report(t.At("quorum_max"), fmt.Sprintf("quorum_max %d of %s is below quorum %d", *t.QuorumMax, t.Name, t.Quorum), "ignored").Notes = note(t.At("quorum"), "the quorum")
					}
				}
			},
		},
		{
			Name: "own-interface-tracked", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, t := range linesOf(v.Origin, "track_interface") {
						name := t.Keyword()
						if name != v.Interface {
							continue
						}
						d := p.report(t.Span(), name+" is the interface of "+named(v)+" itself", "tracked anyway")
						d.Notes = note(v.At("interface"), "the interface")
						switch {
						case v.Has("dont_track_primary"):
							d.Label, d.Help = "ignored", "delete dont_track_primary"
						case len(t.Words) > 1:
							d.Label = "ignored: the loss of it is a FAULT"
						}
					}
				}
			},
		},
	}
}

// A use is a place that names a block of some kind.
type use struct {
	kind, name string
	at         source.Span
}

// A block is what the name in a use refers to.
type block struct{ kind, name string }

// undefined reports names that are used and not defined.
func (p *pass) undefined() {
	names, known := map[string][]string{}, map[block]bool{}
	for _, d := range p.definitions() {
		names[d.kind] = append(names[d.kind], d.name)
		known[block{d.kind, d.name}] = true
	}
	var around *grammar.Stmt // the block of the last use, and its words
	var others map[string]bool
	for _, u := range p.uses() {
		if p.found.Full(p.rule.Severity) {
			return
		}
		if known[block{u.kind, u.name}] {
			continue
		}
		d := p.report(u.at, fmt.Sprintf("there is no %s %q", u.kind, u.name), "undefined")
		d.Spoils = []diag.Spoil{{Span: diag.LineFrom(u.at), Kinds: diag.Option}}
		if len(names[u.kind]) == 0 || len(names[u.kind]) > manyNames {
			continue // among very many names, the nearest means nothing
		}
		if in := p.blockAround(u.at); in != around || others == nil {
			around, others = in, wordsOf(in)
		}
		free := slices.DeleteFunc(slices.Clone(names[u.kind]), func(name string) bool { return others[name] })
		if best, sure := likeName(u.name, free); best != "" {
			d.Label = fmt.Sprintf("did you mean %q?", best)
			if sure && u.at.Text() == u.name {
				d.Fixes = []diag.Fix{{Title: fmt.Sprintf("write %q", best), Edits: []diag.Edit{{Span: u.at, Text: best}}}}
			}
		}
	}
}

// manyNames is the number of names up to which one of them is suggested.
const manyNames = 1000

// likeName returns the name that was likely meant, and whether that is certain: a part of a name is often left out or
// added, as in "chk_haproxy" for "haproxy".
func likeName(name string, names []string) (best string, sure bool) {
	if i := slices.Index(names, strings.TrimRight(name, ",;")); i >= 0 {
		return names[i], true
	}
	if best, sure = diag.SuggestName(name, names); best != "" {
		return best, sure
	}
	related := slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return n == "" || diag.Apart(name, n) || !strings.Contains(n, name) && !strings.Contains(name, n)
	})
	if len(related) != 1 {
		return "", false
	}
	return related[0], false
}

// blockAround returns the block that contains a place; nil: none.
func (p *pass) blockAround(at source.Span) *grammar.Stmt {
	if chain := p.file.Around(at); len(chain) > 1 {
		return chain[len(chain)-2]
	}
	return nil
}

// wordsOf returns the words of the lines of a block.
func wordsOf(block *grammar.Stmt) map[string]bool {
	words := map[string]bool{}
	for _, s := range blockOf(block) {
		for _, w := range s.Words {
			words[w.Text] = true
		}
	}
	return words
}

// trackedBlock is the keyword of the blocks that lines of a kind name.
var trackedBlock = map[ir.TrackKind]string{
	ir.ScriptTracker: "vrrp_script", ir.FileTracker: "track_file", ir.ProcessTracker: "vrrp_track_process", ir.BFDTracker: "bfd_instance",
}

// uses lists every place where a block is named.
func (p *pass) uses() (all []use) {
	tracked := func(of *ir.Tracked) {
		for t := range of.Lines() {
			if word := trackedBlock[t.Kind]; word != "" && t.Stmt != nil {
				all = append(all, use{word, t.Name, t.Stmt.Words[0].Span})
			}
		}
	}
	for _, v := range p.Instances {
		tracked(&v.Tracked)
	}
	for _, g := range p.SyncGroups {
		for _, m := range g.Members {
			all = append(all, use{"vrrp_instance", m.Text, m.Span})
		}
		tracked(&g.Tracked)
	}
	for _, g := range p.TrackGroups {
		for _, m := range g.Members {
			all = append(all, use{"vrrp_instance", m.Text, m.Span})
		}
	}
	if d := p.Global.LVSSyncDaemon; d != nil && d.Instance != "" && len(p.Instances) > 0 {
		all = append(all, use{"vrrp_instance", d.Instance, p.Global.At("lvs_sync_daemon")})
	}
	follows := func(group string, o ir.Origin) {
		if group != "" {
			all = append(all, use{"track_group", group, o.Span()})
		}
	}
	for _, a := range p.StaticAddresses {
		follows(a.TrackGroup, a.Origin)
	}
	for _, r := range p.StaticRoutes {
		follows(r.TrackGroup, r.Origin)
	}
	for _, r := range p.StaticRules {
		follows(r.TrackGroup, r.Origin)
	}
	for v := range p.services {
		for _, s := range v.RealServers {
			for _, c := range s.Checks {
				if kind, name := followed(c); name.Text != "" {
					all = append(all, use{kind, name.Text, name.Span})
				}
			}
		}
	}
	return all
}

// A definition is a block that others can name.
type definition = use

// definitions lists every block that others can name.
func (p *pass) definitions() (all []definition) {
	add := func(kind, name string, o ir.Origin) { all = append(all, definition{kind, name, o.Span()}) }
	for _, b := range p.Instances {
		add("vrrp_instance", b.Name, b.Origin)
	}
	for _, b := range p.SyncGroups {
		add("vrrp_sync_group", b.Name, b.Origin)
	}
	for _, b := range p.TrackGroups {
		add("track_group", b.Name, b.Origin)
	}
	for _, b := range p.Scripts {
		add("vrrp_script", b.Name, b.Origin)
	}
	for _, b := range p.TrackFiles {
		add("track_file", b.Name, b.Origin)
	}
	for _, b := range p.TrackProcesses {
		add("vrrp_track_process", b.Name, b.Origin)
	}
	for _, b := range p.BFDs {
		add("bfd_instance", b.Name, b.Origin)
	}
	for _, b := range p.Groups {
		add("virtual_server_group", b.Name, b.Origin)
	}
	return all
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
