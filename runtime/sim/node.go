package sim

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/router"
	"keepc/runtime/track"
)

// A node is one director: it replaces the real daemon and kernel.
type node struct {
	world  *world
	name   string
	index  int
	cfg    *ir.Config
	ports  []*port
	brains *brains // nil: it does not run
	roles  map[ir.InstanceKey]string
	held   map[state.AddressKey]bool    // in its kernel
	shown  map[netip.Addr]bool          // of these, what others can see, because the interface works
	things map[track.Thing]track.Status // what it tracks besides interfaces
	rising map[track.Thing]bool         // BFD sessions that are not up yet, since the start or a reload
	next   *ir.Config                   // the configuration to load when it has drained what that gives up; nil: none
	ending bool                         // it stops when it has drained its announcements
	paused bool
	inbox  []any // what arrived while it was paused: events of either machine
	// The next Ticks of both machines, and what is done about roles that changed at this instant.
	routerTimer, balanceTimer, settling event
	changed                             []router.RoleChanged
	decided                             bool             // the balance machine changed a quorum or an announcement in its last step
	named                               map[string]*port // interfaces, and virtual ones, by name; nil: not known yet
}

// brains are both machines of a running director.
type brains struct {
	router  *router.Machine
	balance *balance.Machine
}

type port struct {
	name    string
	segment string
	addrs   []netip.Addr // its own, without the virtual ones
	up      bool
}

// backlog is the number of packets that wait for a node without CPU time; more are lost, as in a socket's buffer.
const backlog = 256

// reboot is how long a node takes from power on to working.
const reboot = 30 * time.Second

func newNode(w *world, index int) *node {
	n := &node{
		world: w, name: w.cluster.nodes[index].Name, index: index, cfg: w.cluster.nodes[index].Config,
		held: map[state.AddressKey]bool{}, shown: map[netip.Addr]bool{}, things: map[track.Thing]track.Status{},
		routerTimer: event{rank: deadline}, balanceTimer: event{rank: deadline}, settling: event{rank: settled},
	}
	n.routerTimer.do = func() { w.route(n, router.Tick{}) }
	n.balanceTimer.do = func() { w.balance(n, balance.Tick{}) }
	n.settling.do = func() { w.settle(n) }
	w.plug(n, w.cluster.ports[index])
	return n
}

// plug adds to a node those of some interfaces that it does not have yet.
func (w *world) plug(n *node, ports []Port) {
	for _, p := range ports {
		if n.port(p.Interface) == nil {
			q := &port{name: p.Interface, segment: p.Segment, addrs: p.Sources, up: true}
			n.ports = append(n.ports, q)
			w.segments[p.Segment] = append(w.segments[p.Segment], station{n, q})
			n.named = nil
		}
	}
}

// port returns the interface with a name, or the one below a virtual interface with that name.
func (n *node) port(name string) *port {
	if n.named == nil {
		n.named = map[string]*port{}
		for _, p := range n.ports {
			n.named[p.name] = p
		}
		for _, v := range slices.Backward(n.cfg.Instances) { // the first one counts
			for _, l := range slices.Backward(v.Links) {
				n.named[l.Name] = n.named[l.Base]
			}
		}
	}
	return n.named[name]
}

// setLink plugs or unplugs a cable.
func (w *world) setLink(n *node, p *port, up bool) {
	if p.up == up {
		return
	}
	p.up = up
	w.show(n)
	for _, ev := range n.linkEvents(p) {
		w.deliver(n, ev)
	}
}

// setThing changes the state of what a node tracks. A script reports it in its next run.
func (w *world) setThing(n *node, t track.Thing, s track.Status) {
	n.things[t] = s
	switch t.Kind {
	case track.Script:
	case track.BFD:
		if s.Good {
			delete(n.rising, t)
			others := n.sessions()
			delete(others, t)
			w.rise(n, others)
			return
		}
		w.deliver(n, router.Sessions{Up: n.sessions()})
		w.deliver(n, balance.Sessions{Up: n.sessions()})
	default:
		w.deliver(n, router.Tracked{Thing: t, Status: s})
	}
	if t.Kind == track.File {
		w.deliver(n, balance.FileSeen{File: t, Value: s.Value})
	}
}

// thingEvents returns events with the states of the files and processes that the node tracks.
func (n *node) thingEvents() (list []router.Event) {
	list = append(list, router.Sessions{Up: n.sessions()})
	for _, t := range things(n.cfg) {
		if t.Kind != track.Script && t.Kind != track.BFD {
			list = append(list, router.Tracked{Thing: t.Thing, Status: n.status(t.Thing)})
		}
	}
	return list
}

// rise lets new BFD sessions come up. Until the ends have found each other, instances that need them are in FAULT:
// with keepalived, for as long as a packet of a session that is down may take.
func (w *world) rise(n *node, known map[track.Thing]bool) {
	asker := n.brains
	if asker == nil {
		return
	}
	for _, b := range n.cfg.BFDs {
		t := track.OfBFD(b)
		if _, old := known[t]; old || !b.Neighbor.IsValid() {
			continue
		}
		n.rising[t] = true
		w.plan(&event{rank: arrival, do: func() {
			if n.brains == asker && n.rising[t] { // it may have ended meanwhile
				delete(n.rising, t)
				w.deliver(n, router.Sessions{Up: n.sessions()})
				w.deliver(n, balance.Sessions{Up: n.sessions()})
			}
		}}, w.now+b.IdleTX)
	}
}

// sessions returns which BFD sessions of the node are up.
func (n *node) sessions() map[track.Thing]bool {
	up := map[track.Thing]bool{}
	for _, b := range n.cfg.BFDs {
		up[track.OfBFD(b)] = n.status(track.OfBFD(b)).Good && !n.rising[track.OfBFD(b)]
	}
	return up
}

// fileEvents returns events with the numbers in files, and the sessions, that checks may follow.
func (n *node) fileEvents() (list []balance.Event) {
	list = append(list, balance.Sessions{Up: n.sessions()})
	for _, t := range things(n.cfg) {
		if t.Kind == track.File {
			list = append(list, balance.FileSeen{File: t.Thing, Value: n.status(t.Thing).Value})
		}
	}
	return list
}

// status returns the state of a thing: good, or an empty file, unless the script of the simulation says otherwise.
func (n *node) status(t track.Thing) track.Status {
	if s, told := n.things[t]; told {
		return s
	}
	return track.Status{Known: true, Good: true}
}

// runScript returns the result of a vrrp_script at once.
func (w *world) runScript(n *node, s router.StartScript) {
	asker, cause := n.brains, ""
	if !n.status(track.Thing{Kind: track.Script, Name: s.ID.Name}).Good {
		cause = "exit status 1"
	}
	w.plan(&event{rank: arrival, do: func() {
		if n.brains == asker { // it may have ended meanwhile
			w.deliver(n, router.ScriptDone{ID: s.ID, Cause: cause})
		}
	}}, w.now)
}

// linkEvent is an interface as the node's kernel reports it: its own addresses first, then the virtual ones.
func (n *node) linkEvent(p *port) router.LinkChanged {
	l := router.LinkChanged{Name: p.name, Present: true, Up: p.up, Addrs: slices.Clone(p.addrs)}
	for _, k := range sortedKeys(n.held) {
		if k.Dev == p.name {
			l.Addrs = append(l.Addrs, k.Prefix.Addr())
		}
	}
	return l
}

// linkEvents are an interface and the virtual ones on it.
func (n *node) linkEvents(p *port) []router.LinkChanged {
	list := []router.LinkChanged{n.linkEvent(p)}
	for _, v := range n.cfg.Instances {
		for _, l := range v.Links {
			if l.Base == p.name {
				list = append(list, router.LinkChanged{Name: l.Name, Present: true, Up: p.up})
			}
		}
	}
	return list
}

// want is what should exist in the node's kernel.
func (b *brains) want() state.State {
	s, health := b.router.Situation(), b.balance.Situation()
	s.Down, s.Weight, s.Assigned, s.NoQuorum, s.Announced = health.Down, health.Weight, health.Assigned, health.NoQuorum, health.Announced
	return state.Desired(b.router.Config(), s)
}

// A reload is a configuration for both machines. They prepare it when they receive it.
type reload struct{ cfg *ir.Config }

// deliver passes an event to the daemon, now or when it gets CPU time again.
func (w *world) deliver(n *node, ev any) {
	switch {
	case n.brains == nil:
	case n.paused:
		if len(n.inbox) < backlog {
			n.inbox = append(n.inbox, ev)
		}
	default:
		switch ev := ev.(type) {
		case reload:
			w.balance(n, balance.Swap{Next: balance.Prepare(ev.cfg, n.brains.balance.Current())})
			w.route(n, router.Speak{})
			w.route(n, router.Swap{Next: router.Prepare(ev.cfg, n.brains.router.Current())})
		case router.Event:
			w.route(n, ev)
		case balance.Event:
			w.balance(n, ev)
		}
	}
}

func (w *world) pause(n *node) {
	n.paused = n.brains != nil
	w.cancelTicks(n)
}

func (w *world) resume(n *node) {
	waiting := n.inbox
	n.paused, n.inbox = false, nil
	for _, ev := range waiting {
		w.deliver(n, ev)
	}
	if n.brains != nil {
		w.schedule(n)
	}
}

// route passes an event to the router machine and carries out the effects, as the daemon does.
func (w *world) route(n *node, ev router.Event) {
	enforce := false
	switch ev.(type) {
	case router.Swap, router.Stop:
		enforce = true
	}
	for _, e := range n.brains.router.Step(w.time(), ev) {
		e.CarryOut(n)
	}
	w.schedule(n)
	switch {
	case enforce:
		w.settle(n)
	case len(n.changed) > 0: // hundreds of instances may change at an instant
		w.plan(&n.settling, w.now)
	}
	w.judge()
}

// settle carries out what the router machine wants at the end of an instant. As with the enforcer of the daemon, what
// it wanted in between does not count.
func (w *world) settle(n *node) {
	if n.brains == nil {
		return
	}
	w.enforce(n)
	w.balance(n, balance.Roles{Master: n.brains.router.Roles()})
}

// balance passes an event to the balance machine and carries out the effects, as the daemon does. Only a Snapshot
// shows what it enforces.
func (w *world) balance(n *node, ev balance.Event) {
	_, n.decided = ev.(balance.Swap)
	for _, e := range n.brains.balance.Step(w.time(), ev) {
		e.CarryOut(n)
	}
	w.schedule(n)
	if n.decided {
		s := n.brains.balance.Situation()
		w.route(n, router.Quorum{Lost: s.NoQuorum, Announced: s.Announced})
	}
	w.judge()
}

// schedule plans the next Ticks of the machines.
func (w *world) schedule(n *node) {
	w.scheduleTick(n, &n.routerTimer, n.brains.router.Deadline)
	w.scheduleTick(n, &n.balanceTimer, n.brains.balance.Deadline)
}

func (w *world) scheduleTick(n *node, tick *event, deadline func() (time.Time, bool)) {
	if at, ok := deadline(); ok && !n.paused {
		w.plan(tick, at.Sub(epoch))
	} else {
		w.cancel(tick)
	}
}

func (w *world) cancelTicks(n *node) {
	w.cancel(&n.routerTimer)
	w.cancel(&n.balanceTimer)
}

// enforce makes the router machine's want true at once, and tells it about the resulting state of its interfaces.
// Roles that changed are recorded with the addresses that came and went with them.
func (w *world) enforce(n *node) {
	roles := n.changed
	n.changed = nil
	w.cancel(&n.settling)
	instances := map[ir.InstanceKey]*ir.VRRPInstance{}
	for _, v := range n.cfg.Instances {
		instances[v.Key()] = v
	}
	want := n.brains.router.Want()().Addresses
	gained, lost := map[state.AddressKey]bool{}, map[state.AddressKey]bool{}
	for k := range want {
		if !n.held[k] {
			gained[k] = true
		}
	}
	for k := range n.held {
		if _, stays := want[k]; !stays {
			lost[k] = true
		}
	}
	devs := map[string]bool{}
	for k := range gained {
		n.held[k], devs[k.Dev] = true, true
	}
	for k := range lost {
		delete(n.held, k)
		devs[k.Dev] = true
	}
	for _, r := range roles {
		e := Entry{Kind: Role, Node: n.name, Subject: r.Name, State: r.Role, Text: r.Reason.String()}
		if v := instances[r.Instance]; v != nil {
			e.Gained, e.Lost = take(gained, v), take(lost, v)
		}
		w.record(e)
	}
	if len(gained)+len(lost) > 0 {
		w.record(Entry{Kind: Addresses, Node: n.name, Gained: addrs(gained), Lost: addrs(lost)})
	}
	w.show(n)
	for _, p := range n.ports {
		if devs[p.name] {
			w.deliver(n, n.linkEvent(p))
		}
	}
}

// destinations lists the keys of a real server in the node's services.
func (n *node) destinations(server netip.AddrPort) []state.DestinationKey {
	return places(n.cfg, func(s netip.AddrPort) bool { return s == server })
}

// take removes the addresses of an instance from a set and returns them in file order.
func take(set map[state.AddressKey]bool, v *ir.VRRPInstance) (list []netip.Addr) {
	for _, a := range v.Addresses {
		if k := (state.AddressKey{Dev: a.On(), Prefix: a.Prefix}); set[k] {
			delete(set, k)
			list = append(list, a.Prefix.Addr())
		}
	}
	return list
}

// show updates the record of which addresses of a node others can see.
func (w *world) show(n *node) {
	visible := map[netip.Addr]bool{}
	for k := range n.held {
		if p := n.port(k.Dev); p == nil || p.up {
			visible[k.Prefix.Addr()] = true
		}
	}
	for a := range n.shown {
		if !visible[a] {
			w.holds(w.now, a, n.index, false)
		}
	}
	for a := range visible {
		if !n.shown[a] {
			w.holds(w.now, a, n.index, true)
		}
	}
	n.shown = visible
}

func sortedKeys(set map[state.AddressKey]bool) []state.AddressKey {
	return slices.SortedFunc(maps.Keys(set), func(a, b state.AddressKey) int {
		if c := a.Prefix.Addr().Compare(b.Prefix.Addr()); c != 0 {
			return c
		}
		return a.Prefix.Bits() - b.Prefix.Bits()
	})
}

func addrs(set map[state.AddressKey]bool) (list []netip.Addr) {
	for _, k := range sortedKeys(set) {
		list = append(list, k.Prefix.Addr())
	}
	return list
}
