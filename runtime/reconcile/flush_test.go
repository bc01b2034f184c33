package reconcile_test

import (
	"testing"
	"time"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
)

// TestFlush: lvs_flush removes what a director finds when it starts, and nothing that others make later; lvs_flush_on_stop removes all. What
// the file names is edited in place, not removed first.
func TestFlush(t *testing.T) {
	k := kernel.NewFake()
	others := func(n int) {
		t.Helper()
		if err := kernel.Set(k, server(n, 0).Service, state.Service{Scheduler: "wrr"}); err != nil {
			t.Fatal(err)
		}
	}
	services := func(when string, numbers ...int) {
		t.Helper()
		have, _ := k.Read(kernel.Scope{Kinds: []state.AnyKind{state.ServiceKind}})
		if len(have.Services) != len(numbers) {
			t.Errorf("%s: %v", when, have.Services)
		}
		for _, n := range numbers {
			if _, there := have.Services[server(n, 0).Service]; !there {
				t.Errorf("%s: %d is gone", when, n)
			}
		}
	}
	others(0)
	others(9)
	now := time.Unix(0, 0)
	r := reconcile.New(k, state.OfBalance, nil)
	want := table(2, state.DestinationKey{})
	want.Flush = state.FlushStart
	var removed []string
	tell := reconcile.Round{Now: now, Applied: func(d reconcile.Done) {
		if d.After == nil {
			removed = append(removed, d.Key.String()+": "+d.Why)
		}
	}}
	if err := r.Reconcile(want, tell); err != nil {
		t.Fatal(err)
	}
	services("at the start", 0, 1)
	if len(removed) != 1 || removed[0] != "tcp 10.1.0.9:80: lvs_flush removes what is not in the configuration" {
		t.Errorf("removed %q", removed)
	}
	others(8)
	tell.Full = true
	if err := r.Reconcile(want, tell); err != nil {
		t.Fatal(err)
	}
	services("later", 0, 1, 8)
	stop := state.New()
	for key := range want.Services {
		stop.Absent[key] = "stopping"
	}
	if err := r.Reconcile(stop, reconcile.Round{Now: now}); err != nil {
		t.Fatal(err)
	}
	services("after a stop", 8)
	stop.Flush = state.FlushAll
	if err := r.Reconcile(stop, reconcile.Round{Now: now}); err != nil {
		t.Fatal(err)
	}
	services("after a stop that flushes")
}
