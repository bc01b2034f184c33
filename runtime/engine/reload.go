package engine

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
	"keepc/runtime/vrrp"
)

// load puts a configuration into force, the first one or another. What has the same key in both goes on as if nothing had happened:
// instances keep role and timers, checks their counters and deadlines, servers and quorums their standing. Loading an equal
// configuration has no effects at all.
//
// What is new begins as it would at a start: an instance as BACKUP, a server as up (keepalived's way; the first failed probe removes
// it) or down where alpha says so. A server whose checks change keeps its standing until the new ones have a result: a reload neither
// lets traffic to a dead server nor takes it from a live one.
func (e *Engine) load(now time.Time, cfg *ir.Config) {
	e.cfg = cfg
	e.loadScripts(now)
	e.loadRouters(now)
	e.loadServices(now)
}

func (e *Engine) loadRouters(now time.Time) {
	old, oldOrder := e.routers, e.order
	e.routers, e.order, e.virtual = map[ir.InstanceKey]*router{}, nil, map[netip.Addr]bool{}
	for _, v := range e.cfg.Instances {
		k := v.Key()
		if e.routers[k] != nil {
			continue // twice the same virtual router: the compiler has complained
		}
		r := old[k]
		if r == nil {
			r = newRouter(v)
		}
		e.routers[k] = r
		e.order = append(e.order, r)
		r.trackers = track.Of(v, e.cfg)
		for _, a := range v.Addresses {
			e.virtual[a.Prefix.Addr()] = true
		}
		if r.cfg != v {
			r.cfg = v
			e.drive(now, r, vrrp.Reconfigure{Config: v})
		}
	}
	for _, r := range oldOrder {
		if e.routers[r.cfg.Key()] != r {
			e.drive(now, r, vrrp.Stop{Reason: "not in the configuration any more"})
		}
	}
	maps.DeleteFunc(e.things, func(t track.Thing, _ track.Status) bool { return !e.isTracked(t) })
	// Another configuration may name another source, or another interface that is long known.
	for _, r := range e.order {
		if _, present := e.links[r.cfg.Interface]; present || e.settled {
			e.inform(now, r)
		}
	}
}

func (e *Engine) loadServices(now time.Time) {
	old := struct {
		services map[ir.ServiceKey]*service
		servers  map[state.DestinationKey]*server
		checks   map[CheckID]*check
	}{e.services, e.servers, e.checks}
	e.services, e.servers, e.checks = map[ir.ServiceKey]*service{}, map[state.DestinationKey]*server{}, map[CheckID]*check{}

	for _, v := range e.cfg.VirtualServers {
		if e.services[v.Key] != nil {
			continue // twice the same service: the compiler has complained
		}
		s := &service{key: v.Key}
		if o := old.services[v.Key]; o != nil {
			s.quorum = o.quorum
		}
		s.quorum.Need, s.quorum.Hysteresis = v.Quorum, v.Hysteresis
		e.services[v.Key] = s

		for _, r := range v.RealServers {
			k := state.DestinationKey{Service: v.Key, Server: r.Addr}
			if e.servers[k] != nil {
				continue
			}
			x := &server{key: k, service: s, weight: uint64(max(r.Weight, 0))}
			e.servers[k] = x
			if o := old.servers[k]; o != nil {
				x.down = o.down
			} else {
				x.down = alpha(v, r)
			}
			e.loadChecks(now, x, r, old.checks)
			s.total += x.weight
			if !x.down {
				s.live += x.weight
			}
		}
		e.judgeAll(s, v, old.services[v.Key] == nil)
	}

	for id, c := range old.checks {
		if e.checks[id] == nil {
			e.timers.set(&c.timer, time.Time{}, false)
		}
	}
	for k := range old.servers {
		if e.servers[k] == nil {
			delete(e.situation.Down, k)
		}
	}
	for k := range old.services {
		if e.services[k] == nil {
			delete(e.situation.NoQuorum, k)
		}
	}
}

// loadChecks gives a server its checks, as far as keepc makes them. A new one shares the server's standing until its first result.
func (e *Engine) loadChecks(now time.Time, s *server, r *ir.RealServer, old map[CheckID]*check) {
	cause := ""
	if s.down {
		cause = cmp.Or(e.situation.Down[s.key], "not checked yet")
	}
	for _, v := range r.Checks {
		if !enforced.Checked(v) {
			continue // the server counts as up
		}
		id := CheckID{Server: s.key, Spec: v.CheckSpec}
		if e.checks[id] != nil {
			continue
		}
		c := old[id]
		if c == nil {
			c = newCheck(id, health.New(now, id.Spec, cause, e.share(id)))
			at, running := c.health.Deadline()
			e.timers.set(&c.timer, at, running)
		}
		c.server = s
		e.checks[id] = c
		s.checks = append(s.checks, c)
	}
}

// judgeAll compares the standing of a service and its servers with what the configuration makes of their checks.
func (e *Engine) judgeAll(s *service, v *ir.VirtualServer, fresh bool) {
	for _, r := range v.RealServers {
		e.judge(e.servers[state.DestinationKey{Service: v.Key, Server: r.Addr}])
	}
	if fresh {
		s.quorum.Judge(s.live) // a start is no loss
	}
	e.judgeQuorum(s)
}

// alpha tells whether a new server counts as down until its checks have succeeded.
func alpha(v *ir.VirtualServer, r *ir.RealServer) bool {
	return slices.ContainsFunc(r.Checks, func(c *ir.Check) bool { return enforced.Checked(c) && (v.Alpha || r.Alpha || c.Alpha) })
}

// share spreads the first checks over their warm-up: from 0 to 1, the same for the same seed and check.
func (e *Engine) share(id CheckID) float64 {
	h := fnv.New64a()
	fmt.Fprint(h, id)
	return rand.New(rand.NewPCG(e.seed, h.Sum64())).Float64()
}
