// Package timer holds the deadlines of many machines. It knows no clock.
package timer

import (
	"container/heap"
	"time"
)

// A Timer is the deadline of one machine. It is embedded in the machine's own structure: fifty thousand of them cost a
// heap of pointers. The zero Timer does not run; it needs Do before it is set.
type Timer struct {
	Do    func(now time.Time) // called when the time has come
	Owner any                 // the machine, for callers of Owners; may be nil

	at    time.Time
	order int // order of the first Set, for equal times, so that traces repeat
	slot  int // in the heap, from 1; 0: not running
}

// Timers holds the running timers, the next one first. The zero Timers is empty.
type Timers struct {
	heap []*Timer
	set  int // timers set so far
}

// Set makes a timer run until a time, or stops it.
func (t *Timers) Set(x *Timer, at time.Time, running bool) {
	if x.order == 0 {
		t.set++
		x.order = t.set
	}
	switch {
	case !running && x.slot != 0:
		heap.Remove((*byTime)(t), x.slot-1)
	case running && x.slot == 0:
		x.at = at
		heap.Push((*byTime)(t), x)
	case running && !x.at.Equal(at):
		x.at = at
		heap.Fix((*byTime)(t), x.slot-1)
	}
}

// Stop stops a timer.
func (t *Timers) Stop(x *Timer) { t.Set(x, time.Time{}, false) }

// Running reports whether a timer runs.
func (t *Timers) Running(x *Timer) bool { return x.slot != 0 }

// First returns when the next timer is due; false: none runs.
func (t *Timers) First() (time.Time, bool) {
	if len(t.heap) == 0 {
		return time.Time{}, false
	}
	return t.heap[0].at, true
}

// Owners yields the owners of the running timers: that of the next one first, the others in no order.
func (t *Timers) Owners(yield func(owner any) bool) {
	for _, x := range t.heap {
		if !yield(x.Owner) {
			return
		}
	}
}

// Run calls the timers that are due, in order of time. Each must set itself again or stop.
func (t *Timers) Run(now time.Time) {
	for len(t.heap) > 0 && !now.Before(t.heap[0].at) {
		t.heap[0].Do(now)
	}
}

// byTime is Timers as heap.Interface.
type byTime Timers

func (t *byTime) Len() int { return len(t.heap) }

func (t *byTime) Less(i, j int) bool {
	a, b := t.heap[i], t.heap[j]
	if a.at.Equal(b.at) {
		return a.order < b.order
	}
	return a.at.Before(b.at)
}

func (t *byTime) Swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].slot, t.heap[j].slot = i+1, j+1
}

func (t *byTime) Push(x any) {
	t.heap = append(t.heap, x.(*Timer))
	t.heap[len(t.heap)-1].slot = len(t.heap)
}

func (t *byTime) Pop() any {
	last := t.heap[len(t.heap)-1]
	t.heap[len(t.heap)-1] = nil
	t.heap = t.heap[:len(t.heap)-1]
	last.slot = 0
	return last
}
