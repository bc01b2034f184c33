package kernel

import (
	"iter"

	"keepc/compiler/state"
)

// A Write is one change that was made to the kernel's state, or tried.
type Write struct {
	Verb string // "set address", "delete destination", …
	Key  state.Key
	Err  error
}

// Record returns a Kernel that tells each write to k after it was done. Announcements and packets are no state, so they are no
// writes. wrote is called by the goroutine that writes, so it may run concurrently with itself.
func Record(k Kernel, wrote func(Write)) Kernel { return recorder{k, wrote} }

type recorder struct {
	Kernel
	wrote func(Write)
}

// Apply implements Objects.
func (r recorder) Apply(changes []Change) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i, err := range r.Kernel.Apply(changes) {
			r.wrote(Write{changes[i].Verb(), changes[i].Key, err})
			if !yield(i, err) {
				return
			}
		}
	}
}
