package lint

import (
	"path"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// late reports the trackers that keepalived does not find, for the blocks that they name stand further down.
func (p *pass) late(kinds ...ir.TrackKind) {
	defined := map[block]source.Span{}
	for _, d := range slices.Backward(p.definitions()) {
		defined[block{d.kind, d.name}] = d.at // the first one
	}
	report := func(of *ir.Tracked) {
		for t := range of.Lines() {
			if !t.Unknown || !slices.Contains(kinds, t.Kind) {
				continue
			}
			word := trackedBlock[t.Kind]
			if at, ok := defined[block{word, t.Name}]; ok {
				p.report(t.Span(), word+" "+t.Name+" is defined further down", "not found").Notes = note(at, "the definition")
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

func scriptRules() []Rule {
	return []Rule{
		{
			Name: "unused-script", Severity: diag.Info,
			Check: func(p *pass) {
				used, defined := map[string]bool{}, map[string]bool{}
				for _, s := range p.Scripts {
					defined[s.Name] = true
				}
				for _, u := range p.uses() {
					if u.kind == "vrrp_script" {
						if !defined[u.name] {
							return // the name that nothing has may be meant for one of them
						}
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
			Name: "unused-tracker", Severity: diag.Info,
			Check: func(p *pass) {
				used := map[definition]bool{}
				for _, u := range p.uses() {
					used[definition{kind: u.kind, name: u.name}] = true
				}
				for _, d := range p.definitions() {
					switch d.kind {
					case "track_file", "vrrp_track_process":
						if !used[definition{kind: d.kind, name: d.name}] && d.name != "" {
							p.report(d.at, "nothing tracks "+d.kind+" "+d.name, "without effect")
						}
					}
				}
			},
		},
		{
			Name: "script-order", Severity: diag.Warning,
			Check: func(p *pass) { p.late(ir.ScriptTracker) },
		},
		{
			Name: "tracker-order", Severity: diag.Warning,
			Check: func(p *pass) { p.late(ir.FileTracker, ir.ProcessTracker, ir.BFDTracker) },
		},
		{
			Name: "script-security", Severity: diag.Warning,
			Check: func(p *pass) {
				if p.Global.ScriptSecurity || p.Global.Has("enable_script_security") || len(p.Commands) == 0 {
					return
				}
				d := p.report(p.Commands[0].Span(), "scripts run without enable_script_security", "runs even if others may change it")
				lines := "enable_script_security"
				if !p.Global.Has("script_user") && len(p.nobodys()) > 0 {
					lines = "script_user and enable_script_security" // else scripts without a user are dropped
				}
				d.Help = "make the scripts and their directories writable for root alone, then add " + lines + " to global_defs"
			},
		},
		{
			Name: "script-without-user", Severity: diag.Error, Loss: diag.DropsBlock,
			Check: func(p *pass) {
				if !p.Global.ScriptSecurity || p.Global.Has("script_user") || p.host != nil && p.host.User(scriptUser) {
					return
				}
				nobodys := p.nobodys()
				for _, c := range p.Commands {
					if !nobodys[c.Stmt] {
						continue
					}
					d := p.report(c.Span(), "script security is on, and the script has no user", "dropped where there is no user "+scriptUser)
					d.Help = "name a user with script_user in global_defs, or behind the script"
					if p.host == nil {
						d.Severity = diag.Warning
					} else {
						d.Message, d.Label, d.Host = "this machine has no user "+scriptUser+", and the script names none", "dropped", true
					}
					return // the others go the same way
				}
			},
		},
		{Name: "script-arguments", Severity: diag.Error, Loss: diag.DropsWord},
		{
			Name: "timeout-above-interval", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, s := range p.Scripts {
					if s.Timeout > s.Interval {
						p.report(s.At("timeout"), "the timeout of "+s.Name+" is longer than its interval", "").Notes = note(s.At("interval"), "the interval")
					}
				}
			},
		},
		{
			Name: "script-user-order", Severity: diag.Warning,
			Check: func(p *pass) {
				line, global, elsewhere := p.aboveUser()
				switch {
				case line == nil:
				case global != nil:
					p.report(line.Span(), "script_user does not count for "+global.Keyword()+" above it", "put it at the top of global_defs").Notes = note(global.Span(), "read before")
				case elsewhere != nil:
					p.report(line.Span(), "at a reload script_user does not count for the scripts above", "put global_defs at the top").Notes = note(elsewhere.Span(), "read before")
				}
			},
		},
		{
			Name: "track-process-instead", Severity: diag.Info,
			Check: func(p *pass) {
				for _, s := range p.Scripts {
					if asksForProcess(s.Command.Args) {
						p.report(s.At("script"), s.Name+" asks whether a process runs", "vrrp_track_process knows")
					}
				}
			},
		},
	}
}

// asksForProcess tells whether a command says with its exit status that a process runs, by killall -0 or pidof, also in a shell.
func asksForProcess(args []string) bool {
	if len(args) == 3 && args[1] == "-c" && strings.HasSuffix(args[0], "sh") {
		args = strings.Fields(args[2])
	}
	if len(args) < 2 || slices.ContainsFunc(args, shell) {
		return false
	}
	switch path.Base(args[0]) {
	case "pidof":
		return true
	case "killall":
		i := slices.IndexFunc(args, func(a string) bool { return a == "-s" || a == "--signal" })
		return slices.Contains(args, "-0") || slices.Contains(args, "-s0") || i > 0 && i+1 < len(args) && args[i+1] == "0"
	}
	return false
}

// aboveUser returns the last script_user of the file, and the first scripts above it that name no user: one in global_defs and one in
// another block.
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

// scriptUser runs the scripts that name no user, where it is a user of the machine.
const scriptUser = "keepalived_script"

// users are those that the file names for its scripts, behind a script or in its block, by the line of the script.
func (p *pass) users() map[*grammar.Stmt]ir.User {
	named := map[*grammar.Stmt]ir.User{}
	for _, c := range p.Commands {
		if c.User != (ir.User{}) {
			named[c.Stmt] = c.User
		}
	}
	for _, s := range p.Scripts {
		if s.Has("user") {
			named[s.Command.Stmt] = s.User
		}
	}
	for _, v := range p.blocks {
		for _, rs := range v.RealServers {
			for _, c := range rs.Checks {
				if misc, ok := c.Checker.(*ir.MiscCheck); ok && c.Has("user") {
					named[misc.Command.Stmt] = misc.User
				}
			}
		}
	}
	return named
}

// nobodys is the lines with scripts whose user the file does not name.
func (p *pass) nobodys() map[*grammar.Stmt]bool {
	named, lines := p.users(), map[*grammar.Stmt]bool{}
	for _, c := range p.Commands {
		if _, is := named[c.Stmt]; !is {
			lines[c.Stmt] = true
		}
	}
	return lines
}

// find returns the first line of a block, or of one inside, that is among those given; nil: there is none.
func find(s *grammar.Stmt, lines map[*grammar.Stmt]bool) *grammar.Stmt {
	for _, t := range blockOf(s) {
		if lines[t] {
			return t
		}
		if found := find(t, lines); found != nil {
			return found
		}
	}
	return nil
}

// blockOf is the lines of the block that a statement opens. As keepalived reads a file, a block may be one without a brace: it has no lines.
func blockOf(s *grammar.Stmt) []*grammar.Stmt {
	if s == nil || s.Block == nil {
		return nil
	}
	return s.Block.Stmts
}
