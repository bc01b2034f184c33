package router

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
)

// TestGroupGetsMember checks a reload that adds a member to the sync group of a MASTER: the new member listens first,
// and the others with it; all are MASTER again when the new one would be. keepalived 2.2.7 was seen to do the same:
// BACKUP at the reload, its addresses removed, MASTER 3 s later.
func TestGroupGetsMember(t *testing.T) {
	group := func(names ...string) *ir.Config {
		cfg, g := &ir.Config{}, &ir.SyncGroup{Name: "G"}
		for i, name := range names {
			g.Members = append(g.Members, ir.Name{Text: name})
			cfg.Instances = append(cfg.Instances, &ir.VRRPInstance{
				Name: name, Interface: "eth0", VRID: uint8(i + 1), Version: 2, Priority: 254, AdvertInterval: time.Second, DownTimerAdverts: 3, SyncGroup: g,
			})
		}
		cfg.SyncGroups = []*ir.SyncGroup{g}
		return cfg
	}
	start := time.Unix(1000, 0)
	m := New(start, Prepare(group("A", "B"), nil))
	var got []string
	step := func(now time.Time, ev Event) {
		for _, f := range m.Step(now, ev) {
			if f, ok := f.(RoleChanged); ok {
				got = append(got, fmt.Sprintf("%v %s %s", now.Sub(start).Round(100*time.Millisecond), f.Name, f.Role))
			}
		}
	}
	pass := func(until time.Duration) {
		for at, running := m.Deadline(); running && at.Before(start.Add(until)); at, running = m.Deadline() {
			step(at, Tick{})
		}
	}
	step(start, LinkChanged{Name: "eth0", Present: true, Up: true, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.2")}})
	pass(6 * time.Second)
	step(start.Add(6*time.Second), Swap{Prepare(group("A", "B", "C"), m.Current())})
	pass(10 * time.Second)
	want := "0s A BACKUP, 0s B BACKUP, 3s B MASTER, 3s A MASTER, 6s C BACKUP, 6s A BACKUP, 6s B BACKUP, 9s C MASTER, 9s A MASTER, 9s B MASTER"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
}
