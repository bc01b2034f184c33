package daemon

import (
	"errors"
	"iter"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

// A refusing kernel refuses real servers a number of times.
type refusing struct {
	*kernel.Fake
	times atomic.Int64
}

func (k *refusing) Apply(changes []kernel.Change) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i, c := range changes {
			var err error
			if _, server := c.Object.(state.Destination); server && k.times.Add(-1) >= 0 {
				err = errors.New("no buffer space available")
			} else {
				for _, err = range k.Fake.Apply([]kernel.Change{c}) {
				}
			}
			if !yield(i, err) {
				return
			}
		}
	}
}

// TestNewOrderIsTriedSoon checks that after minutes of failures a new configuration is retried soon after its first
// failure.
func TestNewOrderIsTriedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		k := &refusing{Fake: b.Fake}
		k.times.Store(1 << 30)
		b.kernel = k
		b.start()
		after(5 * time.Minute)
		k.times.Store(2)
		b.reload(strings.Replace(first, "weight 1", "weight 7", 1))
		after(2 * time.Second)
		if have, _, err := kernel.Observe(b.Fake); err != nil || have.Destinations[web1].Weight != 7 {
			t.Errorf("%v, %v\n%s", have.Destinations, err, b.log.String())
		}
		b.stop(t)
	})
}

// A deaf kernel opens no wire on eth1.
type deaf struct{ *kernel.Fake }

func (k deaf) OpenWire(iface string, c kernel.Carrier, bell kernel.Bell) (kernel.Wire, error) {
	if iface == "eth1" {
		return nil, errors.New("too many open files")
	}
	return k.Fake.OpenWire(iface, c, bell)
}

// TestReloadOfWhoCannotHear checks that an instance whose wire does not open is in FAULT from the start, and that the
// log says so.
func TestReloadOfWhoCannotHear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		b.kernel = deaf{b.Fake}
		b.SetLink(kernel.Link{Name: "eth1", Index: 3, Up: true, Addrs: []netip.Addr{netip.MustParseAddr("10.0.1.5")}})
		b.start()
		after(5 * time.Second)
		second := strings.NewReplacer("oldboy", "two", "eth0", "eth1", "10.0.0.3/24", "10.0.1.3/24", "priority 100", "priority 255").Replace(first[:strings.Index(first, "virtual_server")])
		b.reload(first + second)
		after(100 * time.Millisecond)
		if !b.said("open VRRP on eth1: too many open files; trying again") || !b.said("; oldboy is MASTER; two is FAULT") || b.said("two MASTER") {
			t.Error(b.log.String())
		}
		b.stop(t)
	})
}

// TestSignalsDuringAReload checks that a MASTER advertises at each SIGHUP, whatever is in progress, and reloads as
// often as the pause between reloads allows.
func TestSignalsDuringAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := new(kernel.Hub)
		b, peer := newBox("10.0.0.5", first), newBox("10.0.0.6", first)
		hub.Plug(b.Fake, "eth0")
		hub.Plug(peer.Fake, "eth0")
		b.start()
		after(10 * time.Second)
		heard := peer.listen(t)
		for range 100 {
			b.hup <- nil
			after(30 * time.Millisecond)
		}
		at := heard()
		for i := 1; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap > 30*time.Millisecond {
				t.Errorf("%v between two advertisements", gap)
			}
		}
		if len(at) < 100 || !b.said("requested again") {
			t.Errorf("%d advertisements\n%s", len(at), b.log.String())
		}
		after(time.Second)
		b.stop(t)
	})
}
