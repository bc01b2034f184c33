package reconcile_test

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"keepc/compiler/state"
	"keepc/grammar/source"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
)

// TestFlush checks that lvs_flush removes what a director finds when it starts, and nothing that others make later;
// lvs_flush_on_stop removes everything. What the file names is edited in place, not removed first.
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

// An ordered kernel reports in which order it has the servers of a service: the last one that it got comes first.
type ordered struct {
	*kernel.Fake
	servers []state.DestinationKey
}

func (k *ordered) Apply(changes []kernel.Change) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i, err := range k.Fake.Apply(changes) {
			if key, ok := changes[i].Key.(state.DestinationKey); ok && err == nil {
				at := slices.Index(k.servers, key)
				switch {
				case changes[i].Object == nil && at >= 0:
					k.servers = slices.Delete(k.servers, at, at+1)
				case changes[i].Object != nil && at < 0:
					k.servers = slices.Insert(k.servers, 0, key)
				}
			}
			if !yield(i, err) {
				return
			}
		}
	}
}

// TestOrder checks that the kernel has the servers of a hashing service in file order, however they fail and recover,
// even while the enforcer already gets newer orders.
func TestOrder(t *testing.T) {
	k := &ordered{Fake: kernel.NewFake()}
	r := reconcile.New(k, state.OfBalance, nil)
	text := source.New("lb01.conf", []byte("0123456789"))
	want := func(down ...int) state.State {
		s := state.New()
		for i := range 8 {
			key := server(0, i)
			s.Services[key.Service] = state.Service{Scheduler: "mh"}
			if slices.Contains(down, i) {
				s.Absent[key] = "down"
			} else {
				s.Destinations[key] = state.Destination{Weight: 1, Provenance: state.Provenance{Origin: text.Span(i, i+1)}}
			}
		}
		return s
	}
	now := time.Unix(0, 0)
	for i, down := range [][]int{nil, {2, 5}, {2}, nil, {0}, nil, {1, 3, 7}, {1, 3}, {1}, nil, {0, 1, 2, 3, 4, 5, 6, 7}, {6}, nil} {
		asked := 0
		stale := func() bool { asked++; return i%2 == 1 && asked > i%5 } // every second order is overtaken, sooner or later
		if err := r.Reconcile(want(down...), reconcile.Round{Now: now, Stale: stale, Full: i == 8}); err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			continue
		}
		var expect []state.DestinationKey
		for n := range 8 {
			if !slices.Contains(down, n) {
				expect = slices.Insert(expect, 0, server(0, n))
			}
		}
		if !slices.Equal(k.servers, expect) {
			t.Errorf("step %d: the kernel has %s, want %s", i, fmt.Sprint(k.servers), fmt.Sprint(expect))
		}
	}
}
