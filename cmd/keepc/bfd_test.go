package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"keepc/runtime/lab"
	"keepc/runtime/status"
)

// neighbours is the file of one end of a BFD session, and of an instance that tracks it: in FAULT without the session,
// or with 50 less priority.
func neighbours(own, other, track, address string) string {
	return fmt.Sprintf(`
bfd_instance peer {
	neighbor_ip %s
	source_ip %s
	min_rx 50
	min_tx 50
	idle_tx 1000
	multiplier 3
}
vrrp_instance VI_1 {
	interface eth0
	version 3
	virtual_router_id 51
	priority 150
	track_bfd {
		%s
	}
	virtual_ipaddress {
		%s
	}
}
`, other, own, track, address)
}

// TestBFDWithKeepalived checks a session with keepalived 2.2.7: both see it up; when keepalived's link goes down, ours
// is down with the diagnostic of RFC 5880 section 6.8.4, and the instance that tracks it is in FAULT, or loses the
// weight; when the link is back, so is the session.
func TestBFDWithKeepalived(t *testing.T) {
	needInterop(t)
	lab.NeedPrograms(t, "keepalived")
	for _, c := range []struct {
		name, own, other, mask, address, track string
		with                                   uint8  // the priority, with the session
		role                                   string // without it
	}{
		{"fault", "10.0.0.1", "10.0.0.2", "/24", "10.0.0.50/24", "peer", 150, "FAULT"},
		{"weight", "10.0.0.1", "10.0.0.2", "/24", "10.0.0.50/24", "peer weight 50", 200, "MASTER"},
		{"IPv6", "fd00::1", "fd00::2", "/64", "fe80::50/64", "peer", 150, "FAULT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := lab.New(t)
			lan := n.Segment("lan")
			here, far := n.Host("lb01", lab.On(lan, "eth0", c.own+c.mask)), n.Host("lb02", lab.On(lan, "eth0", c.other+c.mask))
			ours, theirs := filepath.Join(here.Dir(), "lb.conf"), filepath.Join(far.Dir(), "lb.conf")
			for file, text := range map[string]string{ours: neighbours(c.own, c.other, c.track, c.address), theirs: neighbours(c.other, c.own, "peer", c.address)} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			line := keepcArgs(t, "run", ours)
			p := here.Start(line[0], line[1:]...)
			defer p.Stop()
			peer := far.Start("keepalived", lab.KeepalivedFlags("/run", theirs, "-D")...)
			defer peer.Stop()
			ask := keepcArgs(t, "status", "--format", "json")
			look := func() (d status.Document) {
				out, _ := here.Try(ask[0], ask[1:]...) // it exits with 1: something is wrong
				if json.Unmarshal([]byte(out), &d) != nil || len(d.Sessions) != 1 || len(d.Instances) != 1 {
					return status.Document{Sessions: make([]status.Session, 1), Instances: make([]status.Instance, 1)}
				}
				return d
			}
			up := func() status.Session {
				t.Helper()
				lab.Eventually(t, 30*time.Second, "the session is up", func() bool { s := look().Sessions[0]; return s.State == "Up" && s.RemoteState == "Up" })
				return look().Sessions[0]
			}
			s := up()
			if s.DetectionTime != 0.15 || s.Remote == 0 || s.Ups == 0 {
				t.Errorf("%+v, want a Detection Time of 3 x 50 ms, and a discriminator", s)
			}
			lab.Eventually(t, 30*time.Second, "a role", func() bool {
				i := look().Instances[0]
				return (i.Role == "MASTER" || i.Role == "BACKUP") && i.Priority == c.with
			})
			peer.WaitLog("Entering Up state", 10*time.Second)
			t.Logf("%d times up, %d times down before the link is cut", s.Ups, s.Downs)
			far.Link("eth0").Down()
			lab.Eventually(t, 30*time.Second, "the role without the session", func() bool {
				d := look()
				i := d.Instances[0]
				return d.Sessions[0].State == "Down" && d.Sessions[0].Diagnostic == "Control Detection Time Expired" && i.Role == c.role && i.Priority == 150
			})
			far.Link("eth0").Up()
			if c.mask == "/64" {
				return // IPv6 addresses disappear with their link
			}
			if again := up(); again.Downs != s.Downs+1 || again.Local != s.Local {
				t.Errorf("after it: %+v, before it: %+v", again, s)
			}
		})
	}
}
