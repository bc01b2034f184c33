package vrrp

import (
	"strings"
	"testing"
	"time"
)

// TestConditions checks that a MASTER which hears another one names it, that one which stays MASTER is said not to
// hear us, and that a pause ends the condition.
func TestConditions(t *testing.T) {
	m := newBench(t, instance(priority(150)), Master)
	now := m.advert
	hear := func(r Received) (notes []string) {
		now = now.Add(time.Second)
		for _, f := range m.Step(now, r) {
			if n, ok := f.(Note); ok {
				notes = append(notes, n.String())
			}
		}
		return notes
	}
	worse := from("192.0.2.1", 100, func(*Packet) {})
	is := func(kind ConditionKind, count uint64, cause string) {
		t.Helper()
		all := m.Conditions()
		if len(all) == 0 {
			t.Fatalf("no %v", kind)
		}
		if c := all[len(all)-1]; c.Kind != kind || c.Count != count || !strings.Contains(c.Cause(), cause) || c.Peer != worse.Src {
			t.Errorf("%v, %d times: %s; want %v, %d times: %s", c.Kind, c.Count, c.Cause(), kind, count, cause)
		}
	}
	hear(worse)
	is(DualMaster, 1, "it is MASTER too, with priority 100; ours is 150")
	var notes []string
	for range 4 {
		notes = append(notes, hear(worse)...)
	}
	is(OneWay, 5, "our advertisements do not reach it")
	if len(notes) != 1 || !strings.Contains(notes[0], "192.0.2.1 stays MASTER") {
		t.Errorf("told %q", notes)
	}
	now = now.Add(time.Hour)
	hear(worse)
	is(DualMaster, 1, "it is MASTER too")

	other := from("192.0.2.1", 100, func(p *Packet) { p.Addresses = addrs("198.51.100.1") })
	hear(other)
	found := false
	for _, c := range m.Conditions() {
		found = found || c.Kind == ForeignCluster && strings.Contains(c.Cause(), "198.51.100.1")
	}
	if !found {
		t.Errorf("no foreign cluster: %+v", m.Conditions())
	}
	wrong := from("192.0.2.9", 100, func(p *Packet) { p.Interval = 2 * time.Second })
	hear(wrong)
	last := m.Conditions()
	if c := last[len(last)-1]; c.Kind != OtherInterval || c.Peer != wrong.Src || c.Count != 1 {
		t.Errorf("%+v", c)
	}
}
