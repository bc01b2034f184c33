package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/bfd"
	"keepc/runtime/router"
	"keepc/runtime/vrrp"
)

// notes carries what a loop has to report to the log. A note is a value: its text is made on another goroutine, so
// that a loop neither formats text nor waits for a writer. Notes that find too many waiting are lost and counted.
type notes struct {
	log   *slog.Logger
	queue chan note
	lost  atomic.Uint64
	done  chan struct{}
}

// A note is an effect of a machine, or an event of the loop itself, with its time.
type note struct {
	at   time.Time
	what any
}

// notesWaiting is the number of notes that can wait: many instances may change their role at once.
const notesWaiting = 4096

func newNotes(log *slog.Logger) *notes {
	n := &notes{log: log, queue: make(chan note, notesWaiting), done: make(chan struct{})}
	go n.run()
	return n
}

// tell never blocks. It must not be called after close.
func (n *notes) tell(at time.Time, what any) {
	select {
	case n.queue <- note{at, what}:
	default:
		n.lost.Add(1)
	}
}

func (n *notes) run() {
	defer close(n.done)
	told := uint64(0)
	for x := range n.queue {
		if lost := n.lost.Load(); lost > told {
			n.write(x.at, slog.LevelWarn, "log", fmt.Sprintf("%d log lines lost: the log was too slow", lost-told))
			told = lost
		}
		l := words(x.what)
		n.write(x.at, l.level, l.subject, l.text, l.fields...)
	}
}

// write logs with the time of what happened.
func (n *notes) write(at time.Time, level slog.Level, subject, text string, fields ...slog.Attr) {
	ctx := context.Background()
	if h := n.log.Handler(); h.Enabled(ctx, level) {
		r := slog.NewRecord(at, level, text, 0)
		r.AddAttrs(slog.String("subject", subject))
		r.AddAttrs(fields...)
		_ = h.Handle(ctx, r) // a log that cannot be written cannot report that
	}
}

// close waits until everything is logged, up to the limit.
func (n *notes) close(limit <-chan time.Time) {
	close(n.queue)
	select {
	case <-n.done:
	case <-limit:
	}
}

// A sendChanged says that advertisements of a sender begin to fail, or are sent again.
type sendChanged struct {
	sender
	err error // nil: they are sent again
}

// A line is the form of a note in the log. The fields are for programs and do not change: instance, role, priority,
// reason, group, server, service, weight, interface, session, state.
type line struct {
	level   slog.Level
	subject string // what the line is about
	text    string
	fields  []slog.Attr
}

func words(what any) line {
	switch e := what.(type) {
	case router.RoleChanged:
		return line{roleLevel(e), e.Name + " " + e.Role, e.Reason.String(), []slog.Attr{
			slog.String("instance", e.Name), slog.String("role", e.Role), slog.Int("priority", int(e.Priority)), slog.String("reason", e.Reason.String())}}
	case router.GroupChanged:
		return line{slog.LevelInfo, "sync group " + e.Name, e.Role, []slog.Attr{slog.String("group", e.Name), slog.String("role", e.Role)}}
	case router.PriorityChanged:
		return line{slog.LevelInfo, e.Name + " priority", e.Text(), []slog.Attr{
			slog.String("instance", e.Name), slog.Int("from", int(e.From)), slog.Int("to", int(e.To)), slog.String("reason", e.Sum.String())}}
	case router.Remark:
		return line{noteLevel(e.Fine()), e.Subject(), e.Text(), nil}
	case balance.Note:
		return line{noteLevel(e.Fine), e.Subject, e.Text, nil}
	case balance.ServerChanged:
		return line{noteLevel(e.Up), e.Server.Server.String(), serverText(e), append(serverFields(e.Server), slog.Bool("up", e.Up), slog.String("reason", e.Reason))}
	case balance.WeightChanged:
		return line{slog.LevelInfo, e.Server.Server.String(), e.Text() + "; of " + e.Server.Service.String(), append(serverFields(e.Server), slog.Int("weight", e.Weight))}
	case balance.QuorumChanged:
		return line{slog.LevelWarn, "quorum", quorumText(e), []slog.Attr{
			slog.String("service", e.Service.String()), slog.Bool("lost", e.Lost), slog.String("reason", e.Reason)}}
	case balance.AnnouncementChanged:
		return line{noteLevel(e.Stage != state.Withdrawn), e.Name + " " + e.Addr.String(), e.Stage.String() + ": " + e.Reason, []slog.Attr{
			slog.String("announcement", e.Name), slog.String("address", e.Addr.String()), slog.String("stage", e.Stage.String()), slog.String("reason", e.Reason)}}
	case bfd.StateChanged:
		return line{noteLevel(e.To != bfd.Down || e.From == bfd.Init), "bfd " + e.Session.Name, e.Text(), []slog.Attr{
			slog.String("session", e.Session.Name), slog.String("state", e.To.String()), slog.String("reason", e.Diagnostic.String())}}
	case sessionsFail:
		return line{noteLevel(e.err == nil), e.what, e.text(), nil}
	case sendChanged:
		on := []slog.Attr{slog.String("interface", e.iface)}
		if e.err != nil {
			return line{slog.LevelError, e.iface, fmt.Sprintf("send an advertisement from %s: %v", e.src, e.err), on}
		}
		return line{slog.LevelInfo, e.iface, "advertisements are sent again", on}
	}
	return line{slog.LevelInfo, "", fmt.Sprint(what), nil}
}

// roleLevel warns about an instance that can no longer serve.
func roleLevel(e router.RoleChanged) slog.Level { return noteLevel(e.Role != vrrp.Faulty.String()) }

func serverFields(k state.DestinationKey) []slog.Attr {
	return []slog.Attr{slog.String("server", k.Server.String()), slog.String("service", k.Service.String())}
}

func noteLevel(fine bool) slog.Level {
	if fine {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

func serverText(e balance.ServerChanged) string {
	if e.Up {
		return "up: " + e.Reason + "; serves " + e.Server.Service.String()
	}
	return "down: " + e.Reason + "; removed from " + e.Server.Service.String()
}

func quorumText(e balance.QuorumChanged) string {
	if e.Lost {
		return e.Service.String() + ": lost: " + e.Reason
	}
	return e.Service.String() + ": reached: " + e.Reason
}
