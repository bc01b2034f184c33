package watch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/fsnotify/fsnotify"

	"keepc/compiler/ir"
	"keepc/runtime/shortage"
	"keepc/runtime/track"
)

// files watches the directories of track_files, since writers replace files.
type files struct {
	list   []*ir.TrackFile
	notify *fsnotify.Watcher // nil: there was nothing to watch yet, or watching does not work and files are only polled
	dirs   Dirs
	odd    map[string]string // why files were not read last time, by the name of the track_file
	warn   func(error)
}

func newFiles(warn func(error)) *files { return &files{dirs: Dirs{}, warn: warn} }

func (f *files) close() {
	if f.notify != nil {
		_ = f.notify.Close() // nothing was written
	}
}

// events is nil, so it never receives, if nothing is watched
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

// follow watches the directories of the files and no others. A directory that does not exist is retried whenever files
// are read.
func (f *files) follow(list []*ir.TrackFile) {
	f.list = list
	if f.notify == nil {
		if len(list) == 0 {
			return
		}
		notify, err := fsnotify.NewWatcher()
		if err != nil {
			f.warn(fmt.Errorf("watch track_files: %w; polling every %v instead", err, fileInterval))
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

// read reports the number of each file. A file whose number is unknown because of what this machine lacks keeps the
// last one.
func (f *files) read(tell func(track.Thing, track.Status)) {
	odd := map[string]string{}
	for _, t := range f.list {
		number, err := value(t.File)
		short := shortage.Is(err)
		if err != nil {
			odd[t.Name] = err.Error()
		}
		switch before := f.odd[t.Name]; {
		case odd[t.Name] == before:
		case err == nil:
			f.warn(fmt.Errorf("track_file %s is readable again: %d", t.Name, number))
		case short:
			f.warn(fmt.Errorf("track_file %s is not read: %w; its last number counts", t.Name, err))
		default:
			f.warn(fmt.Errorf("track_file %s is not read: %w; it counts as 0", t.Name, err))
		}
		if !short {
			tell(track.OfFile(t), track.Status{Known: true, Value: number})
		}
	}
	f.odd = odd
}

var errNotRegular = errors.New("is not a regular file")

// value returns the number that a file begins with; 0 if there is none, or no file. It returns an error for what
// exists and cannot be read, or is not a regular file: reading a pipe or a device could take forever.
func value(name string) (int, error) {
	f, err := open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var text [64]byte
	n, err := io.ReadFull(f, text[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return 0, err
	}
	words := strings.Fields(string(text[:n]))
	if len(words) == 0 {
		return 0, nil
	}
	number, err := strconv.ParseInt(words[0], 10, 32)
	if err != nil {
		return 0, nil
	}
	return int(number), nil
}

// create makes the files that the configuration wants to be created at the start.
func create(list []*ir.TrackFile, umask ir.Umask, warn func(error)) {
	for _, t := range list {
		if t.InitFile == nil {
			continue
		}
		if info, err := os.Stat(t.File); err == nil && info.Mode().IsRegular() && !t.InitFile.Overwrite {
			continue
		}
		if err := replace(t.File, fmt.Appendln(nil, t.InitFile.Value), 0o666&^fs.FileMode(umask)); err != nil {
			warn(fmt.Errorf("%s: init_file of track_file %s: %w", t.At("init_file"), t.Name, err))
		}
	}
}
