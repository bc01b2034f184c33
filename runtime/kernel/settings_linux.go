package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"keepc/compiler/state"
)

// sysctls reads the settings that the kernel has. There is no list of all settings.
func (l *Linux) sysctls(_ state.State, keys iter.Seq[state.SysctlKey]) (map[state.SysctlKey]state.Sysctl, error) {
	all := map[state.SysctlKey]state.Sysctl{}
	if keys == nil {
		return all, nil
	}
	for k := range keys {
		value, err := os.ReadFile(sysctlFile(k))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", k, err)
		}
		all[k] = state.Sysctl{Value: strings.TrimSpace(string(value))}
	}
	return all, nil
}

func sysctlFile(k state.SysctlKey) string {
	return filepath.Join("/proc/sys", filepath.Clean("/"+k.File))
}

func (l *Linux) setSysctl(k state.SysctlKey, s state.Sysctl) error {
	if err := os.WriteFile(sysctlFile(k), []byte(s.Value+"\n"), 0o644); err != nil {
		return fmt.Errorf("set %s: %w", k, permission(err, netAdmin))
	}
	return nil
}

// tunnels lists the tunnels that decapsulate the packets of any sender and are up.
func (l *Linux) tunnels(state.State, iter.Seq[state.TunnelKey]) (map[state.TunnelKey]state.Tunnel, error) {
	links, err := dump(l.routes.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	all := map[state.TunnelKey]state.Tunnel{}
	for _, i := range links {
		if i.Attrs().Flags&unix.IFF_UP != 0 && open(i) {
			all[state.TunnelKey{Dev: i.Attrs().Name}] = state.Tunnel{Kind: i.Type()}
		}
	}
	return all, nil
}

// open reports whether a link is a tunnel for the packets of any sender.
func open(l netlink.Link) bool {
	switch t := l.(type) {
	case *netlink.Iptun:
		return (t.Local == nil || t.Local.IsUnspecified()) && (t.Remote == nil || t.Remote.IsUnspecified())
	case *netlink.Ip6tnl:
		return (t.Local == nil || t.Local.IsUnspecified()) && (t.Remote == nil || t.Remote.IsUnspecified())
	}
	return false
}

// setTunnel brings the tunnel up, and makes it if there is none with that name. Asking for a tunnel loads its module,
// which makes one by itself: that one is used.
func (l *Linux) setTunnel(k state.TunnelKey, t state.Tunnel) error {
	attrs := netlink.LinkAttrs{Name: k.Dev}
	var link netlink.Link = &netlink.Iptun{LinkAttrs: attrs}
	if t.Kind == state.TunnelIP6Tnl {
		link = &netlink.Ip6tnl{LinkAttrs: attrs}
	}
	if err := l.routes.LinkAdd(link); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make tunnel %s: %w", k, permission(err, netAdmin))
	}
	if err := l.flag(k.Dev, l.routes.LinkSetUp); err != nil {
		return fmt.Errorf("bring tunnel %s up: %w", k, err)
	}
	return nil
}

// deleteTunnel brings the tunnel down. It stays, because most kernels keep the one that their module makes.
func (l *Linux) deleteTunnel(k state.TunnelKey) error {
	if err := l.flag(k.Dev, l.routes.LinkSetDown); err != nil && !errors.Is(err, ErrNoInterface) {
		return fmt.Errorf("take tunnel %s down: %w", k, err)
	}
	return nil
}

// flag changes a link by name.
func (l *Linux) flag(name string, set func(netlink.Link) error) error {
	link, err := l.link(name)
	if err != nil {
		return err
	}
	return permission(set(&netlink.Device{LinkAttrs: *link}), netAdmin)
}
