package daemon

import (
	"context"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/status"
)

// A past is what happened to the configurations of a director. It is safe for concurrent use.
type past struct {
	first *ir.Config // the one it started with

	mu     sync.Mutex
	begun  time.Time
	since  time.Time      // of the configuration in force
	loaded Loaded         // this configuration
	faults []string       // of this configuration, with their consequences
	unread []string       // its includes that brought in nothing
	reload *status.Reload // the last one; nil: none so far
	count  struct{ done, refused uint64 }
}

func (p *past) begin(now time.Time, l Loaded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun, p.since, p.loaded = now, now, l
	p.faults, p.unread = texts(l.Faults), texts(l.Unread)
}

func (p *past) done(now time.Time, l Loaded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since, p.loaded, p.reload = now, l, &status.Reload{At: now}
	p.faults, p.unread = texts(l.Faults), texts(l.Unread)
	p.count.done++
}

// refused records a refused reload, and returns since when the configuration in force has been in force.
func (p *past) refused(now time.Time, why string) (since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reload = &status.Reload{At: now, Refused: why}
	p.count.refused++
	return p.since
}

// answers is how others ask about the director.
func (d *director) answers() status.Director {
	answers := status.Director{Version: d.Version, Document: d.document, Follow: d.history.follow}
	if d.Plan != nil {
		answers.Plan = (&pending{past: &d.past, plan: d.Plan}).text
	}
	return answers
}

// document answers a status request. It asks the loops for snapshots and formats them on the goroutine of the request:
// however large the configuration and however slow the client, no advertisement waits.
func (d *director) document(ctx context.Context, q status.Question) (status.Document, error) {
	if a, assigns := q.Assignment(); assigns {
		if err := d.assign(ctx, a); err != nil {
			return status.Document{}, err
		}
	}
	if a, drains := q.Drain(); drains {
		if err := d.drain(ctx, a); err != nil {
			return status.Document{}, err
		}
	}
	s, err := d.snapshot(ctx)
	if err != nil {
		return status.Document{}, err
	}
	if q == status.Counted && len(s.Config.VirtualServers) > 0 {
		s.Traffic = d.traffic.read(ctx)
	}
	m := s.Document(d.File, os.Getpid())
	if q == status.InForce {
		d.past.mu.Lock()
		text := d.past.loaded.Text
		d.past.mu.Unlock()
		if text != nil {
			m.Configuration = text()
		}
	}
	return m, nil
}

// snapshot asks the loops what they know.
func (d *director) snapshot(ctx context.Context) (status.Snapshot, error) {
	s, err := ask(ctx, d.router.do, func() status.Snapshot {
		m := d.router.machine
		return status.Snapshot{Standings: m.Standings(), Scripts: m.Scripts(), VRIDErrors: m.VRIDErrors(), Routers: m.Config()}
	})
	if err != nil {
		return status.Snapshot{}, err
	}
	served, err := ask(ctx, d.balance.do, func() status.Snapshot {
		m := d.balance.machine
		return status.Snapshot{Config: m.Config(), Situation: m.Situation(), Checks: m.Statistics(), Certificates: m.Certificates()}
	})
	if err != nil {
		return status.Snapshot{}, err
	}
	if s.Sessions, err = ask(ctx, d.sessions.do, d.sessions.machine.Standings); err != nil {
		return status.Snapshot{}, err
	}
	s.Config, s.Situation, s.Checks, s.At = served.Config, served.Situation, served.Checks, time.Now()
	s.Certificates = served.Certificates
	s.Busy = d.busyness(s.Situation.Assigned)
	d.past.mu.Lock()
	s.First, s.Started, s.Since, s.Reload = d.past.first, d.past.begun, d.past.since, d.past.reload
	s.Faults, s.Unread = d.past.faults, d.past.unread
	s.Reloads, s.ReloadsRefused = d.past.count.done, d.past.count.refused
	d.past.mu.Unlock()
	s.Events = d.history.last()
	s.NotesLost = d.router.notes.lost.Load() + d.balance.notes.lost.Load() + d.sessions.notes.lost.Load()
	for _, e := range []*enforcer{d.router.network, d.balance.ipvs} {
		if problem := e.trouble(); problem != "" {
			s.Problems = append(s.Problems, e.name+": "+problem)
		}
		s.Made = slices.AppendSeq(s.Made, maps.Keys(e.owned()))
		s.Objects = append(s.Objects, e.objects())
	}
	s.Host, _ = os.Hostname() // without a name there is none
	return s, nil
}
