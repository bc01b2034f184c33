package vrrp

import "time"

// due reports whether a running timer has ended.
func due(now, at time.Time) bool { return !at.IsZero() && !now.Before(at) }

// after starts a timer, unless its length is zero.
func after(now time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return now.Add(d)
}

// next restarts a periodic timer from when it was due, so that lateness does not accumulate, but skips missed periods.
func next(now, at time.Time, period time.Duration) time.Time {
	if at = at.Add(period); at.After(now) {
		return at
	}
	return after(now, period)
}
