package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"keepc/runtime/status"
)

// TestManager checks that the service manager sees each event, and that its watchdog is fed as long as the loops
// answer.
func TestManager(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := make(chan string)
	m := manager{watchdog: 30 * time.Millisecond, tell: func(state string) error {
		select {
		case told <- state:
		case <-ctx.Done():
		}
		return nil
	}}
	events := make(chan status.Event, 1)
	ended := make(chan error, 1)
	dies := make(chan struct{})
	go func() {
		ended <- m.run(ctx, events, func(context.Context) error {
			select {
			case <-dies:
				return errors.New("it hangs")
			default:
				return nil
			}
		})
	}()
	if got := <-told; got != "WATCHDOG=1" {
		t.Errorf("told %q", got)
	}
	close(dies)
	events <- status.Event{Subject: "VI_1 MASTER", Text: "no advert for 3.6s\nand more"}
	for got := range told {
		if got == "WATCHDOG=1" {
			continue // it was on the way
		}
		if got != "STATUS=VI_1 MASTER: no advert for 3.6s" {
			t.Errorf("told %q", got)
		}
		break
	}
	select {
	case got := <-told:
		t.Errorf("a loop hangs, and told %q", got)
	case <-time.After(5 * m.watchdog):
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestHistory checks that the last events are remembered, with their fields, whatever the log shows.
func TestHistory(t *testing.T) {
	var out bytes.Buffer
	h := newHistory(NewConsole(&out, slog.LevelWarn))
	log := slog.New(h)
	events, end := h.follow()
	log.Info("no advert for 3.6s", "subject", "VI_1 MASTER", "role", "MASTER")
	log.Debug("added", "subject", "kernel")
	log.Warn("down: connection refused", "subject", "10.0.0.7:80")
	if got := h.last(); len(got) != 2 || got[0].Subject != "VI_1 MASTER" || got[0].Fields["role"] != "MASTER" || got[1].Level != "WARN" {
		t.Errorf("remembered %+v", got)
	}
	if e := <-events; e.Text != "no advert for 3.6s" {
		t.Errorf("followed %+v", e)
	}
	end()
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "10.0.0.7:80    warning: down: connection refused\n") {
		t.Errorf("the log: %q", got)
	}
	for range 2 * historyLength {
		log.Info("again")
	}
	if n := len(h.last()); n > historyLength || n < historyLength/2 {
		t.Errorf("%d are remembered", n)
	}
}

// TestJournal checks that lines for the journal have a priority, and no time, which the journal adds.
func TestJournal(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(NewConsole(&out, slog.LevelDebug).ForJournal())
	for _, say := range []func(string, ...any){log.Debug, log.Info, log.Warn, log.Error} {
		say("one\ntwo", "subject", "VI_1", "role", "MASTER")
	}
	const want = "<7>VI_1           one\n<7>VI_1           two\n<6>VI_1           one\n<6>VI_1           two\n" +
		"<4>VI_1           warning: one\n<4>VI_1           warning: two\n<3>VI_1           error: one\n<3>VI_1           error: two\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
