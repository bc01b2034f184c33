package vrrp

import (
	"net/netip"
	"testing"
	"time"

	"keepc/compiler/ir"
)

// TestGARPExtraInterface checks that the addresses on other interfaces are announced repeatedly; without "all" only
// those with a virtual MAC address.
func TestGARPExtraInterface(t *testing.T) {
	cfg := func(e ir.ExtraGARP) *ir.VRRPInstance {
		return instance(func(v *ir.VRRPInstance) {
			v.GARPExtraInterface, v.GARPMasterDelay, v.AdvertInterval = e, 0, 40*time.Second
			v.Addresses = append(v.Addresses,
				ir.Address{Prefix: netip.MustParsePrefix("198.51.100.1/24"), Dev: "eth1"},
				ir.Address{Prefix: netip.MustParsePrefix("198.51.100.2/24"), Dev: "eth1"},
				ir.Address{Prefix: netip.MustParsePrefix("203.0.113.1/24"), Dev: "eth2", Link: "vrrp.51.1", Excluded: true})
		})
	}
	for _, c := range []struct {
		name  string
		extra ir.ExtraGARP
		want  string
	}{
		{"virtual MAC addresses only", ir.ExtraGARP{Every: 10 * time.Second}, "announce 1×1"},
		{"all", ir.ExtraGARP{Every: 10 * time.Second, All: true}, "announce 2×1"},
		{"off", ir.ExtraGARP{}, "send 100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, cfg(c.extra), Master)
			for range 3 {
				if got := b.due(); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
			}
		})
	}
	b := newBench(t, cfg(ir.ExtraGARP{}), Master)
	b.do(time.Second, Reconfigure{cfg(ir.ExtraGARP{Every: 10 * time.Second})})
	if left := b.left(); left != 10*time.Second {
		t.Errorf("a reload announces after %v", left)
	}
}

// TestTimerExpiredBackup checks that a MASTER gives way and listens if its timer came so late that a router with that
// priority has taken over.
func TestTimerExpiredBackup(t *testing.T) {
	for _, c := range []struct {
		name     string
		priority int
		late     time.Duration // after the last advertisement
		want     string
	}{
		{"in time for a router of priority 254", 254, 3 * time.Second, "send 100"},
		{"too late for it", 254, 3010 * time.Millisecond, "BACKUP"},
		{"in time for one of priority 128", 128, 3500 * time.Millisecond, "send 100"},
		{"too late for it", 128, 3501 * time.Millisecond, "BACKUP"},
		{"without the keyword", 0, time.Hour, "send 100, announce 1×5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, instance(func(v *ir.VRRPInstance) { v.NoPreempt, v.TimerExpiredBackup = true, c.priority }), Master)
			if got := b.do(c.late, Tick{}); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if b.Role() == Backup && b.left() != 3*time.Second+156*time.Second/256 {
				t.Errorf("it listens for %v", b.left())
			}
		})
	}
}

// TestYieldTells checks that a MASTER which finds that the better one was MASTER all the time, and did not hear it,
// advertises once more: then the other announces the addresses again. A router that takes over rightfully gets no such
// advertisement.
func TestYieldTells(t *testing.T) {
	hear := func(id uint16) Received {
		r := from("192.0.2.3", 150)
		r.ID = id
		return r
	}
	const told = "send 100, BACKUP"
	strict := func(v *ir.VRRPInstance) { v.Strict = true }
	for _, c := range []struct {
		name     string
		last, id uint16 // of its last advertisement, and of the next one after 10 s of silence
		apart    []func(*ir.VRRPInstance)
		want     string
	}{
		{"it went on", 100, 110, nil, told},
		{"it went on, and was late", 100, 108, nil, told},
		{"it was away", 100, 101, nil, "BACKUP"},
		{"it was away, and said farewell twice", 100, 103, nil, "BACKUP"},
		{"it was away, after some that were not heard", 100, 106, nil, "BACKUP"},
		{"it answered others, whom it heard", 100, 120, nil, "BACKUP"},
		{"it counts for three instances", 100, 131, nil, "BACKUP"},
		{"it has begun anew", 100, 1, nil, "BACKUP"},
		{"it has begun anew, after its first one", 1, 1, nil, "BACKUP"},
		{"it has begun anew, in the middle of its count", 1 << 15, 1, nil, "BACKUP"},
		{"it has begun anew, late in its count", 40000, 1, nil, "BACKUP"},
		{"it has begun anew, right before a wrap", 65527, 1, nil, "BACKUP"},
		{"it was away, and its count wrapped", 65535, 0, nil, "BACKUP"},
		{"a wrapped count tells nothing", 65530, 4, nil, "BACKUP"},
		{"without identifications", 0, 0, nil, "BACKUP"},
		{"strict mode says nothing more", 100, 110, []func(*ir.VRRPInstance){strict}, "BACKUP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, instance(c.apart...), Backup)
			b.do(0, hear(c.last))
			b.due()
			if b.Role() != Master {
				t.Fatal(b.Role())
			}
			if got := b.do(10*time.Second-b.now.Sub(epoch), hear(c.id)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
