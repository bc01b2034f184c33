package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/privilege"
	"keepc/grammar/source"
	"keepc/runtime/daemon"
	"keepc/runtime/kernel"
	"keepc/runtime/script"
)

// privileges are what this process is allowed to do, and what it gives up.
type privileges struct {
	held map[string]bool // nil: unknown, and not checked
	gone map[string]bool // what the first file did not need, and was given up; nil: nothing
	bare bool            // no_new_privs: the first file had no script
	ipvs bool            // the first file had virtual servers, so the kernel was asked to load ip_vs
}

// needs returns what a configuration needs on this machine, and its first script. It looks up users and files.
func needs(l *loaded) (all []privilege.Need, first string, at source.Span, some bool) {
	vetted, _ := l.Verdicts.Vet(l.Config) // what does not run needs nothing
	unexempt := &ir.Config{}              // if it is unknown whether anything runs
	_ = kernel.Unexempt(func() { unexempt, _ = script.Vet(l.Config) })
	type place struct {
		source.Span
		args string
	}
	of := func(c ir.Command) place { return place{c.Span(), fmt.Sprintf("%q", c.Args)} }
	runs := map[place]bool{}
	unexempt.MapCommands(func(_ string, c ir.Command) ir.Command {
		runs[of(c)] = true
		return c
	})
	access := map[string]privilege.Access{} // checks share files
	p := kernel.Allowed()
	f := &privilege.File{Config: vetted, Exempt: func(c ir.Command) bool { return !runs[of(c)] }, Read: maps.Keys(l.Files)}
	all = privilege.Needs(f, privilege.Host{
		Other: func(u ir.User) bool {
			uid, _, err := script.Owner(u)
			return err == nil && uid >= 0
		},
		Ping: p.Ping, Bind: p.Bind, Port: p.Port, Hidden: p.Hidden,
		File: func(path string) privilege.Access {
			a, known := access[path]
			if !known {
				a = kernel.AccessTo(path)
				access[path] = a
			}
			return a
		},
	})
	first, at, some = privilege.Command(f)
	return all, first, at, some
}

// lacking returns the errors of a configuration that needs more than this process may do, and logs what it must do
// without.
func (p *privileges) lacking(l *loaded, log *slog.Logger) (faults []daemon.Fault) {
	if p.held == nil || l.Config == nil {
		return nil
	}
	all, word, at, some := needs(l)
	const anew = "restart it, or run it with --keep-privileges"
	for _, n := range all {
		why := notHeld
		if p.gone[n.Capability] {
			why = "which this keepc gave up at its start: " + anew
		}
		switch {
		case p.held[n.Capability]:
		case n.Must:
			faults = append(faults, daemon.Fault{Text: fmt.Sprintf("%s: error: %s needs %s, %s", n.At, n.Word, n.Capability, why), Same: n.Capability})
		default:
			goesWithout(n, why, log)
		}
	}
	if some && p.bare {
		faults = append(faults, daemon.Fault{Text: fmt.Sprintf("%s: error: %s may run any program, and this keepc gave up at its start the right of programs to gain privileges "+
			"(no_new_privs): %s", at, word, anew), Same: "no_new_privs"})
	}
	if services := l.Config.VirtualServers; len(services) > 0 && p.gone != nil && !p.ipvs && errors.Is(kernel.LoadIPVS(), kernel.ErrNoIPVS) {
		faults = append(faults, daemon.Fault{Text: fmt.Sprintf("%s: error: virtual_server needs ip_vs, which the kernel does not have, and this keepc gave up at its start "+
			"the right to load it: run modprobe ip_vs, then reload", services[0].Span()), Same: "ip_vs"})
	}
	return faults
}

const notHeld = "which this process does not have"

func goesWithout(n privilege.Need, why string, log *slog.Logger) {
	if why == notHeld && (n.Capability == "CAP_SYS_NICE" || n.Capability == "CAP_IPC_LOCK") {
		return // the loop that asks for it reports that, and the consequence
	}
	where := ""
	if !n.At.IsZero() {
		where = n.At.String() + ": "
	}
	log.Warn(fmt.Sprintf("%s%s goes without %s, %s", where, n.Word, n.Capability, why), "subject", "privileges")
}

// ofNetwork reports whether a fault keeps a director from doing anything at all.
func ofNetwork(f daemon.Fault) bool { return strings.HasPrefix(f.Same, "CAP_NET_") }

// settle gives up what a configuration does not need, unless everything is to be kept, and logs what is left.
func (p *privileges) settle(l *loaded, keepAll bool, log *slog.Logger) {
	if p.held == nil || l.Config == nil {
		return
	}
	l.Verdicts = script.Verdicts{} // without its rights the director would let other users run what they may not
	all, _, _, some := needs(l)
	var keep []string
	for _, n := range all {
		if !p.held[n.Capability] {
			goesWithout(n, notHeld, log)
			continue
		}
		log.Debug(fmt.Sprintf("%s: %s needs %s", n.At, n.Word, n.Capability), "subject", "privileges")
		keep = append(keep, n.Capability)
	}
	if keepAll {
		return
	}
	if p.ipvs = len(l.Config.VirtualServers) > 0; p.ipvs {
		_ = kernel.LoadIPVS() // if it is missing, the code that needs it reports that
	}
	switch err := kernel.GiveUp(keep, !some); {
	case errors.Is(err, errors.ErrUnsupported):
		log.Warn("keeps all capabilities: this program is linked with the C library; build it with CGO_ENABLED=0", "subject", "privileges")
		return
	case err != nil:
		log.Warn(err.Error(), "subject", "privileges")
		return
	}
	p.gone, p.bare = map[string]bool{}, !some
	for name, had := range p.held {
		p.held[name] = slices.Contains(keep, name)
		p.gone[name] = had && !p.held[name]
	}
	bare := ""
	if p.bare {
		bare = ", and no_new_privs"
	}
	log.Info("keeps "+strings.Join(keep, " ")+" and no other capability"+bare, "subject", "privileges")
}
