package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"runtime/debug"

	"github.com/spf13/cobra"

	"keepc/compiler/schema"
	"keepc/grammar"
)

// The verbs that judge a file may be given one from somebody else, by a job that has secrets: they read it, what it
// includes and what .keepc.conf names only below the working directory, the directory of the file or --root, and do
// not read the environment. The verbs that act on this host read as keepalived does: whoever can write its files is
// root already.

// The flags that let the verbs that judge read as keepalived does.
const (
	allowOutside = "allow-outside"
	allowEnv     = "allow-env"
)

// bounded is the paragraph about this in the help of verbs.
const bounded = "Files are read below the working directory and the file's directory, or below --root, and nowhere else unless --" + allowOutside + "."

// unbounded is the paragraph for the other verbs.
const unbounded = "Files and the environment are read as keepalived reads them, wherever they are."

// onHost marks a verb that acts on this host.
func onHost(notes map[string]string) map[string]string {
	if notes == nil {
		notes = map[string]string{}
	}
	notes["reach"] = "host"
	return notes
}

func reachesHost(c *cobra.Command) bool { return c.Annotations["reach"] == "host" }

// tellReach hides the flags about what is read from the help of verbs that read as keepalived does.
func tellReach(c *cobra.Command) {
	for _, name := range []string{allowOutside, allowEnv} {
		if f := c.Flag(name); f != nil {
			f.Hidden = reachesHost(c)
		}
	}
}

// files returns where configurations are read from.
func (a *App) files() grammar.Files {
	f := grammar.Files{Root: a.FS, Dir: a.Dir}
	if a.root != "" {
		f.Below = a.abs(a.root)
	}
	if a.outside {
		return f
	}
	f.Within = []string{}
	if a.root != "" {
		return f.With(f.Below)
	}
	return f.With(path.Join("/", a.Dir))
}

// loading returns how a file is read for the director with an id, which is one of the ids; nil: those are unknown. The
// version is that of the keepalived that reads it; empty: any.
func (a *App) loading(files grammar.Files, id string, ids []string, version string) grammar.Options {
	o := grammar.Options{Files: files, ID: id, IDs: ids, Version: version, Nests: schema.Nests()}
	if a.env {
		o.Env = a.Env
	}
	return o
}

// maxFile is the size above which a file is not a configuration.
const maxFile = 128 << 20

// read returns the text of a configuration that the user names; "-" is standard input.
func (a *App) read(name string) ([]byte, error) {
	if name == "-" {
		return a.readAny(name)
	}
	return a.readFrom(a.files().With(path.Dir(a.abs(name))), name, a.outside)
}

// readFrom returns the text of a file if it may be read. pipes: it need not be a regular file.
func (a *App) readFrom(files grammar.Files, name string, pipes bool) ([]byte, error) {
	return a.readBy(files, files.Open, name, pipes)
}

// readBy is readFrom with a function that opens the file.
func (a *App) readBy(files grammar.Files, opens func(string) (fs.File, error), name string, pipes bool) ([]byte, error) {
	at, err := files.Locate(a.abs(name))
	switch {
	case errors.Is(err, grammar.ErrOutside):
		return nil, fmt.Errorf("%s: is not read: it leads out of %s; --%s reads it", name, files.Bounds(), allowOutside)
	case err != nil:
		return nil, fileError(name, err)
	}
	info, err := fs.Stat(a.FS, at)
	switch {
	case err != nil:
		return nil, fileError(name, err)
	case info.IsDir():
		return nil, fmt.Errorf("%s: is a directory, not a file", name)
	case !info.Mode().IsRegular() && !pipes: // to open one may take forever
		return nil, fmt.Errorf("%s: is not a regular file (\"-\" is standard input)", name)
	}
	return open(name, at, opens, pipes)
}

// readAny returns the text of a file that is not a configuration, wherever it is; "-" is standard input.
func (a *App) readAny(name string) ([]byte, error) {
	if name == "-" {
		return text(name, a.Stdin, 0)
	}
	return open(name, inFS(a.abs(name)), a.FS.Open, true)
}

// smallFile is the size up to which memoryLimit is enough; a larger file may need a number of bytes for each of its
// own.
const (
	smallFile     = 10 << 20
	memoryForByte = 48
)

// open returns the text of the file with a name in a file tree, opened by a function. pipes: it need not be a regular
// file.
func open(name, at string, opens func(string) (fs.File, error), pipes bool) ([]byte, error) {
	f, err := opens(at)
	if err != nil {
		return nil, fileError(name, err)
	}
	defer f.Close()
	size := int64(0)
	if info, err := f.Stat(); err == nil {
		switch {
		case info.IsDir():
			return nil, fmt.Errorf("%s: is a directory, not a file", name)
		case !info.Mode().IsRegular() && !pipes: // it was one when it was examined
			return nil, fmt.Errorf("%s: is not a regular file", name)
		}
		size = min(info.Size(), maxFile)
	}
	return text(name, f, size)
}

// text reads a whole text, which is expected to have a size.
func text(name string, in io.Reader, size int64) ([]byte, error) {
	if limit := memoryForByte * size; size > smallFile && limit > debug.SetMemoryLimit(-1) { // not below what another file needs
		debug.SetMemoryLimit(limit)
	}
	if debug.SetMemoryLimit(-1) < math.MaxInt64 { // a director reads beside its work, and has no limit
		reserve(size)
	}
	all := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	if _, err := all.ReadFrom(io.LimitReader(in, maxFile+1)); err != nil {
		return nil, fileError(name, err)
	}
	if all.Len() > maxFile {
		return nil, fmt.Errorf("%s: larger than %d MB", name, maxFile>>20)
	}
	return all.Bytes(), nil
}
