package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// A clientView is a service with two real servers, and how many of a client's connections reach the first and the
// second one.
type clientView struct {
	service, first, second string
	held                   bool // connections stay open until all are made
	want                   func(first, second int) bool
}

var clientViews = []clientView{
	{"lb_algo rr", "weight 1", "weight 1", false, func(a, b int) bool { return a == b }},
	{"lb_algo wrr", "weight 3", "weight 1", false, func(a, b int) bool { return a == 3*b }},
	{"lb_algo fo", "weight 3", "weight 1", false, func(_, b int) bool { return b == 0 }},
	{"lb_algo sh", "weight 1", "weight 1", false, func(a, b int) bool { return a == 0 || b == 0 }},
	{"lb_algo mh", "weight 1", "weight 1", false, func(a, b int) bool { return a == 0 || b == 0 }},
	{"lb_algo dh", "weight 1", "weight 1", false, func(a, b int) bool { return a == 0 || b == 0 }},
	{"lb_algo rr\n persistence_timeout 60", "weight 1", "weight 1", false, func(a, b int) bool { return a == 0 || b == 0 }},
	{"lb_algo rr", "weight 1", "weight 0", false, func(_, b int) bool { return b == 0 }},
	{"lb_algo lc", "weight 1", "weight 1", true, func(a, b int) bool { return a == b }},
	{"lb_algo wlc", "weight 3", "weight 1", true, func(a, b int) bool { return a == 3*b }},
	{"lb_algo twos", "weight 1", "weight 1", true, func(a, b int) bool { return min(a, b) >= 1 }},
	{"lb_algo wlc", "weight 9\n uthreshold 4", "weight 1", true, func(a, _ int) bool { return a == 4 }},
	{"lb_algo ovf", "weight 7", "weight 6", true, func(a, b int) bool { return a == 8 && b == 4 }}, // the first beyond its weight overflows
}

// TestClientView checks what a client sees of a director: schedulers spread its connections as their names say, it stays
// with one server, one that has enough connections gets no more, a drained one no new ones, and the sorry server
// answers while the quorum is lost.
func TestClientView(t *testing.T) {
	t.Parallel()
	needInterop(t)
	lab.NeedIPVS(t)
	lab.NeedPrograms(t, "ip", "ipvsadm", "modprobe")
	n := lab.New(t)
	in, out := n.Segment("in"), n.Segment("out")
	director := n.Host("lb01", lab.On(in, "eth0", "10.0.0.5/24"), lab.On(out, "eth1", "10.1.0.5/24", "10.1.0.3/32"))
	client := n.Host("client", lab.On(out, "eth0", "10.1.0.100/24"))
	director.Run("ip", "link", "set", "lo", "up")
	director.Sysctl("net.ipv4.ip_forward", "1")
	for i, name := range []string{"first", "second", "sorry"} {
		h := n.Host(name, lab.On(in, "eth0", fmt.Sprintf("10.0.0.%d/24", 7+i)))
		h.Run("ip", "route", "add", "default", "via", "10.0.0.5")
		answerName(t, h, name)
	}
	door := &doorman{host: director}
	defer door.keep(nil)
	if err := door.keep([]int{labPort}); err != nil {
		t.Fatal(err)
	}

	const firstPort = 8001
	var b strings.Builder
	service := func(port int, lines string, servers ...string) {
		fmt.Fprintf(&b, "virtual_server 10.1.0.3 %d {\n protocol TCP\n lb_kind NAT\n %s\n", port, lines)
		for i, s := range servers {
			fmt.Fprintf(&b, " real_server 10.0.0.%d 80 {\n %s\n }\n", 7+i, s)
		}
		b.WriteString("}\n")
	}
	views := slices.DeleteFunc(slices.Clone(clientViews), func(v clientView) bool {
		scheduler := strings.Fields(v.service)[1]
		_, err := director.Try("modprobe", "ip_vs_"+scheduler)
		if err != nil {
			t.Logf("the kernel has no scheduler %s", scheduler)
		}
		return err != nil
	})
	for i, v := range views {
		service(firstPort+i, v.service, v.first, v.second)
	}
	check := fmt.Sprintf("TCP_CHECK {\n connect_ip 127.0.0.1\n connect_port %d\n delay_loop 1\n retry 0\n warmup 0\n }", labPort)
	sorryPort := firstPort + len(views)
	service(sorryPort, "lb_algo rr\n sorry_server 10.0.0.9 80", check, check)
	conf := filepath.Join(director.Dir(), "keepalived.conf")
	if err := os.WriteFile(conf, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := keepcArgs(t, "run", conf)
	director.Start(args[0], args[1:]...)
	lab.Eventually(t, 30*time.Second, "the services", func() bool {
		return strings.Count(director.Run("ipvsadm", "-Sn"), "-r 10.0.0.8:80") >= len(views)
	})

	const connections = 12
	// sees counts the servers that a client's connections reach.
	sees := func(port int, held bool) map[string]int {
		t.Helper()
		seen := map[string]int{}
		for range connections {
			ctx, cancel := context.WithTimeout(t.Context(), lab.Patience(5*time.Second))
			c, err := client.Dial(ctx, "tcp", fmt.Sprintf("10.1.0.3:%d", port))
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			name, err := bufio.NewReader(c).ReadString('\n')
			if err != nil {
				t.Error(err)
			}
			seen[strings.TrimSpace(name)]++
			if held {
				defer c.Close()
			} else {
				_ = c.Close()
			}
		}
		return seen
	}
	for i, v := range views {
		seen := sees(firstPort+i, v.held)
		if a, b := seen["first"], seen["second"]; a+b != connections || !v.want(a, b) {
			t.Errorf("%s, %s and %s: a client sees %v", v.service, v.first, v.second, seen)
		}
	}
	only := func(when string, port int, names ...string) {
		t.Helper()
		for name := range sees(port, false) {
			if !slices.Contains(names, name) {
				t.Errorf("%s: a client sees %s", when, name)
			}
		}
	}
	verb := func(words ...string) {
		line := keepcArgs(t, words...)
		director.Run(line[0], line[1:]...)
	}
	verb("drain", "10.0.0.7")
	only("drained", firstPort, "second")
	verb("enable", "10.0.0.7")
	if seen := sees(firstPort, false); seen["first"] == 0 {
		t.Errorf("enabled again: a client sees %v", seen)
	}
	only("all up", sorryPort, "first", "second")
	for _, open := range []bool{false, true} {
		var ports []int
		if open {
			ports = []int{labPort}
		}
		if err := door.keep(ports); err != nil {
			t.Fatal(err)
		}
		lab.Eventually(t, 20*time.Second, "the checks", func() bool {
			return strings.Contains(director.Run("ipvsadm", "-Sn"), fmt.Sprintf("-a -t 10.1.0.3:%d -r 10.0.0.9:80", sorryPort)) != open
		})
		if open {
			only("all back", sorryPort, "first", "second")
		} else {
			only("all down", sorryPort, "sorry")
		}
	}
}

// answerName tells each connection to port 80 of a host a name.
func answerName(t *testing.T, h *lab.Host, name string) {
	t.Helper()
	l, err := h.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, name+"\n")
				_, _ = io.Copy(io.Discard, c) // until the client closes
			}()
		}
	}()
}
