package kernel

import (
	"maps"
	"strings"

	"keepc/compiler/state"
)

// Sysctls implements Kernel. The settings of IPv4 of interfaces that there are exist, and are "0" until they are set.
func (f *Fake) Sysctls(keys []state.SysctlKey) (map[state.SysctlKey]state.Sysctl, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("Sysctls"); err != nil {
		return nil, err
	}
	all := map[state.SysctlKey]state.Sysctl{}
	for _, k := range keys {
		dev, _, _ := strings.Cut(strings.TrimPrefix(k.File, "net/ipv4/conf/"), "/")
		if dev != "all" && f.link(dev) == nil {
			continue
		}
		all[k] = state.Sysctl{Value: "0"}
		if s, ok := f.sysctls[k]; ok {
			all[k] = s
		}
	}
	return all, nil
}

// SetSysctl implements Kernel.
func (f *Fake) SetSysctl(k state.SysctlKey, s state.Sysctl) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("SetSysctl"); err != nil {
		return err
	}
	f.sysctls[k] = state.Sysctl{Value: s.Value}
	return nil
}

// Tunnels implements Kernel.
func (f *Fake) Tunnels() (map[state.TunnelKey]state.Tunnel, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.tunnels), f.fault("Tunnels")
}

// AddTunnel implements Kernel.
func (f *Fake) AddTunnel(k state.TunnelKey, t state.Tunnel) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("AddTunnel"); err != nil {
		return err
	}
	if f.link(k.Dev) == nil {
		f.links = append(f.links, &fakeLink{Link: Link{Name: k.Dev, Index: len(f.links) + 1, Up: true}, wires: map[*fakeWire]struct{}{}})
	}
	f.tunnels[k] = state.Tunnel{Kind: t.Kind}
	return nil
}

// DeleteTunnel implements Kernel.
func (f *Fake) DeleteTunnel(k state.TunnelKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("DeleteTunnel"); err != nil {
		return err
	}
	delete(f.tunnels, k)
	return nil
}
