package timer

import (
	"fmt"
	"testing"
	"time"
)

// TestOrder checks that timers run by time, equal ones in the order in which they were first set, and a stopped one does not run.
func TestOrder(t *testing.T) {
	var timers Timers
	var ran []string
	epoch := time.Unix(0, 0)
	all := map[string]*Timer{}
	for _, name := range []string{"a", "b", "c", "d"} {
		x := &Timer{}
		x.Do = func(time.Time) { ran = append(ran, name); timers.Stop(x) }
		all[name] = x
	}
	timers.Set(all["a"], epoch.Add(2*time.Second), true)
	timers.Set(all["b"], epoch.Add(time.Second), true)
	timers.Set(all["c"], epoch.Add(time.Second), true)
	timers.Set(all["d"], epoch, true)
	timers.Stop(all["d"])
	if at, ok := timers.First(); !ok || !at.Equal(epoch.Add(time.Second)) {
		t.Errorf("first at %v, %v", at, ok)
	}
	timers.Set(all["c"], epoch.Add(3*time.Second), true)
	timers.Set(all["c"], epoch.Add(time.Second), true)
	timers.Run(epoch)
	if len(ran) > 0 {
		t.Errorf("%v ran too early", ran)
	}
	timers.Run(epoch.Add(time.Minute))
	if got := fmt.Sprint(ran); got != "[b c a]" {
		t.Error(got)
	}
	if _, ok := timers.First(); ok {
		t.Error("one still runs")
	}
}
