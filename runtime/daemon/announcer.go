package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

// An announcer announces addresses that are in place to the neighbours, at the pace of the configuration. It has its
// own goroutine: neither advertisements nor the enforcer wait for it.
type announcer struct {
	kernel kernel.Neighbours
	log    *slog.Logger
	wake   chan struct{}

	mu    sync.Mutex // held while an announcement is sent, so that none is sent after keep has forgotten it
	pacer pacer
}

func newAnnouncer(k kernel.Neighbours, log *slog.Logger) *announcer {
	return &announcer{kernel: k, log: log, wake: make(chan struct{}, 1)}
}

// configure follows a configuration.
func (a *announcer) configure(cfg *ir.Config) { a.do(func(p *pacer) { p.configure(cfg) }) }

// keep forgets the addresses that are not wanted.
func (a *announcer) keep(want state.State) {
	a.do(func(p *pacer) {
		p.keep(func(k state.AddressKey) bool { _, wanted := want.Addresses[k]; return wanted })
	})
}

// add announces an address a number of times.
func (a *announcer) add(k state.AddressKey, repeat int) { a.do(func(p *pacer) { p.add(k, repeat) }) }

// hold holds back the second and later rounds while addresses are being added.
func (a *announcer) hold(on bool) { a.do(func(p *pacer) { p.held = on }) }

func (a *announcer) do(f func(*pacer)) {
	a.mu.Lock()
	f(&a.pacer)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends.
func (a *announcer) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		case <-timer.C:
		}
		if at := a.send(ctx); !at.IsZero() {
			timer.Reset(time.Until(at))
		}
	}
}

// send sends what is due, and returns when the next announcement is due; zero: none waits.
func (a *announcer) send(ctx context.Context) time.Time {
	for ctx.Err() == nil {
		a.mu.Lock()
		k, due, at := a.pacer.take(time.Now())
		var err error
		if due {
			if err = a.kernel.Announce(k.Dev, k.Prefix.Addr()); err != nil {
				a.pacer.keep(func(o state.AddressKey) bool { return o != k })
			}
		}
		a.mu.Unlock()
		if err != nil {
			a.log.Warn(fmt.Sprintf("announce: %v", err), "subject", k.String())
		}
		if !due {
			return at
		}
	}
	return time.Time{}
}
