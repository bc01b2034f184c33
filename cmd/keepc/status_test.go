package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestStatusForMonitors checks that the exit code tells a monitor what it needs, that what is wrong comes first, and
// that --wait waits for a role.
func TestStatusForMonitors(t *testing.T) {
	t.Parallel()
	n := lab.New(t)
	lan := n.Segment("lan")
	host, peer := n.Host("lb", lab.On(lan, "eth0", "192.0.2.1/24")), n.Host("peer", lab.On(lan, "eth0", "192.0.2.2/24"))
	file := func(name, dev, password, priority string) string {
		path := filepath.Join(t.TempDir(), name)
		text := "vrrp_instance VI_1 {\n interface DEV\n virtual_router_id 51\n priority PRIORITY\n authentication {\n  auth_type PASS\n  auth_pass PASSWORD\n }\n virtual_ipaddress {\n  192.0.2.10/24\n }\n}\n"
		if err := os.WriteFile(path, []byte(strings.NewReplacer("DEV", dev, "PASSWORD", password, "PRIORITY", priority).Replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(h *lab.Host, file string) *lab.Process {
		args := keepcArgs(t, "run", file)
		p := h.Start(args[0], args[1:]...)
		p.WaitLog("enforcing", 15*time.Second)
		return p
	}
	ask := func(h *lab.Host, code string, args ...string) string {
		t.Helper()
		line := keepcArgs(t, append([]string{"status"}, args...)...)
		out, err := h.Try(line[0], line[1:]...)
		if code == "" && err != nil || code != "" && (err == nil || !strings.Contains(err.Error(), "exit status "+code)) {
			t.Errorf("keepc status %q: %v, want exit status %s\n%s", args, err, code, out)
		}
		return out
	}
	ask(host, "3")
	ask(host, "1", "--wait", "VI_1 MASTER", "--timeout", "300ms")
	ask(host, "2", "--wait", "VI_1 LEADER")

	p := run(host, file("a.conf", "eth9", "one", "100"))
	ask(host, "", "--wait", "VI_1 fault", "--timeout", "10s")
	if out := ask(host, "1"); !strings.HasPrefix(out, "Wrong:\n  VI_1 has been in FAULT since ") {
		t.Errorf("in FAULT:\n%s", out)
	}
	p.Stop()

	run(host, file("b.conf", "eth0", "one", "100"))
	ask(host, "", "--wait", "VI_1 MASTER", "--timeout", "20s")
	if out := ask(host, ""); !strings.HasPrefix(out, "keepc (pid ") {
		t.Errorf("all is well:\n%s", out)
	}
	run(peer, file("c.conf", "eth0", "other", "90"))
	ask(peer, "", "--wait", "VI_1 MASTER", "--timeout", "20s") // it does not hear the other router
	for h, from := range map[*lab.Host]string{host: "192.0.2.2", peer: "192.0.2.1"} {
		if out := ask(h, "1"); !strings.HasPrefix(out, "Wrong:\n  VI_1 has dropped the advertisements of "+from+" since ") || !strings.Contains(out, "wrong password") {
			t.Errorf("two masters:\n%s", out)
		}
	}
}

// TestStatusWatch shows a director that starts, becomes MASTER and ends, until it is interrupted.
func TestStatusWatch(t *testing.T) {
	t.Parallel()
	n := lab.New(t)
	host := n.Host("lb", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
	line := keepcArgs(t, "status", "--watch")
	screen := host.Start(line[0], line[1:]...)
	screen.WaitLog("no keepc runs here", 20*time.Second)

	args := keepcArgs(t, "run", fileOf(t, "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority 100\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\n"))
	director := host.Start(args[0], args[1:]...)
	screen.WaitLog("MASTER", 30*time.Second)
	shown := len(screen.Log())
	director.Stop()
	deadline := time.Now().Add(lab.Patience(10 * time.Second))
	for !strings.Contains(screen.Log()[shown:], "no keepc runs here") {
		if time.Now().After(deadline) {
			t.Fatalf("it does not show that the director has ended:\n%s", screen.Log())
		}
		time.Sleep(50 * time.Millisecond)
	}
	if log := screen.Log(); strings.Contains(log, "\x1b") {
		t.Errorf("what is no terminal gets escape sequences:\n%q", log)
	}
	screen.Stop()
}
