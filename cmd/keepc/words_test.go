package main

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestWordsAsKeepalived checks that both programs do the same with garp_extra_if, promote_secondaries, disable_local_igmp and interface_up_down_delays.
func TestWordsAsKeepalived(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "ip")
	const file = `interface_up_down_delays {
	eth0 1.5 1.5
}
global_defs {
	disable_local_igmp
}
vrrp_instance VI_1 {
	interface eth0
	virtual_router_id 51
	garp_master_repeat 1
	garp_master_delay 0
	garp_extra_if all 1
	promote_secondaries
	virtual_ipaddress {
		192.0.2.10/24
		198.51.100.10/24 dev eth1
		198.51.100.11/24 dev eth1
	}
}
`
	settings := []string{"/proc/sys/net/ipv4/conf/eth0/promote_secondaries", "/proc/sys/net/ipv4/igmp_link_local_mcast_reports"}
	got := map[program]string{}
	for _, p := range []program{keepalived, keepc} {
		h := lab.New(t).Host("lb01")
		for i, net := range []string{"192.0.2", "198.51.100"} {
			h.Run("ip", "link", "add", fmt.Sprintf("eth%d", i), "type", "veth", "peer", "name", fmt.Sprintf("far%d", i))
			h.Run("ip", "link", "set", fmt.Sprintf("eth%d", i), "up")
			h.Run("ip", "link", "set", fmt.Sprintf("far%d", i), "up")
			h.AddAddr(fmt.Sprintf("eth%d", i), net+".1/24")
		}
		h.Run("ip", "link", "set", "lo", "up")
		var said []string
		say := func(format string, values ...any) { said = append(said, fmt.Sprintf(format, values...)) }
		look := func() string {
			return strings.Join(strings.Fields(h.Run("cat", settings...)), " ")
		}
		say("before: %s", look())
		wire := h.Capture("far1")
		line := asKeepalivedArgs(t, p, lab.KeepalivedFlags("/run", fileOf(t, file), "-P", "-D")...)
		d := h.Start(line[0], line[1:]...)
		announced := func(last byte) (n int) {
			for _, f := range wire.Frames() {
				if len(f.Data) >= 42 && f.Data[12] == 8 && f.Data[13] == 6 && f.Data[31] == last { // ARP, the sender's address
					n++
				}
			}
			return n
		}
		lab.Eventually(t, 20*time.Second, "it announces again and again", func() bool { return announced(10) >= 4 })
		say("the second address on that interface: %d", announced(11))
		say("meanwhile: %s", look())
		faults := func() int { return strings.Count(d.Log(), "Entering FAULT STATE") }
		h.Run("ip", "link", "set", "far0", "down")
		time.Sleep(300 * time.Millisecond)
		h.Run("ip", "link", "set", "far0", "up")
		time.Sleep(2 * time.Second)
		say("back in time: %d faults", faults())
		h.Run("ip", "link", "set", "far0", "down")
		lab.Eventually(t, 10*time.Second, "the interface counts as down", func() bool { return faults() == 1 })
		h.Run("ip", "link", "set", "far0", "up")
		lab.Eventually(t, 15*time.Second, "it is MASTER again", func() bool { return h.HasAddr(netip.MustParseAddr("192.0.2.10")) })
		d.Signal(syscall.SIGTERM)
		if err := d.Wait(10 * time.Second); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		say("after: %s", look())
		got[p] = strings.Join(said, "\n")
	}
	if got[keepc] != got[keepalived] {
		t.Errorf("keepc:\n%s\nkeepalived:\n%s", got[keepc], got[keepalived])
	}
}

// TestLinkbeat checks that with linkbeat_interfaces both programs are in FAULT while the link is down, and MASTER
// again when it is up. keepalived polls once a second; keepc, which leaves the keyword out, is told by the kernel.
func TestLinkbeat(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "ip")
	const file = `linkbeat_interfaces {
	eth0 ETHTOOL
}
vrrp_instance VI_1 {
	interface eth0
	virtual_router_id 51
	version 3
	advert_int 0.1
	virtual_ipaddress {
		192.0.2.10/24
	}
}
`
	for _, p := range []program{keepalived, keepc} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			h := lab.New(t).Host("lb01")
			h.Run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far0")
			for _, l := range []string{"lo", "eth0", "far0"} {
				h.Run("ip", "link", "set", l, "up")
			}
			h.AddAddr("eth0", "192.0.2.1/24")
			line := asKeepalivedArgs(t, p, lab.KeepalivedFlags("/run", fileOf(t, file), "-P", "-D")...)
			d := h.Start(line[0], line[1:]...)
			holds := func() bool { return h.HasAddr(netip.MustParseAddr("192.0.2.10")) }
			lab.Eventually(t, 20*time.Second, "it is MASTER", holds)
			for range 3 {
				h.Run("ip", "link", "set", "far0", "down")
				begun := time.Now()
				lab.Eventually(t, 10*time.Second, "it gives the address up", func() bool { return !holds() })
				t.Logf("gave the address up %v after the link was lost", time.Since(begun))
				h.Run("ip", "link", "set", "far0", "up")
				begun = time.Now()
				lab.Eventually(t, 10*time.Second, "it is MASTER again", holds)
				t.Logf("MASTER again %v after the link came back", time.Since(begun))
			}
			d.Stop()
		})
	}
}
