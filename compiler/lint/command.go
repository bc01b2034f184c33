package lint

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"keepc/grammar/diag"
)

// commandRules are about the programs that a file names, in any block.
func commandRules() []Rule {
	return []Rule{
		{
			Name: "script-shell", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, c := range p.Commands {
					for i, a := range c.Args {
						if startsShell(c.Args[:i]) {
							break
						}
						if !shell(a) && (i > 0 || !builtIn(a)) {
							continue
						}
						label := "an argument of the program"
						if i == 0 {
							label = "no program has this name"
						}
						p.report(c.Span(), fmt.Sprintf("%q is for a shell, and there is none", a), label).Help = "write the command into a file, or start it with /bin/sh -c"
						break
					}
				}
			},
		},
		{
			Name: "unsafe-script", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, c := range p.Commands {
					if len(c.Args) > 0 && open(c.Args[0]) {
						p.report(c.Span(), c.Args[0]+" is in a directory that not only root can write", "").Help = "move it to /etc/keepalived or /usr/local/libexec"
					}
				}
			},
		},
		{
			Name: "relative-script", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, c := range p.Commands {
					if len(c.Args) > 0 && strings.Contains(c.Args[0], "/") && !path.IsAbs(c.Args[0]) && plain(c.Args[0][0]) {
						p.report(c.Span(), c.Args[0]+" does not begin with a slash", "taken from the working directory")
					}
				}
			},
		},
		{
			Name: "long-process", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, t := range p.TrackProcesses {
					if len(t.Process) == 1 && len(t.Process[0]) > 15 && !strings.Contains(t.Process[0], "/") && !t.Has("full_command") && !t.Has("param_match") {
						p.report(t.At("process"), t.Process[0]+" is longer than 15 bytes", "matches nothing").Help = "write the first 15 bytes, or the whole command line with full_command"
					}
				}
			},
		},
	}
}

// shell reports whether an argument has a meaning only to a shell.
func shell(argument string) bool {
	switch argument {
	case "||", "&&", "|", ">", ">>", "<", "&>", "2>", "2>&1", ">&", "&", ";", ">/dev/null", "2>/dev/null", "&>/dev/null", "1>/dev/null":
		return true
	}
	return strings.Contains(argument, "$(") || strings.HasPrefix(argument, "`") || strings.HasPrefix(argument, "</") || strings.HasPrefix(argument, ">/") ||
		strings.HasPrefix(argument, "~/") || len(argument) > 1 && strings.HasSuffix(argument, ";") || variable.MatchString(argument)
}

// startsShell reports whether the words of a command before another one start a shell with -c, so that what follows is
// for that shell.
func startsShell(args []string) bool {
	if len(args) < 2 || !strings.HasSuffix(path.Base(args[0]), "sh") {
		return false
	}
	last := args[len(args)-1]
	return strings.HasPrefix(last, "-") && !strings.HasPrefix(last, "--") && strings.HasSuffix(last, "c")
}

// variable returns an environment variable in a path.
var variable = regexp.MustCompile(`(^|/)\$\{?[A-Za-z_]+\}?/`)

// builtIn reports whether only a shell knows the command.
func builtIn(command string) bool {
	switch command {
	case "exit", "cd", "source", ".", "if", "for", "while", "export", "eval", "exec":
		return true
	}
	return assignment.MatchString(command)
}

// assignment is a variable with its value before a command.
var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// open reports whether a path is in a directory that not only root can usually write.
func open(name string) bool {
	for _, dir := range []string{"/tmp/", "/var/tmp/", "/dev/shm/", "/home/"} {
		if strings.HasPrefix(path.Clean(name)+"/", dir) {
			return true
		}
	}
	return false
}

// plain reports whether a byte can be the first of a relative path that is meant as one.
func plain(b byte) bool { return b == '.' || b == '_' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' }
