package health

import (
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
)

const refused = "connect: connection refused"

var epoch = time.Unix(1_000_000, 0)

// A row is the result of one probe, what the check makes of it, and the time to the next one.
type row struct {
	result  string
	verdict string // "up", "down: cause", or nothing new
	next    time.Duration
}

func TestCheck(t *testing.T) {
	const period, pause = 60 * time.Second, time.Second
	for _, c := range []struct {
		name  string
		retry int
		cause string // at the start
		rows  []row
	}{
		{"good from the start", 1, "", []row{{"", "", period}, {"", "", period}}},
		{"the first result of all is final", 3, "", []row{{refused, "down: " + refused, period}, {"", "up", period}}},
		{"alpha: down until the first success", 3, "not checked yet", []row{{refused, "", period}, {refused, "", period}, {"", "up", period}}},
		{"alpha: the first result may be a success", 3, "not checked yet", []row{{"", "up", period}}},
		{"retry 0: every failure is final", 0, "", []row{{"", "", period}, {refused, "down: " + refused, period}}},
		{"retry 2: the third failure in a row is final", 2, "", []row{
			{"", "", period}, {refused, "", pause}, {refused, "", pause}, {refused, "down: " + refused + " (3rd time)", period},
		}},
		{"a success in between forgives", 1, "", []row{
			{"", "", period}, {refused, "", pause}, {"", "", period}, {refused, "", pause}, {refused, "down: " + refused + " (2nd time)", period},
		}},
		{"what this machine lacks is not a verdict", 1, "", []row{
			{"lacks descriptors", "", period}, {refused, "down: " + refused, period}, {"lacks descriptors", "", period}, {"", "up", period},
			{refused, "", pause}, {"lacks ports", "", period}, {refused, "down: " + refused + " (2nd time)", period},
		}},
		{"what this machine lacks is no success either", 1, "not checked yet", []row{{"lacks descriptors", "", period}, {"", "up", period}}},
		{"while down there is no hurry, and one success is enough", 1, "", []row{
			{refused, "down: " + refused, period}, {refused, "", period}, {refused, "", period}, {"", "up", period},
			{refused, "", pause}, {refused, "down: " + refused + " (2nd time)", period},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := ir.CheckTiming{DelayLoop: period, DelayBeforeRetry: pause, Retry: c.retry, ConnectTimeout: 5 * time.Second}
			check := New(epoch, spec, Pages{}, c.cause, 0)
			for i, r := range c.rows {
				now, ok := check.Deadline()
				if !ok {
					t.Fatalf("probe %d: no deadline", i+1)
				}
				if f := check.Step(now, Tick{}); len(f) != 1 || f[0] != (Probe{Timeout: 5 * time.Second}) {
					t.Fatalf("probe %d: Tick gives %v", i+1, f)
				}
				now = now.Add(3 * time.Millisecond)
				if got := verdict(check.Step(now, Done{result(r.result)})); got != r.verdict {
					t.Errorf("probe %d: verdict %q, want %q", i+1, got, r.verdict)
				}
				if check.Up() != (check.Cause() == "") {
					t.Errorf("probe %d: up is %v, the cause %q", i+1, check.Up(), check.Cause())
				}
				if at, ok := check.Deadline(); !ok || at.Sub(now) != r.next {
					t.Errorf("probe %d: next after %v, want %v", i+1, at.Sub(now), r.next)
				}
			}
		})
	}
}

// TestPages checks what keepalived 2.2.7 was seen to do with the pages /a, /b and /c, and with one page.
func TestPages(t *testing.T) {
	const period, pause, down, again = 4 * time.Second, time.Second, "down: " + refused, "down: " + refused + " (3rd time)"
	type row struct {
		page    int
		result  string
		verdict string
		next    time.Duration
	}
	for _, c := range []struct {
		name  string
		pages Pages
		cause string // at the start
		rows  []row
	}{
		{"in turn", Pages{Count: 3}, "", []row{{0, "", "", period}, {1, "", "", period}, {2, "", "", period}, {0, "", "", period}}},
		{"the first failure of the first round is final", Pages{Count: 3}, "", []row{
			{0, "", "", period}, {1, refused, down, period}, {1, refused, "", period},
			{1, "", "", period}, {0, "", "", period}, {1, "", "", period}, {2, "", "up", period}, {0, "", "", period},
		}},
		{"the page that failed is tried again", Pages{Count: 3}, "", []row{
			{0, "", "", period}, {1, "", "", period}, {2, "", "", period}, {0, "", "", period},
			{1, refused, "", pause}, {1, refused, "", pause}, {1, refused, again, period}, {1, refused, "", period},
			{1, "", "", period}, {0, "", "", period}, {1, "", "", period}, {2, "", "up", period},
		}},
		{"a page that failed once is forgiven, and the next one follows", Pages{Count: 2}, "", []row{
			{0, "", "", period}, {1, "", "", period}, {0, refused, "", pause}, {0, "", "", period}, {1, "", "", period},
		}},
		{"another page fails on the way back", Pages{Count: 3}, "", []row{
			{0, "", "", period}, {1, refused, down, period}, {1, "", "", period}, {0, refused, "", period}, {0, "", "", period},
			{0, "", "", period}, {1, "", "", period}, {2, "", "up", period},
		}},
		{"one page comes back at the second success", Pages{Count: 1}, "", []row{{0, refused, down, period}, {0, "", "", period}, {0, "", "up", period}}},
		{"a round in a hurry", Pages{Count: 3, Hurry: true}, "", []row{
			{0, "", "", 0}, {1, "", "", 0}, {2, "", "", period}, {0, "", "", period},
			{1, refused, "", pause}, {1, refused, "", pause}, {1, refused, again, period},
			{1, "", "", 0}, {0, "", "", 0}, {1, "", "", 0}, {2, "", "up", period}, {0, "", "", period},
		}},
		{"alpha", Pages{Count: 2}, "not checked yet", []row{{0, "", "", period}, {1, "", "up", period}}},
		{"what this machine lacks does not turn the page", Pages{Count: 2}, "", []row{{0, "", "", period}, {1, "lacks ports", "", period}, {1, "", "", period}, {0, "", "", period}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := New(epoch, ir.CheckTiming{DelayLoop: period, DelayBeforeRetry: pause, Retry: 2}, c.pages, c.cause, 0)
			for i, r := range c.rows {
				now, _ := check.Deadline()
				if f := check.Step(now, Tick{}); len(f) != 1 || f[0] != (Probe{Page: r.page}) {
					t.Fatalf("probe %d: Tick gives %v, want page %d", i+1, f, r.page)
				}
				if got := verdict(check.Step(now, Done{result(r.result)})); got != r.verdict {
					t.Errorf("probe %d: verdict %q, want %q", i+1, got, r.verdict)
				}
				if at, ok := check.Deadline(); !ok || at.Sub(now) != r.next {
					t.Errorf("probe %d: next after %v, want %v", i+1, at.Sub(now), r.next)
				}
			}
		})
	}
}

// result is the result of a row; what this machine lacks comes after "lacks".
func result(text string) Result {
	if lack, ok := strings.CutPrefix(text, "lacks "); ok {
		return Result{Inconclusive: lack}
	}
	return Outcome(text)
}

func verdict(effects []Effect) string {
	if len(effects) == 0 {
		return ""
	}
	v := effects[0].(Verdict)
	if v.Up {
		return "up"
	}
	return "down: " + v.Cause
}

func TestFirstProbeIsSpreadOverTheWarmup(t *testing.T) {
	spec := ir.CheckTiming{Warmup: 10 * time.Second}
	for share, want := range map[float64]time.Duration{0: time.Second, 0.5: 6 * time.Second, 1: 11 * time.Second} {
		c := New(epoch, spec, Pages{}, "", share)
		if at, _ := c.Deadline(); at.Sub(epoch) != want {
			t.Errorf("share %v: after %v, want %v", share, at.Sub(epoch), want)
		}
	}
}

func TestOneProbeAtATime(t *testing.T) {
	c := New(epoch, ir.CheckTiming{DelayLoop: time.Minute}, Pages{}, "", 0)
	now := epoch.Add(time.Second)
	if f := c.Step(now.Add(-1), Tick{}); len(f) != 0 {
		t.Error("a probe before the deadline")
	}
	if f := c.Step(now, Done{Outcome(refused)}); len(f) != 0 || !c.Up() {
		t.Error("a result that nobody asked for counts")
	}
	c.Step(now, Tick{})
	if _, ok := c.Deadline(); ok {
		t.Error("a deadline while a probe is under way")
	}
	if f := c.Step(now.Add(time.Hour), Tick{}); len(f) != 0 {
		t.Error("a second probe while one is under way")
	}
}

func TestTimes(t *testing.T) {
	for n, want := range map[int]string{1: "", 2: " (2nd time)", 3: " (3rd time)", 4: " (4th time)", 11: " (11th time)", 12: " (12th time)", 13: " (13th time)", 21: " (21st time)", 22: " (22nd time)", 111: " (111th time)"} {
		if got := times(n); got != want {
			t.Errorf("times(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestQuorum(t *testing.T) {
	for _, c := range []struct {
		name             string
		need, hysteresis uint32
		live             []uint64
		lost             []bool
	}{
		{"one server is enough", 1, 0, []uint64{3, 1, 0, 1}, []bool{false, false, true, false}},
		{"lost below the quorum, back with it", 3, 0, []uint64{3, 2, 3}, []bool{false, true, false}},
		{"hysteresis on both sides", 3, 1, []uint64{4, 3, 2, 1, 2, 3, 4, 3}, []bool{false, false, false, true, true, true, false, false}},
		{"nothing left is always lost", 3, 9, []uint64{1, 0, 11, 12}, []bool{false, true, true, false}},
		{"large weights do not overflow", 1 << 31, 1 << 31, []uint64{1 << 33, 0, 1<<32 - 1, 1 << 32}, []bool{false, true, true, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := Quorum{Need: c.need, Hysteresis: c.hysteresis}
			for i, live := range c.live {
				was := q.Lost
				changed := q.Judge(live)
				if q.Lost != c.lost[i] || changed != (was != q.Lost) {
					t.Errorf("weight %d: lost %v, changed %v; want lost %v", live, q.Lost, changed, c.lost[i])
				}
			}
		})
	}
}

// TestStatistics counts probes with their results and times.
func TestStatistics(t *testing.T) {
	c := New(epoch, ir.CheckTiming{DelayLoop: time.Minute, Retry: 3}, Pages{}, "", 0)
	for _, r := range []string{"", refused, "lacks socket: too many open files", refused} {
		now, _ := c.Deadline()
		c.Step(now, Tick{})
		c.Step(now.Add(3*time.Millisecond), Done{result(r)})
	}
	c.Step(epoch, Done{result(refused)}) // nothing was probed
	if got, want := c.Statistics(), (Statistics{Checks: 4, Failures: 2, Inconclusive: 1, Duration: 12 * time.Millisecond}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
