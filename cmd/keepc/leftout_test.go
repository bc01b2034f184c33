package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/compiler/enforced"
	"keepc/compiler/schema"
	"keepc/runtime/lab"
)

// leftOutConf is a director; {PLACE} is where a word is inserted.
const leftOutConf = `{top}
global_defs {
	vrrp_version 3
	{global_defs}
}
vrrp_instance VI_1 {
	interface eth0
	virtual_router_id 51
	advert_int 0.2
	{vrrp_instance}
	virtual_ipaddress {
		10.200.0.50/24 dev eth0 {vrrp_instance.virtual_ipaddress}
	}
	virtual_routes {
		198.51.100.0/24 via 10.200.0.2 dev eth0 {vrrp_instance.virtual_routes}
	}
	virtual_rules {
		from 203.0.113.0/24 table 100 priority 100 {vrrp_instance.virtual_rules}
	}
}
`

// A leftOut is a word that keepc starts without, as a file has it.
type leftOut struct {
	path, text string
	differs    string // in keepalived's behaviour; empty: nothing
}

// leftOuts are the words about VRRP that do not notify anything.
var leftOuts = []leftOut{
	{path: "global_defs.log_unknown_vrids"},
	{path: "global_defs.disable_local_igmp"},
	{path: "global_defs.set_supplementary_groups"},
	{path: "global_defs.vrrp_check_unicast_src"},
	{path: "global_defs.vrrp_skip_check_adv_addr"},
	{path: "global_defs.vrrp_owner_ignore_adverts"},
	{path: "global_defs.vrrp_startup_delay", text: "vrrp_startup_delay 0.5"},
	{path: "global_defs.vrrp_delay_after_boot", text: "vrrp_delay_after_boot 1"},
	{path: "global_defs.vmac_prefix", text: "vmac_prefix v"},
	{path: "global_defs.vmac_addr_prefix", text: "vmac_addr_prefix w"},
	{path: "global_defs.vrrp_garp_extra_if", text: "vrrp_garp_extra_if 1"},
	{path: "global_defs.vrrp_vmac_garp_intvl", text: "vrrp_vmac_garp_intvl 1"},
	{path: "global_defs.vrrp_iptables", text: "vrrp_iptables"},
	{path: "global_defs.nftables", text: "nftables keepc"},
	{path: "global_defs.nftables_priority", text: "nftables_priority 5"},
	{path: "global_defs.nftables_ifindex"},
	{path: "global_defs.nftables_counters"},
	{path: "global_defs.vrrp_strict", differs: "firewall"},
	{path: "global_defs.vrrp_garp_interval", text: "vrrp_garp_interval 0.1"},
	{path: "global_defs.vrrp_gna_interval", text: "vrrp_gna_interval 0.1"},
	{path: "global_defs.vrrp_min_garp"},
	{path: "global_defs.process_names"},
	{path: "global_defs.vrrp_process_name", text: "vrrp_process_name x"},
	{path: "global_defs.vrrp_netlink_cmd_rcv_bufs", text: "vrrp_netlink_cmd_rcv_bufs 100000"},
	{path: "global_defs.vrrp_netlink_monitor_rcv_bufs", text: "vrrp_netlink_monitor_rcv_bufs 100000"},
	{path: "global_defs.vrrp_rlimit_rttime", text: "vrrp_rlimit_rttime 50000"},
	{path: "global_defs.vrrp_rlimit_rtime", text: "vrrp_rlimit_rtime 50000"},
	{path: "global_defs.bfd_rlimit_rttime", text: "bfd_rlimit_rttime 50000"},
	{path: "global_defs.bfd_rlimit_rtime", text: "bfd_rlimit_rtime 50000"},
	{path: "global_defs.process_monitor_rcv_bufs", text: "process_monitor_rcv_bufs 100000"},
	{path: "global_defs.vrrp_netlink_cmd_rcv_bufs_force"},
	{path: "global_defs.vrrp_netlink_monitor_rcv_bufs_force"},
	{path: "global_defs.process_monitor_rcv_bufs_force"},
	{path: "global_defs.vrrp_rx_bufs_policy", text: "vrrp_rx_bufs_policy MTU"},
	{path: "global_defs.vrrp_rx_bufs_multiplier", text: "vrrp_rx_bufs_multiplier 4"},
	{path: "vrrp_instance.owner_ignore_adverts"},
	{path: "vrrp_instance.timer_expired_backup"},
	{path: "vrrp_instance.thread_timer_expired"},
	{path: "vrrp_instance.unicast_ttl", text: "unicast_ttl 64", differs: "nothing is advertised: 2.2.7 takes a TTL without peers for one of 0"},
	{path: "vrrp_instance.unicast_fault_no_peer", differs: "the instance is in FAULT"},
	{path: "vrrp_instance.check_unicast_src"},
	{path: "vrrp_instance.old_unicast_checksum"},
	{path: "vrrp_instance.track_src_ip"},
	{path: "vrrp_instance.vmac_xmit_base"},
	{path: "vrrp_instance.garp_extra_if", text: "garp_extra_if all 1"},
	{path: "vrrp_instance.vmac_garp_intvl", text: "vmac_garp_intvl 1"},
	{path: "vrrp_instance.promote_secondaries"},
	{path: "vrrp_instance.no_accept", differs: "firewall"},
	{path: "vrrp_instance.strict_mode", differs: "firewall"},
	{path: "vrrp_instance.skip_check_adv_addr"},
	{path: "vrrp_instance.kernel_rx_buf_size", text: "kernel_rx_buf_size 100000"},
	{path: "vrrp_instance.debug", text: "debug 3"},
	{path: "vrrp_instance.linkbeat_use_polling"},
	{path: "vrrp_instance.virtual_ipaddress.home"},
	{path: "vrrp_instance.virtual_ipaddress.mngtmpaddr"},
	{path: "vrrp_instance.virtual_ipaddress.noprefixroute", differs: "flag of the address"},
	{path: "vrrp_instance.virtual_ipaddress.autojoin", differs: "the kernel refuses an address that is not multicast"},
	{path: "vrrp_instance.virtual_ipaddress.no_track"},
	{path: "vrrp_instance.virtual_ipaddress.preferred_lft", text: "preferred_lft 0"},
	{path: "vrrp_instance.virtual_routes.expires", text: "expires 1000", differs: "the kernel refuses it for IPv4"},
	{path: "vrrp_instance.virtual_routes.pref", text: "pref high", differs: "the kernel refuses it for IPv4"},
	{path: "vrrp_instance.virtual_routes.ttl-propagate", text: "ttl-propagate enabled"},
	{path: "vrrp_instance.virtual_routes.append"},
	{path: "vrrp_instance.virtual_routes.as", text: "as to 198.51.100.9"},
	{path: "vrrp_instance.virtual_routes.from", text: "from 192.0.2.0/24", differs: "it is for IPv6"},
	{path: "vrrp_instance.virtual_routes.no_track"},
	{path: "vrrp_instance.virtual_rules.tunnel-id", text: "tunnel-id 5", differs: "the rule asks for it"},
	{path: "vrrp_instance.virtual_rules.l3mdev", differs: "not with a table"},
	{path: "vrrp_instance.virtual_rules.no_track", differs: "the rule has no protocol"},
	{path: "linkbeat_use_polling"},
	{path: "use_pid_dir"},
	{path: "instance", text: "instance x"},
	{path: "child_wait_time", text: "child_wait_time 5"},
}

// leftOutElsewhere are the words of the same blocks that a host with one instance cannot show, by prefix.
var leftOutElsewhere = map[string]string{
	"global_defs.lvs_":                          "virtual servers",
	"global_defs.smtp_":                         "mail",
	"global_defs.no_checker_emails":             "mail",
	"global_defs.no_email_faults":               "mail",
	"vrrp_instance.smtp_alert":                  "mail",
	"global_defs.checker_":                      "checks",
	"global_defs.nftables_ipvs":                 "virtual servers",
	"global_defs.reload_":                       "when files are read",
	"global_defs.config_save_dir":               "when files are read",
	"global_defs.tmp_config_directory":          "when files are read",
	"global_defs.include_check":                 "when files are read",
	"global_defs.iproute_":                      "when files are read",
	"global_defs.use_symlink_paths":             "scripts",
	"global_defs.process_name":                  "what ps shows",
	"global_defs.bfd_process_name":              "what ps shows",
	"global_defs.vrrp_ipsets":                   "no ipset is asked for without strict mode",
	"vrrp_instance.lvs_sync_daemon_interface":   "virtual servers",
	"vrrp_instance.virtual_ipaddress_excluded.": "as in virtual_ipaddress",
	"vrrp_instance.virtual_routes.encap":        "the line is left out, and says so",
	"vrrp_instance.virtual_routes.vrf":          "the line is left out, and says so",
	"vrrp_instance.virtual_routes.track_group":  "static objects alone",
	"vrrp_instance.virtual_rules.track_group":   "static objects alone",
	"vrrp_instance.vrf":                         "virtual MAC addresses",
	"vrrp_instance.use_ipvlan":                  "TestIPVLAN",
}

// tells are the words that notify something, by what the list says about them.
var tells = []string{
	"there is no SNMP", "there is no D-Bus",
	"under the name keepalived dumps have the shape of 2.2.7; see keepc status", "keepalived reads it, too, and does not use it",
}

// TestLeftOut checks that keepalived wants the same of the kernel and advertises the same with each word that keepc
// starts without, or that the list says what is lost. Words that notify something are left out.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts keepalived many times")
	}
	lab.NeedPrograms(t, "keepalived", "chroot", "ip", "nft")
	left := func(path string) bool {
		return slices.ContainsFunc(enforced.Of(path), func(v enforced.Verdict) bool { return v.Answer == enforced.LeftOut && !slices.Contains(tells, v.Why) })
	}
	schema.Walk(func(keys []*schema.Keyword) {
		path := schema.Join(keys)
		inside := strings.HasPrefix(path, "global_defs.") || strings.HasPrefix(path, "vrrp_instance.")
		if inside && left(path) && !slices.ContainsFunc(enforced.Of(path), func(v enforced.Verdict) bool { return v.Answer == enforced.Enforced }) &&
			!slices.ContainsFunc(leftOuts, func(w leftOut) bool { return w.path == path }) && !begins(leftOutElsewhere, path) {
			t.Errorf("nobody has tried what keepalived does with %s", path)
		}
	})
	plain := directed(t, leftOutConf)
	for _, w := range leftOuts {
		if !left(w.path) {
			continue
		}
		t.Run(w.path, func(t *testing.T) {
			t.Parallel()
			place, word := "top", w.path
			if i := strings.LastIndexByte(w.path, '.'); i > 0 {
				place, word = w.path[:i], w.path[i+1:]
			}
			if w.text != "" {
				word = w.text
			}
			with := directed(t, strings.ReplaceAll(leftOutConf, "{"+place+"}", word))
			if same := with == plain; same != (w.differs == "") {
				t.Errorf("with it (differs: %q):\n%s\nwithout it:\n%s", w.differs, with, plain)
			}
		})
	}
}

// begins reports whether a path begins with one of these.
func begins(all map[string]string, path string) bool {
	for start := range all {
		if strings.HasPrefix(path, start) {
			return true
		}
	}
	return false
}

var placeForm = regexp.MustCompile(`\{[a-z][a-z._]*\}`)

// directed returns what is in the kernel once keepalived has a role, and what it advertises.
func directed(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(file, []byte(placeForm.ReplaceAllString(text, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	host, root := dumpHostFor(t, file, configOf(t, file))
	wire := host.Capture("eth0")
	p := startSandboxed(t, host, root, file, "-P")
	lab.Eventually(t, 10*time.Second, "keepalived has a role", func() bool {
		log := p.Log()
		return strings.Contains(log, "Entering MASTER STATE") || strings.Contains(log, "fault state")
	})
	if strings.Contains(p.Log(), "Unknown keyword") {
		t.Skip("keepalived 2.2.7 does not know it")
	}
	var b strings.Builder
	advert := func() bool {
		return slices.ContainsFunc(wire.Frames(), func(f lab.Frame) bool {
			if len(f.Data) < 34 || f.Data[23] != 112 {
				return false
			}
			fmt.Fprintf(&b, "advertises %x\n", f.Data[34:])
			return true
		})
	}
	for end := time.Now().Add(lab.Patience(time.Second)); !advert() && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	read := func() string {
		var b strings.Builder
		for _, args := range [][]string{
			{"ip", "-o", "-d", "addr"}, {"ip", "-d", "route", "show", "table", "all"}, {"ip", "-d", "rule"}, {"nft", "list", "ruleset"},
		} {
			lines := slices.DeleteFunc(strings.Split(host.Run(args[0], args[1:]...), "\n"), func(line string) bool {
				return strings.Contains(line, "fe80") // this one comes when the kernel is done with it
			})
			slices.Sort(lines)
			fmt.Fprintf(&b, "%s\n", strings.Join(lines, "\n"))
		}
		return b.String()
	}
	// Addresses come with the role, and routes and rules after them, on a busy machine later.
	state := ""
	lab.Eventually(t, 10*time.Second, "keepalived's objects stay as they are", func() bool {
		before := state
		time.Sleep(200 * time.Millisecond)
		state = read()
		return state == before
	})
	b.WriteString(state)
	return b.String()
}
