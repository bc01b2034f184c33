package lab

import (
	"time"
	"unsafe"
)

// Set returns a moment by a wall clock that was set by a duration: time.Time has both clocks, and the monotonic one stays
// as it is. No function of package time does that, and no test may set the clock of its machine.
func Set(t time.Time, by time.Duration) time.Time {
	t = t.Add(by)
	(*struct {
		wall      uint64
		monotonic int64
		loc       *time.Location
	})(unsafe.Pointer(&t)).monotonic -= int64(by)
	return t
}
