package main

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keepc/runtime/lab"
	"keepc/runtime/status"
)

// TestDrainWaits checks that drain --wait ends with the last active connection, after its timeout, or with the director.
// The director is a stand-in, because connections need a kernel with IPVS; TestHeldConnections has a real one.
func TestDrainWaits(t *testing.T) {
	t.Parallel()
	host := lab.New(t).Host("lb01")
	var l net.Listener
	if err := host.Do(func() (err error) { l, err = status.Listen(); return err }); err != nil {
		t.Fatal(err)
	}
	var active, asked atomic.Int32
	var assigned, silent atomic.Bool // silent: the kernel does not tell
	closing := make(chan bool, 1)    // a connection closes at each question
	document := func(_ context.Context, q status.Question) (status.Document, error) {
		if a, some := q.Assignment(); some {
			assigned.Store(a.Weight != nil && *a.Weight == 0)
		} else if len(closing) > 0 && active.Load() > 0 {
			active.Add(-1)
		}
		asked.Add(1)
		connections := &status.Connections{Active: uint32(active.Load()), Inactive: 9}
		if silent.Load() {
			connections = nil
		}
		weight, one, other := 5, netip.MustParseAddrPort("10.0.0.7:80"), netip.MustParseAddrPort("10.0.0.8:80")
		return status.Document{Version: status.Version, Services: []status.Service{{Name: "tcp 10.0.0.3:80", Servers: []status.Server{
			{Address: one, Up: true, Assigned: assigned.Load(), FileWeight: &weight, Connections: connections},
			{Address: other, Up: true, Weight: 1, Connections: &status.Connections{Active: 7}},
		}}}}, nil
	}
	ctx, end := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() {
		defer close(served)
		status.Serve(ctx, l, status.Director{Document: document})
	}()
	defer func() { end(); <-served }()
	drain := func(code, want string, more ...string) {
		t.Helper()
		line := keepcArgs(t, slices.Concat([]string{"drain", "10.0.0.7", "--wait"}, more)...)
		text, err := host.Try(line[0], line[1:]...)
		if code == "" && err != nil || code != "" && (err == nil || !strings.Contains(err.Error(), "exit status "+code)) || !strings.Contains(text, want) {
			t.Errorf("%q: %v, want exit status %q and %q:\n%s", more, err, code, want, text)
		}
	}
	silent.Store(true)
	drain("1", "the kernel did not report the connections of 10.0.0.7 within 300ms; it stays drained", "--timeout", "300ms")
	silent.Store(false)
	active.Store(3)
	drain("1", "10.0.0.7 has 3 active connections after 300ms; it stays drained", "--timeout", "300ms")
	if !assigned.Load() {
		t.Error("it is not drained")
	}
	closing <- true
	drain("", "10.0.0.7:80 of tcp 10.0.0.3:80: weight 0")
	if active.Load() != 0 || asked.Load() < 5 {
		t.Errorf("%d connections are left after %d questions", active.Load(), asked.Load())
	}
	<-closing
	active.Store(1)
	stopped := asked.Load() + 2
	go func() {
		for asked.Load() < stopped {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond) // the answer is there, and no next question
		end()
	}()
	drain("3", "no keepc runs here")
}
