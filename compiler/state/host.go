package state

import "strings"

// SysctlKey is the name of a kernel setting, its file below /proc/sys: "net/ipv4/conf/all/arp_ignore".
type SysctlKey struct{ File string }

// String returns the name as sysctl(8) writes it: net.ipv4.conf.eth0/100.rp_filter is a setting of eth0.100.
func (k SysctlKey) String() string { return strings.NewReplacer("/", ".", ".", "/").Replace(k.File) }

// A Sysctl is a setting of the kernel.
type Sysctl struct {
	Value      string
	Provenance `json:"-"`
}

// Fields implements Object.
func (s Sysctl) Fields() []Field { return []Field{{"value", s.Value}} }

// TunnelKey is the name of an interface that decapsulates packets.
type TunnelKey struct{ Dev string }

func (k TunnelKey) String() string { return k.Dev }

// Kinds of Tunnel.
const (
	TunnelIPIP   = "ipip"   // IPv4 in IPv4
	TunnelIP6Tnl = "ip6tnl" // IPv6 in IPv6
)

// A Tunnel is an interface that decapsulates the packets of any sender, and is up.
type Tunnel struct {
	Kind       string
	Provenance `json:"-"`
}

// Fields implements Object.
func (t Tunnel) Fields() []Field { return []Field{{"kind", t.Kind}} }
