package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestBenchChecks measures 10,000 TCP checks, 1,000 of pages and 200 by TLS, each once a second, of servers on the loopback interface: CPU for
// each check, how far the times between two checks of a server are from a second, how evenly checks are spread, and open descriptors.
// keepalived is not beside it: its checker ends without ip_vs.
func TestBenchChecks(t *testing.T) {
	if os.Getenv("KEEPC_BENCH") == "" {
		t.Skip("a measurement, for make bench")
	}
	benchChecks(t, "keepc", [3]int{10_000, 1000, 200})
}

// TestBenchChecksIPVS is a twentieth of that beside keepalived, in the virtual machine, which is about as much slower.
func TestBenchChecksIPVS(t *testing.T) {
	if os.Getenv("KEEPC_BENCH") == "" {
		t.Skip("a measurement, for make bench")
	}
	lab.NeedIPVS(t)
	lab.NeedPrograms(t, "keepalived")
	for _, name := range []string{"keepalived", "keepc"} {
		benchChecks(t, name, [3]int{500, 50, 10})
	}
}

// benchKinds are the kinds of checks in their order, with what their blocks have in addition to the times.
var benchKinds = [3]struct{ block, more string }{{block: "TCP_CHECK"}, {"HTTP_GET", "url { \n path /\n status_code 200\n }\n"}, {"SSL_GET", "url { \n path /\n status_code 200\n }\n"}}

// benchChecks measures a number of checks of each kind.
func benchChecks(t *testing.T, program string, counts [3]int) {
	h := lab.New(t).Host(program)
	h.Run("ip", "link", "set", "lo", "up")
	secure := httptest.NewUnstartedServer(nil)
	secure.StartTLS()
	config := &tls.Config{Certificates: secure.TLS.Certificates}
	secure.Close()
	heard := &checkTimes{of: map[string][]time.Time{}}
	for port, talk := range []func(net.Conn){func(net.Conn) {}, answerPage, func(c net.Conn) { answerPage(tls.Server(c, config)) }} {
		l, err := h.Listen("tcp", fmt.Sprintf("0.0.0.0:%d", 7000+port))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go heard.serve(l, talk)
	}
	var b strings.Builder
	for kind, n := range counts {
		for i := range n {
			if i%100 == 0 {
				fmt.Fprintf(&b, "virtual_server 10.%d.%d.1 80 {\n lb_algo rr\n lb_kind DR\n protocol TCP\n", kind+1, i/100)
			}
			fmt.Fprintf(&b, " real_server 10.%d.%d.%d 80 {\n  %s {\n   connect_ip 127.%d.%d.%d\n   connect_port %d\n   connect_timeout 5\n   delay_loop 1\n   warmup 1\n   %s}\n }\n",
				kind+1, i/100, 100+i%100, benchKinds[kind].block, kind+1, i/100, 100+i%100, 7000+kind, benchKinds[kind].more)
			if i%100 == 99 || i == n-1 {
				b.WriteString("}\n")
			}
		}
	}
	conf := filepath.Join(h.Dir(), "checks.conf")
	if err := os.WriteFile(conf, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := keepcArgs(t, "run", conf)
	if program == "keepalived" {
		args = append([]string{"keepalived"}, lab.KeepalivedFlags(h.Dir(), conf, "-C")...)
	}
	p := h.Start(args[0], args[1:]...)
	all := counts[0] + counts[1] + counts[2]
	lab.Eventually(t, 2*time.Minute, "the first check of all servers", func() bool { return heard.servers() == all })
	time.Sleep(3 * time.Second)

	const lasts = 20 * time.Second
	heard.forget()
	before, began, descriptors := spent(p.Pid()), time.Now(), 0
	for time.Since(began) < lasts {
		time.Sleep(100 * time.Millisecond)
		descriptors = max(descriptors, openFiles(p.Pid()))
	}
	used, took := spent(p.Pid())-before, time.Since(began)
	checks, off, busiest := heard.sum(began)
	if len(off) == 0 {
		t.Fatalf("%s: no server was checked twice within %v", program, took)
	}
	at := func(share float64) time.Duration {
		return off[int(share*float64(len(off)-1))].Round(100 * time.Microsecond)
	}
	t.Logf("%s: %d, %d and %d servers by %s, %s and %s: %.0f checks a second, %v of CPU each", program, counts[0], counts[1], counts[2],
		benchKinds[0].block, benchKinds[1].block, benchKinds[2].block, float64(checks)/took.Seconds(), (used / time.Duration(max(1, checks))).Round(100*time.Nanosecond))
	t.Logf("%s: from a check to the next, off from 1s: median %v, 99 of 100 %v, longest %v", program, at(0.5), at(0.99), at(1))
	t.Logf("%s: in the busiest 100ms %.1f times the mean; at most %d descriptors at once", program,
		float64(busiest)/(float64(checks)*0.1/took.Seconds()), descriptors)
	p.Signal(syscall.SIGTERM)
	_ = p.Wait(30 * time.Second) // how it ends is measured elsewhere
}

// answerPage answers a request with a page.
func answerPage(c net.Conn) {
	var request []byte
	for b := make([]byte, 1024); !bytes.Contains(request, []byte("\r\n\r\n")); {
		n, err := c.Read(b)
		request = append(request, b[:n]...)
		if err != nil {
			return
		}
	}
	if _, err := io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nhello"); err != nil {
		return
	}
	if secured, ok := c.(*tls.Conn); ok {
		_ = secured.CloseWrite()
	}
}

// checkTimes are when servers were checked, by their address.
type checkTimes struct {
	mu sync.Mutex
	of map[string][]time.Time
}

func (c *checkTimes) serve(l net.Listener, talk func(net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		server := conn.LocalAddr().String()
		c.of[server] = append(c.of[server], time.Now())
		c.mu.Unlock()
		go func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			talk(conn)
		}()
	}
}

func (c *checkTimes) servers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.of)
}

func (c *checkTimes) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.of)
}

// sum returns the number of checks, how far times between two of a server are from a second, in order, and the checks of the busiest 100 ms.
func (c *checkTimes) sum(began time.Time) (checks int, off []time.Duration, busiest int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slots := map[time.Duration]int{}
	for _, times := range c.of {
		checks += len(times)
		for i, at := range times {
			slots[at.Sub(began)/(100*time.Millisecond)]++
			if i > 0 {
				off = append(off, (at.Sub(times[i-1]) - time.Second).Abs())
			}
		}
	}
	for _, n := range slots {
		busiest = max(busiest, n)
	}
	slices.Sort(off)
	return checks, off, busiest
}

// family lists a process and its child processes.
func family(pid int) (pids []int) {
	pids = []int{pid}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, file := range files {
		if f := statFields(file); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			if child, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// statFields are the fields of a /proc/PID/stat from the state on; none where the process has ended.
func statFields(file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// spent is the CPU time that a process and its child processes have used.
func spent(pid int) (sum time.Duration) {
	for _, one := range family(pid) {
		if f := statFields(fmt.Sprintf("/proc/%d/stat", one)); len(f) > 12 {
			for _, ticks := range f[11:13] {
				n, _ := strconv.Atoi(ticks)
				sum += time.Duration(n) * time.Second / 100
			}
		}
	}
	return sum
}

// openFiles is the number of descriptors that a process and its child processes have open.
func openFiles(pid int) (n int) {
	for _, one := range family(pid) {
		if list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", one)); err == nil {
			n += len(list)
		}
	}
	return n
}
