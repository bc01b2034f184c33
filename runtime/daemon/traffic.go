package daemon

import (
	"context"
	"sync"
	"time"

	"keepc/runtime/kernel"
)

const (
	// trafficPatience limits one reading of the IPVS counters: it takes the same kernel lock as the enforcer.
	trafficPatience = time.Second
	// trafficFresh is how long a reading counts: readings take at most a fifth of the time, however many ask.
	trafficFresh = 5 * time.Second
)

// A traffic is the last reading of the IPVS counters, for all requests.
type traffic struct {
	from  kernel.Balancing // a connection that no loop uses
	work  context.Context
	spawn func(func())

	mu   sync.Mutex
	done chan struct{} // closed when the current reading is done; nil: there is none
	last kernel.Traffics
	at   time.Time // of last
}

// read returns the counters; what could not be read in time, or is refused by the kernel, is left out. It waits no
// longer than ctx lasts, and then returns the previous reading.
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
	all, _ := t.from.Traffic(ctx) // refusals are reported elsewhere
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.at, t.done = all, time.Now(), nil
	close(done)
}
