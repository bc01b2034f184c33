package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
	"keepc/runtime/rival"
)

// StateDir is where directors record what they made, and that they run: it must be lost with the kernel's state at a
// boot.
const StateDir = "/run/keepc"

// Journals returns the stores of the journals of this network namespace, below a directory: a file for each part of the kernel.
func Journals(dir string) func(state.Part) reconcile.Store {
	return func(part state.Part) reconcile.Store { return journalFile{dir, part} }
}

// journals returns the function that opens the journal of a part; errors of both are reported once. Without
// Options.Journal there are none.
func (o Options) journals() func(state.Part) *reconcile.Journal {
	if o.Journal == nil {
		return func(state.Part) *reconcile.Journal { return nil }
	}
	var mu sync.Mutex
	said := map[string]bool{}
	say := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		if !said[text] {
			o.Log.Warn(text, "subject", "journal")
		}
		said[text] = true
	}
	return func(part state.Part) *reconcile.Journal { return reconcile.OpenJournal(o.Journal(part), say) }
}

// A journalFile is the store of a part's journal. It is opened for each of the few writes, so that no file is held
// open that somebody may have removed.
type journalFile struct {
	dir  string
	part state.Part
}

func (f journalFile) name() (string, error) {
	space, err := kernel.Namespace()
	if err != nil {
		return "", err
	}
	return filepath.Join(f.dir, space+"."+string(f.part)), nil
}

// Load implements reconcile.Store.
func (f journalFile) Load() (_ []byte, err error) {
	defer f.blame(&err)
	name, err := f.name()
	if err != nil {
		return nil, err
	}
	f.tidy(name)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// tidy removes the journals of namespaces that had the inode of this one and no longer exist.
func (f journalFile) tidy(name string) {
	inode, _, found := strings.Cut(filepath.Base(name), "-")
	if !found {
		return
	}
	others, _ := filepath.Glob(filepath.Join(f.dir, inode+"-*."+string(f.part))) // the pattern is valid
	for _, other := range others {
		if other != name {
			_ = os.Remove(other)
		}
	}
}

// Append implements reconcile.Store.
func (f journalFile) Append(text []byte) (err error) {
	defer f.blame(&err)
	name, err := f.make()
	if err != nil {
		return err
	}
	return write(name, os.O_APPEND, text)
}

// Replace implements reconcile.Store. An empty journal has no file.
func (f journalFile) Replace(text []byte) (err error) {
	defer f.blame(&err)
	name, err := f.make()
	if err != nil {
		return err
	}
	if len(text) == 0 {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	fresh := name + ".new"
	if err := write(fresh, os.O_TRUNC, text); err != nil {
		_ = os.Remove(fresh)
		return err
	}
	return os.Rename(fresh, name)
}

// blame makes an error name the directory, because the names of its files mean nothing to people.
func (f journalFile) blame(err *error) {
	var at *fs.PathError
	if errors.As(*err, &at) {
		*err = fmt.Errorf("%s: %w", f.dir, at.Err)
	}
}

// make makes the directory.
func (f journalFile) make() (name string, err error) {
	if err := rival.MakeDir(f.dir); err != nil {
		return "", err
	}
	return f.name()
}

func write(name string, how int, text []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|how, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if failed := file.Close(); err == nil {
		err = failed
	}
	return err
}
