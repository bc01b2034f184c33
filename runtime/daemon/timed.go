package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"keepc/compiler/ir"
)

// A timetable is the file of reload_time_file, which has the time of the next reload. It knows no clock and no files.
type timetable struct {
	text string    // of the file when it was last read; empty: there is none
	at   time.Time // of the reload; zero: none is due
}

// look takes the text of the file, empty if there is none, and returns what that changed, if anything. An entry is
// read only once.
func (t *timetable) look(now time.Time, text string) (says string) {
	if text == t.text {
		return ""
	}
	before := t.at
	t.text, t.at = text, time.Time{}
	if text == "" {
		if !before.IsZero() {
			return "cancelled: the file is gone"
		}
		return ""
	}
	line, _, _ := strings.Cut(text, "\n")
	at, err := reloadTime(now, line)
	switch {
	case err != nil:
		return err.Error()
	case !at.After(now):
		return line + " is in the past; ignored"
	}
	t.at = at
	return "at " + at.Format(time.DateTime)
}

// due reports whether the time has come. With again, a time without a date also comes the next day.
func (t *timetable) due(now time.Time, again bool) bool {
	if t.at.IsZero() || now.Before(t.at) {
		return false
	}
	line, _, _ := strings.Cut(t.text, "\n")
	t.at = time.Time{}
	if next, err := reloadTime(now, line); again && err == nil && next.After(now) {
		t.at = next
	}
	return true
}

// reloadTime reads an entry: HH:MM:SS, which is the next such time, YY-MM-DD HH:MM:SS or YYYY-MM-DD HH:MM:SS; followed
// by Z in UTC, otherwise in the zone of now.
func reloadTime(now time.Time, line string) (time.Time, error) {
	zone := now.Location()
	text, utc := strings.CutSuffix(line, "Z")
	if utc {
		zone = time.UTC
	}
	for _, layout := range []string{"06-01-02 15:04:05", "2006-01-02 15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil && len(text) == len(layout) {
			return at, nil
		}
	}
	at, err := time.ParseInLocation("15:04:05", text, zone)
	if err != nil || len(text) != len("15:04:05") {
		return time.Time{}, fmt.Errorf("%q is neither HH:MM:SS nor YYYY-MM-DD HH:MM:SS; ignored", line)
	}
	today := now.In(zone)
	at = time.Date(today.Year(), today.Month(), today.Day(), at.Hour(), at.Minute(), at.Second(), 0, zone)
	if !at.After(now) {
		at = at.AddDate(0, 0, 1)
	}
	return at, nil
}

// maxTimetable is larger than the first line of any reload_time_file.
const maxTimetable = 256

// keepTime reads the reload_time_file of the configuration in force once a second, and requests the reload when its
// time has come. The file is then removed, unless reload_repeat says otherwise.
func (d *director) keepTime(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var table timetable
	var file string
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return
		case now = <-tick.C:
		}
		g := d.timing.Load()
		if g.ReloadTimeFile != file {
			table, file = timetable{}, g.ReloadTimeFile
		}
		if file == "" {
			continue
		}
		text, err := head(file)
		if err != nil {
			text = ""
		}
		if says := table.look(now, text); says != "" {
			d.Log.Info("reload_time_file "+file+": "+says, "subject", "reload")
		}
		if !table.due(now, g.ReloadRepeat) {
			continue
		}
		if !g.ReloadRepeat {
			if err := os.Remove(file); err != nil {
				d.Log.Warn(fmt.Sprintf("reload_time_file: %v", err), "subject", "reload")
			}
		}
		select {
		case d.timed <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

// head returns the beginning of a regular file.
func head(name string) (string, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not wait for a writer
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fs.ErrInvalid)
	}
	b := make([]byte, maxTimetable)
	n, _ := f.Read(b) // an empty file says nothing
	return string(b[:n]), nil
}

// mark makes the reload_file of a configuration, empty, and returns the function that removes it: while it exists
// files are being read. A link is not followed, and what is not a regular file is not touched.
func (o *Options) mark(cfg *ir.Config) (unmark func()) {
	if cfg == nil || cfg.Global.ReloadFile == nil {
		return func() {}
	}
	name := *cfg.Global.ReloadFile
	if name == "" {
		name = "/run/keepalived.reload"
		if cfg.UsePIDDir || cfg.Instance != "" || cfg.NetNamespace != "" {
			name = "/run/keepalived/keepalived.reload"
		}
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o644)
	if err == nil {
		err = errors.Join(f.Truncate(0), f.Close()) // the kernel refuses to truncate what is not a file
	}
	if err != nil {
		o.Log.Warn(fmt.Sprintf("reload_file: %v", err), "subject", "reload")
		return func() {}
	}
	return func() {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			o.Log.Warn(fmt.Sprintf("reload_file: %v", err), "subject", "reload")
		}
	}
}
