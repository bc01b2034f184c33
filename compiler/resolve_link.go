package compiler

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"keepc/compiler/ir"
)

// resolveLinks decides which virtual interfaces instances make, and which addresses are on them. Names that the file
// does not give consist of a prefix and the VRID, with a number if that is taken, in file order.
func resolveLinks(cfg *ir.Config) {
	names := linkNames{}
	for _, v := range cfg.Instances {
		names[v.Interface] = true
	}
	for _, v := range cfg.Instances { // those of the file first
		if usable := len(v.VMAC.Name) <= maxLinkName && !strings.Contains(v.VMAC.Name, "/"); v.UseVMAC && usable && v.VMAC.Name != "" && !names[v.VMAC.Name] {
			names[v.VMAC.Name], v.Link = true, v.VMAC.Name
		}
	}
	for _, v := range cfg.Instances {
		names.resolve(v, &cfg.Global)
	}
}

// maxLinkName is the maximum length of an interface name in bytes (linux/if.h).
const maxLinkName = 15

// linkNames are names that are taken.
type linkNames map[string]bool

// free makes up a name.
func (n linkNames) free(prefix string, vrid uint8) string {
	name := fmt.Sprintf("%s.%d", prefix, vrid)
	for i := 1; n[name]; i++ {
		name = fmt.Sprintf("%s%d.%d", prefix, i, vrid)
	}
	n[name] = true
	return name
}

func (n linkNames) resolve(v *ir.VRRPInstance, g *ir.Global) {
	on := map[string]int{} // indexes into Links by the interface below
	add := func(name, base string) {
		on[base] = len(v.Links)
		v.Links = append(v.Links, ir.VirtualLink{Name: name, Base: base, MAC: virtualMAC(v), IPv6: v.IPv6(), Group: v.VMAC.Group.N})
	}
	if v.UseVMAC {
		if v.Link == "" {
			v.Link = n.free(cmp.Or(g.VMACPrefix, defaultLinkPrefix), v.VRID)
		}
		add(v.Link, v.Interface)
	}
	for i := range v.Addresses {
		a := &v.Addresses[i]
		own, ipv6 := a.Dev == v.Interface, a.Prefix.Addr().Is6()
		if !a.UseVMAC && (own && !v.UseVMAC || own && ipv6 != v.IPv6() || !own && !v.UseVMACAddr) {
			continue
		}
		if _, made := on[a.Dev]; !made {
			add(n.free(cmp.Or(g.VMACAddrPrefix, defaultLinkPrefix), v.VRID), a.Dev)
		}
		link := &v.Links[on[a.Dev]]
		a.Link, link.IPv6 = link.Name, link.IPv6 || ipv6
	}
}

// defaultLinkPrefix is the prefix of made-up names.
const defaultLinkPrefix = "vrrp"

// virtualMAC is the MAC address of a virtual router: that of RFC 9568 section 7.3, or that of the file, whose last
// byte may be left to the VRID.
func virtualMAC(v *ir.VRRPInstance) (mac [6]byte) {
	mac = [6]byte{0, 0, 0x5e, 0, 1, v.VRID}
	if v.IPv6() {
		mac[4] = 2
	}
	for i, pair := range strings.Split(v.VMAC.MAC, ":") {
		if b, err := strconv.ParseUint(pair, 16, 8); err == nil && i < len(mac) {
			mac[i] = byte(b)
		}
	}
	return mac
}
