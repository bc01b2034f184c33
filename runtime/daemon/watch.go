package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"keepc/runtime/watch"
)

const (
	// debounce is how long a file must be unchanged before it is read: editors write in several steps.
	debounce = 200 * time.Millisecond
	// pollInterval catches changes without events: NFS, overlay mounts, lost events.
	pollInterval = 30 * time.Second
)

// Files are the files that a configuration was read from, with the digest of what was read.
type Files map[string]Digest

// A Digest identifies a content. What cannot be read has a digest of its own, so that its return is a change, too.
type Digest [sha256.Size]byte

// NewDigest returns the digest of the result of reading a file.
func NewDigest(text []byte, err error) Digest {
	if err != nil {
		text = []byte("unreadable")
	}
	return sha256.Sum256(text)
}

// NewListing returns the digest of a directory: of the names of its files.
func NewListing(list []fs.DirEntry) Digest {
	var names strings.Builder
	for _, e := range list {
		names.WriteString(e.Name() + "\n")
	}
	return NewDigest([]byte(names.String()), nil)
}

// A watcher reports when the content of files changed. It watches their directories, since editors and ConfigMaps
// replace files instead of writing them.
type watcher struct {
	changed chan struct{} // coalesces
	files   chan Files
}

func newWatcher() *watcher {
	return &watcher{changed: make(chan struct{}, 1), files: make(chan Files, 1)}
}

// watch replaces the set of files. Only the event loop calls it.
func (w *watcher) watch(files Files) {
	select {
	case <-w.files:
	default:
	}
	w.files <- files
}

// run works until ctx ends. Without inotify (limit reached) it only polls, and passes the error to warn.
func (w *watcher) run(ctx context.Context, warn func(error)) {
	var events chan fsnotify.Event
	var errs chan error
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		warn(fmt.Errorf("watch the configuration: %w; polling every %v instead", err, pollInterval))
	} else {
		events, errs = notify.Events, notify.Errors
		defer notify.Close()
	}
	var (
		files Files
		dirs  = watch.Dirs{}
		first time.Time // event since the files were read; a busy directory must not put that off forever
	)
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case files = <-w.files:
			if notify != nil {
				dirs.Follow(notify, maps.Keys(files), pollInterval, warn)
			}
			timer.Reset(debounce) // an edit may have come between the reading and the watch
		case <-events:
			if first.IsZero() {
				first = time.Now()
			}
			if time.Since(first) < 10*debounce {
				timer.Reset(debounce)
			}
		case err := <-errs:
			warn(fmt.Errorf("watch the configuration: %w", err)) // an overflow: look at the files themselves
			timer.Reset(debounce)
		case <-timer.C:
			first = time.Time{}
			timer.Reset(pollInterval)
			if notify != nil {
				dirs.Follow(notify, maps.Keys(files), pollInterval, warn) // a directory that was replaced needs a new watch
			}
			if files.look() {
				select {
				case w.changed <- struct{}{}:
				default:
				}
			}
		}
	}
}

// look reads the files again and reports whether one of them changed; each change is reported once.
func (f Files) look() bool {
	changed := false
	for name, known := range f {
		if now := digest(name); now != known {
			f[name], changed = now, true
		}
	}
	return changed
}

// digest reads a file, or lists a directory. Anything else, a device or a named pipe, may have no end.
func digest(name string) Digest {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return NewDigest(nil, errNotRegular)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		if list, failed := os.ReadDir(name); failed == nil {
			return NewListing(list)
		}
	}
	return NewDigest(text, err)
}

var errNotRegular = errors.New("is not a regular file")
