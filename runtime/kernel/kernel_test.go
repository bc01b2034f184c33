package kernel_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/lab"
)

// A host is a kernel with eth0, connected by a cable to eth0 of another kernel. Both are up; here has 10.0.0.1/24 and
// fe80::ff:fe00:1/64, there has 10.0.0.2/24 and fe80::ff:fe00:2/64.
type host struct {
	kernel.Kernel
	far     kernel.Kernel
	up      func(bool) // switches eth0 on or off
	carrier func(bool) // plugs the cable in or out
	remake  func()     // deletes eth0 and recreates it, up, without addresses
}

var (
	here4, far4 = addr("10.0.0.1"), addr("10.0.0.2")
	here6, far6 = addr("fe80::ff:fe00:1"), addr("fe80::ff:fe00:2")
	all4, all6  = addr("224.0.0.18"), addr("ff02::12")
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func key(s string) state.AddressKey {
	return state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix(s)}
}

// behaviour checks what every Kernel does. The same table is used for Linux and for the fake.
var behaviour = []struct {
	name string
	test func(t *testing.T, h host)
}{
	{"addresses", testAddresses},
	{"address with a peer", testPeer},
	{"address replaced", testReplaced},
	{"address order", testOrder},
	{"primary address goes alone", testSecondary},
	{"routes", testRoutes},
	{"routes go with what they need", testLostRoutes},
	{"rules", testRules},
	{"missing interface", testMissing},
	{"links", testLinks},
	{"settings", testSettings},
	{"routing watch", testRoutingWatch},
	{"virtual links", testVirtualLinks},
	{"firewall", testFirewall},
	{"virtual link goes with its base", testBaseGoes},
	{"watch", testWatch},
	{"watch by a slow consumer", testSlow},
	{"wire", testWire},
	{"wire source", testSource},
	{"wire unicast", testUnicast},
	{"wire join", testJoin},
	{"wire accepts", testWireAccepts},
	{"wire ends", testWireEnds},
	{"announce", testAnnounce},
	{"UDP of BFD sessions", testSessions},
}

func testAddresses(t *testing.T, h host) {
	want := map[state.AddressKey]state.Address{
		key("10.0.0.3/24"):    {Label: "eth0:0"},
		key("10.0.0.4/32"):    {},
		key("10.0.1.5/24"):    {Scope: 253, Broadcast: addr("10.0.1.255")},
		key("fe80::3/64"):     {NoDAD: true},
		key("2001:db8::4/64"): {NoDAD: true},
	}
	for k, a := range want {
		for range 2 { // adding what exists is not an error
			a.Why = "provenance never reaches the kernel"
			check(t, kernel.Set(h, k, a))
		}
	}
	all, err := kernel.List(h, state.AddressKind)
	check(t, err)
	for k, a := range want {
		if d := cmp.Diff(a, all[k], cmp.Comparer(same)); d != "" {
			t.Errorf("%s: %s", k, d)
		}
		for range 2 { // deleting what is absent is not an error
			check(t, kernel.Delete(h, k))
		}
	}
	all, err = kernel.List(h, state.AddressKind)
	check(t, err)
	for k := range want {
		if _, ok := all[k]; ok {
			t.Errorf("%s is still there", k)
		}
	}
	if _, ok := all[key("10.0.0.1/24")]; !ok {
		t.Error("10.0.0.1/24 is gone, nobody asked for that")
	}
}

func same(a, b state.Address) bool {
	return slices.Equal(a.Fields(), b.Fields()) && a.NoDAD == b.NoDAD
}

func testPeer(t *testing.T, h host) {
	k, a := key("10.0.2.7/32"), state.Address{Peer: netip.MustParsePrefix("10.0.2.9/32")}
	for range 2 {
		check(t, kernel.Set(h, k, a))
	}
	all, err := kernel.List(h, state.AddressKind)
	check(t, err)
	if got := all[k]; !same(got, a) {
		t.Errorf("%s: %v", k, got)
	}
	for range 2 {
		check(t, kernel.Delete(h, k))
	}
	if all, _ = kernel.List(h, state.AddressKind); all[k].Peer.IsValid() {
		t.Errorf("%s is still there", k)
	}
}

func testReplaced(t *testing.T, h host) {
	k := key("10.0.0.3/24")
	for _, label := range []string{"", "eth0:1", "eth0:2"} {
		check(t, kernel.Set(h, k, state.Address{Label: label}))
		all, err := kernel.List(h, state.AddressKind)
		check(t, err)
		if all[k].Label != label {
			t.Errorf("label is %q, want %q", all[k].Label, label)
		}
	}
}

func testOrder(t *testing.T, h host) {
	for _, p := range []string{"10.0.0.3/24", "10.0.1.1/24", "10.0.1.2/24", "10.0.2.1/24", "fe80::3/64", "2001:db8::1/64", "fe80::4/64", "2001:db8::2/64"} {
		a := state.Address{}
		if p == "10.0.2.1/24" {
			a.Scope = 253
		}
		check(t, kernel.Set(h, key(p), a))
	}
	got := eth0(t, h).Addrs
	var want []netip.Addr
	for _, a := range []string{"10.0.2.1", "10.0.0.1", "10.0.1.1", "10.0.0.3", "10.0.1.2", "2001:db8::2", "2001:db8::1", "fe80::4", "fe80::3", "fe80::ff:fe00:1"} {
		want = append(want, addr(a))
	}
	if !slices.Equal(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

func testSecondary(t *testing.T, h host) {
	for _, p := range []string{"10.0.1.1/24", "10.0.1.2/24", "10.0.1.3/25"} {
		check(t, kernel.Set(h, key(p), state.Address{}))
	}
	check(t, kernel.Delete(h, key("10.0.1.1/24")))
	if got, want := eth0(t, h).Addrs[:3], []netip.Addr{here4, addr("10.0.1.3"), addr("10.0.1.2")}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func testMissing(t *testing.T, h host) {
	k := state.AddressKey{Dev: "eth7", Prefix: netip.MustParsePrefix("10.0.0.3/24")}
	if err := kernel.Set(h, k, state.Address{}); !errors.Is(err, kernel.ErrNoInterface) {
		t.Errorf("add: %v", err)
	}
	if err := kernel.Delete(h, k); err != nil {
		t.Errorf("delete: %v; the address is absent", err)
	}
	if _, err := h.OpenWire("eth7", kernel.IPv4, nil); !errors.Is(err, kernel.ErrNoInterface) {
		t.Errorf("wire: %v", err)
	}
	if err := h.Announce("eth7", here4); !errors.Is(err, kernel.ErrNoInterface) {
		t.Errorf("announce: %v", err)
	}
}

func eth0(t *testing.T, k kernel.Links) kernel.Link {
	t.Helper()
	links, err := k.Links()
	check(t, err)
	i := slices.IndexFunc(links, func(l kernel.Link) bool { return l.Name == "eth0" })
	if i < 0 {
		t.Fatal("no eth0 among ", links)
	}
	return links[i]
}

func testLinks(t *testing.T, h host) {
	want := kernel.Link{Name: "eth0", Index: 2, Up: true, MTU: 1500, HWAddr: [6]byte{2, 0, 0, 0, 0, 1}, Addrs: []netip.Addr{here4, here6}}
	if d := cmp.Diff(want, eth0(t, h), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

func testWatch(t *testing.T, h host) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	changes, err := h.WatchLinks(ctx)
	check(t, err)
	// until waits for a state of eth0; states in between do not matter.
	until := func(what string, reached func(kernel.Link) bool) {
		t.Helper()
		for l := range changes {
			if l.Name == "eth0" && reached(l) {
				return
			}
		}
		t.Fatal("never told: ", what)
	}
	holds := func(a string) func(kernel.Link) bool {
		return func(l kernel.Link) bool { return slices.Contains(l.Addrs, addr(a)) }
	}
	until("the first state", func(l kernel.Link) bool { return l.Index == 2 && l.Up })
	check(t, kernel.Set(h, key("10.0.0.3/24"), state.Address{}))
	until("the new address", holds("10.0.0.3"))
	check(t, kernel.Set(h, key("fe80::3/64"), state.Address{}))
	until("the new IPv6 address", holds("fe80::3"))
	h.up(false)
	until("down", func(l kernel.Link) bool { return !l.Up && holds("10.0.0.3")(l) && !holds("fe80::3")(l) })
	h.up(true)
	until("up", func(l kernel.Link) bool { return l.Up })
	check(t, kernel.Set(h, key("fe80::3/64"), state.Address{}))
	until("the IPv6 address again", holds("fe80::3"))
	h.carrier(false)
	until("no carrier", func(l kernel.Link) bool { return !l.Up && holds("10.0.0.3")(l) && holds("fe80::3")(l) })
	h.carrier(true)
	until("carrier", func(l kernel.Link) bool { return l.Up })
	h.remake()
	until("the new interface", func(l kernel.Link) bool { return l.Index > 2 && l.Up && !holds("10.0.0.3")(l) })

	cancel()
	for range changes { // it ends
	}
}

func testSlow(t *testing.T, h host) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes, err := h.WatchLinks(ctx)
	check(t, err)
	for i := range 100 {
		check(t, kernel.Set(h, state.AddressKey{Dev: "eth0", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(i)}), 32)}, state.Address{}))
	}
	time.Sleep(lab.Patience(100 * time.Millisecond))
	for l := range changes {
		if l.Name == "eth0" {
			if len(l.Addrs) != 102 { // the newest state comes first, and only that
				t.Errorf("%d addresses", len(l.Addrs))
			}
			break
		}
	}
	select {
	case l := <-changes:
		if l.Name == "eth0" {
			t.Errorf("told twice: %v", l)
		}
	case <-time.After(lab.Patience(50 * time.Millisecond)):
	}
	cancel()
	for range changes {
	}
}

func wire(t *testing.T, k kernel.Wires, c kernel.Carrier) kernel.Wire {
	t.Helper()
	w, err := k.OpenWire("eth0", c, nil)
	check(t, err)
	t.Cleanup(func() { w.Close() })
	group := all4
	if c == kernel.IPv6 {
		group = all6
	}
	check(t, w.Join([]netip.Addr{group}))
	return w
}

// next returns a packet that has arrived.
func next(t *testing.T, w kernel.Wire) (next kernel.Packet, some bool) {
	t.Helper()
	_, err := w.Receive(1, func(p kernel.Packet) {
		next, some = p, true
		next.Payload = slices.Clone(p.Payload)
	})
	check(t, err)
	return next, some
}

// receive waits a little for the next packet.
func receive(t *testing.T, w kernel.Wire) (kernel.Packet, bool) {
	t.Helper()
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if p, some := next(t, w); some {
			return p, true
		}
	}
	return kernel.Packet{}, false
}

func testWire(t *testing.T, h host) {
	for _, c := range []struct {
		carrier  kernel.Carrier
		src, dst netip.Addr
	}{{kernel.IPv4, here4, all4}, {kernel.IPv6, here6, all6}, {kernel.AH, here4, all4}} {
		near, far := wire(t, h, c.carrier), wire(t, h.far, c.carrier)
		payload := []byte("p\x04\x00\x00spi!\x00\x01\x02\x03")
		check(t, near.Send(c.src, c.dst, 255, payload))
		got, _ := receive(t, far)
		want := kernel.Packet{Interface: "eth0", Src: c.src, Dst: c.dst, TTL: 255, Payload: payload}
		switch c.carrier {
		case kernel.IPv4:
			want.ID = 1 // the first packet
		case kernel.AH:
			want.AH, want.ID = true, 0x203 // the low half of the sequence number
		}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Error(d)
		}
		if p, ok := receive(t, near); ok {
			t.Errorf("heard its own packet: %v", p)
		}
	}
}

func testSource(t *testing.T, h host) {
	near, far := wire(t, h, kernel.IPv4), wire(t, h.far, kernel.IPv4)
	for _, c := range []struct{ src, want netip.Addr }{
		{netip.Addr{}, here4},                  // the kernel chooses
		{addr("10.0.0.99"), addr("10.0.0.99")}, // mcast_src_ip need not be an address of the host
	} {
		check(t, near.Send(c.src, all4, 255, []byte("v4")))
		if got, _ := receive(t, far); got.Src != c.want {
			t.Errorf("from %v: got %v", c.src, got)
		}
	}
	near, far = wire(t, h, kernel.IPv6), wire(t, h.far, kernel.IPv6)
	check(t, near.Send(netip.Addr{}, all6, 255, []byte("v6")))
	if got, _ := receive(t, far); got.Src != here6 {
		t.Errorf("got %v", got)
	}
	if near.Send(addr("fe80::99"), all6, 255, []byte("v6")) == nil {
		t.Error("an IPv6 source that the host does not have")
	}
	if near.Send(here4, all6, 255, nil) == nil || near.Send(here6, all4, 255, nil) == nil {
		t.Error("an address of the other family")
	}
}

func testUnicast(t *testing.T, h host) {
	for _, c := range []struct {
		carrier  kernel.Carrier
		src, dst netip.Addr
		ttl      uint8
		want     int
	}{{kernel.IPv4, here4, far4, 255, 255}, {kernel.IPv4, here4, far4, 20, 20}, {kernel.IPv6, here6, far6, 20, 20}, {kernel.IPv6, here6, far6, 0, 64}, {kernel.AH, here4, far4, 20, 20}} {
		near, far := wire(t, h, c.carrier), wire(t, h.far, c.carrier)
		check(t, near.Send(c.src, c.dst, c.ttl, []byte("eight by")))
		if got, _ := receive(t, far); got.Src != c.src || got.Dst != c.dst || got.TTL != c.want || string(got.Payload) != "eight by" {
			t.Errorf("got %+v", got)
		}
	}
}

// testJoin receives a group from joining to leaving, and what is sent to the host always.
func testJoin(t *testing.T, h host) {
	other4, other6 := addr("224.0.0.200"), addr("ff02::200")
	for _, c := range []struct {
		carrier                kernel.Carrier
		src, group, other, far netip.Addr
	}{{kernel.IPv4, here4, all4, other4, far4}, {kernel.IPv6, here6, all6, other6, far6}} {
		near, far := wire(t, h, c.carrier), wire(t, h.far, c.carrier)
		for _, joined := range [][]netip.Addr{{c.group}, {c.group, c.other}, {c.other}, nil, {c.group}} {
			check(t, far.Join(joined))
			for _, dst := range append([]netip.Addr{c.group, c.other}, c.far) {
				check(t, near.Send(c.src, dst, 255, []byte("eight by")))
			}
			for _, dst := range append(slices.Clone(joined), c.far) {
				if got, _ := receive(t, far); got.Dst != dst {
					t.Errorf("in %v: got %+v, want one to %v", joined, got, dst)
				}
			}
		}
	}
}

// testWireAccepts drops what is for other virtual routers, whatever their number.
func testWireAccepts(t *testing.T, h host) {
	all := make([]uint8, 255)
	for i := range all {
		all[i] = uint8(i + 1)
	}
	for _, c := range []struct {
		carrier  kernel.Carrier
		src, dst netip.Addr
	}{{kernel.IPv4, here4, all4}, {kernel.IPv6, here6, all6}, {kernel.AH, here4, all4}} {
		near, far := wire(t, h, c.carrier), wire(t, h.far, c.carrier)
		var header []byte
		if c.carrier == kernel.AH {
			header = make([]byte, 24)
		}
		advert := func(vrid byte) []byte { return append(slices.Clone(header), 0x31, vrid, 100, 1, 0, 5, 0, 0) }
		for _, step := range []struct {
			accept []uint8
			want   []uint8 // of the VRIDs 0, 1, 51 and 255
		}{
			{[]uint8{51}, []uint8{51}},
			{[]uint8{1, 51}, []uint8{1, 51}},
			{all, []uint8{1, 51, 255}},
			{nil, nil},
			{[]uint8{255}, []uint8{255}},
		} {
			check(t, far.Accept(step.accept, [6]byte{}))
			for _, vrid := range []byte{0, 1, 51, 255} {
				check(t, near.Send(c.src, c.dst, 255, advert(vrid)))
			}
			check(t, near.Send(c.src, c.dst, 255, []byte{0x31})) // too short
			for _, vrid := range step.want {
				if got, _ := receive(t, far); !slices.Equal(got.Payload, advert(vrid)) {
					t.Errorf("accept %v: got %v, want VRID %d", step.accept, got, vrid)
				}
			}
			check(t, far.Accept([]uint8{99}, [6]byte{})) // this shows that nothing else waits
			check(t, near.Send(c.src, c.dst, 255, advert(99)))
			if got, _ := receive(t, far); !slices.Equal(got.Payload, advert(99)) {
				t.Errorf("accept %v: got %v beside what was asked for", step.accept, got)
			}
		}
	}
}

func testWireEnds(t *testing.T, h host) {
	near, far := wire(t, h, kernel.IPv4), wire(t, h.far, kernel.IPv4)
	check(t, far.Close())
	if _, err := far.Receive(1, nil); err != io.EOF {
		t.Errorf("receive on a closed wire: %v", err)
	}
	if far.Send(far4, all4, 255, []byte("late")) == nil {
		t.Error("sent on a closed wire")
	}
	check(t, far.Close())

	h.up(false)
	if near.Send(here4, all4, 255, []byte("void")) == nil {
		t.Error("sent on a link that is down")
	}
	h.up(true)
	again := wire(t, h.far, kernel.IPv4)
	check(t, near.Send(here4, all4, 255, []byte("back")))
	if got, _ := receive(t, again); string(got.Payload) != "back" {
		t.Errorf("the wire did not survive link down and up: %+v", got)
	}
	h.remake()
	if near.Send(here4, all4, 255, []byte("void")) == nil {
		t.Error("sent on an interface that is gone")
	}
}

func testAnnounce(t *testing.T, h host) {
	check(t, h.Announce("eth0", here4))
	check(t, h.Announce("eth0", here6))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFake(t *testing.T) {
	for _, b := range behaviour {
		t.Run(b.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { b.test(t, fakeHost()) })
		})
	}
	for _, b := range ipvsBehaviour {
		t.Run(b.name, func(t *testing.T) { b.test(t, kernel.NewFake()) })
	}
}

func fakeHost() host {
	link := kernel.Link{Name: "eth0", Index: 2, Up: true, HWAddr: [6]byte{2, 0, 0, 0, 0, 1}, Addrs: []netip.Addr{here4, here6}}
	other := link
	other.HWAddr[5], other.Addrs = 2, []netip.Addr{far4, far6}
	here, far, cable := kernel.NewFake(link), kernel.NewFake(other), &kernel.Hub{}
	cable.Plug(here, "eth0")
	cable.Plug(far, "eth0")
	link.Addrs = nil
	return host{
		Kernel: here, far: far,
		up: func(up bool) {
			if up {
				here.SetLink(link)
			} else {
				here.Down("eth0")
			}
		},
		carrier: func(in bool) { l := link; l.Up = in; here.SetLink(l) },
		remake:  func() { here.RemoveLink("eth0"); link.Index++; here.SetLink(link) },
	}
}

func TestFaultsAndRecord(t *testing.T) {
	lost := errors.New("lost")
	k := kernel.NewFake(kernel.Link{Name: "eth0", Index: 2, Up: true})
	k.Fail("set address", 2, lost)
	var writes []kernel.Write
	r := kernel.Record(k, func(w kernel.Write) { writes = append(writes, w) })
	for range 3 {
		_ = kernel.Set(r, key("10.0.0.3/24"), state.Address{})
	}
	add := kernel.Write{Verb: "set address", Key: key("10.0.0.3/24"), Err: lost}
	done := add
	done.Err = nil
	if want := []kernel.Write{add, add, done}; !slices.Equal(writes, want) {
		t.Errorf("got %v, want %v", writes, want)
	}

	writes = nil
	changes := []kernel.Change{{Key: web4, Object: state.Service{Scheduler: "rr"}}, {Key: web6}}
	for _, err := range r.Apply(changes) {
		check(t, err)
	}
	if want := []kernel.Write{{Verb: "set service", Key: web4}, {Verb: "delete service", Key: web6}}; !slices.Equal(writes, want) {
		t.Errorf("got %v, want %v", writes, want)
	}

	have, ipvs, err := kernel.Observe(k)
	check(t, errors.Join(ipvs, err))
	if len(have.Addresses) != 1 {
		t.Errorf("observed %v", have.Addresses)
	}
	k.SetIPVS(false)
	if _, ipvs, err = kernel.Observe(k); !errors.Is(ipvs, kernel.ErrNoIPVS) || err != nil {
		t.Errorf("without ip_vs: %v, %v", ipvs, err)
	}
	k.Fail("list address", 1, lost)
	if _, _, err = kernel.Observe(k); !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(lab.Main(m)) }
