package reconcile_test

import (
	"errors"
	"fmt"
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

// A host is a fake kernel with what was written to it.
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
	s.Services[http] = state.Service{Scheduler: "wrr", Persistence: 50 * time.Second, Mask: 32}
	s.Destinations[web1] = state.Destination{Weight: 1, Forwarding: ir.DR}
	s.Destinations[web2] = state.Destination{Weight: 1, Forwarding: ir.DR}
	return s
}

func TestOnlyWhatDiffersIsWritten(t *testing.T) {
	h := newHost()
	r := reconcile.IPVS(h.Kernel)
	want := tutorial()
	reconciled(t, r, want)
	h.expect(t, "SetService tcp 10.0.0.3:80", "SetDestination 10.0.0.7:80 of tcp 10.0.0.3:80", "SetDestination 10.0.0.8:80 of tcp 10.0.0.3:80")
	reconciled(t, r, want)
	h.expect(t)
	want.Destinations[web2] = state.Destination{Weight: 3, Forwarding: ir.DR}
	reconciled(t, r, want)
	h.expect(t, "SetDestination 10.0.0.8:80 of tcp 10.0.0.3:80")
}

func TestWhatSomebodyElseRemovedComesBack(t *testing.T) {
	h := newHost()
	r := reconcile.Network(h.Kernel)
	reconciled(t, r, tutorial())
	if err := h.Fake.DeleteAddress(vip); err != nil {
		t.Fatal(err)
	}
	done := reconciled(t, r, tutorial())
	if len(done) != 1 || !done[0].Repair {
		t.Errorf("done %+v, want one repair", done)
	}
	h.expect(t, "AddAddress 10.0.0.3/24 dev eth0", "AddAddress 10.0.0.3/24 dev eth0")
}

func TestStrangersStay(t *testing.T) {
	h := newHost()
	if err := errors.Join(h.Fake.SetService(own.Service, state.Service{Scheduler: "rr"}), h.Fake.SetDestination(own, state.Destination{Weight: 7})); err != nil {
		t.Fatal(err)
	}
	r := reconcile.IPVS(h.Kernel)
	reconciled(t, r, tutorial())
	h.wrote = nil
	reconciled(t, r, state.New()) // the file names no virtual server any more
	h.expect(t, "DeleteService tcp 10.0.0.3:80")
	if _, destinations, err := h.Fake.Services(); err != nil || destinations[own].Weight != 7 {
		t.Errorf("the stranger's real server: %+v, %v", destinations, err)
	}
}

func TestOneFailureDoesNotStopTheOthers(t *testing.T) {
	h := newHost()
	r := reconcile.IPVS(h.Kernel)
	h.Fail("SetDestination", 1, errors.New("no buffer space available"))
	done, missing, err := r.Reconcile(tutorial(), fresh)
	if err == nil || len(done) != 2 {
		t.Fatalf("done %d, error %v; want 2 done and the error of the third", len(done), err)
	}
	if len(missing) != 1 || !missing[web1] {
		t.Errorf("missing %v, want the real server that failed", missing)
	}
	if want := "add 10.0.0.7:80 of tcp 10.0.0.3:80: no buffer space available"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	h.wrote = nil
	reconciled(t, r, tutorial())
	h.expect(t, "SetDestination 10.0.0.7:80 of tcp 10.0.0.3:80")
}

func TestNoIPVSIsToldAsSuch(t *testing.T) {
	h := newHost()
	h.SetIPVS(false)
	if _, _, err := reconcile.IPVS(h.Kernel).Reconcile(tutorial(), fresh); !errors.Is(err, kernel.ErrNoIPVS) {
		t.Errorf("error %v, want ErrNoIPVS", err)
	}
}

func TestLeftOversOfAnEarlierRunGo(t *testing.T) {
	h := newHost()
	if err := h.Fake.AddAddress(vip, state.Address{Label: "eth0:0"}); err != nil {
		t.Fatal(err)
	}
	want := state.New()
	want.Absent[vip] = "oldboy is not MASTER here"
	reconciled(t, reconcile.Network(h.Kernel), want)
	h.expect(t, "DeleteAddress 10.0.0.3/24 dev eth0")
}

// TestRoutes follows routes and rules through their life.
func TestRoutes(t *testing.T) {
	h := newHost()
	ours := state.RouteKey{Table: ir.MainTable, Dst: netip.MustParsePrefix("10.8.0.0/16"), Protocol: ir.KeepalivedProtocol}
	old, named := ours, ours
	old.Dst, named.Protocol = netip.MustParsePrefix("10.7.0.0/16"), 4
	rule := state.RuleKey{Priority: 100, From: ours.Dst, Action: 1, Table: 100, Protocol: ir.KeepalivedProtocol}
	way := state.Route{Type: 1, PrefSrc: vip.Prefix.Addr(), Hops: []state.Hop{{Via: netip.MustParseAddr("10.0.0.8")}}}
	others := ours // of a keepalived beside us, for all we know
	others.Dst = netip.MustParsePrefix("172.31.0.0/16")
	if err := errors.Join(h.Fake.AddRoute(old, state.Route{Type: 6}), h.Fake.AddRoute(others, state.Route{Type: 6})); err != nil {
		t.Fatal(err)
	}
	r := reconcile.Network(h.Kernel)

	backup := state.New()
	backup.Absent[old] = "oldboy is not MASTER here"
	reconciled(t, r, backup)
	h.expect(t, "DeleteRoute 10.7.0.0/16") // an earlier run left it

	reconciled(t, r, state.New()) // and is gone
	h.Fail("Routes", 1, errors.New("who reads routes without need?"))
	reconciled(t, r, state.New())
	_, _ = h.Fake.Routes() // the failure is still to come

	master := tutorial()
	master.Routes[ours], master.Routes[named], master.Rules[rule] = way, way, state.Rule{}
	reconciled(t, r, master)
	h.expect(t, "AddAddress 10.0.0.3/24 dev eth0", "AddRoute 10.8.0.0/16", "AddRoute 10.8.0.0/16 proto static", "AddRule 100: from 10.8.0.0/16 lookup 100")
	reconciled(t, r, master)
	h.expect(t)

	h.Down("eth0") // takes the routes along
	h.SetLink(kernel.Link{Name: "eth0", Index: 2, Up: true})
	for _, d := range reconciled(t, r, master) {
		if !d.Repair {
			t.Errorf("%s is no repair", d.Key)
		}
	}
	h.expect(t, "AddRoute 10.8.0.0/16", "AddRoute 10.8.0.0/16 proto static")

	elsewhere := master
	elsewhere.Routes = map[state.RouteKey]state.Route{ours: {Type: 1, Hops: []state.Hop{{Via: netip.MustParseAddr("10.0.0.9")}}}, named: way}
	reconciled(t, r, elsewhere)
	h.expect(t, "DeleteRoute 10.8.0.0/16", "AddRoute 10.8.0.0/16")

	reconciled(t, r, state.New()) // what we made is ours, whatever mark it was to carry
	h.expect(t, "DeleteRule 100: from 10.8.0.0/16 lookup 100", "DeleteRoute 10.8.0.0/16", "DeleteRoute 10.8.0.0/16 proto static", "DeleteAddress 10.0.0.3/24 dev eth0")
}

// TestRoutesThatCannotBeReadHoldNothingElseUp: the addresses come at once, and what was made stays known.
func TestRoutesThatCannotBeReadHoldNothingElseUp(t *testing.T) {
	route := state.RouteKey{Table: ir.MainTable, Dst: netip.MustParsePrefix("10.8.0.0/16"), Protocol: ir.KeepalivedProtocol}
	rule := state.RuleKey{Priority: 100, From: route.Dst, Action: 1, Table: 100, Protocol: ir.KeepalivedProtocol}
	for _, c := range []struct {
		fails string
		wrote []string // in spite of it
		later string
	}{
		{"Routes", []string{"AddAddress 10.0.0.3/24 dev eth0", "AddRule 100: from 10.8.0.0/16 lookup 100"}, "AddRoute 10.8.0.0/16"},
		{"Rules", []string{"AddAddress 10.0.0.3/24 dev eth0", "AddRoute 10.8.0.0/16"}, "AddRule 100: from 10.8.0.0/16 lookup 100"},
	} {
		h := newHost()
		r := reconcile.Network(h.Kernel)
		master := tutorial()
		master.Routes[route], master.Rules[rule] = state.Route{Type: 6}, state.Rule{}
		h.Fail(c.fails, 1, errors.New("no buffer space available"))
		_, missing, err := r.Reconcile(master, fresh)
		if err == nil || !strings.Contains(err.Error(), "no buffer space available") || missing[vip] {
			t.Errorf("%s: missing %v, error %v", c.fails, missing, err)
		}
		h.expect(t, c.wrote...)
		reconciled(t, r, master)
		h.expect(t, c.later)

		h.Fail(c.fails, 1, errors.New("no buffer space available"))
		if _, _, err := r.Reconcile(state.New(), fresh); err == nil {
			t.Errorf("%s: no error", c.fails)
		}
		h.wrote = nil
		reconciled(t, r, state.New())
		h.expect(t, strings.Replace(c.later, "Add", "Delete", 1))
	}
}

// A stubborn kernel keeps another MTU than it is asked for.
type stubborn struct{ kernel.Kernel }

func (k stubborn) AddRoute(key state.RouteKey, r state.Route) error {
	r.Options = map[string]string{"mtu": "1280"}
	return k.Kernel.AddRoute(key, r)
}

// TestNoFightForEver: what is undone at once after it was replaced is left so, and said once, until something else is wanted.
func TestNoFightForEver(t *testing.T) {
	h := newHost()
	r := reconcile.Network(stubborn{h.Kernel})
	route := state.RouteKey{Table: ir.MainTable, Dst: netip.MustParsePrefix("10.8.0.0/16"), Protocol: ir.KeepalivedProtocol}
	want := state.New()
	ask := func(mtu string) []reconcile.Done {
		t.Helper()
		want.Routes[route] = state.Route{Type: 6, Options: map[string]string{"mtu": mtu}}
		return reconciled(t, r, want)
	}
	ask("1400")
	h.expect(t, "AddRoute 10.8.0.0/16")
	ask("1400")
	h.expect(t, "DeleteRoute 10.8.0.0/16", "AddRoute 10.8.0.0/16") // somebody may have come between
	if done := ask("1400"); len(done) != 1 || !done[0].Left {
		t.Errorf("done %+v, want it said that the route is left", done)
	}
	if done := ask("1400"); len(done) != 0 {
		t.Errorf("done %+v, want nothing", done)
	}
	h.expect(t)
	ask("1300")
	h.expect(t, "DeleteRoute 10.8.0.0/16", "AddRoute 10.8.0.0/16")
	ask("1280") // as it is
	h.expect(t)
	delete(want.Routes, route)
	reconciled(t, r, want)
	h.expect(t, "DeleteRoute 10.8.0.0/16")
}

func TestStaticAddressStaysAsFound(t *testing.T) {
	h := newHost()
	own := state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.5/24")}
	other := state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.9.0.1/24")}
	want := state.New()
	want.Addresses[own], want.Addresses[other] = state.Address{AsFound: true}, state.Address{AsFound: true}
	r := reconcile.Network(h.Kernel)
	reconciled(t, r, want)
	reconciled(t, r, want)
	reconciled(t, r, state.New())
	h.expect(t, "AddAddress 10.9.0.1/24 dev eth0", "DeleteAddress 10.9.0.1/24 dev eth0")
}

func TestBackoff(t *testing.T) {
	for n, want := range map[int]time.Duration{1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 5: 1600 * time.Millisecond, 10: 51200 * time.Millisecond, 11: time.Minute, 1000: time.Minute} {
		if got := reconcile.Backoff(n); got != want {
			t.Errorf("Backoff(%d) = %v, want %v", n, got, want)
		}
	}
}

func fresh() bool { return false }

func reconciled(t *testing.T, r *reconcile.Reconciler, want state.State) []reconcile.Done {
	t.Helper()
	done, _, err := r.Reconcile(want, fresh)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func TestWhatNobodyWantsAnyMoreIsNotCarriedThrough(t *testing.T) {
	h := newHost()
	done, missing, err := reconcile.Network(h.Kernel).Reconcile(tutorial(), func() bool { return true })
	if err != nil || len(done) != 0 || !missing[vip] {
		t.Errorf("done %v, missing %v, error %v; want nothing done, and no error", done, missing, err)
	}
	h.expect(t)
}

func TestAddedAgainByARewordedFileIsNoRepair(t *testing.T) {
	h := newHost()
	r := reconcile.IPVS(h.Kernel)
	reconciled(t, r, tutorial())
	reconciled(t, r, state.New())
	for _, d := range reconciled(t, r, tutorial()) {
		if d.Repair {
			t.Errorf("%s counts as a repair", d.Key)
		}
	}
}
