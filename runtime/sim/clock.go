package sim

import (
	"container/heap"
	"time"
)

// A clock is the virtual time, counted from the start of the run, with the planned events.
type clock struct {
	now   time.Duration
	heap  []*event
	count int // events planned so far
}

// An event is something that happens at a time. It may be planned again once it has happened.
type event struct {
	at    time.Duration
	rank  rank
	order int // among equals: first planned, first run
	slot  int // in the heap, from 1; 0: not planned
	do    func()
}

// A rank orders what happens at the same instant.
type rank uint8

const (
	scripted rank = iota // deeds of the script, and expectations that start
	arrival              // what a peer sent before a deadline counts before the deadline
	deadline             // of a machine
	settled              // what the machines want at the instant is carried out
	verdict              // expectations judge an instant at its end
)

// plan schedules an event for a time, or for now if that has passed.
func (c *clock) plan(e *event, at time.Duration) {
	at = max(at, c.now)
	if e.slot != 0 && e.at == at {
		return
	}
	c.count++
	e.at, e.order = at, c.count
	if e.slot == 0 {
		heap.Push(c, e)
	} else {
		heap.Fix(c, e.slot-1)
	}
}

// cancel removes an event from the schedule.
func (c *clock) cancel(e *event) {
	if e.slot != 0 {
		heap.Remove(c, e.slot-1)
	}
}

// run lets time pass, with everything that is planned until then.
func (c *clock) run(until time.Duration) {
	for len(c.heap) > 0 && c.heap[0].at <= until {
		e := heap.Pop(c).(*event)
		c.now = e.at
		e.do()
	}
	c.now = until
}

// The methods of heap.Interface.

func (c *clock) Len() int { return len(c.heap) }

func (c *clock) Less(i, j int) bool {
	a, b := c.heap[i], c.heap[j]
	switch {
	case a.at != b.at:
		return a.at < b.at
	case a.rank != b.rank:
		return a.rank < b.rank
	}
	return a.order < b.order
}

func (c *clock) Swap(i, j int) {
	c.heap[i], c.heap[j] = c.heap[j], c.heap[i]
	c.heap[i].slot, c.heap[j].slot = i+1, j+1
}

func (c *clock) Push(x any) {
	e := x.(*event)
	c.heap = append(c.heap, e)
	e.slot = len(c.heap)
}

func (c *clock) Pop() any {
	last := len(c.heap) - 1
	e := c.heap[last]
	c.heap[last] = nil
	c.heap = c.heap[:last]
	e.slot = 0
	return e
}
