package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
	"keepc/runtime/status"
)

// TestAnnouncedAtOnce checks that the neighbours hear about each of an instance's 80 addresses as soon as it is added,
// not after the last one.
func TestAnnouncedAtOnce(t *testing.T) {
	lab.NeedPrograms(t, "ip")
	n := lab.New(t)
	lan := n.Segment("lan")
	h, far := n.Host("lb01", lab.On(lan, "eth0", "192.0.2.1/24")), n.Host("far", lab.On(lan, "eth0", "192.0.2.2/24"))
	var b strings.Builder
	b.WriteString("vrrp_instance VI_1 {\n\tinterface eth0\n\tversion 3\n\tvirtual_router_id 51\n\tadvert_int 0.1\n\tvirtual_ipaddress {\n")
	var vips []netip.Addr
	for i := range 80 {
		vips = append(vips, netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i)}))
		fmt.Fprintf(&b, "\t\t%s/24\n", vips[i])
	}
	b.WriteString("\t}\n}\n")
	conf := filepath.Join(h.Dir(), "keepalived.conf")
	if err := os.WriteFile(conf, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	wire := far.Capture("eth0")
	monitor := h.Start("ip", "-ts", "-4", "monitor", "address")
	lab.Eventually(t, 5*time.Second, "the monitor to listen", func() bool {
		h.AddAddr("eth0", "198.51.100.1/24")
		h.DelAddr("eth0", "198.51.100.1/24")
		return strings.Contains(monitor.Log(), "198.51.100.1")
	})
	args := keepcArgs(t, "run", conf)
	h.Start(args[0], args[1:]...)
	last := vips[len(vips)-1]
	lab.Eventually(t, 20*time.Second, "all announcements", func() bool {
		missing := func(a netip.Addr) bool {
			return announced(wire, a).IsZero() || !strings.Contains(monitor.Log(), a.String()+"/24")
		}
		return !slices.ContainsFunc(vips, missing)
	})

	there := map[netip.Addr]time.Time{}
	for line := range strings.Lines(monitor.Log()) {
		stamp, rest, _ := strings.Cut(strings.TrimPrefix(line, "["), "] ")
		words := strings.Fields(rest)
		at, err := time.ParseInLocation("2006-01-02T15:04:05.999999", stamp, time.Local)
		if i := slices.Index(words, "inet"); err == nil && i > 0 && words[0] != "Deleted" {
			if p, err := netip.ParsePrefix(words[i+1]); err == nil {
				there[p.Addr()] = at
			}
		}
	}
	var waits []time.Duration
	for _, a := range vips {
		if there[a].IsZero() || announced(wire, a).IsZero() {
			t.Fatalf("%s came at %v and was announced at %v", a, there[a], announced(wire, a))
		}
		waits = append(waits, announced(wire, a).Sub(there[a]))
	}
	if first := announced(wire, vips[0]); !first.Before(there[last]) {
		t.Errorf("the first address is announced at %v, when the last one is there since %v", first, there[last])
	}
	slices.Sort(waits)
	t.Logf("all 80 within %v; from an address to its announcement: median %v, at most %v", there[last].Sub(there[vips[0]]), waits[40], waits[79])
}

// announced returns when the first gratuitous ARP for an address was sent; zero: never.
func announced(wire *lab.Capture, a netip.Addr) time.Time {
	for _, f := range wire.Frames() {
		if d := f.Data; len(d) >= 42 && d[12] == 8 && d[13] == 6 && slices.Equal(d[28:32], a.AsSlice()) && slices.Equal(d[38:42], a.AsSlice()) {
			return f.Time
		}
	}
	return time.Time{}
}

// TestBenchOneWeightIPVS measures tables of 1,000 virtual servers with 10 real ones each, and of 2,300 with 16: how long it takes from the
// start to the last entry, and ipvsadm -R for the same entries; one new weight, from the SIGHUP to the kernel; memory; and the stop, with
// what it leaves.
func TestBenchOneWeightIPVS(t *testing.T) {
	if os.Getenv("KEEPC_BENCH") == "" {
		t.Skip("a measurement, for make bench")
	}
	lab.NeedIPVS(t)
	lab.NeedPrograms(t, "keepalived", "ipvsadm")
	for _, size := range [][2]int{{1000, 10}, {2300, 16}} {
		for _, name := range []program{keepalived, keepc} {
			oneWeight(t, size[0], size[1], name)
		}
	}
}

// oneWeight measures a program with a table of virtual servers that have that number of real ones each.
func oneWeight(t *testing.T, services, servers int, name program) {
	config := func(weight int) []byte {
		var b strings.Builder
		for i := range services {
			fmt.Fprintf(&b, "virtual_server 10.1.%d.%d 80 {\n\tlb_algo wrr\n\tlb_kind NAT\n\tprotocol TCP\n", i/250, i%250)
			for j := range servers {
				w := 1
				if i == 500 && j == 5 {
					w = weight
				}
				fmt.Fprintf(&b, "\treal_server 10.2.%d.%d 80 {\n\t\tweight %d\n\t}\n", i/250, j, w)
			}
			b.WriteString("}\n")
		}
		return []byte(b.String())
	}
	h := lab.New(t).Host("lb01")
	conf := filepath.Join(h.Dir(), "big.conf")
	write := func(weight int) {
		if err := os.WriteFile(conf, config(weight), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	has := func(weight int) bool {
		for line := range strings.Lines(h.Run("ipvsadm", "-Ln", "-t", "10.1.2.0:80")) {
			if words := strings.Fields(line); len(words) > 3 && words[1] == "10.2.2.5:80" {
				return words[3] == strconv.Itoa(weight)
			}
		}
		return false
	}
	write(1)
	args := keepcArgs(t, "run", conf)
	if name == keepalived {
		args = append([]string{"keepalived"}, lab.KeepalivedFlags(h.Dir(), conf, "-C")...)
	}
	said := fmt.Sprintf("%d x %d, %s", services, servers, name)
	began := time.Now()
	p := h.Start(args[0], args[1:]...)
	last := services - 1
	lab.Eventually(t, 10*time.Minute, "the table", func() bool {
		out, err := h.Try("ipvsadm", "-Ln", "-t", fmt.Sprintf("10.1.%d.%d:80", last/250, last%250))
		return err == nil && strings.Count(out, fmt.Sprintf("-> 10.2.%d.", last/250)) == servers
	})
	t.Logf("%s: from the start to the last entry: %v", said, time.Since(began).Round(10*time.Millisecond))
	time.Sleep(3 * time.Second)
	written := ipvsWrites(t, h, name)
	var times []time.Duration
	for i := range 5 {
		write(2 + i)
		began := time.Now()
		p.Signal(syscall.SIGHUP)
		for !has(2+i) && time.Since(began) < time.Minute {
			time.Sleep(5 * time.Millisecond)
		}
		times = append(times, time.Since(began).Round(time.Millisecond))
		time.Sleep(2 * time.Second)
	}
	slices.Sort(times)
	t.Logf("%s: one weight by reload: %v (median %v)", said, times, times[2])
	if written >= 0 {
		t.Logf("%s: wrote %d times to the kernel for 5 weights", said, ipvsWrites(t, h, name)-written)
	}
	t.Logf("%s: at most %s resident, with its child processes", said, memory(resident(p.Pid())))
	rules := h.Run("ipvsadm", "-Sn")
	began = time.Now()
	p.Signal(syscall.SIGTERM)
	_ = p.Wait(time.Minute) // keepalived kills its own child
	stopped := time.Since(began).Round(10 * time.Millisecond)
	t.Logf("%s: stops in %v, and leaves %d entries", said, stopped, strings.Count(h.Run("ipvsadm", "-Sn"), "\n"))
	if name == keepc {
		saved := filepath.Join(h.Dir(), "rules")
		if err := os.WriteFile(saved, []byte(rules), 0o600); err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		h.Run("sh", "-c", "ipvsadm -R < "+saved)
		t.Logf("%d x %d, ipvsadm -R: %v", services, servers, time.Since(began).Round(10*time.Millisecond))
	}
}

// ipvsWrites is how often a director has written to the kernel; negative: it does not say.
func ipvsWrites(t *testing.T, h *lab.Host, name program) int {
	t.Helper()
	if name != keepc {
		return -1
	}
	args := keepcArgs(t, "status", "--format", "json")
	var d status.Document
	if out, err := h.Try(args[0], args[1:]...); json.Unmarshal([]byte(out), &d) != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	writes := 0
	for _, k := range d.Kinds {
		writes += int(k.Writes)
	}
	return writes
}

// resident is the most memory, in KiB, that a process and its child processes have had resident, summed.
func resident(pid int) (kib float64) {
	files, _ := filepath.Glob("/proc/[0-9]*/status") // the pattern is right
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		of := map[string]float64{}
		for line := range strings.Lines(string(text)) {
			if words := strings.Fields(line); len(words) > 1 {
				of[words[0]], _ = strconv.ParseFloat(words[1], 64)
			}
		}
		if of["Pid:"] == float64(pid) || of["PPid:"] == float64(pid) {
			kib += of["VmHWM:"]
		}
	}
	return kib
}
