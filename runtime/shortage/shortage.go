// Package shortage distinguishes what this machine lacks from the failures of others.
package shortage

import (
	"errors"
	"slices"
	"syscall"
)

// Is reports whether an error concerns only this machine: no descriptor, process or memory is free. It says nothing
// about whoever was asked.
func Is(err error) bool {
	return slices.ContainsFunc(kinds, func(e syscall.Errno) bool { return errors.Is(err, e) })
}

var kinds = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EAGAIN}
