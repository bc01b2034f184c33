package track

import (
	"time"

	"keepc/compiler/ir"
)

// A Runs turns the results of a vrrp_script into its standing. The rules are those of keepalived: the first result counts at once;
// later Fall failures in a row make it bad, and Rise successes in a row good. Runs begin an interval apart.
type Runs struct {
	spec    Spec
	status  Status
	against int // results in a row that contradict the standing
	began   time.Time
	due     time.Time
	running bool
	counts  Counts
}

// Counts are what happened to a script since it was first tracked.
type Counts struct {
	Runs     uint64 // that ended
	Failures uint64 // among them
}

// A Spec is when a script runs and what its results count.
type Spec struct {
	Interval   time.Duration
	Timeout    time.Duration
	Rise, Fall int
}

// SpecOf is the Spec of a vrrp_script.
func SpecOf(s *ir.Script) Spec {
	return Spec{Interval: s.Interval, Timeout: s.Timeout, Rise: s.Rise, Fall: s.Fall}
}

// NewRuns returns those of a script that runs now for the first time. It has the given standing until then.
func NewRuns(now time.Time, spec Spec, status Status) Runs {
	return Runs{spec: spec, status: status, due: now}
}

// Status is the standing now.
func (r *Runs) Status() Status { return r.status }

// Counts are the counters.
func (r *Runs) Counts() Counts { return r.counts }

// Deadline is when Tick is due; false while the script runs.
func (r *Runs) Deadline() (time.Time, bool) { return r.due, !r.running }

// Tick tells that time has passed. It tells whether the script is to run now, and how long it may: its result comes back by Done.
func (r *Runs) Tick(now time.Time) (timeout time.Duration, run bool) {
	if r.running || now.Before(r.due) {
		return 0, false
	}
	r.running, r.began = true, now
	return r.spec.Timeout, true
}

// Done tells the result of the run that Tick asked for. It tells whether the standing changed by it.
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

// Lost tells that the run that Tick asked for tells nothing. The standing stays, and the next run has its normal time.
func (r *Runs) Lost(now time.Time) { r.end(now) }

// end reports whether a run was under way, which has ended.
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

// Retime brings another Spec of the same script, which keeps its standing.
func (r *Runs) Retime(spec Spec) {
	if !r.running && !r.began.IsZero() {
		r.due = r.due.Add(spec.Interval - r.spec.Interval)
	}
	r.spec = spec
}
