// Package engine is one director's brain: a configuration and its machines. Events go in; the situation and effects come out.
package engine

import (
	"net/netip"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/track"
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
}

// PacketReceived tells a VRRP packet from the wire of an interface.
type PacketReceived struct {
	Interface string
	Src, Dst  netip.Addr
	TTL       int
	Payload   []byte
}

// ProbeDone tells the result of a probe that StartProbe asked for: one for each, after a timeout too.
type ProbeDone struct {
	ID    CheckID
	Cause string // empty: success; otherwise why it failed, e.g. "connect: connection refused"
}

// ScriptDone tells the result of a run that StartScript asked for: one for each, after a timeout too.
type ScriptDone struct {
	ID    ScriptID
	Cause string // empty: exit status 0; otherwise why it failed, e.g. "exit status 1"
}

// Tracked tells the whole new state of a track_file or vrrp_track_process. Interfaces and scripts have events of their own.
type Tracked struct {
	Thing  track.Thing
	Status track.Status
}

// Reload brings a new configuration: what did not change keeps its role, timers and health.
type Reload struct{ Config *ir.Config }

// Stop ends all: priority 0 is sent, nothing of ours should exist.
type Stop struct{}

func (Tick) event()           {}
func (LinkChanged) event()    {}
func (PacketReceived) event() {}
func (ProbeDone) event()      {}
func (ScriptDone) event()     {}
func (Tracked) event()        {}
func (Reload) event()         {}
func (Stop) event()           {}

// A CheckID tells checks apart, also over a reload: a check is the same while its server and its spec are.
type CheckID struct {
	Server state.DestinationKey
	Spec   ir.CheckSpec
}

// An Effect is something to do once, in order. State is no effect: after each Step the director makes Want true.
type Effect interface{ effect() }

// SendAdvert sends an advertisement on the wire of an interface.
type SendAdvert struct {
	Interface string
	Src, Dst  netip.Addr
	Payload   []byte // VRRP payload, without IP header
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
	Reason   string
}

// PriorityChanged tells that trackers, or a reload, changed the effective priority of an instance.
type PriorityChanged struct {
	Instance ir.InstanceKey
	Name     string
	From, To uint8
	Reason   string // e.g. "100 + 20 (script web)"
}

// ServerChanged tells that a real server came or went.
type ServerChanged struct {
	Server state.DestinationKey
	Up     bool
	Reason string
}

// QuorumChanged tells that a service lost its quorum, so that its sorry server serves, or has it again.
type QuorumChanged struct {
	Service ir.ServiceKey
	Lost    bool
	Reason  string // e.g. "weight 1 of 3 is alive, quorum 2"
}

// StartProbe asks for one probe; its result comes back as ProbeDone.
type StartProbe struct {
	ID      CheckID
	Timeout time.Duration
}

// StartScript asks for one run of a vrrp_script; its result comes back as ScriptDone.
type StartScript struct {
	ID      ScriptID
	Args    []string
	Timeout time.Duration
}

// Note is a line for the log: something odd on the wire, rate limited by the machine that says it.
type Note struct {
	Subject string // instance name or server
	Text    string
	Fine    bool // good news
}

func (SendAdvert) effect()      {}
func (Announce) effect()        {}
func (RoleChanged) effect()     {}
func (PriorityChanged) effect() {}
func (StartScript) effect()     {}
func (ServerChanged) effect()   {}
func (QuorumChanged) effect()   {}
func (StartProbe) effect()      {}
func (Note) effect()            {}
