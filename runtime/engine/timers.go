package engine

import (
	"container/heap"
	"time"
)

// A timer is the deadline of one machine. It sits in the machine's own structure: fifty thousand of them cost a heap of pointers.
type timer struct {
	at    time.Time
	order int                            // among equal times: that of creation, so that traces repeat
	slot  int                            // in the heap, from 1; 0: not running
	tick  func(e *Engine, now time.Time) // called when the time has come
}

// timers holds the running timers, the next one first.
type timers struct {
	heap    []*timer
	created int
}

// set makes a timer run to a time, or stops it.
func (t *timers) set(x *timer, at time.Time, running bool) {
	if x.order == 0 {
		t.created++
		x.order = t.created
	}
	switch {
	case !running && x.slot != 0:
		heap.Remove(t, x.slot-1)
	case running && x.slot == 0:
		x.at = at
		heap.Push(t, x)
	case running && !x.at.Equal(at):
		x.at = at
		heap.Fix(t, x.slot-1)
	}
}

// first returns the next timer, nil when none runs.
func (t *timers) first() *timer {
	if len(t.heap) == 0 {
		return nil
	}
	return t.heap[0]
}

// The methods of heap.Interface.

func (t *timers) Len() int { return len(t.heap) }

func (t *timers) Less(i, j int) bool {
	a, b := t.heap[i], t.heap[j]
	if a.at.Equal(b.at) {
		return a.order < b.order
	}
	return a.at.Before(b.at)
}

func (t *timers) Swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].slot, t.heap[j].slot = i+1, j+1
}

func (t *timers) Push(x any) {
	t.heap = append(t.heap, x.(*timer))
	t.heap[len(t.heap)-1].slot = len(t.heap)
}

func (t *timers) Pop() any {
	last := t.heap[len(t.heap)-1]
	t.heap[len(t.heap)-1] = nil
	t.heap = t.heap[:len(t.heap)-1]
	last.slot = 0
	return last
}
