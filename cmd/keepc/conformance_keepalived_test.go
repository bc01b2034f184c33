package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
)

// TestReceiveChecksOfKeepalived sends the packets of TestReceiveChecks to keepalived: it accepts and drops the same as
// keepc. Where it differs, the check says what keepalived 2.2.7 does. It logs for each packet that it accepts that
// this has the lower priority; its counters differ in many places and are not compared. Each packet is followed by one
// that it counts; the counter depends on the path.
func TestReceiveChecksOfKeepalived(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "ip")
	here, in := conformanceHosts(t)
	d := here.Start("env", append([]string{"TMPDIR=" + here.Dir(), "keepalived"}, lab.KeepalivedFlags("/run", filepath.Join(here.Dir(), "lb.conf"), "-P", "-D")...)...)
	defer d.Stop()
	lab.Eventually(t, 20*time.Second, "all to be MASTER", func() bool { return strings.Count(d.Log(), "Entering MASTER STATE") == 7 })
	asked, file := 0, filepath.Join(here.Dir(), "keepalived.stats")
	count := func(instance, name string) (n int) {
		_ = os.Remove(file) // there may be none yet
		d.Signal(syscall.SIGUSR2)
		asked++
		lab.Eventually(t, 10*time.Second, "keepalived.stats", func() bool {
			b, _ := os.ReadFile(file) // not there yet
			_, text, _ := strings.Cut(string(b), "VRRP Instance: "+instance+"\n")
			m := regexp.MustCompile(`(?s)^[^:]*Advertisements:.*?` + name + `: (\d+)\n.*Priority Zero:\n.*Sent: \d+\n`).FindStringSubmatch(text)
			if m == nil || strings.Count(d.Log(), "Printing VRRP stats") < asked {
				return false
			}
			n, _ = strconv.Atoi(m[1])
			return true
		})
		return n
	}
	taken := func(instance string) int { return strings.Count(d.Log(), "("+instance+") Received advert from") }
	checks := receiveChecks(in.linkLocal)
	for _, c := range checks {
		last, counted := behind(checks, c), "Packet Errors:.*?Invalid Type"
		if c.instance == "signed" { // the signature is checked before the type
			last, counted = sound(checks, c.instance), "Authentication Errors:.*?Type Mismatch"
			last.AuthType, last.Auth = ir.AuthPass, ir.NewSecret("secret")
		}
		was, before := count(c.instance, counted), taken(c.instance)
		in.send(c.packet)
		in.send(last)
		lab.Eventually(t, 10*time.Second, c.name+": the packet behind it is counted", func() bool { return count(c.instance, counted) > was })
		theirs, ours := taken(c.instance) > before, c.want["advertisement-rcvd"] > 0
		if (theirs == ours) != (c.differs == "") {
			t.Errorf("%s: keepalived takes it: %v; keepc: %v; said: %q", c.name, theirs, ours, c.differs)
		}
	}
}
