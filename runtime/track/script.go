package track

import (
	"time"

	"keepc/compiler/ir"
)

// A Runs turns the results of a vrrp_script into its state. The rules are those of keepalived: the first result counts
// at once; later Fall failures in a row make it bad, and Rise successes in a row good. Runs begin an interval apart.
type Runs struct {
	spec    Spec
	status  Status
	against int // results in a row that contradict the state
	began   time.Time
	due     time.Time
	running bool
	counts  Counts
}

// Counts are the counters of a script since it was first tracked.
type Counts struct {
	Runs     uint64 // that ended
	Failures uint64 // of these
}

// A Spec says when a script runs and how its results count.
type Spec struct {
	Interval   time.Duration
	Timeout    time.Duration
	Rise, Fall int
}

// SpecOf is the Spec of a vrrp_script.
func SpecOf(s *ir.Script) Spec {
	return Spec{Interval: s.Interval, Timeout: s.Timeout, Rise: s.Rise, Fall: s.Fall}
}

// NewRuns returns the Runs of a script whose first run is due now. It has the given state until that has ended.
func NewRuns(now time.Time, spec Spec, status Status) Runs {
	return Runs{spec: spec, status: status, due: now}
}

// Status is the current state.
func (r *Runs) Status() Status { return r.status }

// Counts are the counters.
func (r *Runs) Counts() Counts { return r.counts }

// Deadline returns when Tick is due; false while the script runs.
func (r *Runs) Deadline() (time.Time, bool) { return r.due, !r.running }

// Tick says that time has passed. It reports whether the script must run now, and how long it may: its result comes
// back through Done.
func (r *Runs) Tick(now time.Time) (timeout time.Duration, run bool) {
	if r.running || now.Before(r.due) {
		return 0, false
	}
	r.running, r.began = true, now
	return r.spec.Timeout, true
}

// Done takes the result of the run that Tick asked for. It reports whether that changed the state.
func (r *Runs) Done(now time.Time, good bool) (changed bool) {
	if !r.end(now) {
		return false
	}
	if r.counts.Runs++; !good {
		r.counts.Failures++
	}
	if r.status.Known && good == r.status.Good {
		r.against = 0
		return false
	}
	r.against++
	need := r.spec.Fall
	if good {
		need = r.spec.Rise
	}
	if r.status.Known && r.against < need {
		return false
	}
	r.status, r.against = Status{Known: true, Good: good}, 0
	return true
}

// Lost says that the run that Tick asked for has no result. The state stays, and the next run comes at its normal
// time.
func (r *Runs) Lost(now time.Time) { r.end(now) }

// end ends the current run, and reports whether there was one.
func (r *Runs) end(now time.Time) bool {
	if !r.running {
		return false
	}
	r.running = false
	if r.due = r.began.Add(r.spec.Interval); r.due.Before(now) {
		r.due = now
	}
	return true
}

// Retime sets a new Spec for the same script, which keeps its state.
func (r *Runs) Retime(spec Spec) {
	if !r.running && !r.began.IsZero() {
		r.due = r.due.Add(spec.Interval - r.spec.Interval)
	}
	r.spec = spec
}
