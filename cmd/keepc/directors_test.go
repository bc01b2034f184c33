package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestThreeDirectors checks that connections behind a router that spreads flows over three directors with mh survive
// the death of one. Only its flows move to other directors, and each of them continues with its server, because the
// table is the same everywhere. The directors have sloppy_tcp, because they first see such a connection in its middle.
func TestThreeDirectors(t *testing.T) {
	t.Parallel()
	needInterop(t)
	lab.NeedIPVS(t)
	lab.NeedPrograms(t, "ip", "ipvsadm")
	const vip, servers, flows = "10.9.0.1", 4, 120
	n := lab.New(t)
	inner, outer := n.Segment("inner"), n.Segment("outer")
	router := n.Host("router", lab.On(inner, "eth0", "10.1.0.254/24"), lab.On(outer, "eth1", "10.2.0.254/24"))
	router.Sysctl("net.ipv4.ip_forward", "1")
	router.Sysctl("net.ipv4.fib_multipath_hash_policy", "1") // also by ports
	router.Sysctl("net.ipv4.conf.all.send_redirects", "0")
	router.Sysctl("net.ipv4.conf.eth0.send_redirects", "0")
	client := n.Host("client", lab.On(outer, "eth0", "10.2.0.1/24"))
	client.Run("ip", "route", "add", "default", "via", "10.2.0.254")

	var text strings.Builder
	fmt.Fprintf(&text, "virtual_server %s 80 {\n\tprotocol TCP\n\tlb_kind DR\n\tlb_algo mh\n\tmh-port\n", vip)
	for i := range servers {
		h := n.Host(fmt.Sprintf("web%d", i+1), lab.On(inner, "eth0", fmt.Sprintf("10.1.0.%d/24", 101+i)))
		h.Sysctl("net.ipv4.conf.all.arp_ignore", "1")
		h.Sysctl("net.ipv4.conf.all.arp_announce", "2")
		h.Run("ip", "addr", "add", vip+"/32", "dev", "lo")
		h.Run("ip", "route", "add", "default", "via", "10.1.0.254")
		echo(t, h)
		fmt.Fprintf(&text, "\treal_server 10.1.0.%d 80 {\n\t}\n", 101+i)
	}
	text.WriteString("}\n")

	var directors []*lab.Host
	var daemons []*lab.Process
	for i := range 3 {
		id := fmt.Sprint(i + 1)
		h := n.Host("lb"+id, lab.On(inner, "eth0", "10.1.0."+id+"/24"))
		h.Run("ip", "addr", "add", vip+"/32", "dev", "lo")
		h.Run("ip", "route", "add", "10.2.0.0/24", "via", "10.1.0.254")
		h.Sysctl("net.ipv4.vs.sloppy_tcp", "1")
		conf := filepath.Join(h.Dir(), "keepalived.conf")
		if err := os.WriteFile(conf, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		args := keepcArgs(t, "run", conf)
		daemons = append(daemons, h.Start(args[0], args[1:]...))
		lab.Eventually(t, 30*time.Second, "the service", func() bool {
			out, err := h.Try("ipvsadm", "-Sn")
			return err == nil && strings.Count(out, "-a ") == servers
		})
		router.Run("ip", "nexthop", "add", "id", id, "via", "10.1.0."+id, "dev", "eth0")
		directors = append(directors, h)
	}
	router.Run("ip", "nexthop", "add", "id", "10", "group", "1/2/3", "type", "resilient", "buckets", "96")
	router.Run("ip", "route", "add", vip+"/32", "nhid", "10")

	var conns []net.Conn
	for range flows {
		ctx, cancel := context.WithTimeout(t.Context(), lab.Patience(10*time.Second))
		c, err := client.Dial(ctx, "tcp", vip+":80")
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	works := func() (broken int) {
		for _, c := range conns {
			if err := echoes(c); err != nil {
				broken++
			}
		}
		return broken
	}
	if broken := works(); broken > 0 {
		t.Fatalf("%d of %d connections do not work", broken, flows)
	}
	before := placesOfFlows(directors)
	daemons[1].Signal(syscall.SIGKILL)
	directors[1].Run("ip", "link", "set", "eth0", "down")
	router.Run("ip", "nexthop", "replace", "id", "10", "group", "1/3", "type", "resilient", "buckets", "96")
	broken := works()
	after := placesOfFlows([]*lab.Host{directors[0], directors[2]})

	var on [3]int // flows of each director
	var moved, others, elsewhere int
	for flow, was := range before {
		on[slices.Index(directors, was.director)]++
		is := after[flow]
		if is.director != was.director {
			moved++
			if was.director != directors[1] {
				others++
			}
		}
		if is.server != was.server {
			elsewhere++
		}
	}
	t.Logf("%d flows over three directors, %d, %d and %d; the second dies: %d come to another director, %d of these were not its own; %d go to another server, %d are broken",
		len(before), on[0], on[1], on[2], moved, others, elsewhere, broken)
	if len(before) != flows || slices.Contains(on[:], 0) || moved != on[1] || others+elsewhere+broken > 0 {
		t.Error("not only the flows of the dead director move, or one is lost")
	}
}

// A flowPlace is the director and the server of a flow.
type flowPlace struct {
	director *lab.Host
	server   string
}

// placesOfFlows returns, by the client's address and port, which director has a flow, and to which server it sends it.
func placesOfFlows(directors []*lab.Host) map[string]flowPlace {
	all := map[string]flowPlace{}
	for _, h := range directors {
		for line := range strings.Lines(h.Run("ipvsadm", "-Lcn")) {
			if f := strings.Fields(line); len(f) == 6 && f[0] == "TCP" {
				all[f[3]] = flowPlace{h, f[5]}
			}
		}
	}
	return all
}

// echoes sends a byte on a connection to echo, and waits for it to come back.
func echoes(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(lab.Patience(5 * time.Second))); err != nil {
		return err
	}
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1))
	return err
}
