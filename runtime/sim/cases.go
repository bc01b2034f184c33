package sim

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/track"
)

// A Case is one failure and its repair, with time to settle before, between and after.
type Case struct {
	Title string
	play  func() Verdict
}

// Play plays the case.
func (k Case) Play() Verdict {
	v := k.play()
	v.Title = k.Title
	return v
}

// A Verdict is the result of a case.
type Verdict struct {
	Title string // of the case
	// The outcomes for the addresses, at the worst moment for the failure: until its repair, and from there to the
	// end, unless it repairs itself.
	Failed, Repaired []Outcome
	// Dead says that the failure lowers the priority of a node that holds addresses because of it, and all addresses
	// stay where they are: the weight is too small, or the others do not preempt.
	Dead bool

	// Server says that real servers fail, not directors. The times are those of the slowest node at the worst moment:
	// how long after the failure the last server was out, and how long after the repair the last one was back;
	// negative: never.
	Server    bool
	Out, Back time.Duration
	Serving   []netip.AddrPort // the servers that the first node has in the services during the failure
}

// Cases returns what can happen to a cluster: its start; that a node loses power, stops, or that its daemon crashes;
// that each link goes down, or silently loses packets in both directions or in either one; that each thing that it
// tracks fails; that all nodes reboot; and that each real server, or all of a service at once, fail.
//
// A virtual server neither notices nor affects what happens to another one or to an instance, and the same holds for a
// real server that is up: a case leaves out what it does not concern.
//
// A cluster that advertises a lot gets less time to settle, and its cases are played at fewer moments than MaxMoments.
// With moments 0 they would take too long, and there are none.
func (c *Cluster) Cases(o Options) (cases []Case, moments int) {
	if cases, moments = c.directors().directorCases(o); moments > 0 {
		cases = append(cases, c.serverCases(o)...)
	}
	return cases, moments
}

// MaxMoments is how often a case is played at most.
const MaxMoments = 8

// The effort of a case is the number of advertisements that nodes send or hear in it. That of all cases is at most
// maxEffort, which keeps a processor busy for about half a minute, or tooMuch where each is played at one moment.
const (
	maxEffort = 20e6
	tooMuch   = 2 * maxEffort
)

// effort returns the effort of a second: every advertisement is heard by all nodes.
func (c *Cluster) effort() (a float64) {
	for _, n := range c.nodes {
		one := 0.0
		for _, v := range n.Config.Instances {
			one += 1 / max(v.AdvertInterval, time.Millisecond).Seconds()
		}
		a = max(a, one)
	}
	return a * float64(len(c.nodes))
}

func (c *Cluster) directorCases(o Options) (cases []Case, played int) {
	if len(c.Addresses()) == 0 {
		return nil, MaxMoments
	}
	links := 0
	for _, ports := range c.ports {
		links += len(ports)
	}
	rest, about := c.Settle(), float64(2+3*len(c.nodes)+4*links)
	if about*3*rest.Seconds()*c.effort()*MaxMoments > maxEffort {
		rest = c.settle(time.Second, 0)
	}
	each := about * 3 * rest.Seconds() * c.effort() // a moment of all cases
	if each > tooMuch {
		return nil, 0
	}
	played = min(max(int(maxEffort/max(each, 1)), 1), MaxMoments)
	return c.casesAt(rest, played, o), played
}

// casesAt returns the cases with a time to come to rest, each played at up to a number of moments.
func (c *Cluster) casesAt(rest time.Duration, played int, o Options) (cases []Case) {
	interval := c.longest(func(v *ir.VRRPInstance) time.Duration { return v.AdvertInterval }, nil)
	moments := c.moments(nil, rest, interval, func(e Entry) bool { return e.Kind == Advert }, o)
	if len(moments) > played { // those that are kept are spread over the interval
		for i := range played {
			moments[i] = moments[i*len(moments)/played]
		}
		moments = moments[:played]
	}
	calm := Play(c, Script{End: rest}, o).History.Outcomes(0, rest)
	cases = []Case{{Title: "all start", play: func() Verdict { return Verdict{Failed: calm} }}}
	add := func(title string, fails, repairs act) {
		cases = append(cases, Case{Title: title, play: func() (v Verdict) {
			for _, at := range moments {
				h := Play(c, failure(at, at+rest, rest, fails, repairs), o).History
				v.Failed = worse(v.Failed, h.Outcomes(at, at+rest))
				v.Repaired = worse(v.Repaired, h.Outcomes(at+rest, at+2*rest))
			}
			return v
		}})
	}
	each := func(fails, repairs func(c *Cluster, node int) act) {
		for n := range c.nodes {
			a := fails(c, n)
			add(a.text, a, repairs(c, n))
		}
	}
	each(kill, start)
	each(stop, start)
	each(crash, start)
	for n := range c.nodes {
		for _, p := range c.ports[n] {
			a := link(c, n, p.Interface, false)
			add(a.text, a, link(c, n, p.Interface, true))
		}
	}
	for n := range c.nodes {
		for _, t := range things(c.nodes[n].Config) {
			fails, mends := c.thingFails(n, t)
			add(fails.text, fails, mends)
			if k := &cases[len(cases)-1]; len(c.nodes) > 1 && c.lowers(n, t.Thing, calm) {
				play := k.play
				k.play = func() Verdict {
					v := play()
					v.Dead = slices.EqualFunc(calm, v.Failed, unmoved)
					return v
				}
			}
		}
	}
	if len(c.nodes) == 1 {
		return cases
	}
	for n := range c.nodes {
		for _, p := range c.ports[n] {
			if len(p.Sources) == 0 {
				continue // no instance sends there
			}
			for _, a := range c.cuts(n, p.Segment) {
				add(a[0].text+" on "+p.Segment, a[0], a[1])
			}
		}
	}
	return append(cases, c.rebootCase(rest, moments, o))
}

// lowers reports whether a node has an address of an instance in which a thing has a weight.
func (c *Cluster) lowers(node int, thing track.Thing, have []Outcome) bool {
	cfg := c.nodes[node].Config
	return slices.ContainsFunc(cfg.Instances, func(v *ir.VRRPInstance) bool {
		return slices.ContainsFunc(track.Of(v, cfg), func(t track.Tracker) bool { return t.Thing == thing && t.Weight.N != 0 }) &&
			slices.ContainsFunc(have, func(o Outcome) bool {
				return slices.Contains(o.Holders, node) && slices.ContainsFunc(v.Addresses, func(a ir.Address) bool { return a.Prefix.Addr() == o.Address })
			})
	})
}

// unmoved reports whether an address stays where it was.
func unmoved(was, is Outcome) bool {
	return was.Address == is.Address && is.Gap == 0 && is.Flaps == 0 && slices.Equal(was.Holders, is.Holders)
}

// thingFails is the failure of what a node tracks, and its repair. A file fails with a number that lowers the
// priority, or is a fault.
func (c *Cluster) thingFails(node int, t track.Tracker) (fails, mends act) {
	if t.Kind != track.File {
		return fail(c, node, t.Thing, true), fail(c, node, t.Thing, false)
	}
	value := 1
	if (t.Weight.N > 0) != t.Weight.Reverse {
		value = -1
	}
	return write(c, node, t.Thing, value), write(c, node, t.Thing, 0)
}

// rebootCase is a power failure: all nodes start again at once.
func (c *Cluster) rebootCase(rest time.Duration, moments []time.Duration, o Options) Case {
	title := "all reboot"
	if len(c.nodes) == 2 {
		title = "both reboot"
	}
	return Case{Title: title, play: func() (v Verdict) {
		off, on := several(c, c.everybody(), kill), several(c, c.everybody(), start)
		for _, at := range moments {
			s := failure(at, at+reboot, rest, off, on)
			v.Failed = worse(v.Failed, Play(c, s, o).History.Outcomes(at, s.End))
		}
		return v
	}}
}

// failure returns the script of a failure and its repair.
func failure(at, repaired, rest time.Duration, fails, repairs act) Script {
	return Script{End: repaired + rest, steps: []step{{at: at, deed: fails}, {at: repaired, deed: repairs}}}
}

// cuts returns the cuts of a node from a segment: both ways, what it sends, what it hears; each with its repair.
func (c *Cluster) cuts(node int, segment string) (all [][2]act) {
	one, everybody := []int{node}, c.everybody()
	for _, d := range []struct {
		from, to []int
		oneWay   bool
	}{{one, everybody, false}, {one, everybody, true}, {everybody, one, true}} {
		on := []string{segment}
		all = append(all, [2]act{cut(c, d.from, d.to, d.oneWay, on, true), cut(c, d.from, d.to, d.oneWay, on, false)})
	}
	return all
}

// moments returns the worst moments for something to happen: directly after an advertisement its absence is noticed
// last, and the same holds for a real server directly after a probe. They are found by playing some steps, and are all
// in one interval.
func (c *Cluster) moments(steps []step, from, interval time.Duration, of func(Entry) bool, o Options) (list []time.Duration) {
	o.Packets = true
	for _, e := range Play(c, Script{End: from + interval, steps: steps}, o).Trace {
		at := time.Duration(e.At) + moment
		if of(e) && at > from && len(list) < MaxMoments && !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	if len(list) == 0 {
		return []time.Duration{from}
	}
	return list
}

// worse merges two lists for the same addresses: the longest gaps and overlaps, the most flaps, the worst end.
func worse(a, b []Outcome) []Outcome {
	if a == nil {
		return b
	}
	for i, o := range b {
		w := &a[i]
		w.Gap, w.Overlap, w.Flaps = max(w.Gap, o.Gap), max(w.Overlap, o.Overlap), max(w.Flaps, o.Flaps)
		if m, n := len(w.Holders), len(o.Holders); m == 1 && n != 1 || m > 1 && n == 0 {
			w.Holders = o.Holders
		}
	}
	return a
}

// serverCases returns the failure of every real server that is checked, then of all servers of each service with
// several.
func (c *Cluster) serverCases(o Options) (cases []Case) {
	services := c.services()
	var servers []netip.AddrPort
	concerned := map[netip.AddrPort][]ir.ServiceKey{}
	for _, s := range services {
		for _, a := range s.servers {
			if concerned[a] == nil {
				servers = append(servers, a)
			}
			concerned[a] = append(concerned[a], s.key)
		}
	}
	for _, a := range servers {
		cases = append(cases, c.serverCase(a.String(), []netip.AddrPort{a}, concerned[a], o))
	}
	for _, s := range services {
		if len(s.servers) > 1 {
			cases = append(cases, c.serverCase("all of "+s.key.String(), s.servers, []ir.ServiceKey{s.key}, o))
		}
	}
	return cases
}

func (c *Cluster) serverCase(title string, servers []netip.AddrPort, services []ir.ServiceKey, o Options) Case {
	return Case{Title: title, play: func() Verdict {
		few := c.only(services, servers)
		rest, period := few.Settle(), few.longest(nil, func(k *ir.Check) time.Duration { return k.DelayLoop })
		probes := func(e Entry) bool { return e.Kind == Probe }
		v := Verdict{Server: true, Out: never, Back: never}
		for _, at := range few.moments(nil, rest, period, probes, o) {
			fails := []step{{at: at, deed: refuse(servers, true)}}
			repaired := few.moments(fails, at+rest, period, probes, o)[0]
			r := Play(few, Script{
				End: repaired + rest, steps: append(fails, step{at: repaired, deed: refuse(servers, false)}),
				Snapshots: []time.Duration{repaired - moment},
			}, o)
			v.Out = max(v.Out, last(r.Trace, "down", at, repaired))
			v.Back = max(v.Back, last(r.Trace, "up", repaired, r.End))
			v.Serving = serving(r.Snapshots[0], services)
		}
		return v
	}}
}

func refuse(servers []netip.AddrPort, yes bool) act {
	return act{do: func(w *world) {
		for _, a := range servers {
			server(a, yes).do(w)
		}
	}}
}

// directors returns the cluster without its services.
func (c *Cluster) directors() *Cluster {
	return c.edited(func(cfg *ir.Config) { cfg.VirtualServers = nil })
}

// only returns the cluster without instances and with only the given services, in which only the given servers are
// checked: all others are up.
func (c *Cluster) only(services []ir.ServiceKey, servers []netip.AddrPort) *Cluster {
	return c.edited(func(cfg *ir.Config) {
		all := cfg.VirtualServers
		cfg.Instances, cfg.VirtualServers = nil, nil
		for _, v := range all {
			if slices.Contains(services, v.Key) {
				cfg.VirtualServers = append(cfg.VirtualServers, checking(v, servers))
			}
		}
	})
}

// checking returns a virtual server that checks only some of its servers.
func checking(v *ir.VirtualServer, servers []netip.AddrPort) *ir.VirtualServer {
	few := *v
	few.RealServers = slices.Clone(v.RealServers)
	for i, r := range few.RealServers {
		if !slices.Contains(servers, r.Addr) {
			well := *r
			well.Checks = nil
			few.RealServers[i] = &well
		}
	}
	return &few
}

// edited returns the cluster with shallow copies of its configurations, edited.
func (c *Cluster) edited(change func(*ir.Config)) *Cluster {
	other := *c
	other.nodes = slices.Clone(c.nodes)
	for i, n := range c.nodes {
		cfg := *n.Config
		change(&cfg)
		other.nodes[i].Config = &cfg
	}
	return &other
}

// A service is a virtual server of any node with its checked real servers.
type service struct {
	key     ir.ServiceKey
	servers []netip.AddrPort
}

func (c *Cluster) services() (list []service) {
	place := map[ir.ServiceKey]int{}
	seen := map[state.DestinationKey]bool{}
	for _, n := range c.nodes {
		for _, v := range n.Config.VirtualServers {
			i, ok := place[v.Key]
			if !ok {
				i = len(list)
				place[v.Key], list = i, append(list, service{key: v.Key})
			}
			for _, r := range v.RealServers {
				if k := (state.DestinationKey{Service: v.Key, Server: r.Addr}); len(r.Checks) > 0 && !seen[k] {
					seen[k] = true
					list[i].servers = append(list[i].servers, r.Addr)
				}
			}
		}
	}
	return list
}

// Addresses lists the virtual addresses of all nodes, in order.
func (c *Cluster) Addresses() []netip.Addr {
	var list []netip.Addr
	for _, n := range c.nodes {
		for _, v := range n.Config.Instances {
			for _, a := range v.Addresses {
				list = append(list, a.Prefix.Addr())
			}
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// never is a time that does not come.
const never = time.Duration(-1)

// last returns when such a change of a real server last happened, counted from a time.
func last(trace []Entry, state string, from, to time.Duration) time.Duration {
	d := never
	for _, e := range trace {
		if at := time.Duration(e.At); e.Kind == Server && e.State == state && at >= from && at < to {
			d = at - from
		}
	}
	return d
}

func serving(s Snapshot, services []ir.ServiceKey) (list []netip.AddrPort) {
	for _, want := range s {
		if want == nil {
			continue
		}
		for k, d := range want.Destinations {
			if d.Weight > 0 && slices.Contains(services, k.Service) && !slices.Contains(list, k.Server) {
				list = append(list, k.Server)
			}
		}
		break
	}
	slices.SortFunc(list, func(a, b netip.AddrPort) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Port(), b.Port()))
	})
	return list
}
