package reconcile

import "keepc/compiler/state"

// remember records the state of objects that the kernel always has, before they are set.
func (r *Reconciler) remember(have, want state.State) {
	for _, kind := range r.kinds {
		if !kind.About().Lasting || r.unread[kind] != nil {
			continue
		}
		for k := range kind.All(want) {
			if o, there := kind.Get(have, k); there && r.found[k] == nil {
				r.found[k] = o
			}
		}
	}
}

// restore adds to a want that objects which the kernel always has return to their former state if they are no longer
// wanted. It returns their keys.
func (r *Reconciler) restore(want state.State) (whole state.State, restored []state.Key) {
	for k, o := range r.found {
		kind := state.KindOf(k)
		if _, wanted := kind.Get(want, k); wanted {
			continue
		}
		kind.Clone(&want, want)
		kind.Put(want, k, o)
		restored = append(restored, k)
	}
	return want, restored
}
