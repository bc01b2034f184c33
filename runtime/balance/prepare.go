package balance

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/health"
	"keepc/runtime/track"
)

// A Generation is a configuration as the machine uses it. It is immutable, so that the next one can be prepared from
// it while the machine works: what it points to lives across generations, and only the machine looks into that.
type Generation struct {
	cfg       *ir.Config
	seed      uint64
	services  map[ir.ServiceKey]*service
	servers   map[state.DestinationKey]member
	checks    map[CheckID]*check
	files     map[track.Thing][]*check      // checks that follow a file or a BFD session
	holders   map[*service][]ir.InstanceKey // for services that rest while their address is elsewhere: the instances that have the address
	announced []announced
	stages    map[netip.Addr]int // indexes into announced
	last      CheckID            // the last id given
}

// A member is a server in one generation, with its checks there.
type member struct {
	*server
	checks []*check
}

// Start returns the generation of a director that has no configuration yet. The seed spreads first health checks over
// their warm-up; equal seeds spread them equally.
func Start(seed uint64) *Generation { return &Generation{seed: seed} }

// A Next is a configuration that is ready to be swapped in: everything that takes long is done.
type Next struct {
	*Generation
	base     *Generation // what it was prepared from
	services []nextService
	ended    []*check
	removed  []state.DestinationKey // servers, unordered
	closed   []ir.ServiceKey
	master   map[ir.InstanceKey]bool // at a start
}

// A nextService is what a configuration says of a service.
type nextService struct {
	*service
	fresh   bool
	cfg     *ir.VirtualServer
	servers []nextServer
}

// A nextServer is what a configuration says of a real server.
type nextServer struct {
	member
	fresh  bool
	cfg    *ir.RealServer
	down   string // why a new server counts as down until its checks have succeeded; empty: it counts as up
	found  int    // the weight of a new server in the kernel; 0: it has none
	barred bool   // it stays down if it is down
}

// Prepare makes a configuration ready for Swap; current is what the machine has in force, or Start. The configuration
// must not change afterwards. Prepare may run beside the machine, on any goroutine, and take its time.
func Prepare(cfg *ir.Config, current *Generation) *Next {
	n := &Next{base: current, Generation: &Generation{
		cfg: cfg, seed: current.seed,
		services: make(map[ir.ServiceKey]*service, len(cfg.VirtualServers)), servers: make(map[state.DestinationKey]member, len(current.servers)), checks: make(map[CheckID]*check, len(current.checks)),
		files: map[track.Thing][]*check{}, holders: map[*service][]ir.InstanceKey{}, last: current.last,
	}}
	files := filesByName(cfg)
	n.services = make([]nextService, 0, len(cfg.VirtualServers))
	for _, v := range cfg.VirtualServers {
		if n.Generation.services[v.Key] == nil { // the compiler makes one service of several blocks
			n.services = append(n.services, n.prepareService(v, files))
		}
	}
	n.prepareAnnouncements()
	for id, c := range current.checks {
		if n.checks[id] == nil {
			n.ended = append(n.ended, c)
		}
	}
	for k := range current.servers {
		if n.servers[k].server == nil {
			n.removed = append(n.removed, k)
		}
	}
	for k := range current.services {
		if n.Generation.services[k] == nil {
			n.closed = append(n.closed, k)
		}
	}
	return n
}

func (n *Next) prepareService(v *ir.VirtualServer, files map[string]track.Thing) nextService {
	s := nextService{service: n.base.services[v.Key], cfg: v}
	if s.service == nil {
		s.service, s.fresh = &service{key: v.Key}, true
	}
	n.Generation.services[v.Key] = s.service
	if suspends(v) {
		n.holders[s.service] = holders(n.cfg, v.Key.Addr)
	}
	s.servers = make([]nextServer, 0, len(v.RealServers))
	for _, r := range v.RealServers {
		k := state.DestinationKey{Service: v.Key, Server: r.Addr}
		if n.servers[k].server != nil {
			continue
		}
		before := n.base.servers[k]
		x := nextServer{member: member{server: before.server}, cfg: r}
		if x.server == nil {
			x.server, x.fresh = &server{key: k, service: s.service}, true
			if alpha(n.cfg, v, r) {
				x.down = unchecked
			}
		}
		if slices.ContainsFunc(r.NotRun, func(c *ir.Check) bool { return v.Alpha || r.Alpha || c.Alpha }) {
			x.barred = true
			if x.fresh {
				x.down = barred
			}
		}
		for _, c := range r.Checks {
			if !made(n.cfg, c) || find(x.checks, c) != nil {
				continue // a server that is not checked counts as up
			}
			same := find(before.checks, c)
			if same == nil {
				n.last++
				same = &check{id: n.last, asks: c, server: x.server, share: share(n.seed, k, c)}
			}
			n.checks[same.id] = same
			x.checks = append(x.checks, same)
			if f, ok := c.Checker.(*ir.FileCheck); ok && f.Weight != nil {
				file := files[f.TrackFile.Text]
				n.files[file] = append(n.files[file], same)
			}
			if b := session(n.cfg, c); b != nil {
				n.files[track.OfBFD(b)] = append(n.files[track.OfBFD(b)], same)
			}
		}
		n.servers[k] = x.member
		s.servers = append(s.servers, x)
	}
	return s
}

// unchecked is why a server is down that has not been checked yet.
const unchecked = "not checked yet"

// barred is why a server is down that waits for a check which cannot be made, as with keepalived.
const barred = "the script of its MISC_CHECK is not run, and alpha says to wait for it"

// Adopt makes the first configuration of a director ready for New, as Prepare does. A server of a service that the
// kernel has continues as found: up, or out until its checks succeed.
func Adopt(cfg *ir.Config, start *Generation, found state.Found) *Next {
	n := Prepare(cfg, start)
	n.master = found.Master
	for _, s := range n.services {
		for i := range s.servers {
			x := &s.servers[i]
			if weight, up := found.Weight[x.key]; up {
				x.down, x.found = "", weight
			} else if found.Down[x.key] {
				x.down = "an earlier director has taken it out"
			}
		}
	}
	return n
}

// made reports whether a check is made. keepalived does not make one without its session either.
func made(cfg *ir.Config, c *ir.Check) bool {
	_, follows := c.Checker.(*ir.BFDCheck)
	return enforced.Checked(c) && (!follows || session(cfg, c) != nil)
}

// alpha reports whether a new server counts as down until its checks have succeeded.
func alpha(cfg *ir.Config, v *ir.VirtualServer, r *ir.RealServer) bool {
	return slices.ContainsFunc(r.Checks, func(c *ir.Check) bool { return made(cfg, c) && (v.Alpha || r.Alpha || c.Alpha) })
}

// find returns the check among some that asks for the same; nil: there is none.
func find(checks []*check, c *ir.Check) *check {
	if i := slices.IndexFunc(checks, func(x *check) bool { return x.asks.Same(c) }); i >= 0 {
		return checks[i]
	}
	return nil
}

// share spreads the first checks over their warm-up: from 0 to 1, the same for the same seed, server and kind of
// check.
func share(seed uint64, server state.DestinationKey, c *ir.Check) float64 {
	h := fnv.New64a()
	fmt.Fprint(h, server, c.Keyword(), c.Connection, c.CheckTiming)
	return rand.New(rand.NewPCG(seed, h.Sum64())).Float64()
}

// swap puts a prepared configuration into force. What has the same key in both continues as if nothing had happened:
// checks keep their counters and deadlines, servers and quorums their state. An equal configuration has no effects at
// all.
//
// What is new begins as at a start: a server as up (keepalived's way; the first failed probe removes it), or down if
// alpha says so. A server whose checks change keeps its state until the new ones have a result: a reload neither sends
// traffic to a dead server nor takes it from a live one.
func (m *Machine) swap(now time.Time, n *Next) {
	if n.base != m.current { // a different one came first
		n = Prepare(n.cfg, m.current)
	}
	m.leave(n)
	for _, a := range m.current.announced { // those that stay are judged at the end of the step
		m.timers.Stop(&a.Timer)
	}
	m.current, m.retiring = n.Generation, nil
	m.keepDrained()
	m.expect(n)
	for _, s := range n.services {
		s.quorum.Need, s.quorum.Hysteresis = s.cfg.Quorum, s.cfg.Hysteresis
		s.live, s.total, s.service.cfg = 0, 0, s.cfg
		for _, x := range s.servers {
			m.swapServer(now, x)
		}
		for _, x := range s.servers {
			m.judge(x.server)
		}
		if s.fresh {
			s.quorum.Judge(s.live) // the start of a service is not a loss
			m.tellStart(s)
		}
		m.judgeQuorum(s.service)
	}
	m.suspend()
	for _, c := range n.ended {
		m.lack(c, "")
		m.timers.Stop(&c.Timer)
	}
	for _, k := range n.removed {
		delete(m.down, k)
		delete(m.weights, k)
		delete(m.assigned, k)
	}
	for _, k := range n.closed {
		delete(m.noQuorum, k)
	}
}

// expect records that the kernel has none of the new services until told otherwise.
func (m *Machine) expect(n *Next) {
	missing := map[ir.ServiceKey]bool{}
	maps.Copy(missing, m.enforced.Missing)
	for _, s := range n.services {
		if s.fresh {
			missing[s.key] = false
		}
	}
	m.enforced.Missing = missing
}

// swapServer gives a server its weight and its checks. A new check has the server's state until its first result.
func (m *Machine) swapServer(now time.Time, x nextServer) {
	s := x.server
	s.cfg = x.cfg
	if x.fresh {
		s.down = x.down != ""
	}
	cause := ""
	s.barred = s.down && x.barred // one that serves continues to
	if s.barred && x.fresh {
		m.emit(Note{Subject: s.key.Server.String(), Text: fmt.Sprintf("stays out of %s: %s", s.key.Service, barred)})
	}
	if s.down {
		cause = cmp.Or(m.down[s.key], x.down, unchecked)
	}
	if weight := int64(max(x.cfg.Weight, 0)); x.fresh || weight != s.files || !slices.ContainsFunc(x.checks, weighs) { // otherwise what a check set still counts
		s.base, s.files = weight, weight
		if x.found > 0 && slices.ContainsFunc(x.checks, weighs) {
			s.base = int64(x.found)
		}
	}
	s.checks = x.checks
	m.setWeight(s, s.effective())
	for _, c := range s.checks {
		if told(c.asks) && c.Do == nil {
			c.health = health.Told(cause)
			c.Do = func(time.Time) {} // it has no deadline
		}
		if b := session(m.current.cfg, c.asks); b != nil {
			m.tellSession(c, track.OfBFD(b))
		}
		if c.Do == nil {
			c.health = health.New(now, c.asks.CheckTiming, health.PagesOf(c.asks), cause, c.share)
			c.Do = func(now time.Time) { m.examine(now, c, health.Tick{}) }
			m.await(c)
		}
	}
	s.service.total += s.weight
	if !s.down {
		s.service.live += s.weight
	}
}
