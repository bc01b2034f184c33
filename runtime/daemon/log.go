package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// Console is a slog.Handler for people: "12:00:03 VI_1 MASTER   no advert for 3.609s". The attribute "subject" stands in its own
// column; other attributes follow the message.
type Console struct {
	mu    *sync.Mutex
	w     io.Writer
	level slog.Leveler
	attrs []slog.Attr
}

// NewConsole returns a Console that writes records of the level and above.
func NewConsole(w io.Writer, level slog.Leveler) *Console {
	return &Console{mu: &sync.Mutex{}, w: w, level: level}
}

// Enabled implements slog.Handler.
func (c *Console) Enabled(_ context.Context, l slog.Level) bool { return l >= c.level.Level() }

// WithAttrs implements slog.Handler.
func (c *Console) WithAttrs(attrs []slog.Attr) slog.Handler {
	d := *c
	d.attrs = append(append([]slog.Attr{}, c.attrs...), attrs...)
	return &d
}

// WithGroup implements slog.Handler; groups have no place on a console.
func (c *Console) WithGroup(string) slog.Handler { return c }

// subjectWidth is the width of the column that says what a line is about.
const subjectWidth = 14

// Handle implements slog.Handler.
func (c *Console) Handle(_ context.Context, r slog.Record) error {
	var subject string
	var rest strings.Builder
	attr := func(a slog.Attr) bool {
		if a.Key == "subject" {
			subject = a.Value.String()
		} else {
			fmt.Fprintf(&rest, " %s=%v", a.Key, a.Value)
		}
		return true
	}
	for _, a := range c.attrs {
		attr(a)
	}
	r.Attrs(attr)
	level := ""
	switch {
	case r.Level >= slog.LevelError:
		level = "error: "
	case r.Level >= slog.LevelWarn:
		level = "warning: "
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for line := range strings.Lines(r.Message) {
		_, err := fmt.Fprintf(c.w, "%s %-*s %s%s%s\n", r.Time.Format("15:04:05"), subjectWidth, subject, level, strings.TrimRight(line, "\n"), rest.String())
		if err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
	}
	return nil
}
