package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestRename checks that a MASTER whose interface is renamed removes its address and its route on it, as keepalived
// does, and adds them again when the name is back. keepalived was seen to try two advertisements on a closed socket
// meanwhile.
func TestRename(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "ip")
	virtual := netip.MustParseAddr("10.0.0.3")
	for _, p := range []program{keepalived, keepc} {
		h := oneHost(t)
		file := filepath.Join(h.Dir(), "renamed.conf")
		text := "vrrp_instance VI_1 {\n\tstate MASTER\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority 255\n\tvirtual_ipaddress {\n\t\t10.0.0.3/24\n\t}\n" +
			"\tvirtual_routes {\n\t\t10.8.0.0/16 via 10.0.0.8 dev eth0\n\t}\n}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		line := keepcArgs(t, "run", "-v", file)
		if p == keepalived {
			line = append([]string{"keepalived"}, lab.KeepalivedFlags("/run", file, "-P")...)
		}
		director := h.Start(line[0], line[1:]...)
		has := func(want bool) func() bool {
			return func() bool {
				return h.HasAddr(virtual) == want && strings.Contains(h.Run("ip", "route"), "10.8.0.0/16") == want
			}
		}
		lab.Eventually(t, 15*time.Second, string(p)+" to be MASTER", has(true))
		if _, err := h.Try("ip", "link", "set", "eth0", "name", "other0"); err != nil { // before Linux 6.2 only an interface that is down can be renamed
			h.Run("ip", "link", "set", "eth0", "down")
			h.Run("ip", "link", "set", "eth0", "name", "other0")
			h.Run("ip", "link", "set", "other0", "up")
		}
		start := time.Now()
		lab.Eventually(t, 5*time.Second, string(p)+" to give up its address on the renamed interface", has(false))
		t.Logf("%s: gone %v after the rename", p, time.Since(start).Round(time.Millisecond))
		if !h.HasAddr(netip.MustParseAddr("10.0.0.1")) {
			t.Errorf("%s took the host's own address", p)
		}
		h.Run("ip", "link", "set", "other0", "down")
		h.Run("ip", "link", "set", "other0", "name", "eth0")
		h.Run("ip", "link", "set", "eth0", "up")
		lab.Eventually(t, 15*time.Second, string(p)+" to be MASTER again", has(true))
		director.Signal(syscall.SIGTERM)
		lab.Eventually(t, 10*time.Second, string(p)+" to give up all", has(false))
		director.Stop()
	}
}
