package main

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keepc/runtime/kernel"
	"keepc/runtime/lab"
	"keepc/runtime/status"
)

// TestDuplicateAddress checks that a host that was given a virtual address by hand, or a DR real server that announces
// it, causes a condition of the MASTER with the host's MAC address, and that the neighbours are told again. A director
// that takes over, or gives the addresses back, causes none.
func TestDuplicateAddress(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "ip", "ping")
	const text = `vrrp_instance VI_4 {
	interface eth0
	virtual_router_id 51
	version 3
	advert_int 0.1
	priority PRIORITY
	virtual_ipaddress {
		10.0.0.50/24
	}
}
vrrp_instance VI_6 {
	interface eth0
	virtual_router_id 51
	version 3
	advert_int 0.1
	priority PRIORITY
	virtual_ipaddress {
		fe80::50/64
		fd00::50/64
	}
}
`
	n := lab.New(t)
	lan := n.Segment("lan")
	here, peer := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.1/24")), n.Host("lb02", lab.On(lan, "eth0", "10.0.0.2/24"))
	far := n.Host("web1", lab.On(lan, "eth0", "10.0.0.9/24", "fd00::9/64"))
	start := func(h *lab.Host, priority string) *lab.Process {
		t.Helper()
		file := filepath.Join(h.Dir(), "lb.conf")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "PRIORITY", priority)), 0o600); err != nil {
			t.Fatal(err)
		}
		line := keepcArgs(t, "run", file)
		return h.Start(line[0], line[1:]...)
	}
	ask := keepcArgs(t, "status", "--format", "json")
	conditions := func(h *lab.Host) (found []status.Condition) {
		var d status.Document
		if out, _ := h.Try(ask[0], ask[1:]...); json.Unmarshal([]byte(out), &d) == nil { // it exits with 1: something is wrong
			for _, i := range d.Instances {
				for _, c := range i.Conditions {
					if c.Name == "duplicate address" {
						found = append(found, c)
					}
				}
			}
		}
		return found
	}
	holds := func(h *lab.Host) func() bool {
		return func() bool {
			return h.HasAddr(netip.MustParseAddr("10.0.0.50")) && h.HasAddr(netip.MustParseAddr("fd00::50"))
		}
	}
	director := start(here, "100")
	lab.Eventually(t, 20*time.Second, "lb01 to be MASTER", holds(here))
	other := start(peer, "150")
	lab.Eventually(t, 20*time.Second, "lb02 to take over", holds(peer))
	time.Sleep(1500 * time.Millisecond)
	other.Stop()
	lab.Eventually(t, 20*time.Second, "lb01 to be MASTER again", holds(here))
	time.Sleep(1500 * time.Millisecond)
	if c := conditions(here); len(c) > 0 {
		t.Errorf("after a change of the master: %+v", c)
	}

	peer.Run("ping", "-c", "1", "-W", "5", "10.0.0.50") // it now knows the MASTER
	announce := func(h *lab.Host, addr string) {
		t.Helper()
		err := h.Do(func() error {
			k, err := kernel.Open()
			if err != nil {
				return err
			}
			defer k.Close()
			return k.Announce("eth0", netip.MustParseAddr(addr))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	announce(far, "fd00::50")
	time.Sleep(1500 * time.Millisecond)
	if c := conditions(here); len(c) > 0 {
		t.Errorf("after one announcement: %+v", c)
	}
	far.Run("ip", "addr", "add", "10.0.0.50/24", "dev", "eth0")
	mac := far.Link("eth0").MAC().String()
	var found []status.Condition
	lab.Eventually(t, 20*time.Second, "the condition", func() bool {
		// A host that has an address and sends uses it to ask for its neighbours.
		_, _ = far.Try("ping", "-c", "1", "-W", "1", "-I", "10.0.0.50", "10.0.0.77") // nothing answers
		announce(far, "fd00::50")
		found = conditions(here)
		return len(found) == 2
	})
	for i, addr := range []string{"10.0.0.50", "fd00::50"} {
		if c := found[i]; c.Peer.String() != addr || !strings.HasPrefix(c.Cause, mac) || c.Count == 0 || c.Last.Before(c.Since) {
			t.Errorf("%+v, want %s with %s", c, mac, addr)
		}
	}
	lab.Eventually(t, 10*time.Second, "the way back to the MASTER", func() bool {
		return strings.Contains(peer.Run("ip", "neigh", "show", "10.0.0.50", "dev", "eth0"), here.Link("eth0").MAC().String())
	})
	ask = keepcArgs(t, "status")
	out, err := here.Try(ask[0], ask[1:]...)
	if err == nil || !strings.Contains(out, "VI_4, duplicate address: 10.0.0.50 since ") {
		t.Errorf("status: %v\n%s", err, out)
	}
	director.Stop()
	if log := director.Log(); strings.Count(log, "duplicate address 10.0.0.50: "+mac+" claims it, too") != 1 {
		t.Errorf("log:\n%s", log)
	}
}
