// Package track judges what instances track: scripts, interfaces, files and processes become weights and faults. It knows no clock.
package track

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"keepc/compiler/ir"
)

// A Kind of thing that instances track. BFD sessions will be one more.
type Kind = ir.TrackKind

const (
	Interface = ir.InterfaceTracker
	Script    = ir.ScriptTracker
	File      = ir.FileTracker
	Process   = ir.ProcessTracker
)

// A Thing is what an instance tracks: an interface, or what a block of the file names.
type Thing struct {
	Kind Kind
	Name string
	// What is the file or the processes behind the name: a reload may give it to others, whose status is another one.
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

// A Status is what is known of a thing. The zero Status is that of one nobody has looked at yet: it neither adds to a priority nor
// takes from it.
type Status struct {
	Known bool
	Good  bool // of all but files
	Value int  // of a file
}

// A Tracker is a thing with what it weighs in one instance. Weight 0 makes its failure a FAULT.
type Tracker struct {
	Thing
	Weight ir.Weight
}

// Of lists the trackers of an instance in the order of the file. BFD sessions are left out, as long as nobody tells how they are.
func Of(v *ir.VRRPInstance, cfg *ir.Config) (list []Tracker) {
	for t := range v.Trackers() {
		if thing, ok := thingOf(t, cfg); ok {
			list = append(list, Tracker{thing, *t.Weight})
		}
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
	case ir.BFDTracker:
		return Thing{}, false
	}
	return Thing{Kind: t.Kind, Name: t.Name}, true
}

// A Verdict is what trackers make of an instance.
type Verdict struct {
	Priority uint8  // the effective one, 1..254; 255 stays
	Sum      string // how it comes about, as "100 + 20 (script web)"
	Fault    string // why the instance is in FAULT, as "script web fails"; empty: it is not
	Waiting  string // what may become a fault and is not known yet; an instance does not start before
}

// Judge sums up what an instance tracks. The rules are those of keepalived: a weight above 0 is added while the thing is good, one
// below 0 while it is not, reverse turns the sign; a file's number is multiplied by its weight. The owner of the addresses, priority
// 255, ignores weights.
func Judge(base uint8, trackers []Tracker, status func(Thing) Status) Verdict {
	var v Verdict
	var sum strings.Builder
	fmt.Fprint(&sum, base)
	total := int(base)
	for _, t := range trackers {
		s := status(t.Thing)
		switch {
		case t.fails(s):
			if v.Fault == "" {
				v.Fault = t.failure(s)
			}
		case t.Weight.N == 0 && !s.Known && t.Kind != File:
			if v.Waiting == "" {
				v.Waiting = t.String()
			}
		case base == 255:
		default:
			n := t.contribution(s)
			total += n
			switch {
			case n > 0:
				fmt.Fprintf(&sum, " + %d (%v)", n, t.Thing)
			case n < 0:
				fmt.Fprintf(&sum, " - %d (%v)", -n, t.Thing)
			}
		}
	}
	if base != 255 {
		total = min(max(total, 1), 254)
	}
	v.Priority, v.Sum = uint8(total), sum.String()
	return v
}

// faultBelow is the contribution of a file from which on it is a fault.
const faultBelow = -254

// fails tells whether the thing is a fault.
func (t Tracker) fails(s Status) bool {
	switch {
	case t.Kind == File && t.Weight.N == 0:
		return s.Value != 0
	case t.Kind == File:
		return t.contribution(s) <= faultBelow
	}
	return t.Weight.N == 0 && s.Known && s.Good == t.Weight.Reverse
}

func (t Tracker) failure(s Status) string {
	switch {
	case t.Kind == File:
		return fmt.Sprintf("%v says %d", t.Thing, s.Value)
	case t.Kind == Interface && !s.Good:
		return t.Name + " is down"
	case t.Kind == Interface:
		return t.Name + " is up"
	case s.Good:
		return t.String() + " succeeds"
	}
	return t.String() + " fails"
}

// contribution is what the thing adds to the priority.
func (t Tracker) contribution(s Status) int {
	switch {
	case t.Kind == File:
		return t.Weight.Times(s.Value)
	case s.Known:
		return t.Weight.Adds(s.Good)
	}
	return 0
}
