package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"keepc/runtime/balance"
	"keepc/runtime/router"
)

// notes carry what a loop has to tell to the log. A note is a value: its words are found by a goroutine of its own, so that a loop
// neither formats text nor waits for who writes it. What comes while too much is waiting is lost, and counted.
type notes struct {
	log   *slog.Logger
	queue chan note
	lost  atomic.Uint64
	done  chan struct{}
}

// A note is an effect of a machine, or what a loop has seen itself, with its time.
type note struct {
	at   time.Time
	what any
}

// notesWaiting is how many notes have room: many instances may change their role at once.
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
			n.write(x.at, slog.LevelWarn, "log", fmt.Sprintf("%d notes are lost: the log was too slow", lost-told))
			told = lost
		}
		level, subject, text := words(x.what)
		n.write(x.at, level, subject, text)
	}
}

// write logs with the time of what happened.
func (n *notes) write(at time.Time, level slog.Level, subject, text string) {
	ctx := context.Background()
	if h := n.log.Handler(); h.Enabled(ctx, level) {
		r := slog.NewRecord(at, level, text, 0)
		r.AddAttrs(slog.String("subject", subject))
		_ = h.Handle(ctx, r) // a log that cannot be written has nobody to tell
	}
}

// close waits until all is told, but not longer than until the limit.
func (n *notes) close(limit <-chan time.Time) {
	close(n.queue)
	select {
	case <-n.done:
	case <-limit:
	}
}

// A sendChanged tells that advertisements of a sender begin to fail, or leave again.
type sendChanged struct {
	sender
	err error // nil: they leave again
}

// words are how a note reads in the log: its level, what it is about, and the text.
func words(what any) (level slog.Level, subject, text string) {
	switch e := what.(type) {
	case router.RoleChanged:
		return slog.LevelInfo, e.Name + " " + e.Role, e.Reason.String()
	case router.GroupChanged:
		return slog.LevelInfo, "sync group " + e.Name, e.Role
	case router.PriorityChanged:
		return slog.LevelInfo, e.Name + " priority", e.Text()
	case router.Remark:
		return noteLevel(e.Fine()), e.Subject(), e.Text()
	case balance.Note:
		return noteLevel(e.Fine), e.Subject, e.Text
	case balance.ServerChanged:
		return slog.LevelInfo, e.Server.Server.String(), serverText(e)
	case balance.WeightChanged:
		return slog.LevelInfo, e.Server.Server.String(), e.Text() + "; of " + e.Server.Service.String()
	case balance.QuorumChanged:
		return slog.LevelWarn, "quorum", quorumText(e)
	case sendChanged:
		if e.err != nil {
			return slog.LevelError, e.iface, fmt.Sprintf("send an advertisement from %s: %v", e.src, e.err)
		}
		return slog.LevelInfo, e.iface, "advertisements leave again"
	}
	return slog.LevelInfo, "", fmt.Sprint(what)
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
