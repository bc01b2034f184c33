package main

import (
	"bytes"
	"io/fs"
	"path"
	"time"

	"keepc/grammar"
)

// An overlay is a file tree in which some files have a different text.
type overlay struct {
	fs.FS
	texts map[string][]byte
}

func (o overlay) Open(name string) (fs.File, error) {
	text, ok := o.texts[name]
	if !ok {
		return o.FS.Open(name)
	}
	return memoryFile{bytes.NewReader(text), path.Base(name), 0o644}, nil
}

// OpenExact implements grammar.ExactFS.
func (o overlay) OpenExact(name string) (fs.File, error) {
	exact, ok := o.FS.(grammar.ExactFS)
	if _, ours := o.texts[name]; ours || !ok {
		return o.Open(name)
	}
	return exact.OpenExact(name)
}

// Stat implements fs.StatFS: a named pipe that is opened would wait for a writer forever.
func (o overlay) Stat(name string) (fs.FileInfo, error) {
	if text, ok := o.texts[name]; ok {
		return memoryFile{bytes.NewReader(text), path.Base(name), 0o644}, nil
	}
	return fs.Stat(o.FS, name)
}

// Lstat implements fs.ReadLinkFS.
func (o overlay) Lstat(name string) (fs.FileInfo, error) {
	if _, ok := o.texts[name]; ok {
		return o.Stat(name)
	}
	return fs.Lstat(o.FS, name)
}

// ReadLink implements fs.ReadLinkFS.
func (o overlay) ReadLink(name string) (string, error) { return fs.ReadLink(o.FS, name) }

// ReadDir implements fs.ReadDirFS. An overlay adds no files.
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(o.FS, name) }

// A memoryFile is a file in memory.
type memoryFile struct {
	*bytes.Reader
	name string
	mode fs.FileMode
}

func (f memoryFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f memoryFile) Close() error               { return nil }
func (f memoryFile) Name() string               { return f.name }
func (f memoryFile) Mode() fs.FileMode          { return f.mode }
func (f memoryFile) ModTime() time.Time         { return time.Time{} }
func (f memoryFile) IsDir() bool                { return f.mode.IsDir() }
func (f memoryFile) Sys() any                   { return nil }
