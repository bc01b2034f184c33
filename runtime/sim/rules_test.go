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

// TestElectionRules compares what the rules about elections say about a cluster with what happens to it: each finding
// makes a promise, and random clusters are played until each promise was tested often enough.
func TestElectionRules(t *testing.T) {
	played := map[string]int{}
	for seed := range uint64(1000) {
		x := newElected(t, rand.New(rand.NewPCG(seed, 1)))
		for rule, found := range x.found {
			for _, m := range found {
				if promise, some := promises[rule]; some && x.group == (rule == "sync-group-order") { // a group also moves because of its other member
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
		// Without findings and weights, the order is that of the priorities.
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

// promises check what a finding about a router promises, and return what is wrong with that in the cluster; played: it
// could be tested.
var promises = map[string]func(x *elected, m int) (wrong string, played bool){
	// It begins as BACKUP all the same, and the other router is MASTER because of its higher priority.
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
	// The MASTER loses the addresses as soon as this router runs, unless it has nopreempt.
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
	// The router that is MASTER first remains MASTER.
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
	// While all is well this router holds the address, though another has the highest priority in the files.
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
				return "", false // a weight moves the role
			}
		}
		holder := x.holder(fmt.Sprintf("at 20s kill lb%d\nat 40s start lb%[1]d\nat 60s end\n", top))
		if back := holder == top; back == x.configs[top].NoPreempt {
			return fmt.Sprintf("the role comes back to lb%d: %v", top, back), true
		}
		return "", true
	},
	// Neither router takes the group from the other.
	"sync-group-order": func(x *elected, _ int) (wrong string, played bool) {
		if len(x.configs) > 2 || strings.Contains(x.text, "nopreempt") {
			return "", false // a third router, or one that preempts nobody, may settle it
		}
		for first := range 2 {
			if holder := x.holder(fmt.Sprintf("at 0s kill all; start lb%d\nat 10s start lb%d\nat 60s end\n", first, 1-first)); holder != first {
				return fmt.Sprintf("lb%d is first, and lb%d holds the group in the end", first, holder), true
			}
		}
		return "", true
	},
}

// An elected is a cluster with the findings of the rules.
type elected struct {
	*testing.T
	text    string
	cluster *Cluster
	configs []*ir.VRRPInstance // the instance V of each router
	group   bool               // it is in a sync group
	found   map[string][]int   // by rule: the routers that have a finding
}

// newElected makes up two or three routers with states, priorities, nopreempt and scripts whose weights are added
// while they succeed; some have a second instance in a sync group.
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

// top returns the router with the highest priority in the files.
func (x *elected) top() (top int) {
	for i, v := range x.configs {
		if v.Priority > x.configs[top].Priority {
			top = i
		}
	}
	return top
}

// spans plays a script in which all nodes start together first, and returns who holds the address of V when.
func (x *elected) spans(script string) []Span {
	x.Helper()
	return Play(x.cluster, parse(x, x.cluster, script), Options{}).History[0].Spans
}

// holder returns the holder in the end; -1: none, or several.
func (x *elected) holder(script string) int {
	x.Helper()
	spans := slices.DeleteFunc(slices.Clone(x.spans(script)), func(s Span) bool { return s.To-s.From < time.Millisecond })
	if last := spans[len(spans)-1].Nodes; len(last) == 1 {
		return last[0]
	}
	return -1
}

// TestServicesPart checks what the rule services-part says: a failure can lead the address of a service and the
// gateway of its real servers to different directors, and a sync group prevents that.
func TestServicesPart(t *testing.T) {
	const text = "virtual_server 192.0.2.10 80 {\nlb_algo rr\nlb_kind NAT\nprotocol TCP\nreal_server 198.51.100.21 80 {\nTCP_CHECK {\n}\n}\n}\n" +
		"vrrp_instance A {\ninterface eth0\nvirtual_router_id 7\npriority %[1]d\nvirtual_ipaddress {\n192.0.2.10/24\n}\n}\n" +
		"vrrp_instance B {\ninterface eth1\nvirtual_router_id 8\npriority %[1]d\nvirtual_ipaddress {\n198.51.100.1/24\n}\n}\n"
	for _, group := range []string{"", "vrrp_sync_group G {\ngroup {\nA\nB\n}\n}\n"} {
		var nodes []Node
		warned := false
		for i, name := range []string{"lb0", "lb1"} {
			u := compiler.Load(source.New(name, fmt.Appendf(nil, text+group, 200-100*i)), compiler.Options{})
			nodes = append(nodes, Node{name, u.Config})
			for _, d := range u.Findings {
				warned = warned || d.Rule == "services-part"
			}
		}
		c := newCluster(t, nodes...)
		parted := false
		for _, dev := range []string{"eth0", "eth1"} {
			h := Play(c, parse(t, c, "at 20s down lb0 "+dev+"\nat 60s end\n"), Options{}).History
			service, gateway := h[0].Spans, h[1].Spans
			parted = parted || !slices.Equal(service[len(service)-1].Nodes, gateway[len(gateway)-1].Nodes)
		}
		if warned != parted || warned != (group == "") {
			t.Errorf("with %q: the rule warns: %v; a failure parts the addresses: %v", group, warned, parted)
		}
	}
}
