package reconcile_test

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
)

// TestTimeoutsAreRestored checks that timeouts that are no longer wanted return to their former values, once: what
// somebody sets afterwards stays. A failure is retried.
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

// TestSettingOfAnInterfaceThatWentAway checks that nothing is restored then, and that this is not a failure.
func TestSettingOfAnInterfaceThatWentAway(t *testing.T) {
	key := state.SysctlKey{File: "net/ipv4/conf/eth0/promote_secondaries"}
	want := state.New()
	want.Sysctls[key] = state.Sysctl{Value: "1"}
	for _, c := range []struct {
		name string
		gone func(h *host, r *reconcile.Reconciler)
	}{
		{"as a look finds", func(h *host, r *reconcile.Reconciler) {
			h.RemoveLink("eth0")
			h.Fail("set sysctl", 1, errors.New("it was set"))
			if _, err := look(r, state.New()); err != nil {
				t.Error(err)
			}
		}},
		{"as the write finds", func(h *host, r *reconcile.Reconciler) {
			h.Fail("set sysctl", 1, fs.ErrNotExist)
			_ = r.Reconcile(state.New(), reconcile.Round{})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost()
			r := reconcile.New(h.Kernel, state.OfRouter, nil)
			reconciled(t, r, want)
			c.gone(h, r)
			if err := r.Problem(); err != nil {
				t.Error(err)
			}
			h.SetLink(kernel.Link{Name: "eth0", Index: 3, Up: true})
			h.wrote = nil
			h.Fail("set sysctl", 0, nil)
			reconciled(t, r, state.New())
			h.expect(t)
		})
	}
}

// TestLacking checks that services which could not be read do not count as gone, and that other read failures do not
// affect them.
func TestLacking(t *testing.T) {
	for _, c := range []struct {
		fails string
		known bool
	}{{"list service", false}, {"list destination", true}} {
		h := newHost()
		r := reconcile.New(h.Kernel, state.OfBalance, nil)
		reconciled(t, r, tutorial())
		h.Fail(c.fails, 1, errors.New("too many open files"))
		_, read := look(r, tutorial())
		keys, none, err := r.Lacking()
		if read == nil || none || len(keys) > 0 || (err == nil) != c.known {
			t.Errorf("%s (%v): %v, none %t, error %v", c.fails, read, keys, none, err)
		}
	}
	h := newHost()
	h.SetIPVS(false)
	r := reconcile.New(h.Kernel, state.OfBalance, nil)
	_, _ = look(r, tutorial())
	if _, none, err := r.Lacking(); !none || err != nil {
		t.Errorf("without IPVS: none %t, error %v", none, err)
	}
}
