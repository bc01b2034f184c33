// Package watch tells how the files and processes are that instances track.
package watch

import (
	"context"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/router"
	"keepc/runtime/track"
)

// A Watcher looks at files and processes on a goroutine of its own and hands what it sees to one receiver.
type Watcher struct {
	out  chan router.Tracked
	want chan want
}

// want is what to look at.
type want struct {
	files     []*ir.TrackFile
	processes []*ir.TrackProcess
}

// New returns a Watcher that looks at nothing yet.
func New() *Watcher {
	return &Watcher{out: make(chan router.Tracked), want: make(chan want, 1)}
}

// Look sets the files and processes to look at: those of a configuration that some instance tracks. Only one goroutine may call it.
func (w *Watcher) Look(cfg *ir.Config) {
	tracked := map[track.Thing]bool{}
	for _, v := range cfg.Instances {
		for _, t := range track.Of(v, cfg) {
			tracked[t.Thing] = true
		}
	}
	var next want
	for _, f := range cfg.TrackFiles {
		if tracked[track.OfFile(f)] {
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

// Seen is where everything is told when it is looked at for the first time, and whenever it changed. It is never closed.
func (w *Watcher) Seen() <-chan router.Tracked { return w.out }

const (
	// settle is how long after an event a file is read: writers truncate first.
	settle = 20 * time.Millisecond
	// processInterval is how often processes are counted.
	processInterval = time.Second
	// fileInterval is how often files are read without an event, which gets lost on some file systems.
	fileInterval = 10 * time.Second
)

// Run works until ctx ends. warn is called with what does not work; the work goes on.
func (w *Watcher) Run(ctx context.Context, warn func(error)) {
	f := newFiles(warn)
	defer f.close()
	var c census
	begun := false
	told := map[track.Thing]track.Status{}
	count, read := time.NewTicker(processInterval), time.NewTimer(fileInterval)
	defer count.Stop()
	defer read.Stop()
	tell := func(t track.Thing, s track.Status) {
		if old, known := told[t]; known && old == s {
			return
		}
		select {
		case w.out <- router.Tracked{Thing: t, Status: s}:
			told[t] = s
		case <-ctx.Done():
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case next := <-w.want:
			if !begun {
				begun = true
				create(next.files, warn)
			}
			c.look(next.processes)
			f.follow(next.files)
			clear(told) // the receiver may have forgotten what another configuration did not name
			f.read(tell)
			c.take(tell, warn)
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
			c.take(tell, warn)
		}
	}
}
