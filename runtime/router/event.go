// Package router is the part of a director that takes part in VRRP: its instances and what they track. Events go in;
// roles and effects come out. All it knows about virtual servers is which of them lost their quorum, and what is
// announced.
package router

import (
	"net/netip"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// An Event is something that happened to the director.
type Event interface{ event() }

// Tick says that the deadline has come. If packets or link changes are waiting, the shell must pass these first: one
// of them may be the advertisement that the deadline waits for. An interface without a LinkChanged before the first
// Tick is missing.
type Tick struct{}

// LinkChanged is the complete new state of an interface.
type LinkChanged struct {
	Name    string
	Present bool
	Up      bool
	Addrs   []netip.Addr // in the kernel's order
	// No VRRP socket of the family is open on it: an instance that cannot hear must not become MASTER.
	Deaf4, Deaf6 bool
	DeafAH       bool // to signed advertisements over IPv4
}

// deaf reports whether nothing for an instance can be heard.
func (l LinkChanged) deaf(v *ir.VRRPInstance) bool {
	switch {
	case v.IPv6():
		return l.Deaf6
	case v.Auth.Type == ir.AuthAH:
		return l.DeafAH
	}
	return l.Deaf4
}

// PacketReceived is a VRRP packet from the wire of an interface.
type PacketReceived struct {
	Interface string
	Src, Dst  netip.Addr
	TTL       int
	AH        bool   // the payload begins with an authentication header
	ID        uint16 // the identification of the IPv4 packet
	Payload   []byte
}

// Claimed says that a host with a foreign MAC address claims an address, by ARP or neighbour discovery.
type Claimed struct {
	Interface string // on which it was heard
	Addr      netip.Addr
	MAC       vrrp.MAC
	Count     uint64 // how often, since the last Claimed event about it
}

// ScriptDone is the result of a run that StartScript asked for: exactly one for each, after a timeout too.
type ScriptDone struct {
	ID    ScriptID
	Cause string // empty: exit status 0; otherwise why it failed, such as "exit status 1"
	// Inconclusive says why the run has no result, such as "start a script: too many open files": the script's state
	// stays. Empty: it has one.
	Inconclusive string
}

// Tracked is the complete new state of a track_file or vrrp_track_process. Interfaces, scripts and BFD sessions have
// separate events.
type Tracked struct {
	Thing  track.Thing
	Status track.Status
}

// Sessions lists all BFD sessions that are up, each time. The map must not change afterwards. A session that was never
// listed is down, as with keepalived 2.2.7: at the start its instances are in FAULT, or have the weight of a session
// that is down.
type Sessions struct{ Up map[track.Thing]bool }

// Quorum lists all services that lost their quorum, and the stages of all announced addresses, each time. The maps
// must not change afterwards.
type Quorum struct {
	Lost      map[ir.ServiceKey]bool
	Announced map[netip.Addr]state.Announcement
}

// Speak makes every MASTER advertise at once, as keepalived's do before they reload: backups have then just heard of
// it, however long the reload takes.
type Speak struct{}

// Swap puts the configuration from Prepare into force: what did not change keeps its role and timers.
type Swap struct{ Next *Next }

// Stop ends everything: priority 0 is sent, and nothing of ours should exist.
type Stop struct{}

func (Tick) event()           {}
func (LinkChanged) event()    {}
func (PacketReceived) event() {}
func (Claimed) event()        {}
func (ScriptDone) event()     {}
func (Tracked) event()        {}
func (Sessions) event()       {}
func (Quorum) event()         {}
func (Speak) event()          {}
func (Swap) event()           {}
func (Stop) event()           {}
