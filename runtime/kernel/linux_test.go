package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/lab"
)

func TestLinux(t *testing.T) {
	for _, b := range behaviour {
		t.Run(b.name, func(t *testing.T) { b.test(t, linuxHost(t)) })
	}
}

func linuxHost(t *testing.T) host {
	t.Helper()
	n := lab.New(t)
	lan := n.Segment("lan")
	here := n.Host("here", lab.On(lan, "eth0", "10.0.0.1/24"))
	far := n.Host("far", lab.On(lan, "eth0", "10.0.0.2/24"))
	// A link that is up carries nothing until the bridge has noticed.
	carries := func() {
		lab.Eventually(t, 5*time.Second, "the cable to carry", func() bool {
			_, err := here.Try("ping", "-c1", "-W1", far4.String())
			return err == nil
		})
	}
	carries()
	return host{
		Kernel: open(t, here),
		far:    open(t, far),
		up: func(up bool) {
			if !up {
				here.Run("ip", "link", "set", "eth0", "down")
				return
			}
			here.Run("ip", "link", "set", "eth0", "up")
			carries()
		},
		carrier: func(in bool) {
			if !in {
				here.Link("eth0").Down()
				return
			}
			here.Link("eth0").Up()
			carries()
		},
		remake: func() {
			here.Run("ip", "link", "del", "eth0")
			here.Run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
			here.Run("ip", "link", "set", "eth1", "up")
			here.Run("ip", "link", "set", "eth0", "up")
		},
	}
}

// open opens the kernel inside a host of the lab.
func open(t *testing.T, h *lab.Host) inside {
	t.Helper()
	k := inside{host: h}
	check(t, h.Do(func() (err error) {
		k.Kernel, err = kernel.Open()
		return err
	}))
	t.Cleanup(func() { check(t, k.Close()) })
	return k
}

// inside calls a Linux kernel on a thread of its host if the call may open a socket.
type inside struct {
	kernel.Kernel
	host *lab.Host
}

func (i inside) WatchLinks(ctx context.Context) (links <-chan kernel.Link, err error) {
	err = i.host.Do(func() (err error) {
		links, err = i.Kernel.WatchLinks(ctx)
		return err
	})
	return links, err
}

func (i inside) WatchRouting(ctx context.Context, lost func()) error {
	return i.host.Do(func() error { return i.Kernel.WatchRouting(ctx, lost) })
}

func (i inside) OpenWire(iface string, c kernel.Carrier, bell kernel.Bell) (w kernel.Wire, err error) {
	err = i.host.Do(func() (err error) {
		w, err = i.Kernel.OpenWire(iface, c, bell)
		return err
	})
	return w, err
}

func (i inside) OpenPort(port uint16, ipv6 bool, bell kernel.Bell) (p kernel.Port, err error) {
	err = i.host.Do(func() (err error) {
		p, err = i.Kernel.OpenPort(port, ipv6, bell)
		return err
	})
	return p, err
}

func (i inside) OpenCaller(c kernel.Call) (s kernel.Caller, err error) {
	err = i.host.Do(func() (err error) {
		s, err = i.Kernel.OpenCaller(c)
		return err
	})
	return s, err
}

func (i inside) OpenVirtual(iface string, c kernel.Carrier, bell kernel.Bell) (w kernel.Wire, err error) {
	err = i.host.Do(func() (err error) {
		w, err = i.Kernel.OpenVirtual(iface, c, bell)
		return err
	})
	return w, err
}

func (i inside) Announce(iface string, addr netip.Addr) error {
	return i.host.Do(func() error { return i.Kernel.Announce(iface, addr) })
}

func (i inside) Read(s kernel.Scope) (have state.State, unread kernel.Unread) {
	_ = i.host.Do(func() error { // never fails
		have, unread = i.Kernel.Read(s)
		return nil
	})
	return have, unread
}

func (i inside) Apply(changes []kernel.Change) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		_ = i.host.Do(func() error { // never fails
			i.Kernel.Apply(changes)(yield)
			return nil
		})
	}
}

// TestUnprivileged checks which capability each operation names.
func TestUnprivileged(t *testing.T) {
	h := lab.New(t)
	lb01 := h.Host("lb01", lab.On(h.Segment("lan"), "eth0", "10.0.0.1/24"))
	k := open(t, lb01).Kernel
	for _, c := range []struct {
		name string
		do   func() error
		want string // in the message of an ErrPermission; empty: it works
	}{
		{"list addresses", func() error { _, err := kernel.List(k, state.AddressKind); return err }, ""},
		{"list links", func() error { _, err := k.Links(); return err }, ""},
		{"add an address", func() error { return kernel.Set(k, key("10.0.0.3/24"), state.Address{}) }, "CAP_NET_ADMIN"},
		{"delete an address", func() error { return kernel.Delete(k, key("10.0.0.1/24")) }, "CAP_NET_ADMIN"},
		{"open a wire", func() error { _, err := k.OpenWire("eth0", kernel.IPv4, nil); return err }, "CAP_NET_RAW"},
		{"open an IPv6 wire", func() error { _, err := k.OpenWire("eth0", kernel.IPv6, nil); return err }, "CAP_NET_RAW"},
		{"list the firewall", func() error { _, err := kernel.List(k, state.FirewallKind); return err }, "CAP_NET_ADMIN"},
		{"drop packets", func() error { return kernel.Set(k, drop3, state.Firewall{}) }, "CAP_NET_ADMIN"},
		{"announce", func() error { return k.Announce("eth0", here4) }, "CAP_NET_RAW"},
	} {
		unprivileged(t, lb01, c.name, c.do, c.want)
	}
}

func TestUnprivilegedIPVS(t *testing.T) {
	lab.NeedIPVS(t)
	h := lab.New(t).Host("lb01")
	k := open(t, h).Kernel
	unprivileged(t, h, "list virtual servers", func() error { _, err := kernel.List(k, state.ServiceKind); return err }, "CAP_NET_ADMIN")
	unprivileged(t, h, "set a virtual server", func() error { return kernel.Set(k, web4, state.Service{Scheduler: "rr"}) }, "CAP_NET_ADMIN")
	unprivileged(t, h, "observe", func() error { _, ipvs, err := kernel.Observe(k); check(t, err); return ipvs }, "CAP_NET_ADMIN")
}

// unprivileged does something on a thread inside the host that has no effective capability.
func unprivileged(t *testing.T, h *lab.Host, name string, do func() error, want string) {
	t.Helper()
	err := h.Do(func() error {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var all, none [2]unix.CapUserData
		if err := unix.Capget(&header, &all[0]); err != nil {
			return err
		}
		none = all
		none[0].Effective, none[1].Effective = 0, 0
		if err := unix.Capset(&header, &none[0]); err != nil {
			return err
		}
		err := do()
		return errors.Join(err, unix.Capset(&header, &all[0]))
	})
	if want == "" && err != nil || want != "" && (!errors.Is(err, kernel.ErrPermission) || !strings.HasSuffix(err.Error(), "this needs "+want)) {
		t.Errorf("%s: %v, want %q", name, err, want)
	}
}

// TestLinuxRename checks that an address is deleted on the interface that it was put on, whatever that is called by
// then, and that a different interface with the name is left alone.
func TestLinuxRename(t *testing.T) {
	n := lab.New(t)
	lan := n.Segment("lan")
	here := n.Host("here", lab.On(lan, "eth0", "10.0.0.1/24"), lab.On(lan, "eth1", "10.0.0.2/24"))
	k := open(t, here)
	mine := key("10.0.0.3/24")
	scope := kernel.Scope{Kinds: []state.AnyKind{state.AddressKind}, Keys: about(mine)}
	read := func(astray string) {
		t.Helper()
		have, unread := k.Read(scope)
		check(t, unread.Err())
		if a, there := have.Addresses[mine]; !there || a.Astray != astray {
			t.Errorf("%v, astray on %q; want %q", there, a.Astray, astray)
		}
	}
	check(t, kernel.Set(k, mine, state.Address{}))
	read("")
	here.Run("ip", "link", "set", "eth0", "down")
	here.Run("ip", "link", "set", "eth0", "name", "old0")
	here.Run("ip", "link", "set", "eth1", "down")
	here.Run("ip", "link", "set", "eth1", "name", "eth0")
	read("old0")
	check(t, kernel.Delete(k, mine))
	if text := here.Run("ip", "-o", "-4", "addr"); strings.Contains(text, "10.0.0.3") || !strings.Contains(text, "10.0.0.2") || !strings.Contains(text, "10.0.0.1") {
		t.Errorf("after the deletion:\n%s", text)
	}
	check(t, kernel.Set(k, mine, state.Address{}))
	if text := here.Run("ip", "-o", "-4", "addr", "show", "eth0"); !strings.Contains(text, "10.0.0.3") {
		t.Errorf("on the new interface:\n%s", text)
	}
	here.Run("ip", "link", "del", "eth0")
	check(t, kernel.Delete(k, mine))
}

// TestWatchOfABurst checks that the first address of a burst makes the watch look, and that those which come while the
// rest of the messages are collected are seen, too.
func TestWatchOfABurst(t *testing.T) {
	n := lab.New(t)
	h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0"))
	ctx, cancel := context.WithCancel(t.Context())
	links, err := open(t, h).WatchLinks(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var have atomic.Int64
	var reading sync.WaitGroup
	reading.Go(func() {
		for l := range links {
			if l.Name == "eth0" {
				have.Store(int64(len(l.Addrs)))
			}
		}
	})
	seen := have.Load
	lab.Eventually(t, 10*time.Second, "a link-local address", func() bool { return seen() == 1 })
	for i := range 10 {
		time.Sleep(100 * time.Millisecond) // the watch has rested
		for k := range 2 {
			h.AddAddr("eth0", fmt.Sprintf("10.0.%d.%d/32", i, k))
			time.Sleep(5 * time.Millisecond)
		}
		lab.Eventually(t, time.Second, "both addresses of the burst", func() bool { return seen() == int64(3+2*i) })
	}
	cancel()
	reading.Wait()
}
