// Package balance is the part of a director that keeps virtual servers: their real servers, the checks of these, and the quorum. Events
// go in; health and effects come out. Of VRRP it knows nothing but who is MASTER.
package balance

import (
	"net/netip"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/health"
	"keepc/runtime/track"
)

// An Event is something that happened to the director.
type Event interface{ event() }

// Tick tells that the deadline has come.
type Tick struct{}

// ProbeDone tells the result of a probe that StartProbe asked for: one for each, after a timeout too.
type ProbeDone struct {
	ID CheckID
	health.Result
}

// FileSeen tells the number in a file, at the first look at it and whenever it changed.
type FileSeen struct {
	File  track.Thing
	Value int
}

// Local tells which addresses this host has: all of them, each time. The map must no longer change. Where nobody tells, an address is
// here while an instance that has it is MASTER, or where none has it.
type Local struct{ Addrs map[netip.Addr]bool }

// Assign gives real servers a weight in place of what the file and checks say, until a second one takes it back, or the director ends.
type Assign struct {
	Servers []state.DestinationKey
	Weight  *int // nil: the file and checks count again
}

// Enforced tells which virtual servers the kernel lacks: all of them, each time. Until it comes, no address is announced. The map must no
// longer change.
type Enforced struct {
	Missing map[ir.ServiceKey]bool // true: the kernel refused it; false: it is still to come
	None    bool                   // the kernel has none at all
}

// Drain withdraws the addresses of an announcement, by way of its drain_table, until a second one ends that, or the director ends.
type Drain struct {
	Name string // of the announcement; empty: all
	End  bool   // it is announced again
}

// Retire drains the addresses that a configuration, which is to be swapped in next, announces or serves no longer: see Retires and Retired.
// The swap ends it.
type Retire struct{ Next *Next }

// Leave drains all that is announced, for the director is about to stop: see Silent.
type Leave struct{}

// Sessions tells which BFD sessions are up: all of them, each time. The map must no longer change. One that nobody has told of is down.
type Sessions struct{ Up map[track.Thing]bool }

// Roles tells of every instance whether it is MASTER: of all, each time. The map must no longer change.
type Roles struct{ Master map[ir.InstanceKey]bool }

// Swap puts what Prepare made into force: what did not change keeps its health.
type Swap struct{ Next *Next }

// Stop ends all: nothing of ours should exist.
type Stop struct{}

func (Tick) event()      {}
func (ProbeDone) event() {}
func (FileSeen) event()  {}
func (Sessions) event()  {}
func (Roles) event()     {}
func (Local) event()     {}
func (Assign) event()    {}
func (Swap) event()      {}
func (Enforced) event()  {}
func (Drain) event()     {}
func (Retire) event()    {}
func (Leave) event()     {}
func (Stop) event()      {}

// A CheckID tells checks apart, also over a reload: a check keeps its number while its server has it and it is the same. No number is
// used again.
type CheckID uint64

// An Effect is something to do once, in order. State is no effect: after each Step the director makes Want true.
type Effect interface{ effect() }

// ServerChanged tells that a real server came or went.
type ServerChanged struct {
	Server state.DestinationKey
	Up     bool
	Reason string
}

// WeightChanged tells that checks, or an operator, gave a real server another weight.
type WeightChanged struct {
	Server        state.DestinationKey
	Weight, Files int  // the weight now, and that of the file
	Operator      bool // it is an operator who sets it, or did so far
}

// QuorumChanged tells that a service lost its quorum, so that its sorry server serves, or has it again.
type QuorumChanged struct {
	Service ir.ServiceKey
	Lost    bool
	Reason  string // e.g. "weight 1 of 3 is alive, quorum 2"
}

// AnnouncementChanged tells that an address goes to another stage of its announcement.
type AnnouncementChanged struct {
	Name   string
	Addr   netip.Addr
	Stage  state.Stage
	Reason string
}

// StartProbe asks for one probe; its result comes back as ProbeDone.
type StartProbe struct {
	ID      CheckID
	Server  state.DestinationKey
	Check   *ir.Check // what to ask; it never changes
	Page    int       // of a check of pages: which one to ask for, from 0
	Timeout time.Duration
}

// Note is a line for the log.
type Note struct {
	Subject string // what it is about
	Text    string
	Fine    bool // good news
}

func (Note) effect()                {}
func (Told) effect()                {}
func (ServerChanged) effect()       {}
func (WeightChanged) effect()       {}
func (QuorumChanged) effect()       {}
func (AnnouncementChanged) effect() {}
func (StartProbe) effect()          {}
