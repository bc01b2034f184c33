package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
	"keepc/runtime/status"
)

// TestBFDWithBIRD holds a session with BIRD 2, a second independent implementation, over both families: both see it up with the Detection Time
// that both intervals make; when the link goes, the instance that tracks it is in FAULT; when BIRD shuts the session down it says AdminDown,
// and when it is back, so is the session.
func TestBFDWithBIRD(t *testing.T) {
	lab.NeedPrograms(t, "bird", "birdc")
	for _, c := range []struct{ name, own, other, mask string }{
		{"IPv4", "10.0.0.1", "10.0.0.2", "/24"},
		{"IPv6", "fd00::1", "fd00::2", "/64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := lab.New(t)
			lan, far := n.Segment("lan"), n.Segment("far")
			here := n.Host("lb01", lab.On(lan, "eth0", "192.0.2.1/24"), lab.On(far, "eth1", c.own+c.mask))
			router := n.Host("router", lab.On(far, "eth0", c.other+c.mask))
			text := neighbours(c.own, c.other, "peer", "192.0.2.50/24")
			if c.mask == "/64" { // RFC 5881 section 5 wants 255; that of keepalived is 64, which BIRD drops
				text = strings.Replace(text, "multiplier 3", "multiplier 3\n\thoplimit 255", 1)
			}
			line := keepcArgs(t, "run", filed(t, here, "lb.conf", text))
			p := here.Start(line[0], line[1:]...)
			defer p.Stop()
			bird := filed(t, router, "bird.conf", fmt.Sprintf(`router id 10.0.0.2;
protocol device {}
protocol bfd session {
	interface "eth0" { min rx interval 40 ms; min tx interval 40 ms; idle tx interval 1 s; multiplier 5; };
	neighbor %s dev "eth0" local %s;
}
`, c.own, c.other))
			router.Start("bird", "-f", "-c", bird, "-s", filepath.Join(router.Dir(), "ctl"))
			birdc := func(words ...string) string {
				out, _ := router.Try("birdc", append([]string{"-s", filepath.Join(router.Dir(), "ctl")}, words...)...)
				return out
			}
			ask := keepcArgs(t, "status", "--format", "json")
			look := func() (s status.Session, role string) {
				var d status.Document
				out, _ := here.Try(ask[0], ask[1:]...) // it leaves with 1: something is wrong
				if json.Unmarshal([]byte(out), &d) != nil || len(d.Sessions) != 1 || len(d.Instances) != 1 {
					return s, ""
				}
				return d.Sessions[0], d.Instances[0].Role
			}
			up := func(what string) {
				t.Helper()
				lab.Eventually(t, 30*time.Second, what, func() bool {
					s, role := look()
					return s.State == "Up" && s.RemoteState == "Up" && role == "MASTER" && strings.Contains(birdc("show", "bfd", "sessions"), "Up")
				})
			}
			up("the session is up at both ends")
			// RFC 5880 section 6.8.4: BIRD's multiplier times the larger of its min tx and our min rx.
			if s, _ := look(); s.DetectionTime != 0.25 {
				t.Errorf("%+v, want a Detection Time of 5 x 50 ms", s)
			}
			before, _ := look()
			router.Link("eth0").Down()
			lab.Eventually(t, 30*time.Second, "FAULT without the session", func() bool {
				s, role := look()
				return s.State == "Down" && s.Diagnostic == "Control Detection Time Expired" && role == "FAULT"
			})
			router.Link("eth0").Up()
			up("the session is up again")
			if s, _ := look(); s.Downs != before.Downs+1 || s.Local != before.Local {
				t.Errorf("after it: %+v, before it: %+v", s, before)
			}
			birdc("disable", "session")
			lab.Eventually(t, 30*time.Second, "FAULT when BIRD shuts it down", func() bool {
				s, role := look()
				return s.State == "Down" && role == "FAULT"
			})
			s, _ := look()
			t.Logf("BIRD shuts the session down: %s, the remote state %s", s.Diagnostic, s.RemoteState)
			birdc("enable", "session")
			up("the session is up when BIRD is back")
		})
	}
}
