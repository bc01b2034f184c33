package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// reserve makes the heap ready for a large text, of so many bytes, and for what becomes of it. Most of that is touched once, and faults
// of small pages take a fifth of the time of a check. Some systems give pages of 2 MiB only to those who ask.
func reserve(text int64) {
	const large, room = 1 << 20, 256 << 20
	if text < large {
		return
	}
	heap := make([]byte, min(12*text, room))
	_ = unix.Madvise(heap, unix.MADV_HUGEPAGE) // a wish
	runtime.KeepAlive(heap)
	runtime.GC() // what follows is put where it was
}
