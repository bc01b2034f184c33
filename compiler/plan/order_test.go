package plan_test

import (
	"fmt"
	"slices"
	"testing"

	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/grammar/source"
)

// TestReorder checks that the servers after an added one in the file are added again if the scheduler hashes by the
// order, and that those before it are not.
func TestReorder(t *testing.T) {
	text := source.New("lb01.conf", []byte("1234567890"))
	for scheduler, want := range map[string][]string{
		"mh": {"+ " + web2.String(), "-/+ " + web9.String()},
		"rr": {"+ " + web2.String()},
	} {
		wish, have := state.New(), state.New()
		for i, k := range []state.DestinationKey{web1, web2, web9} {
			wish.Services[k.Service], have.Services[k.Service] = state.Service{Scheduler: scheduler}, state.Service{Scheduler: scheduler}
			d := state.Destination{Weight: 1, Provenance: state.Provenance{Origin: text.Span(i, i+1)}}
			wish.Destinations[k] = d
			if k != web2 {
				have.Destinations[k] = d
			}
		}
		var got []string
		for _, c := range plan.Diff(have, wish, nil) {
			got = append(got, fmt.Sprintf("%s %s", c.Action, c.Key))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", scheduler, got, want)
		}
		if changes := plan.Diff(wish, wish, nil); len(changes) > 0 {
			t.Errorf("%s: nothing to do, and %v", scheduler, changes)
		}
	}
}
