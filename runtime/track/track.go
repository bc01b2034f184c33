// Package track judges what instances track: scripts, interfaces, files, processes and BFD sessions become weights and faults. It knows no clock.
package track

import (
	"fmt"
	"slices"
	"strconv"

	"keepc/compiler/ir"
)

// A Kind is the kind of what instances track.
type Kind = ir.TrackKind

const (
	Interface = ir.InterfaceTracker
	Script    = ir.ScriptTracker
	File      = ir.FileTracker
	Process   = ir.ProcessTracker
	BFD       = ir.BFDTracker
)

// A Thing is what an instance tracks: an interface, or what a block of the file names.
type Thing struct {
	Kind Kind
	Name string
	// What is the file, the processes or the ends of a session that the name stands for: a reload may change that, and
	// with it the status.
	What string
}

func (t Thing) String() string { return string(t.Kind) + " " + t.Name }

// OfFile is the thing that a track_file names.
func OfFile(f *ir.TrackFile) Thing { return Thing{File, f.Name, f.File} }

// OfProcess is the thing that a vrrp_track_process names.
func OfProcess(p *ir.TrackProcess) Thing {
	most := "any"
	if p.QuorumMax != nil {
		most = strconv.Itoa(*p.QuorumMax)
	}
	return Thing{Process, p.Name, fmt.Sprintf("%d to %s of %q %s %v", p.Quorum, most, p.Process, p.ParamMatch, p.FullCommand)}
}

// OfBFD is the thing that a bfd_instance names.
func OfBFD(b *ir.BFD) Thing {
	ends := b.Neighbor.String()
	if b.Source.IsValid() {
		ends = b.Source.String() + " to " + ends
	}
	return Thing{BFD, b.Name, ends}
}

// A Status is what is known of a thing. The zero Status is that of a thing not examined yet: it neither adds to a
// priority nor subtracts from it.
type Status struct {
	Known bool
	Good  bool // of all kinds but files
	Value int  // of a file
}

// A Tracker is a thing with its weight in one instance. With weight 0 its failure is a FAULT.
type Tracker struct {
	Thing
	Weight ir.Weight
}

// Of lists the trackers of an instance in file order, then those of its sync group, then those of the interfaces that
// it follows implicitly. What it follows with a static object is not weighted. In a group without
// sync_group_tracking_weight keepalived drops trackers with a weight of their own, except for interfaces, whose weight
// counts. An instance cannot track a bfd_instance that only tells checkers.
func Of(v *ir.VRRPInstance, cfg *ir.Config) (list []Tracker) {
	add := func(of *ir.Tracked, weightless bool) {
		for t := range of.Trackers() {
			static := t.Kind == Interface && slices.Contains(v.Static, t.Name)
			if thing, ok := thingOf(t, cfg); ok && !static && !(weightless && t.Weight.N != 0 && t.Kind != Interface) {
				list = append(list, Tracker{thing, *t.Weight})
			}
		}
	}
	g := v.SyncGroup
	add(&v.Tracked, g != nil && !g.TrackingWeight)
	if g != nil {
		add(&g.Tracked, false)
	}
	for _, name := range v.Follows() {
		list = append(list, Tracker{Thing: Thing{Kind: Interface, Name: name}})
	}
	return list
}

func thingOf(t ir.Tracker, cfg *ir.Config) (Thing, bool) {
	switch t.Kind {
	case File:
		i := slices.IndexFunc(cfg.TrackFiles, func(f *ir.TrackFile) bool { return f.Name == t.Name })
		if i < 0 {
			return Thing{}, false
		}
		return OfFile(cfg.TrackFiles[i]), true
	case Process:
		i := slices.IndexFunc(cfg.TrackProcesses, func(p *ir.TrackProcess) bool { return p.Name == t.Name })
		if i < 0 {
			return Thing{}, false
		}
		return OfProcess(cfg.TrackProcesses[i]), true
	case BFD:
		i := slices.IndexFunc(cfg.BFDs, func(b *ir.BFD) bool { return b.Name == t.Name })
		if i < 0 || !cfg.BFDs[i].VRRP {
			return Thing{}, false
		}
		return OfBFD(cfg.BFDs[i]), true
	}
	return Thing{Kind: t.Kind, Name: t.Name}, true
}

// A Verdict is the effect of trackers on an instance. It is a value, whose texts are made on demand.
type Verdict struct {
	Priority uint8   // the effective one, 1..254; 255 stays
	Sum      Sum     // its parts
	Fault    Failure // why the instance is in FAULT; zero: it is not
	Waiting  Thing   // what may become a fault and is not known yet; zero: nothing. An instance does not start before it is known
}

// A Sum is the priority of the file with what trackers add; it prints as "100 + 20 (script web)".
type Sum struct {
	Base  uint8
	Terms []Term // those that count, in file order
}

// A Term is what a thing adds to a priority.
type Term struct {
	Thing
	N int
}

func (s Sum) String() string {
	text := strconv.Itoa(int(s.Base))
	for _, t := range s.Terms {
		if t.N > 0 {
			text += fmt.Sprintf(" + %d (%v)", t.N, t.Thing)
		} else {
			text += fmt.Sprintf(" - %d (%v)", -t.N, t.Thing)
		}
	}
	return text
}

// A Failure is a thing with the status that makes a FAULT.
type Failure struct {
	Tracker
	Status
}

// IsZero reports whether nothing fails.
func (f Failure) IsZero() bool { return f == Failure{} }

// Judge adds up what an instance tracks. The rules are those of keepalived: a weight above 0 is added while the thing
// is good, one below 0 while it is not, and reverse changes the sign; a file's number is multiplied by its weight. The
// owner of the addresses, priority 255, ignores weights.
func Judge(base uint8, trackers []Tracker, status func(Thing) Status) Verdict {
	v := Verdict{Sum: Sum{Base: base}}
	total := 0
	for _, t := range trackers {
		s := status(t.Thing)
		switch {
		case t.fails(s):
			if v.Fault.IsZero() {
				v.Fault = Failure{t, s}
			}
		case t.Weight.N == 0 && !s.Known && t.Kind != File:
			if v.Waiting == (Thing{}) {
				v.Waiting = t.Thing
			}
		case base == ir.OwnerPriority:
		default:
			if n := t.contribution(s); n != 0 {
				total += n
				v.Sum.Terms = append(v.Sum.Terms, Term{t.Thing, n})
			}
		}
	}
	v.Priority = ir.EffectivePriority(base, total)
	return v
}

// faultBelow is the contribution of a file at or below which it is a fault.
const faultBelow = -254

// fails reports whether the thing is a fault.
func (t Tracker) fails(s Status) bool {
	switch {
	case t.Kind == File && t.Weight.N == 0:
		return s.Value != 0
	case t.Kind == File:
		return t.contribution(s) <= faultBelow
	}
	return t.Weight.N == 0 && s.Known && s.Good == t.Weight.Reverse
}

func (f Failure) String() string {
	switch {
	case f.Kind == File:
		return fmt.Sprintf("%v says %d", f.Thing, f.Value)
	case f.Kind == Interface && !f.Good:
		return f.Name + " is down"
	case f.Kind == Interface:
		return f.Name + " is up"
	case f.Kind == BFD && !f.Good:
		return f.Thing.String() + " is down"
	case f.Kind == BFD:
		return f.Thing.String() + " is up"
	case f.Good:
		return f.Thing.String() + " succeeds"
	}
	return f.Thing.String() + " fails"
}

// contribution returns what the thing adds to the priority.
func (t Tracker) contribution(s Status) int {
	switch {
	case t.Kind == File:
		return t.Weight.Times(s.Value)
	case s.Known:
		return t.Weight.Adds(s.Good)
	}
	return 0
}
