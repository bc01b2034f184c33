package daemon

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"keepc/compiler/ir"
)

// TestTimetable reads what a reload_time_file may have according to the manual, and what it may not.
func TestTimetable(t *testing.T) {
	zone := time.FixedZone("east", 3600)
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, zone)
	for _, c := range []struct{ text, says, at string }{
		{"13:00:00\n", "at 2026-11-29 13:00:00", "2026-11-29T13:00:00+01:00"},
		{"11:00:00", "at 2026-11-30 11:00:00", "2026-11-30T11:00:00+01:00"},
		{"11:30:00Z\nmore", "at 2026-11-29 11:30:00", "2026-11-29T11:30:00Z"},
		{"26-12-01 00:00:00", "at 2026-12-01 00:00:00", "2026-12-01T00:00:00+01:00"},
		{"2026-12-01 00:00:00Z", "at 2026-12-01 00:00:00", "2026-12-01T00:00:00Z"},
		{"2026-11-01 00:00:00", "2026-11-01 00:00:00 is in the past; ignored", ""},
		{" 13:00:00", `" 13:00:00" is neither HH:MM:SS nor YYYY-MM-DD HH:MM:SS; ignored`, ""},
		{"13:00", `"13:00" is neither HH:MM:SS nor YYYY-MM-DD HH:MM:SS; ignored`, ""},
	} {
		var table timetable
		says := table.look(now, c.text)
		at := ""
		if !table.at.IsZero() {
			at = table.at.Format(time.RFC3339)
		}
		if says != c.says || at != c.at {
			t.Errorf("%q: %q at %s, want %q at %s", c.text, says, at, c.says, c.at)
		}
		if again := table.look(now, c.text); again != "" {
			t.Errorf("%q is told twice: %s", c.text, again)
		}
	}
	var table timetable
	table.look(now, "13:00:00")
	if table.due(now.Add(59*time.Minute), true) || !table.due(now.Add(time.Hour), true) || table.due(now.Add(2*time.Hour), true) || !table.due(now.Add(25*time.Hour), false) {
		t.Error("with reload_repeat it is due once a day")
	}
	if table.due(now.Add(49*time.Hour), false) {
		t.Error("without reload_repeat it is due again")
	}
	table.look(now, "14:00:00")
	if says := table.look(now, ""); says != "cancelled: the file is gone" || !table.at.IsZero() {
		t.Errorf("a file that goes: %q", says)
	}
}

// TestReloadFile checks that the file exists, empty, while files are read.
func TestReloadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "reload")
	if err := os.WriteFile(name, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	cfg := &ir.Config{}
	cfg.Global.ReloadFile = &name
	unmark := o.mark(cfg)
	if text, err := os.ReadFile(name); err != nil || len(text) > 0 {
		t.Errorf("while files are read: %q, %v", text, err)
	}
	unmark()
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("afterwards: %v", err)
	}
}

// TestReloadFileOfOthers checks that the target of a link, and a pipe, are not touched.
func TestReloadFileOfOthers(t *testing.T) {
	dir := t.TempDir()
	theirs, link, pipe := filepath.Join(dir, "theirs"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(theirs, []byte("theirs"), 0o600), os.Symlink(theirs, link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	o := Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for _, name := range []string{link, pipe} {
		cfg := &ir.Config{}
		cfg.Global.ReloadFile = &name
		o.mark(cfg)()
		if _, err := os.Lstat(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text, err := head(pipe); err == nil {
			t.Errorf("a pipe has the text %q", text)
		}
	}
	if text, err := os.ReadFile(theirs); err != nil || string(text) != "theirs" {
		t.Errorf("%q, %v", text, err)
	}
}
