package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"keepc/runtime/dumps"
	"keepc/runtime/status"
)

// A dumper writes the files that signals request from keepalived.
type dumper struct {
	names
	dir      string // of all files but those for which the names have one
	mode     os.FileMode
	snapshot func(context.Context) (status.Snapshot, error)
	say      func(string, ...any)
	since    dumps.Baseline
}

// run handles signals until ctx ends. conf: the configuration is logged first.
func (w *dumper) run(ctx context.Context, asked <-chan os.Signal, conf bool) {
	if conf {
		if s, err := w.snapshot(ctx); err == nil {
			for line := range bytes.Lines(dumps.Data(s)) {
				w.say("%s", strings.TrimRight(string(line), "\n"))
			}
		}
	}
	for {
		select {
		case sig := <-asked:
			if err := w.write(ctx, sig); err != nil {
				w.say("dump: %v", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (w *dumper) write(ctx context.Context, sig os.Signal) error {
	s, err := w.snapshot(ctx)
	if err != nil {
		return err
	}
	pid := os.Getpid()
	switch sig {
	case syscall.SIGUSR1:
		w.say("Printing parent data for process(%d) on signal", pid)
		if err := w.replace(w.of("_parent"), dumps.Parent(s)); err != nil {
			return err
		}
		w.say("Printing VRRP data for process(%d) on signal", pid)
		if err := w.replace(w.of(""), dumps.Data(s)); err != nil || len(s.Config.VirtualServers) == 0 {
			return err
		}
		w.say("Printing checker data for process(%d) on signal", pid)
		return w.replace(w.of("_check"), dumps.Checkers(s))
	case syscall.SIGUSR2:
		w.say("Printing VRRP stats for process(%d) on signal", pid)
		return w.replace(filepath.Join(w.dir, "keepalived.stats"), dumps.Stats(s, w.since))
	case syscall.Signal(63):
		w.say("Printing and clearing VRRP stats for process(%d) on signal", pid)
		err := w.replace(filepath.Join(w.dir, "keepalived.stats"), dumps.Stats(s, w.since))
		w.since = dumps.Clear(s)
		return err
	}
	w.say("Printing VRRP as json for process(%d) on signal", pid)
	text, err := dumps.JSON(s, w.since)
	if err != nil {
		return err
	}
	return w.replace(filepath.Join(w.dir, "keepalived.json"), text)
}

// of returns the data file of a process.
func (w *dumper) of(process string) string {
	return filepath.Join(cmp.Or(w.dataDir, w.dir), w.data(process))
}

// replace replaces a file atomically. A link with that name, which others could have made, is replaced and not
// followed.
func (w *dumper) replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it has been renamed, or is useless
	_, err = f.Write(text)
	if failed := f.Chmod(w.mode); err == nil {
		err = failed
	}
	if failed := f.Close(); err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
