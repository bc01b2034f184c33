package daemon

import (
	"context"
	"sync"
	"time"

	"keepc/runtime/kernel"
)

const (
	// trafficPatience bounds one reading of the counters of IPVS: the kernel's lock is that of the enforcer, too.
	trafficPatience = time.Second
	// trafficFresh is how long a reading counts: a fifth of the time at most goes into them, however many ask.
	trafficFresh = 5 * time.Second
)

// A traffic is the counters of IPVS as they were read last, for all who ask.
type traffic struct {
	from  kernel.Balancing // a door that no loop uses
	work  context.Context
	spawn func(func())

	mu   sync.Mutex
	done chan struct{} // closed when the reading is done that is under way; nil: none is
	last kernel.Traffics
	at   time.Time // of last
}

// read returns the counters; what could not be read in time, or the kernel refuses, is left out. It waits no longer than ctx lasts, and then
// returns those of the reading before.
func (t *traffic) read(ctx context.Context) kernel.Traffics {
	t.mu.Lock()
	done := t.done
	if done == nil && (t.at.IsZero() || time.Since(t.at) >= trafficFresh) {
		done = make(chan struct{})
		t.done = done
		t.spawn(func() { t.count(done) })
	}
	t.mu.Unlock()
	if done != nil {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

func (t *traffic) count(done chan struct{}) {
	ctx, cancel := context.WithTimeout(t.work, trafficPatience)
	defer cancel()
	all, _ := t.from.Traffic(ctx) // what the kernel refuses is told elsewhere
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.at, t.done = all, time.Now(), nil
	close(done)
}
