package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"keepc/runtime/lab"
)

// TestSystemd checks that Debian's systemd, as the first process of separate namespaces, starts, reloads and stops
// keepc with Debian's unit of keepalived unchanged, and with keepc's own unit, which is watched, hardened, and
// restarted if it hangs or is killed, without touching its address.
func TestSystemd(t *testing.T) {
	t.Parallel()
	m := newBooted(t)
	program, err := os.ReadFile(shipped(t))
	if err != nil {
		t.Fatal(err)
	}
	unit, err := os.ReadFile("../../.ci/package/keepc.service")
	if err != nil {
		t.Fatal(err)
	}
	m.write("/usr/bin/keepc", string(program), 0o755)
	m.write("/usr/lib/systemd/system/keepc.service", string(unit), 0o644)
	m.write("/etc/keepalived/keepalived.conf", onePair("192.0.2.10"), 0o644)
	m.boot("eth0", "192.0.2.1/24")
	m.byUnitOfKeepalived(string(program))
	m.byOwnUnit()
}

// byUnitOfKeepalived runs keepc with Debian's keepalived.service.
func (m *booted) byUnitOfKeepalived(program string) {
	t, first, second := m.t, netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11")
	if _, err := os.Stat(filepath.Join(m.root, "lib/systemd/system/keepalived.service")); err != nil {
		lab.Missing(t, "no unit of keepalived: %v", err)
	}
	m.write("/usr/sbin/keepalived", program, 0o755)
	m.ctl("start", "keepalived")
	m.is("keepalived", "ActiveState", "active")
	m.eventually("the address is there", func() bool { return m.HasAddr(first) })
	pid := m.show("keepalived", "MainPID")
	m.write("/etc/keepalived/keepalived.conf", onePair("192.0.2.11"), 0o644)
	m.ctl("reload", "keepalived")
	m.eventually("the reload is in force", func() bool { return m.HasAddr(second) && !m.HasAddr(first) })
	if now := m.show("keepalived", "MainPID"); now != pid {
		t.Errorf("the reload made a new process: %s, %s before", now, pid)
	}
	m.ctl("restart", "keepalived")
	m.eventually("the address is back", func() bool { return m.HasAddr(second) })
	if now := m.show("keepalived", "MainPID"); now == pid {
		t.Errorf("the restart left process %s", now)
	}
	m.ctl("stop", "keepalived")
	m.is("keepalived", "ActiveState", "inactive")
	m.is("keepalived", "Result", "success")
	if m.HasAddr(second) {
		t.Error("the address stays after the stop")
	}
	for _, says := range []string{"Starting Keepalived v2.2.7", "(VI_1) Entering MASTER STATE", "Reloading ...", "Stopped Keepalived v2.2.7"} {
		if log := m.journal("keepalived"); !strings.Contains(log, says) {
			t.Errorf("the journal does not say %q:\n%s", says, log)
		}
	}
}

// byOwnUnit runs it with keepc.service.
func (m *booted) byOwnUnit() {
	t, first, second := m.t, netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11")
	m.in("systemd-analyze", "verify", "--man=no", "keepc.service")
	m.write("/etc/keepalived/mount.sh", "#!/bin/sh\nmount -t tmpfs shared /srv\n", 0o755)
	m.write("/etc/keepalived/keepalived.conf", strings.Replace(onePair("192.0.2.10"), "track_script", "notify_master /etc/keepalived/mount.sh root\n\ttrack_script", 1), 0o644)
	m.ctl("start", "keepc")
	m.is("keepc", "ActiveState", "active")
	m.eventually("the address is there", func() bool { return m.HasAddr(first) })
	m.eventually("what a script mounts is seen by all", func() bool { return strings.Contains(m.in("cat", "/proc/1/mounts"), "shared /srv tmpfs") })
	m.eventually("the status text is the last event", func() bool { return strings.Contains(m.show("keepc", "StatusText"), "VI_1 MASTER") })
	pid := m.show("keepc", "MainPID")
	m.write("/etc/keepalived/keepalived.conf", onePair("192.0.2.11"), 0o644)
	m.ctl("reload", "keepc")
	m.eventually("the reload is in force", func() bool { return m.HasAddr(second) && !m.HasAddr(first) })
	if now := m.show("keepc", "MainPID"); now != pid {
		t.Errorf("the reload made a new process: %s, %s before", now, pid)
	}

	// Whatever happens to the process, its address stays.
	moves := m.Start("ip", "monitor", "address")
	again := func(what string, signal unix.Signal) {
		t.Helper()
		old, restarts := m.show("keepc", "MainPID"), m.show("keepc", "NRestarts")
		n, err := strconv.Atoi(old)
		if err != nil {
			t.Fatal(err)
		}
		m.in("kill", "-"+strconv.Itoa(int(signal)), strconv.Itoa(n))
		m.eventually(what+": systemd starts it again", func() bool {
			return m.show("keepc", "NRestarts") != restarts && m.show("keepc", "ActiveState") == "active" && m.show("keepc", "MainPID") != old
		})
	}
	again("killed", unix.SIGKILL)
	m.write("/etc/systemd/system/keepc.service.d/soon.conf", "[Service]\nWatchdogSec=2s\n", 0o644)
	m.ctl("daemon-reload")
	again("killed once more", unix.SIGKILL) // the new time holds from a start on
	time.Sleep(5 * time.Second)
	if got := m.show("keepc", "NRestarts"); got != "2" {
		t.Errorf("a director that works is started again by its watchdog: %s times, want 2", got)
	}
	again("hanging", unix.SIGSTOP)
	if log := m.journal("keepc"); !strings.Contains(log, "Watchdog timeout") {
		t.Errorf("the watchdog did not end it:\n%s", log)
	}
	moves.Signal(unix.SIGTERM)
	<-moves.Done()
	if log := moves.Log(); strings.Contains(log, "192.0.2.11") || !m.HasAddr(second) {
		t.Errorf("the address was touched:\n%s", log)
	}

	// A FAULT is a warning in the journal; normal operation causes none.
	m.Run("ip", "link", "set", "eth0", "down")
	m.eventually("the FAULT is in the journal as a warning", func() bool {
		return strings.Contains(m.in("journalctl", "-u", "keepc", "-p", "warning", "-o", "cat", "--no-pager"), "VI_1 FAULT")
	})
	m.Run("ip", "link", "set", "eth0", "up")
	m.eventually("it is MASTER again", func() bool { return m.HasAddr(second) })
	if log := m.in("journalctl", "-u", "keepc", "-p", "warning", "-o", "cat", "--no-pager"); strings.Contains(log, "MASTER") {
		t.Errorf("a MASTER is a warning:\n%s", log)
	}

	m.ctl("start", "keepalived") // Conflicts=
	m.is("keepc", "ActiveState", "inactive")
	m.is("keepc", "Result", "success")
	m.is("keepalived", "ActiveState", "active")
	m.ctl("start", "keepc")
	m.is("keepalived", "ActiveState", "inactive")
	m.eventually("the address is back", func() bool { return m.HasAddr(second) })
	m.ctl("stop", "keepc")
	if m.HasAddr(second) {
		t.Error("the address stays after the stop")
	}
	exposure := m.in("systemd-analyze", "security", "--no-pager", "keepc.service")
	lines := strings.Split(strings.TrimSpace(exposure), "\n")
	t.Log(lines[len(lines)-1])
}

// onePair is the file of one router with one address.
func onePair(address string) string {
	return "vrrp_script fine {\n\tscript /bin/true\n\tuser nobody\n\tinterval 1\n}\n" +
		"vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tvirtual_ipaddress {\n\t\t" + address + "/24\n\t}\n\ttrack_script {\n\t\tfine\n\t}\n}\n"
}
