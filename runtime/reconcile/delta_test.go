package reconcile_test

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
)

// A counter counts the calls of a kernel.
type counter struct {
	*kernel.Fake
	reads, writes int
}

func (c *counter) Read(s kernel.Scope) (state.State, kernel.Unread) {
	c.reads++
	return c.Fake.Read(s)
}

func (c *counter) Apply(changes []kernel.Change) iter.Seq2[int, error] {
	c.writes += len(changes)
	return c.Fake.Apply(changes)
}

// expect compares the counts since the last call.
func (c *counter) expect(t *testing.T, what string, reads, writes int) {
	t.Helper()
	if c.reads != reads || c.writes != writes {
		t.Errorf("%s: %d reads and %d writes, want %d and %d", what, c.reads, c.writes, reads, writes)
	}
	c.reads, c.writes = 0, 0
}

func server(service, n int) state.DestinationKey {
	return state.DestinationKey{
		Service: ir.ServiceKey{Protocol: ir.TCP, Addr: netip.AddrFrom4([4]byte{10, 1, byte(service / 256), byte(service)}), Port: 80},
		Server:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(service), byte(n)}), 80),
	}
}

// table is a farm of some services with ten servers each, except for one server that is down.
func table(services int, down state.DestinationKey) state.State {
	s := state.New()
	for i := range services {
		for j := range 10 {
			k := server(i, j)
			s.Services[k.Service] = state.Service{Scheduler: "rr"}
			if k == down {
				s.Absent[k] = "connect: connection refused"
			} else {
				s.Destinations[k] = state.Destination{Weight: 1}
			}
		}
	}
	return s
}

// round reconciles without a requested look at the kernel.
func round(r *reconcile.Reconciler, want state.State, at time.Time) error {
	return r.Reconcile(want, reconcile.Round{Now: at})
}

// TestOneServerIsOneWrite checks that a server that flaps in a table of 40,000 costs one write each time, and no read.
func TestOneServerIsOneWrite(t *testing.T) {
	services := 4000
	if testing.Short() {
		services = 100
	}
	k := &counter{Fake: kernel.NewFake()}
	r := reconcile.New(k, state.OfBalance, nil)
	flaps := server(7, 3)
	if err := round(r, table(services, state.DestinationKey{}), now); err != nil {
		t.Fatal(err)
	}
	k.expect(t, "at start", 1, 11*services)
	for _, down := range []state.DestinationKey{flaps, {}, flaps} {
		if err := round(r, table(services, down), now); err != nil {
			t.Fatal(err)
		}
		k.expect(t, "a flap", 0, 1)
	}
	have, _ := kernel.List(k.Fake, state.ServiceKind)
	if at, some := r.Deadline(); some || len(have) != services {
		t.Errorf("%d services; to be called again at %v", len(have), at)
	}
	heavy := table(services, flaps)
	heavy.Destinations[server(8, 8)] = state.Destination{Weight: 5}
	if err := round(r, heavy, now); err != nil {
		t.Fatal(err)
	}
	k.expect(t, "another weight", 0, 1)

	// A look finds what somebody else changed.
	if err := kernel.Delete(k.Fake, server(9, 9)); err != nil {
		t.Fatal(err)
	}
	if err := round(r, heavy, now); err != nil {
		t.Fatal(err)
	}
	k.expect(t, "nothing new", 0, 0)
	if _, err := look(r, heavy); err != nil {
		t.Fatal(err)
	}
	k.expect(t, "a look", 1, 1)
}

// TestNewNamesAreLookedAt checks that what the file newly names is written at once and looked at afterwards, because
// the kernel may have parts of it that nobody made. What is to stay as found is looked at first.
func TestNewNamesAreLookedAt(t *testing.T) {
	k := &counter{Fake: newHost().Fake}
	r := reconcile.New(k, state.OfRouter, nil)
	first := state.New()
	first.Addresses[vip] = state.Address{}
	if err := round(r, first, now); err != nil {
		t.Fatal(err)
	}
	k.expect(t, "at start", 1, 1)
	other := state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.4/24")}
	second := tutorial()
	second.Addresses[other] = state.Address{}
	if err := round(r, second, now); err != nil {
		t.Fatal(err)
	}
	k.expect(t, "another address, and another label", 0, 3)
	if at, some := r.Deadline(); !some || at.After(now) {
		t.Errorf("to be called again: %v at %v, want at once", some, at)
	}
	if err := round(r, second, now); err != nil {
		t.Fatal(err)
	}
	k.expect(t, "behind that", 1, 0)
	found := state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.5/24")}
	third := tutorial()
	third.Addresses[other], third.Addresses[found] = state.Address{}, state.Address{AsFound: true, Label: "eth0:9"}
	if err := round(r, third, now); err != nil {
		t.Fatal(err)
	}
	k.expect(t, "a static address that is there", 1, 0)
}

// TestEachObjectIsTriedAgain checks that the failures of one object hold up nothing else; its attempts become rarer,
// and start again at once when it is to be something else.
func TestEachObjectIsTriedAgain(t *testing.T) {
	k := &counter{Fake: kernel.NewFake()}
	r := reconcile.New(k, state.OfBalance, nil)
	want := table(1, state.DestinationKey{})
	bad := server(0, 0)
	k.Fail("set destination", 4, errors.New("no buffer space available"))
	for i := range 10 { // its attempt comes first
		if i > 0 {
			delete(want.Destinations, server(0, i))
		}
	}
	if err := round(r, want, now); err == nil {
		t.Fatal("no error")
	}
	k.expect(t, "at first", 1, 2)
	at := now
	for i, wait := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		due, some := r.Deadline()
		if at = at.Add(wait); !some || !due.Equal(at) {
			t.Fatalf("attempt %d: due %v at %v, want %v", i, some, due, at)
		}
		_ = round(r, want, at.Add(-time.Millisecond))
		k.expect(t, "too early", 0, 0)
		if err := round(r, want, at); err == nil {
			t.Fatal("no error")
		}
		k.expect(t, fmt.Sprintf("attempt %d", i), map[int]int{0: 1}[i], 1) // the first attempt is a look
	}
	m := r.Report()
	if o := m.Objects; len(o) != 1 || o[0].State != reconcile.Failed || o[0].Tries != 4 || !o[0].Since.Equal(now) || o[0].Error != "no buffer space available" {
		t.Errorf("%+v", m.Objects)
	}
	if d := m.Kinds[2]; d.Kind != "destination" || d.Failed != 1 || d.InPlace != 0 || d.Failures != 4 || d.Retries != 3 {
		t.Errorf("%+v", m.Kinds)
	}

	more := table(1, state.DestinationKey{}) // another server does not wait for it
	if err := round(r, more, at); err != nil {
		t.Fatal(err)
	}
	k.expect(t, "nine others", 0, 9)
	heavy := table(1, state.DestinationKey{})
	heavy.Destinations[bad] = state.Destination{Weight: 9}
	if err := round(r, heavy, at); err != nil {
		t.Fatal(err)
	}
	k.expect(t, "it is to be something else", 0, 1)
	if m := r.Report(); len(m.Objects) != 0 || m.Kinds[2].InPlace != 10 || r.Problem() != nil {
		t.Errorf("%+v, %v", m, r.Problem())
	}
}

// TestPartsWaitForTheWhole checks that the servers of a service that the kernel refuses are pending, and come after
// it.
func TestPartsWaitForTheWhole(t *testing.T) {
	k := &counter{Fake: kernel.NewFake()}
	r := reconcile.New(k, state.OfBalance, nil)
	want := table(2, state.DestinationKey{})
	k.Fail("set service", 1, errors.New(`the kernel has no scheduler "rr"`))
	if err := round(r, want, now); err == nil || strings.Contains(err.Error(), "10.2.0") {
		t.Errorf("error %v, want that of the service alone", err)
	}
	k.expect(t, "at first", 1, 12)
	m := r.Report()
	if len(m.Objects) != 11 || m.Kinds[1].Failed != 1 || m.Kinds[1].InPlace != 1 || m.Kinds[2].Pending != 10 || m.Kinds[2].InPlace != 10 {
		t.Errorf("%+v\n%+v", m.Kinds, m.Objects)
	}
	at, _ := r.Deadline()
	if err := round(r, want, at); err != nil {
		t.Fatal(err)
	}
	k.expect(t, "later", 1, 11)
	if m := r.Report(); len(m.Objects) != 0 {
		t.Errorf("%+v", m.Objects)
	}
}

// TestChangesAreToldAsTheyHappen checks that the caller hears of each change before the next one is made.
func TestChangesAreToldAsTheyHappen(t *testing.T) {
	h := newHost()
	want := state.New()
	for i := range 80 {
		want.Addresses[state.AddressKey{Dev: "eth0", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(i)}), 32)}] = state.Address{}
	}
	r := reconcile.New(h.Kernel, state.OfRouter, nil)
	told := 0
	err := r.Reconcile(want, reconcile.Round{Now: now, Applied: func(reconcile.Done) {
		if told++; len(h.wrote) != told {
			t.Errorf("%d writes when the caller hears of number %d", len(h.wrote), told)
		}
	}})
	if err != nil || told != 80 {
		t.Errorf("told %d, %v", told, err)
	}
}

// TestUnfinishedRoundGoesOn checks that what a newer want cut short is done by the next round, without a read.
func TestUnfinishedRoundGoesOn(t *testing.T) {
	k := &counter{Fake: kernel.NewFake()}
	r := reconcile.New(k, state.OfBalance, nil)
	want := table(3, state.DestinationKey{})
	if err := r.Reconcile(want, reconcile.Round{Now: now, Stale: func() bool { return k.writes >= 3 }}); err != nil {
		t.Fatal(err)
	}
	if err := round(r, want, now); err != nil {
		t.Fatal(err)
	}
	if have, _, _ := kernel.Observe(k.Fake); len(have.Services) != 3 || len(have.Destinations) != 30 || k.reads != 1 {
		t.Errorf("%d services, %d servers after %d reads", len(have.Services), len(have.Destinations), k.reads)
	}
}
