package router

import (
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/timer"
)

// An upDown is an interface with the delays of interface_up_down_delays: when it goes down, or up, it keeps its former
// state for that long. An interface that is back in time was never away.
type upDown struct {
	timer.Timer
	delay ir.UpDownDelay
}

// debounce returns the effective state of a link: while its delay runs, up or down as before.
func (m *Machine) debounce(now time.Time, l LinkChanged) LinkChanged {
	x := m.current.delays[l.Name]
	if x == nil {
		return l
	}
	before, known := m.links[l.Name]
	if !known || !l.Present || l.Up == before.Up {
		m.timers.Stop(&x.Timer)
		return l
	}
	delay := x.delay.Down
	if l.Up {
		delay = x.delay.Up
	}
	if delay = min(delay, m.bearable(l.Name)); delay <= 0 {
		m.timers.Stop(&x.Timer)
		return l
	}
	if !m.timers.Running(&x.Timer) {
		x.Do = func(now time.Time) { m.turn(now, x, l.Name) }
		m.timers.Set(&x.Timer, now.Add(delay), true)
	}
	l.Up = before.Up
	return l
}

// turn ends a delay: the actual state takes effect.
func (m *Machine) turn(now time.Time, x *upDown, name string) {
	m.timers.Stop(&x.Timer)
	l, present := m.links[name]
	if !present {
		return
	}
	l.Up = !l.Up
	m.takeLink(now, l)
}

// bearable returns the longest delay of an interface during which no backup takes over: an interval less than a backup
// waits.
func (m *Machine) bearable(name string) time.Duration {
	most := time.Duration(1<<63 - 1)
	for _, i := range m.current.onLink[name] {
		most = min(most, time.Duration(i.cfg.DownTimerAdverts-1)*i.machine.Interval())
	}
	return most
}

// prepareDelays prepares the delays of the configuration. A virtual interface has those of the one below; an unchanged
// delay continues.
func (n *Next) prepareDelays() {
	add := func(name string, d ir.UpDownDelay) {
		if b := n.base.delays[name]; b != nil && b.delay.Down == d.Down && b.delay.Up == d.Up {
			n.delays[name] = b
			return
		}
		n.delays[name] = &upDown{delay: d}
	}
	for _, d := range n.cfg.UpDownDelays {
		add(d.Interface, d)
	}
	for _, v := range n.cfg.Instances {
		for _, l := range v.Links {
			if below := n.delays[l.Base]; below != nil && n.delays[l.Name] == nil {
				add(l.Name, below.delay)
			}
		}
	}
}

// settleLinks ends the delays that a configuration no longer has: the actual state of their interfaces takes effect.
func (m *Machine) settleLinks(now time.Time, before map[string]*upDown) {
	for name, x := range before {
		if m.current.delays[name] != x && m.timers.Running(&x.Timer) {
			m.turn(now, x, name)
		}
	}
}
