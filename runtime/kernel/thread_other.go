//go:build !linux

package kernel

import (
	"errors"
	"time"
)

// ThreadID is 0: threads have no numbers here.
func ThreadID() int { return 0 }

// NameThread is not supported.
func NameThread(int, string) error { return errors.ErrUnsupported }

// ProcessName is not known.
func ProcessName() string { return "" }

// Uptime is not known.
func Uptime() time.Duration { return 0 }

// SetSchedule is not supported.
func SetSchedule(int, Schedule) error { return errors.ErrUnsupported }

// OnlineCPUs is not supported.
func OnlineCPUs() (int, error) { return 0, errors.ErrUnsupported }

// LockMemory is not supported.
func LockMemory(bool) error { return errors.ErrUnsupported }
