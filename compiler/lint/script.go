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

// scriptText is a vrrp_script without a mistake.
const scriptText = "global_defs {\n    script_user root\n    enable_script_security\n}\nvrrp_script web {\n    script \"/usr/bin/pgrep nginx\"\n}\n"

// tracking is an instance that tracks that script.
var tracking = instanceText("    track_script {\n        web\n    }\n")

// loadText is a track_file without a mistake.
const loadText = "track_file load {\n    file /run/load\n    weight 2\n}\n"

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
			Title: "No instance tracks a vrrp_script.",
			Text:  "keepalived does not run it.",
			Bad:   scriptText + instanceText(""),
			Good:  scriptText + instanceText("    track_script {\n        web\n    }\n"),
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
			Title: "Nothing tracks a track_file or a vrrp_track_process.",
			Text:  "It changes no priority and no server.",
			Bad:   loadText + instanceText(""),
			Good:  loadText + instanceText("    track_file {\n        load\n    }\n"),
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
			Title: "A vrrp_script stands behind an instance that tracks it.",
			Text:  "keepalived reads the file once, from top to bottom, and does not find the script: the instance runs without it.",
			Bad:   instanceText("    track_script {\n        web\n    }\n") + scriptText,
			Good:  scriptText + instanceText("    track_script {\n        web\n    }\n"),
			Check: func(p *pass) { p.late(ir.ScriptTracker) },
		},
		{
			Name: "tracker-order", Severity: diag.Warning,
			Title: "A track_file, vrrp_track_process or bfd_instance stands behind an instance that tracks it.",
			Text:  "keepalived reads the file once, from top to bottom, and does not find it: the instance runs without it.",
			Bad:   instanceText("    track_file {\n        load\n    }\n") + loadText,
			Good:  loadText + instanceText("    track_file {\n        load\n    }\n"),
			Check: func(p *pass) { p.late(ir.FileTracker, ir.ProcessTracker, ir.BFDTracker) },
		},
		{
			Name: "script-security", Severity: diag.Warning,
			Title: "Scripts run without enable_script_security.",
			Text: "Scripts run as root unless a user is named, here or by the name keepalived_script on the machine. enable_script_security keeps " +
				"keepalived from running a script that others than root can change; it drops scripts without a user, too, where there is no " +
				"keepalived_script. A dropped check is no check: the instance stays MASTER whatever happens to its service. So there is no repair: " +
				"look at the owners and modes of the scripts first. keepalived -t exits with code 6 for a file without it, and hides other " +
				"findings behind that.",
			Bad:  "vrrp_script web {\n    script \"/usr/bin/pgrep nginx\"\n}\n" + instanceText("    track_script {\n        web\n    }\n"),
			Good: scriptText + instanceText("    track_script {\n        web\n    }\n"),
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
			Title: "Script security is on, and nobody is named who runs a script.",
			Text: "keepalived runs it as the user keepalived_script. A machine without that user, as Debian is after the installation, has no one: " +
				"keepalived drops the script, and an instance that tracks it stays MASTER with its service dead.",
			Bad:  "global_defs {\n    enable_script_security\n}\nvrrp_script web {\n    script \"/usr/bin/pgrep nginx\"\n}\n" + tracking,
			Good: scriptText + tracking,
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
		{
			Name: "script-arguments", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "The arguments of a script stand without quotes.",
			Text:  "Only the first word is the command: script /usr/bin/test -f x runs /usr/bin/test alone.",
			Bad:   "global_defs {\n    script_user root\n    enable_script_security\n}\nvrrp_script web {\n    script /usr/bin/pgrep nginx\n}\n" + instanceText("    track_script {\n        web\n    }\n"),
			Good:  scriptText + instanceText("    track_script {\n        web\n    }\n"),
		},
		{
			Name: "timeout-above-interval", Severity: diag.Warning,
			Title: "A script may run longer than the time between two runs.",
			Text:  "A run that takes longer than interval delays the next ones: the script is asked less often than the file says.",
			Bad:   "global_defs {\n    script_user root\n    enable_script_security\n}\nvrrp_script web {\n    script \"/usr/bin/pgrep nginx\"\n    interval 2\n    timeout 5\n}\n" + tracking,
			Good:  "global_defs {\n    script_user root\n    enable_script_security\n}\nvrrp_script web {\n    script \"/usr/bin/pgrep nginx\"\n    interval 5\n    timeout 2\n}\n" + tracking,
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
			Title: "script_user stands behind scripts.",
			Text: "At the start keepalived reads global_defs before everything else: the last script_user counts for all scripts, but for those that " +
				"stand above it in global_defs. At a reload it reads from top to bottom: a script above runs as keepalived_script, or as root, and " +
				"where script security is on and there is no keepalived_script, it is dropped.",
			Bad:  "vrrp_script web {\n    script \"/usr/bin/pgrep nginx\"\n}\n" + tracking + "global_defs {\n    script_user root\n    enable_script_security\n}\n",
			Good: "global_defs {\n    script_user root\n    enable_script_security\n}\nvrrp_script web {\n    script \"/usr/bin/pgrep nginx\"\n}\n" + tracking,
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
			Title: "A script asks whether a process runs.",
			Text:  "vrrp_track_process learns of the start and the end of a process from the kernel, at once and without a new process for each question.",
			Bad:   "global_defs {\n    script_user root\n    enable_script_security\n}\nvrrp_script web {\n    script \"/usr/bin/killall -0 nginx\"\n}\n" + tracking,
			Good:  "vrrp_track_process web {\n    process nginx\n}\n" + instanceText("    track_process {\n        web\n    }\n"),
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

// nobodys is the lines with scripts whose user the file does not name.
func (p *pass) nobodys() map[*grammar.Stmt]bool {
	lines := map[*grammar.Stmt]bool{}
	for _, c := range p.Commands {
		if c.User == (ir.User{}) {
			lines[c.Stmt] = true
		}
	}
	for _, s := range p.Scripts {
		if s.Has("user") {
			delete(lines, s.Command.Stmt)
		}
	}
	for _, v := range p.blocks {
		for _, rs := range v.RealServers {
			for _, c := range rs.Checks {
				if misc, ok := c.Checker.(*ir.MiscCheck); ok && c.Has("user") {
					delete(lines, misc.Command.Stmt)
				}
			}
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
