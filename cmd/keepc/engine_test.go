package main

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/lab"
)

// fakedIPVS makes this binary a keepc with virtual servers in memory and everything else in the kernel.
const fakedIPVS = "faked ipvs"

func keepcWithoutIPVS() {
	dir, _ := os.Getwd()
	virtual := kernel.NewFake()
	app := App{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv, FS: hostFiles(), Dir: dir, Started: time.Now(), Open: func() (kernel.Kernel, error) {
		k, err := kernel.Open()
		return halfFaked{k, virtual}, err
	}}
	os.Exit(app.Start(os.Args))
}

// A halfFaked kernel has its virtual servers in memory.
type halfFaked struct {
	kernel.Kernel
	virtual *kernel.Fake
}

func isVirtual(kind state.AnyKind) bool { return kind.About().Part == state.OfBalance }

// Read implements kernel.Objects. A caller that reads virtual servers reads nothing else.
func (k halfFaked) Read(s kernel.Scope) (state.State, kernel.Unread) {
	if slices.ContainsFunc(s.Kinds, isVirtual) {
		return k.virtual.Read(s)
	}
	return k.Kernel.Read(s)
}

// Apply implements kernel.Objects.
func (k halfFaked) Apply(changes []kernel.Change) iter.Seq2[int, error] {
	if len(changes) > 0 && isVirtual(state.KindOf(changes[0].Key)) {
		return k.virtual.Apply(changes)
	}
	return k.Kernel.Apply(changes)
}

// An edge is a network with two directors, each with a routing engine, behind a router that has a client.
type edge struct {
	t              *testing.T
	router, client *lab.Host
	directors      []*edgeDirector
	six            bool // IPv6 is announced, too
}

// families are those of the announced addresses.
func (e *edge) families() []int {
	if e.six {
		return []int{netlink.FAMILY_V4, netlink.FAMILY_V6}
	}
	return []int{netlink.FAMILY_V4}
}

// sixth returns the IPv6 address of the host with an IPv4 address on the inner segment.
func sixth(addr string) string { return strings.Replace(addr, "10.1.0.", "2001:db8:1::", 1) }

// An edgeDirector is a director with the file that its check follows.
type edgeDirector struct {
	*lab.Host
	t           *testing.T
	conf, alive string
	keepc       *lab.Process
}

// edgeAddresses are the announced addresses.
var edgeAddresses = map[int]netip.Prefix{netlink.FAMILY_V4: netip.MustParsePrefix("10.9.0.1/32"), netlink.FAMILY_V6: netip.MustParsePrefix("2001:db8:9::1/128")}

const edgeFile = `track_file alive {
    file %[1]s
}
virtual_server 2001:db8:9::1 80 {
    lb_algo mh
    lb_kind DR
    protocol TCP
    real_server 2001:db8:1::200 80 {
        FILE_CHECK {
            track_file alive
            weight 0
        }
    }
}
virtual_server 10.9.0.1 80 {
    lb_algo mh
    lb_kind DR
    protocol TCP
    real_server 10.1.0.200 80 {
        FILE_CHECK {
            track_file alive
            weight 0
        }
    }
}
`

const edgeSettings = `announce edge {
    virtual_address 10.9.0.1 2001:db8:9::1
    local
    table 198
    drain_table 199
    drain 3s
}
`

// edgeRouter is the other end: it prefers routes with GRACEFUL_SHUTDOWN least, as RFC 8326 requires, and spreads over
// equal ones. IPv6 has separate sessions.
const edgeRouter = `router id 10.1.0.254;
protocol device { scan time 1; }
protocol kernel { ipv4 { import none; export all; }; merge paths on; }
protocol kernel { ipv6 { import none; export all; }; merge paths on; }
filter drained { if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; }
template bgp director {
    local 10.1.0.254 as 64500;
    ipv4 { import filter drained; export none; };
    passive;
}
template bgp director6 {
    local 2001:db8:1::254 as 64500;
    ipv6 { import filter drained; export none; };
    passive;
}
protocol bgp d1 from director { neighbor 10.1.0.1 as 64512; }
protocol bgp d2 from director { neighbor 10.1.0.2 as 64512; }
protocol bgp d1six from director6 { neighbor 2001:db8:1::1 as 64512; }
protocol bgp d2six from director6 { neighbor 2001:db8:1::2 as 64512; }
`

// newerFRR names a directory with zebra, bgpd and vtysh of FRR 10.0 or later to use instead of Debian's; it announces
// IPv6, too.
const newerFRR = "KEEPC_FRR"

func newEdge(t *testing.T, engine string) *edge {
	lab.NeedPrograms(t, "bird", "birdc", "ip", "ping")
	n := lab.New(t)
	inner, outer := n.Segment("inner"), n.Segment("outer")
	e := &edge{t: t, six: engine == "bird" || os.Getenv(newerFRR) != ""} // FRR 8.4 reads no IPv6 table except the main one
	e.router = n.Host("router", lab.On(inner, "eth0", "10.1.0.254/24", "2001:db8:1::254/64"), lab.On(outer, "eth1", "10.2.0.254/24", "2001:db8:2::254/64"))
	e.router.Sysctl("net.ipv4.ip_forward", "1")
	e.router.Sysctl("net.ipv6.conf.all.forwarding", "1")
	e.client = n.Host("client", lab.On(outer, "eth0", "10.2.0.1/24", "2001:db8:2::1/64"))
	e.client.Run("ip", "route", "add", "default", "via", "10.2.0.254")
	e.client.Run("ip", "route", "add", "default", "via", "2001:db8:2::254")
	filed(t, e.router, "bird.conf", edgeRouter)
	e.router.Start("bird", "-f", "-c", filepath.Join(e.router.Dir(), "bird.conf"), "-s", "/run/bird.ctl")
	for i := range 2 {
		d := &edgeDirector{t: t, Host: n.Host(fmt.Sprintf("lb%d", i+1), lab.On(inner, "eth0", fmt.Sprintf("10.1.0.%d/24", i+1), fmt.Sprintf("2001:db8:1::%d/64", i+1)))}
		d.Run("ip", "route", "add", "10.2.0.0/24", "via", "10.1.0.254")
		d.Run("ip", "route", "add", "2001:db8:2::/64", "via", "2001:db8:1::254")
		d.alive = filed(t, d.Host, "alive", "0\n")
		d.conf = filed(t, d.Host, "keepalived.conf", fmt.Sprintf(edgeFile, d.alive))
		filed(t, d.Host, ".keepc.conf", edgeSettings)
		line := keepcArgs(t, "export", "--"+engine, "--asn", "64512", d.conf)
		fragment := d.Run(line[0], line[1:]...)
		switch own := fmt.Sprintf("10.1.0.%d", i+1); engine {
		case "bird":
			text := "router id " + own + ";\nprotocol device { scan time 1; }\n" + fragment +
				"protocol bgp upstream { local " + own + " as 64512; neighbor 10.1.0.254 as 64500; connect retry time 1; connect delay time 1;\n ipv4 { import none; export where source = RTS_INHERIT; }; }\n" +
				"protocol bgp upstream6 { local " + sixth(own) + " as 64512; neighbor 2001:db8:1::254 as 64500; connect retry time 1; connect delay time 1;\n ipv6 { import none; export where source = RTS_INHERIT; }; }\n"
			d.Start("bird", "-f", "-c", filed(t, d.Host, "bird.conf", text), "-s", "/run/bird.ctl")
		case "frr":
			d.frr(own, fragment)
		}
		e.directors = append(e.directors, d)
	}
	lab.Eventually(t, 30*time.Second, "both sessions are established", func() bool {
		out, _ := e.router.Try("birdc", "-s", "/run/bird.ctl", "show", "protocols")
		return strings.Count(out, "Established") == 2*len(e.families())
	})
	return e
}

func filed(t *testing.T, h *lab.Host, name, text string) string {
	t.Helper()
	file := filepath.Join(h.Dir(), name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// frr starts zebra and bgpd with the configuration that keepc exports.
func (d *edgeDirector) frr(own, fragment string) {
	daemons, shell := "/usr/lib/frr/", "vtysh"
	newer := os.Getenv(newerFRR)
	if newer != "" {
		daemons, shell = newer+"/", newer+"/vtysh"
	}
	if _, err := exec.LookPath(daemons + "zebra"); err != nil {
		d.t.Skip("no frr: apt-get install frr")
	}
	d.Run("mkdir", "-p", "/run/frr")
	d.Run("chown", "frr:frr", "/run/frr")
	for _, daemon := range []string{"zebra", "bgpd"} {
		args := []string{"-u", "frr", "-g", "frr", "-P", "0", "-f", "/dev/null", "-i", "/run/frr/" + daemon + ".pid", "-z", "/run/frr/zserv.api", "--vty_socket", "/run/frr", "--log", "stdout"}
		if daemon == "bgpd" {
			args = append(args, "-p", "0")
		}
		d.Start(daemons+daemon, args...)
		lab.Eventually(d.t, 10*time.Second, daemon+" answers", func() bool {
			_, err := d.Try(shell, "--vty_socket", "/run/frr", "-d", daemon, "-c", "show version")
			return err == nil
		})
	}
	base := "router bgp 64512\n bgp router-id " + own + "\n no bgp ebgp-requires-policy\n neighbor 10.1.0.254 remote-as 64500\n neighbor 10.1.0.254 timers connect 1\n neighbor 10.1.0.254 advertisement-interval 0\n"
	if newer != "" {
		base += strings.ReplaceAll(base[strings.Index(base, " neighbor"):], "10.1.0.254", "2001:db8:1::254") + " address-family ipv6 unicast\n  neighbor 2001:db8:1::254 activate\n exit-address-family\n"
		_, six, _ := strings.Cut(fragment, "! FRR before 10.0")
		_, six, _ = strings.Cut(six, "\n")
		base += "exit\n" + strings.ReplaceAll(six, "! ", "")
	}
	base += "exit\n"
	d.Run(shell, "--vty_socket", "/run/frr", "-f", filed(d.t, d.Host, "frr.conf", fragment+base))
}

// run starts keepc.
func (d *edgeDirector) run() {
	d.t.Helper()
	self, err := os.Executable()
	if err != nil {
		d.t.Fatal(err)
	}
	d.keepc = d.Start("env", asKeepc+"="+fakedIPVS, self, "run", d.conf)
}

// tell makes the check succeed or fail.
func (d *edgeDirector) tell(alive bool) {
	d.t.Helper()
	text := "1\n"
	if alive {
		text = "0\n"
	}
	filed(d.t, d.Host, "alive", text)
}

// verb runs a verb of keepc on the director.
func (d *edgeDirector) verb(args ...string) string {
	d.t.Helper()
	line := keepcArgs(d.t, args...)
	return d.Run(line[0], line[1:]...)
}

// hops returns where the router sends traffic for the address of a family.
func (e *edge) hops(family int) (hops []string) {
	e.t.Helper()
	routes, err := e.router.Netlink().RouteListFiltered(family, &netlink.Route{Table: 254}, netlink.RT_FILTER_TABLE)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, r := range routes {
		if r.Dst == nil || r.Dst.String() != edgeAddresses[family].String() {
			continue
		}
		if len(r.MultiPath) == 0 {
			hops = append(hops, r.Gw.String())
		}
		for _, p := range r.MultiPath {
			hops = append(hops, p.Gw.String())
		}
	}
	slices.Sort(hops)
	return hops
}

// until waits until the router has these next hops, for IPv6 by the addresses of the same hosts, and returns how long
// that took.
func (e *edge) until(limit time.Duration, hops ...string) time.Duration {
	e.t.Helper()
	begin := time.Now()
	for _, family := range e.families() {
		want := slices.Clone(hops)
		if family == netlink.FAMILY_V6 {
			for i, hop := range hops {
				want[i] = sixth(hop)
			}
		}
		for !slices.Equal(e.hops(family), want) {
			if time.Since(begin) > lab.Patience(limit) {
				e.t.Fatalf("after %v the router goes to %q, want %q", limit, e.hops(family), want)
			}
			time.Sleep(time.Millisecond)
		}
	}
	return time.Since(begin)
}

// TestEngines checks that an address is announced and withdrawn with its service, a hundred times, by the engines of
// Debian; that traffic leaves a director that stops without the loss of a packet; and that the announcements of a
// killed one are withdrawn.
func TestEngines(t *testing.T) {
	for _, engine := range []string{"bird", "frr"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t, engine)
			d1, d2 := e.directors[0], e.directors[1]
			d1.run()
			e.until(20*time.Second, "10.1.0.1")
			rounds := 100
			if testing.Short() {
				rounds = 3
			}
			var up, down []time.Duration
			for range rounds {
				d1.tell(false)
				down = append(down, e.until(10*time.Second))
				d1.tell(true)
				up = append(up, e.until(10*time.Second, "10.1.0.1"))
			}
			t.Logf("%s: withdrawn %s; announced %s, %d times, from the file that the check follows to the route of the router", engine, spread(down), spread(up), rounds)

			if out := d1.verb("status"); strings.Contains(out, "Not in place") || !strings.Contains(out, "edge          2001:db8:9::1  198    announced  all services") {
				t.Errorf("status:\n%s", out)
			}
			d2.run()
			e.until(20*time.Second, "10.1.0.1", "10.1.0.2")
			const gap = 5 * time.Millisecond
			var pings []*lab.Process
			for _, family := range e.families() {
				pings = append(pings, e.client.Start("ping", "-n", "-q", "-i", fmt.Sprint(gap.Seconds()), "-W", "1", edgeAddresses[family].Addr().String()))
			}
			time.Sleep(500 * time.Millisecond)
			d1.verb("drain", "--announce", "edge")
			e.until(time.Second, "10.1.0.2")
			if out := d1.Run("ip", "route", "show", "table", "199") + d1.Run("ip", "-6", "route", "show", "table", "199"); !strings.Contains(out, "blackhole 10.9.0.1") || !strings.Contains(out, "blackhole 2001:db8:9::1") {
				t.Errorf("the router has left it before drain_table is empty: %q", out)
			}
			if out := d1.verb("drain", "--announce", "edge", "--wait"); !strings.Contains(out, "edge 10.9.0.1: withdrawn: an operator drains edge") {
				t.Errorf("drain: %s", out)
			}
			d1.verb("enable", "--announce", "all")
			e.until(5*time.Second, "10.1.0.1", "10.1.0.2")
			d1.keepc.Stop()
			e.until(time.Second, "10.1.0.2")
			if out := d1.Run("ip", "route", "show", "table", "all", "proto", "keepalived"); strings.TrimSpace(out) != "" {
				t.Errorf("a director that ended leaves %s", out)
			}
			time.Sleep(500 * time.Millisecond)
			for i, ping := range pings {
				ping.Signal(syscall.SIGINT)
				_ = ping.Wait(10 * time.Second) // it reports what is lost
				sent, received := pinged(t, ping.Log())
				t.Logf("%s: of %d packets to %v, one each %v, %d are lost through a drain, an enable and a stop", engine, sent, edgeAddresses[e.families()[i]].Addr(), gap, sent-received)
				if sent < 100 || sent != received {
					t.Errorf("%d of %d packets are lost:\n%s", sent-received, sent, ping.Log())
				}
			}

			d2.keepc.Signal(syscall.SIGKILL)
			<-d2.keepc.Done()
			time.Sleep(300 * time.Millisecond)
			if hops := e.hops(netlink.FAMILY_V4); !slices.Equal(hops, []string{"10.1.0.2"}) {
				t.Errorf("a killed director is withdrawn by itself: %q", hops)
			}
			if out := d2.verb("run", "--withdraw", d2.conf); out != "withdrawn: 10.9.0.1/32 table 198\nwithdrawn: 2001:db8:9::1/128 table 198\n" {
				t.Errorf("run --withdraw: %q", out)
			}
			t.Logf("%s: what a killed director announced is gone %v after keepc run --withdraw", engine, e.until(5*time.Second).Round(time.Millisecond))
		})
	}
}

// spread formats the median and the longest of some times.
func spread(times []time.Duration) string {
	slices.Sort(times)
	return fmt.Sprintf("within %v, at most %v", times[len(times)/2].Round(time.Millisecond), times[len(times)-1].Round(time.Millisecond))
}

// pinged reads the counts of ping.
func pinged(t *testing.T, log string) (sent, received int) {
	t.Helper()
	err := errors.New("ping tells nothing")
	for line := range strings.Lines(log) {
		if words := strings.Fields(line); strings.Contains(line, "packets transmitted") {
			var err2 error
			sent, err = strconv.Atoi(words[0])
			received, err2 = strconv.Atoi(words[3])
			err = errors.Join(err, err2)
		}
	}
	if err != nil {
		t.Fatalf("%v:\n%s", err, log)
	}
	return sent, received
}
