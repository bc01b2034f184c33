package reconcile_test

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
)

// A store is a journal's file in memory, on a disk that can be full.
type store struct {
	text []byte
	full error // what each write returns; half of an appended text is kept
}

func (s *store) Load() ([]byte, error) { return slices.Clone(s.text), nil }

func (s *store) Append(text []byte) error {
	if s.full != nil {
		text = text[:len(text)/2]
	}
	s.text = append(s.text, text...)
	return s.full
}

func (s *store) Replace(text []byte) error {
	if s.full == nil {
		s.text = slices.Clone(text)
	}
	return s.full
}

// A life is that of one director, which ends by SIGKILL, between those before and after it on the same host.
type life struct {
	*reconcile.Reconciler
	said []string
}

func begin(k kernel.Objects, part state.Part, s reconcile.Store) *life {
	l := &life{}
	l.Reconciler = reconcile.New(k, part, reconcile.OpenJournal(s, func(text string) { l.said = append(l.said, text) }))
	return l
}

// gone is a second address of the subnet of vip that the file no longer names.
var gone = state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.4/24")}

func holding(t *testing.T, h *host) map[state.AddressKey]state.Address {
	t.Helper()
	have, err := kernel.List(h.Fake, state.AddressKind)
	if err != nil {
		t.Fatal(err)
	}
	return have
}

// TestLeftOversOfAKilledDirector checks that what the director made and the file no longer names is removed at the
// next start, and what others made stays.
func TestLeftOversOfAKilledDirector(t *testing.T) {
	h, s := newHost(), &store{}
	rule := state.RuleKey{Priority: 100, Action: 1, Table: 100, Protocol: ir.KeepalivedProtocol}
	theirs := state.RuleKey{Priority: 101, Action: 1, Table: 100, Protocol: ir.KeepalivedProtocol} // a keepalived beside us uses the mark, too
	if err := kernel.Set(h.Fake, theirs, state.Rule{}); err != nil {
		t.Fatal(err)
	}
	both := tutorial()
	both.Addresses[gone], both.Rules[rule] = state.Address{Label: "eth0:1"}, state.Rule{}
	reconciled(t, begin(h.Kernel, state.OfRouter, s).Reconciler, both)
	foreign := state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.9/24")}
	if err := kernel.Set(h.Fake, foreign, state.Address{}); err != nil {
		t.Fatal(err)
	}
	h.wrote = nil

	second := begin(h.Kernel, state.OfRouter, s)
	for _, d := range reconciled(t, second.Reconciler, tutorial()) {
		if d.Repair {
			t.Errorf("%s is no repair", d.Key)
		}
	}
	h.expect(t, "delete rule 100: from all lookup 100", "delete address 10.0.0.4/24 dev eth0")
	if have := holding(t, h); len(have) != 3 || len(second.said) != 0 {
		t.Errorf("have %v, said %q", have, second.said)
	}

	reconciled(t, begin(h.Kernel, state.OfRouter, s).Reconciler, tutorial())
	h.expect(t)
	third := begin(h.Kernel, state.OfRouter, s)
	reconciled(t, third.Reconciler, tutorial())
	reconciled(t, third.Reconciler, state.New())
	h.expect(t, "delete address 10.0.0.3/24 dev eth0")
	if len(s.text) != 0 {
		t.Errorf("nothing is left, and the journal tells of\n%s", s.text)
	}
}

// TestJournalOfServices checks for virtual servers what holds for addresses.
func TestJournalOfServices(t *testing.T) {
	h, s := newHost(), &store{}
	reconciled(t, begin(h.Kernel, state.OfBalance, s).Reconciler, tutorial())
	if err := errors.Join(kernel.Set(h.Fake, own.Service, state.Service{Scheduler: "rr"}), kernel.Set(h.Fake, own, state.Destination{Weight: 7})); err != nil {
		t.Fatal(err)
	}
	h.wrote = nil
	reconciled(t, begin(h.Kernel, state.OfBalance, s).Reconciler, state.New())
	h.expect(t, "delete service tcp 10.0.0.3:80")
}

// TestNotAsItWasMade checks that an address that differs from what the killed director made belongs to somebody else
// by now.
func TestNotAsItWasMade(t *testing.T) {
	h, s := newHost(), &store{}
	both := tutorial()
	both.Addresses[gone] = state.Address{Label: "eth0:1"}
	reconciled(t, begin(h.Kernel, state.OfRouter, s).Reconciler, both)
	if err := kernel.Set(h.Fake, gone, state.Address{Label: "eth0:7"}); err != nil {
		t.Fatal(err)
	}
	h.wrote = nil
	reconciled(t, begin(h.Kernel, state.OfRouter, s).Reconciler, tutorial())
	h.expect(t)
}

// TestDamagedJournal cuts the journal at every byte. Complete lines count; that the end is missing is reported once.
func TestDamagedJournal(t *testing.T) {
	h, s := newHost(), &store{}
	both := tutorial()
	both.Addresses[gone] = state.Address{}
	reconciled(t, begin(h.Kernel, state.OfRouter, s).Reconciler, both)
	whole := slices.Clone(s.text)
	for n := range len(whole) + 1 {
		for _, tail := range []string{"", "\x00\x00\n", "{}\n"} {
			h := newHost()
			for k, a := range both.Addresses {
				if err := kernel.Set(h.Fake, k, a); err != nil {
					t.Fatal(err)
				}
			}
			s.text = append(slices.Clone(whole[:n]), tail...)
			l := begin(h.Kernel, state.OfRouter, s)
			reconciled(t, l.Reconciler, tutorial())
			damaged := tail != "" || n > 0 && whole[n-1] != '\n'
			if _, still := holding(t, h)[gone]; still == bytes.Contains(whole[:n], []byte("10.0.0.4/24\"},\"object\":{}}}\n")) || len(l.said) != map[bool]int{true: 1}[damaged] {
				t.Fatalf("%q: still there %v, said %q", s.text, still, l.said)
			}
			if again := begin(h.Kernel, state.OfRouter, s); len(again.said) != 0 {
				t.Fatalf("%d bytes: the damage is still there: %q", n, s.text)
			}
		}
	}
}

// TestFullDisk checks that a journal that cannot be written is reported once and stops nothing; when there is room
// again, it becomes complete.
func TestFullDisk(t *testing.T) {
	h, s := newHost(), &store{full: errors.New("no space left on device")}
	l := begin(h.Kernel, state.OfRouter, s)
	both := tutorial()
	reconciled(t, l.Reconciler, both)
	both = tutorial()
	both.Addresses[gone] = state.Address{}
	reconciled(t, l.Reconciler, both)
	h.expect(t, "set address 10.0.0.3/24 dev eth0", "set address 10.0.0.4/24 dev eth0")
	if len(l.said) != 1 || !strings.Contains(l.said[0], "no space left on device") {
		t.Errorf("said %q, want it said once", l.said)
	}
	s.full = nil
	reconciled(t, l.Reconciler, both)
	next := begin(h.Kernel, state.OfRouter, s)
	reconciled(t, next.Reconciler, state.New())
	h.expect(t, "delete address 10.0.0.3/24 dev eth0", "delete address 10.0.0.4/24 dev eth0")
	if len(next.said) != 0 {
		t.Errorf("said %q", next.said)
	}
}

// TestJournalStaysShort checks that an address that comes and goes forever does not fill the disk.
func TestJournalStaysShort(t *testing.T) {
	h, s := newHost(), &store{}
	l := begin(h.Kernel, state.OfRouter, s)
	keep := state.New()
	keep.Addresses[gone] = state.Address{}
	for range 3000 {
		both := tutorial()
		both.Addresses[gone] = state.Address{}
		reconciled(t, l.Reconciler, both)
		reconciled(t, l.Reconciler, keep)
	}
	if n := bytes.Count(s.text, []byte("\n")); n > 1100 {
		t.Errorf("%d lines for one address", n)
	}
}
