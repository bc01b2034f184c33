package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Writer writes a log on its own goroutine: a reader that stalls, or a full disk, delays nothing but the log. Lines
// that find too many waiting are lost and counted.
type Writer struct {
	to    io.Writer
	lines chan []byte
	lost  atomic.Int64
	done  chan struct{}
}

// NewWriter returns a Writer with room for some thousand lines.
func NewWriter(to io.Writer) *Writer {
	w := &Writer{to: to, lines: make(chan []byte, 4096), done: make(chan struct{})}
	go w.run()
	return w
}

// Write implements io.Writer; it never blocks and never fails.
func (w *Writer) Write(line []byte) (int, error) {
	select {
	case w.lines <- bytes.Clone(line):
	default:
		w.lost.Add(1)
	}
	return len(line), nil
}

func (w *Writer) run() {
	defer close(w.done)
	for line := range w.lines {
		if n := w.lost.Swap(0); n > 0 {
			fmt.Fprintf(w.to, "(%d log lines lost: the reader was too slow)\n", n)
		}
		_, _ = w.to.Write(line) // a log that cannot be written cannot report that
	}
}

// Close waits until everything is written, up to the limit. Nothing may be written afterwards.
func (w *Writer) Close(limit time.Duration) {
	close(w.lines)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
	}
}

// Console is a slog.Handler for people: "12:00:03 VI_1 MASTER no advert for 3.609s". The attribute "subject" has its
// own column; other attributes are for programs, and the text says the same in words.
type Console struct {
	mu      *sync.Mutex
	w       io.Writer
	level   slog.Leveler
	subject string
	journal bool
}

// NewConsole returns a Console that writes records of the level and above.
func NewConsole(w io.Writer, level slog.Leveler) *Console {
	return &Console{mu: &sync.Mutex{}, w: w, level: level}
}

// ForJournal formats the lines for the systemd journal: with a priority (sd-daemon(3)), and without the time, which it
// adds.
func (c *Console) ForJournal() *Console {
	d := *c
	d.journal = true
	return &d
}

// Enabled implements slog.Handler.
func (c *Console) Enabled(_ context.Context, l slog.Level) bool { return l >= c.level.Level() }

// WithAttrs implements slog.Handler.
func (c *Console) WithAttrs(attrs []slog.Attr) slog.Handler {
	d := *c
	for _, a := range attrs {
		d.subject = subject(a, d.subject)
	}
	return &d
}

// WithGroup implements slog.Handler; a console has no groups.
func (c *Console) WithGroup(string) slog.Handler { return c }

// subjectWidth is the width of the subject column.
const subjectWidth = 14

// Handle implements slog.Handler.
func (c *Console) Handle(_ context.Context, r slog.Record) error {
	about := c.subject
	r.Attrs(func(a slog.Attr) bool {
		about = subject(a, about)
		return true
	})
	level, priority := "", "<6>"
	switch {
	case r.Level >= slog.LevelError:
		level, priority = "error: ", "<3>"
	case r.Level >= slog.LevelWarn:
		level, priority = "warning: ", "<4>"
	case r.Level < slog.LevelInfo:
		priority = "<7>"
	}
	head := r.Time.Format("15:04:05 ")
	if c.journal {
		head = priority
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for line := range strings.Lines(r.Message) {
		_, err := fmt.Fprintf(c.w, "%s%-*s %s%s\n", head, subjectWidth, about, level, strings.TrimRight(line, "\n"))
		if err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
	}
	return nil
}

// subject returns the subject of a line, if it has one.
func subject(a slog.Attr, otherwise string) string {
	if a.Key == "subject" {
		return a.Value.String()
	}
	return otherwise
}
