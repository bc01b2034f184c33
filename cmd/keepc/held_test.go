package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
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

// edits are files of a director whose clients stay connected to its first server: each changes something of the
// previous one.
var edits = []struct{ what, service, held, other string }{
	{"the start", "lb_algo rr", "weight 2", "weight 1"},
	{"weights", "lb_algo rr", "weight 70000", "weight 3"},
	{"another scheduler", "lb_algo wlc", "weight 5", "weight 3"},
	{"a scheduler that hashes", "lb_algo mh", "weight 5", "weight 3"},
	{"its flags", "lb_algo mh; mh-port; mh-fallback", "weight 5", "weight 3"},
	{"persistence", "lb_algo sh; sh-port; persistence_timeout 60", "weight 5", "weight 3"},
	{"its length and its clients", "lb_algo sh; persistence_timeout 90; persistence_granularity 255.255.255.0", "weight 5", "weight 3"},
	{"no persistence", "lb_algo lc", "weight 5", "weight 3"},
	{"thresholds", "lb_algo lc", "weight 5; uthreshold 100; lthreshold 50", "weight 3; uthreshold 9"},
	{"a sorry server, inhibition and a quorum", "lb_algo lc; sorry_server 10.0.0.9 80; sorry_server_inhibit; inhibit_on_failure; quorum 2", "weight 5", "weight 3"},
	{"timeouts", "lb_algo rr; lvs_timeouts", "weight 5", "weight 3"},
	{"the other server", "lb_algo rr", "weight 5", ""},
	{"weight 0", "lb_algo rr", "weight 0", "weight 3"},
	{"weight 1 again", "lb_algo rr", "weight 1", "weight 3"},
}

// text is the file for a method.
func (e edit) text(method string) string {
	var b strings.Builder
	service, timeouts := strings.CutSuffix(e.service, "; lvs_timeouts")
	if timeouts {
		b.WriteString("global_defs {\n\tlvs_timeouts tcp 1000 tcpfin 100 udp 10\n}\n")
	}
	lines := func(text string) string { return "\t" + strings.ReplaceAll(text, "; ", "\n\t") + "\n" }
	fmt.Fprintf(&b, "virtual_server 10.0.0.3 80 {\n\tprotocol TCP\n\tlb_kind %s\n%s\treal_server 10.0.0.7 80 {\n%s\t}\n", method, lines(service), lines(e.held))
	if e.other != "" {
		fmt.Fprintf(&b, "\treal_server 10.0.0.8 80 {\n%s\t}\n", lines(e.other))
	}
	b.WriteString("}\n")
	return b.String()
}

type edit struct{ what, service, held, other string }

// TestHeldConnections checks that no connection is lost while everything that a file says about its service is edited,
// nor by keepc drain, enable and weight: with NAT, direct routing and tunnels.
func TestHeldConnections(t *testing.T) {
	t.Parallel()
	needInterop(t)
	lab.NeedIPVS(t)
	lab.NeedPrograms(t, "ip", "ipvsadm")
	for _, method := range []string{"NAT", "DR", "TUN"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			heldThrough(t, method)
		})
	}
}

func heldThrough(t *testing.T, method string) {
	n := lab.New(t)
	lan := n.Segment("lan")
	director := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.5/24"))
	web, idle := n.Host("web01", lab.On(lan, "eth0", "10.0.0.7/24")), n.Host("web02", lab.On(lan, "eth0", "10.0.0.8/24"))
	client := n.Host("client", lab.On(lan, "eth0", "10.0.0.100/24"))
	director.Run("ip", "addr", "add", "10.0.0.3/32", "dev", "eth0")
	director.Sysctl("net.ipv4.ip_forward", "1")
	director.Sysctl("net.ipv4.conf.all.send_redirects", "0")
	director.Sysctl("net.ipv4.conf.eth0.send_redirects", "0")
	for _, h := range []*lab.Host{web, idle} {
		h.Sysctl("net.ipv4.conf.all.arp_ignore", "1")
		h.Sysctl("net.ipv4.conf.all.arp_announce", "2")
		switch method {
		case "NAT": // answers return through the director
			h.Run("ip", "route", "add", "10.0.0.100/32", "via", "10.0.0.5")
		case "DR":
			h.Run("ip", "addr", "add", "10.0.0.3/32", "dev", "lo")
		case "TUN":
			h.Run("modprobe", "ipip")
			h.Run("ip", "link", "set", "tunl0", "up")
			h.Run("ip", "addr", "add", "10.0.0.3/32", "dev", "tunl0")
			h.Sysctl("net.ipv4.conf.all.rp_filter", "0")
			h.Sysctl("net.ipv4.conf.tunl0.rp_filter", "0")
		}
		echo(t, h)
	}
	conf := filepath.Join(director.Dir(), "keepalived.conf")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := edit(edits[0])
	first.other = "" // all connections are to the server that stays
	write(first.text(method))
	args := keepcArgs(t, "run", conf)
	p := director.Start(args[0], args[1:]...)
	lab.Eventually(t, 20*time.Second, "the service", func() bool { return strings.Contains(director.Run("ipvsadm", "-Sn"), "-r 10.0.0.7:80") })

	const clients = 8
	var conns []net.Conn
	for range clients {
		ctx, cancel := context.WithTimeout(t.Context(), lab.Patience(10*time.Second))
		c, err := client.Dial(ctx, "tcp", "10.0.0.3:80")
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	works := func(when string) {
		t.Helper()
		for i, c := range conns {
			word := fmt.Sprintf("%s %d\n", when, i)
			_ = c.SetDeadline(time.Now().Add(lab.Patience(10 * time.Second)))
			if _, err := io.WriteString(c, word); err != nil {
				t.Errorf("%s: %v", when, err)
				continue
			}
			if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != word {
				t.Errorf("%s: connection %d: %q, %v", when, i, line, err)
			}
		}
	}
	works("at first")
	for _, e := range edits {
		done := strings.Count(p.Log(), " done in ")
		write(edit(e).text(method))
		p.Signal(syscall.SIGHUP)
		lab.Eventually(t, 20*time.Second, "the reload: "+e.what, func() bool { return strings.Count(p.Log(), " done in ") > done })
		works(e.what)
	}
	for _, words := range [][]string{{"drain", "10.0.0.7"}, {"weight", "10.0.0.7:80", "9", "--service", "tcp 10.0.0.3:80"}, {"enable", "10.0.0.7"}} {
		line := keepcArgs(t, words...)
		text := director.Run(line[0], line[1:]...)
		if !strings.Contains(text, "10.0.0.7:80 of tcp 10.0.0.3:80: weight ") || words[0] != "enable" && !strings.Contains(text, fmt.Sprintf("; %d active connections", clients)) {
			t.Errorf("keepc %s: %s", strings.Join(words, " "), text)
		}
		works(words[0])
	}
	// A drained server is free when its clients have gone.
	line := keepcArgs(t, "drain", "10.0.0.7", "--wait", "--timeout", "1s")
	if text, err := director.Try(line[0], line[1:]...); err == nil || !strings.Contains(text, "8 active connections after 1s") {
		t.Errorf("with clients: %v\n%s", err, text)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	line = keepcArgs(t, "drain", "10.0.0.7", "--wait", "--timeout", "1m")
	if text, err := director.Try(line[0], line[1:]...); err != nil || !strings.Contains(text, "; 0 active connections") {
		t.Errorf("without clients: %v\n%s", err, text)
	}
	p.Stop()
	if left := director.Run("ipvsadm", "-Sn"); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// echo answers on port 80 of all addresses of a host with what it receives.
func echo(t *testing.T, h *lab.Host) {
	t.Helper()
	l, err := h.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	var open []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open = append(open, c)
			go func() { _, _ = io.Copy(c, c) }() // ends with the connection
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		for _, c := range open {
			_ = c.Close()
		}
	})
}

// TestHashAlike checks that directors with the same file send the same flows to the same servers with mh, even if one
// of them has seen servers fail and recover: of 800 flows none goes to a different server.
func TestHashAlike(t *testing.T) {
	t.Parallel()
	needInterop(t)
	lab.NeedIPVS(t)
	lab.NeedPrograms(t, "ip", "ipvsadm")
	var text strings.Builder
	text.WriteString("virtual_server 10.0.0.3 80 {\n\tprotocol TCP\n\tlb_kind NAT\n\tlb_algo mh\n\tmh-port\n")
	const servers, flows = 8, 800
	for i := range servers {
		fmt.Fprintf(&text, "\treal_server 10.0.0.%d 80 {\n\t\tweight %d\n\t\tTCP_CHECK {\n\t\t\tconnect_ip 127.0.0.1\n\t\t\tconnect_port %d\n\t\t\tconnect_timeout 60\n"+
			"\t\t\tdelay_loop 1\n\t\t\tretry 0\n\t\t\twarmup 0\n\t\t}\n\t}\n", 10+i, 1+i%3, labPort+i)
	}
	text.WriteString("}\n")
	n := lab.New(t)
	var chosen [2][]string
	for d := range 2 {
		h := n.Host(fmt.Sprintf("lb%d", d), lab.On(n.Segment(fmt.Sprintf("lan%d", d)), "eth0", "10.0.0.1/24"))
		h.Run("ip", "link", "set", "lo", "up")
		h.Run("ip", "addr", "add", "10.0.0.3/32", "dev", "lo")
		conf := filepath.Join(h.Dir(), "keepalived.conf")
		if err := os.WriteFile(conf, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		var all []int
		for i := range servers {
			all = append(all, labPort+i)
		}
		door := &doorman{host: h}
		defer door.keep(nil)
		if err := door.keep(all); err != nil {
			t.Fatal(err)
		}
		args := keepcArgs(t, "run", conf)
		p := h.Start(args[0], args[1:]...)
		up := func(n int) {
			t.Helper()
			lab.Eventually(t, 30*time.Second, fmt.Sprintf("%d servers", n), func() bool {
				out, err := h.Try("ipvsadm", "-Sn")
				return err == nil && strings.Count(out, "-a ") == n
			})
		}
		up(servers)
		if d == 1 { // this director sees failures
			for _, gone := range [][]int{{2, 5}, {0}, {1, 3, 7}} {
				if err := door.keep(slices.DeleteFunc(slices.Clone(all), func(p int) bool { return slices.Contains(gone, p-labPort) })); err != nil {
					t.Fatal(err)
				}
				up(servers - len(gone))
				if err := door.keep(all); err != nil {
					t.Fatal(err)
				}
				up(servers)
			}
		}
		// What a client on the host itself sends is scheduled, and goes nowhere; the connection table shows where it
		// would go.
		err := h.Do(func() error {
			for f := range flows {
				fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
				if err != nil {
					return err
				}
				local := &syscall.SockaddrInet4{Port: 30000 + f, Addr: [4]byte{10, 0, 0, 1}}
				if err := syscall.Bind(fd, local); err != nil {
					return err
				}
				_ = syscall.Connect(fd, &syscall.SockaddrInet4{Port: 80, Addr: [4]byte{10, 0, 0, 3}}) // in progress
				defer syscall.Close(fd)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(h.Run("ipvsadm", "-Lcn")) {
			if f := strings.Fields(line); len(f) == 6 && f[0] == "TCP" {
				chosen[d] = append(chosen[d], f[3]+" "+f[5])
			}
		}
		slices.Sort(chosen[d])
		p.Stop()
	}
	differ := 0
	for _, c := range chosen[1] {
		if !slices.Contains(chosen[0], c) {
			differ++
		}
	}
	if len(chosen[0]) != flows || len(chosen[1]) != flows || differ > 0 {
		t.Errorf("of %d and %d flows %d go elsewhere", len(chosen[0]), len(chosen[1]), differ)
	}
	t.Logf("of %d flows %d go elsewhere", len(chosen[1]), differ)
}
