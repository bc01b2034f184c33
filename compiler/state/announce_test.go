package state_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// TestAnnouncedRoutes checks that the stage of an address says which tables have its route, and that the others are
// known to lack it, so that it is removed from them.
func TestAnnouncedRoutes(t *testing.T) {
	cfg := compile(t, "virtual_server 10.0.0.3 80 {\n lb_kind DR\n protocol TCP\n real_server 10.0.0.7 80 {\n }\n}\n")
	v4, v6 := netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("2001:db8::3")
	cfg.Announcements = []*ir.Announcement{{Name: ir.Name{Text: "edge"}, Addresses: []ir.PlacedAddr{{Addr: v4}, {Addr: v6}}, Table: 198, DrainTable: 199}}
	for _, c := range []struct {
		stage        state.Stage
		here, absent string
	}{
		{state.Withdrawn, "", "10.0.0.3/32 table 198, 10.0.0.3/32 table 199, 2001:db8::3/128 table 198, 2001:db8::3/128 table 199"},
		{state.Announced, "10.0.0.3/32 table 198, 2001:db8::3/128 table 198", "10.0.0.3/32 table 199, 2001:db8::3/128 table 199"},
		{state.Moving, "10.0.0.3/32 table 198, 10.0.0.3/32 table 199, 2001:db8::3/128 table 198, 2001:db8::3/128 table 199", ""},
		{state.Draining, "10.0.0.3/32 table 199, 2001:db8::3/128 table 199", "10.0.0.3/32 table 198, 2001:db8::3/128 table 198"},
	} {
		now := state.Announcement{Stage: c.stage, Why: "of the test"}
		want := state.Router(cfg, state.Situation{Announced: map[netip.Addr]state.Announcement{v4: now, v6: now}})
		var here, absent []string
		for k, r := range want.Routes {
			if here = append(here, k.String()); !state.IsAnnounced(k, r) {
				t.Errorf("%v is not an announcement", k)
			}
		}
		for k, why := range want.Absent {
			if absent = append(absent, k.String()); why != fmt.Sprintf("edge is %v: of the test", c.stage) {
				t.Errorf("%v: %q", k, why)
			}
		}
		slices.Sort(here)
		slices.Sort(absent)
		if got := strings.Join(here, ", "); got != c.here {
			t.Errorf("%v: here %s; want %s", c.stage, got, c.here)
		}
		if got := strings.Join(absent, ", "); got != c.absent {
			t.Errorf("%v: absent %s; want %s", c.stage, got, c.absent)
		}
	}
	all := state.AllMaster(cfg)
	if n := len(state.Router(cfg, all).Routes); n != 1 {
		t.Errorf("where all is well %d addresses are announced; one has a service", n)
	}
	cfg.Announcements[0].Local = true
	local := state.Router(cfg, state.Situation{}).Routes
	if len(local) != 1 || local[state.RouteKey{Table: ir.MainTable, Dst: netip.PrefixFrom(v4, 32), Protocol: 18}].Type != 2 {
		t.Errorf("local, of which one address is served: %v", local)
	}
	cfg.Announcements[0].Local = false
	all.Stopping = true
	if s := state.Router(cfg, all); len(s.Routes) != 0 || len(s.Absent) != 4 {
		t.Errorf("stopping: %v", s)
	}
}

// TestUnannounced checks that a route of the file that looks like an announcement is not one.
func TestUnannounced(t *testing.T) {
	cfg := compile(t, "static_routes {\n blackhole 10.0.0.9/32 table 198\n}\nvirtual_server 10.0.0.3 80 {\n lb_kind DR\n protocol TCP\n real_server 10.0.0.7 80 {\n }\n}\n")
	cfg.Announcements = []*ir.Announcement{{Name: ir.Name{Text: "edge"}, Addresses: []ir.PlacedAddr{{Addr: netip.MustParseAddr("10.0.0.3")}}, Table: 198}}
	alike := 0
	for k, r := range state.Router(cfg, state.AllMaster(cfg)).Routes {
		if state.IsAnnounced(k, r) {
			alike++
		}
	}
	own := state.Unannounced(cfg)
	if alike != 2 || len(own) != 1 {
		t.Errorf("%d routes look like announcements; %v", alike, own)
	}
	for k := range own {
		if k.Dst.String() != "10.0.0.9/32" {
			t.Errorf("%v", k)
		}
	}
}
