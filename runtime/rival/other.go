//go:build !linux

package rival

import (
	"errors"
	"io"
	"os"
)

// Keepalived finds nothing: directors run on Linux only.
func Keepalived() error { return nil }

// Find finds nothing.
func Find() (*Running, error) { return nil, nil }

// End ends nothing.
func (k *Running) End() error { return errors.New("directors run on Linux only") }

// Claim is for Linux only, where directors run.
func Claim(string, string) (io.Closer, error) { return nil, errors.New("directors run on Linux only") }

// MakeDir makes a directory.
func MakeDir(dir string) error { return os.MkdirAll(dir, 0o755) }
