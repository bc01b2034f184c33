package sim

import (
	"maps"
	"slices"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/router"
	"keepc/runtime/track"
)

// start starts the daemon. It learns of its interfaces, and continues from what an earlier run left on them.
func (w *world) start(n *node) {
	if n.brains != nil {
		return
	}
	n.roles, n.rising = map[ir.InstanceKey]string{}, map[track.Thing]bool{}
	n.brains = &brains{
		router.New(w.time(), router.Adopt(n.cfg, w.found(n))),
		balance.New(w.time(), balance.Prepare(n.cfg, balance.Start(w.Seed+uint64(n.index)))),
	}
	w.rise(n, nil)
	for _, p := range n.ports {
		for _, ev := range n.linkEvents(p) {
			w.route(n, ev)
		}
	}
	for _, ev := range n.thingEvents() {
		w.route(n, ev)
	}
	for _, ev := range n.fileEvents() {
		w.balance(n, ev)
	}
	w.balance(n, balance.Enforced{}) // its kernel accepts everything
	w.enforce(n)
	w.schedule(n)
}

// found returns what a start finds in the node's kernel. keepalived clears that.
func (w *world) found(n *node) state.Found {
	if slices.Contains(w.Clears, n.name) {
		return state.Found{}
	}
	have := state.New()
	for k := range n.held {
		have.Addresses[k] = state.Address{}
	}
	return state.FoundOf(n.cfg, have)
}

// stop ends the daemon with a farewell, after it has drained what it announces.
func (w *world) stop(n *node) {
	if n.brains == nil {
		return
	}
	n.paused, n.ending = false, true
	w.balance(n, balance.Leave{})
	w.depart(n)
}

// depart does what a node has postponed until it has drained some of its announcements.
func (w *world) depart(n *node) {
	switch {
	case n.brains == nil || n.paused:
	case n.ending && n.brains.balance.Silent():
		w.route(n, router.Stop{})
		w.balance(n, balance.Stop{})
		w.crash(n)
	case n.next != nil && n.brains.balance.Retired():
		cfg := n.next
		n.next = nil
		w.swap(n, cfg)
	}
}

// crash ends the daemon silently. Its addresses stay.
func (w *world) crash(n *node) {
	n.brains, n.roles, n.paused, n.ending, n.inbox, n.changed = nil, nil, false, false, nil, nil
	w.cancelTicks(n)
	if n.next != nil { // the next one starts with it
		cfg := n.next
		n.next = nil
		w.swap(n, cfg)
	}
}

// kill cuts the node's power.
func (w *world) kill(n *node) {
	w.crash(n)
	clear(n.held)
	w.show(n)
}

// reload gives the node a different file. A running daemon first drains what the new file gives up of its
// announcements.
func (w *world) reload(n *node, cfg *ir.Config) {
	if n.brains == nil || n.paused {
		w.swap(n, cfg)
		return
	}
	n.next = cfg
	w.balance(n, balance.Retire{Next: balance.Prepare(cfg, n.brains.balance.Current())})
	w.depart(n)
}

// swap gives the node a different file, and tells the daemon if it runs.
func (w *world) swap(n *node, cfg *ir.Config) {
	old := n.cfg
	up := n.sessions()
	n.cfg, n.named = cfg, nil
	w.rise(n, up)
	maps.Copy(up, n.sessions()) // new followers of a session find it, and former ones do not see it end
	known := len(n.ports)
	w.plug(n, cluster.Alone(n.index, cfg))
	w.adopt(cfg)
	for _, p := range n.ports[known:] {
		w.deliver(n, n.linkEvent(p))
	}
	w.deliver(n, router.Sessions{Up: up})
	w.deliver(n, balance.Sessions{Up: up})
	w.deliver(n, reload{cfg})
	for _, p := range n.ports {
		for _, ev := range n.linkEvents(p)[1:] {
			w.deliver(n, ev)
		}
	}
	for _, ev := range n.thingEvents() {
		w.deliver(n, ev)
	}
	for _, ev := range n.fileEvents() {
		w.deliver(n, ev)
	}
	w.forget(old)
}
