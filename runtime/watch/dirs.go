package watch

import (
	"fmt"
	"iter"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Dirs are the watched directories, since writers replace files, and whether the watch of each works.
type Dirs map[string]bool

// Follow watches the directories of the files, and of their symbolic links' targets, and no others. A directory that
// cannot be watched is reported once, with the polling interval, and retried at the next call; so is one that was
// replaced.
func (dirs Dirs) Follow(notify *fsnotify.Watcher, files iter.Seq[string], every time.Duration, warn func(error)) {
	want := map[string]bool{}
	for f := range files {
		want[filepath.Dir(f)] = true
		if real, err := filepath.EvalSymlinks(f); err == nil {
			want[filepath.Dir(real)] = true
		}
	}
	for d := range dirs {
		if !want[d] {
			_ = notify.Remove(d) // it may be gone already
			delete(dirs, d)
		}
	}
	for d := range want {
		watched, known := dirs[d]
		err := notify.Add(d)
		if dirs[d] = err == nil; err != nil && (watched || !known) {
			warn(fmt.Errorf("watch %s: %w; polling every %v instead", d, err, every))
		}
	}
}
