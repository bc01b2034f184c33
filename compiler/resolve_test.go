package compiler

import (
	"fmt"
	"testing"

	"keepc/grammar/diag"
)

// TestInherited holds what blocks take from others where they are silent; cmd/keepc holds the same against keepalived's dump.
func TestInherited(t *testing.T) {
	cfg, found := compile(t, "f", `
global_defs {
	vrrp_skip_check_adv_addr
	vrrp_check_unicast_src
	vrrp_notify_priority_changes
	vrrp_mcast_group4 224.0.0.77
	vrrp_min_garp
	smtp_alert
	smtp_alert_vrrp off
	script_user nobody
}
vrrp_script chk {
	script "/usr/bin/chk a"
	weight -3
}
vrrp_instance A {
	interface eth0
	virtual_router_id 5
	track_interface {
		eth1
	}
	track_script {
		chk
	}
	notify_master /usr/bin/up
	notify_backup "/usr/bin/down x" root
	virtual_ipaddress {
		10.0.0.9/24
	}
	virtual_rules {
		from 10.1.0.0/16 table 9
		from 10.2.0.0/16 table 9 priority 7
	}
}
vrrp_instance B {
	interface eth0
	virtual_router_id 6
	version 3
	strict_mode
	smtp_alert
	skip_check_adv_addr off
	use_vmac
	unicast_peer {
		10.0.0.7
	}
	track_script {
		chk weight 5
	}
	virtual_ipaddress {
		10.0.0.10/24
	}
}
static_rules {
	from 10.3.0.0/16 table 9
	from 2001:db8::/64 table 9
}
`)
	for _, d := range found {
		if d.Severity == diag.Error {
			t.Logf("%s: %s", d.Span, d.Message)
		}
	}
	a, b := cfg.Instances[0], cfg.Instances[1]
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"group", a.MulticastGroup, "224.0.0.77"},
		{"no group with unicast", b.MulticastGroup, "invalid IP"},
		{"TTL of unicast", *b.UnicastTTL, 255},
		{"vmac_xmit_base with unicast", b.VMACXmitBase, true},
		{"skip_check_adv_addr", a.SkipCheckAdvAddr, true},
		{"own skip_check_adv_addr", b.SkipCheckAdvAddr, false},
		{"check_unicast_src", b.CheckUnicastSource, true},
		{"notify_priority_changes", a.NotifyPriorityChanges, true},
		{"smtp_alert", a.SMTPAlert, false},
		{"own smtp_alert", b.SMTPAlert, true},
		{"accept", a.Accept, true},
		{"accept in strict mode", b.Accept, false},
		{"one gratuitous ARP", a.GARPMasterRepeat, 1},
		{"no second burst", a.GARPMasterDelay, "0s"},
		{"weight of the script", *a.TrackScripts[0].Weight, "{-3 false}"},
		{"weight of the line", *b.TrackScripts[0].Weight, "{5 false}"},
		{"weight of an interface", *a.TrackInterfaces[0].Weight, "{0 false}"},
		{"user of a script", a.Notify.Master.User.Name, "nobody"},
		{"own user of a script", a.Notify.Backup.User.Name, "root"},
		{"priority of the first rule", *a.Rules[0].Priority, 16384},
		{"own priority", *a.Rules[1].Priority, 7},
		{"priority of the next rule in the file", *cfg.StaticRules[0].Priority, 16383},
		{"priority of a rule of IPv6", *cfg.StaticRules[1].Priority, 16384},
	} {
		if fmt.Sprint(c.got) != fmt.Sprint(c.want) {
			t.Errorf("%s: got %v, want %v", c.what, c.got, c.want)
		}
	}
}
