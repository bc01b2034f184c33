// Package router is the part of a director that takes part in VRRP: its instances and what they track. Events go in; roles and effects
// come out. It knows nothing of virtual servers but which of them lost their quorum, and what is announced.
package router

import (
	"net/netip"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// An Event is something that happened to the director.
type Event interface{ event() }

// Tick tells that the deadline has come. A shell that has packets or link changes at hand as well gives these first: one of them
// may be the advertisement that the deadline misses. An interface that no LinkChanged has told of by the first Tick is missing.
type Tick struct{}

// LinkChanged tells the whole new state of an interface.
type LinkChanged struct {
	Name    string
	Present bool
	Up      bool
	Addrs   []netip.Addr // in the kernel's order
	// No VRRP socket of the family is open on it: who cannot hear must not become MASTER.
	Deaf4, Deaf6 bool
	DeafAH       bool // to signed advertisements over IPv4
}

// deaf reports whether nothing that is for an instance is heard.
func (l LinkChanged) deaf(v *ir.VRRPInstance) bool {
	switch {
	case v.IPv6():
		return l.Deaf6
	case v.Auth.Type == ir.AuthAH:
		return l.DeafAH
	}
	return l.Deaf4
}

// PacketReceived tells a VRRP packet from the wire of an interface.
type PacketReceived struct {
	Interface string
	Src, Dst  netip.Addr
	TTL       int
	AH        bool   // the payload begins with an authentication header
	ID        uint16 // the identification of the IPv4 packet
	Payload   []byte
}

// Claimed tells that a host with a foreign MAC address says, by ARP or neighbour discovery, that it has an address.
type Claimed struct {
	Interface string // on which that was heard
	Addr      netip.Addr
	MAC       vrrp.MAC
	Count     uint64 // how often, since the last one that told it
}

// ScriptDone tells the result of a run that StartScript asked for: one for each, after a timeout too.
type ScriptDone struct {
	ID    ScriptID
	Cause string // empty: exit status 0; otherwise why it failed, e.g. "exit status 1"
	// Inconclusive says why the run tells nothing, as "start a script: too many open files": the standing stays. Empty: it tells something.
	Inconclusive string
}

// Tracked tells the whole new state of a track_file or vrrp_track_process. Interfaces, scripts and BFD sessions have events of their own.
type Tracked struct {
	Thing  track.Thing
	Status track.Status
}

// Sessions tells which BFD sessions are up: all of them, each time. The map must no longer change. A session that nobody has told of is
// down, as with keepalived 2.2.7: at the start its instances are in FAULT, or have the weight of a session that is down.
type Sessions struct{ Up map[track.Thing]bool }

// Quorum tells which services lost their quorum, and the stages of announced addresses: all of them, each time. The maps must no longer
// change.
type Quorum struct {
	Lost      map[ir.ServiceKey]bool
	Announced map[netip.Addr]state.Announcement
}

// Speak makes every MASTER advertise what is in force, as keepalived's do before they reload: backups have heard of it just now, whatever
// the reload takes.
type Speak struct{}

// Swap puts what Prepare made into force: what did not change keeps its role and timers.
type Swap struct{ Next *Next }

// Stop ends all: priority 0 is sent, nothing of ours should exist.
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

// An Effect is something to do once, in order. State is no effect: after each Step the director makes Want true.
type Effect interface{ effect() }

// SendAdvert sends an advertisement on the wire of an interface.
type SendAdvert struct {
	Interface string
	Leaves    string // the virtual interface that it leaves by, or Interface
	Src, Dst  netip.Addr
	TTL       uint8  // 0: the kernel's own
	AH        bool   // the payload begins with an authentication header
	ID        uint16 // the identification of the IP packet, which that signs; 0: any
	Payload   []byte // without IP header
}

// Announce sends a burst of gratuitous ARP or neighbour advertisements, after the addresses are there.
type Announce struct {
	Instance ir.InstanceKey
	Repeat   int
	Targets  []state.AddressKey
}

// RoleChanged tells a transition.
type RoleChanged struct {
	Instance ir.InstanceKey
	Name     string
	Role     string // "MASTER", "BACKUP", "FAULT", "STOP"
	Reason   vrrp.Reason
	Config   *ir.VRRPInstance // in force
	Priority uint8            // the effective one
	Deleted  bool             // it is STOP for a reload took it away
}

// Contested tells that a MASTER heard a lower priority.
type Contested struct {
	Config   *ir.VRRPInstance
	Priority uint8 // its own
}

// RoleRecited tells a role once more after a reload, for named pipes alone: fifo_write_vrrp_states_on_reload.
type RoleRecited struct {
	Group    bool // it is that of a sync group
	Name     string
	Role     string // as in RoleChanged
	Priority uint8  // 0 for a group
}

// GroupChanged tells that all members of a sync group have a new role.
type GroupChanged struct {
	Name   string
	Role   string // as in RoleChanged
	Config *ir.SyncGroup
}

// PriorityChanged tells that trackers, or a reload, changed the effective priority of an instance.
type PriorityChanged struct {
	Instance ir.InstanceKey
	Name     string
	Role     string // as in RoleChanged
	From, To uint8
	Sum      track.Sum // how it comes about
	Reload   bool      // that of the file changed
	Config   *ir.VRRPInstance
}

// StartScript asks for one run of a vrrp_script; its result comes back as ScriptDone.
type StartScript struct {
	ID      ScriptID
	Args    []string
	Timeout time.Duration
}

// Note tells something odd on the wire of an instance, rate limited by its machine.
type Note struct {
	Name string
	What vrrp.Note
}

// UnknownVRID tells, once a minute, that a virtual router of others advertises on an interface.
type UnknownVRID struct {
	Interface string
	VRID      uint8
	Src       netip.Addr
}

// ScriptChanged tells that a vrrp_script begins to succeed, or to fail.
type ScriptChanged struct {
	Thing track.Thing
	Cause string // why it fails; empty: it succeeds
}

// StartDelayed tells that instances begin to work after a while, and which keyword says so. The zero StartDelayed is none.
type StartDelayed struct {
	After   time.Duration
	Keyword string
}

// ScriptsLack tells that runs of vrrp_scripts begin to tell nothing, for what this machine lacks, or that this is over.
type ScriptsLack struct {
	What string // "start a script: too many open files"
	Over bool
}

// A Remark is an effect for the log alone. It is a value; these have its words.
type Remark interface {
	Effect
	Subject() string // what it is about
	Text() string
	Fine() bool // good news
}

func (SendAdvert) effect()      {}
func (Announce) effect()        {}
func (RoleChanged) effect()     {}
func (Contested) effect()       {}
func (GroupChanged) effect()    {}
func (RoleRecited) effect()     {}
func (PriorityChanged) effect() {}
func (StartScript) effect()     {}
func (Note) effect()            {}
func (ScriptChanged) effect()   {}
func (ScriptsLack) effect()     {}
func (StartDelayed) effect()    {}
func (UnknownVRID) effect()     {}
