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

// privileges are what this process is allowed, and gives up.
type privileges struct {
	held map[string]bool // nil: nobody knows, and nothing is asked of it
	gone bool            // what the first file did not need was given up
	bare bool            // no_new_privs: the first file had no script
}

// needs returns what a configuration needs on this machine, and its first script. It looks at users and files.
func needs(l *loaded) (all []privilege.Need, first string, at source.Span, some bool) {
	vetted, _ := script.Vet(l.Config) // what does not run needs nothing
	p := kernel.Allowed()
	f := &privilege.File{Config: vetted, Read: maps.Keys(l.Files)}
	all = privilege.Needs(f, privilege.Host{
		Other: func(u ir.User) bool {
			uid, _, err := script.Owner(u)
			return err == nil && uid >= 0
		},
		Ping: p.Ping, Port: p.Port, Hidden: p.Hidden, Readable: kernel.Readable, Runnable: kernel.Runnable,
	})
	first, at, some = privilege.Command(f)
	return all, first, at, some
}

// lacking returns the errors of a configuration that asks for more than this process may do.
func (p *privileges) lacking(l *loaded) (faults []daemon.Fault) {
	if p.held == nil || l.Config == nil {
		return nil
	}
	all, word, at, some := needs(l)
	why := "which this process does not have"
	if p.gone {
		why = "which this keepc gave up at its start: start it anew, or with --keep-privileges"
	}
	for _, n := range all {
		if n.Must && !p.held[n.Capability] {
			faults = append(faults, daemon.Fault{Text: fmt.Sprintf("%s: error: %s needs %s, %s", n.At, n.Word, n.Capability, why), Same: n.Capability})
		}
	}
	if some && p.bare {
		faults = append(faults, daemon.Fault{Text: fmt.Sprintf("%s: error: %s may run any program, and this keepc gave up at its start that one gains rights "+
			"(no_new_privs): start it anew, or with --keep-privileges", at, word), Same: "no_new_privs"})
	}
	return faults
}

// ofNetwork reports whether a fault is that a director could not do anything at all.
func ofNetwork(f daemon.Fault) bool { return strings.HasPrefix(f.Same, "CAP_NET_") }

// settle gives up what a configuration does not need, unless all is to be kept, and says what is left.
func (p *privileges) settle(l *loaded, keepAll bool, log *slog.Logger) {
	if p.held == nil || l.Config == nil {
		return
	}
	all, _, _, some := needs(l)
	var keep []string
	for _, n := range all {
		if !p.held[n.Capability] {
			log.Warn(fmt.Sprintf("%s: %s goes without %s, which this process does not have", n.At, n.Word, n.Capability), "subject", "privileges")
			continue
		}
		log.Debug(fmt.Sprintf("%s: %s needs %s", n.At, n.Word, n.Capability), "subject", "privileges")
		keep = append(keep, n.Capability)
	}
	if keepAll {
		return
	}
	if len(l.Config.VirtualServers) > 0 {
		_ = kernel.LoadIPVS() // who needs it says so if it is not there
	}
	switch err := kernel.GiveUp(keep, !some); {
	case errors.Is(err, errors.ErrUnsupported):
		log.Warn("keeps all its capabilities: this program is linked with the C library; build it with CGO_ENABLED=0", "subject", "privileges")
		return
	case err != nil:
		log.Warn(err.Error(), "subject", "privileges")
		return
	}
	p.gone, p.bare = true, !some
	for name := range p.held {
		p.held[name] = slices.Contains(keep, name)
	}
	bare := ""
	if p.bare {
		bare = ", and no_new_privs"
	}
	log.Info("keeps "+strings.Join(keep, " ")+" and no other capability"+bare, "subject", "privileges")
}
