package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// leaving is a director on a host of its own that holds 192.0.2.10 and, with its first file, 192.0.2.11, a route and a
// rule.
type leaving struct {
	t    *testing.T
	host *lab.Host
	conf string
}

func newLeaving(t *testing.T) leaving {
	n := lab.New(t)
	h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
	return leaving{t, h, filepath.Join(h.Dir(), "keepalived.conf")}
}

func (l leaving) write(more string) {
	l.t.Helper()
	text := "vrrp_instance VI_1 {\n\tinterface eth0\n\tversion 3\n\tvirtual_router_id 51\n\tadvert_int 0.1\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\nstatic_ipaddress {\n\t192.0.2.20/24 dev eth0\n}\n" + more
	if err := os.WriteFile(l.conf, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

const more = "static_ipaddress {\n\t192.0.2.11/24 dev eth0\n}\nstatic_routes {\n\t198.51.100.0/24 via 192.0.2.2 dev eth0\n}\nstatic_rules {\n\tfrom 198.51.100.0/24 table 100 priority 77\n}\n"

// start starts the director, after a shell command in a mount namespace of its own.
func (l leaving) start(before string) *lab.Process {
	args := append([]string{"--mount", "--propagation", "private", "/bin/sh", "-c", before + `; exec "$0" "$@"`}, keepcArgs(l.t, "run", "-v", l.conf)...)
	p := l.host.Start("unshare", args...)
	p.WaitLog("VI_1 MASTER", 20*time.Second)
	lab.Eventually(l.t, 5*time.Second, "the address is here", func() bool { return strings.Contains(l.has(), "192.0.2.10") })
	return p
}

// has lists the relevant objects of the host, sorted: who becomes MASTER while static addresses are added is a matter
// of chance.
func (l leaving) has() string {
	l.t.Helper()
	var has []string
	for _, p := range l.host.Addrs("eth0") {
		if p.Addr().Is4() {
			has = append(has, p.Addr().String())
		}
	}
	for _, thing := range []string{"198.51.100.0/24 via", "from 198.51.100.0/24 lookup 100"} {
		if strings.Contains(l.host.Run("ip", "route")+l.host.Run("ip", "rule"), thing) {
			has = append(has, thing)
		}
	}
	slices.Sort(has)
	return strings.Join(has, ", ")
}

func (l leaving) expect(what, want string) {
	l.t.Helper()
	lab.Eventually(l.t, 15*time.Second, what+": "+want, func() bool {
		return l.has() == strings.Join(slices.Sorted(strings.SplitSeq(want, ", ")), ", ")
	})
}

// TestKilledDirector checks that what a killed director made, and the file no longer names, is removed when the next
// one starts. What somebody added beside it in the same networks stays.
func TestKilledDirector(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	dir := t.TempDir()
	run := fmt.Sprintf("mount -t tmpfs tmpfs /run; mkdir /run/keepc; mount --bind %s /run/keepc", dir) // the same directory for all, and not the machine's
	l.write(more)
	first := l.start(run)
	l.host.AddAddr("eth0", "192.0.2.99/24")
	l.host.Run("ip", "route", "add", "203.0.113.0/24", "via", "192.0.2.2", "proto", "keepalived")
	l.expect("before", "192.0.2.1, 192.0.2.20, 192.0.2.11, 192.0.2.10, 192.0.2.99, 198.51.100.0/24 via, from 198.51.100.0/24 lookup 100")
	first.Signal(syscall.SIGKILL)
	<-first.Done()
	l.write("")
	second := l.start(run)
	l.expect("after", "192.0.2.1, 192.0.2.20, 192.0.2.10, 192.0.2.99")
	if !strings.Contains(l.host.Run("ip", "route"), "203.0.113.0/24") {
		t.Error("the route of somebody else is gone")
	}
	second.Stop()
	l.expect("at the end", "192.0.2.1, 192.0.2.99")
	for _, part := range []string{"network", "ipvs"} {
		if files, err := filepath.Glob(filepath.Join(dir, "*."+part)); err != nil || len(files) != 0 {
			t.Errorf("nothing is left, and there are journals: %v, %v", files, err)
		}
	}
}

// TestJournalWithoutRoom checks that a director whose journal cannot be written reports that once, and enforces all
// the same.
func TestJournalWithoutRoom(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{
		"a full disk":         "mount -t tmpfs -o size=4k tmpfs /run; mkdir /run/keepc; head -c 8192 /dev/zero >/run/full",
		"a read-only /run":    "mount -t tmpfs -o ro tmpfs /run",
		"a file in its place": "mount -t tmpfs tmpfs /run; : >/run/keepc",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			l.write(more)
			p := l.start(before + " 2>/dev/null")
			l.expect("with it", "192.0.2.1, 192.0.2.20, 192.0.2.11, 192.0.2.10, 198.51.100.0/24 via, from 198.51.100.0/24 lookup 100")
			if n := strings.Count(p.Log(), "cannot record what is made"); n != 1 {
				t.Errorf("said %d times, want once:\n%s", n, p.Log())
			}
		})
	}
}
