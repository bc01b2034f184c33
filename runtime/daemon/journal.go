package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
)

// JournalDir is where directors remember what they made: it has to be lost with the kernel's state, at a boot.
const JournalDir = "/run/keepc"

// Journals returns the stores of the journals of this network namespace, below a directory: a file for each part of the kernel.
func Journals(dir string) func(state.Part) reconcile.Store {
	return func(part state.Part) reconcile.Store { return journalFile{dir, part} }
}

// journal opens the journal of a part; nil: there is none.
func (o Options) journal(part state.Part) *reconcile.Journal {
	if o.Journal == nil {
		return nil
	}
	return reconcile.OpenJournal(o.Journal(part), func(text string) { o.Log.Warn(text, "subject", "journal") })
}

// A journalFile is the store of a part's journal. It is opened for each write, which are few, so that nothing is held that somebody may
// have removed.
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
func (f journalFile) Load() ([]byte, error) {
	name, err := f.name()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// Append implements reconcile.Store.
func (f journalFile) Append(text []byte) error {
	name, err := f.make()
	if err != nil {
		return err
	}
	return write(name, os.O_APPEND, text)
}

// Replace implements reconcile.Store. An empty journal is no file.
func (f journalFile) Replace(text []byte) error {
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

// make makes the directory.
func (f journalFile) make() (name string, err error) {
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
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
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
