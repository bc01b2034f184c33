package reconcile_test

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
)

var (
	vip  = state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.3/24")}
	http = ir.ServiceKey{Protocol: ir.TCP, Addr: netip.MustParseAddr("10.0.0.3"), Port: 80}
	web1 = state.DestinationKey{Service: http, Server: netip.MustParseAddrPort("10.0.0.7:80")}
	web2 = state.DestinationKey{Service: http, Server: netip.MustParseAddrPort("10.0.0.8:80")}
	own  = state.DestinationKey{Service: ir.ServiceKey{Protocol: ir.TCP, Addr: netip.MustParseAddr("10.0.0.3"), Port: 22}, Server: web1.Server}
)

// A host is a fake kernel with a record of the writes.
type host struct {
	*kernel.Fake
	kernel.Kernel
	wrote []string
}

func newHost() *host {
	h := &host{Fake: kernel.NewFake(kernel.Link{Name: "eth0", Index: 2, Up: true, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.5")}})}
	h.Kernel = kernel.Record(h.Fake, func(w kernel.Write) {
		if w.Err == nil {
			h.wrote = append(h.wrote, fmt.Sprintf("%s %s", w.Verb, w.Key))
		}
	})
	return h
}

func (h *host) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(h.wrote, want) {
		t.Errorf("the kernel saw\n  %s\nwant\n  %s", strings.Join(h.wrote, "\n  "), strings.Join(want, "\n  "))
	}
	h.wrote = nil
}

func tutorial() state.State {
	s := state.New()
	s.Addresses[vip] = state.Address{Label: "eth0:0"}
	s.Services[http] = state.Service{Scheduler: "wrr", Persistence: 50 * time.Second, Mask: ir.MaskOf(32, false)}
	s.Destinations[web1] = state.Destination{Weight: 1, Forwarding: ir.DR}
	s.Destinations[web2] = state.Destination{Weight: 1, Forwarding: ir.DR}
	return s
}

func TestOnlyWhatDiffersIsWritten(t *testing.T) {
	h := newHost()
	r := reconcile.New(h.Kernel, state.OfBalance, nil)
	want := tutorial()
	reconciled(t, r, want)
	h.expect(t, "set service tcp 10.0.0.3:80", "set destination 10.0.0.7:80 of tcp 10.0.0.3:80", "set destination 10.0.0.8:80 of tcp 10.0.0.3:80")
	reconciled(t, r, want)
	h.expect(t)
	want.Destinations[web2] = state.Destination{Weight: 3, Forwarding: ir.DR}
	reconciled(t, r, want)
	h.expect(t, "set destination 10.0.0.8:80 of tcp 10.0.0.3:80")
}

func TestWhatSomebodyElseRemovedComesBack(t *testing.T) {
	h := newHost()
	r := reconcile.New(h.Kernel, state.OfRouter, nil)
	reconciled(t, r, tutorial())
	if err := kernel.Delete(h.Fake, vip); err != nil {
		t.Fatal(err)
	}
	done := reconciled(t, r, tutorial())
	if len(done) != 1 || !done[0].Repair {
		t.Errorf("done %+v, want one repair", done)
	}
	h.expect(t, "set address 10.0.0.3/24 dev eth0", "set address 10.0.0.3/24 dev eth0")
}

func TestStrangersStay(t *testing.T) {
	h := newHost()
	if err := errors.Join(kernel.Set(h.Fake, own.Service, state.Service{Scheduler: "rr"}), kernel.Set(h.Fake, own, state.Destination{Weight: 7})); err != nil {
		t.Fatal(err)
	}
	r := reconcile.New(h.Kernel, state.OfBalance, nil)
	reconciled(t, r, tutorial())
	h.wrote = nil
	reconciled(t, r, state.New()) // the file no longer names a virtual server
	h.expect(t, "delete service tcp 10.0.0.3:80")
	if have, _, err := kernel.Observe(h.Fake); err != nil || have.Destinations[own].Weight != 7 {
		t.Errorf("the stranger's real server: %+v, %v", have.Destinations, err)
	}
}

func TestOneFailureDoesNotStopTheOthers(t *testing.T) {
	h := newHost()
	r := reconcile.New(h.Kernel, state.OfBalance, nil)
	h.Fail("set destination", 1, errors.New("no buffer space available"))
	done, err := look(r, tutorial())
	if err == nil || len(done) != 2 {
		t.Fatalf("done %d, error %v; want 2 done and the error of the third", len(done), err)
	}
	if r.InPlace(web1) || !r.InPlace(web2) || !r.InPlace(http) {
		t.Errorf("want all in place but the real server that failed: %+v", r.Report())
	}
	if want := "add 10.0.0.7:80 of tcp 10.0.0.3:80: no buffer space available"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	h.wrote = nil
	reconciled(t, r, tutorial())
	h.expect(t, "set destination 10.0.0.7:80 of tcp 10.0.0.3:80")
}

func TestNoIPVSIsToldAsSuch(t *testing.T) {
	h := newHost()
	h.SetIPVS(false)
	if _, err := look(reconcile.New(h.Kernel, state.OfBalance, nil), tutorial()); !errors.Is(err, kernel.ErrNoIPVS) {
		t.Errorf("error %v, want ErrNoIPVS", err)
	}
}

func TestLeftOversOfAnEarlierRunGo(t *testing.T) {
	h := newHost()
	if err := kernel.Set(h.Fake, vip, state.Address{Label: "eth0:0"}); err != nil {
		t.Fatal(err)
	}
	want := state.New()
	want.Absent[vip] = "oldboy is not MASTER here"
	reconciled(t, reconcile.New(h.Kernel, state.OfRouter, nil), want)
	h.expect(t, "delete address 10.0.0.3/24 dev eth0")
}

// TestRoutes follows routes and rules through their lives.
func TestRoutes(t *testing.T) {
	h := newHost()
	ours := state.RouteKey{Table: ir.MainTable, Dst: netip.MustParsePrefix("10.8.0.0/16"), Protocol: ir.KeepalivedProtocol}
	old, named := ours, ours
	old.Dst, named.Protocol = netip.MustParsePrefix("10.7.0.0/16"), 4
	rule := state.RuleKey{Priority: 100, From: ours.Dst, Action: 1, Table: 100, Protocol: ir.KeepalivedProtocol}
	way := state.Route{Type: 1, PrefSrc: vip.Prefix.Addr(), Hops: []state.Hop{{Via: netip.MustParseAddr("10.0.0.8")}}}
	others := ours // of a keepalived beside us, for all we know
	others.Dst = netip.MustParsePrefix("172.31.0.0/16")
	if err := errors.Join(kernel.Set(h.Fake, old, state.Route{Type: 6}), kernel.Set(h.Fake, others, state.Route{Type: 6})); err != nil {
		t.Fatal(err)
	}
	r := reconcile.New(h.Kernel, state.OfRouter, nil)

	backup := state.New()
	backup.Absent[old] = "oldboy is not MASTER here"
	reconciled(t, r, backup)
	h.expect(t, "delete route 10.7.0.0/16") // an earlier run left it

	reconciled(t, r, state.New()) // and now it is gone
	h.Fail("list route", 1, errors.New("who reads routes without need?"))
	reconciled(t, r, state.New())
	_, _ = kernel.List(h.Fake, state.RouteKind) // the failure is still to come

	master := tutorial()
	master.Routes[ours], master.Routes[named], master.Rules[rule] = way, way, state.Rule{}
	reconciled(t, r, master)
	h.expect(t, "set address 10.0.0.3/24 dev eth0", "set route 10.8.0.0/16", "set route 10.8.0.0/16 proto static", "set rule 100: from 10.8.0.0/16 lookup 100")
	reconciled(t, r, master)
	h.expect(t)

	h.Down("eth0") // removes the routes, too
	h.SetLink(kernel.Link{Name: "eth0", Index: 2, Up: true})
	for _, d := range reconciled(t, r, master) {
		if !d.Repair {
			t.Errorf("%s is no repair", d.Key)
		}
	}
	h.expect(t, "set route 10.8.0.0/16", "set route 10.8.0.0/16 proto static")

	elsewhere := master
	elsewhere.Routes = map[state.RouteKey]state.Route{ours: {Type: 1, Hops: []state.Hop{{Via: netip.MustParseAddr("10.0.0.9")}}}, named: way}
	reconciled(t, r, elsewhere)
	h.expect(t, "delete route 10.8.0.0/16", "set route 10.8.0.0/16")

	reconciled(t, r, state.New()) // what we made is ours, whatever mark it carries
	h.expect(t, "delete rule 100: from 10.8.0.0/16 lookup 100", "delete route 10.8.0.0/16", "delete route 10.8.0.0/16 proto static", "delete address 10.0.0.3/24 dev eth0")
}

// TestRoutesThatCannotBeReadHoldNothingElseUp checks that the addresses come at once, and that what was made is not
// forgotten.
func TestRoutesThatCannotBeReadHoldNothingElseUp(t *testing.T) {
	route := state.RouteKey{Table: ir.MainTable, Dst: netip.MustParsePrefix("10.8.0.0/16"), Protocol: ir.KeepalivedProtocol}
	rule := state.RuleKey{Priority: 100, From: route.Dst, Action: 1, Table: 100, Protocol: ir.KeepalivedProtocol}
	for _, c := range []struct {
		fails string
		wrote []string // in spite of it
		later string
	}{
		{"list route", []string{"set address 10.0.0.3/24 dev eth0", "set rule 100: from 10.8.0.0/16 lookup 100"}, "set route 10.8.0.0/16"},
		{"list rule", []string{"set address 10.0.0.3/24 dev eth0", "set route 10.8.0.0/16"}, "set rule 100: from 10.8.0.0/16 lookup 100"},
	} {
		h := newHost()
		r := reconcile.New(h.Kernel, state.OfRouter, nil)
		master := tutorial()
		master.Routes[route], master.Rules[rule] = state.Route{Type: 6}, state.Rule{}
		h.Fail(c.fails, 1, errors.New("no buffer space available"))
		_, err := look(r, master)
		if err == nil || !strings.Contains(err.Error(), "no buffer space available") || !r.InPlace(vip) {
			t.Errorf("%s: %+v, error %v", c.fails, r.Report(), err)
		}
		h.expect(t, c.wrote...)
		reconciled(t, r, master)
		h.expect(t, c.later)

		h.Fail(c.fails, 1, errors.New("no buffer space available"))
		if _, err := look(r, state.New()); err == nil {
			t.Errorf("%s: no error", c.fails)
		}
		h.wrote = nil
		reconciled(t, r, state.New())
		h.expect(t, strings.Replace(c.later, "set", "delete", 1))
	}
}

// A stubborn kernel keeps an MTU that differs from the requested one.
type stubborn struct{ kernel.Kernel }

func (k stubborn) Apply(changes []kernel.Change) iter.Seq2[int, error] {
	for i, c := range changes {
		if r, ok := c.Object.(state.Route); ok {
			r.Options = map[string]string{"mtu": "1280"}
			changes[i].Object = r
		}
	}
	return k.Kernel.Apply(changes)
}

// TestNoFightForEver checks that what is undone directly after it was replaced is left so, and reported once, until
// something else is wanted.
func TestNoFightForEver(t *testing.T) {
	h := newHost()
	r := reconcile.New(stubborn{h.Kernel}, state.OfRouter, nil)
	route := state.RouteKey{Table: ir.MainTable, Dst: netip.MustParsePrefix("10.8.0.0/16"), Protocol: ir.KeepalivedProtocol}
	want := state.New()
	ask := func(mtu string) []reconcile.Done {
		t.Helper()
		want.Routes[route] = state.Route{Type: 6, Options: map[string]string{"mtu": mtu}}
		return reconciled(t, r, want)
	}
	ask("1400")
	h.expect(t, "set route 10.8.0.0/16")
	ask("1400")
	h.expect(t, "delete route 10.8.0.0/16", "set route 10.8.0.0/16") // somebody may have interfered
	if done := ask("1400"); len(done) != 1 || !done[0].Left {
		t.Errorf("done %+v, want it said that the route is left", done)
	}
	if done := ask("1400"); len(done) != 0 {
		t.Errorf("done %+v, want nothing", done)
	}
	h.expect(t)
	ask("1300")
	h.expect(t, "delete route 10.8.0.0/16", "set route 10.8.0.0/16")
	ask("1280") // as it is
	h.expect(t)
	delete(want.Routes, route)
	reconciled(t, r, want)
	h.expect(t, "delete route 10.8.0.0/16")
}

func TestStaticAddressStaysAsFound(t *testing.T) {
	h := newHost()
	own := state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.5/24")}
	other := state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.9.0.1/24")}
	want := state.New()
	want.Addresses[own], want.Addresses[other] = state.Address{AsFound: true}, state.Address{AsFound: true}
	r := reconcile.New(h.Kernel, state.OfRouter, nil)
	reconciled(t, r, want)
	reconciled(t, r, want)
	reconciled(t, r, state.New())
	h.expect(t, "set address 10.9.0.1/24 dev eth0", "delete address 10.9.0.1/24 dev eth0")
}

func TestBackoff(t *testing.T) {
	for n, want := range map[int]time.Duration{1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 5: 1600 * time.Millisecond, 10: 51200 * time.Millisecond, 11: time.Minute, 1000: time.Minute} {
		if got := reconcile.Backoff(n); got != want {
			t.Errorf("Backoff(%d) = %v, want %v", n, got, want)
		}
	}
}

// now is the time in the tests.
var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// look reconciles with a full look.
func look(r *reconcile.Reconciler, want state.State) (done []reconcile.Done, err error) {
	err = r.Reconcile(want, reconcile.Round{Now: now, Full: true, Applied: func(d reconcile.Done) { done = append(done, d) }})
	return done, err
}

func reconciled(t *testing.T, r *reconcile.Reconciler, want state.State) []reconcile.Done {
	t.Helper()
	done, err := look(r, want)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func TestWhatNobodyWantsAnyMoreIsNotCarriedThrough(t *testing.T) {
	h := newHost()
	r := reconcile.New(h.Kernel, state.OfRouter, nil)
	err := r.Reconcile(tutorial(), reconcile.Round{Now: now, Stale: func() bool { return true }})
	if err != nil || r.InPlace(vip) {
		t.Errorf("error %v, %+v; want nothing done, and no error", err, r.Report())
	}
	h.expect(t)
}

func TestAddedAgainByARewordedFileIsNoRepair(t *testing.T) {
	h := newHost()
	r := reconcile.New(h.Kernel, state.OfBalance, nil)
	reconciled(t, r, tutorial())
	reconciled(t, r, state.New())
	for _, d := range reconciled(t, r, tutorial()) {
		if d.Repair {
			t.Errorf("%s counts as a repair", d.Key)
		}
	}
}

// TestLoose checks that what others may remove stays away until it is wanted again.
func TestLoose(t *testing.T) {
	h := newHost()
	r := reconcile.New(h.Kernel, state.OfRouter, nil)
	want, without := tutorial(), tutorial()
	want.Addresses[vip] = state.Address{Provenance: state.Provenance{Loose: true}}
	without.Addresses = nil
	reconciled(t, r, want)
	h.expect(t, "set address 10.0.0.3/24 dev eth0")
	if err := kernel.Delete(h.Fake, vip); err != nil {
		t.Fatal(err)
	}
	reconciled(t, r, want)
	h.expect(t)
	reconciled(t, r, without)
	h.wrote = nil
	reconciled(t, r, want)
	h.expect(t, "set address 10.0.0.3/24 dev eth0")
}
