package daemon

import (
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
)

// TestRoom checks that the receive buffer of a wire has room for all its instances.
func TestRoom(t *testing.T) {
	links := map[string]kernel.Link{"eth0": {Name: "eth0", Index: 2, MTU: 1500}}
	for _, c := range []struct {
		name   string
		global ir.Global
		own    uint32
		want   int
	}{
		{"nothing is said", ir.Global{RxBufsMultiplier: 3}, 0, 0},
		{"by MTU", ir.Global{RxBufsPolicy: "MTU", RxBufsMultiplier: 3}, 0, 2 * 3 * 1500},
		{"by advertisement", ir.Global{RxBufsPolicy: "ADVERT", RxBufsMultiplier: 2}, 0, 2 * 2 * (20 + 8 + 4)},
		{"bytes", ir.Global{RxBufsPolicy: "100000", RxBufsMultiplier: 3}, 0, 200000},
		{"of one instance", ir.Global{RxBufsPolicy: "MTU", RxBufsMultiplier: 3}, 7000, 2 * 7000},
	} {
		cfg := &ir.Config{Global: c.global}
		for id := range uint8(2) {
			cfg.Instances = append(cfg.Instances, &ir.VRRPInstance{Interface: "eth0", VRID: id + 1, KernelRxBufSize: c.own, Addresses: make([]ir.Address, 1)})
		}
		if got := needed(links, cfg)[wireKey{iface: "eth0"}].room; got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
}

// TestChildWaitTime checks that child_wait_time limits how long the shutdown takes.
func TestChildWaitTime(t *testing.T) {
	for said, want := range map[time.Duration]time.Duration{0: 5 * time.Second, time.Second: time.Second, time.Minute: time.Minute} {
		d := &director{}
		d.inForce.Config = &ir.Config{ChildWaitTime: said}
		if got := d.patience(); got != want {
			t.Errorf("child_wait_time %v: %v, want %v", said, got, want)
		}
	}
}
