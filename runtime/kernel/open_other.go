//go:build !linux

package kernel

import (
	"errors"
	"runtime"

	"keepc/compiler/privilege"
)

// Open fails: keepc checks files everywhere, but only runs them on Linux.
func Open() (Kernel, error) {
	return nil, errors.New("keepc enforces state on Linux only, this is " + runtime.GOOS)
}

// OpenWith fails, as Open does.
func OpenWith(string) (Kernel, error) { return Open() }

// Held fails, as Open does.
func Held() (map[string]bool, error) {
	return nil, errors.New("there are no capabilities on " + runtime.GOOS)
}

// GiveUp fails, as Open does.
func GiveUp([]string, bool) error { return errors.ErrUnsupported }

// Allowed is asked on Linux only.
func Allowed() Permissions { return Permissions{} }

// Unexempt fails, as Open does.
func Unexempt(func()) error { return errors.ErrUnsupported }

// AccessTo is asked on Linux only.
func AccessTo(string) privilege.Access { return privilege.Access{} }

// LoadIPVS fails, as Open does.
func LoadIPVS() error { return ErrNoIPVS }

// Namespace fails: there are none here.
func Namespace() (string, error) { return "", errors.New("this system has no network namespaces") }
