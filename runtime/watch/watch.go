// Package watch watches the files and processes that instances and checks of real servers track.
package watch

import (
	"context"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/balance"
	"keepc/runtime/router"
	"keepc/runtime/track"
)

// A Watcher looks at files and processes on its own goroutine and passes what it sees to one receiver.
type Watcher struct {
	out    chan router.Tracked
	checks chan balance.FileSeen
	want   chan want
}

// want is what to look at.
type want struct {
	files     []*ir.TrackFile
	umask     ir.Umask // for files that are created
	processes []*ir.TrackProcess
	tracked   map[track.Thing]bool // by instances
	checked   map[track.Thing]bool // by checks of real servers
}

// New returns a Watcher that looks at nothing yet.
func New() *Watcher {
	return &Watcher{out: make(chan router.Tracked), checks: make(chan balance.FileSeen), want: make(chan want, 1)}
}

// Look sets the files and processes to look at: those of a configuration that some instance tracks, and files that a
// check of a real server follows. Only one goroutine may call it.
func (w *Watcher) Look(cfg *ir.Config) {
	tracked := map[track.Thing]bool{}
	for _, v := range cfg.Instances {
		for _, t := range track.Of(v, cfg) {
			tracked[t.Thing] = true
		}
	}
	checked := balance.Files(cfg)
	next := want{tracked: tracked, checked: checked, umask: cfg.Global.FileMask()}
	for _, f := range cfg.TrackFiles {
		if tracked[track.OfFile(f)] || checked[track.OfFile(f)] {
			next.files = append(next.files, f)
		}
	}
	for _, p := range cfg.TrackProcesses {
		if tracked[track.OfProcess(p)] {
			next.processes = append(next.processes, p)
		}
	}
	select {
	case <-w.want:
	default:
	}
	w.want <- next
}

// Seen is the channel on which everything is reported when it is first looked at, and whenever it changes. It is never
// closed.
func (w *Watcher) Seen() <-chan router.Tracked { return w.out }

// Files is Seen of the files that checks of real servers follow.
func (w *Watcher) Files() <-chan balance.FileSeen { return w.checks }

const (
	// settle is how long after an event a file is read and processes are counted: writers truncate first, and a process
	// that is forked soon becomes another program.
	settle = 20 * time.Millisecond
	// processInterval is how often processes are counted if the kernel does not tell of them, and recountInterval if it
	// does.
	processInterval = time.Second
	recountInterval = 10 * time.Second
	// fileInterval is how often files are read without an event, because events get lost on some file systems.
	fileInterval = 10 * time.Second
)

// Run works until ctx ends. warn is called with what does not work; the work continues.
func (w *Watcher) Run(ctx context.Context, warn func(error)) {
	f := newFiles(warn)
	defer f.close()
	var c census
	begun := false
	var now want
	told := map[track.Thing]track.Status{}
	var seen <-chan moment // nil: the kernel is not asked
	forget := func() {}
	heard, soon := false, false // it told something; a count is near
	count, read := time.NewTimer(processInterval), time.NewTimer(fileInterval)
	defer count.Stop()
	defer read.Stop()
	tell := func(t track.Thing, s track.Status) {
		if old, known := told[t]; known && old == s {
			return
		}
		if now.tracked[t] {
			select {
			case w.out <- router.Tracked{Thing: t, Status: s}:
			case <-ctx.Done():
				return
			}
		}
		if now.checked[t] {
			select {
			case w.checks <- balance.FileSeen{File: t, Value: s.Value}:
			case <-ctx.Done():
				return
			}
		}
		told[t] = s
	}
	take := func() {
		switch {
		case len(c.list) == 0:
			forget()
		case seen == nil:
			var asks context.Context
			asks, forget = context.WithCancel(ctx)
			seen, _ = moments(asks) // without them processes are counted more often
		}
		c.take(tell, warn)
		soon = false
		next := processInterval
		if heard {
			next = recountInterval
		}
		if !c.due.IsZero() {
			next = min(next, time.Until(c.due))
		}
		count.Reset(next)
	}
	for {
		select {
		case <-ctx.Done():
			if seen != nil {
				for range seen { // it ends with ctx
				}
			}
			return
		case next := <-w.want:
			now = next
			if !begun {
				begun = true
				create(next.files, next.umask, warn)
			}
			c.look(next.processes)
			f.follow(next.files)
			clear(told) // the receiver may have forgotten what an earlier configuration did not name
			f.read(tell)
			take()
		case m, open := <-seen:
			switch {
			case !open: // something was lost
				forget()
				seen, soon = nil, false
				clear(c.ended)
				count.Reset(processInterval)
			case c.concerns(m) && !soon:
				soon = true
				count.Reset(settle)
			}
			heard = open
		case <-f.events():
			read.Reset(settle)
		case err := <-f.errors():
			warn(err)
			read.Reset(settle)
		case <-read.C:
			read.Reset(fileInterval)
			f.follow(f.list)
			f.read(tell)
		case <-count.C:
			take()
		}
	}
}
