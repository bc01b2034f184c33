package daemon

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"keepc/runtime/status"
)

// historyLength is the number of recent events that a director remembers.
const historyLength = 200

// A history is a slog.Handler that remembers what it passes on, for status requests, and sends it to followers.
type history struct {
	slog.Handler
	*remembered
}

// remembered is shared by the handlers of one history.
type remembered struct {
	mu        sync.Mutex
	events    []status.Event // the last ones, the oldest first
	followers []chan status.Event
}

func newHistory(h slog.Handler) history { return history{h, &remembered{}} }

// Enabled implements slog.Handler: what the log hides is remembered all the same, except for details.
func (h history) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || h.Handler.Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (h history) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		h.remember(r)
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h history) WithAttrs(attrs []slog.Attr) slog.Handler {
	return history{h.Handler.WithAttrs(attrs), h.remembered}
}

// WithGroup implements slog.Handler.
func (h history) WithGroup(name string) slog.Handler {
	return history{h.Handler.WithGroup(name), h.remembered}
}

func (m *remembered) remember(r slog.Record) {
	e := status.Event{At: r.Time, Level: r.Level.String(), Text: r.Message}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "subject" {
			e.Subject = a.Value.String()
			return true
		}
		if e.Fields == nil {
			e.Fields = map[string]any{}
		}
		e.Fields[a.Key] = a.Value.Any()
		return true
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.events) == historyLength {
		m.events = slices.Delete(m.events, 0, historyLength/4)
	}
	m.events = append(m.events, e)
	for _, f := range m.followers {
		select {
		case f <- e:
		default: // the follower is too slow
		}
	}
}

// last returns the remembered events.
func (m *remembered) last() []status.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

// follow returns the events from now on. Events that the channel has no room for are lost. The caller must call end.
func (m *remembered) follow() (events <-chan status.Event, end func()) {
	c := make(chan status.Event, historyLength)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.followers = append(m.followers, c)
	return c, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.followers = slices.DeleteFunc(m.followers, func(f chan status.Event) bool { return f == c })
	}
}
