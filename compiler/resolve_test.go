package compiler

import (
	"fmt"
	"testing"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

// TestInherited checks what blocks inherit; cmd/keepc compares the same with keepalived's dump.
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

// TestPasswordBesideHMAC checks that auth_hmac is the only authentication of an instance that has both, and that such
// an instance may start as MASTER.
func TestPasswordBesideHMAC(t *testing.T) {
	for _, kind := range []string{"PASS", "AH"} {
		cfg, found := compile(t, "f", `
vrrp_instance A {
	state MASTER
	priority 150
	interface eth0
	virtual_router_id 5
	authentication {
		auth_type `+kind+`
		auth_pass k2t9
	}
	auth_hmac {
		key 1 k2t9k2t9k2t9k2t9k2t9k2t9k2t9k2t9
	}
	virtual_ipaddress {
		10.0.0.9/24
	}
}
`)
		v := cfg.Instances[0]
		if v.Auth != (ir.Authentication{}) || v.AuthHMAC == nil || v.State != ir.Master {
			t.Errorf("%s: %+v, %+v, %v", kind, v.Auth, v.AuthHMAC, v.State)
		}
		if n := found.Count(diag.Error); n != 1 || found[0].Rule != "password-with-hmac" {
			t.Errorf("%s: %v", kind, found)
		}
	}
}

// TestPriorityTold checks whose notify_priority_changes counts: that of the instance, else of its sync group, else of
// global_defs.
func TestPriorityTold(t *testing.T) {
	for _, c := range []struct {
		global, group, instance string
		want                    bool
	}{{"", "", "", false}, {"", "on", "", true}, {"", "on", "off", false}, {"on", "off", "", false}, {"on", "off", "on", true}, {"on", "", "", true}} {
		word := func(keyword, value string) string {
			if value == "" {
				return ""
			}
			return keyword + " " + value + "\n"
		}
		cfg, _ := compile(t, "f", "global_defs {\n"+word("vrrp_notify_priority_changes", c.global)+"}\nvrrp_sync_group G {\ngroup {\nA\n}\n"+word("notify_priority_changes", c.group)+
			"}\nvrrp_instance A {\ninterface eth0\nvirtual_router_id 5\n"+word("notify_priority_changes", c.instance)+"virtual_ipaddress {\n10.0.0.9/24\n}\n}\n")
		if got := cfg.Instances[0].NotifyPriorityChanges; got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}
