// Package sim plays a cluster of directors on a virtual wire with a virtual clock. The machines are those of the
// daemon; what is simulated is the world around them: interfaces, packets, real servers, power. Equal arguments give
// equal runs, to the last bit.
package sim

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// Options are those of a run.
type Options struct {
	Loss   float64       // the share of advertisements that a receiver loses, from 0 to 1
	Delay  time.Duration // of every packet
	Jitter time.Duration // a packet is delayed by up to this much more
	Seed   uint64        // of everything random: loss, jitter, the spread of first health checks
	// SameAddresses lets routers drop advertisements with addresses that differ from theirs, as keepalived does
	// (measured with 2.2.7, issue 1603) unless skip_check_adv_addr says otherwise; the protocol does not ask for it.
	SameAddresses bool
	// Clears names the directors that remove at their start what an earlier run left, as keepalived does; others
	// continue from it.
	Clears []string
	// Packets puts every advertisement and probe into the trace.
	Packets bool
}

// moment is the minimum duration of a handover on an ideal wire: nodes that are due at the same instant act before any
// of them learns what another did.
const moment = time.Microsecond

// epoch is the virtual start for the machines, to which the zero time has a meaning.
var epoch = time.Unix(0, 0)

// A Run is what happened.
type Run struct {
	End       time.Duration
	Trace     []Entry
	History   History
	Expected  int        // expectations judged
	Failed    []Finding  // those that were not met
	Snapshots []Snapshot // in the order of Script.Snapshots
}

// A Snapshot is what every node wants to exist at a time; nil: it does not run.
type Snapshot []*state.State

// Play starts all nodes at once and plays a script.
func Play(c *Cluster, s Script, o Options) Run {
	w := &world{
		Options: o, cluster: c,
		segments: map[string][]station{},
		blocked:  map[path]bool{},
		broken:   map[netip.Addr]bool{}, refusing: map[netip.AddrPort]bool{},
		random:   rand.New(rand.NewPCG(o.Seed, 0)),
		recorder: recorder{histories: map[netip.Addr]*history{}},
	}
	for i := range c.nodes {
		w.nodes = append(w.nodes, newNode(w, i))
	}
	for _, step := range s.steps {
		w.plan(&event{rank: scripted, do: func() { w.perform(step) }}, step.at)
	}
	for _, at := range s.Snapshots {
		w.plan(&event{rank: verdict, do: w.snapshot}, at)
	}
	for _, n := range w.nodes {
		w.adopt(n.cfg)
	}
	for _, n := range w.nodes {
		w.start(n)
	}
	w.run(s.End)
	return w.finish()
}

// A world is the nodes and everything around them.
type world struct {
	Options
	clock
	recorder
	cluster  *Cluster
	nodes    []*node
	segments map[string][]station
	blocked  map[path]bool
	broken   map[netip.Addr]bool     // addresses of real servers that do not answer
	refusing map[netip.AddrPort]bool // real servers that refuse connections
	random   *rand.Rand
	waiting  []*expectation
	result   Run
}

// perform does what a step says. Expectations that come before a deed at the same instant are judged before it.
func (w *world) perform(s step) {
	if s.deed.do == nil {
		w.expect(s)
		return
	}
	for _, x := range slices.Clone(w.waiting) {
		if x.event.slot != 0 && x.event.at == w.now {
			w.conclude(x)
		}
	}
	w.record(Entry{Kind: Done, Line: s.line, Text: s.deed.text})
	s.deed.do(w)
	w.judge()
}

// finish ends the run.
func (w *world) finish() Run {
	r := &w.result
	r.End = w.now
	r.History = w.recorder.end(w.now)
	w.concludeAll(r.History)
	slices.SortStableFunc(r.Failed, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	r.Trace = withAlarms(w.trace, r.History, w.cluster.Names())
	return *r
}

func (w *world) snapshot() {
	s := make(Snapshot, len(w.nodes))
	for i, n := range w.nodes {
		if n.brains != nil {
			want := n.brains.want()
			s[i] = &want
		}
	}
	w.result.Snapshots = append(w.result.Snapshots, s)
}

// adopt records the addresses of a configuration: from now on, time without a holder is a gap.
func (w *world) adopt(cfg *ir.Config) {
	for _, v := range cfg.Instances {
		for _, a := range v.Addresses {
			w.watch(w.now, a.Prefix.Addr())
		}
	}
}

// forget ends the record of what no configuration has any longer.
func (w *world) forget(old *ir.Config) {
	wanted := map[netip.Addr]bool{}
	for _, n := range w.nodes {
		for _, v := range n.cfg.Instances {
			for _, a := range v.Addresses {
				wanted[a.Prefix.Addr()] = true
			}
		}
	}
	for _, v := range old.Instances {
		for _, a := range v.Addresses {
			if !wanted[a.Prefix.Addr()] {
				w.unwatch(w.now, a.Prefix.Addr())
			}
		}
	}
}

// time returns the current time as the machines know it.
func (w *world) time() time.Time { return epoch.Add(w.now) }
