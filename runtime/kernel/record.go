package kernel

import (
	"iter"

	"keepc/compiler/state"
)

// A Write is one attempted change of the kernel's state.
type Write struct {
	Verb string // "set address", "delete destination", …
	Key  state.Key
	Err  error
}

// Record returns a Kernel that reports each write to k after it was made. Announcements and packets are not state, so
// they are not writes. wrote is called on the writing goroutine, so it may run concurrently with itself.
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
