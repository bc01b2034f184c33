package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
	"keepc/runtime/status"
)

// TestTwoMasters checks that every cause of two masters between keepc and keepalived 2.2.7 on one wire is a condition
// with a name, a peer and a cause; status shows it and exits with 1. Each is produced once.
func TestTwoMasters(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "ip", "nft")
	base := "vrrp_instance VI_1 {\n\tstate MASTER\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority %d\n\tadvert_int %s\n%s\tvirtual_ipaddress {\n\t\t%s\n\t}\n}\n"
	file := func(priority int, interval, more, address string) string {
		return fmt.Sprintf(base, priority, interval, more, address)
	}
	password := func(p string) string {
		return "\tauthentication {\n\t\tauth_type PASS\n\t\tauth_pass " + p + "\n\t}\n"
	}
	for _, c := range []struct {
		condition, cause string
		ours, theirs     string
		deaf             bool // the peer hears nothing
	}{
		{"one-way", "our advertisements do not reach it", file(150, "1", "", "10.0.0.50/24"), file(100, "1", "", "10.0.0.50/24"), true},
		{"wrong password", "wrong password", file(150, "1", password("one"), "10.0.0.50/24"), file(100, "1", password("two"), "10.0.0.50/24"), false},
		{"other version", "another version: theirs 3, ours 2", file(150, "1", "", "10.0.0.50/24"), file(100, "1", "\tversion 3\n", "10.0.0.50/24"), false},
		{"other interval", "another interval: theirs 2s, ours 1s", file(150, "1", "", "10.0.0.50/24"), file(100, "2", "", "10.0.0.50/24"), false},
		{"foreign cluster", "none of our addresses: [10.0.0.60]", file(150, "1", password("one"), "10.0.0.50/24"), file(100, "1", password("two"), "10.0.0.60/24"), false},
	} {
		t.Run(c.condition, func(t *testing.T) {
			t.Parallel()
			n := lab.New(t)
			lan := n.Segment("lan")
			here, far := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.1/24")), n.Host("lb02", lab.On(lan, "eth0", "10.0.0.2/24"))
			for h, text := range map[*lab.Host]string{here: c.ours, far: c.theirs} {
				if err := os.WriteFile(filepath.Join(h.Dir(), "lb.conf"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.deaf {
				far.Run("nft", "add table ip deaf; add chain ip deaf in { type filter hook input priority 0; }; add rule ip deaf in ip protocol 112 drop")
			}
			line := keepcArgs(t, "run", filepath.Join(here.Dir(), "lb.conf"))
			p := here.Start(line[0], line[1:]...)
			peer := far.Start("keepalived", lab.KeepalivedFlags("/run", filepath.Join(far.Dir(), "lb.conf"), "-P")...)
			ask := keepcArgs(t, "status", "--format", "json")
			var found status.Condition
			lab.Eventually(t, 30*time.Second, "the condition "+c.condition, func() bool {
				out, _ := here.Try(ask[0], ask[1:]...) // it exits with 1: something is wrong
				var d status.Document
				if json.Unmarshal([]byte(out), &d) != nil || len(d.Instances) != 1 {
					return false
				}
				for _, x := range d.Instances[0].Conditions {
					if x.Name == c.condition {
						found = x
						return true
					}
				}
				return false
			})
			if found.Peer.String() != "10.0.0.2" || !strings.Contains(found.Cause, c.cause) || found.Count == 0 || found.Last.Before(found.Since) {
				t.Errorf("%+v, want the cause %q", found, c.cause)
			}
			ask = keepcArgs(t, "status")
			if out, err := here.Try(ask[0], ask[1:]...); err == nil || !strings.Contains(out, "10.0.0.2") || !strings.HasPrefix(out, "Wrong:") {
				t.Errorf("status: %v\n%s", err, out)
			}
			peer.Stop()
			p.Stop()
		})
	}
}
