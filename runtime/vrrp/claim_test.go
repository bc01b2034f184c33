package vrrp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
)

// TestDuplicateAddress: a MASTER that hears by ARP of another holder of its address names it after a second, and tells the neighbours
// where the address is.
func TestDuplicateAddress(t *testing.T) {
	ours := netip.MustParseAddr("192.0.2.10")
	foreign := Claimed{Addr: ours, MAC: MAC{2, 0, 0, 0, 0, 9}}
	const said = "note: duplicate address 192.0.2.10: 02:00:00:00:00:09 says that it has it, too; clients may send there"
	for _, c := range []struct {
		name  string
		role  Role
		wait  time.Duration // before the claim
		claim Claimed
		then  Event // what happens 100 ms later
		want  string
	}{
		{"a MASTER names it", Master, 2500 * time.Millisecond, foreign, nil, said},
		{"one of an address that is not ours", Master, 2500 * time.Millisecond, Claimed{netip.MustParseAddr("192.0.2.11"), foreign.MAC}, nil, ""},
		{"the MASTER before takes its leave", Master, 900 * time.Millisecond, foreign, nil, ""},
		{"the next MASTER is heard by ARP first", Master, 2500 * time.Millisecond, foreign, from("192.0.2.3", 200), ""},
		{"a BACKUP has no address", Backup, 2500 * time.Millisecond, foreign, nil, ""},
		{"a reload gives the address up", Master, 2500 * time.Millisecond, foreign, Reconfigure{instance(withoutAddresses)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, instance(), c.role)
			if c.role == Master {
				b.until(b.now.Add(c.wait))
			}
			b.Step(b.now, c.claim)
			if b.now = b.now.Add(100 * time.Millisecond); c.then != nil {
				b.Step(b.now, c.then)
			}
			effects := b.until(b.now.Add(1500 * time.Millisecond))
			var notes, bursts []string
			for _, f := range effects {
				switch f := f.(type) {
				case Note:
					notes = append(notes, "note: "+f.String())
				case Announce:
					bursts = append(bursts, f.Addresses[0].Prefix.Addr().String())
				}
			}
			if got := strings.Join(notes, "\n"); got != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
			if told := len(b.Conditions()) == 1; told != (c.want != "") || told != (len(bursts) == 1) {
				t.Errorf("conditions %v, bursts for %v", b.Conditions(), bursts)
			}
		})
	}
}

// TestDuplicateAddressCounts: claims of one condition are counted, and told once; after ten quiet seconds it is another one.
func TestDuplicateAddressCounts(t *testing.T) {
	b := newBench(t, instance(), Master)
	foreign := Claimed{Addr: netip.MustParseAddr("192.0.2.10"), MAC: MAC{2, 0, 0, 0, 0, 9}}
	b.until(b.now.Add(20 * time.Second))
	began := b.now
	bursts := 0
	hear := func() {
		b.Step(b.now, foreign)
		b.Step(b.now, foreign)
		for _, f := range b.until(b.now.Add(4 * time.Second)) {
			if a, burst := f.(Announce); burst && a.Repeat == 1 {
				bursts++
			}
		}
	}
	hear()
	hear()
	c := b.Conditions()[0]
	if c.Kind != DuplicateAddress || c.Count != 4 || !c.First.Equal(began) || !c.Last.Equal(began.Add(4*time.Second)) || bursts != 1 {
		t.Errorf("%+v, %d bursts", c, bursts)
	}
	if want := "02:00:00:00:00:09 announces this address, too: clients may send to it instead of to us"; c.Cause() != want {
		t.Errorf("cause %q", c.Cause())
	}
	b.until(b.now.Add(20 * time.Second))
	hear()
	if c := b.Conditions()[0]; c.Count != 2 || bursts != 2 {
		t.Errorf("%+v, %d bursts", c, bursts)
	}
}

func withoutAddresses(v *ir.VRRPInstance) { v.Addresses = nil }

// until lets the time go on, and returns what the deadlines on the way bring.
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
