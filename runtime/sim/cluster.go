package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/runtime/balance"
	"keepc/runtime/track"
)

// A Node is one director with its configuration, which must not change during a simulation.
type Node struct {
	Name   string
	Config *ir.Config
}

// A Port is an interface of a node with its segment.
type Port = cluster.Port

// A Cluster is directors and the segments that join them.
type Cluster struct {
	nodes []Node
	ports [][]Port // by node
}

// NewCluster returns the cluster of some nodes. Errors: names that a script could not distinguish from each other or
// from its own words.
func NewCluster(nodes []Node) (*Cluster, error) {
	c := &Cluster{nodes: nodes}
	seen := map[string]bool{}
	var wired []cluster.Node
	for _, n := range nodes {
		if err := Speakable(n.Name); err != nil {
			return nil, err
		}
		if seen[n.Name] {
			return nil, fmt.Errorf("two nodes are called %s", n.Name)
		}
		seen[n.Name] = true
		wired = append(wired, cluster.Node(n))
	}
	joined := cluster.New(wired)
	for i := range nodes {
		c.ports = append(c.ports, joined.Ports(i))
	}
	return c, nil
}

// Speakable returns an error for a name that a script cannot use.
func Speakable(name string) error {
	if name == "" || name == everybody || name == nobody || strings.ContainsAny(name, " \t\r\n;#,+") {
		return fmt.Errorf("%q cannot be the name of a node", name)
	}
	return nil
}

// Names returns the names of the nodes, in order.
func (c *Cluster) Names() []string {
	var names []string
	for _, n := range c.nodes {
		names = append(names, n.Name)
	}
	return names
}

func (c *Cluster) everybody() (all []int) {
	for i := range c.nodes {
		all = append(all, i)
	}
	return all
}

// find returns the index of a node, -1 if there is none with that name.
func (c *Cluster) find(name string) int { return slices.Index(c.Names(), name) }

func (c *Cluster) port(node int, name string) *Port {
	for k := range c.ports[node] {
		if p := &c.ports[node][k]; p.Interface == name {
			return p
		}
	}
	return nil
}

// Settle returns how long the cluster needs at most to settle after an event, in whole tens of seconds: two takeovers
// in a row, and the verdict of every check and script.
func (c *Cluster) Settle() time.Duration { return c.settle(10*time.Second, time.Second) }

// settle is Settle in whole units; shorter advertisement intervals count as the given one.
func (c *Cluster) settle(unit, least time.Duration) time.Duration {
	d := c.longest(func(v *ir.VRRPInstance) time.Duration {
		return 2 * (time.Duration(v.DownTimerAdverts+1)*max(v.AdvertInterval, least) + v.PreemptDelay)
	}, func(k *ir.Check) time.Duration {
		return k.Warmup + k.DelayLoop + time.Duration(k.Retry+1)*(k.DelayBeforeRetry+k.ConnectTimeout) + time.Second
	})
	var verdict time.Duration
	var delay time.Duration
	for _, n := range c.nodes {
		delay = max(delay, n.Config.Global.StartupDelay, n.Config.Global.DelayAfterBoot)
		for _, s := range n.Config.Scripts {
			verdict = max(verdict, time.Duration(max(s.Rise, s.Fall))*s.Interval)
		}
		for _, b := range n.Config.BFDs {
			verdict = max(verdict, b.IdleTX)
		}
	}
	return ((d+verdict+delay)/unit + 1) * unit
}

// longest returns the longest of some times of all instances and checks, at least a second.
func (c *Cluster) longest(instance func(*ir.VRRPInstance) time.Duration, check func(*ir.Check) time.Duration) time.Duration {
	d := time.Second
	for _, n := range c.nodes {
		for _, v := range n.Config.Instances {
			if instance != nil {
				d = max(d, instance(v))
			}
		}
		for _, s := range n.Config.VirtualServers {
			for _, r := range s.RealServers {
				for _, k := range r.Checks {
					if check != nil {
						d = max(d, check(k))
					}
				}
			}
		}
	}
	return d
}

// things lists what the instances of a node track besides interfaces, once each with its first weight, and what checks
// follow.
func things(cfg *ir.Config) (list []track.Tracker) {
	for _, v := range cfg.Instances {
		for _, t := range track.Of(v, cfg) {
			if t.Kind != track.Interface && !slices.ContainsFunc(list, func(x track.Tracker) bool { return x.Thing == t.Thing }) {
				list = append(list, t)
			}
		}
	}
	for _, b := range cfg.BFDs {
		if t := (track.Tracker{Thing: track.OfBFD(b)}); b.Neighbor.IsValid() && !slices.ContainsFunc(list, func(x track.Tracker) bool { return x.Thing == t.Thing }) {
			list = append(list, t) // checks may follow it
		}
	}
	checked := balance.Files(cfg)
	for _, f := range cfg.TrackFiles {
		t := track.Tracker{Thing: track.OfFile(f)}
		if checked[t.Thing] && !slices.ContainsFunc(list, func(x track.Tracker) bool { return x.Thing == t.Thing }) {
			list = append(list, t)
		}
	}
	return list
}
