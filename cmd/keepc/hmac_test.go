package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
	"keepc/runtime/status"
)

// TestHMAC plays auth_hmac between two directors on a real wire, over both families and to the group and a peer: one is MASTER at rest, the other
// one takes over at a stop, and one with a different key is told by name, for then both are MASTER. keepalived 2.2.7 has no auth_hmac, and no
// other version was at hand: TestDraftVectors of runtime/vrrp has the bytes of the draft.
func TestHMAC(t *testing.T) {
	const key, other = "k2t9k2t9k2t9k2t9k2t9k2t9k2t9k2t9", "x7p1x7p1x7p1x7p1x7p1x7p1x7p1x7p1"
	n := lab.New(t)
	lan := n.Segment("lan")
	var hosts [2]*lab.Host
	for i := range hosts {
		hosts[i] = n.Host(fmt.Sprintf("lb0%d", i+1), lab.On(lan, "eth0", fmt.Sprintf("10.0.0.%d/24", i+1), fmt.Sprintf("fd00::%d/64", i+1)))
	}
	time.Sleep(2 * time.Second) // link-local addresses
	file := func(i int, key string) string {
		var text strings.Builder
		if i == 1 { // one has it in its file, the other one in a file of its own
			in := filed(t, hosts[i], "key", key+"\n")
			if err := os.Chmod(in, 0o600); err != nil {
				t.Fatal(err)
			}
			key = "file:" + in
		}
		text.WriteString("global_defs {\n\tvrrp_version 3\n}\n")
		for _, v := range []struct{ name, address, unicast string }{
			{"group4", "10.0.0.53/24", ""},
			{"group6", "fe80::53/64", ""},
			{"peer4", "10.0.0.54/24", fmt.Sprintf("unicast_src_ip 10.0.0.%d\n\tunicast_peer {\n\t\t10.0.0.%d\n\t}\n", i+1, 2-i)},
			{"peer6", "fd00::54/64", fmt.Sprintf("unicast_src_ip fd00::%d\n\tunicast_peer {\n\t\tfd00::%d\n\t}\n", i+1, 2-i)},
		} {
			fmt.Fprintf(&text, "vrrp_instance %s {\n\tinterface eth0\n\tvirtual_router_id %d\n\tpriority %d\n\tadvert_int 0.2\n\t%s\n\tauth_hmac {\n\t\tkey 3 %s\n\t}\n\tvirtual_ipaddress {\n\t\t%s\n\t}\n}\n",
				v.name, map[bool]int{true: 54, false: 53}[v.unicast != ""], 200-i*100, v.unicast, key, v.address)
		}
		return filed(t, hosts[i], "lb.conf", text.String())
	}
	look := func(i int) (d status.Document) {
		ask := keepcArgs(t, "status", "--format", "json")
		out, _ := hosts[i].Try(ask[0], ask[1:]...) // it leaves with 1: something is wrong
		_ = json.Unmarshal([]byte(out), &d)        // not there yet: no instances
		return d
	}
	roles := func(i int) string {
		var all []string
		for _, v := range look(i).Instances {
			all = append(all, v.Role)
		}
		return strings.Join(all, " ")
	}
	const masters, backups = "MASTER MASTER MASTER MASTER", "BACKUP BACKUP BACKUP BACKUP"
	run := func(i int, key string) *lab.Process {
		line := keepcArgs(t, "run", file(i, key))
		return hosts[i].Start(line[0], line[1:]...)
	}
	first, second := run(0, key), run(1, key)
	defer func() { second.Stop() }()
	lab.Eventually(t, 20*time.Second, "lb01 to be MASTER of all, and lb02 of none", func() bool { return roles(0) == masters && roles(1) == backups })
	time.Sleep(2 * time.Second)
	if a, b := roles(0), roles(1); a != masters || b != backups {
		t.Errorf("at rest lb01 is %s, lb02 %s", a, b)
	}
	for _, v := range look(1).Instances {
		if v.Statistics.AuthFailures+v.Statistics.Replays+v.Statistics.ChecksumErrors > 0 || v.Statistics.AdvertisementRcvd < 5 {
			t.Errorf("%s: %+v", v.Name, v.Statistics)
		}
	}
	first.Signal(syscall.SIGTERM)
	lab.Eventually(t, 10*time.Second, "lb02 to take over", func() bool { return roles(1) == masters })
	_ = first.Wait(10 * time.Second)
	first = run(0, other)
	defer func() { first.Stop() }()
	lab.Eventually(t, 20*time.Second, "both to name the other key", func() bool {
		for i := range hosts {
			d := look(i)
			if len(d.Instances) != 4 {
				return false
			}
			for _, v := range d.Instances {
				if v.Role != "MASTER" || len(v.Conditions) == 0 || v.Conditions[0].Name != "wrong password" {
					return false
				}
			}
		}
		return true
	})
}
