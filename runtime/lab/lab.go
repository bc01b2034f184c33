// Package lab builds small networks for tests: hosts that are Linux namespaces, joined by virtual cables to bridged
// segments. Everything in it is the kernel's own networking, nothing is simulated.
//
//	n := lab.New(t)
//	lan := n.Segment("lan")
//	lb01 := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.5/24"))
//	web1 := n.Host("web1", lab.On(lan, "eth0", "10.0.0.7/24"))
//	lb01.Run("ping", "-c1", "10.0.0.7")
//	web1.Link("eth0").Down()
//
// A host is a network, a mount and a UTS namespace: it has its own interfaces, its own /run and /sys, and its own host
// name. No namespace has a name in /run/netns; file descriptors hold them, so that even a killed test binary leaves
// nothing behind.
//
// Tests of IPVS call [NeedIPVS] first and have a TestMain that calls [Main]. If the running kernel has no ip_vs, those
// tests, and only those, run a second time: the same test binary in one virtual machine, started with [Boot]. The
// folder vm says what the machine is made of.
package lab

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// T is what the lab needs of a test. Every testing.TB is one; a program that is not a test may bring its own.
type T interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Failed() bool
	Cleanup(func())
	TempDir() string
}

// A Net is a set of hosts and of the segments that join them. It lives as long as its test. Its methods, and those of
// its hosts, are for the test's own goroutine unless they say otherwise; they end the test if the network cannot be
// built as requested.
type Net struct {
	t           T
	dir         string
	wires       *namespace      // holds every bridge
	switchboard *netlink.Handle // netlink inside wires
	hosts       []*Host
	ports       int // number of cables so far, for the names of ports and the MAC addresses
}

// A Segment is an Ethernet: a bridge that forwards everything, multicast
// included, to every port.
type Segment struct {
	name   string
	bridge *netlink.Bridge
}

// A Port is an interface that [Net.Host] gives a host.
type Port struct {
	segment   *Segment
	name      string
	addresses []string
}

// On requests an interface called name on a segment, with addresses written like "10.0.0.5/24".
func On(segment *Segment, name string, addresses ...string) Port {
	return Port{segment, name, addresses}
}

// New makes an empty network that is closed at the end of the test. It needs the right to make namespaces: without it
// the test is skipped, or fails with CI=true.
func New(t T) *Net {
	t.Helper()
	wires, err := newNamespace("switch")
	if err != nil {
		Missing(t, "no network namespaces: %v (they need root)", err)
		return nil
	}
	t.Logf("kernel: %s", Kernel())
	n := &Net{t: t, dir: t.TempDir(), wires: wires}
	t.Cleanup(n.Close)
	if n.switchboard, err = wires.netlink(); err != nil {
		t.Fatalf("lab: %v", err)
	}
	n.must(wires.sysctl("net.ipv6.conf.all.disable_ipv6", "1"), "silence the bridges")
	n.must(wires.sysctl("net.ipv6.conf.default.disable_ipv6", "1"), "silence the bridges")
	return n
}

// Segment makes a bridge. The name is for messages and at most 15 bytes.
func (n *Net) Segment(name string) *Segment {
	n.t.Helper()
	off := false
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &off}
	n.must(n.switchboard.LinkAdd(bridge), "make segment %s", name)
	n.must(n.switchboard.LinkSetUp(bridge), "bring segment %s up", name)
	return &Segment{name, bridge}
}

// Host makes a host with the given interfaces, all of them up and carrying traffic when Host returns. IPv6 addresses
// skip duplicate address detection and the reverse path filter is off; [Host.Sysctl] can change that.
func (n *Net) Host(name string, ports ...Port) *Host {
	n.t.Helper()
	h := &Host{t: n.t, name: name, dir: filepath.Join(n.dir, name), links: map[string]*Link{}}
	n.must(os.MkdirAll(h.dir, 0o755), "make the directory of %s", name)
	var err error
	h.ns, err = newNamespace(name)
	n.must(err, "make host %s", name)
	n.hosts = append(n.hosts, h)
	h.netlink, err = h.ns.netlink()
	n.must(err, "make host %s", name)
	for key, value := range map[string]string{
		"net.ipv4.conf.all.rp_filter":        "0",
		"net.ipv4.conf.default.rp_filter":    "0",
		"net.ipv6.conf.default.accept_dad":   "0",
		"net.ipv6.conf.all.disable_ipv6":     "0",
		"net.ipv6.conf.default.disable_ipv6": "0",
	} {
		n.must(h.ns.sysctl(key, value), "set %s of %s", key, name)
	}
	lo, err := h.netlink.LinkByName("lo")
	n.must(err, "find lo of %s", name)
	n.must(h.netlink.LinkSetUp(lo), "bring lo of %s up", name)
	for _, p := range ports {
		n.plug(h, p)
	}
	for _, l := range h.links {
		l.await(netlink.OperUp)
	}
	return h
}

// plug makes a cable: one end is the host's interface, the other end a port
// of the segment's bridge.
func (n *Net) plug(h *Host, p Port) {
	n.t.Helper()
	n.ports++
	attrs := netlink.NewLinkAttrs()
	attrs.Name = fmt.Sprintf("port%d", n.ports)
	attrs.MasterIndex = p.segment.bridge.Index
	cable := &netlink.Veth{
		LinkAttrs:        attrs,
		PeerName:         p.name,
		PeerNamespace:    netlink.NsFd(h.ns.net),
		PeerHardwareAddr: net.HardwareAddr{0x02, 0, 0, 0, byte(n.ports >> 8), byte(n.ports)},
	}
	n.must(n.switchboard.LinkAdd(cable), "plug %s of %s into %s", p.name, h.name, p.segment.name)
	n.must(n.switchboard.LinkSetAlias(cable, h.name+" "+p.name), "name the port of %s", h.name)
	n.must(n.switchboard.LinkSetUp(cable), "bring the port of %s up", h.name)

	iface, err := h.netlink.LinkByName(p.name)
	n.must(err, "find %s of %s", p.name, h.name)
	n.must(h.netlink.LinkSetUp(iface), "bring %s of %s up", p.name, h.name)
	h.links[p.name] = &Link{host: h, name: p.name, far: cable, switchboard: n.switchboard}
	for _, a := range p.addresses {
		h.AddAddr(p.name, a)
	}
}

// Close ends every process of every host and removes the hosts. New arranges for it; a second call does nothing.
func (n *Net) Close() {
	n.t.Helper()
	for _, h := range n.hosts {
		if err := h.close(); err != nil {
			n.t.Errorf("lab: %v", err)
		}
	}
	n.hosts = nil
	if n.switchboard != nil {
		n.switchboard.Close()
		n.switchboard = nil
	}
	n.wires.close()
}

func (n *Net) must(err error, doing string, args ...any) {
	n.t.Helper()
	if err != nil {
		n.t.Fatalf("lab: %s: %v", fmt.Sprintf(doing, args...), err)
	}
}

// prefix reads "10.0.0.5/24", or "10.0.0.5" as a /32.
func prefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

// address returns the netlink form of a prefix, usable at once even if IPv6.
func address(p netip.Prefix) *netlink.Addr {
	a := &netlink.Addr{IPNet: &net.IPNet{
		IP:   p.Addr().AsSlice(),
		Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
	}}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	return a
}
