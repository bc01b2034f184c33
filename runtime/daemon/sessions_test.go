package daemon

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keepc/runtime/kernel"
)

// followers is the file of one of two directors: an instance and a real server follow the session with the other
// director.
func followers(own, other string) string {
	return fmt.Sprintf(`
bfd_instance b {
	neighbor_ip %s
	source_ip %s
	multiplier 3
}
vrrp_instance oldboy {
	interface eth0
	virtual_router_id 62
	track_bfd {
		b
	}
	virtual_ipaddress {
		10.0.0.3/24 label eth0:0
	}
}
virtual_server 10.0.0.3 80 {
	lb_algo wrr
	lb_kind DR
	protocol TCP
	real_server 10.0.0.7 80 {
		BFD_CHECK {
			name b
		}
	}
}
`, other, own)
}

// TestSessions lets an instance and a real server follow a session between two directors, as with keepalived 2.2.7:
// both are down until it is up, and as soon as it is not; a reload does not touch it. A director that stops says so;
// keepalived does not, and is missed later.
func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := &kernel.Hub{}
		lb01, lb02 := newBox("10.0.0.1", followers("10.0.0.1", "10.0.0.2")), newBox("10.0.0.2", followers("10.0.0.2", "10.0.0.1"))
		hub.Plug(lb01.Fake, "eth0")
		hub.Plug(lb02.Fake, "eth0")
		serves := func(want bool) {
			t.Helper()
			if have, _, _ := kernel.Observe(lb01.Fake); (have.Destinations[web1].Weight == 1) != want {
				t.Errorf("the real server is %v, want %v\n%s", have.Destinations, want, lb01.log.String())
			}
		}
		lb01.start()
		after(4 * time.Second)
		serves(false)
		if !lb01.said("FAULT") || lb01.holds(t) {
			t.Errorf("an instance without its session\n%s", lb01.log.String())
		}
		lb02.start()
		after(8 * time.Second)
		serves(true)
		if !lb01.holds(t) && !lb02.holds(t) {
			t.Errorf("nobody is MASTER\n%s\n%s", lb01.log.String(), lb02.log.String())
		}
		lb01.reload(strings.Replace(lb01.text, "multiplier 3", "multiplier 5", 1))
		after(2 * time.Second)
		lb01.reload(lb01.text)
		after(2 * time.Second)
		serves(true)
		if n := strings.Count(lb01.log.String(), "answers"); n != 1 {
			t.Errorf("the session came up %d times\n%s", n, lb01.log.String())
		}
		hub.Unplug(lb02.Fake, "eth0")
		after(60 * time.Millisecond)
		serves(false)
		if !lb01.said("down: Control Detection Time Expired") || lb01.holds(t) || lb02.holds(t) {
			t.Errorf("the session is cut\n%s", lb01.log.String())
		}
		hub.Plug(lb02.Fake, "eth0")
		after(8 * time.Second)
		serves(true)
		lb02.stop(t)
		after(20 * time.Millisecond)
		serves(false)
		if !lb01.said("down: Neighbor Signaled Session Down; there: Administratively Down") {
			t.Errorf("lb02 stopped\n%s", lb01.log.String())
		}
		lb01.stop(t)
	})
}

// TestSessionsWithoutSocket checks that a socket that does not open is reported once, and opened later.
func TestSessionsWithoutSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.1", followers("10.0.0.5", "10.0.0.2"))
		b.start()
		after(5 * time.Second)
		if n := strings.Count(b.log.String(), "trying again"); n != 1 {
			t.Errorf("told %d times\n%s", n, b.log.String())
		}
		b.SetLink(kernel.Link{Name: "eth0", Index: 2, Up: true, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.5")}})
		after(2 * time.Second)
		if !b.said("works again") {
			t.Errorf("the address is there\n%s", b.log.String())
		}
		b.stop(t)
	})
}
