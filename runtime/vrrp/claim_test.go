package vrrp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
)

// TestDuplicateAddress checks that a MASTER which hears another holder of its address by ARP names it if that
// continues for as long as a BACKUP waits for advertisements, and tells the neighbours where the address is. A router
// that takes over is not a duplicate, whatever is lost of what it sends.
func TestDuplicateAddress(t *testing.T) {
	const (
		ms   = time.Millisecond
		said = "note: duplicate address 192.0.2.10: 02:00:00:00:00:09 claims it, too; clients may send to that host"
	)
	claim := func(addr string, last byte) Claimed {
		return Claimed{netip.MustParseAddr(addr), MAC{2, 0, 0, 0, 0, last}, 1}
	}
	claims := claim("192.0.2.10", 9)
	better, worse, farewell := from("192.0.2.3", 200), from("192.0.2.3", 90), from("192.0.2.3", 0)
	type at struct {
		time.Duration
		Event
	}
	for _, c := range []struct {
		name   string
		role   Role
		events []at
		want   string
	}{
		{"claims that go on", Master, []at{{10 * time.Second, claims}, {12 * time.Second, claims}, {10*time.Second + wait100, claims}}, said},
		{"few of them", Master, []at{{10 * time.Second, claims}, {60 * time.Second, claims}}, said},
		{"one", Master, []at{{10 * time.Second, claims}}, ""},
		{"a burst, whose sender may be about to advertise", Master, []at{{10 * time.Second, claims}, {10*time.Second + wait100 - ms, claims}}, ""},
		{"so few that they may have different causes", Master, []at{{10 * time.Second, claims}, {71 * time.Second, claims}}, ""},
		{"two hosts, each of them once", Master, []at{{10 * time.Second, claims}, {15 * time.Second, claim("192.0.2.10", 8)}}, ""},
		{"an address that is not ours", Master, []at{{10 * time.Second, claim("192.0.2.11", 9)}, {15 * time.Second, claim("192.0.2.11", 9)}}, ""},
		{"the MASTER before takes its leave", Master, []at{{0, claims}, {wait100 - ms, claims}, {wait100 + ms, claims}}, ""},
		{"another router takes over; its first advertisement is lost", Master, []at{{10 * time.Second, claims}, {11*time.Second + 3*ms, better}}, ""},
		{"its first three are", Master, []at{{10 * time.Second, claims}, {13*time.Second + 3*ms, better}, {15 * time.Second, claims}}, ""},
		{"it has taken over in vain a while ago", Master, []at{
			{10 * time.Second, claims}, {10*time.Second + ms, worse}, {20 * time.Second, claims}, {21 * time.Second, better},
		}, ""},
		{"it has, and is gone", Master, []at{{10 * time.Second, claims}, {10*time.Second + ms, farewell}, {20 * time.Second, claims}, {21 * time.Second, better}}, ""},
		{"a BACKUP has no address", Backup, []at{{time.Second, claims}, {2 * time.Second, better}, {5 * time.Second, claims}}, ""},
		{"a reload gives the address up", Master, []at{{10 * time.Second, claims}, {12 * time.Second, Reconfigure{instance(withoutAddresses)}}, {15 * time.Second, claims}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, instance(), c.role)
			start := b.now
			var effects []Effect
			for _, e := range c.events {
				effects = append(effects, b.until(start.Add(e.Duration))...)
				effects = append(effects, b.Step(b.now, e.Event)...)
			}
			var notes []string
			bursts := 0
			for _, f := range effects {
				switch f := f.(type) {
				case Note:
					if f.kind == duplicate {
						notes = append(notes, "note: "+f.String())
					}
				case Announce:
					if f.Repeat == 1 {
						bursts++
					}
				}
			}
			if got := strings.Join(notes, "\n"); got != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
			if told := duplicates(b) == 1; told != (c.want != "") || told != (bursts == 1) {
				t.Errorf("conditions %v, %d bursts", b.Conditions(), bursts)
			}
		})
	}
}

// TestDuplicateAddressEnds checks that a host that claims an address which this router has given up may be the MASTER.
func TestDuplicateAddressEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		Event
		want int
	}{
		{"while it is MASTER", Speak{}, 1},
		{"a better one takes over", from("192.0.2.3", 200), 0},
		{"its interface fails", Fault{}, 0},
		{"a reload gives the address up", Reconfigure{instance(withoutAddresses)}, 0},
		{"a reload keeps it", Reconfigure{instance(priority(120))}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, instance(), Master)
			for range 3 {
				b.until(b.now.Add(5 * time.Second))
				b.Step(b.now, Claimed{netip.MustParseAddr("192.0.2.10"), MAC{2}, 1})
			}
			want(t, "before", duplicates(b), 1)
			b.Step(b.now, c.Event)
			want(t, "after", duplicates(b), c.want)
		})
	}
}

// duplicates counts conditions.
func duplicates(b *bench) (n int) {
	for _, c := range b.Conditions() {
		if c.Kind == DuplicateAddress {
			n++
		}
	}
	return n
}

// TestDuplicateAddressCounts checks that claims of one condition are counted, and reported once; after a quiet minute
// it is a new condition.
func TestDuplicateAddressCounts(t *testing.T) {
	b := newBench(t, instance(), Master)
	b.until(b.now.Add(20 * time.Second))
	began := b.now
	bursts := 0
	hear := func() {
		for range 3 {
			effects := slices.Clone(b.Step(b.now, Claimed{netip.MustParseAddr("192.0.2.10"), MAC{2, 0, 0, 0, 0, 9}, 2}))
			for _, f := range append(effects, b.until(b.now.Add(4*time.Second))...) {
				if a, burst := f.(Announce); burst && a.Repeat == 1 {
					bursts++
				}
			}
		}
	}
	hear()
	hear()
	c := b.Conditions()[0]
	if c.Kind != DuplicateAddress || c.Count != 12 || !c.First.Equal(began) || !c.Last.Equal(began.Add(20*time.Second)) || bursts != 1 {
		t.Errorf("%+v, %d bursts", c, bursts)
	}
	if want := "02:00:00:00:00:09 announces this address, too: clients may send to it instead of to us"; c.Cause() != want {
		t.Errorf("cause %q", c.Cause())
	}
	b.until(b.now.Add(61 * time.Second))
	hear()
	if c := b.Conditions()[0]; c.Count != 6 || bursts != 2 {
		t.Errorf("%+v, %d bursts", c, bursts)
	}
}

// TestClaimsAreFew checks that a flood of claims by ever different hosts takes no memory.
func TestClaimsAreFew(t *testing.T) {
	b := newBench(t, instance(), Master)
	for i := range 1000 {
		b.until(b.now.Add(20 * time.Millisecond))
		b.Step(b.now, Claimed{netip.MustParseAddr("192.0.2.10"), MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, 1})
	}
	if n := len(b.claims.list); n > maxConditions || duplicates(b) > 0 {
		t.Errorf("%d claims, conditions %v", n, b.Conditions())
	}
}

func withoutAddresses(v *ir.VRRPInstance) { v.Addresses = nil }

// until lets time pass, and returns the effects of the deadlines until then.
func (b *bench) until(end time.Time) (all []Effect) {
	for {
		at, ok := b.Deadline()
		if !ok || at.After(end) {
			b.now = end
			return all
		}
		b.now = at
		all = append(all, b.Step(at, Tick{})...)
	}
}
