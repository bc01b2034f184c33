package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"keepc/compiler/cluster"
	"keepc/compiler/solver"
)

// TestSolver holds what package solver says of a cluster against what happens to it: the failures that it names move the address, and
// where it says that nothing can, no combination that is tried does.
func TestSolver(t *testing.T) {
	moved, stayed := 0, 0
	for seed := range uint64(40) {
		x := newSolved(t, rand.New(rand.NewPCG(seed, 0)))
		for r, watches := range x.group.Watches {
			for k := range watches {
				m, ok := x.group.Move(r, k)
				last := solver.Failure{Router: r, Tracker: k}
				switch {
				case ok:
					others := m.Failures[:len(m.Failures)-1]
					if m.Failures[len(m.Failures)-1] != last {
						t.Fatalf("seed %d: %v is not the last of %v", seed, last, m.Failures)
					}
					before, after := x.play(others, last)
					if before != r && x.tie(others) {
						continue // it could have been the MASTER, and was not
					}
					if moved++; before != r || after == r {
						t.Errorf("seed %d: after %v the holder is %d, after %v too it is %d; want %d and another\n%s", seed, others, before, last, after, r, x.text)
					}
				default:
					for range 4 {
						others := x.anyFailures(last)
						if before, after := x.play(others, last); before == r && after != r {
							t.Errorf("seed %d: %v moves the address from %d to %d after %v, which cannot be\n%s", seed, last, before, after, others, x.text)
						}
						stayed++
					}
				}
			}
		}
	}
	t.Logf("%d moves played, %d that cannot be", moved, stayed)
	if moved < 40 || stayed < 40 {
		t.Error("too few to say much")
	}
}

// A solved is a cluster with its election.
type solved struct {
	*testing.T
	random  *rand.Rand
	text    string
	cluster *Cluster
	group   solver.Group
}

// newSolved makes up two or three routers with at most two scripts each.
func newSolved(t *testing.T, random *rand.Rand) *solved {
	var nodes []Node
	var wired []cluster.Node
	var all strings.Builder
	priorities := []int{60, 90, 100, 120, 150, 200, 240}
	random.Shuffle(len(priorities), func(i, j int) { priorities[i], priorities[j] = priorities[j], priorities[i] })
	for i := range 2 + random.IntN(2) {
		var scripts, lines string
		for k := range 1 + random.IntN(2) {
			weight := []int{-120, -60, -30, -10, 10, 30, 60, 120}[random.IntN(8)]
			scripts += fmt.Sprintf("vrrp_script s%d {\n    script /bin/true\n    weight %d\n}\n", k, weight)
			lines += fmt.Sprintf("        s%d\n", k)
		}
		text := fmt.Sprintf("%svrrp_instance V {\n    interface eth0\n    virtual_router_id 7\n    priority %d\n    virtual_ipaddress {\n        192.0.2.10/24\n    }\n    track_script {\n%s    }\n}\n",
			scripts, priorities[i], lines)
		all.WriteString(text)
		cfg, err := compile("lb.conf", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, Node{fmt.Sprint("lb", i), cfg})
		wired = append(wired, cluster.Node(nodes[i]))
	}
	c := cluster.New(wired)
	return &solved{t, random, all.String(), newCluster(t, nodes...), solver.Of(c, c.Groups()[0])}
}

// play lets things fail, then one more, and returns who holds the address before that and in the end.
func (x *solved) play(others []solver.Failure, last solver.Failure) (before, after int) {
	var b strings.Builder
	for _, f := range others {
		fmt.Fprintf(&b, "at 20s %s\n", deed(f))
	}
	fmt.Fprintf(&b, "at 60s %s\nat 100s end\n", deed(last))
	s, found := Parse(b.String(), x.cluster, nil)
	if len(found) > 0 {
		x.Fatal(found, b.String())
	}
	history := Play(x.cluster, s, Options{}).History[0]
	holder := -1
	for _, span := range history.Spans {
		if len(span.Nodes) == 1 {
			holder = span.Nodes[0]
		}
		if span.From.Seconds() < 60 {
			before = holder
		}
	}
	return before, holder
}

func deed(f solver.Failure) string {
	if f.Tracker == solver.Gone {
		return fmt.Sprint("kill lb", f.Router)
	}
	return fmt.Sprintf("fail lb%d s%d", f.Router, f.Tracker)
}

// anyFailures picks some things that may have failed before.
func (x *solved) anyFailures(last solver.Failure) (all []solver.Failure) {
	for r, watches := range x.group.Watches {
		if r != last.Router && x.random.IntN(4) == 0 {
			all = append(all, solver.Failure{Router: r, Tracker: solver.Gone})
			continue
		}
		for k := range watches {
			if f := (solver.Failure{Router: r, Tracker: k}); f != last && x.random.IntN(2) == 0 {
				all = append(all, f)
			}
		}
	}
	return all
}

// tie tells whether two routers that are there have one priority after some failures, so that who was first matters.
func (x *solved) tie(failed []solver.Failure) bool {
	seen := map[int]bool{}
	gone := map[solver.Failure]bool{}
	for _, f := range failed {
		gone[f] = true
	}
	for r, m := range x.group.Members {
		if gone[solver.Failure{Router: r, Tracker: solver.Gone}] {
			continue
		}
		p := int(m.Priority)
		for k, w := range x.group.Watches[r] {
			p += w.Weight.Adds(!gone[solver.Failure{Router: r, Tracker: k}])
		}
		p = min(max(p, 1), 254)
		if seen[p] {
			return true
		}
		seen[p] = true
	}
	return false
}
