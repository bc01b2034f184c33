package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"syscall"
	"time"

	"keepc/compiler/facts"
	"keepc/compiler/lint"
	"keepc/runtime/kernel"
)

// thisHost answers the rules' questions about this machine.
type thisHost struct{ *App }

// Networks implements lint.Host.
func (thisHost) Networks(name string) ([]netip.Prefix, bool) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil, false
	}
	addrs, err := link.Addrs()
	if err != nil {
		return nil, true
	}
	var networks []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			networks = append(networks, p)
		}
	}
	return networks, true
}

// Holds implements lint.Host.
func (thisHost) Holds(addr netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == addr {
			return true
		}
	}
	return false
}

// User implements lint.Host.
func (thisHost) User(name string) bool {
	_, err := user.Lookup(name)
	return err == nil
}

// Mode implements lint.Host.
func (t thisHost) Mode(path string) (fs.FileMode, bool) {
	info, err := fs.Stat(t.FS, inFS(t.below(path)))
	if err != nil {
		return 0, false
	}
	return info.Mode(), true
}

// Owner implements lint.Host.
func (t thisHost) Owner(path string) (uid, gid uint32) {
	info, err := fs.Stat(t.FS, inFS(t.below(path)))
	if err != nil {
		return 0, 0
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Uid, stat.Gid
	}
	return 0, 0
}

// A noting is this host; what the rules ask about it becomes facts.
type noting struct {
	thisHost
	host *facts.Host
}

var _ lint.Host = noting{}

// User implements lint.Host.
func (n noting) User(name string) bool {
	here := n.thisHost.User(name)
	if here {
		n.host.AddUser(name)
	}
	return here
}

// Mode implements lint.Host.
func (n noting) Mode(path string) (fs.FileMode, bool) {
	mode, here := n.thisHost.Mode(path)
	uid, gid := n.thisHost.Owner(path)
	n.host.AddFile(n.abs(path), mode, uid, gid, here)
	return mode, here
}

// readFacts reads the facts of a host from a file.
func (a *App) readFacts(name string) (*facts.Host, error) {
	text, err := a.readAny(name)
	if err != nil {
		return nil, err
	}
	host, err := facts.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return host, nil
}

// observe reads the network of this host. Reading virtual servers needs CAP_NET_ADMIN; without it the rest is
// returned.
func observe(k kernel.Kernel) (*facts.Host, error) {
	links, err := k.Links()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	have, ipvs, err := kernel.Observe(k)
	if err != nil {
		return nil, fmt.Errorf("read the kernel's state: %w", err)
	}
	host := &facts.Host{Version: facts.Version, IPVS: facts.Read, Users: []string{}, Files: []facts.File{}, Sysctls: map[string]string{}}
	switch {
	case errors.Is(ipvs, kernel.ErrNoIPVS):
		host.IPVS = facts.Absent
	case ipvs != nil:
		host.IPVS = facts.Denied
	}
	for _, l := range links {
		link := facts.Link{Name: l.Name, Up: l.Up, MTU: l.MTU}
		if l.HWAddr != [6]byte{} {
			link.MAC = net.HardwareAddr(l.HWAddr[:]).String()
		}
		host.Links = append(host.Links, link)
	}
	host.SetState(have)
	return host, nil
}

// describe adds the facts that are not about the network: the machine, what is installed, its users and settings.
func (a *App) describe(host *facts.Host) {
	host.Name, _ = os.Hostname() // without a name it stays empty
	host.Kernel = a.line("proc/sys/kernel/osrelease")
	host.Keepalived = keepalivedVersion()
	if passwd, err := fs.ReadFile(a.FS, "etc/passwd"); err == nil {
		host.Users = facts.Users(passwd)
	}
	for _, pattern := range sysctls() {
		names, _ := fs.Glob(a.FS, "proc/sys/"+pattern) // the patterns are valid
		for _, name := range names {
			if value := a.line(name); value != "" {
				host.Sysctls[sysctlName(name)] = value
			}
		}
	}
}

// line returns the text of a small file; empty if it cannot be read.
func (a *App) line(name string) string {
	text, err := fs.ReadFile(a.FS, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// sysctls are the settings that VRRP, IPVS and real servers depend on.
func sysctls() []string {
	return []string{
		"net/ipv4/ip_forward", "net/ipv4/ip_nonlocal_bind", "net/ipv6/ip_nonlocal_bind", "net/ipv6/conf/all/forwarding", "net/ipv6/conf/*/disable_ipv6",
		"net/ipv4/conf/*/arp_ignore", "net/ipv4/conf/*/arp_announce", "net/ipv4/conf/*/arp_filter", "net/ipv4/conf/*/rp_filter",
		"net/ipv4/conf/*/accept_local", "net/ipv4/conf/*/promote_secondaries", "net/ipv4/igmp_link_local_mcast_reports", "net/ipv4/vs/*",
	}
}

// sysctlName formats a file below /proc/sys as sysctl(8) does: net.ipv4.conf.eth0/100.rp_filter is a setting of
// eth0.100.
func sysctlName(file string) string {
	return strings.NewReplacer("/", ".", ".", "/").Replace(strings.TrimPrefix(file, "proc/sys/"))
}

// keepalivedVersion returns the version of the keepalived in the PATH, or where packages put it; empty: there is none
// that works.
func keepalivedVersion() string {
	program, err := exec.LookPath("keepalived")
	if err != nil {
		program = "/usr/sbin/keepalived"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, program, "--version").CombinedOutput() // no keepalived, no version
	return facts.KeepalivedVersion(string(out))
}
