package lab

import (
	"testing"
	"time"
)

func TestSet(t *testing.T) {
	now := time.Now()
	for _, by := range []time.Duration{time.Hour, -3 * time.Second} {
		set := Set(now, by)
		if d := set.Sub(now); d != 0 {
			t.Errorf("%v: the monotonic clock differs by %v", by, d)
		}
		if d := set.Round(0).Sub(now.Round(0)); d != by {
			t.Errorf("%v: the wall clock differs by %v", by, d)
		}
	}
}
