package compiler

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

func compile(t testing.TB, name, text string) (*ir.Config, diag.List) {
	t.Helper()
	u := Load(source.New(name, []byte(text)), Options{})
	return u.Config, u.Findings
}

func compileFile(t testing.TB, path string) (*ir.Config, diag.List) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, filepath.Base(path), string(text))
}

// TestTutorial checks that no mistake in the tutorial hides anything: the file as typed means the same as its repair.
func TestTutorial(t *testing.T) {
	for _, name := range []string{"lb01.conf", "lb02.conf"} {
		typed, found := compileFile(t, filepath.Join("..", "testdata", "tutorial", name))
		if n := found.Count(diag.Error); n != 6 || found.Count(diag.Warning) != 0 || found.Count(diag.Info) == 0 {
			t.Errorf("%s: %d errors, %d warnings", name, n, found.Count(diag.Warning))
		}
		mended, found := compileFile(t, filepath.Join("..", "testdata", "tutorial", "repaired", name))
		if found.Has(diag.Warning) {
			t.Errorf("%s: the repaired file has findings: %v", name, found)
		}
		if a, b := wanted(typed), wanted(mended); !slices.Equal(a, b) {
			t.Errorf("%s: typed\n%q\nmended\n%q", name, a, b)
		}
		v := typed.Instances[0]
		if v.Auth.Type != ir.AuthPass || v.Auth.Pass.Reveal() != "1234" {
			t.Errorf("%s: the password is lost", name)
		}
	}
}

// wanted lists what a configuration wants of the kernel of a MASTER.
func wanted(cfg *ir.Config) (all []string) {
	s := state.Desired(cfg, state.AllMaster(cfg))
	for k, v := range s.Addresses {
		all = append(all, fmt.Sprint(k, v.Fields()))
	}
	for k, v := range s.Services {
		all = append(all, fmt.Sprint(k, v.Fields()))
	}
	for k, v := range s.Destinations {
		all = append(all, fmt.Sprint(k, v.Fields()))
	}
	slices.Sort(all)
	return all
}

// TestDefaults checks the values that the reference uses if the file says nothing, as its data dump shows them.
func TestDefaults(t *testing.T) {
	cfg, _ := compile(t, "f", `
global_defs {
	vrrp_garp_master_delay 7
}
vrrp_instance A {
	interface eth0
	virtual_router_id 5
	garp_master_repeat 3
	virtual_ipaddress {
		10.0.0.9
	}
}
vrrp_instance B {
	state MASTER
	interface eth1
	virtual_router_id 6
	advert_int 2.6
	virtual_ipaddress_excluded {
		10.0.0.8/24
	}
	virtual_ipaddress {
		fe80::9/64
	}
}
virtual_server 10.0.0.9 80 {
	weight 3
	retry 4
	lb_kind DR
	real_server 10.0.0.2 8080 {
		TCP_CHECK {
		}
		HTTP_GET {
			url {
				path /
			}
		}
	}
	real_server 10.0.0.3 80 {
		weight 0
		delay_loop 7
		lvs_method NAT
		MISC_CHECK {
			misc_path /bin/true
			retry 2
		}
		DNS_CHECK {
			connect_port 53
		}
	}
	sorry_server 10.0.0.4 80
}
`)
	a, b := cfg.Instances[0], cfg.Instances[1]
	vs := cfg.VirtualServers[0]
	dr, nat := vs.RealServers[0], vs.RealServers[1]
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"priority", a.Priority, uint8(100)},
		{"priority of a MASTER", b.Priority, uint8(255)},
		{"version", a.Version, uint8(2)},
		{"version with IPv6", b.Version, uint8(3)},
		{"interval", a.AdvertInterval, time.Second},
		{"interval of version 3", b.AdvertInterval, 2600 * time.Millisecond},
		{"prefix", a.Addresses[0].Prefix.String(), "10.0.0.9/32"},
		{"interface of an address", a.Addresses[0].Dev, "eth0"},
		{"advertised address first", b.Addresses[0].Prefix.String(), "fe80::9/64"},
		{"excluded address", b.Addresses[1].Excluded, true},
		{"garp_master_delay", a.GARPMasterDelay, 7 * time.Second},
		{"garp_master_repeat", a.GARPMasterRepeat, 3},
		{"garp_master_refresh_repeat", a.GARPMasterRefreshRepeat, 1},
		{"garp_lower_prio_delay", a.GARPLowerPrioDelay, 7 * time.Second},
		{"garp_lower_prio_repeat", a.GARPLowerPrioRepeat, 5},
		{"down_timer_adverts", a.DownTimerAdverts, 3},
		{"protocol", vs.Key.Protocol, ir.UDP},
		{"scheduler", vs.Scheduler, "wlc"},
		{"quorum", vs.Quorum, uint32(1)},
		{"mask", vs.PersistenceMask, ir.MaskOf(32, false)},
		{"weight", dr.Weight, 3},
		{"own weight", nat.Weight, 0},
		{"port with DR", dr.Addr.Port(), uint16(80)},
		{"forwarding", dr.Forwarding, ir.DR},
		{"own forwarding", nat.Forwarding, ir.NAT},
		{"forwarding of the sorry server", vs.SorryServer.Forwarding, ir.DR},
		{"target", dr.Checks[0].Target.String(), "10.0.0.2:8080"},
		{"retry of the virtual server", dr.Checks[0].Retry, 4},
		{"own retry", nat.Checks[0].Retry, 2},
		{"delay_loop", dr.Checks[0].DelayLoop, time.Minute},
		{"delay_loop of the real server", nat.Checks[0].DelayLoop, 7 * time.Second},
		{"warmup", nat.Checks[0].Warmup, 7 * time.Second},
		{"connect_timeout", dr.Checks[0].ConnectTimeout, 5 * time.Second},
		{"delay_before_retry", dr.Checks[0].DelayBeforeRetry, time.Second},
		{"delay_before_retry of HTTP", dr.Checks[1].DelayBeforeRetry, 3 * time.Second},
		{"delay_before_retry of DNS", nat.Checks[1].DelayBeforeRetry, 7 * time.Second},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, c.got, c.want)
		}
	}
}

// TestGroups checks that a virtual server of a group appears once for each service of the group.
func TestGroups(t *testing.T) {
	cfg, found := compile(t, "f", `
virtual_server_group web {
	10.0.0.1-3 80
	10.1.0.0/31 443
	fwmark 7
}
virtual_server group web {
	lb_algo rr
	lb_kind DR
	protocol TCP
	real_server 10.0.0.9 {
		TCP_CHECK {
			connect_port 80
		}
	}
}
`)
	if len(found) > 0 {
		t.Errorf("findings: %v", found)
	}
	var keys []string
	for _, v := range cfg.VirtualServers {
		keys = append(keys, v.Key.String()+" "+v.RealServers[0].Addr.String())
	}
	want := []string{
		"tcp 10.0.0.1:80 10.0.0.9:80", "tcp 10.0.0.2:80 10.0.0.9:80", "tcp 10.0.0.3:80 10.0.0.9:80",
		"tcp 10.1.0.0:443 10.0.0.9:443", "tcp 10.1.0.1:443 10.0.0.9:443", "fwmark 7 10.0.0.9:0",
	}
	if !slices.Equal(keys, want) {
		t.Errorf("got %q\nwant %q", keys, want)
	}
}

// TestNotEnforced checks that nothing is said about the inside of a block that is not enforced as a whole.
func TestNotEnforced(t *testing.T) {
	cfg, _ := compile(t, "f", `
linkbeat_interfaces {
	eth0
}
`)
	var paths []string
	for _, u := range cfg.NotEnforced {
		paths = append(paths, u.Keyword)
	}
	if want := []string{"linkbeat_interfaces"}; !slices.Equal(paths, want) {
		t.Errorf("%v, want %v", paths, want)
	}
}
