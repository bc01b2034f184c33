package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// syslogLine is a line as the C library and Go send it: priority, time, name of the process and text.
var syslogLine = regexp.MustCompile(`^<(\d+)>\w{3} [ \d]\d \d\d:\d\d:\d\d (\w+)\[\d+\]: (.*?)\n?$`)

// TestSyslog checks that syslog gets the lines about roles from keepc under the name keepalived that it gets from
// keepalived, from a process of the same name and with the same facility. Their severity is keepc's own: FAULT is a
// warning.
func TestSyslog(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived")
	n := lab.New(t)
	theirs := roleLines(t, n.Host("lb01", lab.On(n.Segment("one"), "eth0", "192.0.2.1/24")), "keepalived")
	ours := roleLines(t, n.Host("lb02", lab.On(n.Segment("two"), "eth0", "192.0.2.1/24")), keepcArgs(t, "keepalived")...)
	faults := 0
	for i, line := range theirs {
		if strings.Contains(line, "FAULT") {
			theirs[i] = strings.Replace(line, "facility 19, severity 6", "facility 19, severity 4", 1)
			faults++
		}
	}
	if faults == 0 || !slices.Equal(theirs, ours) {
		t.Errorf("keepalived:\n%s\n\nkeepc:\n%s", strings.Join(theirs, "\n"), strings.Join(ours, "\n"))
	}
}

// roleLines runs a director that becomes MASTER, loses its link, gets it back and ends, and returns what syslog got
// about its roles.
func roleLines(t *testing.T, h *lab.Host, program ...string) (lines []string) {
	t.Helper()
	conf := filepath.Join(h.Dir(), "keepalived.conf")
	text := "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tadvert_int 1\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	dev := filepath.Join(h.Dir(), "dev")
	h.Run("sh", "-c", fmt.Sprintf(`set -e
mkdir %[1]s; mount -t tmpfs none %[1]s
for d in null zero full random urandom; do touch %[1]s/$d; mount --bind /dev/$d %[1]s/$d; done
mount --rbind %[1]s /dev`, dev))
	var socket *net.UnixConn
	err := h.Do(func() (err error) {
		socket, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log", Net: "unixgram"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	read := make(chan struct{})
	go func() {
		defer close(read)
		for buf := make([]byte, 1<<16); ; {
			n, err := socket.Read(buf)
			if err != nil {
				return
			}
			m := syslogLine.FindSubmatch(buf[:n])
			if m == nil {
				t.Errorf("%s: %q is not a line of syslog", program, buf[:n])
				continue
			}
			if !strings.Contains(string(m[3]), " STATE") {
				continue
			}
			var priority int
			_, _ = fmt.Sscan(string(m[1]), &priority) // digits
			mu.Lock()
			lines = append(lines, fmt.Sprintf("facility %d, severity %d, %s: %s", priority>>3, priority&7, m[2], m[3]))
			mu.Unlock()
		}
	}()
	said := func(times int, what string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return strings.Count(strings.Join(lines, "\n"), what) == times
		}
	}
	args := append(program, "--dont-fork", "--vrrp", "--log-facility", "3", "--use-file", conf,
		"--pid", filepath.Join(h.Dir(), "p"), "--vrrp_pid", filepath.Join(h.Dir(), "v"), "--checkers_pid", filepath.Join(h.Dir(), "c"), "--bfd_pid", filepath.Join(h.Dir(), "b"))
	p := h.Start(args[0], args[1:]...)
	lab.Eventually(t, 20*time.Second, "MASTER", said(1, "Entering MASTER STATE"))
	h.Link("eth0").Down()
	lab.Eventually(t, 20*time.Second, "FAULT", said(1, "Entering FAULT STATE"))
	h.Link("eth0").Up()
	lab.Eventually(t, 20*time.Second, "MASTER again", said(2, "Entering MASTER STATE"))
	p.Signal(syscall.SIGTERM)
	<-p.Done()
	_ = socket.Close()
	<-read
	return lines
}
