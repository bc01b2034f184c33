package daemon

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"keepc/compiler"
	"keepc/compiler/state"
	"keepc/grammar/source"
	"keepc/runtime/balance"
	"keepc/runtime/kernel"
	"keepc/runtime/probe"
	"keepc/runtime/reconcile"
	"keepc/runtime/watch"
)

// TestWantsRest checks that a want that took long to enforce is followed by a rest before the next one, however often
// it changes meanwhile; that one after a calm does not wait, nor one that somebody asks for.
func TestWantsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		u := compiler.Load(source.New("test.conf", []byte(first)), compiler.Options{})
		l := &balanceLoop{
			machine: balance.New(time.Now(), balance.Prepare(u.Config, balance.Start(1))),
			probes:  probe.NewRunner(ctx, 1), things: watch.New(), sessions: newNews(nil), do: make(chan func()),
			ipvs: newEnforcer("ipvs", reconcile.New(kernel.NewFake(), state.OfBalance, nil), slog.New(slog.DiscardHandler)), // it does not run
		}
		l.ipvs.spent = newLatest[time.Duration]()
		done := make(chan struct{})
		go func() { defer close(done); l.run(ctx) }()
		wants := func() int { synctest.Wait(); _, version, _ := l.ipvs.newest(); return version }
		flap := func() { l.do <- func() { l.dirty = true }; time.Sleep(time.Millisecond) }
		expect := func(when string, want int) {
			t.Helper()
			if got := wants(); got != want {
				t.Errorf("%s: %d wants were handed out, want %d", when, got, want)
			}
		}
		flap()
		expect("the first", 1)
		for range 10 {
			flap()
		}
		expect("while that is enforced", 1)
		l.ipvs.spent.put(time.Second)
		for range 10 {
			flap()
		}
		expect("while the loop rests", 1)
		time.Sleep(restShare * time.Second)
		expect("after the rest", 2)
		l.do <- func() { l.enforce(nil) }
		expect("somebody asks", 3)
		l.ipvs.spent.put(time.Second)
		time.Sleep(time.Minute)
		expect("in a calm", 3)
		flap()
		expect("after a calm", 4)
		cancel()
		<-done
		l.probes.Close()
	})
}
