package lint

import (
	"path"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

func scriptRules() []Rule {
	return []Rule{
		{
			Name: "unused-tracker", Severity: diag.Info,
			Check: func(p *pass) {
				effect := map[string]string{"vrrp_script": "never runs", "track_file": "without effect", "vrrp_track_process": "without effect"}
				defined, used := map[block]bool{}, map[block]bool{}
				for _, d := range p.definitions() {
					defined[block{d.kind, d.name}] = true
				}
				for _, u := range p.uses() {
					used[block{u.kind, u.name}] = true
					if !defined[block{u.kind, u.name}] {
						delete(effect, u.kind) // the name may be meant for one of them
					}
				}
				for _, d := range p.definitions() {
					if label := effect[d.kind]; label != "" && d.name != "" && !used[block{d.kind, d.name}] {
						found := p.report(d.at, "nothing tracks "+d.kind+" "+d.name, label)
						if d.kind == "vrrp_script" {
							found.Former = "unused-script"
						}
					}
				}
			},
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
					lines = "script_user and enable_script_security" // otherwise scripts without a user are dropped
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
					return // the others have the same problem
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

// asksForProcess reports whether the exit status of a command says that a process runs: killall -0 or pidof, also in a
// shell.
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

// scriptUser returns the user that runs scripts which name none, if that user exists on the machine.
const scriptUser = "keepalived_script"

// users returns the users that the file names for its scripts, after a script or in its block, by the line of the
// script.
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

// nobodys returns the lines with scripts whose user the file does not name.
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

// blockOf returns the lines of the block that a statement opens. keepalived also reads a block without a brace, which
// has no lines.
func blockOf(s *grammar.Stmt) []*grammar.Stmt {
	if s == nil || s.Block == nil {
		return nil
	}
	return s.Block.Stmts
}
