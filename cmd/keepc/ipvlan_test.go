package main

import (
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestIPVLAN checks that with use_ipvlan both programs send the same advertisements, from the address of the ipvlan
// interface and the MAC address of the one below, announce the same, and have the virtual address on the interface
// below. keepc makes no ipvlan interface. It needs a kernel with ipvlan, such as that of the virtual machine.
func TestIPVLAN(t *testing.T) {
	lab.NeedIPVS(t)
	lab.NeedPrograms(t, "keepalived", "ip")
	if out, err := exec.Command("modprobe", "ipvlan").CombinedOutput(); err != nil {
		lab.Missing(t, "this kernel has no ipvlan: %s", out)
	}
	const file = `vrrp_instance VI_1 {
	interface eth0
	virtual_router_id 51
	use_ipvlan ipv7 10.0.0.9/24
	virtual_ipaddress {
		10.0.0.50/24
	}
}
`
	seen := map[program][]string{}
	for _, p := range []program{keepalived, keepc} {
		n := lab.New(t)
		lan := n.Segment("lan")
		here, far := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.1/24")), n.Host("far", lab.On(lan, "eth0", "10.0.0.2/24"))
		wire := far.Capture("eth0")
		line := asKeepalivedArgs(t, p, lab.KeepalivedFlags("/run", fileOf(t, file), "-P", "-D")...)
		d := here.Start(line[0], line[1:]...)
		mac := here.Link("eth0").MAC()
		look := func() (list []string) {
			for _, f := range wire.Frames() {
				text := ""
				switch {
				case len(f.Data) < 42 || !slices.Equal(f.Data[6:12], mac):
				case f.Data[12] == 8 && f.Data[13] == 0 && f.Data[23] == 112:
					text = fmt.Sprintf("TTL %d, from %v to %v: %x", f.Data[22], netip.AddrFrom4([4]byte(f.Data[26:30])), netip.AddrFrom4([4]byte(f.Data[30:34])), f.Data[34:])
				case f.Data[12] == 8 && f.Data[13] == 6 && slices.Equal(f.Data[28:32], f.Data[38:42]):
					text = fmt.Sprintf("ARP: %v is at the interface: %v", netip.AddrFrom4([4]byte(f.Data[28:32])), slices.Equal(f.Data[22:28], mac))
				}
				if text != "" && !strings.Contains(text, "10.0.0.9 is") && !slices.Contains(list, text) {
					list = append(list, text)
				}
			}
			slices.Sort(list)
			return list
		}
		lab.Eventually(t, 20*time.Second, string(p)+" to be MASTER, and to say so", func() bool {
			return here.HasAddr(netip.MustParseAddr("10.0.0.50")) && len(look()) == 2
		})
		for _, a := range here.Addrs("eth0") {
			if !a.Addr().Is6() {
				seen[p] = append(seen[p], a.String())
			}
		}
		seen[p] = append(seen[p], look()...)
		d.Stop()
	}
	if !slices.Equal(seen[keepalived], seen[keepc]) {
		t.Errorf("keepalived:\n%s\nkeepc:\n%s", strings.Join(seen[keepalived], "\n"), strings.Join(seen[keepc], "\n"))
	}
	t.Log(seen[keepc])
}
