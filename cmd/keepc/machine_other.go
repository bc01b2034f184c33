//go:build !linux

package main

import (
	"io/fs"
	"os"
)

// hostFiles returns the file tree of this machine.
func hostFiles() fs.FS { return os.DirFS("/") }
