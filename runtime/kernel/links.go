package kernel

import (
	"context"
	"slices"
	"time"
)

// A linkWatch tells changes of links. A change is a mere hint to look again: the watch lists all links and sends those that
// differ from what it sent before. So a lost message, a rename (the old name goes, the new one comes) and an interface made
// anew under its old name (another Index) need no care of their own, and a slow consumer gets the newest state of each link. A
// change that is undone before the watch looks is not seen.
type linkWatch struct {
	list    func() ([]Link, error)
	out     chan Link
	hint    chan struct{}   // something may have changed
	known   map[string]Link // by name: what the consumer was told, or will be
	pending []Link          // to be sent, at most one for each name
}

func newLinkWatch(list func() ([]Link, error)) *linkWatch {
	w := &linkWatch{list: list, out: make(chan Link), hint: make(chan struct{}, 1), known: map[string]Link{}}
	w.look()
	return w
}

// look makes the watch look again. It never blocks.
func (w *linkWatch) look() {
	select {
	case w.hint <- struct{}{}:
	default:
	}
}

// run sends changes until ctx ends. The channel is left open.
func (w *linkWatch) run(ctx context.Context) {
	for {
		var (
			out  chan<- Link // nil, and so never ready, while there is nothing to send
			next Link
		)
		if len(w.pending) > 0 {
			out, next = w.out, w.pending[0]
		}
		select {
		case <-ctx.Done():
			return
		case out <- next:
			w.pending = w.pending[1:]
		case <-w.hint:
			now, err := w.list()
			if err != nil { // the list would not settle, or there is no memory
				pause(ctx, 50*time.Millisecond)
				w.look()
				continue
			}
			w.compare(now)
		}
	}
}

// compare queues the links that are not as known.
func (w *linkWatch) compare(now []Link) {
	present := make(map[string]bool, len(now))
	for _, l := range now {
		present[l.Name] = true
		if known, ok := w.known[l.Name]; !ok || !known.equal(l) {
			w.known[l.Name] = l
			w.queue(l)
		}
	}
	for name := range w.known {
		if !present[name] {
			delete(w.known, name)
			w.queue(Link{Name: name})
		}
	}
}

func (w *linkWatch) queue(l Link) {
	if i := slices.IndexFunc(w.pending, func(p Link) bool { return p.Name == l.Name }); i >= 0 {
		w.pending[i] = l
		return
	}
	w.pending = append(w.pending, l)
}

func (l Link) equal(o Link) bool {
	return l.Name == o.Name && l.Index == o.Index && l.Up == o.Up && l.Loopback == o.Loopback && l.NoARP == o.NoARP && l.HWAddr == o.HWAddr &&
		slices.Equal(l.Addrs, o.Addrs)
}

func pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}
