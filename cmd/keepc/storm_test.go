package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestBenchStorm prints what a storm of foreign addresses costs a MASTER, compared with keepalived: CPU time per
// thousand changes. Meanwhile our own objects are restored within 0.3 s.
func TestBenchStorm(t *testing.T) {
	if os.Getenv("KEEPC_BENCH") == "" {
		t.Skip("measures, with KEEPC_BENCH=1")
	}
	lab.NeedPrograms(t, "keepalived", "ip")
	const changes = 20000
	used := map[program]time.Duration{}
	for _, p := range []program{keepalived, keepc} {
		n := lab.New(t)
		h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "10.0.0.1/24"), lab.On(n.Segment("other"), "eth1", "10.1.0.1/24"))
		file := filepath.Join(h.Dir(), "lb01.conf")
		text := "vrrp_instance VI_1 {\n\tstate MASTER\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority 255\n\tvirtual_ipaddress {\n\t\t10.0.0.3/24\n\t}\n}\n"
		var storm strings.Builder
		for i := range changes / 2 {
			fmt.Fprintf(&storm, "addr add 10.1.%d.%d/32 dev eth1\naddr del 10.1.%d.%d/32 dev eth1\n", i/250%250+1, i%250+1, i/250%250+1, i%250+1)
		}
		for name, content := range map[string]string{file: text, filepath.Join(h.Dir(), "storm"): storm.String()} {
			if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		line := keepcArgs(t, "run", file)
		if p == keepalived {
			line = append([]string{"keepalived"}, lab.KeepalivedFlags("/run", file, "-P")...)
		}
		director := h.Start(line[0], line[1:]...)
		virtual := netip.MustParseAddr("10.0.0.3")
		lab.Eventually(t, 15*time.Second, string(p)+" to be MASTER", func() bool { return h.HasAddr(virtual) })
		time.Sleep(7 * time.Second) // the second burst
		before, start := processorTime(t, director.Pid()), time.Now()
		h.Run("ip", "-batch", filepath.Join(h.Dir(), "storm"))
		took := time.Since(start)
		time.Sleep(500 * time.Millisecond)
		used[p] = processorTime(t, director.Pid()) - before
		t.Logf("%s: %d changes in %v cost %v of CPU time", p, changes, took.Round(time.Millisecond), used[p])
		h.Run("ip", "addr", "del", "10.0.0.3/24", "dev", "eth0")
		start = time.Now()
		if p == keepc {
			lab.Eventually(t, 5*time.Second, "the address to be back", func() bool { return h.HasAddr(virtual) })
			t.Logf("%s: the address is back after %v", p, time.Since(start).Round(time.Millisecond))
		}
		director.Stop()
	}
	t.Logf("keepc takes %.1f times what keepalived does", float64(used[keepc])/float64(max(used[keepalived], time.Millisecond)))
}

// processorTime returns the CPU time of a process and its children.
func processorTime(t *testing.T, pid int) (used time.Duration) {
	t.Helper()
	for _, p := range append(childrenOf(pid), pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, f := range fields[11:13] { // user and system, in hundredths of a second
			n, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			used += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return used
}

// childrenOf returns the child processes of a process.
func childrenOf(pid int) (all []int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // empty if it has ended
	for _, f := range strings.Fields(string(text)) {
		if n, err := strconv.Atoi(f); err == nil {
			all = append(all, n)
		}
	}
	return all
}
