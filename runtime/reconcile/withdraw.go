package reconcile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

// Withdraw removes the routes of announcements that a director made and left behind, and removes them from its
// journal. Everything else stays, including the routes in keep: the next director continues from it. The error joins
// those of the routes that still exist.
func Withdraw(k kernel.Objects, j *Journal, kept map[state.RouteKey]state.Route) (gone []state.Key, err error) {
	var keys []state.Key
	for key := range maps.Keys(j.entries()) {
		if !state.IsAnnounced(key, j.objects[key]) {
			continue
		}
		if _, stays := kept[key.(state.RouteKey)]; !stays {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b state.Key) int { return strings.Compare(a.String(), b.String()) })
	var errs []error
	for _, key := range keys {
		if err := kernel.Delete(k, key); err != nil {
			errs = append(errs, fmt.Errorf("remove %s: %w", key, err))
			continue
		}
		j.forget(key)
		gone = append(gone, key)
	}
	j.settle()
	return gone, errors.Join(errs...)
}
