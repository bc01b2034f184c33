package router_test

import (
	"net/netip"
	"testing"
	"time"

	"keepc/runtime/router"
	"keepc/runtime/vrrp"
)

// The cost of an advertisement: the deadline and Tick of a master, and its reception by a backup.

func BenchmarkMasterTick(b *testing.B) {
	m := router.New(epoch, router.Prepare(mustParse(b, "A priority 150 addresses 192.0.2.10/24,192.0.2.11/24"), nil))
	m.Step(epoch, eth0("192.0.2.2"))
	m.Step(epoch.Add(time.Minute), router.Tick{})
	b.ReportAllocs()
	for b.Loop() {
		at, _ := m.Deadline()
		m.Step(at, router.Tick{})
	}
}

func BenchmarkBackupHears(b *testing.B) {
	m := router.New(epoch, router.Prepare(mustParse(b, "A priority 100 addresses 192.0.2.10/24,192.0.2.11/24"), nil))
	m.Step(epoch, eth0("192.0.2.2"))
	m.Step(epoch, router.Tick{})
	p := packet(51, 150)
	advert := vrrp.Packet{
		Version: 2, VRID: 51, Priority: 150, Interval: time.Second, AuthType: 1, Auth: m.Config().Instances[0].Auth.Pass,
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11")},
	}
	var err error
	if p.Payload, err = advert.Marshal(p.Src, p.Dst); err != nil {
		b.Fatal(err)
	}
	now := epoch
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		m.Step(now, p)
	}
}
