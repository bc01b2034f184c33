package main

import (
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// A rooted is the interface of a machine's file tree.
type rooted interface {
	fs.StatFS
	fs.ReadFileFS
	fs.ReadDirFS
	fs.ReadLinkFS
}

// A hostFS is the file tree of this machine.
type hostFS struct{ rooted }

// hostFiles returns the file tree of this machine.
func hostFiles() fs.FS {
	tree := os.DirFS("/")
	if all, ok := tree.(rooted); ok {
		return hostFS{all}
	}
	return tree
}

// OpenExact implements grammar.ExactFS: it opens one directory after the other without following links, and does not
// wait for pipes.
func (hostFS) OpenExact(name string) (fs.File, error) {
	failed := func(err error) (fs.File, error) { return nil, &fs.PathError{Op: "open", Path: "/" + name, Err: err} }
	if !fs.ValidPath(name) {
		return failed(fs.ErrInvalid)
	}
	const flags = unix.O_CLOEXEC | unix.O_NOFOLLOW
	dir, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = unix.Close(dir) }() // there is nothing to write to a path
	parent, last := path.Split(name)
	for part := range strings.SplitSeq(strings.Trim(parent, "/"), "/") {
		if part == "" {
			continue
		}
		next, err := unix.Openat(dir, part, unix.O_PATH|unix.O_DIRECTORY|flags, 0)
		if err != nil {
			return failed(err)
		}
		_ = unix.Close(dir)
		dir = next
	}
	fd, err := unix.Openat(dir, last, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|flags, 0)
	if err != nil {
		return failed(err)
	}
	return os.NewFile(uintptr(fd), "/"+name), nil
}
