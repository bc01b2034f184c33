package router

import (
	"net/netip"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// An Effect is something to do once, in order. State is not an effect: after each Step the director makes Want true.
type Effect interface {
	// CarryOut calls the method of a handler that is named after the effect, or Remark.
	CarryOut(Handler)
}

// A Handler carries out effects. There are two: the director's loop and the one of simulate. A new effect needs a method
// here, and then neither of them compiles until it says what happens to it.
type Handler interface {
	SendAdvert(SendAdvert)
	Announce(Announce)
	RoleChanged(RoleChanged)
	Contested(Contested)
	GroupChanged(GroupChanged)
	RoleRecited(RoleRecited)
	PriorityChanged(PriorityChanged)
	StartScript(StartScript)
	Remark(Remark)
}

// SendAdvert sends an advertisement on the wire of an interface.
type SendAdvert struct {
	Interface string
	Leaves    string // the virtual interface that it is sent on, or Interface
	Src, Dst  netip.Addr
	TTL       uint8  // 0: the kernel's default
	AH        bool   // the payload begins with an authentication header
	ID        uint16 // the identification of the IP packet, which the signature covers; 0: any
	Payload   []byte // without IP header
}

// Announce sends a burst of gratuitous ARP or neighbour advertisements, once the addresses are in place.
type Announce struct {
	Instance ir.InstanceKey
	Repeat   int
	Targets  []state.AddressKey
}

// RoleChanged reports a transition.
type RoleChanged struct {
	Instance ir.InstanceKey
	Name     string
	Role     string // "MASTER", "BACKUP", "FAULT", "STOP"
	Reason   vrrp.Reason
	Config   *ir.VRRPInstance // in force
	Priority uint8            // the effective one
	Deleted  bool             // it is STOP because a reload removed it
}

// Contested says that a MASTER heard a lower priority.
type Contested struct {
	Config   *ir.VRRPInstance
	Priority uint8 // the instance's own
}

// RoleRecited repeats a role after a reload, only for named pipes: fifo_write_vrrp_states_on_reload.
type RoleRecited struct {
	Group    bool // it is the role of a sync group
	Name     string
	Role     string // as in RoleChanged
	Priority uint8  // 0 for a group
}

// GroupChanged says that all members of a sync group have a new role.
type GroupChanged struct {
	Name   string
	Role   string // as in RoleChanged
	Config *ir.SyncGroup
}

// PriorityChanged says that trackers, or a reload, changed the effective priority of an instance.
type PriorityChanged struct {
	Instance ir.InstanceKey
	Name     string
	Role     string // as in RoleChanged
	From, To uint8
	Sum      track.Sum // its parts
	Reload   bool      // the priority in the file changed
	Config   *ir.VRRPInstance
}

// StartScript asks for one run of a vrrp_script; its result comes back as ScriptDone.
type StartScript struct {
	ID      ScriptID
	Args    []string
	Timeout time.Duration
}

// Note reports an oddity on the wire of an instance, rate limited by its machine.
type Note struct {
	Name string
	What vrrp.Note
}

// UnknownVRID reports, once a minute, that a foreign virtual router advertises on an interface.
type UnknownVRID struct {
	Interface string
	VRID      uint8
	Src       netip.Addr
}

// ScriptChanged says that a vrrp_script begins to succeed, or to fail.
type ScriptChanged struct {
	Thing track.Thing
	Cause string // why it fails; empty: it succeeds
}

// StartDelayed says that instances begin to work after a delay, and which keyword sets it. The zero StartDelayed means
// no delay.
type StartDelayed struct {
	After   time.Duration
	Keyword string
}

// ScriptsLack says that runs of vrrp_scripts begin to have no result, because of what this machine lacks, or that this
// is over.
type ScriptsLack struct {
	What string // "start a script: too many open files"
	Over bool
}

// A Remark is an effect only for the log. It is a value; these methods return its text.
type Remark interface {
	Effect
	Subject() string // what it is about
	Text() string
	Fine() bool // good news
}

// CarryOut implements Effect.
func (e SendAdvert) CarryOut(h Handler) { h.SendAdvert(e) }

// CarryOut implements Effect.
func (e Announce) CarryOut(h Handler) { h.Announce(e) }

// CarryOut implements Effect.
func (e RoleChanged) CarryOut(h Handler) { h.RoleChanged(e) }

// CarryOut implements Effect.
func (e Contested) CarryOut(h Handler) { h.Contested(e) }

// CarryOut implements Effect.
func (e GroupChanged) CarryOut(h Handler) { h.GroupChanged(e) }

// CarryOut implements Effect.
func (e RoleRecited) CarryOut(h Handler) { h.RoleRecited(e) }

// CarryOut implements Effect.
func (e PriorityChanged) CarryOut(h Handler) { h.PriorityChanged(e) }

// CarryOut implements Effect.
func (e StartScript) CarryOut(h Handler) { h.StartScript(e) }

// CarryOut implements Effect.
func (e Note) CarryOut(h Handler) { h.Remark(e) }

// CarryOut implements Effect.
func (e ScriptChanged) CarryOut(h Handler) { h.Remark(e) }

// CarryOut implements Effect.
func (e ScriptsLack) CarryOut(h Handler) { h.Remark(e) }

// CarryOut implements Effect.
func (e StartDelayed) CarryOut(h Handler) { h.Remark(e) }

// CarryOut implements Effect.
func (e UnknownVRID) CarryOut(h Handler) { h.Remark(e) }
