package router

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
)

// TestUpDownDelays checks that with interface_up_down_delays an interface that is back in time was never away, and
// neither was the virtual one on it; a delay is short enough that no backup takes over meanwhile, as with keepalived
// 2.2.7.
func TestUpDownDelays(t *testing.T) {
	router := func(down, up time.Duration) *ir.Config {
		return &ir.Config{
			UpDownDelays: []ir.UpDownDelay{{Interface: "eth0", Down: down, Up: up}},
			Instances: []*ir.VRRPInstance{{
				Name: "A", Interface: "eth0", VRID: 1, Version: 2, Priority: 254, AdvertInterval: time.Second, DownTimerAdverts: 3,
				Link: "vrrp.1", Links: []ir.VirtualLink{{Name: "vrrp.1", Base: "eth0"}},
			}},
		}
	}
	for _, c := range []struct {
		name     string
		down, up time.Duration
		script   string // "3s down": what happens to the interface, and when
		want     string
	}{
		{"back in time", time.Second, time.Second, "10s down, 10.9s up, 11.8s down, 12.7s up", "0s BACKUP, 3s MASTER"},
		{"down for good", time.Second, time.Second, "10s down", "0s BACKUP, 3s MASTER, 11s FAULT"},
		{"up after the other delay", 500 * time.Millisecond, 1500 * time.Millisecond, "10s down, 13s up", "0s BACKUP, 3s MASTER, 10.5s FAULT, 14.5s BACKUP, 17.5s MASTER"},
		{"no delay to go down", 0, time.Second, "10s down, 11s up", "0s BACKUP, 3s MASTER, 10s FAULT, 12s BACKUP, 15s MASTER"},
		{"a delay that is too long", 9 * time.Second, 0, "10s down", "0s BACKUP, 3s MASTER, 12s FAULT"},
		{"a reload without delays", 2 * time.Second, 0, "10s down, 11s reload", "0s BACKUP, 3s MASTER, 11s FAULT"},
		{"a reload that keeps them", 2 * time.Second, 0, "10s down, 11s again", "0s BACKUP, 3s MASTER, 12s FAULT"},
		{"the interface goes away", 2 * time.Second, 0, "10s gone", "0s BACKUP, 3s MASTER, 10s FAULT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := router(c.down, c.up)
			start := time.Unix(1000, 0)
			m := New(start, Prepare(cfg, nil))
			var got []string
			step := func(now time.Time, ev Event) {
				for _, f := range m.Step(now, ev) {
					if f, ok := f.(RoleChanged); ok {
						got = append(got, fmt.Sprintf("%v %s", now.Sub(start).Round(100*time.Millisecond), f.Role))
					}
				}
			}
			until := func(end time.Time) {
				for at, some := m.Deadline(); some && !at.After(end); at, some = m.Deadline() {
					step(at, Tick{})
				}
			}
			links := func(now time.Time, present, up bool) {
				for _, name := range []string{"eth0", "vrrp.1"} {
					step(now, LinkChanged{Name: name, Present: present, Up: up, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.2")}})
				}
			}
			links(start, true, true)
			for line := range strings.SplitSeq(c.script, ", ") {
				after, what, _ := strings.Cut(line, " ")
				d, err := time.ParseDuration(after)
				if err != nil {
					t.Fatal(err)
				}
				now := start.Add(d)
				until(now)
				switch what {
				case "reload", "again":
					next := router(c.down, c.up)
					if what == "reload" {
						next.UpDownDelays = nil
					}
					step(now, Swap{Prepare(next, m.Current())})
				default:
					links(now, what != "gone", what == "up")
				}
			}
			until(start.Add(30 * time.Second))
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("got %s, want %s", text, c.want)
			}
		})
	}
}
