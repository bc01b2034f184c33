package main

import (
	"io/fs"
	"net"
	"net/netip"
	"os/user"
	"strings"
)

// facts are those of this machine, for the rules that want them.
type facts struct{ *App }

// Networks implements lint.Host.
func (facts) Networks(name string) ([]netip.Prefix, bool) {
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

// User implements lint.Host.
func (facts) User(name string) bool {
	_, err := user.Lookup(name)
	return err == nil
}

// Mode implements lint.Host.
func (f facts) Mode(path string) (fs.FileMode, bool) {
	info, err := fs.Stat(f.FS, strings.TrimPrefix(f.below(path), "/"))
	if err != nil {
		return 0, false
	}
	return info.Mode(), true
}
