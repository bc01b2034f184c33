package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/compiler/solver"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// TestSolver compares what package solver says about a cluster, and with it the rules dead-weight, weak-weight and
// nopreempt-weight, with what happens to it: the failures that it names move the address, and where it says that
// nothing can, no combination that is tried does.
func TestSolver(t *testing.T) {
	moved, stayed := 0, 0
	for seed := range uint64(90) {
		x := newSolved(t, rand.New(rand.NewPCG(seed, 0)), seed >= 40)
		for r, watches := range x.group.Watches {
			for k := range watches {
				m, ok := x.group.Move(r, k)
				last := solver.Failure{Router: r, Tracker: k}
				switch {
				case watches[k].Kind == ir.FileTracker:
					continue // a move does not say what the file must hold
				case ok:
					others := m.Failures[:len(m.Failures)-1]
					if slices.ContainsFunc(others, x.isFile) {
						continue
					}
					if m.Failures[len(m.Failures)-1] != last {
						t.Fatalf("seed %d: %v is not the last of %v", seed, last, m.Failures)
					}
					before, after := x.play(others, last)
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

// isFile reports whether a failure is that of a tracked file.
func (x *solved) isFile(f solver.Failure) bool {
	return f.Tracker != solver.Gone && x.group.Watches[f.Router][f.Tracker].Kind == ir.FileTracker
}

// newSolved makes up two or three routers with at most two scripts each. rich: they may have nopreempt, a tracked
// file, a second interface with a weight, unicast, and a second instance in a sync group.
func newSolved(t *testing.T, random *rand.Rand, rich bool) *solved {
	var nodes []Node
	var wired []cluster.Node
	var all strings.Builder
	priorities := []int{60, 90, 100, 120, 150, 200, 240}
	random.Shuffle(len(priorities), func(i, j int) { priorities[i], priorities[j] = priorities[j], priorities[i] })
	often := func(n int) bool { return rich && random.IntN(n) == 0 }
	routers, unicast, synced, weighs := 2+random.IntN(2), often(3), often(3), random.IntN(2) == 0
	for i := range routers {
		var scripts, lines, more string
		weight := func() int { return []int{-120, -60, -30, -10, 10, 30, 60, 120}[random.IntN(8)] }
		for k := range 1 + random.IntN(2) {
			scripts += fmt.Sprintf("vrrp_script s%d {\n    script /bin/true\n    weight %d\n}\n", k, weight())
			lines += fmt.Sprintf("        s%d\n", k)
		}
		if often(3) {
			scripts += fmt.Sprintf("track_file f%d {\n    file /run/f%[1]d\n    weight %d\n}\n", i, 1+random.IntN(3))
			more += fmt.Sprintf("    track_file {\n        f%d\n    }\n", i)
		}
		if often(3) {
			more += fmt.Sprintf("    track_interface {\n        eth1 weight %d\n    }\n", weight())
		}
		if often(3) {
			more += "    nopreempt\n"
		}
		if unicast {
			more += fmt.Sprintf("    unicast_src_ip 192.0.2.%d\n    unicast_peer {\n", i+1)
			for o := range routers {
				if o != i {
					more += fmt.Sprintf("        192.0.2.%d\n", o+1)
				}
			}
			more += "    }\n"
		}
		text := fmt.Sprintf("%svrrp_instance V {\n    interface eth0\n    virtual_router_id 7\n    priority %d\n    virtual_ipaddress {\n        192.0.2.10/24\n    }\n    track_script {\n%s    }\n%s}\n",
			scripts, priorities[i], lines, more)
		if synced {
			text += strings.NewReplacer("V {", "W {", "router_id 7", "router_id 8", "2.10/24", "2.11/24").Replace(text[strings.Index(text, "vrrp_instance"):])
			text += "vrrp_sync_group G {\n    group {\n        V\n        W\n    }\n"
			if weighs {
				text += "    sync_group_tracking_weight\n"
			}
			text += "}\n"
		}
		all.WriteString(text)
		u := compiler.Load(source.New("lb.conf", []byte(text)), compiler.Options{}).Literal() // a weight in a sync group is an error: keepalived drops the tracker, unless it is an interface
		if u.Findings.Has(diag.Error) && (!synced || weighs) {
			t.Fatal(u.Findings, text)
		}
		nodes = append(nodes, Node{fmt.Sprint("lb", i), u.Config})
		wired = append(wired, cluster.Node(nodes[i]))
	}
	c := cluster.New(wired)
	return &solved{t, random, all.String(), newCluster(t, nodes...), solver.Of(c, c.Groups()[0])}
}

// play starts one router first, lets other things fail, then one of its trackers, and returns who holds the address
// before that and in the end.
func (x *solved) play(others []solver.Failure, last solver.Failure) (before, after int) {
	var b strings.Builder
	b.WriteString("at 0s kill all\n")
	for _, f := range others {
		if f.Tracker != solver.Gone {
			fmt.Fprintf(&b, "at 1s %s\n", x.deed(f))
		}
	}
	fmt.Fprintf(&b, "at 2s start lb%d\n", last.Router)
	for r := range x.group.Members {
		if r != last.Router && !slices.Contains(others, solver.Failure{Router: r, Tracker: solver.Gone}) {
			fmt.Fprintf(&b, "at 20s start lb%d\n", r)
		}
	}
	fmt.Fprintf(&b, "at 60s %s\nat 100s end\n", x.deed(last))
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

// deed writes a failure in the words of a script.
func (x *solved) deed(f solver.Failure) string {
	if f.Tracker == solver.Gone {
		return fmt.Sprint("kill lb", f.Router)
	}
	switch w := x.group.Watches[f.Router][f.Tracker]; w.Kind {
	case ir.FileTracker:
		return fmt.Sprintf("write lb%d %s %d", f.Router, w.Name, []int{-254, -60, -7, 7, 60, 254}[x.random.IntN(6)])
	case ir.InterfaceTracker:
		return fmt.Sprintf("down lb%d %s", f.Router, w.Name)
	default:
		return fmt.Sprintf("fail lb%d %s", f.Router, w.Name)
	}
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
