package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A keepalivedLog is a slog.Handler that writes what monitors of keepalived look for in keepalived's words, and
// everything else as "subject: text". A line is written as level, name of keepalived's process, time and text,
// separated by tabs.
type keepalivedLog struct {
	mu    *sync.Mutex
	w     io.Writer
	level slog.Level
}

func newKeepalivedLog(w io.Writer, detail bool) keepalivedLog {
	level := slog.LevelInfo
	if detail {
		level = slog.LevelDebug
	}
	return keepalivedLog{&sync.Mutex{}, w, level}
}

func (l keepalivedLog) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }
func (l keepalivedLog) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l keepalivedLog) WithGroup(string) slog.Handler                    { return l }

// Handle implements slog.Handler.
func (l keepalivedLog) Handle(_ context.Context, r slog.Record) error {
	subject := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "subject" {
			subject = a.Value.String()
		}
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	process, lines := theirWords(subject, r.Message)
	var errs []error
	for _, line := range lines {
		_, err := fmt.Fprintf(l.w, "%d\t%s\t%s\t%s\n", r.Level, process, r.Time.Format(time.ANSIC), line)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

const (
	parentProcess  = "Keepalived"
	vrrpProcess    = "Keepalived_vrrp"
	checkerProcess = "Keepalived_healthcheckers"
)

// quorumChange matches the log's text for a service that loses or regains its quorum.
var quorumChange = regexp.MustCompile(`^(\w+) (\S+):(\d+): (lost|reached): weight (\d+) of \d+ is alive, quorum (\d+)$`)

// poolChange matches the log's text for a server that comes or goes.
var poolChange = regexp.MustCompile(`(?:; removed from|; serves) (\w+) (\S+):(\d+)$`)

// theirWords returns an event in keepalived's words, and which of its processes would log it.
func theirWords(subject, text string) (process string, lines []string) {
	name, last := subject, ""
	if at := strings.LastIndexByte(subject, ' '); at >= 0 {
		name, last = subject[:at], subject[at+1:]
	}
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimRight(line, "\n"))
	}
	switch {
	case strings.HasPrefix(subject, "sync group "):
		return vrrpProcess, []string{fmt.Sprintf("VRRP_Group(%s) Syncing instances to %s state", strings.TrimPrefix(subject, "sync group "), text)}
	case last == "MASTER", last == "BACKUP", last == "FAULT":
		first := ""
		if last == "BACKUP" && strings.HasPrefix(text, "starts") {
			first = " (init)"
		}
		return vrrpProcess, []string{fmt.Sprintf("(%s) Entering %s STATE%s", name, last, first), fmt.Sprintf("(%s) %s", name, text)}
	case last == "STOP":
		return vrrpProcess, []string{fmt.Sprintf("(%s) %s", name, text)}
	case last == "priority":
		return vrrpProcess, []string{fmt.Sprintf("(%s) effective priority: %s", name, text)}
	case strings.HasPrefix(subject, "script "):
		return vrrpProcess, []string{fmt.Sprintf("VRRP_Script(%s) %s", strings.TrimPrefix(subject, "script "), strings.Replace(text, "succeeds", "succeeded", 1))}
	case subject == "reload" && text == "requested":
		return parentProcess, []string{"Reloading ..."}
	case subject == "reload" && strings.HasPrefix(text, "done in "):
		return parentProcess, []string{"Reload finished: " + text}
	case subject == "stopped":
		return parentProcess, []string{"Stopping: " + text}
	}
	if m := poolChange.FindStringSubmatch(text); m != nil {
		host, port, _ := cutPort(subject)
		verb, to := "Adding service", "to"
		if strings.Contains(text, "; removed from ") {
			verb, to = "Removing service", "from"
		}
		lines = append(lines, fmt.Sprintf("%s [%s]:%s:%s %s VS [%s]:%s:%s", verb, host, m[1], port, to, strings.Trim(m[2], "[]"), m[1], m[3]))
		return checkerProcess, lines
	}
	if m := quorumChange.FindStringSubmatch(text); m != nil && subject == "quorum" {
		verb, relation := "Gained", "<="
		if m[4] == "lost" {
			verb, relation = "Lost", ">"
		}
		return checkerProcess, []string{fmt.Sprintf("%s quorum %s %s %s for VS [%s]:%s:%s", verb, m[6], relation, m[5], strings.Trim(m[2], "[]"), m[1], m[3])}
	}
	if subject != "" {
		for i := range lines {
			lines[i] = subject + ": " + lines[i]
		}
	}
	switch subject {
	case "ipvs", "quorum", "checks":
		return checkerProcess, lines
	case "network":
		return vrrpProcess, lines
	}
	return parentProcess, lines
}

// cutPort separates an address from its port.
func cutPort(s string) (host, port string, found bool) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 {
		return s, "", false
	}
	return strings.Trim(s[:at], "[]"), s[at+1:], true
}

// sinks are the destinations of a keepalivedLog.
type sinks struct {
	plain  []io.Writer               // "Mon Nov 23 00:15:56 2026: text"
	syslog map[string]*syslog.Writer // by process
}

// openLog opens what the flags ask for. Without syslog, as in a container, nothing is sent to it.
func (d *keepalivedRun) openLog(it names) (sinks, error) {
	var s sinks
	if d.console {
		s.plain = append(s.plain, d.Stdout)
	}
	if d.logFile != "" {
		f, err := os.OpenFile(d.abs(d.logFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, os.FileMode(0o666&^d.umask))
		if err != nil {
			return s, fmt.Errorf("open the log: %w", err)
		}
		s.plain = append(s.plain, f)
	}
	if d.noSyslog {
		return s, nil
	}
	s.syslog = map[string]*syslog.Writer{}
	for _, process := range []string{parentProcess, vrrpProcess, checkerProcess} {
		if w, err := syslog.New(syslog.Priority(d.facility<<3)|syslog.LOG_INFO, it.ident(process)); err == nil {
			s.syslog[process] = w
		}
	}
	return s, nil
}

// Write implements io.Writer for one line.
func (s sinks) Write(line []byte) (int, error) {
	parts := strings.SplitN(strings.TrimRight(string(line), "\n"), "\t", 4)
	if len(parts) < 4 {
		parts = []string{"0", parentProcess, "", parts[0]} // of the Writer itself: lines were lost
	}
	var errs []error
	for _, w := range s.plain {
		_, err := fmt.Fprintf(w, "%s: %s\n", parts[2], parts[3])
		errs = append(errs, err)
	}
	if w := s.syslog[parts[1]]; w != nil {
		switch parts[0] {
		case "8":
			errs = append(errs, w.Err(parts[3]))
		case "4":
			errs = append(errs, w.Warning(parts[3]))
		case "-4":
			errs = append(errs, w.Debug(parts[3]))
		default:
			errs = append(errs, w.Info(parts[3]))
		}
	}
	return len(line), errors.Join(errs...)
}
