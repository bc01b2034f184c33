package ir

import (
	"iter"
	"time"
)

// Tracked is what an instance or a sync group tracks.
type Tracked struct {
	TrackInterfaces []Track `json:"track_interface"`
	TrackScripts    []Track `json:"track_script"`
	TrackFiles      []Track `json:"track_file"`
	TrackProcesses  []Track `json:"track_process"`
	TrackBFDs       []Track `json:"track_bfd"`
}

// A Track is one line of track_interface, track_script, track_file, track_process or track_bfd.
type Track struct {
	Origin
	Name    string
	Weight  *Weight `json:",inline"` // that of the tracked object if the line has none; an interface has none
	Unknown bool    // no block before the instance or group defines the name, so nothing is tracked
}

// A TrackKind is the kind of what is tracked; with "track_" before it, it is the keyword of its block.
type TrackKind string

const (
	InterfaceTracker TrackKind = "interface"
	ScriptTracker    TrackKind = "script"
	FileTracker      TrackKind = "file"
	ProcessTracker   TrackKind = "process"
	BFDTracker       TrackKind = "bfd"
)

// A Tracker is a Track with its kind.
type Tracker struct {
	*Track
	Kind TrackKind
}

// Lines yields every line, block by block.
func (t *Tracked) Lines() iter.Seq[Tracker] {
	return func(yield func(Tracker) bool) {
		for _, block := range []struct {
			kind  TrackKind
			lines []Track
		}{
			{InterfaceTracker, t.TrackInterfaces}, {ScriptTracker, t.TrackScripts}, {FileTracker, t.TrackFiles},
			{ProcessTracker, t.TrackProcesses}, {BFDTracker, t.TrackBFDs},
		} {
			for i := range block.lines {
				if !yield(Tracker{&block.lines[i], block.kind}) {
					return
				}
			}
		}
	}
}

// Trackers yields the lines that count: those that name something defined.
func (t *Tracked) Trackers() iter.Seq[Tracker] {
	return func(yield func(Tracker) bool) {
		for line := range t.Lines() {
			if !line.Unknown && !yield(line) {
				return
			}
		}
	}
}

// A Script is a vrrp_script.
type Script struct {
	Origin
	Name     string
	Command  Command `json:"script"`
	User     User
	Interval time.Duration
	Timeout  time.Duration // Unset: the interval
	Weight   Weight        `json:",inline"`
	Rise     int           // successes in a row until it counts as good
	Fall     int           // failures in a row until it counts as bad
	InitFail bool
}

// A TrackFile is a track_file: a number in a file that changes priorities.
type TrackFile struct {
	Origin
	Name     string
	File     string
	Weight   Weight    `json:",inline"`
	InitFile *InitFile // nil: others create the file
}

// A TrackProcess is a vrrp_track_process.
type TrackProcess struct {
	Origin
	Name    string
	Process []string
	Weight  Weight `json:",inline"`

	ParamMatch     string // exact, initial or partial
	FullCommand    bool
	Quorum         int
	QuorumMax      *int // nil: no limit
	TerminateDelay time.Duration
	ForkDelay      time.Duration
}

// InitFile is the initial content of a track_file.
type InitFile struct {
	Value     int
	Overwrite bool
}

// A Weight is what a tracker adds to a priority.
type Weight struct {
	N       int `json:"weight"`
	Reverse bool
}

// Adds returns what a tracker that succeeds, or fails, adds to a priority: a weight above 0 counts while it succeeds,
// one below 0 while it fails, and reverse changes the sign.
func (w Weight) Adds(good bool) int {
	if (w.N > 0) != good {
		return 0
	}
	return w.sign() * w.N
}

// Times returns what a tracked file with a number adds to a priority.
func (w Weight) Times(number int) int { return w.sign() * w.N * number }

func (w Weight) sign() int {
	if w.Reverse {
		return -1
	}
	return 1
}
