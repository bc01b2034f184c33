//go:build !linux

package kernel

import (
	"errors"
	"runtime"
)

// Open fails: keepc checks files everywhere, and runs them on Linux.
func Open() (Kernel, error) {
	return nil, errors.New("keepc enforces state on Linux only, this is " + runtime.GOOS)
}

// OpenWith fails, as Open does.
func OpenWith(string) (Kernel, error) { return Open() }

// Capabilities has nothing to name here.
func Capabilities() error { return nil }

// Namespace fails: there are none here.
func Namespace() (string, error) { return "", errors.New("this system has no network namespaces") }
