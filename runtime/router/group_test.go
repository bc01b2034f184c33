package router_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/grammar/source"
	"keepc/runtime/router"
	"keepc/runtime/vrrp"
)

// together is a file with a sync group of some of its instances, which are on eth0 and eth1 alternately.
func together(members ...string) *ir.Config {
	text := "vrrp_script web {\n script \"/bin/true\"\n interval 1\n}\nvrrp_script load {\n script \"/bin/true\"\n interval 1\n weight -80\n}\n"
	for n, name := range []string{"A", "B", "C"} {
		text += fmt.Sprintf("vrrp_instance %s {\n interface eth%d\n virtual_router_id %d\n priority 150\n version 3\n", name, n%2, 51+n)
		if name == "B" {
			text += " track_script {\n  web\n }\n"
		}
		text += fmt.Sprintf(" virtual_ipaddress {\n  198.51.100.%d/24\n }\n}\n", n+1)
	}
	if len(members) > 0 {
		text += "vrrp_sync_group G {\n group {\n" + strings.Join(members, "\n") + "\n }\n track_script {\n  load\n }\n}\n"
	}
	return compiler.Load(source.New("test.conf", []byte(text)), compiler.Options{}).Config
}

// TestGroupsNeverSplit checks that whatever happens, the members of a sync group have one role between two steps; also
// over reloads that change the group.
func TestGroupsNeverSplit(t *testing.T) {
	groups := [][]string{{"A", "B", "C"}, {"A", "B"}, {"C", "A"}, {"B"}, nil}
	rapid.Check(t, func(t *rapid.T) {
		draw := func() *ir.Config { return together(rapid.SampledFrom(groups).Draw(t, "group")...) }
		cfg, now := draw(), epoch
		m := router.New(now, router.Prepare(cfg, nil))
		var asked []router.ScriptID
		step := func(ev router.Event) {
			told := map[string]string{}
			for _, f := range m.Step(now, ev) {
				switch f := f.(type) {
				case router.StartScript:
					asked = append(asked, f.ID)
				case router.GroupChanged:
					if told[f.Name] == f.Role {
						t.Fatalf("the group is told %s twice after %v", f.Role, ev)
					}
					told[f.Name] = f.Role
				}
			}
			roles := map[vrrp.Role][]string{}
			for _, s := range m.Standings() {
				if s.Config.SyncGroup != nil && s.Role != vrrp.Init { // an instance that waits for a first result has no role
					roles[s.Role] = append(roles[s.Role], s.Config.Name)
				}
			}
			if len(roles) > 1 {
				t.Fatalf("after %T %v: %v", ev, ev, roles)
			}
			for _, role := range told {
				if r := roles[vrrp.Master]; (role == "MASTER") != (len(r) > 0) {
					t.Fatalf("after %T %v: the group is told %s: %v", ev, ev, role, roles)
				}
			}
		}
		link := func(n int, up bool) {
			step(router.LinkChanged{Name: fmt.Sprintf("eth%d", n), Present: true, Up: up, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.2")}})
		}
		link(0, true)
		link(1, true)
		for range rapid.IntRange(1, 80).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 9).Draw(t, "event") {
			case 0:
				link(rapid.IntRange(0, 1).Draw(t, "link"), rapid.IntRange(0, 2).Draw(t, "up") > 0)
			case 1, 2:
				vrid := rapid.Uint8Range(51, 53).Draw(t, "vrid")
				src, dst := netip.MustParseAddr("192.0.2.3"), ir.MulticastGroup(false)
				p := vrrp.Packet{
					Version: 3, VRID: vrid, Priority: rapid.SampledFrom([]uint8{0, 100, 200}).Draw(t, "priority"),
					Interval: time.Second, Addresses: []netip.Addr{netip.MustParseAddr(fmt.Sprintf("198.51.100.%d", vrid-50))},
				}
				payload, err := p.Marshal(src, dst)
				if err != nil {
					t.Fatal(err)
				}
				step(router.PacketReceived{Interface: fmt.Sprintf("eth%d", (vrid-51)%2), Src: src, Dst: dst, TTL: 255, Payload: payload})
			case 3:
				if rapid.IntRange(0, 4).Draw(t, "reload") == 0 {
					step(router.Swap{Next: router.Prepare(draw(), m.Current())})
				}
			case 4, 5, 6:
				if len(asked) > 0 {
					id := asked[0]
					asked = asked[1:]
					step(router.ScriptDone{ID: id, Cause: rapid.SampledFrom([]string{"", "", "", "fails"}).Draw(t, "cause")})
				}
			default:
				if at, some := m.Deadline(); some && at.After(now) {
					now = at
				}
				step(router.Tick{})
			}
		}
		step(router.Stop{})
	})
}
