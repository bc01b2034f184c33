package watch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/fsnotify/fsnotify"

	"keepc/compiler/ir"
	"keepc/runtime/track"
)

// files watches the directories of track_files, since writers replace files.
type files struct {
	list   []*ir.TrackFile
	notify *fsnotify.Watcher // nil: there was nothing to watch yet, or it does not work and files are only read now and then
	dirs   Dirs
	warn   func(error)
}

func newFiles(warn func(error)) *files { return &files{dirs: Dirs{}, warn: warn} }

func (f *files) close() {
	if f.notify != nil {
		_ = f.notify.Close() // nothing was written
	}
}

// events is nil, so silent, where nothing is watched.
func (f *files) events() <-chan fsnotify.Event {
	if f.notify == nil {
		return nil
	}
	return f.notify.Events
}

func (f *files) errors() <-chan error {
	if f.notify == nil {
		return nil
	}
	return f.notify.Errors
}

// follow watches the directories of the files and no others. One that is not there is tried again whenever files are read.
func (f *files) follow(list []*ir.TrackFile) {
	f.list = list
	if f.notify == nil {
		if len(list) == 0 {
			return
		}
		notify, err := fsnotify.NewWatcher()
		if err != nil {
			f.warn(fmt.Errorf("watch track_files: %w; reading them every %v instead", err, fileInterval))
			return
		}
		f.notify = notify
	}
	f.dirs.Follow(f.notify, func(yield func(string) bool) {
		for _, t := range list {
			if !yield(t.File) {
				return
			}
		}
	}, fileInterval, f.warn)
}

func (f *files) read(tell func(track.Thing, track.Status)) {
	for _, t := range f.list {
		tell(track.OfFile(t), track.Status{Known: true, Value: value(t.File)})
	}
}

// value is the number that a file begins with; 0 where there is none, or no file. A pipe or a device is no file: reading it could take
// for ever.
func value(name string) int {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return 0
	}
	f, err := os.Open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	var text [64]byte
	n, err := io.ReadFull(f, text[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0
	}
	words := strings.Fields(string(text[:n]))
	if len(words) == 0 {
		return 0
	}
	number, err := strconv.ParseInt(words[0], 10, 32)
	if err != nil {
		return 0
	}
	return int(number)
}

// create makes the files that the configuration wants made at the start.
func create(list []*ir.TrackFile, warn func(error)) {
	for _, t := range list {
		if t.InitFile == nil {
			continue
		}
		if _, err := os.Stat(t.File); err == nil && !t.InitFile.Overwrite {
			continue
		}
		if err := os.WriteFile(t.File, fmt.Appendln(nil, t.InitFile.Value), 0o644); err != nil {
			warn(fmt.Errorf("init_file of track_file %s: %w", t.Name, err))
		}
	}
}
