// Package health judges servers by the results of their checks. It probes nothing itself and knows no clock.
package health

import (
	"fmt"
	"time"

	"keepc/compiler/ir"
)

// A Check turns the results of one health check into a verdict: up or down. The rules are those of keepalived: the
// very first result is final; later a failure is repeated up to Retry times, DelayBeforeRetry apart, before it counts;
// one success is enough to come back.
//
// A check of pages asks for one at a time, in turn. A page that failed is asked for again until it is right; then all
// pages, starting with the first, must be right for the check to come back.
type Check struct {
	timing   ir.CheckTiming
	pages    Pages
	page     int  // the next one to ask for, from 0
	stuck    bool // that page failed last time, and the check is down
	up       bool
	cause    string // why it is down
	ran      bool   // a result is known
	failures int    // in a row, tolerated so far
	due      time.Time
	probing  bool
	told     bool      // it probes nothing: others tell its state
	began    time.Time // of the running probe
	counts   Statistics
}

// Statistics are the counters of a check since it was made.
type Statistics struct {
	Checks       uint64        // probes with a result
	Failures     uint64        // of these
	Inconclusive uint64        // of these: this machine could not ask the server
	Duration     time.Duration // total time from the request of a probe to its result
}

// Plus is the sum of two.
func (s Statistics) Plus(o Statistics) Statistics {
	return Statistics{s.Checks + o.Checks, s.Failures + o.Failures, s.Inconclusive + o.Inconclusive, s.Duration + o.Duration}
}

// bootDelay is the minimum time before the first probe.
const bootDelay = time.Second

// Pages are those of a check that asks for several, one after the other. The zero Pages is for a check that asks for
// one thing.
type Pages struct {
	Count int
	Hurry bool // a round that decides whether the server is up has no pauses (fast_recovery)
}

// PagesOf returns the pages of a check.
func PagesOf(c *ir.Check) Pages {
	if h, ok := c.Checker.(*ir.HTTPCheck); ok {
		return Pages{len(h.URLs), h.FastRecovery}
	}
	return Pages{}
}

// New returns a check that is up until its first result, or down if there is a cause. The first probe comes a second
// after now, plus a share of the warm-up, from 0 to 1, which spreads the checks of a start.
func New(now time.Time, timing ir.CheckTiming, pages Pages, cause string, share float64) Check {
	return Check{
		timing: timing, pages: pages, up: cause == "", cause: cause,
		due: now.Add(bootDelay + time.Duration(share*float64(timing.Warmup))),
	}
}

// Told returns a check that probes nothing, and is down if there is a cause: others Tell it.
func Told(cause string) Check { return Check{told: true, up: cause == "", cause: cause} }

// Tell sets the state of a check from Told: down if there is a cause.
func (c *Check) Tell(cause string) { c.up, c.cause, c.ran = cause == "", cause, true }

// A Result is what a probe found out about a server.
type Result struct {
	Up     bool
	Detail string // why it is not up, such as "connect: connection refused"
	// Inconclusive says what this machine lacked to ask the server, such as "socket: too many open files". If it is
	// not empty, nothing is known about the server, and Up and Detail mean nothing.
	Inconclusive string
	// Weight is the server's weight from now on, according to the probe; nil: not given. It only counts if the result
	// is Up.
	Weight *int
	// Certificate is the one that the server showed; the zero Certificate: none.
	Certificate Certificate
}

// A Certificate is how long the certificate of a server is valid.
type Certificate struct{ From, Until time.Time }

// Ends reports whether a certificate that must last for a time from now on soon does not: within a week, or a quarter of its time if that is
// less, because some are renewed every few days.
func (c Certificate) Ends(now time.Time, lasts time.Duration) bool {
	return !c.Until.IsZero() && c.Until.Sub(now)-lasts < min(notice, c.Until.Sub(c.From)/4)
}

const notice = 7 * 24 * time.Hour

// Text is the result in words.
func (r Result) Text() string {
	switch {
	case r.Inconclusive != "":
		return "no verdict: " + r.Inconclusive
	case !r.Up:
		return "down: " + r.Detail
	case r.Weight != nil:
		return fmt.Sprintf("up, with weight %d", *r.Weight)
	}
	return "up"
}

// Outcome returns the result of a probe that failed with a cause; without one, of a probe that succeeded.
func Outcome(cause string) Result { return Result{Up: cause == "", Detail: cause} }

// An Event is something that happened to a check.
type Event interface{ event() }

// Tick says that the deadline has come.
type Tick struct{}

// Done is the result of the probe that Probe asked for.
type Done struct{ Result }

// Skip says that the deadline has come, and that nothing is to be probed this time.
type Skip struct{}

func (Tick) event() {}
func (Skip) event() {}
func (Done) event() {}

// An Effect is something to do once.
type Effect interface{ effect() }

// Probe asks for one probe; its result comes back as Done, even after a timeout.
type Probe struct {
	Timeout time.Duration
	Page    int // for a check of pages: which one, from 0
}

// Verdict says that the check changed its verdict.
type Verdict struct {
	Up    bool
	Cause string // of the failure
}

func (Probe) effect()   {}
func (Verdict) effect() {}

// Up returns the current verdict; while it is down, Cause says why.
func (c *Check) Up() bool { return c.up }

// Ran reports whether a result is known.
func (c *Check) Ran() bool { return c.ran }

// Cause returns why the check is down; empty while it is up.
func (c *Check) Cause() string { return c.cause }

// Knows reports whether a result is known.
func (c *Check) Knows() bool { return c.ran }

// Statistics are the counters.
func (c *Check) Statistics() Statistics { return c.counts }

// Deadline returns when the check needs its next Tick; false while a probe is running, and always for a check from
// Told.
func (c *Check) Deadline() (time.Time, bool) { return c.due, !c.probing && !c.told }

// Step takes an event and returns what to do about it.
func (c *Check) Step(now time.Time, ev Event) []Effect {
	switch ev := ev.(type) {
	case Tick:
		if !c.probing && !now.Before(c.due) {
			c.probing, c.began = true, now
			return []Effect{Probe{Timeout: c.timing.ConnectTimeout, Page: c.page}}
		}
	case Skip:
		if !c.probing && !now.Before(c.due) {
			c.due = now.Add(c.timing.DelayLoop)
		}
	case Done:
		if c.probing {
			c.probing = false
			c.count(now, ev.Result)
			return c.done(now, ev.Result)
		}
	}
	return nil
}

func (c *Check) count(now time.Time, r Result) {
	c.counts.Checks++
	c.counts.Duration += now.Sub(c.began)
	switch {
	case r.Inconclusive != "":
		c.counts.Inconclusive++
	case !r.Up:
		c.counts.Failures++
	}
}

func (c *Check) done(now time.Time, r Result) []Effect {
	c.due = now.Add(c.timing.DelayLoop)
	if r.Inconclusive != "" {
		return nil // a shortage on this machine is not a verdict on the server
	}
	if r.Up {
		return c.succeed(now)
	}
	first := !c.ran
	c.ran = true
	switch {
	case !c.up:
		c.cause, c.stuck = r.Detail, c.pages.Count > 0
	case !first && c.failures < c.timing.Retry:
		c.failures++
		c.due = now.Add(c.timing.DelayBeforeRetry)
	default:
		c.up, c.cause, c.stuck = false, r.Detail+times(c.failures+1), c.pages.Count > 0
		c.failures = 0
		return []Effect{Verdict{Cause: c.cause}}
	}
	return nil
}

func (c *Check) succeed(now time.Time) []Effect {
	c.failures = 0
	if c.stuck {
		c.stuck, c.page = false, -1 // beginning with the first page
	}
	c.page++
	if c.page < c.pages.Count {
		if c.pages.Hurry && (!c.up || !c.ran) {
			c.due = now
		}
		return nil
	}
	c.page, c.ran = 0, true
	if c.up {
		return nil
	}
	c.up, c.cause = true, ""
	return []Effect{Verdict{Up: true}}
}

// times says how often a failure was seen, if more than once.
func times(n int) string {
	switch {
	case n == 1:
		return ""
	case n%10 == 2 && n%100 != 12:
		return fmt.Sprintf(" (%dnd time)", n)
	case n%10 == 3 && n%100 != 13:
		return fmt.Sprintf(" (%drd time)", n)
	case n%10 == 1 && n%100 != 11:
		return fmt.Sprintf(" (%dst time)", n)
	}
	return fmt.Sprintf(" (%dth time)", n)
}
