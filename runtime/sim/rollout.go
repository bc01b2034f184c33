package sim

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
)

// A Rollout is the transition of a cluster from its files to new ones: one node after another reloads its new file.
type Rollout struct {
	cluster *Cluster
	next    []*ir.Config // by node; nil: it keeps its file
	Options Options
	Played  func() // called after each rehearsal; nil: not called
}

// NewRollout returns the rollout of new files, one for each node; nil if a node keeps its file.
func (c *Cluster) NewRollout(next []*ir.Config, o Options) *Rollout {
	r := &Rollout{cluster: c.directors(), Options: o}
	for _, cfg := range next {
		if cfg != nil { // services neither notice nor affect what happens to instances
			alone := *cfg
			alone.VirtualServers = nil
			cfg = &alone
		}
		r.next = append(r.next, cfg)
	}
	return r
}

// A Trial is a rollout in one order, and its result.
type Trial struct {
	Steps []Step
	// Before is what was wrong before the first step; it does not count.
	Before []Trouble
}

// A Step is the reload of one node, until the next one.
type Step struct {
	Node     int
	Manner   Manner
	Moves    []Move
	Troubles []Trouble
}

// A Manner is how a node gets its new file.
type Manner uint8

const (
	Reload  Manner = iota
	StopIt         // it stops, with its old file
	StartIt        // it starts, with its new one
)

func (m Manner) String() string { return [...]string{"reload", "stop", "start"}[m] }

// A Move is an address with a different holder after a step.
type Move struct {
	Instance string // of the new holder, or else of the old one
	Address  netip.Addr
	From, To []int
	// Lost and Gained are the priorities of the only node that loses it and of the only node that gains it; 0: there
	// is no such node.
	Lost, Gained uint8
}

// A Trouble is an address that no node holds during a step, or several nodes do.
type Trouble struct {
	Address      netip.Addr
	Gap, Overlap time.Duration
	Holders      []int // in the end
	Stays        bool  // until the next step, or forever if this is the last
}

// Clean reports whether no address was ever without a holder or had two.
func (t Trial) Clean() bool { return t.cost() == 0 }

// cost returns how long addresses were without a holder or had several, in total.
func (t Trial) cost() (d time.Duration) {
	for _, s := range t.Steps {
		for _, x := range s.Troubles {
			d += x.Gap + x.Overlap
		}
	}
	return d
}

// A Result is the result of a search for an order.
type Result struct {
	Best   Trial
	Played int // orders that were played, or ruled out by their first steps
	Orders int // all possible orders
	// Backwards is the best order reversed, if the order is clean and the reverse is not: then the order matters.
	Backwards *Trial
	// Standby is a workaround if no order is clean: all nodes but one stop, that one reloads, and the others start
	// again. Nil: not needed, or not clean either.
	Standby *Trial
}

// maxTrials is how often the cluster is played in the search for an order.
const maxTrials = 300

// Search looks for an order of reloads in which every address always has exactly one holder. If there is none, the
// result is the order with the least trouble.
//
// Nodes that hold nothing come first if that makes no difference: what fails then fails where nobody is served.
func (r *Rollout) Search() Result {
	s := search{Rollout: r}
	var all []int
	for i, cfg := range r.next {
		if cfg != nil {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		return Result{}
	}
	s.orders = factorial(len(all))
	s.extend(nil, r.idleFirst(all))
	result := Result{Best: s.best, Played: s.played, Orders: s.orders}
	if !s.best.Clean() {
		result.Standby = r.aroundStandby(all)
		return result
	}
	steps := slices.Clone(s.best.Steps)
	slices.Reverse(steps)
	if t := r.Play(steps); !t.Clean() {
		result.Backwards = &t
	}
	return result
}

// A search walks through orders, depth first. An order with an unclean beginning is not clean.
type search struct {
	*Rollout
	best           Trial
	found          bool
	trials, played int
	orders         int
}

// extend tries all orders with a beginning. It reports whether to stop: one is clean, or enough were tried.
func (s *search) extend(begun []Step, rest []int) bool {
	if len(rest) == 0 {
		return s.found
	}
	for i, node := range rest {
		if s.trials++; s.trials > maxTrials {
			return true
		}
		steps := append(slices.Clone(begun), Step{Node: node})
		others := slices.Delete(slices.Clone(rest), i, i+1)
		t := s.Play(steps)
		switch {
		case !t.Clean():
			s.ruledOut(steps, others, t)
		case len(others) == 0:
			s.best, s.found = t, true
			s.played++
			return true
		case s.extend(steps, others):
			return true
		}
	}
	return false
}

// ruledOut counts the orders with an unclean beginning, and keeps the least bad of the first.
func (s *search) ruledOut(steps []Step, rest []int, t Trial) {
	s.played += factorial(len(rest))
	for _, node := range rest {
		steps = append(steps, Step{Node: node})
	}
	if len(rest) > 0 {
		t = s.Play(steps)
	}
	if s.best.Steps == nil || t.cost() < s.best.cost() {
		s.best = t
	}
}

func factorial(n int) int {
	f := 1
	for i := 2; i <= min(n, 12); i++ { // more orders than need to be counted
		f *= i
	}
	return f
}

// idleFirst sorts nodes by the number of addresses that they hold before the rollout.
func (r *Rollout) idleFirst(nodes []int) []int {
	held := map[int]int{}
	for _, o := range r.before() {
		for _, n := range o.Holders {
			held[n]++
		}
	}
	nodes = slices.Clone(nodes)
	slices.SortStableFunc(nodes, func(a, b int) int { return cmp.Compare(held[a], held[b]) })
	return nodes
}

// before returns the outcomes for addresses at rest, before anything changes.
func (r *Rollout) before() []Outcome {
	rest := r.rest()
	return Play(r.cluster, Script{End: rest}, r.Options).History.Outcomes(rest-atRest, rest)
}

// aroundStandby tries to stop all nodes but one first.
func (r *Rollout) aroundStandby(nodes []int) *Trial {
	if len(nodes) < 2 {
		return nil
	}
	for _, stays := range slices.Backward(r.idleFirst(nodes)) {
		var steps []Step
		others := slices.DeleteFunc(slices.Clone(nodes), func(n int) bool { return n == stays })
		for _, n := range others {
			steps = append(steps, Step{Node: n, Manner: StopIt})
		}
		steps = append(steps, Step{Node: stays})
		for _, n := range others {
			steps = append(steps, Step{Node: n, Manner: StartIt})
		}
		if t := r.Play(steps); t.Clean() {
			return &t
		}
	}
	return nil
}

// atRest is how long before a step the state of the cluster is recorded.
const atRest = time.Second

// rest is the time between two steps.
func (r *Rollout) rest() time.Duration {
	after := r.cluster.edited(func(*ir.Config) {})
	for i, cfg := range r.next {
		if cfg != nil {
			after.nodes[i].Config = cfg
		}
	}
	return max(r.cluster.Settle(), after.Settle())
}

// phases is the number of moments of an advertisement interval at which each rollout is played: the effects of a
// reload may depend on it.
const phases = 4

// Play plays the steps with time to settle before each of them, at several moments of the advertisement interval, and
// returns the worst result.
func (r *Rollout) Play(steps []Step) Trial {
	interval := r.cluster.longest(func(v *ir.VRRPInstance) time.Duration { return v.AdvertInterval }, nil)
	var worst Trial
	for i := range phases {
		t := r.play(steps, moment+time.Duration(i)*interval/phases)
		if i == 0 || t.cost() > worst.cost() {
			worst = t
		}
	}
	if r.Played != nil {
		r.Played()
	}
	return worst
}

func (r *Rollout) play(steps []Step, phase time.Duration) Trial {
	rest := r.rest()
	at := func(i int) time.Duration { return time.Duration(i+1) * (rest + phase) } // a reload begins an interval of its own
	script := Script{End: at(len(steps))}
	for i, s := range steps {
		script.steps = append(script.steps, step{at: at(i), deed: r.deed(s)})
	}
	h := Play(r.cluster, script, r.Options).History
	var t Trial
	given := map[netip.Addr]bool{}
	for _, o := range h.Outcomes(at(0)-atRest, at(0)) {
		if o.Gap+o.Overlap > 0 || len(o.Holders) != 1 {
			t.Before = append(t.Before, Trouble{Address: o.Address, Gap: o.Gap, Overlap: o.Overlap, Holders: o.Holders, Stays: true})
			given[o.Address] = true
		}
	}
	last := len(steps) - 1
	now := configs(r.cluster)
	for i, s := range steps {
		if s.Manner != StopIt {
			now[s.Node] = r.next[s.Node]
		}
		done := Step{Node: s.Node, Manner: s.Manner}
		for _, a := range h {
			o, wanted := a.Outcome(at(i), at(i+1))
			if !wanted {
				continue
			}
			was, _ := a.Outcome(at(i)-atRest, at(i))
			if m, moved := r.move(o, was, now); moved {
				done.Moves = append(done.Moves, m)
			}
			if x, bad := r.trouble(o, i == last && r.complete(steps), at(i+1)-at(i)); bad && (!given[o.Address] || i == last && x.Stays) {
				done.Troubles = append(done.Troubles, x)
			}
		}
		t.Steps = append(t.Steps, done)
	}
	return t
}

func (r *Rollout) deed(s Step) act {
	next := r.next[s.Node]
	return act{do: func(w *world) {
		n := w.nodes[s.Node]
		switch s.Manner {
		case StopIt:
			w.stop(n)
		case StartIt:
			w.reload(n, next)
			w.start(n)
		default:
			w.reload(n, next)
		}
	}}
}

// complete reports whether the steps bring every node to its new file.
func (r *Rollout) complete(steps []Step) bool {
	for i, cfg := range r.next {
		if cfg != nil && !slices.ContainsFunc(steps, func(s Step) bool { return s.Node == i && s.Manner != StopIt }) {
			return false
		}
	}
	return true
}

// trouble judges the outcome for an address in a step. A new address need not be held before the end, and one that is
// removed need not be held any longer; neither may have two holders.
func (r *Rollout) trouble(o Outcome, end bool, whole time.Duration) (Trouble, bool) {
	x := Trouble{Address: o.Address, Gap: o.Gap, Overlap: o.Overlap, Holders: o.Holders, Stays: len(o.Holders) != 1}
	before, after := wanted(configs(r.cluster), o.Address), wanted(r.after(), o.Address)
	switch {
	case !after, !before && !end:
		x.Gap = 0
	case !before && len(o.Holders) > 0:
		x.Gap = 0 // it only took time to appear
	}
	if len(o.Holders) == 0 && x.Gap == 0 {
		x.Stays = false
	}
	if x.Stays && x.Gap+x.Overlap > whole-brief {
		x.Gap, x.Overlap = min(x.Gap, whole), min(x.Overlap, whole)
	}
	return x, x.Gap+x.Overlap > 0
}

// move reports whether an address has a different holder, and returns the move.
func (r *Rollout) move(o, was Outcome, now []*ir.Config) (Move, bool) {
	if slices.Equal(o.Holders, was.Holders) {
		return Move{}, false
	}
	m := Move{Address: o.Address, From: was.Holders, To: o.Holders}
	for _, n := range slices.Concat(m.From, m.To) {
		if v := instanceOf(now[n], o.Address); v != nil {
			m.Instance = v.Name
		}
	}
	m.Lost, m.Gained = priority(now, m.From, o.Address), priority(now, m.To, o.Address)
	return m, true
}

// priority is the priority with which the only node of some holds an address.
func priority(now []*ir.Config, nodes []int, a netip.Addr) uint8 {
	if len(nodes) != 1 {
		return 0
	}
	if v := instanceOf(now[nodes[0]], a); v != nil {
		return v.Priority
	}
	return 0
}

// after returns the new configuration of every node.
func (r *Rollout) after() []*ir.Config {
	list := configs(r.cluster)
	for i, cfg := range r.next {
		if cfg != nil {
			list[i] = cfg
		}
	}
	return list
}

func configs(c *Cluster) (list []*ir.Config) {
	for _, n := range c.nodes {
		list = append(list, n.Config)
	}
	return list
}

func wanted(list []*ir.Config, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(cfg *ir.Config) bool { return instanceOf(cfg, a) != nil })
}

// instanceOf returns the instance that holds an address when it is MASTER.
func instanceOf(cfg *ir.Config, a netip.Addr) *ir.VRRPInstance {
	for _, v := range cfg.Instances {
		if slices.ContainsFunc(v.Addresses, func(b ir.Address) bool { return b.Prefix.Addr() == a }) {
			return v
		}
	}
	return nil
}
