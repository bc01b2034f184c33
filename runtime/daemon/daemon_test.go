package daemon

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/grammar/diag"
	"keepc/grammar/source"
	"keepc/runtime/kernel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const first = `vrrp_instance oldboy {
	state MASTER
	interface eth0
	virtual_router_id 62
	priority 100
	advert_int 1
	virtual_ipaddress {
		10.0.0.3/24 dev eth0 label eth0:0
	}
}
virtual_server 10.0.0.3 80 {
	lb_algo wrr
	lb_kind DR
	protocol TCP
	real_server 10.0.0.7 80 {
		weight 1
	}
}
`

var (
	vip  = state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.3/24")}
	http = ir.ServiceKey{Protocol: ir.TCP, Addr: netip.MustParseAddr("10.0.0.3"), Port: 80}
	web1 = state.DestinationKey{Service: http, Server: netip.MustParseAddrPort("10.0.0.7:80")}
)

// A box is a running director on a fake kernel, with a file that can be changed.
type box struct {
	*kernel.Fake
	kernel kernel.Kernel // what the director works on: the Fake, or a wrapper around it
	mu     sync.Mutex
	text   string
	beside []*ir.Announcement // of .keepc.conf
	log    bytes.Buffer
	hup    chan os.Signal
	status net.Listener
	cancel context.CancelFunc
	done   chan error
}

func newBox(addr, text string) *box {
	b := &box{
		Fake: kernel.NewFake(kernel.Link{Name: "eth0", Index: 2, Up: true, Addrs: []netip.Addr{netip.MustParseAddr(addr)}}),
		text: text, hup: make(chan os.Signal, 1), done: make(chan error, 1),
	}
	b.kernel = b.Fake
	return b
}

func (b *box) start() {
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	go func() {
		b.done <- Run(ctx, Options{File: "test.conf", Load: b.load, Open: func() (kernel.Kernel, error) { return b.kernel, nil }, Log: slog.New(NewConsole(b, slog.LevelDebug)), Reload: b.hup, Status: b.status})
	}()
}

func (b *box) stop(t *testing.T) {
	t.Helper()
	b.cancel()
	if err := <-b.done; err != nil {
		t.Error(err)
	}
}

// reload saves a new file and sends SIGHUP.
func (b *box) reload(text string) {
	b.mu.Lock()
	b.text = text
	b.mu.Unlock()
	b.hup <- nil
}

func (b *box) load() Loaded {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := compiler.Load(source.New("test.conf", []byte(b.text)), compiler.Options{Settings: &ir.Settings{Announcements: b.beside}})
	for _, d := range u.All {
		if d.Severity == diag.Error {
			return Loaded{Refused: d.Span.String() + ": error: " + d.Message}
		}
	}
	return Loaded{Config: u.Config}
}

// Write makes the box the destination of its log.
func (b *box) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

func (b *box) said(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(b.log.String(), text)
}

func (b *box) holds(t *testing.T) bool {
	t.Helper()
	all, err := kernel.List(b.Fake, state.AddressKind)
	if err != nil {
		t.Fatal(err)
	}
	_, ok := all[vip]
	return ok
}

// listen records what arrives on eth0. The function that it returns ends that and returns when each advertisement
// came.
func (b *box) listen(t *testing.T) func() []time.Time {
	t.Helper()
	ear := &ear{bell: newTimerBell()}
	wire, err := b.OpenWire("eth0", kernel.IPv4, ear)
	if err == nil {
		err = wire.Join([]netip.Addr{ir.MulticastGroup(false)})
	}
	if err != nil {
		t.Fatal(err)
	}
	var at []time.Time
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for {
			more, err := wire.Receive(1, func(kernel.Packet) { at = append(at, time.Now()) })
			switch {
			case err != nil:
				return
			case !more:
				ear.sleep(time.Time{})
			}
		}
	}()
	return func() []time.Time {
		wire.Close()
		ear.Ring()
		<-heard
		return at
	}
}

// after lets virtual time pass, with everything that happens in it.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestDirectorTakesTheAddressAndGivesItUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		b.start()
		after(10 * time.Second)
		if !b.holds(t) {
			t.Fatalf("no address after 10 s\n%s", b.log.String())
		}
		have, _, _ := kernel.Observe(b.Fake)
		services, destinations := have.Services, have.Destinations
		if len(services) != 1 || destinations[web1].Weight != 1 {
			t.Errorf("virtual servers %v %v", services, destinations)
		}
		if n := len(b.Announced()); n != 10 {
			t.Errorf("%d announcements, want two bursts of 5", n)
		}
		b.stop(t)
		if services, _ := kernel.List(b.Fake, state.ServiceKind); b.holds(t) || len(services) != 0 {
			t.Error("a stopped director left something behind")
		}
	})
}

// TestRolesAndQuorumReachTheOtherLoop checks that the sync daemon is that of the role, and that an address of
// quorum_up is added after its service, is added again when somebody removes it, and is removed at the stop with
// omega.
func TestRolesAndQuorumReachTheOtherLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := "global_defs {\n\tlvs_sync_daemon eth0 oldboy\n}\n" + strings.Replace(first, "lb_kind DR", "lb_kind DR\n\tomega\n\tquorum_up \"/sbin/ip addr add 10.0.0.3/32 dev eth0\"\n\tquorum_down \"/sbin/ip addr del 10.0.0.3/32 dev eth0\"", 1)
		own := state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.3/32")}
		b := newBox("10.0.0.5", text)
		b.start()
		expect := func(when, role string, address bool) {
			t.Helper()
			have, _, _ := kernel.Observe(b.Fake)
			_, held := have.Addresses[own]
			_, runs := have.SyncDaemons[state.SyncDaemonKey{Role: role}]
			if held != address || runs != (role != "") || len(have.SyncDaemons) > 1 {
				t.Errorf("%s: address %v, daemons %v; want %v and %q\n%s", when, held, have.SyncDaemons, address, role, b.log.String())
			}
		}
		after(time.Second)
		expect("as BACKUP", "backup", true)
		after(10 * time.Second)
		expect("as MASTER", "master", true)
		if err := kernel.Delete(b.Fake, own); err != nil {
			t.Fatal(err)
		}
		after(time.Minute)
		expect("repaired", "master", true)
		b.reload(first)
		after(10 * time.Second)
		expect("no longer in the file", "", false)
		b.reload(text)
		after(10 * time.Second)
		expect("in the file again", "master", true)
		b.stop(t)
		expect("stopped", "", false)
	})
}

func TestOneOfTwoHoldsTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := new(kernel.Hub)
		lb01 := newBox("10.0.0.5", first)
		lb02 := newBox("10.0.0.6", strings.NewReplacer("MASTER", "BACKUP", "priority 100", "priority 50").Replace(first))
		hub.Plug(lb01.Fake, "eth0")
		hub.Plug(lb02.Fake, "eth0")
		lb02.start()
		lb01.start()
		after(10 * time.Second)
		if !lb01.holds(t) || lb02.holds(t) {
			t.Fatalf("lb01 %v, lb02 %v", lb01.holds(t), lb02.holds(t))
		}
		lb01.stop(t)
		after(time.Second)
		if !lb02.holds(t) {
			t.Errorf("lb02 did not take over within a second after priority 0\n%s", lb02.log.String())
		}
		lb02.stop(t)
	})
}

func TestReloadTouchesOnlyWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		b.start()
		after(10 * time.Second)
		b.reload(strings.Replace(first, "weight 1", "weight 3", 1))
		after(100 * time.Millisecond)
		if have, _, _ := kernel.Observe(b.Fake); have.Destinations[web1].Weight != 3 || !b.holds(t) {
			t.Errorf("weight %d, address held: %v", have.Destinations[web1].Weight, b.holds(t))
		}
		if !b.said("0 added, 1 changed, 0 removed; oldboy is MASTER") {
			t.Errorf("the log does not count the change:\n%s", b.log.String())
		}
		b.stop(t)
	})
}

func TestBrokenFileIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		b.start()
		after(10 * time.Second)
		b.reload(strings.Replace(first, "priority", "prioritty", 1))
		after(time.Second)
		if !b.holds(t) || !b.said("refused: test.conf:5:2") || !b.said("still enforcing the configuration of") {
			t.Errorf("address held: %v\n%s", b.holds(t), b.log.String())
		}
		b.stop(t)
	})
}

func TestFirstBrokenFileEnforcesNothing(t *testing.T) {
	b := newBox("10.0.0.5", "vrrp_instance x {\n\tprioritty 1\n}\n")
	b.start()
	var refused *RefusedError
	if err := <-b.done; !errors.As(err, &refused) {
		t.Errorf("error %v, want a *RefusedError", err)
	}
	b.cancel()
}

func TestNoIPVSIsSaidOnceAndVRRPGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		b.SetIPVS(false)
		b.start()
		after(5 * time.Minute)
		if !b.holds(t) {
			t.Error("VRRP did not go on")
		}
		if n := strings.Count(b.log.String(), "test.conf:11:1: the kernel has no ip_vs"); n != 1 {
			t.Errorf("said %d times\n%s", n, b.log.String())
		}
		b.SetIPVS(true)
		after(time.Minute)
		if services, _ := kernel.List(b.Fake, state.ServiceKind); len(services) != 1 {
			t.Error("the virtual server is not there after ip_vs came")
		}
		b.stop(t)
	})
}

func TestMissingInterfaceIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		b.RemoveLink("eth0")
		b.start()
		after(10 * time.Second)
		if !b.said("test.conf:3:2: there is no interface eth0; waiting for it") {
			t.Errorf("the log does not say that the interface is missing:\n%s", b.log.String())
		}
		b.SetLink(kernel.Link{Name: "eth0", Index: 7, Up: true, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.5")}})
		after(10 * time.Second)
		if !b.holds(t) {
			t.Errorf("the instance did not start when eth0 appeared:\n%s", b.log.String())
		}
		b.stop(t)
	})
}

// A slowKernel needs half a minute for each address, each listing of virtual servers, each change of them and each
// socket except the first.
type slowKernel struct {
	*kernel.Fake
	opened *atomic.Int64
}

const slow = 30 * time.Second

func (k slowKernel) Apply(changes []kernel.Change) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i, c := range changes {
			if _, address := c.Object.(state.Address); address || state.KindOf(c.Key).About().Part == state.OfBalance {
				time.Sleep(slow)
			}
			for _, err := range k.Fake.Apply(changes[i : i+1]) {
				if !yield(i, err) {
					return
				}
			}
		}
	}
}

func (k slowKernel) Read(s kernel.Scope) (state.State, kernel.Unread) {
	if slices.Contains(s.Kinds, state.AnyKind(state.ServiceKind)) {
		time.Sleep(slow)
	}
	return k.Fake.Read(s)
}

func (k slowKernel) OpenWire(iface string, c kernel.Carrier, bell kernel.Bell) (kernel.Wire, error) {
	if k.opened.Add(1) > 1 {
		time.Sleep(slow)
	}
	return k.Fake.OpenWire(iface, c, bell)
}

// TestSlowKernelDelaysNoAdvertisement checks that advertisements stay on time while the kernel is slow: with an
// address, with virtual servers, during a reload that changes them, and with the socket of a second interface.
func TestSlowKernelDelaysNoAdvertisement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := new(kernel.Hub)
		b, peer := newBox("10.0.0.5", first), newBox("10.0.0.6", first)
		hub.Plug(b.Fake, "eth0")
		hub.Plug(peer.Fake, "eth0")
		heard := peer.listen(t)
		b.kernel = slowKernel{b.Fake, new(atomic.Int64)}
		b.SetLink(kernel.Link{Name: "eth1", Index: 3, Up: true, Addrs: []netip.Addr{netip.MustParseAddr("10.0.1.5")}})
		b.start()
		after(20 * time.Second)
		if b.holds(t) {
			t.Error("the kernel was not slow")
		}
		second := strings.NewReplacer("oldboy", "two", "eth0", "eth1", "10.0.0.3/24", "10.0.1.3/24").Replace(first[:strings.Index(first, "virtual_server")])
		b.reload(strings.Replace(first, "weight 1", "weight 3", 1) + second)
		after(4 * time.Minute)
		if have, _, _ := kernel.Observe(b.Fake); have.Destinations[web1].Weight != 3 || !b.holds(t) || !b.said("two MASTER") {
			t.Errorf("%v, address held: %v\n%s", have.Destinations, b.holds(t), b.log.String())
		}
		at := heard()
		if len(at) < 255 {
			t.Errorf("%d advertisements in 260 s", len(at))
		}
		early := 0
		for i := 1; i < len(at); i++ {
			switch gap := at[i].Sub(at[i-1]); {
			case gap > time.Second:
				t.Errorf("%v between two advertisements", gap)
			case gap < time.Second:
				early++
			}
		}
		if early != 1 {
			t.Errorf("%d advertisements before their time; the one before the reload is one", early)
		}
		b.cancel()
		if err := <-b.done; err == nil || !strings.Contains(err.Error(), "not everything was removed from the kernel within 5s") {
			t.Errorf("the kernel takes half a minute to give up, and stop says %v", err)
		}
		after(2 * time.Minute) // what was left behind ends
	})
}

func TestFailingWritesAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		b.Fail("set address", 3, errors.New("no buffer space available"))
		b.start()
		after(10 * time.Second)
		if !b.holds(t) || !b.said("no buffer space available; trying again") || !b.said("works again") {
			t.Errorf("address held: %v\n%s", b.holds(t), b.log.String())
		}
		b.stop(t)
	})
}

func TestWhoCannotHearDoesNotBecomeMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		b.RemoveLink("eth0")
		b.start()
		after(5 * time.Second)
		b.Fail("OpenWire", 10, errors.New("too many open files"))
		b.SetLink(kernel.Link{Name: "eth0", Index: 7, Up: true, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.5")}})
		after(8 * time.Second)
		if b.holds(t) || !b.said("open VRRP on eth0: too many open files; trying again") {
			t.Errorf("deaf, and address held: %v\n%s", b.holds(t), b.log.String())
		}
		after(10 * time.Second)
		if !b.holds(t) || !b.said("VRRP is open again") {
			t.Errorf("the wire opened; address held: %v\n%s", b.holds(t), b.log.String())
		}
		b.stop(t)
	})
}

func TestBurstWaitsForItsAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		b.Fail("set address", 2, errors.New("no buffer space available"))
		b.start()
		after(3*time.Second + 620*time.Millisecond) // MASTER, and the first attempt has failed
		if n := len(b.Announced()); b.holds(t) || n != 0 {
			t.Errorf("address held: %v, %d announcements before it is there", b.holds(t), n)
		}
		after(2 * time.Second)
		if n := len(b.Announced()); !b.holds(t) || n != 5 {
			t.Errorf("address held: %v, %d announcements, want a burst of 5", b.holds(t), n)
		}
		b.stop(t)
	})
}

func TestOrderOfWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		var mu sync.Mutex
		var verbs []string
		b.kernel = kernel.Record(b.Fake, func(w kernel.Write) {
			mu.Lock()
			verbs = append(verbs, w.Verb)
			mu.Unlock()
		})
		b.start()
		after(10 * time.Second)
		verbs = nil
		more := strings.Replace(first, "\t\t10.0.0.3/24", "\t\t10.0.0.4/24\n\t\t10.0.0.3/24", 1) + strings.Replace(first[strings.Index(first, "virtual_server"):], "10.0.0.3", "10.0.0.4", 1)
		b.reload(more)
		after(time.Second)
		if want := "set service, set destination, set address"; strings.Join(verbs, ", ") != want {
			t.Errorf("a new address with its service: %v, want %s", verbs, want)
		}
		verbs = nil
		b.stop(t)
		if got := strings.Join(verbs, ", "); !strings.HasPrefix(got, "delete address, delete address, delete service") {
			t.Errorf("at the end: %s, want addresses to go before services", got)
		}
	})
}

func TestStalledLogDelaysNothing(t *testing.T) {
	block := make(chan struct{})
	var out bytes.Buffer
	w := NewWriter(writerFunc(func(p []byte) (int, error) { <-block; return out.Write(p) }))
	for range 10000 {
		if _, err := w.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
	}
	close(block)
	w.Close(time.Minute)
	if !strings.Contains(out.String(), "log lines lost") {
		t.Error("nothing was lost; where is it?")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
