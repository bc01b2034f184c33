package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// reserve prepares the heap for a text of a number of bytes, and for what is made of it. Most of that memory is
// touched once, and faults of small pages take a fifth of the time of a check. Some systems use pages of 2 MiB only on
// request.
func reserve(text int64) {
	const large, room = 1 << 20, 256 << 20
	if text < large {
		return
	}
	heap := make([]byte, min(12*text, room))
	_ = unix.Madvise(heap, unix.MADV_HUGEPAGE) // only a hint
	runtime.KeepAlive(heap)
	runtime.GC() // what follows reuses that memory
}
