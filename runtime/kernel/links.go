package kernel

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A linkWatch reports changes of links. A change is only a hint to look again: the watch lists all links and sends
// those that differ from what it sent before. So a lost message, a rename (the old name disappears, the new one
// appears) and a recreated interface with the same name (a different Index) need no special care, and a slow consumer
// gets the newest state of each link. A change that is undone before the watch looks is not seen.
type linkWatch struct {
	list    func() ([]Link, error)
	out     chan Link
	hint    chan struct{}   // something may have changed
	rumour  chan struct{}   // something may have changed, and can wait until the watch has rested
	known   map[string]Link // by name: what was, or will be, sent
	pending []Link          // to be sent, at most one for each name

	mu sync.Mutex
	up map[int]bool // of the known links, by index
}

// How long the watch rests after a look before it follows a rumour: at least the first, and longer the more there is
// to list. A storm of unrelated changes costs only a few looks per second.
const (
	rest        = 50 * time.Millisecond
	restForEach = 100 * time.Microsecond
)

func newLinkWatch(list func() ([]Link, error)) *linkWatch {
	w := &linkWatch{list: list, out: make(chan Link), hint: make(chan struct{}, 1), rumour: make(chan struct{}, 1), known: map[string]Link{}}
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

// glance makes the watch look again when it has rested. It never blocks.
func (w *linkWatch) glance() {
	select {
	case w.rumour <- struct{}{}:
	default:
	}
}

// urgent reports whether the state of a link, up, down or gone, differs from what was seen. An unknown link can wait.
func (w *linkWatch) urgent(index int, up, gone bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was, known := w.up[index]
	return known && (gone || was != up)
}

// run sends changes until ctx ends. The channel is left open.
func (w *linkWatch) run(ctx context.Context) {
	var rested <-chan struct{} // nil: the watch has rested
	calm := func() {}
	defer func() { calm() }()
	for {
		var (
			out    chan<- Link     // nil, and so never ready, while there is nothing to send
			rumour <-chan struct{} // nil while the watch rests
			next   Link
		)
		if rested == nil {
			rumour = w.rumour
		}
		if len(w.pending) > 0 {
			out, next = w.out, w.pending[0]
		}
		select {
		case <-ctx.Done():
			return
		case out <- next:
			w.pending = w.pending[1:]
			continue
		case <-rested:
			rested = nil
			continue
		case <-w.hint:
		case <-rumour:
		}
		now, err := w.list()
		if err != nil { // the list does not settle, or memory is short
			pause(ctx, 50*time.Millisecond)
			w.look()
			continue
		}
		w.compare(now)
		calm()
		size := len(now)
		for _, l := range now {
			size += len(l.Addrs)
		}
		resting, end := context.WithTimeout(ctx, max(rest, time.Duration(size)*restForEach))
		rested, calm = resting.Done(), end
	}
}

// compare queues the links that differ from what is known.
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
	up := make(map[int]bool, len(now))
	for _, l := range now {
		up[l.Index] = l.Up
	}
	w.mu.Lock()
	w.up = up
	w.mu.Unlock()
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
