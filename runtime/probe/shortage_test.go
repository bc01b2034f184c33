package probe_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/balance"
	"keepc/runtime/probe"
)

// few is the environment variable with the address of the server, for the process that has few descriptors.
const few = "KEEPC_TEST_FEW_DESCRIPTORS"

// TestFewDescriptors runs 150 checks of a working server in a process that may have 64 descriptors: no server goes
// down, and the shortage and its end are reported once each.
func TestFewDescriptors(t *testing.T) {
	good, _ := listen(t, "127.0.0.1:0")
	child := exec.Command(os.Args[0], "-test.run=^TestWithFewDescriptors$", "-test.v")
	child.Env = append(os.Environ(), few+"="+good.String())
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"none left: no verdict: socket: too many open files",
		"some left: up",
		"warning: checks: socket: too many open files: no verdict on a server; all keep their state",
		"good news: checks: socket: too many open files: over; checks have a verdict again",
		"limit 32",
	} {
		if n := strings.Count(string(out), want+"\n"); n != 1 {
			t.Errorf("%d times %q in\n%s", n, want, out)
		}
	}
	if strings.Contains(string(out), "down:") {
		t.Errorf("a server went down\n%s", out)
	}
}

// TestWithFewDescriptors is what the process with few descriptors does.
func TestWithFewDescriptors(t *testing.T) {
	server, err := netip.ParseAddrPort(os.Getenv(few))
	if err != nil {
		t.Skip("TestFewDescriptors runs it")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
		t.Fatal(err)
	}
	fmt.Println("limit", probe.Limit(512))
	release := exhaust(t)
	fmt.Println("none left:", said(probe.Do(t.Context(), probe.Ask{Check: tcp(server), Limit: limit})))

	// 150 servers of which every check is refused for two seconds, and then no longer.
	v := &ir.VirtualServer{Quorum: 1, Key: ir.ServiceKey{Protocol: ir.TCP, Addr: server.Addr(), Port: 80}}
	for i := range 150 {
		c := tcp(server)
		c.CheckTiming = ir.CheckTiming{ConnectTimeout: limit, DelayLoop: 500 * time.Millisecond, DelayBeforeRetry: 100 * time.Millisecond}
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 80)
		v.RealServers = append(v.RealServers, &ir.RealServer{Addr: a, Weight: 1, Checks: []*ir.Check{c}})
	}
	m := balance.New(time.Now(), balance.Prepare(&ir.Config{VirtualServers: []*ir.VirtualServer{v}}, balance.Start(0)))
	r := probe.NewRunner(t.Context(), probe.Limit(512))
	defer r.Close()
	step := func(ev balance.Event) {
		for _, e := range m.Step(time.Now(), ev) {
			switch e := e.(type) {
			case balance.StartProbe:
				r.Start(e)
			case balance.Note:
				kind := "warning"
				if e.Fine {
					kind = "good news"
				}
				fmt.Printf("%s: %v\n", kind, e)
			default:
				fmt.Println(e)
			}
		}
	}
	free, end, tick := time.After(2*time.Second), time.After(4*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			step(balance.Tick{})
		case done := <-r.Results():
			step(done)
		case <-free:
			release()
			if said(probe.Do(t.Context(), probe.Ask{Check: tcp(server), Limit: limit})) == "" {
				fmt.Println("some left: up")
			}
		case <-end:
			return
		}
	}
}

// exhaust takes all descriptors that are left, and returns a function that releases them.
func exhaust(t *testing.T) func() {
	var taken []*os.File
	for {
		f, err := os.Open("/dev/null")
		if err != nil {
			break
		}
		taken = append(taken, f)
	}
	if len(taken) == 0 {
		t.Fatal("no descriptor to take")
	}
	return func() {
		for _, f := range taken {
			f.Close()
		}
	}
}
