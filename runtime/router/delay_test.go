package router

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
)

// TestStartupDelay compares with keepalived 2.2.7, which with vrrp_startup_delay 3 was seen to do nothing for 3 s;
// then an owner was MASTER at once, and the other instance 3.0 s later. A reload during or after the delay changes
// nothing about that.
func TestStartupDelay(t *testing.T) {
	cfg := &ir.Config{Instances: []*ir.VRRPInstance{
		{Name: "A", Interface: "eth0", VRID: 1, Version: 2, Priority: 254, AdvertInterval: time.Second, DownTimerAdverts: 3},
		{Name: "O", Interface: "eth0", VRID: 2, Version: 2, Priority: 255, State: ir.Master, AdvertInterval: time.Second, DownTimerAdverts: 3},
	}}
	cfg.Global.StartupDelay = 3 * time.Second
	start := time.Unix(1000, 0)
	m := New(start, Prepare(cfg, nil))
	var got []string
	step := func(now time.Time, ev Event) {
		for _, f := range m.Step(now, ev) {
			switch f := f.(type) {
			case RoleChanged:
				got = append(got, fmt.Sprintf("%v %s %s", now.Sub(start).Round(100*time.Millisecond), f.Name, f.Role))
			case StartDelayed:
				got = append(got, f.Text())
			}
		}
	}
	step(start, LinkChanged{Name: "eth0", Present: true, Up: true, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.2")}})
	step(start, Swap{Prepare(cfg, m.Current())})
	for now := start; now.Before(start.Add(7 * time.Second)); {
		at, running := m.Deadline()
		if !running {
			t.Fatal("nothing is awaited")
		}
		if now = at; now.Sub(start) == time.Second && m.Standings()[0].Why() != "waits for the end of vrrp_startup_delay" {
			t.Error(m.Standings()[0].Why())
		}
		step(now, Tick{})
	}
	step(start.Add(8*time.Second), Swap{Prepare(cfg, m.Current())})
	if want := "begins after 3s: vrrp_startup_delay, 3s A BACKUP, 3s O MASTER, 6s A MASTER"; strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
