package ir

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"
)

// Protocol of a virtual server, as IP numbers it.
type Protocol uint8

const (
	TCP  Protocol = 6
	UDP  Protocol = 17
	SCTP Protocol = 132
)

func (p Protocol) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	}
	return "none"
}

// Forwarding is the forwarding method (lb_kind).
type Forwarding uint8

const (
	NAT Forwarding = iota
	DR
	TUN
	Unsaid // the file does not say; compiler.Load leaves none behind
)

func (f Forwarding) String() string { return [...]string{"masq", "route", "tunnel", "not said"}[f] }

// A Method is how packets reach a real server (lb_kind, lvs_method).
type Method struct {
	Forwarding Forwarding `json:"lvs_method"`
	Tunnel     Tunnel     // of TUN
}

// A Tunnel is what packets are encapsulated in.
type Tunnel struct {
	Type     TunnelType
	Checksum TunnelChecksum
	Port     uint16 // of gue
}

// String is what a file has after TUN.
func (t Tunnel) String() string {
	text := "type " + t.Type.String()
	if t.Port != 0 {
		text += fmt.Sprint(" port ", t.Port)
	}
	if t.Checksum != NoChecksum {
		text += " " + t.Checksum.String()
	}
	return text
}

// TunnelType is the kind of a tunnel, as the kernel numbers it (linux/ip_vs.h).
type TunnelType uint8

const (
	IPIP TunnelType = iota
	GUE
	GRE
)

func (t TunnelType) String() string { return [...]string{"ipip", "gue", "gre"}[t] }

// TunnelChecksum is the checksum in a gue or gre tunnel.
type TunnelChecksum uint8

const (
	NoChecksum TunnelChecksum = iota
	Checksum
	RemoteChecksum
)

func (c TunnelChecksum) String() string { return [...]string{"nocsum", "csum", "remcsum"}[c] }

// Timeouts are how long IPVS remembers idle connections (lvs_timeouts). 0: the kernel's value.
type Timeouts struct {
	TCP    time.Duration
	TCPFin time.Duration // of TCP connections that are closing
	UDP    time.Duration
}

// Family is a family of addresses that the file states.
type Family uint8

const (
	AnyFamily Family = iota
	IPv4
	IPv6
)

func (f Family) String() string { return [...]string{"any", "inet", "inet6"}[f] }

// A ServiceKey identifies a virtual server as the kernel does: protocol, address and port; or a firewall mark with its family.
type ServiceKey struct {
	Protocol Protocol
	Addr     netip.Addr // zero for a firewall mark
	Port     uint16
	FWMark   uint32 `json:"fwmark"`
	IPv6     bool   `json:"ipv6"` // the family of a firewall mark
}

// Compare orders services by protocol, address and port; firewall marks come last.
func (k ServiceKey) Compare(o ServiceKey) int {
	family := 0
	switch {
	case k.IPv6 && !o.IPv6:
		family = 1
	case o.IPv6 && !k.IPv6:
		family = -1
	}
	return cmp.Or(cmp.Compare(k.FWMark, o.FWMark), cmp.Compare(k.Protocol, o.Protocol), family, k.Addr.Compare(o.Addr), cmp.Compare(k.Port, o.Port))
}

// Is6 reports whether clients reach the service by IPv6.
func (k ServiceKey) Is6() bool { return k.IPv6 || k.Addr.Is6() }

func (k ServiceKey) String() string {
	if k.FWMark != 0 {
		family := ""
		if k.IPv6 {
			family = " inet6"
		}
		return "fwmark " + utoa(k.FWMark) + family
	}
	return k.Protocol.String() + " " + netip.AddrPortFrom(k.Addr, k.Port).String()
}

func utoa(n uint32) string {
	var b [10]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}

// A VirtualServer is one virtual service with its real servers (man page block virtual_server).
type VirtualServer struct {
	Origin
	Key       ServiceKey `json:",inline"`
	Group     string     // the virtual_server_group that Key comes from
	Follows   bool       `json:"-"` // it is not the first of Group; findings are about the first
	Family    Family     `json:"-"` // ip_family, which Key follows
	Scheduler string     `json:"lvs_sched"`
	Method
	Flags              uint32        // scheduler flags and one-packet scheduling, kernel bits
	PersistenceTimeout time.Duration // 0: not persistent
	PersistenceMask    ClientMask
	PersistenceEngine  string
	Quorum             uint32
	Hysteresis         uint32
	Alpha              bool
	Omega              bool
	HASuspend          bool `json:"ha_suspend"`
	SorryServer        *RealServer
	SorryInhibit       bool
	RealServers        []*RealServer `json:"real_server"`
	Weight             int           // of real servers without a weight
	Checks             CheckTiming   `json:"-"` // of checks without a setting of their own
	InhibitOnFailure   bool
	VirtualHost        string   `json:"virtualhost"`
	QuorumUp           *Command // run when the quorum is won
	QuorumDown         *Command // run when it is lost
	QuorumAddress      *Address `json:"-"`          // the address that these two commands add and remove, if they do nothing else; nil: they are scripts
	SMTPAlert          bool     `json:"smtp_alert"` // mail when the quorum is won or lost
	SNMPName           string   `json:"snmp_name"`
}

// A ServerGroup is a virtual_server_group: services that share real servers.
type ServerGroup struct {
	Origin
	Name    string
	Members []GroupMember
}

// MaxGroupServices is the number of services that the groups of a file can make; lint reports a file that asks for
// more.
const MaxGroupServices = 1 << 16

// MaxGroupServers is the number of real servers that one group can make, counted in each of its services.
const MaxGroupServers = 1 << 20

// A GroupMember is one line of a virtual_server_group.
type GroupMember struct {
	Origin
	First, Last netip.Addr // equal for a single address; zero for a firewall mark
	Port        uint16
	FWMark      uint32 `json:"fwmark"`
	IPv6        bool   `json:"ipv6"` // the family of a firewall mark
}

// A RealServer receives a share of the traffic (man page block real_server).
type RealServer struct {
	Origin
	Addr netip.AddrPort
	Port uint16 // as in the file; only with NAT can it differ from the service's
	Method
	Weight           int
	UpperThreshold   uint32 `json:"uthreshold"` // connections; 0: no limit
	LowerThreshold   uint32 `json:"lthreshold"`
	InhibitOnFailure bool   // weight 0 instead of removal
	Alpha            bool
	SMTPAlert        bool `json:"smtp_alert"` // mail when it comes or goes
	Checks           []*Check
	NotRun           []*Check    `json:"-"` // checks that MapCommands has removed
	Timing           CheckTiming `json:"-"` // of its checks without a setting of their own
	VirtualHost      string      `json:"virtualhost"`
	NotifyUp         *Command
	NotifyDown       *Command
	SNMPName         string `json:"snmp_name"`
}
