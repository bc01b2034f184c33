package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
	"keepc/runtime/status"
)

// TestRunAlone checks that a director refuses to run beside a keepalived or a second keepc, even if a user has taken
// the name of its socket.
func TestRunAlone(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived")
	n := lab.New(t)
	lan := n.Segment("lan")
	h, far := n.Host("lb01", lab.On(lan, "eth0", "192.0.2.1/24")), n.Host("lb02", lab.On(lan, "eth0", "192.0.2.2/24"))
	conf := filepath.Join(h.Dir(), "keepalived.conf")
	if err := os.WriteFile(conf, []byte("vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tvirtual_ipaddress {\n\t\t192.0.2.10\n\t}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := keepcArgs(t, "run", conf)
	refuses := func(name string, pid int) {
		t.Helper()
		out, status := refused(t, h, conf, "")
		want := fmt.Sprintf("keepc: run: %s runs here already (process %d), and two directors would fight for the addresses; stop it first: kill %d", name, pid, pid)
		if !strings.HasPrefix(status, "exit status 3") || !strings.Contains(out, want) {
			t.Errorf("%s\n%s\nwant exit status 3 and\n%s", status, out, want)
		}
	}

	theirs := h.Start("keepalived", lab.KeepalivedFlags("/run", conf, "-P")...)
	theirs.WaitLog("Entering BACKUP STATE", 10*time.Second)
	refuses("keepalived", theirs.Pid())
	elsewhere := far.Start(args[0], args[1:]...) // another host does not matter
	elsewhere.WaitLog("enforcing", 10*time.Second)
	theirs.Stop()

	var l net.Listener
	if err := h.Do(func() (err error) {
		l, err = listenAs(65534, status.Socket)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first := h.Start(args[0], args[1:]...)
	first.WaitLog("the socket @keepc is taken: user 65534 has it", 10*time.Second)
	first.WaitLog("enforcing", 10*time.Second)
	refuses("another keepc", first.Pid())
	first.Stop()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	// Without a place for the lock, the socket is the lock.
	sh := []string{"/bin/sh", "-c", `mount -t tmpfs -o ro none /run; exec "$0" "$@"`}
	second := h.Start("unshare", append(append([]string{"-m"}, sh...), args...)...)
	second.WaitLog("a second director may go unnoticed: mkdir /run/keepc: read-only file system", 10*time.Second)
	second.WaitLog("enforcing", 10*time.Second)
	out, status := refused(t, h, conf, "")
	if !strings.HasPrefix(status, "exit status 3") || !strings.Contains(out, "another keepc runs here already") {
		t.Errorf("%s\n%s", status, out)
	}
}
