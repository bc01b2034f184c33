package kernel_test

import (
	"fmt"
	"net/netip"
	"os"
	"testing"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/lab"
)

// TestTableOfAnotherNamespace checks that all of a table is read in its own namespace, including what uses a separate
// socket: real servers, persistence engines, connections and counters.
func TestTableOfAnotherNamespace(t *testing.T) {
	lab.NeedIPVS(t)
	n := lab.New(t)
	here, there := n.Host("here"), n.Host("there")
	var space *os.File
	check(t, there.Do(func() (err error) {
		space, err = os.Open("/proc/thread-self/ns/net")
		return err
	}))
	defer space.Close()
	var k *kernel.Linux
	check(t, here.Do(func() (err error) {
		k, err = kernel.OpenWith(fmt.Sprintf("/proc/self/fd/%d", space.Fd()))
		return err
	}))
	defer func() { check(t, k.Close()) }()
	to := state.DestinationKey{Service: web4, Server: netip.MustParseAddrPort("10.1.0.2:80")}
	check(t, here.Do(func() error { return kernel.Set(k, web4, state.Service{Scheduler: "rr"}) }))
	check(t, here.Do(func() error { return kernel.Set(k, to, state.Destination{Weight: 3}) }))
	check(t, here.Do(func() error {
		have, unread := k.Read(kernel.Scope{Kinds: []state.AnyKind{state.ServiceKind, state.DestinationKind}})
		if err := unread.Err(); err != nil {
			return err
		}
		if len(have.Services) != 1 || have.Destinations[to].Weight != 3 {
			t.Errorf("the table has %v and %v", have.Services, have.Destinations)
		}
		busy, err := k.Connections(web4)
		if _, counted := busy[to.Server]; err != nil || !counted {
			t.Errorf("connections: %v, %v", busy, err)
		}
		all, err := k.Traffic(t.Context())
		_, service := all.Services[web4]
		_, server := all.Servers[to]
		if err != nil || !service || !server {
			t.Errorf("traffic: %v, %v", all, err)
		}
		return nil
	}))
	own := open(t, here)
	check(t, here.Do(func() error {
		have, unread := own.Read(kernel.Scope{Kinds: []state.AnyKind{state.ServiceKind}})
		if len(have.Services) != 0 {
			t.Errorf("the namespace of the process has %v", have.Services)
		}
		return unread.Err()
	}))
}
