package script

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// standard is the user for scripts that name none, if it exists.
const standard = "keepalived_script"

// Vet returns the configuration with the commands that keepalived would run on this machine, and reports which ones it
// would not run, and why. The remaining commands have the absolute path of their program, with links resolved, and
// their user: a link or a user that is created later changes nothing. The configuration itself is not changed. Vet
// looks at users and files: never on an event loop.
func Vet(cfg *ir.Config) (*ir.Config, diag.List) { return Verdicts{}.Vet(cfg) }

// Verdicts are the decisions about commands that were made already: a process that gave up its rights since can no
// longer judge for other users. Nil has none, and keeps none.
type Verdicts map[string]verdict

// Vet is [Vet] that keeps to the verdicts, and adds those about other commands.
func (known Verdicts) Vet(cfg *ir.Config) (*ir.Config, diag.List) {
	if known == nil {
		known = Verdicts{}
	}
	v := vetting{secure: cfg.Global.ScriptSecurity, known: known, told: map[told]bool{}}
	return cfg.MapCommands(v.command), v.findings
}

type vetting struct {
	secure   bool // enable_script_security
	known    Verdicts
	told     map[told]bool
	findings diag.List
}

// A verdict is the decision about a command; members of a group of virtual servers share theirs.
type verdict struct {
	path string
	user ir.User
	bad  *problem
	odd  *problem // it runs all the same
}

type told struct {
	span    source.Span
	message string
}

// A problem is why a command does not run, or should not.
type problem struct {
	rule, text, help string
}

func (v *vetting) command(what string, c ir.Command) ir.Command {
	key := fmt.Sprintf("%q %q", c.Args[0], c.User)
	is, known := v.known[key]
	if !known {
		is = v.judge(c)
		v.known[key] = is
	}
	if is.odd != nil {
		v.report(c, diag.Warning, *is.odd, what+": "+is.odd.text)
	}
	if is.bad != nil {
		v.report(c, diag.Error, *is.bad, what+": not run: "+is.bad.text)
		return ir.Command{}
	}
	c.Args = append([]string{is.path}, c.Args[1:]...)
	c.User = is.user
	return c
}

func (v *vetting) report(c ir.Command, severity diag.Severity, p problem, message string) {
	if t := (told{c.Span(), message}); !v.told[t] {
		v.told[t] = true
		v.findings.Add(diag.Diagnostic{Rule: p.rule, Severity: severity, Message: message, Span: c.Span(), Help: p.help, Host: true})
	}
}

// judge decides about a command as keepalived 2.2.7 does; TestVet has the measurements.
func (v *vetting) judge(c ir.Command) (is verdict) {
	is.user = c.User
	if is.user.Name == "" {
		switch _, err := user.Lookup(standard); {
		case err == nil:
			is.user.Name = standard
		case v.secure:
			is.bad = &problem{"unknown-user", "it names no user, there is no user " + standard + ", and enable_script_security is set", "name who runs it with script_user in global_defs"}
			return is
		}
	}
	who, err := lookup(is.user)
	if err != nil {
		is.bad = &problem{rule: "unknown-user", text: err.Error()}
		return is
	}
	if is.path, err = program(c.Args[0], who); err != nil {
		is.bad = &problem{rule: "missing-script", text: err.Error()}
		return is
	}
	if err := Secure(is.path); err != nil && privileged(is.path, who) {
		is.odd = &problem{"writable-script", "runs with the rights of root, although " + err.Error(), "enable_script_security in global_defs keeps such a script from running"}
		if v.secure {
			is.bad, is.odd = &problem{rule: "writable-script", text: err.Error() + ", and enable_script_security is set"}, nil
		}
	}
	return is
}

// program returns the absolute path of the program of a command, or why the user cannot run it. As in keepalived,
// links are resolved; the name of the file stays if it is a link to a file in the same directory, for programs that
// depend on their name.
func program(name string, who *syscall.Credential) (string, error) {
	path := name
	if !strings.Contains(name, "/") {
		found, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("there is no program %s in %s", name, os.Getenv("PATH"))
		}
		path = found
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", plain(name, err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", plain(name, err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", name)
	}
	named := filepath.Join(filepath.Dir(real), filepath.Base(path))
	if same, err := os.Stat(named); err == nil && os.SameFile(info, same) {
		real = named
	}
	if err := executable(real, who); err != nil {
		return "", fmt.Errorf("%s cannot be run: %w", name, err)
	}
	return real, nil
}

// privileged reports whether a program has the privileges of root: by the user or group that runs it, or by its own
// mode.
func privileged(path string, who *syscall.Credential) bool {
	uid, gid := os.Geteuid(), os.Getegid()
	if who != nil {
		uid, gid = int(who.Uid), int(who.Gid)
	}
	info, err := os.Stat(path)
	return uid == 0 || gid == 0 || err == nil && info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0
}
