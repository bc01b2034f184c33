package vrrp

import (
	"net/netip"

	"keepc/compiler/ir"
)

// An Event is something that happened to a virtual router.
type Event interface{ event() }

// Tick says that the deadline has come.
type Tick struct{}

// Ready says that the interface works, and which address advertisements come from. The first one starts the router;
// after a Fault it starts again.
type Ready struct {
	Source netip.Addr
	Held   bool // its sync group listens first: then even an owner does
	Here   bool // its addresses are on this host, left by a director that was MASTER: the first start continues from there
}

// Fault says that the router cannot work, for example "eth0 is down".
type Fault struct{ Reason string }

// Received is an advertisement for this virtual router from another router.
type Received struct {
	Src, Dst netip.Addr
	TTL      int
	AH       bool   // the payload begins with an authentication header
	ID       uint16 // the identification of the IPv4 packet: a signature covers it, and masters count it up
	Payload  []byte // of the IP packet
}

// Claimed says that a host with a foreign MAC address claims an address, by ARP or neighbour discovery.
type Claimed struct {
	Addr  netip.Addr
	MAC   MAC
	Count uint64 // how often, since the last Claimed event about it
}

// Reprioritize sets the effective priority, which trackers change. Nothing happens at once: the next advertisement
// carries it, and the next one that is heard is compared with it.
type Reprioritize struct{ Priority uint8 }

// Reconfigure sets a new configuration for the same virtual router. It keeps role and timers; the effective priority
// stays, unless that of the configuration changes.
type Reconfigure struct{ Config *ir.VRRPInstance }

// Speak makes a MASTER advertise at once; the next advertisement comes an interval later.
type Speak struct{}

// Lead makes a router that was Elected MASTER: all routers of its sync group are.
type Lead struct{}

// Follow makes a MASTER a BACKUP, because another router of its sync group is: without priority 0, as for a better
// master.
type Follow struct{ Reason string }

// Stop ends the router.
type Stop struct{ Reason string }

func (Tick) event()         {}
func (Ready) event()        {}
func (Fault) event()        {}
func (Received) event()     {}
func (Claimed) event()      {}
func (Reprioritize) event() {}
func (Reconfigure) event()  {}
func (Speak) event()        {}
func (Lead) event()         {}
func (Follow) event()       {}
func (Stop) event()         {}

// An Effect is something to do once, in order.
type Effect interface{ effect() }

// Send sends an advertisement to the group, or to one peer. As long as its content does not change, it is the same
// Send, which is marshalled once.
type Send struct {
	Src, Dst netip.Addr
	TTL      uint8  // 0: the kernel's default
	AH       bool   // the payload begins with an authentication header
	ID       uint16 // the identification of the IP packet, which the signature covers; 0: any
	Payload  []byte // of the IP packet
}

// Become reports a transition.
type Become struct {
	Role   Role
	Reason Reason
}

// Elected says that a router of a sync group would be MASTER, and leaves that to the group: it remains BACKUP until
// Lead.
type Elected struct{}

// Contested says that a MASTER heard a lower priority. Adverts that come together share one.
type Contested struct{}

// Announce tells the neighbours where addresses are now: with a number of gratuitous ARPs or neighbour advertisements
// for each.
type Announce struct {
	Addresses []ir.Address
	Repeat    int
}

func (*Send) effect()     {}
func (Become) effect()    {}
func (Elected) effect()   {}
func (Contested) effect() {}
func (Announce) effect()  {}
func (Note) effect()      {}

// A Role is the role of a virtual router.
type Role uint8

const (
	Init    Role = iota // not Ready yet
	Backup              // listens
	Master              // holds the addresses; "Active" in RFC 9568
	Faulty              // something that it needs does not work
	Stopped             // permanently
)

func (r Role) String() string { return [...]string{"INIT", "BACKUP", "MASTER", "FAULT", "STOP"}[r] }
