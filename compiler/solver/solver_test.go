package solver

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// bad makes a tracker with a negative weight, good one with a positive weight.
func bad(weight int) Tracker  { return Tracker{[]int{0, -weight}} }
func good(weight int) Tracker { return Tracker{[]int{weight, 0}} }

func router(priority uint8, trackers ...Tracker) Router { return Router{priority, false, trackers} }
func lazy(priority uint8, trackers ...Tracker) Router   { return Router{priority, true, trackers} }

// TestMove checks the arithmetic of keepalived: priorities are clamped to 1..254, the owner ignores weights, equals do
// not preempt.
func TestMove(t *testing.T) {
	for _, k := range []struct {
		name    string
		routers []Router
		want    string // what tracker 0 of router 0 does: who takes over, and what has failed then
	}{
		{"a weight above the gap", []Router{router(150, bad(60)), router(100)}, "to 1: 0.0"},
		{"a weight below the gap", []Router{router(150, bad(20)), router(100)}, "never"},
		{"a weight equal to the gap: equals do not preempt", []Router{router(150, bad(50)), router(100)}, "never"},
		{"a positive weight is lost by a failure", []Router{router(100, good(60)), router(110)}, "to 1: 0.0"},
		{"both sides track: the gap is what counts", []Router{router(101, good(2)), router(100, good(2))}, "to 1: 0.0"},
		{"a gap above a positive weight", []Router{router(150, good(2)), router(100, good(2))}, "never"},
		{"two failures", []Router{router(150, bad(30), bad(30)), router(100)}, "to 1: 0.1 0.0"},
		{"the failures of the peer help", []Router{router(150, bad(30)), router(100, Tracker{[]int{0, 30}})}, "to 1: 1.0 0.0"},
		{"the peer does not preempt", []Router{router(150, bad(60)), lazy(100)}, "never"},
		{"the own nopreempt does not matter", []Router{lazy(150, bad(60)), router(100)}, "to 1: 0.0"},
		{"the owner", []Router{router(255, bad(60)), router(100)}, "never"},
		{"1 is the least", []Router{router(100, bad(250)), router(1)}, "never"},
		{"254 is the most: weights beyond it are lost", []Router{router(250, good(50)), router(240)}, "never"},
		{"the second router needs the first one gone", []Router{router(100, bad(60)), router(150), router(50)}, "to 2: 1 0.0"},
		{"a third one that does not preempt is no hindrance", []Router{router(100, bad(60)), lazy(150), router(50)}, "to 2: 0.0"},
		{"an owner elsewhere", []Router{router(100, bad(60)), router(255), router(50)}, "to 2: 1 0.0"},
		{"what only recovers", []Router{router(100, Tracker{[]int{-60, 0}}), router(90)}, "to 1: "},
		{"any number of a file", []Router{router(100, Tracker{[]int{0, 10, -10, 20, -20}}), router(85)}, "to 1: 0.0"},
		{"alone", []Router{router(100, bad(60))}, "never"},
	} {
		got := "never"
		if m, ok := New(k.routers).Move(0, 0); ok {
			got = fmt.Sprintf("to %d: %s", m.To, text(m.Failures))
		}
		if got != k.want {
			t.Errorf("%s: got %q, want %q", k.name, got, k.want)
		}
	}
}

func text(failures []Failure) string {
	var all []string
	for _, f := range failures {
		if f.Tracker == Gone {
			all = append(all, fmt.Sprint(f.Router))
		} else {
			all = append(all, fmt.Sprintf("%d.%d", f.Router, f.Tracker))
		}
	}
	return strings.Join(all, " ")
}

func TestOrder(t *testing.T) {
	e := New([]Router{router(100), router(90, good(20)), router(100), router(255, bad(9))})
	if got := e.Order(); !slices.Equal(got, []int{3, 1, 0, 2}) {
		t.Errorf("order %v", got)
	}
	if got := e.Rest(1); got != 110 {
		t.Errorf("at rest %d", got)
	}
}

// TestAgainstEveryCombination tries small clusters state by state.
func TestAgainstEveryCombination(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tracker := rapid.Custom(func(t *rapid.T) Tracker {
			return Tracker{rapid.SliceOfN(rapid.IntRange(-130, 130), 1, 3).Draw(t, "adds")}
		})
		one := rapid.Custom(func(t *rapid.T) Router {
			return Router{
				Priority:  rapid.SampledFrom([]uint8{1, 90, 100, 101, 150, 200, 254, 255}).Draw(t, "priority"),
				NoPreempt: rapid.Bool().Draw(t, "nopreempt"),
				Trackers:  rapid.SliceOfN(tracker, 0, 3).Draw(t, "trackers"),
			}
		})
		routers := rapid.SliceOfN(one, 1, 3).Draw(t, "routers")
		e := New(routers)
		for r := range routers {
			for k := range routers[r].Trackers {
				fewest, possible := slow(routers, r, k)
				m, ok := e.Move(r, k)
				if ok != possible || ok && len(m.Failures) != fewest {
					t.Fatalf("tracker %d.%d: %v %+v, want %v with %d failures", r, k, ok, m, possible, fewest)
				}
				if ok {
					prove(t, routers, r, k, m)
				}
			}
		}
	})
}

// A state is the results of the trackers of each router; nil: the router is gone.
type state [][]int

// states calls f with every state.
func states(routers []Router, f func(state)) {
	s := make(state, len(routers))
	var router func(int)
	router = func(i int) {
		if i == len(routers) {
			f(s)
			return
		}
		s[i] = nil
		router(i + 1)
		says := make([]int, len(routers[i].Trackers))
		var tracker func(int)
		tracker = func(k int) {
			if k == len(says) {
				s[i] = says
				router(i + 1)
				return
			}
			for says[k] = range routers[i].Trackers[k].Adds {
				tracker(k + 1)
			}
		}
		tracker(0)
	}
	router(0)
}

func (s state) failures() (n int) {
	for _, says := range s {
		if says == nil {
			n++
		}
		for _, k := range says {
			if k != 0 {
				n++
			}
		}
	}
	return n
}

// priority is the arithmetic of keepalived, written a second time.
func (s state) priority(routers []Router, i int) int {
	if routers[i].Priority == 255 {
		return 255
	}
	p := int(routers[i].Priority)
	for k, says := range s[i] {
		p += routers[i].Trackers[k].Adds[says]
	}
	return min(254, max(1, p))
}

// challenged reports whether somebody takes the role from a router.
func (s state) challenged(routers []Router, master int) bool {
	for i, r := range routers {
		if i != master && s[i] != nil && !r.NoPreempt && s.priority(routers, i) > s.priority(routers, master) {
			return true
		}
	}
	return false
}

// slow is Move by exhaustive search.
func slow(routers []Router, r, k int) (fewest int, possible bool) {
	states(routers, func(s state) {
		if s[r] == nil || s.challenged(routers, r) {
			return
		}
		before := s[r][k]
		for s[r][k] = range routers[r].Trackers[k].Adds {
			if s[r][k] != before && s.challenged(routers, r) && (!possible || s.failures() < fewest) {
				fewest, possible = s.failures(), true
			}
		}
		s[r][k] = before
	})
	return fewest, possible
}

// prove plays a Move: each failed tracker must have a result that makes it true.
func prove(t *rapid.T, routers []Router, r, k int, m Move) {
	failed := map[Failure]bool{}
	for _, f := range m.Failures {
		failed[f] = true
	}
	found := false
	states(routers, func(s state) {
		for i, says := range s {
			if failed[Failure{i, Gone}] != (says == nil) {
				return
			}
			for j, n := range says {
				if failed[Failure{i, j}] != (n != 0) {
					return
				}
			}
		}
		if !s.challenged(routers, r) || s.priority(routers, m.To) <= s.priority(routers, r) {
			return
		}
		after := s[r][k]
		for s[r][k] = range routers[r].Trackers[k].Adds {
			found = found || !s.challenged(routers, r)
		}
		s[r][k] = after
	})
	if !found {
		t.Fatalf("tracker %d.%d: %+v moves nothing", r, k, m)
	}
}

// BenchmarkMoves measures Move for five routers that track twelve things each: scripts of which no two combinations
// are equal, or files, which may hold any number.
func BenchmarkMoves(b *testing.B) {
	var number Tracker
	for n := range 255 {
		number.Adds = append(number.Adds, n, -n)
	}
	for _, k := range []struct {
		name    string
		tracker func(k int) Tracker
		ask     int // for how many of them
	}{
		{"scripts", func(k int) Tracker { return bad(1 << k) }, 12},
		{"a script among files", func(k int) Tracker { return []Tracker{bad(7), number}[min(k, 1)] }, 1},
	} {
		b.Run(k.name, func(b *testing.B) {
			var routers []Router
			for i := range 5 {
				r := Router{Priority: uint8(100 + 10*i)}
				for n := range 12 {
					r.Trackers = append(r.Trackers, k.tracker(n))
				}
				routers = append(routers, r)
			}
			for b.Loop() {
				e := New(routers)
				for i := range routers {
					for n := range k.ask {
						e.Move(i, n)
					}
				}
			}
		})
	}
}
