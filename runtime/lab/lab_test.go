package lab_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"go.uber.org/goleak"

	"keepc/runtime/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(lab.Main(m)) }

// pair is two hosts on one segment.
func pair(t *testing.T) (n *lab.Net, a, b *lab.Host) {
	t.Helper()
	n = lab.New(t)
	lan := n.Segment("lan")
	a = n.Host("a", lab.On(lan, "eth0", "10.0.0.5/24", "fd00::5/64"))
	b = n.Host("b", lab.On(lan, "eth0", "10.0.0.6/24", "fd00::6/64"))
	return n, a, b
}

func TestHostsReachEachOther(t *testing.T) {
	_, a, b := pair(t)
	a.Run("ping", "-c1", "-W5", "10.0.0.6")
	b.Run("ping", "-c1", "-W5", "fd00::5")
	if got := strings.TrimSpace(a.Run("hostname")); got != "a" {
		t.Errorf("the host name is %q, want a", got)
	}
	if out := a.Run("ls", "/sys/class/net"); !strings.Contains(out, "eth0") {
		t.Errorf("/sys/class/net shows another host's interfaces: %q", out)
	}
	if _, err := a.Try("ping", "-c1", "-W1", "10.0.0.99"); err == nil || !strings.Contains(err.Error(), "a: ping -c1") {
		t.Errorf("the error of a failed command is %v, want host and command in it", err)
	}
}

func TestMulticastPasses(t *testing.T) {
	_, a, b := pair(t)
	heard := b.Capture("eth0")
	// Nobody has joined the group: a snooping switch would not forward it.
	a.Run("ip", "route", "add", "224.0.0.0/4", "dev", "eth0")
	conn, err := a.Dial(t.Context(), "udp4", "224.0.0.18:1985")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	frame := heard.Find("the datagram", 5*time.Second, func(f lab.Frame) bool {
		ip, ok := f.Packet().NetworkLayer().(*layers.IPv4)
		return ok && ip.DstIP.String() == "224.0.0.18"
	})
	if d := time.Since(frame.Time); d < 0 || d > time.Minute {
		t.Errorf("the frame's time stamp is %v off", d)
	}
	lab.NeedPrograms(t, "tshark")
	out := a.Run("tshark", "-r", heard.File(), "-Y", "udp.dstport == 1985", "-T", "fields", "-e", "ip.dst")
	if !strings.Contains(out, "224.0.0.18") {
		t.Errorf("tshark does not find the datagram in the file: %q", out)
	}
}

func TestLinkDownIsLossOfCarrier(t *testing.T) {
	_, a, _ := pair(t)
	a.Link("eth0").Down()
	if out := a.Run("ip", "link", "show", "eth0"); !strings.Contains(out, "NO-CARRIER") || !strings.Contains(out, ",UP") {
		t.Errorf("with the cable out, want NO-CARRIER on an interface that is up:\n%s", out)
	}
	if _, err := a.Try("ping", "-c1", "-W1", "10.0.0.6"); err == nil {
		t.Error("ping passes an unplugged cable")
	}
	a.Link("eth0").Up()
	if out := a.Run("ip", "link", "show", "eth0"); strings.Contains(out, "NO-CARRIER") {
		t.Errorf("with the cable in, the carrier is still missing:\n%s", out)
	}
	a.Run("ping", "-c1", "-W5", "10.0.0.6")
}

func TestIsolatedLinksHearOnlyTheRest(t *testing.T) {
	n := lab.New(t)
	lan := n.Segment("lan")
	a := n.Host("a", lab.On(lan, "eth0", "10.0.0.5/24"))
	b := n.Host("b", lab.On(lan, "eth0", "10.0.0.6/24"))
	c := n.Host("c", lab.On(lan, "eth0", "10.0.0.9/24"))
	a.Link("eth0").Isolate(true)
	b.Link("eth0").Isolate(true)
	if _, err := a.Try("ping", "-c1", "-W1", "10.0.0.6"); err == nil {
		t.Error("isolated links reach each other")
	}
	c.Run("ping", "-c1", "-W5", "10.0.0.5")
	c.Run("ping", "-c1", "-W5", "10.0.0.6")
	a.Link("eth0").Isolate(false)
	a.Run("ping", "-c1", "-W5", "10.0.0.6")
}

func TestAddresses(t *testing.T) {
	_, a, _ := pair(t)
	vip := netip.MustParseAddr("10.0.0.3")
	if a.HasAddr(vip) {
		t.Error("the host has an address nobody gave it")
	}
	a.AddAddr("eth0", "10.0.0.3/24")
	if !a.HasAddr(vip) {
		t.Errorf("the address is missing among %v", a.Addrs("eth0"))
	}
	a.DelAddr("eth0", "10.0.0.3/24")
	if a.HasAddr(vip) {
		t.Error("the address is still there")
	}
	a.Sysctl("net.ipv4.conf.all.arp_ignore", "1")
	if got := strings.TrimSpace(a.Run("cat", "/proc/sys/net/ipv4/conf/all/arp_ignore")); got != "1" {
		t.Errorf("arp_ignore is %s after it was set to 1", got)
	}
}

func TestHTTP(t *testing.T) {
	_, a, b := pair(t)
	stop := b.Serve("10.0.0.6:80", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("web"))
	}))
	ctx, cancel := context.WithTimeout(t.Context(), lab.Patience(5*time.Second))
	defer cancel()
	status, body, err := a.HTTPGet(ctx, "http://10.0.0.6/")
	if status != http.StatusOK || body != "web" || err != nil {
		t.Errorf("got %d %q %v", status, body, err)
	}
	stop()
	if _, _, err := a.HTTPGet(ctx, "http://10.0.0.6/"); err == nil {
		t.Error("a stopped server answers")
	}
}

func TestProcesses(t *testing.T) {
	n, a, b := pair(t)
	p := a.Start("sh", "-c", "echo ready; mkdir /run/mine; sleep 1000")
	p.WaitLog("ready", 5*time.Second)
	lab.Eventually(t, 5*time.Second, "the directory", func() bool {
		_, err := a.Try("test", "-d", "/run/mine")
		return err == nil
	})
	if _, err := b.Try("test", "-d", "/run/mine"); err == nil {
		t.Error("two hosts share /run")
	}
	p.Signal(syscall.SIGTERM)
	if err := p.Wait(5 * time.Second); err == nil {
		t.Error("a process that a signal ended reports success")
	}

	child := a.Start("sleep", "1000").Pid()
	a.Run("sh", "-c", "setsid sleep 1000 >out 2>&1 & echo $! >pid")
	text, err := os.ReadFile(filepath.Join(a.Dir(), "pid"))
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || syscall.Kill(orphan, 0) != nil {
		t.Fatalf("the orphan %q does not run: %v", text, err)
	}
	n.Close()
	for _, pid := range []int{child, orphan} {
		if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil && string(comm) == "sleep\n" && !zombie(pid) {
			t.Errorf("Close leaves process %d behind", pid)
		}
	}
}

// zombie reports whether a process has ended and has not been waited for.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func TestDoStaysInside(t *testing.T) {
	_, a, _ := pair(t)
	err := a.Do(func() error { t.Log("inside"); return nil })
	if err != nil {
		t.Fatal(err)
	}
	l, err := a.Listen("tcp", "10.0.0.5:99")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := a.Dial(t.Context(), "tcp", "10.0.0.5:99")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}
