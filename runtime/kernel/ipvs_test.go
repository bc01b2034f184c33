package kernel_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

// ipvsBehaviour checks what every table of virtual servers does.
var ipvsBehaviour = []struct {
	name string
	test func(t *testing.T, k kernel.Objects)
}{
	{"virtual servers", testServices},
	{"edit in place", testEdit},
	{"absent virtual servers", testAbsent},
	{"many at once", testBatch},
	{"timeouts", testTimeouts},
	{"sync daemons", testSyncDaemons},
}

func server(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

var (
	web4 = ir.ServiceKey{Protocol: ir.TCP, Addr: addr("10.1.0.1"), Port: 80}
	web6 = ir.ServiceKey{Protocol: ir.TCP, Addr: addr("2001:db8::1"), Port: 80}
)

// A table is the whole content of IPVS.
type table struct {
	Services     map[ir.ServiceKey]state.Service
	Destinations map[state.DestinationKey]state.Destination
}

func set(t *testing.T, k kernel.Objects, want table) {
	t.Helper()
	for key, s := range want.Services {
		check(t, kernel.Set(k, key, s))
	}
	for key, d := range want.Destinations {
		check(t, kernel.Set(k, key, d))
	}
}

func expect(t *testing.T, k kernel.Objects, want table) {
	t.Helper()
	have, unread := k.Read(kernel.Scope{Kinds: state.KindsOf(state.OfBalance)})
	check(t, unread.Err())
	got := table{have.Services, have.Destinations}
	equal := []cmp.Option{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}), cmp.Comparer(sameProvenance)}
	if d := cmp.Diff(want, got, equal...); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func sameProvenance(_, _ state.Provenance) bool { return true }

func testServices(t *testing.T, k kernel.Objects) {
	dns := ir.ServiceKey{Protocol: ir.UDP, Addr: addr("10.1.0.1"), Port: 53}
	sip := ir.ServiceKey{Protocol: ir.UDP, Addr: addr("10.1.0.1"), Port: 5060}
	mark4 := ir.ServiceKey{FWMark: 7}
	mark6 := ir.ServiceKey{FWMark: 7, IPv6: true}
	want := table{
		Services: map[ir.ServiceKey]state.Service{
			web4:  {Scheduler: "wlc", Persistence: 50 * time.Second, Mask: ir.MaskOf(32, false)},
			web6:  {Scheduler: "rr", Persistence: 5 * time.Minute, Mask: ir.MaskOf(64, true)},
			dns:   {Scheduler: "sh", Flags: 0x4 | 0x8 | 0x10}, // one-packet, sh-fallback, sh-port
			sip:   {Scheduler: "rr", Persistence: time.Minute, Mask: ir.MaskOf(32, false), Engine: "sip"},
			mark4: {Scheduler: "wrr", Persistence: time.Hour, Mask: ir.MaskOf(24, false)},
			mark6: {Scheduler: "mh"},
		},
		Destinations: map[state.DestinationKey]state.Destination{
			{Service: web4, Server: server("10.2.0.1:8080")}:    {Weight: 1},
			{Service: web4, Server: server("10.2.0.2:80")}:      {Weight: 65535, Forwarding: ir.DR, UpperThreshold: 100, LowerThreshold: 50},
			{Service: web4, Server: server("[2001:db8::9]:80")}: {Weight: 2, Forwarding: ir.TUN},
			{Service: web4, Server: server("10.2.0.3:80")}:      {Weight: 2, Forwarding: ir.TUN, Tunnel: ir.Tunnel{Type: ir.GUE, Port: 5555, Checksum: ir.Checksum}},
			{Service: web4, Server: server("10.2.0.4:80")}:      {Weight: 2, Forwarding: ir.TUN, Tunnel: ir.Tunnel{Type: ir.GRE}},
			{Service: web6, Server: server("[2001:db8::9]:80")}: {Weight: 0},
			{Service: dns, Server: server("10.2.0.1:53")}:       {Weight: 3},
			{Service: mark4, Server: server("10.2.0.1:0")}:      {Weight: 1, Forwarding: ir.DR},
			{Service: mark6, Server: server("[2001:db8::9]:0")}: {Weight: 1, Forwarding: ir.DR},
		},
	}
	for range 2 { // setting what exists is not an error
		set(t, k, want)
		expect(t, k, want)
	}
	for key := range want.Destinations {
		check(t, kernel.Delete(k, key))
		check(t, kernel.Delete(k, key))
		delete(want.Destinations, key)
		expect(t, k, want)
	}
	for key := range want.Services {
		check(t, kernel.Delete(k, key))
		check(t, kernel.Delete(k, key))
		delete(want.Services, key)
		expect(t, k, want)
	}
}

func testEdit(t *testing.T, k kernel.Objects) {
	one := state.DestinationKey{Service: web4, Server: server("10.2.0.1:80")}
	for _, s := range []state.Service{
		{Scheduler: "rr"},
		{Scheduler: "wlc", Persistence: time.Minute, Mask: ir.MaskOf(32, false)},
		{Scheduler: "wlc", Persistence: time.Minute, Mask: ir.MaskOf(16, false)},
		{Scheduler: "wlc", Persistence: time.Minute, Mask: ir.MaskFrom(addr("255.0.255.0"))},
		{Scheduler: "sh", Flags: 0x8},
		{Scheduler: "rr"},
	} {
		for _, d := range []state.Destination{{Weight: 1}, {Weight: 0}, {Weight: 9, Forwarding: ir.DR, UpperThreshold: 7}} {
			want := table{map[ir.ServiceKey]state.Service{web4: s}, map[state.DestinationKey]state.Destination{one: d}}
			set(t, k, want)
			expect(t, k, want)
		}
	}
	check(t, kernel.Delete(k, web4))
	expect(t, k, table{}) // the destination is deleted with it
}

func testAbsent(t *testing.T, k kernel.Objects) {
	one := state.DestinationKey{Service: web4, Server: server("10.2.0.1:80")}
	if kernel.Set(k, one, state.Destination{Weight: 1}) == nil {
		t.Error("set a destination of a service that is not there")
	}
	check(t, kernel.Delete(k, one))
	check(t, kernel.Delete(k, web4))
}

func testBatch(t *testing.T, k kernel.Objects) {
	want := table{map[ir.ServiceKey]state.Service{web4: {Scheduler: "rr"}}, map[state.DestinationKey]state.Destination{}}
	lost := state.DestinationKey{Service: web6, Server: server("[2001:db8::9]:80")} // its service is missing
	changes := []kernel.Change{{Key: web4, Object: state.Service{Scheduler: "rr"}}}
	for i := range 200 {
		key := state.DestinationKey{Service: web4, Server: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 80)}
		want.Destinations[key] = state.Destination{Weight: i}
		changes = append(changes, kernel.Change{Key: key, Object: want.Destinations[key]})
		if i == 100 {
			changes = append(changes, kernel.Change{Key: lost, Object: state.Destination{Weight: 1}})
		}
	}
	for range 2 {
		answers := 0
		for i, err := range k.Apply(changes) {
			if i != answers {
				t.Errorf("answer %d is about change %d", answers, i)
			}
			answers++
			if (err != nil) != (changes[i].Key == lost) {
				t.Errorf("%s: %v", changes[i], err)
			}
		}
		expect(t, k, want)
	}
	for i := range changes {
		changes[i].Object = nil
	}
	for range 2 {
		for _, err := range k.Apply(changes) {
			check(t, err)
		}
		expect(t, k, table{})
	}
	for i, err := range k.Apply(nil) {
		t.Errorf("an answer to nothing: %d, %v", i, err)
	}
}

func testTimeouts(t *testing.T, k kernel.Objects) {
	expect := func(want ir.Timeouts) {
		t.Helper()
		got, err := kernel.List(k, state.TimeoutsKind)
		check(t, err)
		if got[state.TimeoutsKey{}].Timeouts != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	expect(ir.Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute}) // the kernel's own
	check(t, kernel.Set(k, state.TimeoutsKey{}, state.Timeouts{Timeouts: ir.Timeouts{TCP: 30 * time.Second, TCPFin: 5 * time.Second, UDP: time.Minute}}))
	expect(ir.Timeouts{TCP: 30 * time.Second, TCPFin: 5 * time.Second, UDP: time.Minute})
	check(t, kernel.Set(k, state.TimeoutsKey{}, state.Timeouts{Timeouts: ir.Timeouts{TCPFin: 7 * time.Second}}))
	expect(ir.Timeouts{TCP: 30 * time.Second, TCPFin: 7 * time.Second, UDP: time.Minute})
}

func testSyncDaemons(t *testing.T, k kernel.Objects) {
	master, backup := state.SyncDaemonKey{Role: "master"}, state.SyncDaemonKey{Role: "backup"}
	expect := func(want map[state.SyncDaemonKey]state.SyncDaemon) {
		t.Helper()
		got, err := kernel.List(k, state.SyncDaemonKind)
		check(t, err)
		if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmp.Comparer(sameProvenance)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
	want := map[state.SyncDaemonKey]state.SyncDaemon{
		master: {Interface: "lo", ID: 7, MaxLen: 1000, Port: 8849, TTL: 3, Group: addr("224.0.0.99")},
		backup: {Interface: "lo", ID: 255, MaxLen: 1200, Port: 8850, TTL: 1, Group: addr("224.0.0.81")},
	}
	expect(map[state.SyncDaemonKey]state.SyncDaemon{})
	for key, d := range want {
		check(t, kernel.Set(k, key, d))
	}
	expect(want)
	for _, key := range []state.SyncDaemonKey{master, backup} {
		for range 2 { // deleting what does not exist is not an error
			check(t, kernel.Delete(k, key))
		}
		delete(want, key)
		expect(want)
	}
}
