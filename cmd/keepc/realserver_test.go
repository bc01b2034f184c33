package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
	"keepc/runtime/lab/tutorial"
)

// A farm is a director, two unprepared real servers, and a client. The director is made from its file by ipvsadm and
// ip.
type farm struct {
	t            *testing.T
	director     *lab.Host
	web01, web02 *lab.Host
	client       *lab.Host
	file         string // of the director
}

// newFarm builds it. inside: the network of the real servers, "10.0.0" if it is that of the clients.
func newFarm(t *testing.T, method, inside string) *farm {
	lab.NeedIPVS(t)
	lab.NeedPrograms(t, "ipvsadm", "nginx", "busybox", "ip")
	n := lab.New(t)
	out := n.Segment("lan")
	in, ports := out, []lab.Port{lab.On(out, "eth0", "10.0.0.5/24")}
	dev := "eth0"
	if inside != "10.0.0" {
		in, dev = n.Segment("farm"), "eth1"
		ports = append(ports, lab.On(in, "eth1", inside+".5/24"))
	}
	f := &farm{t: t, director: n.Host("lb01", ports...), client: n.Host("client", lab.On(out, "eth0", "10.0.0.100/24"))}
	f.web01 = n.Host("web01", lab.On(in, "eth0", inside+".7/24"))
	f.web02 = n.Host("web02", lab.On(in, "eth0", inside+".8/24"))
	for _, web := range []*lab.Host{f.web01, f.web02} {
		web.Sysctl("net.ipv4.conf.all.rp_filter", "1") // as on many distributions
		if _, err := tutorial.Serve(web); err != nil {
			t.Fatal(err)
		}
	}
	f.file = filepath.Join(f.director.Dir(), "lb01.conf")
	gateway := ""
	if dev == "eth1" {
		gateway = "\t\t" + inside + ".1/24 dev eth1\n"
	}
	text := fmt.Sprintf(`vrrp_instance V {
	interface eth0
	virtual_router_id 3
	virtual_ipaddress {
		10.0.0.3/24
%s	}
}
virtual_server 10.0.0.3 80 {
	lb_algo rr
	lb_kind %s
	protocol TCP
	real_server %[3]s.7 80 {
		weight 1
	}
	real_server %[3]s.8 80 {
		weight 1
	}
}
`, gateway, method, inside)
	if err := os.WriteFile(f.file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	export := keepcArgs(t, "export", "--ipvsadm", f.file)
	f.director.Run("sh", "-c", strings.Join(export, " ")+" | ipvsadm -R")
	f.director.Run("ip", "addr", "add", "10.0.0.3/24", "dev", "eth0")
	if gateway != "" {
		f.director.Run("ip", "addr", "add", inside+".1/24", "dev", "eth1")
		f.director.Sysctl("net.ipv4.ip_forward", "1")
	}
	return f
}

// realserver runs the verb on a host and returns what it printed and its exit code.
func (f *farm) realserver(h *lab.Host, verb string) (string, string) {
	f.t.Helper()
	line := keepcArgs(f.t, "realserver", verb, "--journal", filepath.Join(h.Dir(), "journal.json"))
	if verb != "undo" {
		line = append(line, f.file)
	}
	out, err := h.Try(line[0], line[1:]...)
	code := "0"
	if err != nil {
		code = regexp.MustCompile(`exit status (\d+)`).FindStringSubmatch(err.Error() + " exit status -1")[1]
	}
	return out, code
}

// want runs the verb and checks its exit code and a part of its output.
func (f *farm) want(h *lab.Host, verb, code string, parts ...string) {
	f.t.Helper()
	out, got := f.realserver(h, verb)
	for _, part := range parts {
		if !strings.Contains(out, part) {
			f.t.Errorf("%s on %s: not in the output: %s", verb, h.Name(), part)
			got = "bad"
		}
	}
	if got != code {
		f.t.Errorf("%s on %s: exit code %s, want %s\n%s", verb, h.Name(), got, code, out)
	}
}

// answers connects to the virtual server and returns who answered.
func (f *farm) answers() string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	// Whether it answers is determined without package net/http, which goes on connecting after its timeout.
	c, err := f.client.Dial(ctx, "tcp", "10.0.0.3:80")
	if err != nil {
		return "nobody"
	}
	_ = c.Close()
	var names []string
	for range 6 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		name, err := tutorial.Get(ctx, f.client)
		cancel()
		if err != nil {
			name = err.Error()
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " and ")
}

// holders asks by ARP who has the virtual address, and returns how many hardware addresses answer, and whether one is
// the director's.
func (f *farm) holders() (n int, director bool) {
	out, _ := f.client.Try("busybox", "arping", "-b", "-c", "3", "-w", "4", "-I", "eth0", "10.0.0.3") // it fails if nothing answers
	var macs []string
	for _, m := range regexp.MustCompile(`\[([0-9a-f:]{17})\]`).FindAllStringSubmatch(strings.ToLower(out), -1) {
		if !slices.Contains(macs, m[1]) {
			macs = append(macs, m[1])
		}
	}
	own := strings.TrimSpace(f.director.Run("cat", "/sys/class/net/eth0/address"))
	return len(macs), slices.Contains(macs, own)
}

// snapshot returns everything that the verb may change on a host, except for the tunnel's device, which stays and is
// down.
func (f *farm) snapshot(h *lab.Host) string {
	out := h.Run("sh", "-c", "ip -o addr; ip route; grep -H . /proc/sys/net/ipv4/conf/*/arp_ignore /proc/sys/net/ipv4/conf/*/arp_announce /proc/sys/net/ipv4/conf/*/rp_filter")
	var lines []string
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "tunl0") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// TestRealServer prepares real servers for direct routing and for tunnels, checks that the virtual server then works
// and that only the director answers for its address, and reverts everything.
func TestRealServer(t *testing.T) {
	for _, c := range []struct{ method, missing string }{
		{"DR", "10.0.0.3/32 dev lo is missing"},
		{"TUN", "tunl0 is missing"},
	} {
		t.Run(c.method, func(t *testing.T) {
			f := newFarm(t, c.method, "10.0.0")
			before := f.snapshot(f.web01)
			f.want(f.web01, "check", "1", c.missing, "net.ipv4.conf.all.arp_ignore is 0, not 1")
			f.want(f.web01, "plan", "0", "10.0.0.3/32 dev")
			if f.snapshot(f.web01) != before {
				t.Error("plan changed something")
			}
			if got := f.answers(); got != "nobody" {
				t.Errorf("unprepared, %s answered", got)
			}
			for _, web := range []*lab.Host{f.web01, f.web02} {
				f.want(web, "apply", "0", "until the next boot")
				f.want(web, "check", "0")
				f.want(web, "apply", "0", "already matches")
			}
			if got := f.answers(); got != "web01 and web02" {
				t.Errorf("prepared, %s answered", got)
			}
			if n, director := f.holders(); n != 1 || !director {
				t.Errorf("%d hosts answer for the virtual address; the director is one of them: %v", n, director)
			}

			f.web02.Sysctl("net.ipv4.conf.all.arp_announce", "1") // a foreign setting
			f.want(f.web01, "undo", "0")
			f.want(f.web02, "undo", "0", "net.ipv4.conf.all.arp_announce is 1 now, not 2 as it was set: left alone")
			if after := f.snapshot(f.web01); after != before {
				t.Errorf("before\n%s\nafter undo\n%s", before, after)
			}
			f.want(f.web01, "undo", "0", "Nothing to undo")
			if up := f.web01.Run("ip", "-o", "link", "show", "up"); strings.Contains(up, "tunl0") {
				t.Errorf("the tunnel is still up:\n%s", up)
			}

			// The probe would have noticed: a real server that has the address and nothing else answers.
			f.web02.Sysctl("net.ipv4.conf.all.arp_ignore", "0")
			f.web02.Run("ip", "addr", "add", "10.0.0.3/32", "dev", "lo")
			if n, _ := f.holders(); n < 2 {
				t.Errorf("%d hosts answer where two would", n)
			}
		})
	}
}

// TestRealServerNAT checks what is said about the return path, and that it works as said.
func TestRealServerNAT(t *testing.T) {
	f := newFarm(t, "NAT", "10.1.0")
	f.web01.Run("ip", "route", "add", "default", "via", "10.1.0.8")
	f.want(f.web01, "check", "1", "the default route is via 10.1.0.8, not via 10.1.0.1")
	f.want(f.web01, "apply", "1", "the default route is via 10.1.0.8, not via 10.1.0.1")
	if route := f.web01.Run("ip", "route", "show", "default"); !strings.Contains(route, "10.1.0.8") {
		t.Errorf("apply changed the default route: %s", route)
	}
	if got := f.answers(); got != "nobody" {
		t.Errorf("without a way back, %s answered", got)
	}
	f.web01.Run("ip", "route", "replace", "default", "via", "10.1.0.1")
	f.want(f.web01, "check", "0")
	before := f.snapshot(f.web02)
	f.want(f.web02, "check", "1", "default proto static is missing: answers of 10.1.0.8 must go back through the director (NAT)")
	f.want(f.web02, "apply", "0", "ip route add default via 10.1.0.1")
	f.want(f.web02, "check", "0")
	if got := f.answers(); got != "web01 and web02" {
		t.Errorf("with a way back, %s answered", got)
	}
	f.want(f.web02, "undo", "0")
	if after := f.snapshot(f.web02); after != before {
		t.Errorf("before\n%s\nafter undo\n%s", before, after)
	}
}
