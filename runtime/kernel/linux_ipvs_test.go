package kernel_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/lab"
)

// TestModuleIPVS loads and unloads ip_vs. It comes first, and runs in its own process, because moby/ipvs never forgets
// the number that the kernel gave to IPVS when a process first asked.
func TestModuleIPVS(t *testing.T) {
	lab.NeedIPVS(t)
	const child = "KEEPC_TEST_MODULE"
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestModuleIPVS$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		if t.Logf("%s", out); err != nil {
			t.Fatal(err)
		}
		return
	}

	const unload = "modprobe -ra $(lsmod | grep -o '^ip_vs_[a-z]*') ip_vs"
	h := lab.New(t).Host("lb01")
	k := open(t, h)
	h.Run("sh", "-c", unload)
	// Neither this process nor the kernel, which also loads requested families, may find modprobe.
	helper, path := h.Run("cat", "/proc/sys/kernel/modprobe"), os.Getenv("PATH")
	h.Sysctl("kernel.modprobe", "/none")
	t.Setenv("PATH", "")
	_, err := kernel.List(k, state.ServiceKind)
	h.Sysctl("kernel.modprobe", strings.TrimSpace(helper))
	t.Setenv("PATH", path)
	if !errors.Is(err, kernel.ErrNoIPVS) {
		t.Fatalf("without the module: %v", err)
	}
	check(t, kernel.Set(k, web4, state.Service{Scheduler: "rr"})) // loads it
	expect(t, k, table{Services: map[ir.ServiceKey]state.Service{web4: {Scheduler: "rr"}}})

	check(t, kernel.Delete(k, web4))
	h.Run("sh", "-c", unload)
	_, _ = kernel.List(k, state.ServiceKind) // finds out
	if _, err := kernel.List(k, state.ServiceKind); err == nil || !strings.Contains(err.Error(), "restart keepc") {
		t.Errorf("after the module was loaded anew: %v", err)
	}
}

func TestLinuxIPVS(t *testing.T) {
	lab.NeedIPVS(t)
	for _, b := range ipvsBehaviour {
		t.Run(b.name, func(t *testing.T) { b.test(t, open(t, lab.New(t).Host("lb01"))) })
	}
}

// TestIPVSAsKeepalived lets keepalived and this package make the same table, and compares them with ipvsadm.
func TestIPVSAsKeepalived(t *testing.T) {
	lab.NeedIPVS(t)
	lab.NeedPrograms(t, "keepalived", "ipvsadm")
	n := lab.New(t)
	theirs, ours := n.Host("theirs"), n.Host("ours")

	conf := filepath.Join(theirs.Dir(), "keepalived.conf")
	check(t, os.WriteFile(conf, []byte(`
virtual_server 10.1.0.1 80 {
    lb_algo wlc
    lb_kind NAT
    persistence_timeout 50
    protocol TCP
    real_server 10.2.0.1 8080 {
        weight 3
    }
    real_server 10.2.0.2 8080 {
        weight 65535
        uthreshold 100
        lthreshold 50
    }
}
virtual_server 10.1.0.2 53 {
    lb_algo sh
    lb_kind DR
    ops
    sh-port
    protocol UDP
    real_server 10.2.0.1 53 {
    }
}
virtual_server 2001:db8::1 80 {
    lb_algo mh
    lb_kind TUN
    persistence_timeout 300
    persistence_granularity 64
    protocol TCP
    real_server 2001:db8::9 80 {
    }
}
virtual_server fwmark 7 {
    lb_algo rr
    lb_kind DR
    persistence_timeout 3600
    persistence_granularity 255.255.255.0
    real_server 10.2.0.1 {
    }
}
virtual_server fwmark 7 inet6 {
    lb_algo wrr
    lb_kind DR
    real_server 2001:db8::9 {
    }
}
`), 0o600))
	theirs.Start("keepalived", lab.KeepalivedFlags("/run", conf, "-C", "-D")...)
	lab.Eventually(t, 10*time.Second, "keepalived's table", func() bool {
		return strings.Count(theirs.Run("ipvsadm", "-Sn"), "\n") == 11
	})

	dns := ir.ServiceKey{Protocol: ir.UDP, Addr: addr("10.1.0.2"), Port: 53}
	mark4, mark6 := ir.ServiceKey{FWMark: 7}, ir.ServiceKey{FWMark: 7, IPv6: true}
	want := table{
		Services: map[ir.ServiceKey]state.Service{
			web4:  {Scheduler: "wlc", Persistence: 50 * time.Second, Mask: ir.MaskOf(32, false)},
			dns:   {Scheduler: "sh", Flags: 0x4 | 0x10}, // one-packet, sh-port
			web6:  {Scheduler: "mh", Persistence: 5 * time.Minute, Mask: ir.MaskOf(64, true)},
			mark4: {Scheduler: "rr", Persistence: time.Hour, Mask: ir.MaskOf(24, false)},
			mark6: {Scheduler: "wrr"},
		},
		Destinations: map[state.DestinationKey]state.Destination{
			{Service: web4, Server: server("10.2.0.1:8080")}:    {Weight: 3},
			{Service: web4, Server: server("10.2.0.2:8080")}:    {Weight: 65535, UpperThreshold: 100, LowerThreshold: 50},
			{Service: dns, Server: server("10.2.0.1:53")}:       {Weight: 1, Forwarding: ir.DR},
			{Service: web6, Server: server("[2001:db8::9]:80")}: {Weight: 1, Forwarding: ir.TUN},
			{Service: mark4, Server: server("10.2.0.1:0")}:      {Weight: 1, Forwarding: ir.DR},
			{Service: mark6, Server: server("[2001:db8::9]:0")}: {Weight: 1, Forwarding: ir.DR},
		},
	}
	expect(t, open(t, theirs), want) // what this package reads of keepalived's table
	k := open(t, ours)
	set(t, k, want)
	lines := func(h *lab.Host) []string {
		saved := h.Run("ipvsadm", "-Sn") + h.Run("ipvsadm", "-Ln", "--thresholds")
		return slices.Sorted(strings.Lines(saved))
	}
	if d := cmp.Diff(lines(theirs), lines(ours)); d != "" {
		t.Errorf("-keepalived +keepc:\n%s", d)
	}
	if err := kernel.Set(k, web4, state.Service{Scheduler: "nosuch"}); err == nil || !strings.Contains(err.Error(), `no scheduler "nosuch"`) {
		t.Errorf("got %v", err)
	}
	expect(t, k, want) // and that changed nothing
}

// TestEditKeepsConnectionsIPVS edits a service and its server under a connection.
func TestEditKeepsConnectionsIPVS(t *testing.T) {
	lab.NeedIPVS(t)
	n := lab.New(t)
	lan := n.Segment("lan")
	lb01 := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.5/24", "10.0.0.3/32"))
	web1 := n.Host("web1", lab.On(lan, "eth0", "10.0.0.7/24"))
	client := n.Host("client", lab.On(lan, "eth0", "10.0.0.9/24"))
	web1.Sysctl("net.ipv4.conf.all.arp_ignore", "1")
	web1.AddAddr("lo", "10.0.0.3/32")
	echo(t, web1, "10.0.0.3:80")

	k := open(t, lb01)
	key := ir.ServiceKey{Protocol: ir.TCP, Addr: addr("10.0.0.3"), Port: 80}
	one := state.DestinationKey{Service: key, Server: server("10.0.0.7:80")}
	check(t, kernel.Set(k, key, state.Service{Scheduler: "rr"}))
	check(t, kernel.Set(k, one, state.Destination{Weight: 1, Forwarding: ir.DR}))

	conn, err := client.Dial(t.Context(), "tcp", "10.0.0.3:80")
	check(t, err)
	defer conn.Close()
	answers := bufio.NewReader(conn)
	ask := func(question string) {
		t.Helper()
		check(t, conn.SetDeadline(time.Now().Add(lab.Patience(5*time.Second))))
		_, err := fmt.Fprintln(conn, question)
		check(t, err)
		if got, err := answers.ReadString('\n'); got != question+"\n" {
			t.Fatalf("%s: got %q, %v", question, got, err)
		}
	}
	ask("before")
	for range 2 {
		check(t, kernel.Set(k, key, state.Service{Scheduler: "wlc", Persistence: time.Minute}))
		check(t, kernel.Set(k, one, state.Destination{Weight: 0, Forwarding: ir.DR}))
		ask("after")
	}
	if got := lb01.Run("ipvsadm", "-Lnc"); strings.Count(got, conn.LocalAddr().String()) != 1 {
		t.Errorf("connections:\n%s", got)
	}
}

// echo sends back what it receives on one connection at a time, until the network is gone.
func echo(t *testing.T, h *lab.Host, address string) {
	t.Helper()
	l, err := h.Listen("tcp", address)
	check(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
}

// TestLocalServerIPVS checks a real server that is the director itself.
func TestLocalServerIPVS(t *testing.T) {
	lab.NeedIPVS(t)
	h := lab.New(t).Host("lb01")
	k := open(t, h)
	want := table{
		Services: map[ir.ServiceKey]state.Service{web4: {Scheduler: "rr"}},
		Destinations: map[state.DestinationKey]state.Destination{
			{Service: web4, Server: server("127.0.0.1:80")}: {Weight: 1},
			{Service: web4, Server: server("127.0.0.2:80")}: {Weight: 1, Forwarding: ir.DR},
		},
	}
	for range 2 {
		set(t, k, want)
		expect(t, k, want)
	}
}
