package state_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

const followed = "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n%s virtual_ipaddress {\n 10.0.0.3/24\n }\n}\n"

// TestSyncDaemons checks that the daemon for the role of the instance runs, as with keepalived 2.2.7, and that both
// run if the line names no instance.
func TestSyncDaemons(t *testing.T) {
	instance := fmt.Sprintf(followed, "")
	line := func(text string) string { return "global_defs {\n lvs_sync_daemon " + text + "\n}\n" + instance }
	for _, c := range []struct {
		text                     string
		backup, master, stopping string // what runs; after a minus, what is removed
	}{
		{instance, "", "", ""},
		{line("eth0 inst VI_1"), "backup eth0 51, -master", "master eth0 51, -backup", "-backup, -master"},
		{line("eth0 VI_1 id 9"), "backup eth0 9, -master", "master eth0 9, -backup", "-backup, -master"},
		{line("eth0"), "backup eth0 0, master eth0 0", "backup eth0 0, master eth0 0", "-backup, -master"},
		{line("eth0 id 7"), "backup eth0 7, master eth0 7", "backup eth0 7, master eth0 7", "-backup, -master"},
		{line("eth0 inst VI_9"), "", "", ""},
		{fmt.Sprintf(followed, " lvs_sync_daemon_interface eth1\n"), "backup eth1 0, -master", "master eth1 0, -backup", "-backup, -master"},
	} {
		cfg := compile(t, c.text)
		for _, s := range []struct {
			state.Situation
			want string
		}{{state.Situation{}, c.backup}, {state.AllMaster(cfg), c.master}, {state.Situation{Stopping: true}, c.stopping}} {
			w := state.Balance(cfg, s.Situation)
			var got []string
			for k, d := range w.SyncDaemons {
				got = append(got, fmt.Sprintf("%s %s %d", k.Role, d.Interface, d.ID))
			}
			for k := range w.Absent {
				if d, ok := k.(state.SyncDaemonKey); ok {
					got = append(got, "-"+d.Role)
				}
			}
			slices.SortFunc(got, func(a, b string) int { return strings.Compare(strings.Trim(a, "-"), strings.Trim(b, "-")) })
			slices.SortStableFunc(got, func(a, b string) int { return strings.Count(a, "-") - strings.Count(b, "-") })
			if text := strings.Join(got, ", "); text != s.want {
				t.Errorf("%s: %+v: got %q, want %q", c.text, s.Situation, text, s.want)
			}
		}
	}
}

// TestQuorumAddress checks that "ip addr add" and "ip addr del" of one address become an address that exists while the
// quorum does. A stop leaves it in place without omega, as keepalived does; if a second service holds it, it stays.
func TestQuorumAddress(t *testing.T) {
	const there, gone, nothing = "there", "gone", "nothing"
	service := func(port int, more string) string {
		return fmt.Sprintf("virtual_server 10.0.0.3 %d {\n lb_kind DR\n protocol TCP\n%s real_server 10.0.0.7 %d {\n }\n}\n", port, more, port)
	}
	pair := func(up, down string) string { return " quorum_up \"" + up + "\"\n quorum_down \"" + down + "\"\n" }
	usual := pair("/sbin/ip addr add 10.0.0.3/32 dev lo", "/sbin/ip addr del 10.0.0.3/32 dev lo")
	for _, c := range []struct {
		text                string
		holds, lost, ending string
	}{
		{service(80, usual), there, gone, there},
		{service(80, usual+" omega\n"), there, gone, gone},
		{service(80, pair("ip -4 a a 10.0.0.3 dev lo label lo:1 scope host", "ip a d dev lo 10.0.0.3/32")), there, gone, there},
		{service(80, usual+" omega\n") + service(81, pair("ip addr replace 10.0.0.3/32 dev lo", "ip address delete 10.0.0.3/32 dev lo")+" omega\n"), there, there, gone},
		{service(80, pair("ip addr add 10.0.0.3/32 dev lo", "ip addr del 10.0.0.3/32 dev eth0")), nothing, nothing, nothing},
		{service(80, pair("ip addr add 10.0.0.3/32 dev lo", "ip addr del 10.0.0.3/24 dev lo")), nothing, nothing, nothing},
		{service(80, pair("ip -6 addr add 10.0.0.3/32 dev lo", "ip addr del 10.0.0.3/32 dev lo")), nothing, nothing, nothing},
		{service(80, pair("ip addr add 10.0.0.3/32 dev lo valid_lft 60", "ip addr del 10.0.0.3/32 dev lo")), nothing, nothing, nothing},
		{service(80, pair("ip route add 10.0.0.3/32 dev lo", "ip route del 10.0.0.3/32 dev lo")), nothing, nothing, nothing},
		{service(80, " quorum_up \"ip addr add 10.0.0.3/32 dev lo\"\n"), nothing, nothing, nothing},
	} {
		cfg := compile(t, c.text)
		lost := map[ir.ServiceKey]bool{cfg.VirtualServers[0].Key: true}
		for _, s := range []struct {
			state.Situation
			want string
		}{{state.Situation{}, c.holds}, {state.Situation{NoQuorum: lost}, c.lost}, {state.Situation{Stopping: true}, c.ending}} {
			w, got := state.Router(cfg, s.Situation), nothing
			for range w.Addresses {
				got = there
			}
			for range w.Absent {
				got = gone
			}
			if got != s.want {
				t.Errorf("%s\n%+v: the address is %s, want %s", c.text, s.Situation, got, s.want)
			}
		}
	}
}
