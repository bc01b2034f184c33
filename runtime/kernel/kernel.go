// Package kernel is the only access to the machine's network: small interfaces for each kind of object, their Linux
// implementation, and a fake that can fail. Every verb is idempotent: adding what exists and deleting what is absent
// are not errors.
package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// Errors that callers distinguish with errors.Is.
var (
	// ErrNoIPVS: the kernel has no ip_vs.
	ErrNoIPVS = errors.New("the kernel has no ip_vs")
	// ErrNoFirewall: the kernel has no nf_tables.
	ErrNoFirewall = errors.New("the kernel has no nf_tables")
	// ErrPermission: a capability is missing; the message names it.
	ErrPermission = errors.New("not permitted")
	// ErrNoInterface: there is no such interface.
	ErrNoInterface = errors.New("no such interface")
	// ErrUnreachable: the gateway of a route is on none of this host's networks.
	ErrUnreachable = errors.New("the gateway cannot be reached")
)

// A Link is an interface as VRRP sees it.
type Link struct {
	Name     string
	Index    int  // 0: the interface is gone
	Up       bool // administratively up, with carrier (IFF_UP and IFF_RUNNING)
	Loopback bool
	NoARP    bool // there are no neighbours to tell of addresses (IFF_NOARP)
	MTU      int
	HWAddr   [6]byte      // zero if the link has no Ethernet address
	Addrs    []netip.Addr // in the kernel's order; without those that may not be used yet (duplicate address detection)
}

// Links watches interfaces.
type Links interface {
	// Links lists the interfaces now.
	Links() ([]Link, error)
	// WatchLinks sends the complete new state of a link after each change of the link or its addresses, until ctx
	// ends; then it closes the channel. A lost netlink message leads to a new listing, never to silence.
	WatchLinks(ctx context.Context) (<-chan Link, error)
	// WatchRouting calls lost, until ctx ends, when a route or rule with the mark of keepalived and keepc was deleted,
	// by anyone, and when messages about that were lost. Other routes, which may change all the time, cause no call.
	WatchRouting(ctx context.Context, lost func()) error
}

// A Wire carries the advertisements of one interface and family.
type Wire interface {
	// Send sends a payload (without IP header) from src to dst with this TTL and TOS 0xC0. TTL 0: the kernel's
	// default, IPv6 only. With an authentication header, the identification of the packet is the low half of its
	// sequence number, which the signature covers. It never blocks.
	Send(src, dst netip.Addr, ttl uint8, payload []byte) error
	// Arm prepares a datagram that Send would send now. Errors: errors.ErrUnsupported if there are no datagrams.
	Arm(d *Datagram, src, dst netip.Addr, ttl uint8, payload []byte) error
	// Receive passes the packets that have arrived to take, up to a maximum, and reports whether there may be more. A
	// payload is valid until take returns. It never blocks. Errors: io.EOF after Close; any other means that this wire no
	// longer receives anything.
	Receive(most int, take func(Packet)) (more bool, err error)
	// Accept makes the kernel drop what is not for one of these virtual routers, so that a flood of foreign
	// advertisements costs nothing; a later call replaces the set. Unless from is zero, it also drops what a different
	// MAC address sent. A new wire accepts everything. What is dropped is not counted anywhere: with log_unknown_vrids
	// wires accept everything.
	Accept(vrids []uint8, from [6]byte) error
	// Room enlarges the receive buffer to that many bytes, unless it is larger already.
	Room(bytes int)
	// Join makes the wire a member of these multicast groups only. It receives what is sent to the host itself anyway.
	Join(groups []netip.Addr) error
	Close() error
}

// A Bell wakes a loop that sleeps on it.
type Bell interface {
	// Ring wakes the loop, from any goroutine. It never blocks.
	Ring()
	// Watch wakes the loop as long as the descriptor is readable, until it is closed.
	Watch(fd int) error
}

// A Carrier is what advertisements are carried in.
type Carrier uint8

const (
	IPv4 Carrier = iota
	IPv6
	AH // IPv4 with an authentication header, with which the payload begins
)

// A Packet is a received VRRP packet.
type Packet struct {
	Interface string
	Src, Dst  netip.Addr
	TTL       int
	AH        bool   // the payload begins with an authentication header
	ID        uint16 // the identification of the IPv4 packet
	Payload   []byte // without IP header
}

// Wires opens wires.
type Wires interface {
	// OpenWire opens a wire on the interface, in no group yet. The bell rings while a packet waits for Receive; nil:
	// nothing sleeps. Errors: ErrNoInterface, ErrPermission.
	OpenWire(iface string, c Carrier, bell Bell) (Wire, error)
	// OpenVirtual is OpenWire for a virtual interface: it sends from addresses that the interface need not have.
	OpenVirtual(iface string, c Carrier, bell Bell) (Wire, error)
}

// Neighbours tells the neighbours on a link where an address is, and receives what they claim about it.
type Neighbours interface {
	// Announce sends one gratuitous ARP request (IPv4) or unsolicited neighbour advertisement (IPv6) for the address.
	Announce(iface string, addr netip.Addr) error
	// WatchClaims calls told, until ctx ends, when a host whose MAC address is on no interface here claims one of the
	// addresses set by about, by ARP or neighbour discovery. Initially there are no addresses. If many claims come
	// before told returns, some are lost. Errors: ErrPermission.
	WatchClaims(ctx context.Context, told func(Claim)) (about func([]netip.Addr), err error)
}

// A Claim is a host's claim of an address.
type Claim struct {
	Interface string // on which it was received
	Addr      netip.Addr
	MAC       [6]byte
}

// Balancing reports the load of real servers.
type Balancing interface {
	// Connections counts the connections of the real servers of a service. A service that does not exist has none.
	// Errors: ErrNoIPVS, ErrPermission.
	Connections(ir.ServiceKey) (map[netip.AddrPort]Connections, error)
	// Traffic counts what has passed through services and real servers since they were added to the table. It takes an
	// exchange with the kernel for each service; with an error it returns what it had read by then. Errors: ErrNoIPVS,
	// ErrPermission, that of ctx.
	Traffic(ctx context.Context) (Traffics, error)
}

// Traffics is what has passed through all services of a table, and through their real servers.
type Traffics struct {
	Services map[ir.ServiceKey]Traffic
	Servers  map[state.DestinationKey]Traffic
}

// Traffic is what IPVS counts. Answers are counted only with NAT: otherwise they do not pass through it.
type Traffic struct {
	Connections           uint64
	PacketsIn, PacketsOut uint64
	BytesIn, BytesOut     uint64
}

// Connections are those that the kernel remembers for a real server.
type Connections struct {
	Active     uint32 // established
	Inactive   uint32 // in any other state
	Persistent uint32 // templates of clients that return to this server
}

// Kernel is all of the above.
type Kernel interface {
	Objects
	Balancing
	Links
	Wires
	Neighbours
	Sessions
	Close() error
}

// same reports whether the kernel would hold both in the same way.
func same(a, b state.Address) bool {
	return a.Label == b.Label && a.Scope == b.Scope && a.Broadcast == b.Broadcast && a.Peer == b.Peer && a.Flags == b.Flags && a.Astray == b.Astray
}

// vridOf returns the VRID of an advertisement of either version.
func vridOf(payload []byte) uint8 {
	if len(payload) < 2 {
		return 0
	}
	return payload[1]
}

// signedID returns the identification of an IPv4 packet whose payload begins with an authentication header: the low
// half of the sequence number, RFC 2402 section 2.
func signedID(payload []byte) uint16 {
	if len(payload) < 12 {
		return 0
	}
	return binary.BigEndian.Uint16(payload[10:])
}
