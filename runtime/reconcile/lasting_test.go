package reconcile_test

import (
	"errors"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
)

// TestTimeoutsAreRestored: when nobody wants timeouts any longer they are again as they were found, once: what somebody sets after that
// stays. A failure is tried again.
func TestTimeoutsAreRestored(t *testing.T) {
	k := kernel.NewFake()
	r := reconcile.New(k, state.OfBalance, nil)
	tcp := func(d time.Duration) state.State {
		s := state.New()
		s.Timeouts[state.TimeoutsKey{}] = state.Timeouts{Timeouts: ir.Timeouts{TCP: d}}
		return s
	}
	expect := func(when string, want time.Duration) {
		t.Helper()
		have, err := kernel.List(k, state.TimeoutsKind)
		if got := have[state.TimeoutsKey{}]; err != nil || got.TCP != want || got.UDP != kernel.DefaultTimeouts().UDP {
			t.Errorf("%s: %v, %v, want tcp %v", when, got.Timeouts, err, want)
		}
	}
	found := kernel.DefaultTimeouts().TCP
	for _, d := range []time.Duration{100 * time.Second, 50 * time.Second} {
		reconciled(t, r, tcp(d))
		expect("wanted", d)
	}
	k.Fail("set timeouts", 1, errors.New("no buffer space available"))
	if _, err := look(r, state.New()); err == nil {
		t.Error("no error")
	}
	expect("after a failure", 50*time.Second)
	reconciled(t, r, state.New())
	expect("restored", found)
	if err := kernel.Set(k, state.TimeoutsKey{}, state.Timeouts{Timeouts: ir.Timeouts{TCP: 7 * time.Second}}); err != nil {
		t.Fatal(err)
	}
	reconciled(t, r, state.New())
	expect("set by somebody else", 7*time.Second)
	reconciled(t, r, tcp(9*time.Second))
	reconciled(t, r, state.New())
	expect("restored to that", 7*time.Second)
}
