package router

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/vrrp"
)

// TestUnknownVRID checks that with log_unknown_vrids a foreign virtual router is reported once a minute.
func TestUnknownVRID(t *testing.T) {
	cfg := &ir.Config{Instances: []*ir.VRRPInstance{{
		Name: "A", Interface: "eth0", VRID: 1, Version: 2, Priority: 100, AdvertInterval: time.Second, DownTimerAdverts: 3,
	}}}
	now := time.Unix(1000, 0)
	src, group := netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("224.0.0.18")
	tells := func(on bool) (told []string) {
		cfg.Global.LogUnknownVRIDs = on
		m := New(now, Prepare(cfg, nil))
		for _, at := range []time.Duration{0, time.Second, 59 * time.Second, 61 * time.Second} {
			for _, vrid := range []uint8{1, 7, 8} {
				packet := vrrp.Packet{Version: 2, VRID: vrid, Priority: 50, Interval: time.Second}
				payload, err := packet.Marshal(src, group)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range m.Step(now.Add(at), PacketReceived{Interface: "eth0", Src: src, Dst: group, TTL: 255, Payload: payload}) {
					if u, ok := f.(UnknownVRID); ok {
						told = append(told, at.String()+" "+u.Subject()+": "+u.Text())
					}
				}
			}
		}
		return told
	}
	want := []string{
		"0s eth0: unknown virtual router 7: 192.0.2.9 advertises it, and no instance here has it",
		"0s eth0: unknown virtual router 8: 192.0.2.9 advertises it, and no instance here has it",
		"1m1s eth0: unknown virtual router 7: 192.0.2.9 advertises it, and no instance here has it",
		"1m1s eth0: unknown virtual router 8: 192.0.2.9 advertises it, and no instance here has it",
	}
	if got := tells(true); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := tells(false); len(got) > 0 {
		t.Errorf("without the word: %q", got)
	}
}
