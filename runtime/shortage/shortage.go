// Package shortage tells what this machine lacks from what somebody else does wrong.
package shortage

import (
	"errors"
	"slices"
	"syscall"
)

// Is reports whether an error is about this machine alone: no descriptor, process or memory is free. It says nothing about who was asked.
func Is(err error) bool {
	return slices.ContainsFunc(kinds, func(e syscall.Errno) bool { return errors.Is(err, e) })
}

var kinds = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EAGAIN}
