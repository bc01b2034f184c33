package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"keepc/runtime/lab"
)

// TestAdoptingStart checks that what a killed director left is taken over as it is. No address is touched, the peer
// stays BACKUP, and an advertisement that would have been due is missing for less than an interval.
func TestAdoptingStart(t *testing.T) {
	t.Parallel()
	for _, before := range []program{keepalived, keepc} {
		t.Run(string(before), func(t *testing.T) {
			t.Parallel()
			if before == keepalived {
				lab.NeedPrograms(t, "keepalived")
			}
			n := lab.New(t)
			lan := n.Segment("lan")
			h, peer := n.Host("lb01", lab.On(lan, "eth0", "192.0.2.1/24")), n.Host("lb02", lab.On(lan, "eth0", "192.0.2.2/24"))
			write := func(h *lab.Host, priority int) string {
				name := filepath.Join(h.Dir(), "keepalived.conf")
				text := fmt.Sprintf("global_defs {\n\trouter_id %s\n\tenable_script_security\n}\nvrrp_script web {\n\tscript /bin/true\n\tuser root\n\tinterval 1\n}\n"+
					"vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority %d\n\tadvert_int 1\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t\t192.0.2.11/32 dev eth0\n\t}\n"+
					"\tvirtual_routes {\n\t\t198.51.100.0/24 via 192.0.2.2 dev eth0\n\t}\n\ttrack_script {\n\t\tweb\n\t}\n}\n", h.Name(), priority)
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return name
			}
			conf, other := write(h, 150), write(peer, 100)
			start := func(p program) *lab.Process {
				if p == keepalived {
					return h.Start("keepalived", lab.KeepalivedFlags("/run", conf, "-P")...)
				}
				args := keepcArgs(t, "run", conf)
				return h.Start(args[0], args[1:]...)
			}
			first := start(before)
			args := keepcArgs(t, "run", other)
			second := peer.Start(args[0], args[1:]...)
			lab.Eventually(t, 15*time.Second, "lb01 is MASTER", func() bool { return len(h.Addrs("eth0")) >= 4 })
			wire := peer.Capture("eth0")
			from := func(since time.Time) (all []advert) {
				lab.Eventually(t, 10*time.Second, "lb01 advertises", func() bool {
					all = slices.DeleteFunc(advertsIn(wire, since), func(a advert) bool { return a.from.String() != "192.0.2.1" })
					return len(all) > 0
				})
				return all
			}
			monitor := h.Start("ip", "monitor", "address", "route")
			elected := strings.Count(second.Log(), "VI_1 MASTER") // at the start it may have been the first
			last := from(time.Now())[0].at
			killed := time.Now()
			killAll(first)
			now := start(keepc)
			now.WaitLog("VI_1 MASTER", 10*time.Second)
			next := from(killed)[0].at
			time.Sleep(2500 * time.Millisecond) // resyncs, and the peer would have taken over by now
			t.Logf("%s killed, keepc started: %v from one advertisement to the next", before, next.Sub(last).Round(time.Millisecond))
			if !strings.Contains(now.Log(), "its addresses are here already") {
				t.Errorf("it was elected:\n%s", now.Log())
			}
			if strings.Count(second.Log(), "VI_1 MASTER") != elected {
				t.Errorf("the peer became MASTER:\n%s", second.Log())
			}
			monitor.Signal(syscall.SIGTERM)
			<-monitor.Done()
			if moved := monitor.Log(); strings.Contains(moved, "192.0.2.1") || strings.Contains(moved, "198.51.100") {
				t.Errorf("the kernel's state was touched:\n%s", moved)
			}
			if gap := next.Sub(last); gap > 2*time.Second && os.Getenv("KEEPC_BENCH") != "" {
				t.Errorf("%v from one advertisement to the next, want less than two intervals", gap)
			}
		})
	}
}

// killAll kills a daemon and its children silently: a parent would have time to restart a child, an orphan would say
// farewell.
func killAll(p *lab.Process) {
	_ = syscall.Kill(p.Pid(), syscall.SIGSTOP) // it may have ended
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.Pid()))
	for _, child := range append(strings.Fields(string(children)), strconv.Itoa(p.Pid())) {
		if pid, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	<-p.Done()
}

// TestTakeOver checks that --take-over ends a running keepalived and takes its place under traffic, and the way back,
// where keepalived clears the address and is elected again.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived")
	n := lab.New(t)
	lan := n.Segment("lan")
	h, peer, client := n.Host("lb01", lab.On(lan, "eth0", "192.0.2.1/24")), n.Host("lb02", lab.On(lan, "eth0", "192.0.2.2/24")), n.Host("client", lab.On(lan, "eth0", "192.0.2.9/24"))
	daemon := func(h *lab.Host, priority int, p program, flags ...string) *lab.Process {
		conf := filepath.Join(h.Dir(), "keepalived.conf")
		text := fmt.Sprintf("vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority %d\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\n", priority)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if p == keepalived {
			return h.Start("keepalived", lab.KeepalivedFlags("/run", conf, "-P", "-D")...)
		}
		args := append(keepcArgs(t, "run", conf), flags...)
		return h.Start(args[0], args[1:]...)
	}
	vip := netip.MustParseAddr("192.0.2.10")
	holds := func(h *lab.Host) {
		t.Helper()
		lab.Eventually(t, 20*time.Second, h.Name()+" holds the address", func() bool { return h.HasAddr(vip) })
	}
	theirs := daemon(h, 150, keepalived)
	holds(h)
	second := daemon(peer, 100, keepc)
	second.WaitLog("VI_1 BACKUP", 10*time.Second)

	traffic := echoing(t, client, h, peer)
	monitor := h.Start("ip", "monitor", "address")
	ours := daemon(h, 150, keepc, "--take-over")
	ours.WaitLog("VI_1 MASTER", 10*time.Second)
	<-theirs.Done()
	time.Sleep(4 * time.Second)
	t.Logf("keepalived to keepc: %s", traffic())
	monitor.Signal(syscall.SIGTERM)
	<-monitor.Done()
	if moved := monitor.Log(); moved != "" {
		t.Errorf("addresses were touched:\n%s", moved)
	}
	for _, says := range []string{fmt.Sprintf("ended keepalived (process %d) and took over what it left", theirs.Pid()), "its addresses are here already"} {
		if !strings.Contains(ours.Log(), says) {
			t.Errorf("it does not say %q:\n%s", says, ours.Log())
		}
	}
	if strings.Contains(second.Log(), "VI_1 MASTER") {
		t.Errorf("the peer became MASTER:\n%s", second.Log())
	}

	traffic = echoing(t, client, h, peer)
	ours.Stop()
	holds(peer)
	theirs = daemon(h, 150, keepalived)
	theirs.WaitLog("Entering MASTER STATE", 15*time.Second)
	holds(h)
	time.Sleep(time.Second)
	t.Logf("keepc to keepalived, by a farewell: %s", traffic())
}

// echoing sends 1,000 datagrams a second from a host to 192.0.2.10, which every server sends back. The returned
// function ends that and returns what was lost.
func echoing(t *testing.T, client *lab.Host, servers ...*lab.Host) (end func() string) {
	t.Helper()
	var all []net.PacketConn
	var workers sync.WaitGroup
	for _, h := range servers {
		var c net.PacketConn
		lab.Eventually(t, 5*time.Second, "the socket of an earlier call to be gone", func() bool {
			return h.Do(func() (err error) { c, err = net.ListenPacket("udp4", "0.0.0.0:7777"); return err }) == nil
		})
		all = append(all, c)
		p := ipv4.NewPacketConn(c) // the answer is sent from the address that was asked
		if err := p.SetControlMessage(ipv4.FlagDst, true); err != nil {
			t.Fatal(err)
		}
		workers.Go(func() {
			b := make([]byte, 64)
			for {
				n, cm, from, err := p.ReadFrom(b)
				if err != nil {
					return
				}
				_, _ = p.WriteTo(b[:n], &ipv4.ControlMessage{Src: cm.Dst}, from) // it may have gone meanwhile
			}
		})
	}
	conn, err := client.Dial(t.Context(), "udp4", "192.0.2.10:7777")
	if err != nil {
		t.Fatal(err)
	}
	var sent, back atomic.Int64
	done := make(chan struct{})
	workers.Go(func() {
		b := make([]byte, 64)
		for {
			if _, err := conn.Read(b); errors.Is(err, net.ErrClosed) {
				return
			} else if err == nil {
				back.Add(1)
			}
		}
	})
	var sender sync.WaitGroup
	sender.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if _, err := conn.Write([]byte("hello")); err == nil {
					sent.Add(1)
				}
			case <-done:
				return
			}
		}
	})
	return func() string {
		close(done)
		sender.Wait()
		time.Sleep(200 * time.Millisecond)
		_ = conn.Close() // which ends its reader
		for _, c := range all {
			_ = c.Close()
		}
		workers.Wait()
		return fmt.Sprintf("%d of %d datagrams lost", sent.Load()-back.Load(), sent.Load())
	}
}
