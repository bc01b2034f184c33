// Package balance is the part of a director that keeps virtual servers: their real servers, the checks of these, and
// the quorum. Events go in; health and effects come out. All it knows about VRRP is who is MASTER.
package balance

import (
	"net/netip"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/health"
	"keepc/runtime/track"
)

// An Event is something that happened to the director.
type Event interface{ event() }

// Tick says that the deadline has come.
type Tick struct{}

// ProbeDone is the result of a probe that StartProbe asked for: exactly one for each, after a timeout too.
type ProbeDone struct {
	ID CheckID
	health.Result
}

// FileSeen is the number in a file, at the first look and whenever it changes.
type FileSeen struct {
	File  track.Thing
	Value int
}

// Local lists all addresses of this host, each time. The map must not change afterwards. Without it, an address counts
// as local while an instance that has it is MASTER, or if no instance has it.
type Local struct{ Addrs map[netip.Addr]bool }

// Assign gives real servers a weight that overrides the file and checks, until another Assign undoes it or the
// director ends.
type Assign struct {
	Servers []state.DestinationKey
	Weight  *int // nil: the file and checks count again
}

// Enforced lists all virtual servers that the kernel lacks, each time. Until it comes, no address is announced. The
// map must not change afterwards.
type Enforced struct {
	Missing map[ir.ServiceKey]bool // true: the kernel refused it; false: it is not there yet
	None    bool                   // the kernel has no virtual servers at all
}

// Drain withdraws the addresses of an announcement through its drain_table, until another Drain ends that or the
// director ends.
type Drain struct {
	Name string // of the announcement; empty: all
	End  bool   // it is announced again
}

// Retire drains the addresses that a configuration, which is to be swapped in next, no longer announces or serves: see
// Retires and Retired. The swap ends it.
type Retire struct{ Next *Next }

// Leave drains everything that is announced, because the director is about to stop: see Silent.
type Leave struct{}

// Sessions lists all BFD sessions that are up, each time. The map must not change afterwards. A session that has not
// been listed is down.
type Sessions struct{ Up map[track.Thing]bool }

// Roles says of every instance whether it is MASTER, each time. The map must not change afterwards.
type Roles struct{ Master map[ir.InstanceKey]bool }

// Swap puts the configuration from Prepare into force: what did not change keeps its health.
type Swap struct{ Next *Next }

// Stop ends everything: nothing of ours should exist.
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

// A CheckID identifies a check, also over a reload: a check keeps its id as long as its server has an equal check. Ids
// are never reused.
type CheckID uint64
