package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// runLimit is how long a command of Run or Try may take.
const runLimit = time.Minute

// A Host is a machine of the network.
type Host struct {
	t       T
	name    string
	dir     string
	ns      *namespace
	netlink *netlink.Handle
	links   map[string]*Link
	files   int        // logs and captures named so far
	running []*Process // every process ever started, oldest first
	undo    []func()
}

// Name returns the host's name, which is also its host name in the UTS namespace.
func (h *Host) Name() string { return h.name }

// Dir returns a directory of the host, below the test's temporary one. It is the working directory and the TMPDIR of
// the host's processes.
func (h *Host) Dir() string { return h.dir }

// Do runs f on a thread inside the host and returns f's error. Sockets that f opens belong to the host permanently and
// may be used anywhere; goroutines that f starts run outside. Do may be called from any goroutine.
func (h *Host) Do(f func() error) error { return h.ns.do(f) }

// Netlink returns a netlink handle inside the host, closed with the network.
func (h *Host) Netlink() *netlink.Handle { return h.netlink }

// Sysctl sets a kernel variable of the host: Sysctl("net.ipv4.ip_forward", "1").
func (h *Host) Sysctl(key, value string) {
	h.t.Helper()
	h.must(h.ns.sysctl(key, value), "set "+key)
}

// Link returns the host's interface with that name, as plugged by [Net.Host].
func (h *Host) Link(name string) *Link {
	h.t.Helper()
	l, ok := h.links[name]
	if !ok {
		h.t.Fatalf("lab: %s has no cable called %s", h.name, name)
	}
	return l
}

// AddAddr adds an address, "10.0.0.3/24" or "10.0.0.3" for a /32, to an
// interface of the host.
func (h *Host) AddAddr(link, addr string) {
	h.t.Helper()
	h.must(h.changeAddr(h.netlink.AddrAdd, link, addr), "add "+addr+" to "+link)
}

// DelAddr removes an address from an interface of the host.
func (h *Host) DelAddr(link, addr string) {
	h.t.Helper()
	h.must(h.changeAddr(h.netlink.AddrDel, link, addr), "take "+addr+" from "+link)
}

func (h *Host) changeAddr(change func(netlink.Link, *netlink.Addr) error, link, addr string) error {
	p, err := prefix(addr)
	if err != nil {
		return err
	}
	l, err := h.netlink.LinkByName(link)
	if err != nil {
		return err
	}
	return change(l, address(p))
}

// Addrs lists the addresses of an interface of the host, or of all its interfaces if the name is empty.
func (h *Host) Addrs(link string) []netip.Prefix {
	h.t.Helper()
	var of netlink.Link
	if link != "" {
		var err error
		of, err = h.netlink.LinkByName(link)
		h.must(err, "find "+link)
	}
	addrs, err := h.netlink.AddrList(of, unix.AF_UNSPEC)
	h.must(err, "list addresses")
	var list []netip.Prefix
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		ones, _ := a.Mask.Size()
		if ok {
			list = append(list, netip.PrefixFrom(ip.Unmap(), ones))
		}
	}
	return list
}

// HasAddr reports whether an interface of the host has the address.
func (h *Host) HasAddr(addr netip.Addr) bool {
	h.t.Helper()
	return slices.ContainsFunc(h.Addrs(""), func(p netip.Prefix) bool { return p.Addr() == addr })
}

// Run runs a command on the host and returns what it printed to both outputs. A command that fails ends the test;
// [Host.Try] does not.
func (h *Host) Run(name string, args ...string) string {
	h.t.Helper()
	out, err := h.Try(name, args...)
	if err != nil {
		h.t.Fatalf("lab: %v", err)
	}
	return out
}

// Try runs a command on the host and returns what it printed to both outputs. The error names host and command and
// ends with the output. Try may be called from any goroutine.
func (h *Host) Try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience(runLimit))
	defer cancel()
	cmd := h.command(exec.CommandContext(ctx, name, args...))
	cmd.WaitDelay = Patience(5 * time.Second) // for children that keep the pipe open, and for a machine that is busy
	var out []byte
	err := h.Do(func() (err error) {
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		return string(out), fmt.Errorf("%s: %s: %w\n%s", h.name, strings.Join(cmd.Args, " "), err, out)
	}
	return string(out), nil
}

// Dial connects from the host. It may be called from any goroutine.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var conn net.Conn
	err := h.Do(func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen listens on the host. It may be called from any goroutine.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	var l net.Listener
	err := h.Do(func() (err error) {
		l, err = net.Listen(network, address)
		return err
	})
	return l, err
}

// HTTPGet fetches a URL, whose host is an IP address, from the host, over a new connection. It may be called from any
// goroutine.
func (h *Host) HTTPGet(ctx context.Context, url string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", h.name, err)
	}
	client := http.Client{Transport: &http.Transport{DialContext: h.Dial, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", h.name, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, string(b), fmt.Errorf("%s: read %s: %w", h.name, url, err)
	}
	return resp.StatusCode, string(b), nil
}

// Serve answers HTTP on an address of the host until stop is called or the network is closed. It replaces a web server
// where nginx would show nothing more.
func (h *Host) Serve(address string, handler http.Handler) (stop func()) {
	h.t.Helper()
	l, err := h.Listen("tcp", address)
	h.must(err, "serve "+address)
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // ends with Close
	}()
	stop = func() {
		_ = server.Close()
		<-done
	}
	h.undo = append(h.undo, stop)
	return stop
}

// close ends the host's processes first, so that nothing that follows makes them log surprising lines.
func (h *Host) close() error {
	for _, p := range h.running {
		p.end()
	}
	err := h.ns.kill()
	for _, f := range h.undo {
		f()
	}
	if h.netlink != nil {
		h.netlink.Close()
	}
	h.ns.close()
	return err
}

func (h *Host) must(err error, doing string) {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("lab: %s: %s: %v", h.name, doing, err)
	}
}
