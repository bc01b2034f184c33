package daemon

import (
	"maps"
	"sync"
	"time"
)

// A pending is the plan for files that have changed since the configuration in force was read from them.
type pending struct {
	past *past
	plan func() (Loaded, func() string)

	mu     sync.Mutex // one plan at a time, for all requests
	since  time.Time  // when the configuration in force, for which it was made, came into force
	files  Files      // of both configurations when the new one was read; nil: none was read
	loaded Loaded
	change func() string
	last   string
	at     time.Time // of last
}

// planFresh is how long a plan is reused while the files stay as they are: this machine may change meanwhile, and many
// may ask.
const planFresh = 30 * time.Second

// text returns the plan, or why a reload would be refused; empty: the files are those in force. The files are compiled
// once per change.
func (p *pending) text() string {
	p.past.mu.Lock()
	since, before := p.past.since, p.past.loaded
	p.past.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	files := maps.Clone(before.Files)
	if !files.look() {
		p.files, p.loaded, p.change, p.last = nil, Loaded{}, nil, ""
		return ""
	}
	if p.files == nil || !p.since.Equal(since) || p.files.look() {
		p.since, p.at = since, time.Time{}
		p.loaded, p.change = p.plan()
		maps.Copy(files, p.loaded.Files)
		p.files = files
	}
	if time.Since(p.at) > planFresh {
		p.last, p.at = p.judged(before), time.Now()
	}
	return p.last
}

// judged returns what a requested reload would do now.
func (p *pending) judged(before Loaded) string {
	l := p.loaded
	if l.accept(before, true); l.Config == nil {
		return "A reload would be refused:\n" + l.Refused
	}
	return p.change()
}
