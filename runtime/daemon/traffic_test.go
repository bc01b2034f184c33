package daemon

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/status"
)

// TestTrafficIsCountedForWhoAsks checks that the kernel is only asked for counters on request, and once in five
// seconds however many requests come.
func TestTrafficIsCountedForWhoAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		p := newPipes()
		b.status = p
		b.start()
		synctest.Wait()
		var web ir.ServiceKey
		for k := range b.destinations(t) {
			web = k.Service
		}
		b.SetTraffic(kernel.Traffics{Services: map[ir.ServiceKey]kernel.Traffic{web: {Connections: 7}}})
		for _, c := range []struct {
			asks  status.Question
			wait  time.Duration
			times int
		}{
			{status.About, 0, 0},
			{status.InForce, time.Minute, 0},
			{status.Counted, 0, 1},
			{status.Counted, 4 * time.Second, 1},
			{status.About, time.Minute, 1},
			{status.Counted, time.Second, 2},
		} {
			time.Sleep(c.wait)
			d := p.ask(t, c.asks)
			if counted := d.Services[0].Traffic != nil; counted != (c.asks == status.Counted) || b.Counted() != c.times {
				t.Errorf("%s: counters: %v; the kernel was asked %d times, want %d", c.asks, counted, b.Counted(), c.times)
			}
		}
		b.stop(t)
	})
}

// slowTraffic is a kernel that has counted one service when the patience of the request ends.
type slowTraffic struct {
	kernel.Kernel
	service ir.ServiceKey
}

func (k slowTraffic) Traffic(ctx context.Context) (kernel.Traffics, error) {
	<-ctx.Done()
	return kernel.Traffics{Services: map[ir.ServiceKey]kernel.Traffic{k.service: {Connections: 7}}, Servers: map[state.DestinationKey]kernel.Traffic{}}, ctx.Err()
}

// TestTrafficOfABusyKernel checks that a request waits no longer than its time allows, and after the time limit gets
// what was read.
func TestTrafficOfABusyKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work, end := context.WithCancel(t.Context())
		var workers sync.WaitGroup
		all := &traffic{from: slowTraffic{service: ir.ServiceKey{Port: 80}}, work: work, spawn: workers.Go}
		start := time.Now()
		hasty, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if got := all.read(hasty); len(got.Services) != 0 || time.Since(start) != 100*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(start), got)
		}
		if got := all.read(t.Context()); len(got.Services) != 1 || time.Since(start) != trafficPatience {
			t.Errorf("after %v: %v", time.Since(start), got)
		}
		time.Sleep(trafficFresh)
		again, ended := time.Now(), make(chan struct{})
		go func() {
			defer close(ended)
			all.read(t.Context())
		}()
		synctest.Wait()
		end() // the director ends: it waits for nobody
		<-ended
		workers.Wait()
		if took := time.Since(again); took != 0 {
			t.Errorf("the end took %v", took)
		}
	})
}
