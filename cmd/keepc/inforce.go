package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"keepc/compiler/diff"
	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/runtime/rival"
	"keepc/runtime/status"
)

// An inForce is what a plan starts from: the director of this host, and its configuration.
type inForce struct {
	daemon     *status.Document // the running keepc; nil: there is none
	keepalived *rival.Running   // nil: there is none
	who        string           // the sentence about them, after a blank
	old        *diff.Side       // the configuration in force; nil: unknown
	name       string           // of its file; empty: it has none
	uncertain  bool             // a director runs, and old is unknown
	notes      []string
}

// inForce determines what is in force on this host. Facts are from a different time or host: no director is asked.
func (r *planRun) inForce(name string) (f inForce, err error) {
	if r.factsFile == "" {
		if f, err = r.director(name); err != nil {
			return f, err
		}
	}
	if r.from != "" {
		err = r.oldFile(&f, r.from, true)
	}
	f.uncertain = f.old == nil && (f.daemon != nil || f.keepalived != nil)
	return f, err
}

// director finds the director that runs here.
func (r *planRun) director(name string) (f inForce, err error) {
	d, err := status.Ask(context.Background(), status.InForce)
	switch {
	case err == nil:
		f.daemon, f.who = d, fmt.Sprintf(" Running daemon: pid %d, %s.", d.PID, d.File)
		r.oldText(&f, d.Configuration)
		return f, nil
	case !errors.Is(err, status.ErrNone):
		f.who = fmt.Sprintf(" The running daemon does not answer: %v.", err)
		return f, nil
	}
	if f.keepalived, err = rival.Find(); err != nil || f.keepalived == nil {
		f.who = " Running daemon: none."
		return f, nil
	}
	return f, r.beside(&f, name)
}

// oldText reads the configuration of a running keepc. A keepc of a different version may not return it.
func (r *planRun) oldText(f *inForce, text []byte) {
	if r.force != nil && bytes.Equal(text, r.forceText) {
		f.old = r.force
		return
	}
	app := *r.App
	app.Stdin, app.stdinName = bytes.NewReader(text), "in force"
	if l := app.loadFor("-", &settings{}); l.Config != nil && len(text) > 0 {
		r.forceText, r.force = text, &diff.Side{File: l.tree, Config: l.Config}
		f.old = r.force
		return
	}
	f.notes = append(f.notes, "The running keepc does not show its configuration: settings are not compared.")
}

// beside finds out what a running keepalived has in force: its file, unless that is the one which is planned and was
// edited since.
func (r *planRun) beside(f *inForce, name string) error {
	k := f.keepalived
	f.who = fmt.Sprintf(" Running daemon: keepalived (pid %d) with %s; this is what its reload does.", k.PID, k.File)
	if k.ID != "" && len(r.ids) == 0 {
		r.ids = []string{k.ID}
	}
	if r.from != "" {
		return nil
	}
	info, err := fs.Stat(r.FS, inFS(k.File))
	if err != nil {
		f.notes = append(f.notes, fmt.Sprintf("The file that keepalived was started with cannot be read (%v): only the kernel is compared; name a copy with --from FILE.", fileError(k.File, err)))
		return nil
	}
	edited := k.Started.IsZero() || info.ModTime().After(k.Started)
	clock := info.ModTime().Format(time.DateTime)
	switch same := r.abs(name) == k.File; {
	case same && edited:
		f.notes = append(f.notes, fmt.Sprintf("%s was changed at %s, after keepalived was started, so what it read is unknown: only the kernel is compared; name a copy of what it read with --from FILE.", k.File, clock))
		return nil
	case edited:
		f.notes = append(f.notes, fmt.Sprintf("%s was changed at %s, after keepalived was started: it is taken for what keepalived has in force, as after a reload; name a different file with --from FILE.", k.File, clock))
	}
	return r.oldFile(f, k.File, false)
}

// oldFile reads the file in force. said: the user named it, and it must be readable.
func (r *planRun) oldFile(f *inForce, name string, said bool) error {
	l := r.load(name)
	r.localize(l.Config)
	switch {
	case l.Config != nil:
		f.old, f.name = &diff.Side{File: l.tree, Config: l.Config}, l.name
		f.notes = append(f.notes, "The configuration in force is taken from "+l.name+".")
	case said:
		return fmt.Errorf("--from: %s", l.Refused)
	default:
		f.notes = append(f.notes, fmt.Sprintf("%s is not a file that keepalived runs with: only the kernel is compared; name what it read with --from FILE.", l.name))
	}
	return nil
}

// owned returns the function that reports what the director would remove: what it made.
func (f inForce) owned() plan.Owned {
	switch {
	case f.daemon != nil:
		return f.daemon.Owns()
	case f.keepalived != nil && f.old != nil:
		made := state.Desired(f.old.Config, state.AllMaster(f.old.Config))
		return func(k state.Key) bool {
			_, ours := state.KindOf(k).Get(made, k)
			return ours
		}
	}
	return nil
}

// taking adds to owned the foreign objects that a director which starts now would remove.
func (f inForce) taking(want state.State) plan.Owned {
	owned := f.owned()
	if f.daemon != nil || f.keepalived != nil || want.Flush != state.FlushStart {
		return owned
	}
	return func(k state.Key) bool { return owned != nil && owned(k) || want.Flush.Takes(state.KindOf(k)) != "" }
}

// situation returns the situation that the kernel shows. An instance is MASTER if one of its addresses in the file in
// force, if known, is on this host; an instance that the file in force lacks begins as BACKUP. A server that the file
// in force has and the kernel has not is down.
func (f inForce) situation(cfg *ir.Config, have state.State) (s state.Situation, text string) {
	s = state.Situation{Master: map[ir.InstanceKey]string{}, Down: map[state.DestinationKey]string{}, NoQuorum: map[ir.ServiceKey]bool{}}
	if f.daemon == nil && f.keepalived == nil {
		return startsWith(cfg, have)
	}
	known := cfg
	if f.old != nil {
		known = f.old.Config
	}
	masters := map[ir.InstanceKey]bool{}
	for _, v := range known.Instances {
		masters[v.Key()] = slices.ContainsFunc(v.Addresses, func(a ir.Address) bool {
			_, here := have.Addresses[state.AddressKey{Dev: a.On(), Prefix: a.Prefix}]
			return here
		})
	}
	var names []string
	for _, v := range cfg.Instances {
		if masters[v.Key()] {
			s.Master[v.Key()] = "its addresses are here"
			names = append(names, v.Name)
		}
	}
	if f.keepalived != nil && f.old != nil {
		f.health(&s, have)
	}
	if len(names) == 0 {
		return s, "assuming BACKUP for all: no instance has an address here"
	}
	return s, "assuming MASTER for " + strings.Join(names, ", ") + ": its addresses are here"
}

// startsWith returns the situation of a run that starts now: it continues from what an earlier director left.
func startsWith(cfg *ir.Config, have state.State) (s state.Situation, text string) {
	found := state.FoundOf(cfg, have)
	s = state.Situation{Master: map[ir.InstanceKey]string{}, Down: map[state.DestinationKey]string{}, NoQuorum: map[ir.ServiceKey]bool{}}
	var names []string
	for _, v := range cfg.Instances {
		if found.Master[v.Key()] {
			s.Master[v.Key()] = "its addresses are here"
			names = append(names, v.Name)
		}
	}
	for k := range found.Down {
		s.Down[k] = "an earlier director has taken it out"
	}
	if len(names) == 0 {
		return s, "assuming BACKUP for all: no instance has an address here"
	}
	return s, "starting as MASTER for " + strings.Join(names, ", ") + ": its addresses are here"
}

// health records which servers a running keepalived has taken out.
func (f inForce) health(s *state.Situation, have state.State) {
	for _, v := range f.old.Config.VirtualServers {
		if _, here := have.Services[v.Key]; !here {
			continue
		}
		in := func(r *ir.RealServer) (d state.Destination, here bool) {
			d, here = have.Destinations[state.DestinationKey{Service: v.Key, Server: r.Addr}]
			return d, here
		}
		for _, r := range v.RealServers {
			if d, here := in(r); len(r.Checks) > 0 && (!here || d.Weight == 0 && r.Weight > 0) {
				s.Down[state.DestinationKey{Service: v.Key, Server: r.Addr}] = "keepalived has taken it out"
			}
		}
		if v.SorryServer != nil {
			d, here := in(v.SorryServer)
			s.NoQuorum[v.Key] = here && (d.Weight > 0 || !v.SorryInhibit)
		}
	}
}
