package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/compiler"
	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/grammar/source"
)

// TestElectionRules holds what the rules about elections say of a cluster against what happens to it: each finding promises something, and
// random clusters are played until each promise was looked at often enough.
func TestElectionRules(t *testing.T) {
	played := map[string]int{}
	for seed := range uint64(1000) {
		x := newElected(t, rand.New(rand.NewPCG(seed, 1)))
		for rule, found := range x.found {
			for _, m := range found {
				if promise, some := promises[rule]; some && x.group == (rule == "sync-group-order") { // a group moves by its other member, too
					wrong, some := promise(x, m)
					if wrong != "" {
						t.Errorf("seed %d: %s about lb%d: %s\n%s", seed, rule, m, wrong, x.text)
					}
					if some {
						played[rule]++
					}
				}
			}
		}
		// Where nothing is found, and nothing is weighed, the order is that of the priorities.
		if len(x.found) == 0 && !x.group && x.rest(x.top()) == int(x.configs[x.top()].Priority) && !x.lazy() {
			if holder := x.holder("at 30s end\n"); holder != x.top() {
				t.Errorf("seed %d: nothing is found, and lb%d holds the address, not lb%d\n%s", seed, holder, x.top(), x.text)
			}
			played["nothing"]++
		}
	}
	t.Log(played)
	for rule := range promises {
		if played[rule] < 10 {
			t.Errorf("%s: only %d clusters", rule, played[rule])
		}
	}
}

// promises tell what a finding about a router promises, and what is wrong with that in the cluster; played: it could be tried.
var promises = map[string]func(x *elected, m int) (wrong string, played bool){
	// It begins as BACKUP all the same, and the other one is MASTER by its higher priority.
	"two-masters": func(x *elected, m int) (wrong string, played bool) {
		alone := x.spans(fmt.Sprintf("at 0s kill all; start lb%d\nat 10s end\n", m))
		if len(alone[0].Nodes) > 0 || alone[0].To < 3*time.Second {
			return fmt.Sprintf("it does not listen first: %v", alone), true
		}
		if holder := x.holder("at 30s end\n"); holder == m && len(x.found["order-at-rest"]) == 0 {
			return "it holds the address in the end", true
		}
		return "", true
	},
	// The MASTER loses the addresses as soon as this one runs, unless it has nopreempt.
	"backup-above-master": func(x *elected, m int) (wrong string, played bool) {
		master := slices.IndexFunc(x.configs, func(v *ir.VRRPInstance) bool { return v.State == ir.Master && v.Priority < x.configs[m].Priority })
		if first := x.holder(fmt.Sprintf("at 0s kill all; start lb%d\nat 10s end\n", master)); first != master {
			return fmt.Sprintf("lb%d holds the address where lb%d alone runs", first, master), true
		}
		after := x.holder(fmt.Sprintf("at 0s kill all; start lb%d\nat 10s start lb%d\nat 30s end\n", master, m))
		if want := map[bool]int{true: master, false: m}[x.configs[m].NoPreempt]; after != want {
			return fmt.Sprintf("lb%d holds the address at last, not lb%d", after, want), true
		}
		return "", true
	},
	// Whoever is MASTER first stays so.
	"equal-priority": func(x *elected, m int) (wrong string, played bool) {
		for i := range x.configs {
			for j := range x.configs {
				if i == j || x.rest(i) != x.rest(m) || x.rest(j) != x.rest(m) {
					continue
				}
				if holder := x.holder(fmt.Sprintf("at 0s kill all; start lb%d\nat 10s start lb%d\nat 30s end\n", i, j)); holder != i {
					return fmt.Sprintf("lb%d takes over from lb%d", holder, i), true
				}
			}
		}
		return "", true
	},
	// While all is well this one holds the address, though another one has the highest priority of the files.
	"order-at-rest": func(x *elected, m int) (wrong string, played bool) {
		if x.lazy() || len(x.found["equal-priority"]) > 0 {
			return "", false
		}
		if holder := x.holder("at 30s end\n"); holder != m {
			return fmt.Sprintf("lb%d holds the address", holder), true
		}
		return "", true
	},
	// On the wrong side, the router with the highest priority takes the role back after a repair; on the right one, it does not.
	"nopreempt-one-side": func(x *elected, m int) (wrong string, played bool) {
		top := x.top()
		for i := range x.configs {
			if i != top && x.rest(i) >= x.rest(top) {
				return "", false // a weight gives the role to another one
			}
		}
		holder := x.holder(fmt.Sprintf("at 20s kill lb%d\nat 40s start lb%[1]d\nat 60s end\n", top))
		if back := holder == top; back == x.configs[top].NoPreempt {
			return fmt.Sprintf("the role comes back to lb%d: %v", top, back), true
		}
		return "", true
	},
	// Neither router takes the group from the other one.
	"sync-group-order": func(x *elected, _ int) (wrong string, played bool) {
		if len(x.configs) > 2 || strings.Contains(x.text, "nopreempt") {
			return "", false // a third one, or one that preempts nobody, may settle it
		}
		for first := range 2 {
			if holder := x.holder(fmt.Sprintf("at 0s kill all; start lb%d\nat 10s start lb%d\nat 60s end\n", first, 1-first)); holder != first {
				return fmt.Sprintf("lb%d is first, and lb%d holds the group in the end", first, holder), true
			}
		}
		return "", true
	},
}

// An elected is a cluster with what the rules find in it.
type elected struct {
	*testing.T
	text    string
	cluster *Cluster
	configs []*ir.VRRPInstance // the instance V of each router
	group   bool               // it is in a sync group
	found   map[string][]int   // the routers that a rule finds something about
}

// newElected makes up two or three routers with states, priorities, nopreempt and scripts whose weights are added while they are well; some
// have a second instance in a sync group.
func newElected(t *testing.T, random *rand.Rand) *elected {
	x := &elected{T: t, found: map[string][]int{}, group: random.IntN(4) == 0}
	var nodes []Node
	var wired []cluster.Node
	var about []lint.About
	often := func(n int) bool { return random.IntN(n) == 0 }
	for i := range 2 + random.IntN(2) {
		priority := func() int { return []int{60, 100, 100, 150, 200}[random.IntN(5)] }
		instance := func(name string, vrid int) string {
			lines := fmt.Sprintf("    interface eth0\n    virtual_router_id %d\n    priority %d\n    virtual_ipaddress {\n        192.0.2.%d/24\n    }\n", vrid, priority(), vrid)
			switch {
			case often(2):
				lines += "    state MASTER\n"
			case often(2):
				lines += "    state BACKUP\n"
			}
			if often(4) {
				lines += "    nopreempt\n"
			}
			if !x.group && often(2) {
				lines += "    track_script {\n        s\n    }\n"
			}
			return "vrrp_instance " + name + " {\n" + lines + "}\n"
		}
		text := fmt.Sprintf("vrrp_script s {\n    script /bin/true\n    weight %d\n}\n", []int{2, 20, 60}[random.IntN(3)]) + instance("V", 7)
		if x.group {
			text += instance("W", 8) + "vrrp_sync_group G {\n    group {\n        V\n        W\n    }\n}\n"
		}
		x.text += fmt.Sprintf("-- lb%d --\n%s", i, text)
		name := fmt.Sprint("lb", i)
		u := compiler.Load(source.New(name, []byte(text)), compiler.Options{Peers: true})
		cfg := u.Config
		nodes, wired = append(nodes, Node{name, cfg}), append(wired, cluster.Node{Name: name, Config: cfg})
		about = append(about, lint.About{Findings: u.All})
		x.configs = append(x.configs, cfg.Instances[0])
	}
	x.cluster = newCluster(t, nodes...)
	for i, found := range lint.Compare(cluster.New(wired), about).Findings {
		for _, d := range found {
			if strings.Contains(d.Message, "W") && d.Rule != "sync-group-order" {
				continue // about the other instance
			}
			x.found[d.Rule] = append(x.found[d.Rule], i)
		}
	}
	return x
}

// lazy reports whether a router has nopreempt.
func (x *elected) lazy() bool {
	return slices.ContainsFunc(x.configs, func(v *ir.VRRPInstance) bool { return v.NoPreempt })
}

// rest is the priority of a router while all is well.
func (x *elected) rest(i int) int {
	v := x.configs[i]
	rest := int(v.Priority)
	for _, s := range v.TrackScripts {
		rest += s.Weight.N
	}
	return min(max(rest, 1), 254)
}

// top is the router with the highest priority of the files.
func (x *elected) top() (top int) {
	for i, v := range x.configs {
		if v.Priority > x.configs[top].Priority {
			top = i
		}
	}
	return top
}

// spans plays a script in which all start together at first, and tells who holds the address of V when.
func (x *elected) spans(script string) []Span {
	x.Helper()
	return Play(x.cluster, parse(x, x.cluster, script), Options{}).History[0].Spans
}

// holder is who holds it in the end; -1: nobody, or several.
func (x *elected) holder(script string) int {
	x.Helper()
	spans := slices.DeleteFunc(slices.Clone(x.spans(script)), func(s Span) bool { return s.To-s.From < time.Millisecond })
	if last := spans[len(spans)-1].Nodes; len(last) == 1 {
		return last[0]
	}
	return -1
}
