package track_test

import (
	"fmt"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/track"
)

// TestJudge checks sums and faults that were all seen from keepalived 2.2.7.
func TestJudge(t *testing.T) {
	good, bad, unknown := track.Status{Known: true, Good: true}, track.Status{Known: true}, track.Status{}
	value := func(n int) track.Status { return track.Status{Known: true, Value: n} }
	for _, c := range []struct {
		name   string
		base   uint8
		kind   track.Kind
		weight ir.Weight
		status track.Status
		want   string // "priority", "fault …" or "waiting"
	}{
		{"above 0 adds while good", 100, track.Script, ir.Weight{N: 20}, good, "120"},
		{"above 0 adds nothing while bad", 100, track.Script, ir.Weight{N: 20}, bad, "100"},
		{"above 0 adds nothing yet", 100, track.Script, ir.Weight{N: 20}, unknown, "100"},
		{"below 0 takes while bad", 100, track.Script, ir.Weight{N: -30}, bad, "70"},
		{"below 0 takes nothing while good", 100, track.Script, ir.Weight{N: -30}, good, "100"},
		{"below 0 takes nothing yet", 100, track.Script, ir.Weight{N: -30}, unknown, "100"},
		{"reverse, good", 100, track.Script, ir.Weight{N: 5, Reverse: true}, good, "95"},
		{"reverse, bad", 100, track.Script, ir.Weight{N: 5, Reverse: true}, bad, "100"},
		{"none, good", 100, track.Script, ir.Weight{}, good, "100"},
		{"none, bad", 100, track.Script, ir.Weight{}, bad, "fault script x fails"},
		{"none, unknown", 100, track.Script, ir.Weight{}, unknown, "waiting script x"},
		{"none, reversed", 100, track.Script, ir.Weight{Reverse: true}, good, "fault script x succeeds"},
		{"interface down", 100, track.Interface, ir.Weight{}, bad, "fault x is down"},
		{"interface up with a weight", 100, track.Interface, ir.Weight{N: 20}, good, "120"},
		{"interface down with a weight", 100, track.Interface, ir.Weight{N: -40}, bad, "60"},
		{"file", 100, track.File, ir.Weight{N: 2}, value(3), "106"},
		{"file that is missing", 100, track.File, ir.Weight{N: 2}, unknown, "100"},
		{"file far below", 100, track.File, ir.Weight{N: 2}, value(-200), "fault file x says -200"},
		{"file reversed", 100, track.File, ir.Weight{N: 2, Reverse: true}, value(3), "94"},
		{"file without weight", 100, track.File, ir.Weight{}, value(5), "fault file x says 5"},
		{"file without weight, 0", 100, track.File, ir.Weight{}, value(0), "100"},
		{"not above 254", 250, track.Script, ir.Weight{N: 20}, good, "254"},
		{"not below 1", 10, track.Script, ir.Weight{N: -20}, bad, "1"},
		{"owner ignores weights", 255, track.Script, ir.Weight{N: -20}, bad, "255"},
		{"owner has faults", 255, track.Script, ir.Weight{}, bad, "fault script x fails"},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := track.Tracker{Thing: track.Thing{Kind: c.kind, Name: "x"}, Weight: c.weight}
			v := track.Judge(c.base, []track.Tracker{one}, func(track.Thing) track.Status { return c.status })
			got := fmt.Sprint(v.Priority)
			switch {
			case !v.Fault.IsZero():
				got = "fault " + v.Fault.String()
			case v.Waiting != track.Thing{}:
				got = "waiting " + v.Waiting.String()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSum(t *testing.T) {
	trackers := []track.Tracker{
		{Thing: track.Thing{Kind: track.Script, Name: "web"}, Weight: ir.Weight{N: 20}},
		{Thing: track.Thing{Kind: track.Interface, Name: "eth1"}, Weight: ir.Weight{N: -40}},
		{Thing: track.Thing{Kind: track.Process, Name: "bird"}, Weight: ir.Weight{N: -5}},
	}
	good := map[string]bool{"web": true, "bird": true}
	v := track.Judge(100, trackers, func(x track.Thing) track.Status { return track.Status{Known: true, Good: good[x.Name]} })
	if want := "100 + 20 (script web) - 40 (interface eth1)"; v.Sum.String() != want || v.Priority != 80 {
		t.Errorf("got %d = %s, want 80 = %s", v.Priority, v.Sum, want)
	}
}

// TestRuns checks a script's state by its results, one letter per run: g good, b bad, l lost, which has no result.
func TestRuns(t *testing.T) {
	for _, c := range []struct {
		name       string
		rise, fall int
		results    string
		standing   string
	}{
		{"the first counts at once", 3, 3, "b", "b"},
		{"falls after fall", 1, 3, "gbbb", "gggb"},
		{"a success in between", 1, 3, "gbbgbbb", "ggggggb"},
		{"rises after rise", 2, 1, "bgbgg", "bbbbg"},
		{"both at once", 1, 1, "gbg", "gbg"},
		{"lost ones change nothing", 2, 2, "gllllblblllbglg", "gggggggbbbbbbbg"},
		{"lost ones at first", 2, 2, "llg", "bbg"},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Unix(0, 0)
			r := track.NewRuns(now, track.Spec{Interval: time.Second, Timeout: time.Second, Rise: c.rise, Fall: c.fall}, track.Status{})
			var got []byte
			for i, result := range c.results {
				due, ok := r.Deadline()
				if want := time.Unix(int64(i), 0); !ok || !due.Equal(want) {
					t.Fatalf("run %d is due at %v, want %v", i, due, want)
				}
				now = due
				if _, run := r.Tick(now); !run {
					t.Fatalf("run %d does not begin", i)
				}
				before := r.Status()
				changed := false
				if result == 'l' {
					r.Lost(now.Add(300 * time.Millisecond))
				} else {
					changed = r.Done(now.Add(300*time.Millisecond), result == 'g')
				}
				if changed != (before != r.Status()) {
					t.Errorf("run %d: changed is %v", i, changed)
				}
				got = append(got, map[bool]byte{true: 'g', false: 'b'}[r.Status().Good])
			}
			if string(got) != c.standing {
				t.Errorf("got %s, want %s", got, c.standing)
			}
		})
	}
}

// TestSlowRun checks that a run that takes longer than the interval is followed by the next one at once.
func TestSlowRun(t *testing.T) {
	r := track.NewRuns(time.Unix(0, 0), track.Spec{Interval: time.Second, Timeout: time.Minute, Rise: 1, Fall: 1}, track.Status{})
	r.Tick(time.Unix(0, 0))
	if _, waits := r.Deadline(); waits {
		t.Error("it runs already")
	}
	r.Done(time.Unix(5, 0), true)
	if due, _ := r.Deadline(); !due.Equal(time.Unix(5, 0)) {
		t.Errorf("due at %v", due)
	}
}
