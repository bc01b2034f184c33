package lint

import (
	"keepc/compiler/ir"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// orderRules are about what keepalived does not know yet where it is used, because it reads a file from top to bottom.
func orderRules() []Rule {
	return []Rule{
		{
			Name: "block-order", Severity: diag.Warning, Worst: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				p.lateTrackers()
				p.lateGroups()
				p.lateFollowed()
			},
		},
		{
			Name: "global-defs-order", Severity: diag.Warning,
			Check: func(p *pass) {
				p.lateDefaults()
				p.lateUser()
			},
		},
	}
}

// late reports the use of a block that is defined below it.
func (p *pass) late(use source.Span, block string, defined source.Span) *diag.Diagnostic {
	d := p.report(use, block+" is defined further down", "not found")
	d.Notes = note(defined, "the definition")
	return d
}

// lateTrackers is about the trackers of instances and sync groups.
func (p *pass) lateTrackers() {
	defined := map[block]source.Span{}
	for _, d := range p.definitions() {
		if _, known := defined[block{d.kind, d.name}]; !known {
			defined[block{d.kind, d.name}] = d.at
		}
	}
	report := func(of *ir.Tracked) {
		for t := range of.Lines() {
			word := trackedBlock[t.Kind]
			if at, ok := defined[block{word, t.Name}]; ok && t.Unknown {
				d := p.late(t.Span(), word+" "+t.Name, at)
				if d.Former = "tracker-order"; t.Kind == ir.ScriptTracker {
					d.Former = "script-order"
				}
			}
		}
	}
	for _, v := range p.Instances {
		report(&v.Tracked)
	}
	for _, g := range p.SyncGroups {
		report(&g.Tracked)
	}
}

// lateGroups is about the track_groups of static addresses, routes and rules.
func (p *pass) lateGroups() {
	for _, g := range p.TrackGroups {
		for _, line := range g.Late {
			p.late(line.Span(), "track_group "+g.Name, g.Span()).Former = "track-group-order"
		}
	}
}

// lateFollowed is about what checks of real servers follow: without it a server counts as up.
func (p *pass) lateFollowed() {
	blocks := map[string]ir.Origin{}
	for _, f := range p.TrackFiles {
		define(blocks, "track_file "+f.Name, f.Origin)
	}
	for _, b := range p.BFDs {
		define(blocks, "bfd_instance "+b.Name, b.Origin)
	}
	if len(blocks) == 0 {
		return
	}
	place := p.file.Places()
	for v := range p.services {
		for c := range v.checks {
			kind, name := followed(c)
			if block, ok := blocks[kind+" "+name.Text]; ok && place[block.Stmt] > place[v.Stmt] {
				d := p.late(name.Span, kind+" "+name.Text, block.Span())
				d.Severity, d.Former = diag.Error, "check-order"
			}
		}
	}
}

// lateDefaults is about the values that instances take from global_defs.
func (p *pass) lateDefaults() {
	if len(p.Instances) == 0 {
		return
	}
	first, behind := p.Instances[0].Span(), false
	for _, s := range p.file.Stmts {
		behind = behind || s == p.Instances[0].Stmt
		if s.Keyword() != "global_defs" || s.Block == nil || !behind {
			continue
		}
		for _, t := range s.Block.Stmts {
			if schema.Copied(t.Keyword()) {
				d := p.report(t.Span(), t.Keyword()+" is lost at a reload", "instances above it do not have it then")
				d.Notes = note(first, "this instance is read before")
				d.Help = "put global_defs at the top of the file"
			}
		}
	}
}

// lateUser is about script_user.
func (p *pass) lateUser() {
	line, global, elsewhere := p.aboveUser()
	switch {
	case line == nil:
	case global != nil:
		d := p.report(line.Span(), "script_user does not count for "+global.Keyword()+" above it", "put it at the top of global_defs")
		d.Notes, d.Former = note(global.Span(), "read before"), "script-user-order"
	case elsewhere != nil:
		d := p.report(line.Span(), "at a reload script_user does not count for the scripts above", "put global_defs at the top")
		d.Notes, d.Former = note(elsewhere.Span(), "read before"), "script-user-order"
	}
}

// aboveUser returns the last script_user of the file, and the first scripts before it that name no user: one in
// global_defs and one in another block.
func (p *pass) aboveUser() (line, global, elsewhere *grammar.Stmt) {
	scripts := p.nobodys()
	if len(scripts) == 0 {
		return nil, nil, nil
	}
	var inGlobal, inOther *grammar.Stmt
	for _, s := range p.file.Stmts {
		if s.Keyword() != "global_defs" {
			if inOther == nil {
				inOther = find(s, scripts)
			}
			continue
		}
		for _, t := range blockOf(s) {
			switch {
			case t.Keyword() == "script_user":
				line, global, elsewhere = t, inGlobal, inOther
			case scripts[t] && inGlobal == nil:
				inGlobal = t
			}
		}
	}
	return line, global, elsewhere
}
